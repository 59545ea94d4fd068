// Canceling from other threads and by stop tokens; a second thread; numbers read meanwhile.

#include "check.hpp"
#include "emulator.hpp"

#include <condition_variable>
#include <mutex>
#include <thread>

#ifdef __cpp_lib_jthread
#  include <stop_token>
#endif

using namespace std::chrono_literals;
using namespace std::string_view_literals;
using cosslice::errc;
using cosslice::upload;
using clock_type = std::chrono::steady_clock;

namespace {

/// Opened by one thread, awaited by another; 30 s are for a busy machine.
class gate {
public:
    void open()
    {
        const std::lock_guard lock(mutex_);
        open_ = true;
        changed_.notify_all();
    }
    bool wait()
    {
        std::unique_lock lock(mutex_);
        return changed_.wait_for(lock, 30s, [&] { return open_; });
    }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    bool open_ = false;
};

constexpr const char* stalled = R"([{"op": "upload_slice_data", "do": "stall"}])";

/// Runs `call`, and `meanwhile` on another thread once progress tells that slices are on their way; returns how long the
/// call lasted after that.
template <class Call, class Meanwhile>
std::chrono::milliseconds ended_after(upload& up, Call call, Meanwhile meanwhile)
{
    gate sending;
    clock_type::time_point asked{};
    up.set_progress([&](const cosslice::progress& now) {
        if (now.phase == cosslice::phase::sending)
            sending.open();
        return true;
    });
    std::thread other([&] {
        CHECK(sending.wait());
        asked = clock_type::now();
        meanwhile();
    });
    call();
    const auto ended = clock_type::now();
    other.join();
    return std::chrono::duration_cast<std::chrono::milliseconds>(ended - asked);
}

} // namespace

TEST("cancel: from another thread, in a call that hangs")
{
    const emulator::faults hang(stalled);
    upload up(emulator::config(), emulator::fresh_path());
    const auto took = ended_after(
        up, [&] { CHECK_THROWS(cosslice::canceled_error, up.buffer(content(4 * mib, 51))); }, [&] { up.cancel(); });
    CHECK(took <= promised());
}

TEST("cancel: before a call ends that call")
{
    upload up(emulator::config(), emulator::fresh_path());
    up.cancel();
    CHECK_THROWS(cosslice::canceled_error, up.init(1));
}

TEST("busy: a second thread is refused, numbers can be read")
{
    const emulator::faults hang(stalled);
    upload up(emulator::config(), emulator::fresh_path());
    errc second = errc::ok;
    ended_after(
        up, [&] { CHECK_THROWS(cosslice::canceled_error, up.buffer(content(4 * mib, 52))); },
        [&] {
            second = up.finish(std::nothrow).status();
            CHECK_THROWS(cosslice::usage_error, up.finish());
            CHECK_EQUAL(up.get(cosslice::info::bytes_total).value_or(0), 4 * mib);
            CHECK(up.get(cosslice::info::phase) == cosslice::phase::sending);
            CHECK_EQUAL(up.get(cosslice::info::message), "");
            up.cancel();
        });
    CHECK(second == errc::busy);
}

TEST("busy: many threads on one upload, all get an answer")
{
    upload up(emulator::config(), emulator::fresh_path());
    up.init(1000);
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; i++)
        threads.emplace_back([&] {
            for (int n = 0; n < 500; n++) {
                try {
                    up.seek(2000); // always fails, and its details are read
                } catch (const cosslice::error& e) {
                    CHECK(!e.message().empty());
                }
            }
        });
    for (std::thread& thread : threads)
        thread.join();
    up.feed(std::string(1000, 'x'));
    up.finish();
}

TEST("closing from another thread ends the call")
{
    const emulator::faults hang(stalled);
    upload up(emulator::config(), emulator::fresh_path());
    const auto took = ended_after(
        up, [&] { CHECK(up.buffer(content(4 * mib, 53), std::nothrow).status() == errc::canceled); }, [&] { up.close(); });
    CHECK(took <= promised());
}

#ifdef __cpp_lib_jthread

TEST("stop token: a stop ends a call that hangs")
{
    const emulator::faults hang(stalled);
    std::stop_source source;
    upload up(emulator::config(), emulator::fresh_path());
    const auto took = ended_after(
        up, [&] { CHECK_THROWS(cosslice::canceled_error, up.buffer(content(4 * mib, 54), source.get_token())); },
        [&] { source.request_stop(); });
    CHECK(took <= promised());
}

TEST("stop token: with every call, beside std::nothrow in any order")
{
    std::stop_source source;
    const std::stop_token token = source.get_token();
    const std::string path = emulator::fresh_path(), file = temporary_file("stop", "by file");
    upload up(emulator::config(), path);
    up.hash("hello"sv, token);
    CHECK(up.hash("!", 1, token, std::nothrow).ok());
    up.init(6, token);
    CHECK(up.seek(0, std::nothrow, token).ok());
    up.feed("hel", 3, token);
    CHECK(up.feed("lo!"sv, std::nothrow, token).ok());
    up.finish(token);
    CHECK_EQUAL(emulator::object(path), "hello!");
    upload(emulator::config(), emulator::fresh_path()).buffer("x", 1, std::stop_token()); // one without a source
    upload(emulator::config(), emulator::fresh_path()).file(file, token);

    source.request_stop();
    upload late(emulator::config(), emulator::fresh_path());
    CHECK(late.init(6, token, std::nothrow).status() == errc::canceled);
    static_assert(noexcept(late.finish(token, std::nothrow)) && !noexcept(late.finish(token)));
}

TEST("stop token: a stop after the call touches nothing")
{
    std::stop_source source;
    {
        upload up(emulator::config(), emulator::fresh_path());
        up.buffer("x"sv, source.get_token());
        up.close();
    }
    CHECK(source.request_stop());
}

TEST("stop token: std::jthread")
{
    const emulator::faults hang(stalled);
    gate sending;
    errc status = errc::ok;
    {
        std::jthread thread([&](std::stop_token token) {
            upload up(emulator::config(), emulator::fresh_path());
            up.set_progress([&](const cosslice::progress& now) {
                if (now.phase == cosslice::phase::sending)
                    sending.open();
                return true;
            });
            status = up.buffer(content(3 * mib, 55), token, std::nothrow).status();
        });
        CHECK(sending.wait());
    } // stops and joins
    CHECK(status == errc::canceled);
}

#endif
