#define _POSIX_C_SOURCE 200809L

#include "flows.h"
#include "bytes.h"
#include "check.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *const way_names[WAYS] = {"file", "buffer", "push", "hashed push"};

void content_make(struct content *content, const char *dir, uint64_t seed, size_t len)
{
    content->seed = seed;
    content->len = len;
    content->data = malloc(len + 1);
    if (!content->data)
        check_give_up("no memory");
    bytes_make(seed, 0, content->data, len);
    snprintf(content->file, sizeof content->file, "%s/content-%u", dir, (unsigned)seed);
    if (!bytes_to_file(content->file, seed, len))
        check_give_up("cannot write a file");
}

void content_free(struct content *content)
{
    free(content->data);
    content->data = NULL;
}

static cosslice_status push(cosslice_upload *upload, const struct content *content, bool hashed)
{
    const size_t pieces[] = {1, 70001, 65535, 400000, 3};
    cosslice_status status = COSSLICE_OK;
    size_t at = 0;

    if (hashed)
        status = cosslice_upload_hash(upload, content->data, content->len);
    if (status == COSSLICE_OK)
        status = cosslice_upload_init(upload, content->len);
    for (size_t i = 0; status == COSSLICE_OK && at < content->len; i++) {
        size_t count = pieces[i % (sizeof pieces / sizeof *pieces)];
        if (count > content->len - at)
            count = content->len - at;
        status = cosslice_upload_feed(upload, content->data + at, count);
        at += count;
    }
    return status == COSSLICE_OK ? cosslice_upload_finish(upload) : status;
}

cosslice_status flow(cosslice_upload *upload, enum way way, const struct content *content)
{
    switch (way) {
    case BY_FILE: return cosslice_upload_file(upload, content->file);
    case BY_BUFFER: return cosslice_upload_buffer(upload, content->data, content->len);
    default: return push(upload, content, way == BY_HASHED_PUSH);
    }
}

bool is_status(cosslice_status status)
{
    return (status <= COSSLICE_OK && status >= COSSLICE_E_NOT_FOUND) || status == COSSLICE_E_PANIC;
}

/* ---- the watchdog ---- */

static char bark[300];

static void on_alarm(int number)
{
    ssize_t written;

    (void)number;
    written = write(STDOUT_FILENO, bark, strlen(bark));
    _exit(written > 0 ? 86 : 87);
}

void watchdog(unsigned seconds, const char *format, ...)
{
    struct sigaction action;
    char what[200];
    va_list arguments;

    alarm(0);
    va_start(arguments, format);
    vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    snprintf(bark, sizeof bark, "FAILED hangs: %s\n", what);
    memset(&action, 0, sizeof action);
    action.sa_handler = on_alarm;
    sigaction(SIGALRM, &action, NULL);
    alarm(seconds * slowness());
}

unsigned slowness(void)
{
    return getenv("COSSLICE_TEST_VALGRIND") || getenv("COSSLICE_TEST_SLACK_MS") ? 10 : 1;
}
