// Options, their types, moving, signing.

#include "check.hpp"
#include "emulator.hpp"

#include <type_traits>

using namespace std::chrono_literals;
using namespace std::string_view_literals;
using cosslice::config;
using cosslice::errc;
using cosslice::error;
using cosslice::usage_error;
namespace opt = cosslice::opt;

static_assert(!std::is_copy_constructible_v<config> && !std::is_copy_assignable_v<config>);
static_assert(std::is_nothrow_move_constructible_v<config> && std::is_nothrow_move_assignable_v<config>);
static_assert(!std::is_copy_constructible_v<cosslice::upload> && !std::is_copy_assignable_v<cosslice::upload>);
static_assert(std::is_nothrow_move_constructible_v<cosslice::upload> && std::is_nothrow_move_assignable_v<cosslice::upload>);
static_assert(std::is_nothrow_copy_constructible_v<cosslice::exists_error>); // as exceptions must be

// A duration without a unit, a number for a flag, a text for a number: none of them compiles.
template <class Option, class Value, class = void>
inline constexpr bool takes = false;
template <class Option, class Value>
inline constexpr bool takes<Option, Value, std::void_t<decltype(std::declval<config&>().set(std::declval<Option>(), std::declval<Value>()))>> =
    true;
static_assert(takes<cosslice::option<std::chrono::milliseconds>, std::chrono::seconds>);
static_assert(!takes<cosslice::option<std::chrono::milliseconds>, int>);
static_assert(!takes<cosslice::option<std::uint64_t>, const char*>);
static_assert(!takes<cosslice::option<std::string_view>, int>);
static_assert(!takes<cosslice::option<cosslice::overwrite_mode>, int>);

TEST("config: every option takes a value of its type")
{
    config made;
    for (const auto& text : {opt::app_id, opt::bucket, opt::region, opt::endpoint, opt::secret_id, opt::secret_key, opt::authorization,
                             opt::biz_attr, opt::resume_token, opt::ca_pem, opt::proxy, opt::user_agent})
        made.set(text, "");
    made.set(opt::app_id, "1250000000").set(opt::bucket, std::string("bkt")).set(opt::region, "gz"sv);
    made.set(opt::slice_size, 1048576).set(opt::in_flight, 2u).set(opt::retries, 0).set(opt::single_max, 0).set(opt::bandwidth, 1ull << 40);
    made.set(opt::connect_timeout_ms, 10s).set(opt::io_timeout_ms, 1500ms).set(opt::sign_ttl_s, 15min);
    made.set(opt::overwrite, cosslice::overwrite_mode::discard).set(opt::resume, false).set(opt::hash, true).set(opt::verify, false);
    CHECK_EQUAL(made.message(), "");
}

TEST("config: a wrong value throws and says what would be right")
{
    config made;
    CHECK_THROWS_AND(
        usage_error,
        [](const error& e) {
            CHECK(e.status() == errc::invalid_arg);
            CHECK(e.code() == std::errc::invalid_argument);
            CHECK_CONTAINS(e.message(), "64");
            CHECK_EQUAL(std::string(e.what()), e.message());
        },
        made.set(opt::in_flight, 65));
    CHECK_THROWS(usage_error, made.set(opt::io_timeout_ms, -1s));
    CHECK_THROWS(usage_error, made.set(opt::app_id, "\xff"));
    CHECK_THROWS_AND(
        usage_error, [](const error& e) { CHECK(e.status() == errc::unknown_option); }, made.set(cosslice::option<std::uint64_t>{999}, 1));
    CHECK_THROWS_AND(
        usage_error, [](const error& e) { CHECK_CONTAINS(e.message(), "NUL"); }, made.set(opt::user_agent, "a\0b"sv));
    const auto refused = made.set(opt::in_flight, 0, std::nothrow);
    CHECK(refused.status() == errc::invalid_arg);
    CHECK(!made.message().empty());
    CHECK(made.set(opt::in_flight, 1, std::nothrow).ok());
    CHECK_EQUAL(made.message(), "");
    CHECK(made.set(opt::user_agent, "a\0b"sv, std::nothrow).status() == errc::invalid_arg);
}

TEST("config: moves; what was moved from refuses")
{
    config first = emulator::config();
    cosslice_config* const handle = first.native_handle();
    config second(std::move(first));
    CHECK(!first && second && second.native_handle() == handle);
    CHECK_THROWS_AND(
        usage_error, [](const error& e) { CHECK_CONTAINS(e.message(), "moved from"); }, first.set(opt::retries, 1));
    CHECK_THROWS(usage_error, cosslice::upload(first, "/x"));
    CHECK_EQUAL(first.message(), "");
    first = std::move(second);
    CHECK(first && !second);
    config& same = first;
    first = std::move(same); // to itself
    CHECK(first && first.native_handle() == handle);
    first = config();
    CHECK(first && first.native_handle() != nullptr);
    CHECK(bool(config(std::nothrow)));
}

TEST("config: signs for others")
{
    const config keys = emulator::config();
    for (std::size_t length = 1; length < 820; length += 9) { // shorter and longer than the room that is tried first
        const std::string signature = keys.sign("/" + std::string(length, 'n'), 4000000000);
        CHECK(signature.size() > 100 && signature.size() > length && signature.find('\0') == std::string::npos);
    }
    CHECK_THROWS(usage_error, static_cast<void>(keys.sign("no slash", 4000000000)));
    std::string out = "untouched";
    CHECK(keys.sign("no slash", 4000000000, out, std::nothrow).status() == errc::invalid_arg);
    CHECK_EQUAL(out, "untouched");
    CHECK(keys.sign("/a", 4000000000, out, std::nothrow).ok());
    CHECK(out.size() > 100);

    config pocket; // somebody who has no key
    pocket.set(opt::app_id, "1250000000").set(opt::bucket, "bkt").set(opt::endpoint, emulator::endpoint());
    const std::string path = emulator::fresh_path();
    pocket.set(opt::authorization, keys.sign(path, 4000000000));
    cosslice::upload(pocket, path).buffer("signed by another"sv);
    CHECK_EQUAL(emulator::object(path), "signed by another");
}

TEST("config: an upload says what is missing")
{
    config empty;
    CHECK_THROWS_AND(
        usage_error, [](const error& e) { CHECK_CONTAINS(e.message(), "APP_ID"); }, cosslice::upload(empty, "/x"));
    CHECK_CONTAINS(empty.message(), "APP_ID");
    CHECK_THROWS(usage_error, cosslice::upload(emulator::config(), "no slash"));
    CHECK_THROWS(usage_error, cosslice::upload(emulator::config(), "/a\0b"sv));
}

TEST("the library tells its version")
{
    CHECK(!cosslice::version().empty());
    CHECK_EQUAL(cosslice::abi_version(), std::uint32_t{COSSLICE_ABI_VERSION});
}
