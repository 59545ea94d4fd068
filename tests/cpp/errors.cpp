// Every kind of failure, with its details.

#include "check.hpp"
#include "emulator.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

using namespace std::chrono_literals;
using namespace std::string_view_literals;
using cosslice::errc;
using cosslice::error;
using cosslice::upload;
namespace opt = cosslice::opt;

TEST("exists: with COS's code, words and request id; the object stays")
{
    const std::string path = emulator::fresh_path();
    upload(emulator::config(), path).buffer("first"sv);
    upload up(emulator::config(), path);
    CHECK_THROWS_AND(
        cosslice::exists_error,
        [&](const error& e) {
            CHECK(e.status() == errc::exists);
            CHECK(e.code() == errc::exists && e.code() == std::errc::file_exists);
            CHECK_EQUAL(e.server_code().value_or(0), -177);
            CHECK(e.http_status().value_or(0) >= 200);
            CHECK(!e.server_message().empty() && !e.request_id().empty() && !e.message().empty());
            CHECK(!e.retryable() && !e.os_error());
        },
        up.buffer("second"sv));
    CHECK_EQUAL(emulator::object(path), "first");
    upload(emulator::config().set(opt::overwrite, cosslice::overwrite_mode::replace), path).buffer("third"sv);
    CHECK_EQUAL(emulator::object(path), "third");
}

TEST("conflict: an unfinished upload of unknown content; discard takes the name")
{
    const std::string path = emulator::fresh_path();
    {
        upload first(emulator::config().set(opt::in_flight, 1), path);
        first.init(2 * mib);
        first.feed(content(mib, 31));
    }
    upload second(emulator::config(), path);
    CHECK_THROWS_AND(
        cosslice::conflict_error, [](const error& e) { CHECK(e.status() == errc::conflict); }, second.init(2 * mib));
    upload third(emulator::config().set(opt::overwrite, cosslice::overwrite_mode::discard), path);
    const std::string bytes = content(2 * mib, 32);
    third.init(bytes.size());
    third.feed(bytes);
    third.finish();
    CHECK(emulator::object(path) == bytes);
}

TEST("server: a refusal keeps COS's number, words and HTTP status")
{
    const emulator::faults refuse(R"([{"op": "upload_slice_init", "do": "code", "code": -3999, "status": 400, "message": "no cake today"}])");
    upload up(emulator::config(), emulator::fresh_path());
    CHECK_THROWS_AND(
        cosslice::server_error,
        [](const error& e) {
            CHECK_EQUAL(e.server_code().value_or(0), -3999);
            CHECK_EQUAL(e.http_status().value_or(0), 400);
            CHECK_CONTAINS(e.server_message(), "no cake today");
            CHECK(!e.request_id().empty());
        },
        up.init(2 * mib));
}

TEST("protocol: the page of a proxy")
{
    const emulator::faults page(R"([{"op": "any", "do": "status", "status": 200, "body": "html"}])");
    upload up(emulator::config().set(opt::retries, 0), emulator::fresh_path());
    CHECK_THROWS_AND(
        error, [](const error& e) { CHECK(e.status() == errc::protocol && e.code() == std::errc::protocol_error); }, up.init(2 * mib));
}

TEST("not found: another bucket")
{
    upload up(emulator::config().set(opt::bucket, "nosuchbucket"), emulator::fresh_path());
    bool refused = false;
    try {
        up.init(10);
    } catch (const cosslice::not_found_error& e) {
        refused = e.code() == std::errc::no_such_file_or_directory;
    } catch (const cosslice::auth_error&) {
        refused = true; // a signature for another bucket may be refused before
    }
    CHECK(refused);

    const emulator::faults missing(R"([{"op": "any", "do": "with", "settings": {"require_parent": true}}])");
    upload deep(emulator::config(), "/no/such/folder/a");
    CHECK_THROWS(cosslice::not_found_error, deep.init(10));
}

TEST("auth: a wrong key")
{
    upload up(emulator::config().set(opt::secret_key, "another"), emulator::fresh_path());
    CHECK_THROWS_AND(
        cosslice::auth_error, [](const error& e) { CHECK(e.server_code().has_value()); }, up.init(10));
}

TEST("network: nobody listens")
{
    // A port that is bound and not listened on.
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t len = sizeof address;
    CHECK(bind(fd, reinterpret_cast<sockaddr*>(&address), len) == 0);
    CHECK(getsockname(fd, reinterpret_cast<sockaddr*>(&address), &len) == 0);
    const std::string endpoint = "http://127.0.0.1:" + std::to_string(ntohs(address.sin_port)) + "/files/v2";
    upload up(emulator::config().set(opt::endpoint, endpoint).set(opt::retries, 0).set(opt::connect_timeout_ms, 300ms), "/x");
    CHECK_THROWS_AND(
        cosslice::network_error,
        [](const error& e) {
            CHECK(e.status() == errc::network);
            CHECK(e.retryable());
        },
        up.init(10));
    close(fd);
}

TEST("timeout: is a network error too")
{
    const emulator::faults silent(R"([{"op": "any", "do": "stall"}])");
    upload up(emulator::config().set(opt::retries, 0).set(opt::io_timeout_ms, 150ms), emulator::fresh_path());
    bool as_network = false;
    try {
        up.init(10);
    } catch (const cosslice::network_error& e) {
        as_network = dynamic_cast<const cosslice::timeout_error*>(&e) != nullptr && e.code() == std::errc::timed_out && e.retryable();
    }
    CHECK(as_network);
}

TEST("tls: a server that speaks none")
{
    const std::string plain = emulator::endpoint();
    upload up(emulator::config().set(opt::endpoint, "https" + plain.substr(4)).set(opt::retries, 0), emulator::fresh_path());
    bool refused = false;
    try {
        up.init(10);
    } catch (const cosslice::tls_error&) {
        refused = true;
    } catch (const cosslice::network_error&) {
        refused = true;
    }
    CHECK(refused);
}

TEST("file: errno of the local file")
{
    upload up(emulator::config(), emulator::fresh_path());
    CHECK_THROWS_AND(
        cosslice::file_error, [](const error& e) { CHECK_EQUAL(e.os_error().value_or(0), ENOENT); }, up.file("/no/such/file"));
    upload refused(emulator::config(), emulator::fresh_path());
    CHECK_THROWS_AND(
        cosslice::usage_error, [](const error& e) { CHECK_CONTAINS(e.message(), "NUL"); }, refused.file("a\0b"sv));
    refused.buffer("goes on"sv); // a refused call changes nothing
}

TEST("source changed: too few bytes, too many bytes")
{
    upload few(emulator::config(), emulator::fresh_path());
    few.init(10);
    few.feed("12345"sv);
    CHECK_THROWS(cosslice::source_changed_error, few.finish());
    upload many(emulator::config(), emulator::fresh_path());
    many.init(3);
    CHECK_THROWS(cosslice::source_changed_error, many.feed("12345"sv));
}

TEST("usage: calls out of order")
{
    upload up(emulator::config(), emulator::fresh_path());
    CHECK_THROWS_AND(
        cosslice::usage_error, [](const error& e) { CHECK(e.status() == errc::state); }, up.feed("x"sv));
    CHECK_THROWS(cosslice::usage_error, up.finish());
    CHECK_THROWS(cosslice::usage_error, up.feed(nullptr, 1));
    up.init(1);
    CHECK_THROWS(cosslice::usage_error, up.init(1));
    up.feed("x"sv);
    up.finish();
}

TEST("usage: a handle of before a fork")
{
    upload up(emulator::config(), emulator::fresh_path());
    const pid_t child = fork();
    if (child == 0)
        _exit(up.init(1, std::nothrow).status() == errc::forked ? 0 : 1);
    int status = -1;
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

template <class E>
static bool thrown_for(errc status)
{
    try {
        cosslice::detail::raise({status, "why"});
    } catch (const error& e) {
        return typeid(e) == typeid(E) && e.status() == status && std::strcmp(e.what(), "why") == 0;
    }
}

TEST("every status has its kind")
{
    using namespace cosslice;
    CHECK(thrown_for<usage_error>(errc::invalid_arg) && thrown_for<usage_error>(errc::state) && thrown_for<usage_error>(errc::busy));
    CHECK(thrown_for<usage_error>(errc::unknown_option) && thrown_for<usage_error>(errc::forked));
    CHECK(thrown_for<no_memory_error>(errc::nomem) && thrown_for<file_error>(errc::file));
    CHECK(thrown_for<source_changed_error>(errc::source_changed) && thrown_for<network_error>(errc::network));
    CHECK(thrown_for<tls_error>(errc::tls) && thrown_for<timeout_error>(errc::timeout) && thrown_for<error>(errc::protocol));
    CHECK(thrown_for<server_error>(errc::server) && thrown_for<auth_error>(errc::auth) && thrown_for<exists_error>(errc::exists));
    CHECK(thrown_for<canceled_error>(errc::canceled) && thrown_for<conflict_error>(errc::conflict));
    CHECK(thrown_for<integrity_error>(errc::integrity) && thrown_for<not_found_error>(errc::not_found));
    CHECK(thrown_for<error>(errc::panic) && thrown_for<error>(static_cast<errc>(-1000)));
}

TEST("an exception is a std::system_error and keeps its details when copied")
{
    try {
        upload(emulator::config(), emulator::fresh_path()).file("/no/such/file");
        CHECK(false);
    } catch (const std::system_error& e) {
        CHECK_EQUAL(e.code().category().name(), "cosslice"sv);
        CHECK(!e.code().message().empty());
        const error copy = dynamic_cast<const error&>(e);
        CHECK_EQUAL(copy.message(), std::string(e.what()));
        CHECK_EQUAL(copy.os_error().value_or(0), ENOENT);
    }
    CHECK(!std::error_code(errc::ok));
    CHECK(std::error_code(errc::state).default_error_condition() == std::error_condition(COSSLICE_E_STATE, cosslice::category()));
}
