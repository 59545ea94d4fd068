// Compiled with -fvisibility=hidden into a shared library of its own.

#include <cosslice.hpp>

#include <stdexcept>

__attribute__((visibility("default"))) void plugin_set_throwing_logger(cosslice::config& into)
{
    into.set_logger(cosslice::log_level::debug, [](cosslice::log_level, std::string_view) { throw std::length_error("from the plugin"); });
}

__attribute__((visibility("default"))) void plugin_throw_exists() { throw cosslice::exists_error({cosslice::errc::exists, "from the plugin"}); }
