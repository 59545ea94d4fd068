// The forms with std::nothrow.

#include "check.hpp"
#include "emulator.hpp"

#include <cerrno>
#include <stdexcept>
#include <utility>

using namespace std::string_view_literals;
using cosslice::errc;
using cosslice::result;
using cosslice::upload;

static_assert(noexcept(std::declval<upload&>().file("x", std::nothrow)) && !noexcept(std::declval<upload&>().file("x")));
static_assert(noexcept(std::declval<upload&>().buffer("x"sv, std::nothrow)) && noexcept(std::declval<upload&>().buffer(nullptr, 0, std::nothrow)));
static_assert(noexcept(std::declval<upload&>().hash("x"sv, std::nothrow)) && noexcept(std::declval<upload&>().init(1, std::nothrow)));
static_assert(noexcept(std::declval<upload&>().seek(1, std::nothrow)) && noexcept(std::declval<upload&>().feed("x"sv, std::nothrow)));
static_assert(noexcept(std::declval<upload&>().finish(std::nothrow)) && !noexcept(std::declval<upload&>().finish()));
static_assert(std::is_same_v<decltype(std::declval<upload&>().finish(std::nothrow)), result> && std::is_void_v<decltype(std::declval<upload&>().finish())>);
static_assert(noexcept(std::declval<upload&>().cancel()) && noexcept(std::declval<upload&>().close()));

TEST("nothrow: a whole upload")
{
    const std::string path = emulator::fresh_path();
    cosslice::config config(std::nothrow);
    namespace opt = cosslice::opt;
    bool ok = bool(config);
    ok = ok && config.set(opt::app_id, "1250000000", std::nothrow).ok() && config.set(opt::bucket, "bkt", std::nothrow).ok();
    ok = ok && config.set(opt::endpoint, emulator::endpoint(), std::nothrow).ok();
    ok = ok && config.set(opt::secret_id, "AKIDEXAMPLE", std::nothrow).ok() && config.set(opt::secret_key, "examplesecretkey", std::nothrow).ok();
    ok = ok && config.set(opt::overwrite, cosslice::overwrite_mode::replace, std::nothrow).ok();
    ok = ok && config.set_logger(cosslice::log_level::error, [](cosslice::log_level, std::string_view) {}, std::nothrow).ok();
    upload up;
    ok = ok && up.open(config, path, std::nothrow).ok();
    ok = ok && up.set_progress([](const cosslice::progress&) { return true; }, std::nothrow).ok();
    ok = ok && up.hash("hello"sv, std::nothrow).ok() && up.init(5, std::nothrow).ok() && up.seek(0, std::nothrow).ok();
    ok = ok && up.feed("he"sv, std::nothrow).ok() && up.feed("llo", 3, std::nothrow).ok();
    ok = ok && up.finish(std::nothrow).ok();
    CHECK(ok);
    CHECK_EQUAL(emulator::object(path), "hello");
}

TEST("nothrow: a failure as std::error_code, with details")
{
    upload up(emulator::config(), emulator::fresh_path());
    const result failed = up.file("/no/such/file", std::nothrow);
    CHECK(!failed.ok() && failed.status() == errc::file && failed.thrown() == nullptr);
    const std::error_code code = failed;
    CHECK(code && code == errc::file && code.category() == cosslice::category());
    const cosslice::failure why = up.why(failed);
    CHECK(why.status == errc::file && why.os_error == ENOENT && !why.message.empty() && !why.retryable);

    upload none;
    const result refused = none.finish(std::nothrow);
    CHECK(refused.status() == errc::invalid_arg);
    CHECK(!none.why(refused).message.empty());
    CHECK(none.open(emulator::config(), "/a\0b"sv, std::nothrow).status() == errc::invalid_arg);
    CHECK(!none);
}

TEST("nothrow: what a callback throws is in the result")
{
    upload up(emulator::config(), emulator::fresh_path());
    CHECK(up.set_progress([](const cosslice::progress&) -> bool { throw std::domain_error("kept"); }, std::nothrow).ok());
    const result failed = up.buffer(content(2 * mib, 41), std::nothrow);
    CHECK(failed.status() == errc::canceled);
    CHECK_THROWS(std::domain_error, std::rethrow_exception(failed.thrown()));
}
