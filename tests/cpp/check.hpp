// A tiny test kit: TEST registers a case, CHECK notes what does not hold and goes on.
#ifndef TEST_CHECK_HPP
#define TEST_CHECK_HPP

#include <functional>
#include <sstream>
#include <string>
#include <typeinfo>

namespace check {

struct test {
    test(const char* name, void (*body)());
};

void fail(const std::string& what, const char* file, int line);
/// Runs all cases, or those whose name contains `part`; prints "= passed failed".
int run(const std::string& part);

inline void that(bool holds, const char* what, const char* file, int line)
{
    if (!holds)
        fail(std::string("not so: ") + what, file, line);
}

template <class A, class B>
void equal(const A& got, const B& want, const char* what, const char* file, int line)
{
    if (got == want)
        return;
    std::ostringstream text;
    text << what << " is " << got << ", not " << want;
    fail(text.str(), file, line);
}

inline void contains(const std::string& text, const std::string& part, const char* what, const char* file, int line)
{
    if (text.find(part) == std::string::npos)
        fail(std::string(what) + " is \"" + text + "\", without \"" + part + "\"", file, line);
}

/// Whether `body` throws exactly an E (not something derived from it); `then` looks at it.
template <class E>
void throws(const std::function<void()>& body, const std::function<void(const E&)>& then, const char* what, const char* file, int line)
{
    try {
        body();
    } catch (const E& e) {
        if (typeid(e) != typeid(E))
            fail(std::string(what) + " throws another kind: " + typeid(e).name(), file, line);
        then(e);
        return;
    } catch (const std::exception& e) {
        fail(std::string(what) + " throws " + typeid(e).name() + ": " + e.what(), file, line);
        return;
    }
    fail(std::string(what) + " does not throw", file, line);
}

} // namespace check

#define TEST_NAME2(line) test_at_##line
#define TEST_NAME(line) TEST_NAME2(line)
#define TEST_CASE_NAME2(line) case_at_##line
#define TEST_CASE_NAME(line) TEST_CASE_NAME2(line)
#define TEST(name)                                                     \
    static void TEST_NAME(__LINE__)();                                 \
    static const check::test TEST_CASE_NAME(__LINE__)(name, TEST_NAME(__LINE__)); \
    static void TEST_NAME(__LINE__)()

#define CHECK(condition) check::that((condition), #condition, __FILE__, __LINE__)
#define CHECK_EQUAL(got, want) check::equal((got), (want), #got, __FILE__, __LINE__)
#define CHECK_CONTAINS(text, part) check::contains((text), (part), #text, __FILE__, __LINE__)
#define CHECK_THROWS(E, ...) check::throws<E>([&] { __VA_ARGS__; }, [](const E&) {}, #__VA_ARGS__, __FILE__, __LINE__)
/// With a function that looks at the exception.
#define CHECK_THROWS_AND(E, then, ...) check::throws<E>([&] { __VA_ARGS__; }, then, #__VA_ARGS__, __FILE__, __LINE__)

#endif
