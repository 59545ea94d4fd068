#include "check.hpp"

#include <exception>
#include <iostream>
#include <vector>

namespace check {
namespace {

struct entry {
    std::string name;
    void (*body)();
};

std::vector<entry>& entries()
{
    static std::vector<entry> all;
    return all;
}

bool failed_now = false;

} // namespace

test::test(const char* name, void (*body)()) { entries().push_back({name, body}); }

void fail(const std::string& what, const char* file, int line)
{
    std::cout << "       " << file << ':' << line << ": " << what << '\n';
    failed_now = true;
}

int run(const std::string& part)
{
    unsigned passed = 0, failed = 0;
    for (const entry& one : entries()) {
        if (one.name.find(part) == std::string::npos)
            continue;
        failed_now = false;
        try {
            one.body();
        } catch (const std::exception& e) {
            fail(std::string("ended by an exception: ") + e.what(), __FILE__, __LINE__);
        } catch (...) {
            fail("ended by something thrown", __FILE__, __LINE__);
        }
        std::cout << (failed_now ? "FAILED " : "ok     ") << one.name << std::endl;
        (failed_now ? failed : passed)++;
    }
    std::cout << "= " << passed << ' ' << failed << std::endl;
    return failed == 0 && passed > 0 ? 0 : 1;
}

} // namespace check
