// Signer, progress, logger: what they get, what they throw, when they are let go.

#include "check.hpp"
#include "emulator.hpp"

#include <atomic>
#include <memory>
#include <optional>
#include <stdexcept>
#include <vector>

using namespace std::string_view_literals;
using cosslice::config;
using cosslice::errc;
using cosslice::upload;
namespace opt = cosslice::opt;

namespace {

struct odd_exception { // not a std::exception
    int number;
};

/// A config without a key.
config without_key()
{
    config made = emulator::config();
    made.set(opt::secret_id, "").set(opt::secret_key, "");
    return made;
}

/// A signer that has the key.
cosslice::sign_function key_holder()
{
    auto keys = std::make_shared<config>(emulator::config());
    return [keys](const cosslice::sign_request& wanted) { return keys->sign(wanted.path(), wanted.expires_at_s()); };
}

} // namespace

TEST("progress: phases in order, bytes up to the end")
{
    const std::string path = emulator::fresh_path(), bytes = content(3 * mib, 11);
    upload up(emulator::config(), path);
    std::vector<cosslice::progress> seen;
    up.set_progress([&](const cosslice::progress& now) {
        seen.push_back(now);
        return true;
    });
    up.buffer(bytes);
    CHECK(!seen.empty());
    for (std::size_t i = 1; i < seen.size(); i++)
        CHECK(seen[i - 1].phase < seen[i].phase || (seen[i - 1].phase == seen[i].phase && seen[i - 1].bytes_done <= seen[i].bytes_done));
    CHECK(seen.front().phase == cosslice::phase::hashing);
    CHECK(seen.back().phase == cosslice::phase::done);
    CHECK_EQUAL(seen.back().bytes_done, bytes.size());
    CHECK_EQUAL(seen.back().bytes_total, bytes.size());
}

TEST("progress: false cancels")
{
    upload up(emulator::config(), emulator::fresh_path());
    up.set_progress([](const cosslice::progress&) { return false; });
    CHECK_THROWS_AND(
        cosslice::canceled_error,
        [](const cosslice::error& e) {
            CHECK(e.status() == errc::canceled);
            CHECK(e.code() == std::errc::operation_canceled);
        },
        up.buffer(content(2 * mib, 12)));
}

TEST("progress: what it throws comes out of the call, which is canceled")
{
    const std::string path = emulator::fresh_path();
    for (int kind = 0; kind < 3; kind++) {
        upload up(emulator::config(), path);
        up.set_progress([&](const cosslice::progress& now) -> bool {
            if (now.phase == cosslice::phase::sending) {
                if (kind == 0)
                    throw std::out_of_range("the user's own");
                if (kind == 1)
                    throw odd_exception{7};
                throw 42;
            }
            return true;
        });
        bool caught = false;
        try {
            up.buffer(content(2 * mib, 13));
        } catch (const std::out_of_range& e) {
            caught = kind == 0 && e.what() == "the user's own"sv;
        } catch (const odd_exception& e) {
            caught = kind == 1 && e.number == 7;
        } catch (int number) {
            caught = kind == 2 && number == 42;
        }
        CHECK(caught);
        CHECK_THROWS(cosslice::usage_error, up.buffer("again"sv)); // the failure is final
    }
    CHECK_EQUAL(emulator::object_status(path), 404);
}

TEST("progress: an empty function turns it off")
{
    upload up(emulator::config(), emulator::fresh_path());
    int calls = 0;
    up.set_progress([&](const cosslice::progress&) { return ++calls < 0; });
    up.set_progress(nullptr);
    up.buffer("quiet"sv);
    CHECK_EQUAL(calls, 0);
}

TEST("signer: signs; sees what for")
{
    config pocket = without_key();
    unsigned calls = 0;
    const std::string path = emulator::fresh_path();
    pocket.set_signer([&, sign = key_holder()](const cosslice::sign_request& wanted) {
        calls++;
        CHECK(!wanted.op().empty());
        CHECK_EQUAL(wanted.app_id(), "1250000000");
        CHECK_EQUAL(wanted.bucket(), "bkt");
        CHECK_EQUAL(wanted.path(), path);
        CHECK_EQUAL(wanted.file_id(), "/1250000000/bkt" + path);
        CHECK(wanted.now_s() > 1700000000 && wanted.expires_at_s() > wanted.now_s());
        return sign(wanted);
    });
    upload(pocket, path).buffer(content(3 * mib, 14));
    CHECK_EQUAL(emulator::object_status(path), 200);
    CHECK_EQUAL(calls, 1u); // it is kept
}

TEST("signer: an empty text refuses")
{
    config pocket = without_key();
    pocket.set_signer([](const cosslice::sign_request&) { return std::string(); });
    upload up(pocket, emulator::fresh_path());
    CHECK_THROWS_AND(
        cosslice::auth_error, [](const cosslice::error& e) { CHECK(e.code() == std::errc::permission_denied); }, up.buffer("x"sv));
}

TEST("signer: what it throws comes out of the call")
{
    config pocket = without_key();
    pocket.set_signer([](const cosslice::sign_request&) -> std::string { throw odd_exception{1}; });
    upload up(pocket, emulator::fresh_path());
    bool caught = false;
    try {
        up.init(10);
    } catch (const odd_exception&) {
        caught = true;
    }
    CHECK(caught);

    upload quiet(pocket, emulator::fresh_path());
    const auto refused = quiet.init(10, std::nothrow);
    CHECK(refused.status() == errc::auth);
    CHECK(refused.thrown() != nullptr);
    CHECK_THROWS(cosslice::usage_error, quiet.feed("x"sv));
}

TEST("signer: a long signature gets room")
{
    config pocket = without_key();
    unsigned calls = 0;
    pocket.set_signer([&](const cosslice::sign_request&) {
        calls++;
        return std::string(5000, 'A');
    });
    pocket.set(opt::retries, 0);
    upload up(pocket, emulator::fresh_path());
    CHECK_THROWS_AND(
        cosslice::auth_error, [](const cosslice::error& e) { CHECK(e.server_code().has_value()); }, up.buffer("x"sv)); // it was sent
    CHECK(calls >= 2);
}

TEST("logger: gets lines up to its level, without secrets")
{
    config talking = emulator::config();
    std::vector<std::pair<cosslice::log_level, std::string>> lines;
    talking.set_logger(cosslice::log_level::debug, [&](cosslice::log_level level, std::string_view line) { lines.emplace_back(level, line); });
    upload(talking, emulator::fresh_path()).buffer("logged"sv);
    CHECK(!lines.empty());
    for (const auto& [level, line] : lines) {
        CHECK(level >= cosslice::log_level::error && level <= cosslice::log_level::debug);
        CHECK(line.find("examplesecretkey") == std::string::npos && line.find('\n') == std::string::npos);
    }
    lines.clear();
    talking.set_logger(cosslice::log_level::debug, {});
    upload(talking, emulator::fresh_path()).buffer("not logged"sv);
    CHECK(lines.empty());
    CHECK_THROWS(cosslice::usage_error, talking.set_logger(static_cast<cosslice::log_level>(9), [](cosslice::log_level, std::string_view) {}));
}

TEST("logger: what it throws comes out of the call, which is canceled")
{
    config talking = emulator::config();
    talking.set_logger(cosslice::log_level::debug, [](cosslice::log_level, std::string_view) { throw std::runtime_error("the log is full"); });
    const std::string path = emulator::fresh_path();
    upload up(talking, path);
    CHECK_THROWS(std::runtime_error, up.buffer(content(3 * mib, 15)));
    CHECK_EQUAL(emulator::object_status(path), 404);
}

TEST("a callback may throw in C code that was given the handle")
{
    upload up(emulator::config(), emulator::fresh_path());
    up.set_progress([](const cosslice::progress&) -> bool { throw 1; });
    const std::string bytes = content(mib + 1, 16);
    CHECK_EQUAL(cosslice_upload_buffer(up.native_handle(), bytes.data(), bytes.size()), std::int32_t{COSSLICE_E_CANCELED});
}

TEST("an upload inside a callback of another: each call gets its own exceptions")
{
    const std::string outer_path = emulator::fresh_path(), inner_path = emulator::fresh_path();
    upload outer(emulator::config(), outer_path);
    bool inner_threw = false, once = false;
    outer.set_progress([&](const cosslice::progress&) {
        if (std::exchange(once, true))
            return true;
        upload inner(emulator::config(), inner_path);
        inner.set_progress([](const cosslice::progress&) -> bool { throw odd_exception{2}; });
        try {
            inner.buffer(content(2 * mib, 17));
        } catch (const odd_exception&) {
            inner_threw = true;
        }
        return true;
    });
    outer.buffer(content(2 * mib, 18));
    CHECK(inner_threw);
    CHECK_EQUAL(emulator::object_status(outer_path), 200);
    CHECK_EQUAL(emulator::object_status(inner_path), 404);
}

TEST("a callback may not call its own upload, but ask and cancel it")
{
    upload up(emulator::config(), emulator::fresh_path());
    errc nested = errc::ok;
    std::string text = "?";
    bool known = false;
    up.set_progress([&](const cosslice::progress&) {
        nested = up.feed("x"sv, std::nothrow).status();
        text = up.get(cosslice::info::access_url);
        known = up.get(cosslice::info::bytes_total).has_value();
        up.cancel();
        return true;
    });
    CHECK_THROWS(cosslice::canceled_error, up.buffer(content(2 * mib, 19)));
    CHECK(nested == errc::busy);
    CHECK_EQUAL(text, "");
    CHECK(known);

    upload again(emulator::config(), emulator::fresh_path());
    again.set_progress([&](const cosslice::progress&) {
        again.set_progress(nullptr); // throws
        return true;
    });
    CHECK_THROWS_AND(
        cosslice::usage_error, [](const cosslice::error& e) { CHECK(e.status() == errc::busy); }, again.buffer(content(2 * mib, 20)));
}

TEST("a callback may drop or move its own upload")
{
    auto dropped = std::make_unique<upload>(emulator::config(), emulator::fresh_path());
    dropped->set_progress([&](const cosslice::progress&) {
        dropped.reset();
        return true;
    });
    CHECK_THROWS(cosslice::canceled_error, dropped->buffer(content(2 * mib, 21)));
    CHECK(dropped == nullptr);

    const std::string path = emulator::fresh_path();
    upload here(emulator::config(), path), there;
    here.set_progress([&](const cosslice::progress&) {
        if (here)
            there = std::move(here);
        return true;
    });
    here.buffer(content(2 * mib, 22));
    CHECK(!here && there);
    CHECK_CONTAINS(there.get(cosslice::info::access_url), path);
}

TEST("callbacks are let go once: replaced, at the end of config and uploads, when refused")
{
    auto token = std::make_shared<int>(0);
    const auto uses = [&] { return token.use_count() - 1; };
    {
        config holder = without_key();
        holder.set_signer([token](const cosslice::sign_request&) { return std::string(); });
        CHECK_EQUAL(uses(), 1);
        holder.set_signer([token](const cosslice::sign_request&) { return std::string(); });
        CHECK_EQUAL(uses(), 1);
        holder.set_logger(cosslice::log_level::error, [token](cosslice::log_level, std::string_view) {});
        CHECK_EQUAL(uses(), 2);
        CHECK(!holder.set_logger(static_cast<cosslice::log_level>(0), [token](cosslice::log_level, std::string_view) {}, std::nothrow).ok());
        CHECK_EQUAL(uses(), 2);
        upload up(holder, "/x");
        up.set_progress([token](const cosslice::progress&) { return true; });
        CHECK_EQUAL(uses(), 3);
        holder.set_logger(cosslice::log_level::error, nullptr);
        CHECK_EQUAL(uses(), 3); // the upload has it still
        holder = config();
        CHECK_EQUAL(uses(), 3);
        up.close();
        CHECK_EQUAL(uses(), 0);
        upload none;
        CHECK(!none.set_progress([token](const cosslice::progress&) { return true; }, std::nothrow).ok());
        CHECK_EQUAL(uses(), 0);
    }
    CHECK_EQUAL(uses(), 0);
}

// In tests/cpp/plugin.cpp, a shared library that hides its symbols.
void plugin_set_throwing_logger(config& into);
void plugin_throw_exists();

TEST("exceptions cross the border of a library that hides its symbols")
{
    config talking = emulator::config();
    plugin_set_throwing_logger(talking);
    upload up(talking, emulator::fresh_path());
    CHECK_THROWS(std::length_error, up.buffer(content(2 * mib, 23)));
    CHECK_THROWS_AND(
        cosslice::exists_error, [](const cosslice::error& e) { CHECK(e.code() == errc::exists); }, plugin_throw_exists());
}
