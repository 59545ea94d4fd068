/*
 * No memory: the n-th large allocation fails, for every n. The call gives E_NOMEM or works, and the upload can be done
 * again when there is memory.
 *
 * "Large" is 64 KiB and more: slices, what hashing reads into, a connection's buffers. What Rust's standard library and the
 * HTTP client take in small pieces is not promised: there the process ends, as Rust programs do.
 */
#define _GNU_SOURCE /* RTLD_NEXT */

#include "check.h"
#include "emulator.h"
#include "flows.h"
#include "http.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LARGE = 65536, LEN = 5 * 1048576 + 11, MOST = 200 };

static struct emulator emulator;
static struct content content;

/* ---- the memory ---- */

static atomic_long left = -1; /* large allocations until one fails */
static atomic_size_t failed;  /* the size of that one */

static bool fails(size_t size)
{
    if (size < LARGE || atomic_load(&left) < 0 || atomic_fetch_sub(&left, 1) != 0)
        return false;
    atomic_store(&failed, size);
    return true;
}

static void *next(const char *name)
{
    return dlsym(RTLD_NEXT, name);
}

/* The C library's names: the linker lets a program's own take their place, for the shared library as well. */
void *malloc(size_t size)
{
    static void *(*real)(size_t);
    if (!real)
        *(void **)&real = next("malloc");
    return fails(size) ? NULL : real(size);
}

void *realloc(void *old, size_t size)
{
    static void *(*real)(void *, size_t);
    if (!real)
        *(void **)&real = next("realloc");
    return fails(size) ? NULL : real(old, size);
}

void *calloc(size_t count, size_t size)
{
    static void *(*real)(size_t, size_t);
    if (!real)
        *(void **)&real = next("calloc");
    return size > 0 && fails(count * size) ? NULL : real(count, size);
}

/* ---- one upload in a process of its own, for it may end that ---- */

struct outcome {
    cosslice_status status;
    size_t failed; /* bytes; 0 when none failed */
    char message[160];
};

static void in_child(enum way way, unsigned in_flight, long after, int answer)
{
    struct outcome outcome = {.status = COSSLICE_OK};
    cosslice_config *config = emulator_config(&emulator);
    cosslice_upload *upload;

    alarm(30 * slowness());
    if (cosslice_config_set_u64(config, COSSLICE_OPT_IN_FLIGHT, in_flight) != COSSLICE_OK ||
        cosslice_config_set_u64(config, COSSLICE_OPT_OVERWRITE, 2) != COSSLICE_OK)
        _exit(70);
    upload = new_upload(config, "/memory");
    atomic_store(&left, after);
    outcome.status = flow(upload, way, &content);
    atomic_store(&left, -1);
    outcome.failed = atomic_load(&failed);
    snprintf(outcome.message, sizeof outcome.message, "%s", cosslice_upload_get_str(upload, COSSLICE_INFO_MESSAGE));
    cosslice_upload_free(upload);
    if (outcome.status != COSSLICE_OK) { /* now there is memory */
        upload = new_upload(config, "/memory");
        if (flow(upload, way, &content) != COSSLICE_OK)
            _exit(71);
        cosslice_upload_free(upload);
    }
    cosslice_config_free(config);
    _exit(write(answer, &outcome, sizeof outcome) == (ssize_t)sizeof outcome ? 0 : 72);
}

/* The size that the standard library names when it gives up, or 0. */
static size_t size_in_last_words(const char *name)
{
    char words[400] = "";
    size_t size = 0;
    FILE *in = fopen(name, "r");

    if (in) {
        char *at;
        words[fread(words, 1, sizeof words - 1, in)] = 0;
        fclose(in);
        at = strstr(words, "memory allocation of ");
        size = at ? strtoul(at + strlen("memory allocation of "), NULL, 10) : 0;
    }
    return size;
}

static void check_memory(enum way way, unsigned in_flight)
{
    unsigned refused = 0, fine = 0, ended = 0;
    bool more = true;
    char last_words[300];

    check_case("no memory for any one large piece: %s, %u in flight", way_names[way], in_flight);
    snprintf(last_words, sizeof last_words, "%s/last-words", emulator.dir);
    for (long after = 0; more && after < MOST; after++) {
        struct outcome outcome = {.status = COSSLICE_OK};
        int answer[2], status = -1;
        pid_t child;
        ssize_t got;

        if (pipe(answer) != 0)
            check_give_up("no pipe");
        child = fork();
        if (child == 0) {
            struct rlimit none = {0, 0};
            int words = open(last_words, O_CREAT | O_TRUNC | O_WRONLY, 0600);
            setrlimit(RLIMIT_CORE, &none);
            dup2(words, STDERR_FILENO);
            in_child(way, in_flight, after, answer[1]);
        }
        close(answer[1]);
        got = read(answer[0], &outcome, sizeof outcome);
        close(answer[0]);
        CHECK_INT(waitpid(child, &status, 0), child);
        if (got == (ssize_t)sizeof outcome) {
            CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
            more = outcome.failed != 0;
            if (outcome.status == COSSLICE_OK) {
                fine++;
            } else {
                refused++;
                if (!CHECK_INT(outcome.status, COSSLICE_E_NOMEM))
                    printf("       %ld: %zu bytes: %s\n", after, outcome.failed, outcome.message);
            }
            CHECK(emulator_has(&emulator, "/memory", content.seed, LEN));
        } else {
            ended++;
            CHECK(got == (ssize_t)sizeof outcome);
            printf("       the process ended, with status %x, at %zu bytes\n", (unsigned)status, size_in_last_words(last_words));
        }
        CHECK_INT(http_request(emulator.port, "POST", "/_emulator/reset", NULL, NULL, NULL, NULL), 200);
    }
    CHECK(!more);
    CHECK(refused > 0 && ended == 0);
    printf("       %u refused, %u fine\n", refused, fine);
}

int main(void)
{
    emulator_start(&emulator, NULL);
    content_make(&content, emulator.dir, 51, LEN);
    for (int way = 0; way < WAYS; way++)
        for (unsigned in_flight = 1; in_flight <= 4; in_flight += 3)
            check_memory((enum way)way, in_flight);
    content_free(&content);
    emulator_stop(&emulator);
    return check_finish();
}
