// Uploads a file, shows how far it is, and stops at Ctrl-C. The same command again goes on from there.
//
//     progress FILE /path/in/bucket
//
// Exit codes: 0 done, 1 failed, 2 wrong use, 3 failed for now (the same again may help), 130 stopped.

#include <cosslice.hpp>

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <iostream>

static std::atomic<cosslice::upload*> running{nullptr};

// Canceling only stores a flag, which a signal handler may do.
extern "C" void on_interrupt(int)
{
    if (cosslice::upload* upload = running)
        upload->cancel();
}

static void set(cosslice::config& config, cosslice::option<std::string_view> option, const char* variable)
{
    if (const char* value = std::getenv(variable))
        config.set(option, value);
}

static bool show(const cosslice::progress& now)
{
    static constexpr const char* names[] = {"starting", "hashing", "sending", "finishing", "done"};
    const auto phase = static_cast<std::size_t>(now.phase);
    const double part = now.bytes_total > 0 ? static_cast<double>(now.bytes_done) / static_cast<double>(now.bytes_total) : 0;
    std::cerr << '\r' << (phase < std::size(names) ? names[phase] : "working") << ' ' << static_cast<int>(part * 100) << " %   "
              << std::flush;
    return true; // go on
}

int main(int argc, char** argv)
{
    if (argc != 3) {
        std::cerr << "usage: progress FILE /path/in/bucket\n";
        return 2;
    }
    try {
        namespace opt = cosslice::opt;
        cosslice::config config;
        set(config, opt::app_id, "COSSLICE_APP_ID");
        set(config, opt::bucket, "COSSLICE_BUCKET");
        set(config, opt::region, "COSSLICE_REGION");
        set(config, opt::endpoint, "COSSLICE_ENDPOINT");
        set(config, opt::secret_id, "COSSLICE_SECRET_ID");
        set(config, opt::secret_key, "COSSLICE_SECRET_KEY");

        cosslice::upload upload(config, argv[2]);
        upload.set_progress(show);
        running = &upload;
        std::signal(SIGINT, on_interrupt);
        const auto done = upload.file(argv[1], std::nothrow); // the form without exceptions, to forget the upload in any case
        std::signal(SIGINT, SIG_DFL);
        running = nullptr;
        std::cerr << '\n';

        if (!done.ok()) {
            const cosslice::failure why = upload.why(done);
            std::cerr << "progress: " << why.message << '\n';
            if (why.status == cosslice::errc::canceled)
                return 130;
            return why.retryable ? 3 : 1;
        }
        std::cout << "url     " << upload.get(cosslice::info::access_url) << '\n'
                  << "sha1    " << upload.get(cosslice::info::sha1) << '\n'
                  << "resumed " << upload.get(cosslice::info::bytes_resumed).value_or(0) << '\n';
    } catch (const std::exception& e) {
        std::cerr << "progress: " << e.what() << '\n';
        return 1;
    }
}
