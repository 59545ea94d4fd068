#include "emulator.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <thread>

namespace {

pid_t process = -1;
int port = 0;
std::filesystem::path folder;

class connection {
public:
    connection() : fd_(socket(AF_INET, SOCK_STREAM, 0))
    {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(static_cast<std::uint16_t>(port));
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        timeval limit{};
        limit.tv_sec = 30;
        setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
        if (connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
            close(fd_);
            throw std::runtime_error("the emulator does not listen");
        }
    }
    connection(const connection&) = delete;
    connection& operator=(const connection&) = delete;
    ~connection() { close(fd_); }

    std::string exchange(const std::string& request)
    {
        for (std::size_t sent = 0; sent < request.size();) {
            const ssize_t n = send(fd_, request.data() + sent, request.size() - sent, MSG_NOSIGNAL);
            if (n <= 0)
                throw std::runtime_error("cannot send to the emulator");
            sent += static_cast<std::size_t>(n);
        }
        std::string reply;
        static char buffer[65536];
        for (ssize_t n; (n = recv(fd_, buffer, sizeof buffer, 0)) != 0;) {
            if (n < 0)
                throw std::runtime_error("the emulator does not answer");
            reply.append(buffer, static_cast<std::size_t>(n));
        }
        return reply;
    }

private:
    int fd_;
};

struct reply {
    int status;
    std::string body;
};

reply request(const std::string& method, const std::string& target, const std::string& body = {})
{
    const std::string all = connection().exchange(method + ' ' + target + " HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n" +
                                                  "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
    const std::size_t end = all.find("\r\n\r\n");
    if (end == std::string::npos || all.compare(0, 7, "HTTP/1.") != 0)
        throw std::runtime_error("the emulator answers strangely");
    return {std::stoi(all.substr(9, 3)), all.substr(end + 4)};
}

void set_faults(const std::string& rules)
{
    const reply answer = request("POST", "/_emulator/faults", rules);
    if (answer.status != 200)
        throw std::runtime_error("the emulator refuses the faults: " + answer.body);
}

} // namespace

namespace emulator {

void start()
{
    const char* binary = std::getenv("COSSLICE_EMULATOR");
    std::string pattern = (std::filesystem::temp_directory_path() / "cosslice-cpp-XXXXXX").string();
    if (!mkdtemp(pattern.data()))
        throw std::runtime_error("no temporary directory");
    folder = pattern;
    const std::string name = binary ? binary : "build/bin/cosslice-emulator";
    const std::string data = (folder / "data").string(), port_file = (folder / "port").string();
    process = fork();
    if (process == 0) {
        const int nowhere = open("/dev/null", O_RDWR);
        dup2(nowhere, STDOUT_FILENO);
        prctl(PR_SET_PDEATHSIG, SIGTERM); // a crashed test leaves no emulator behind
        execl(name.c_str(), name.c_str(), "--data", data.c_str(), "--port", "0", "--port-file", port_file.c_str(), nullptr);
        _exit(127);
    }
    for (int tries = 0; tries < 3000 && port == 0; tries++) { // 30 s, for a busy machine
        if (process < 0 || waitpid(process, nullptr, WNOHANG) != 0)
            throw std::runtime_error("the emulator ended: " + name);
        if (!(std::ifstream(port_file) >> port)) {
            port = 0;
            std::this_thread::sleep_for(std::chrono::milliseconds(10));
        }
    }
    if (port == 0)
        throw std::runtime_error("the emulator does not listen");
}

void stop()
{
    kill(process, SIGTERM);
    waitpid(process, nullptr, 0);
    std::filesystem::remove_all(folder);
}

std::string endpoint() { return "http://127.0.0.1:" + std::to_string(port) + "/files/v2"; }

cosslice::config config()
{
    namespace opt = cosslice::opt;
    cosslice::config made;
    made.set(opt::app_id, "1250000000").set(opt::bucket, "bkt").set(opt::endpoint, endpoint());
    made.set(opt::secret_id, "AKIDEXAMPLE").set(opt::secret_key, "examplesecretkey");
    return made;
}

std::string fresh_path()
{
    static unsigned count = 0;
    return "/object-" + std::to_string(++count);
}

faults::faults(const std::string& rules) { set_faults(rules); }

faults::~faults()
{
    try {
        set_faults("[]");
    } catch (const std::exception&) {
        // the next test will say so
    }
}

std::string object(const std::string& path)
{
    reply got = request("GET", "/1250000000/bkt" + path);
    return got.status == 200 ? std::move(got.body) : "(status " + std::to_string(got.status) + ")";
}

int object_status(const std::string& path) { return request("GET", "/1250000000/bkt" + path).status; }

} // namespace emulator

std::string content(std::size_t size, unsigned seed)
{
    std::string made(size, '\0');
    std::uint64_t x = seed * 0x9e3779b97f4a7c15u + 1;
    for (char& c : made) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        c = static_cast<char>(x >> 24);
    }
    return made;
}

std::chrono::milliseconds promised()
{
    const char* slack = std::getenv("COSSLICE_TEST_SLACK_MS");
    return std::chrono::milliseconds(250 + (slack ? std::atoi(slack) : 1000));
}

std::string temporary_file(const std::string& name, const std::string& bytes)
{
    const std::string path = (folder / name).string();
    std::ofstream(path, std::ios::binary) << bytes;
    return path;
}
