#define _POSIX_C_SOURCE 200809L

#include "check.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static char current[256];
static unsigned passed, failed;
static bool open_case, current_failed;

static void end_case(void)
{
    if (!open_case)
        return;
    printf("%s %s\n", current_failed ? "FAILED" : "ok    ", current);
    fflush(stdout);
    if (current_failed)
        failed++;
    else
        passed++;
    open_case = false;
}

void check_case(const char *format, ...)
{
    va_list arguments;

    end_case();
    va_start(arguments, format);
    vsnprintf(current, sizeof current, format, arguments);
    va_end(arguments);
    open_case = true;
    current_failed = false;
}

int check_finish(void)
{
    end_case();
    printf("= %u %u\n", passed, failed);
    fflush(stdout);
    return failed == 0 && passed > 0 ? 0 : 1;
}

void check_give_up(const char *what)
{
    printf("       cannot go on: %s\n", what);
    current_failed = true;
    if (!open_case)
        check_case("set-up");
    current_failed = true;
    check_finish();
    exit(1);
}

bool check_that(bool holds, const char *what, const char *file, int line)
{
    if (!holds) {
        printf("       %s:%d: not so: %s\n", file, line, what);
        current_failed = true;
    }
    return holds;
}

bool check_int(int64_t got, int64_t want, const char *what, const char *file, int line)
{
    if (got != want) {
        printf("       %s:%d: %s is %" PRId64 ", not %" PRId64 "\n", file, line, what, got, want);
        current_failed = true;
    }
    return got == want;
}

bool check_text(const char *got, const char *want, const char *what, const char *file, int line)
{
    bool same = got && strcmp(got, want) == 0;

    if (!same) {
        printf("       %s:%d: %s is \"%s\", not \"%s\"\n", file, line, what, got ? got : "(null)", want);
        current_failed = true;
    }
    return same;
}

bool check_contains(const char *text, const char *part, const char *what, const char *file, int line)
{
    bool found = text && strstr(text, part);

    if (!found) {
        printf("       %s:%d: %s is \"%s\", without \"%s\"\n", file, line, what, text ? text : "(null)", part);
        current_failed = true;
    }
    return found;
}

double now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1000 + (double)now.tv_nsec / 1e6;
}

double promised_ms(void)
{
    const char *slack = getenv("COSSLICE_TEST_SLACK_MS");

    return 250 + (slack ? atof(slack) : 0);
}
