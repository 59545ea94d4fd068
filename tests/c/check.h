/* Test cases and checks. A case passes when none of its checks failed; check_finish prints the counts for run.sh. */
#ifndef TEST_CHECK_H
#define TEST_CHECK_H

#include <stdbool.h>
#include <stdint.h>

/* Begins a case (and ends the one before). */
void check_case(const char *format, ...)
#if defined(__GNUC__)
    __attribute__((format(printf, 1, 2)))
#endif
    ;
/* Ends the last case, prints "= passed failed" and returns the exit code. */
int check_finish(void);
/* Ends the program as failed when the test cannot even be set up. */
void check_give_up(const char *what)
#if defined(__GNUC__)
    __attribute__((noreturn))
#endif
    ;

bool check_that(bool holds, const char *what, const char *file, int line);
bool check_int(int64_t got, int64_t want, const char *what, const char *file, int line);
bool check_text(const char *got, const char *want, const char *what, const char *file, int line);
bool check_contains(const char *text, const char *part, const char *what, const char *file, int line);

#define CHECK(condition) check_that((condition), #condition, __FILE__, __LINE__)
#define CHECK_INT(got, want) check_int((int64_t)(got), (int64_t)(want), #got, __FILE__, __LINE__)
#define CHECK_TEXT(got, want) check_text((got), (want), #got, __FILE__, __LINE__)
#define CHECK_CONTAINS(text, part) check_contains((text), (part), #text, __FILE__, __LINE__)

/* A clock that only goes forward. */
double now_ms(void);
/* How long a call may take to end after a cancel: what is promised, or more on a machine made slow, e.g. by valgrind. */
double promised_ms(void);

#endif
