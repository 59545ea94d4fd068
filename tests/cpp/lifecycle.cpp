// The three ways to upload, every kind of memory, resuming, what can be asked; moving.

#include "check.hpp"
#include "emulator.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <filesystem>
#include <optional>
#include <vector>
#ifdef __cpp_lib_span
#  include <span>
#endif

using namespace std::string_view_literals;
using cosslice::upload;
namespace opt = cosslice::opt;
namespace info = cosslice::info;

static void feed_in_pieces(upload& to, std::string_view bytes)
{
    static constexpr std::size_t lengths[] = {1, 70001, 65535, 400000, 3};
    for (std::size_t i = 0; !bytes.empty(); i++) {
        const std::size_t n = std::min(lengths[i % std::size(lengths)], bytes.size());
        to.feed(bytes.substr(0, n));
        bytes.remove_prefix(n);
    }
}

TEST("push: fed in pieces, finished, and there")
{
    const std::string path = emulator::fresh_path(), bytes = content(3 * mib + 17, 1);
    upload up(emulator::config(), path);
    CHECK(up.get(info::phase) == cosslice::phase::idle);
    up.init(bytes.size());
    CHECK_EQUAL(up.get(info::next_offset).value(), 0u);
    CHECK_EQUAL(up.get(info::slice_size).value(), mib);
    CHECK(!up.get(info::instant));
    feed_in_pieces(up, bytes);
    up.finish();
    CHECK(emulator::object(path) == bytes);
    CHECK(up.get(info::phase) == cosslice::phase::done);
    CHECK(up.get(info::verified));
    CHECK_EQUAL(up.get(info::bytes_total).value(), bytes.size());
    CHECK_EQUAL(up.get(info::bytes_done).value(), bytes.size());
    CHECK_EQUAL(up.get(info::bytes_resumed).value(), 0u);
    CHECK_EQUAL(up.get(info::retries).value(), 0u);
    CHECK(!up.get(info::http_status) && !up.get(info::server_code) && !up.get(info::os_error) && !up.get(info::retryable));
    CHECK_CONTAINS(up.get(info::access_url), path);
    CHECK_CONTAINS(up.get(info::source_url), path);
    CHECK_CONTAINS(up.get(info::url), path);
    CHECK_EQUAL(up.get(info::resource_path), "/1250000000/bkt" + path);
    CHECK_EQUAL(up.get(info::sha1).size(), 40u);
    CHECK_EQUAL(up.get(info::message), "");
}

TEST("buffer: every kind of memory")
{
    const std::string bytes = content(mib + 5, 2);
    const auto arrives = [&](auto&& send) {
        const std::string path = emulator::fresh_path();
        upload up(emulator::config(), path);
        send(up);
        return emulator::object(path) == bytes;
    };
    std::vector<std::byte> vector(bytes.size());
    std::memcpy(vector.data(), bytes.data(), bytes.size());
    const std::vector<unsigned char> unsigned_vector(bytes.begin(), bytes.end());

    CHECK(arrives([&](upload& up) { up.buffer(bytes.data(), bytes.size()); }));
    CHECK(arrives([&](upload& up) { up.buffer(bytes); }));
    CHECK(arrives([&](upload& up) { up.buffer(std::string_view(bytes)); }));
    CHECK(arrives([&](upload& up) { up.buffer(vector); }));
    CHECK(arrives([&](upload& up) { up.buffer(unsigned_vector); }));
    CHECK(arrives([&](upload& up) { up.buffer(cosslice::bytes{bytes.data(), bytes.size()}); }));
#ifdef __cpp_lib_span
    CHECK(arrives([&](upload& up) { up.buffer(std::span(vector)); }));
    CHECK(arrives([&](upload& up) { up.buffer(std::span<const std::byte>(vector)); }));
    CHECK(arrives([&](upload& up) { up.buffer(std::as_bytes(std::span(bytes))); }));
#endif
}

// Elements of more than a byte would be cut, a char pointer has no size.
static_assert(!std::is_convertible_v<std::vector<int>, cosslice::bytes>);
static_assert(!std::is_convertible_v<const char*, cosslice::bytes>);
static_assert(std::is_convertible_v<std::array<char, 3>, cosslice::bytes>);

TEST("feed and hash: every kind of memory")
{
    const std::string path = emulator::fresh_path();
    upload up(emulator::config(), path);
    up.hash("ab", 2);
    up.hash(std::string("cd"));
    up.hash("ef"sv);
    up.hash(std::vector<std::byte>(2, std::byte{'g'}));
    up.hash(nullptr, 0);
    up.init(8);
    up.feed("ab", 2);
    up.feed(std::array<char, 2>{'c', 'd'});
    up.feed("ef"sv);
    up.feed(""sv);
    up.feed(std::vector<unsigned char>(2, 'g'));
    up.finish();
    CHECK_EQUAL(emulator::object(path), "abcdefgg");
}

TEST("file: named by a string, a view, a path")
{
    const std::string bytes = content(2 * mib + 1, 3), name = temporary_file("l\xc3\xb6wen.bin", bytes);
    std::string path = emulator::fresh_path();
    upload up(emulator::config(), path);
    up.file(name);
    CHECK(emulator::object(path) == bytes);
    up = upload(emulator::config(), path = emulator::fresh_path());
    up.file(std::string_view(name));
    CHECK(up.get(info::instant)); // the server has such content by now
    CHECK(emulator::object(path) == bytes);
    up = upload(emulator::config(), path = emulator::fresh_path());
    up.file(std::filesystem::path(name));
    CHECK(emulator::object(path) == bytes);
}

TEST("empty contents, in all three modes")
{
    const std::string name = temporary_file("empty", "");
    for (int mode = 0; mode < 3; mode++) {
        const std::string path = emulator::fresh_path();
        upload up(emulator::config(), path);
        if (mode == 0) {
            up.init(0);
            up.finish();
        } else if (mode == 1) {
            up.buffer(nullptr, 0);
        } else {
            up.file(name);
        }
        CHECK_EQUAL(emulator::object_status(path), 200);
        CHECK_EQUAL(emulator::object(path), "");
    }
}

TEST("sizes have 64 bits")
{
    upload up(emulator::config(), emulator::fresh_path());
    const std::uint64_t size = (std::uint64_t{6} << 30) + 1;
    up.init(size);
    CHECK_EQUAL(up.get(info::bytes_total).value(), size);
    CHECK_THROWS(cosslice::usage_error, up.seek(size - 1)); // the server lacks what lies before
}

TEST("a hashed upload continues where the server stands")
{
    const std::string path = emulator::fresh_path(), bytes = content(4 * mib, 4);
    {
        upload first(emulator::config().set(opt::in_flight, 1), path);
        first.hash(bytes);
        first.init(bytes.size());
        first.feed(bytes.data(), 2 * mib + 1);
    }
    upload second(emulator::config(), path);
    second.hash(bytes);
    second.init(bytes.size());
    const std::uint64_t offset = second.get(info::next_offset).value();
    CHECK(offset >= mib && offset <= 2 * mib);
    second.seek(offset);
    second.feed(std::string_view(bytes).substr(static_cast<std::size_t>(offset)));
    second.finish();
    CHECK(emulator::object(path) == bytes);
    CHECK_EQUAL(second.get(info::bytes_resumed).value(), offset);
}

TEST("a token continues a push upload, and comes with the exception")
{
    const std::string path = emulator::fresh_path(), bytes = content(4 * mib, 5);
    std::string token;
    {
        upload first(emulator::config().set(opt::in_flight, 1), path);
        first.init(bytes.size());
        first.feed(bytes.data(), 2 * mib);
        first.cancel();
        try {
            first.feed(std::string_view(bytes).substr(2 * mib));
        } catch (const cosslice::canceled_error& e) {
            token = e.resume_token();
            CHECK(e.retryable());
        }
    }
    CHECK(!token.empty());
    upload second(emulator::config().set(opt::resume_token, token), path);
    second.init(bytes.size());
    CHECK(second.get(info::next_offset).value() >= mib);
    feed_in_pieces(second, bytes);
    second.finish();
    CHECK(emulator::object(path) == bytes);
    CHECK(second.get(info::bytes_resumed).value() >= mib);
}

TEST("an upload moves, and what was moved from refuses")
{
    const std::string path = emulator::fresh_path();
    upload first(emulator::config(), path);
    first.init(5);
    upload second(std::move(first));
    CHECK(!first && second);
    CHECK_THROWS_AND(
        cosslice::usage_error, [](const cosslice::error& e) { CHECK_CONTAINS(e.message(), "moved from"); }, first.feed("x"sv));
    CHECK(first.feed("x"sv, std::nothrow).status() == cosslice::errc::invalid_arg);
    first.cancel();
    CHECK_EQUAL(first.get(info::access_url), "");
    CHECK(!first.get(info::bytes_done) && !first.get(info::http_status) && !first.get(info::instant));
    CHECK(first.get(info::phase) == cosslice::phase::idle);
    CHECK(first.native_handle() == nullptr);

    second.feed("he"sv);
    first = std::move(second);
    upload& same = first;
    first = std::move(same); // to itself
    CHECK(bool(first));
    first.feed("llo"sv);
    std::vector<upload> many;
    many.push_back(std::move(first));
    many.emplace_back();
    std::swap(many[0], many[1]);
    many[1].finish();
    CHECK_EQUAL(emulator::object(path), "hello");
    many[1].close();
    many[1].close();
    CHECK(!many[1]);
}

TEST("open replaces; a failed one leaves what was there")
{
    const std::string path = emulator::fresh_path();
    cosslice::config config = emulator::config();
    upload up;
    CHECK_THROWS(cosslice::usage_error, up.finish());
    up.open(config, path);
    cosslice_upload* const handle = up.native_handle();
    CHECK(up.open(config, "no slash", std::nothrow).status() == cosslice::errc::invalid_arg);
    CHECK_CONTAINS(config.message(), "/");
    CHECK_THROWS(cosslice::usage_error, up.open(config, "no slash"));
    CHECK(up.native_handle() == handle);
    CHECK(up.open(config, path, std::nothrow).ok());
    up.buffer("opened"sv);
    CHECK_EQUAL(emulator::object(path), "opened");
}

TEST("uploads outlive their config")
{
    const std::string path = emulator::fresh_path();
    std::optional<cosslice::config> config = emulator::config();
    upload up(*config, path);
    config.reset();
    up.buffer("still there"sv);
    CHECK_EQUAL(emulator::object(path), "still there");
}
