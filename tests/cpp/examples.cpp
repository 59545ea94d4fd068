// The examples, as programs: bindings/cpp/postcard.cpp and progress.cpp.

#include "check.hpp"
#include "emulator.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>

namespace {

/// A program that runs; what it prints is collected.
class program {
public:
    program(const std::string& name, const std::string& file, const std::string& path)
    {
        const char* folder = std::getenv("COSSLICE_CPP_EXAMPLES");
        const std::string binary = std::string(folder ? folder : "build/bin/cpp") + '/' + name, endpoint = emulator::endpoint();
        int ends[2];
        if (pipe(ends) != 0)
            throw std::runtime_error("no pipe");
        pid_ = fork();
        if (pid_ == 0) {
            dup2(ends[1], STDOUT_FILENO);
            dup2(ends[1], STDERR_FILENO);
            close(ends[0]);
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            setenv("COSSLICE_ENDPOINT", endpoint.c_str(), 1);
            setenv("COSSLICE_APP_ID", "1250000000", 1);
            setenv("COSSLICE_BUCKET", "bkt", 1);
            setenv("COSSLICE_SECRET_ID", "AKIDEXAMPLE", 1);
            setenv("COSSLICE_SECRET_KEY", "examplesecretkey", 1);
            execl(binary.c_str(), name.c_str(), file.c_str(), path.c_str(), nullptr);
            _exit(127);
        }
        close(ends[1]);
        fd_ = ends[0];
    }
    program(const program&) = delete;
    program& operator=(const program&) = delete;
    ~program()
    {
        close(fd_);
        if (pid_ > 0) {
            kill(pid_, SIGKILL);
            waitpid(pid_, nullptr, 0);
        }
    }

    /// Whether it printed `part` before its end.
    bool prints(const std::string& part)
    {
        while (output.find(part) == std::string::npos)
            if (!read_some())
                return false;
        return true;
    }

    void interrupt() { kill(pid_, SIGINT); }

    int exit_code()
    {
        while (read_some())
            ;
        int status = -1;
        waitpid(std::exchange(pid_, -1), &status, 0);
        return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    }

    std::string output;

private:
    bool read_some()
    {
        char buffer[4096];
        pollfd waiting{fd_, POLLIN, 0};
        if (poll(&waiting, 1, 30000) <= 0)
            return false;
        const ssize_t n = read(fd_, buffer, sizeof buffer);
        if (n > 0)
            output.append(buffer, static_cast<std::size_t>(n));
        return n > 0;
    }

    pid_t pid_;
    int fd_;
};

} // namespace

TEST("example postcard: uploads, or says why not")
{
    const std::string path = emulator::fresh_path(), bytes = content(2 * mib + 9, 61), file = temporary_file("postcard", bytes);
    program first("postcard", file, path);
    CHECK_EQUAL(first.exit_code(), 0);
    CHECK_CONTAINS(first.output, path);
    CHECK(emulator::object(path) == bytes);
    program again("postcard", file, path);
    CHECK_EQUAL(again.exit_code(), 1);
    CHECK_CONTAINS(again.output, "exists");
    program none("postcard", "/no/such/file", path);
    CHECK_EQUAL(none.exit_code(), 1);
}

TEST("example progress: Ctrl-C stops it, the same again continues")
{
    const std::string path = emulator::fresh_path(), bytes = content(4 * mib, 62), file = temporary_file("progress", bytes);
    {
        const emulator::faults hang(R"([{"op": "upload_slice_data", "offset": 3145728, "do": "stall"}])");
        program stopped("progress", file, path);
        CHECK(stopped.prints("sending 75 %"));
        stopped.interrupt();
        CHECK_EQUAL(stopped.exit_code(), 130);
    }
    program again("progress", file, path);
    CHECK_EQUAL(again.exit_code(), 0);
    CHECK_CONTAINS(again.output, "done 100 %");
    CHECK_CONTAINS(again.output, "resumed 3145728");
    CHECK(emulator::object(path) == bytes);
    program none("progress", "/no/such/file", path + "-none");
    CHECK_EQUAL(none.exit_code(), 1);
    CHECK_CONTAINS(none.output, "/no/such/file");
}
