// The COS server that the tests upload to: one process per test program, on loopback.
#ifndef TEST_EMULATOR_HPP
#define TEST_EMULATOR_HPP

#include <cosslice.hpp>

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <string>

namespace emulator {

void start();
void stop();

std::string endpoint();
/// A config for it, complete.
cosslice::config config();
/// A path that nothing lies under yet.
std::string fresh_path();

/// Sets fault rules (JSON, see tests/emulator/README.md) until the end of the scope.
class faults {
public:
    explicit faults(const std::string& rules);
    faults(const faults&) = delete;
    faults& operator=(const faults&) = delete;
    ~faults();
};

/// The content of an object; "(status N)" when there is none.
std::string object(const std::string& path);
/// The HTTP status of such a request: 200, 404.
int object_status(const std::string& path);

} // namespace emulator

/// Bytes that are the same for the same seed.
std::string content(std::size_t size, unsigned seed);

inline constexpr std::size_t mib = 1048576;

/// What cancel promises, and some time for a busy machine: the promise itself is held by tests/c.
std::chrono::milliseconds promised();

/// A file in a folder that is removed at the end.
std::string temporary_file(const std::string& name, const std::string& bytes);

#endif
