/* What the bench programs share: arguments, a socket with optional TLS, the requests of the v4 API, and what a run cost. */
#ifndef COSSLICE_BENCH_COMMON_H
#define COSSLICE_BENCH_COMMON_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define MIB (1u << 20)
#define MAX_THREADS 256

static inline void die(const char *format, ...)
{
    va_list args;
    int cause = errno;

    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fprintf(stderr, " (errno %d: %s)\n", cause, strerror(cause));
    exit(1);
}

/* --name VALUE, or NULL. */
static inline const char *argument(int argc, char **argv, const char *name)
{
    for (int i = 1; i + 1 < argc; i++)
        if (strncmp(argv[i], "--", 2) == 0 && strcmp(argv[i] + 2, name) == 0)
            return argv[i + 1];
    return NULL;
}

static inline const char *text_argument(int argc, char **argv, const char *name, const char *fallback)
{
    const char *value = argument(argc, argv, name);
    return value ? value : fallback;
}

static inline uint64_t number_argument(int argc, char **argv, const char *name, uint64_t fallback)
{
    const char *value = argument(argc, argv, name);
    return value ? strtoull(value, NULL, 10) : fallback;
}

/* --- what a run cost ------------------------------------------------------------------------------------------------ */

struct cost {
    struct timespec wall;
    struct rusage usage;
};

static inline void cost_start(struct cost *cost)
{
    getrusage(RUSAGE_SELF, &cost->usage);
    clock_gettime(CLOCK_MONOTONIC, &cost->wall);
}

static inline double seconds_between(struct timeval from, struct timeval to)
{
    return (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_usec - from.tv_usec) / 1e6;
}

/* The peak of this program alone: ru_maxrss would also remember the process that started it. */
static inline long peak_rss_kib(void)
{
    FILE *file = fopen("/proc/self/status", "r");
    char line[256];
    long peak = -1;

    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "VmHWM: %ld", &peak) == 1)
            break;
    if (file)
        fclose(file);
    return peak;
}

/* One line of JSON. `more` is further members with a comma in front, or "". */
static inline void cost_print(const struct cost *since, const char *more)
{
    struct cost now;

    clock_gettime(CLOCK_MONOTONIC, &now.wall);
    getrusage(RUSAGE_SELF, &now.usage);
    printf("{\"wall\": %.6f, \"user\": %.6f, \"sys\": %.6f, \"rss_kib\": %ld, \"switches\": %ld%s}\n",
           (double)(now.wall.tv_sec - since->wall.tv_sec) + (double)(now.wall.tv_nsec - since->wall.tv_nsec) / 1e9,
           seconds_between(since->usage.ru_utime, now.usage.ru_utime),
           seconds_between(since->usage.ru_stime, now.usage.ru_stime), peak_rss_kib(),
           now.usage.ru_nvcsw - since->usage.ru_nvcsw, more);
}

/* --- files ---------------------------------------------------------------------------------------------------------- */

static inline int open_file(const char *path, uint64_t *size)
{
    struct stat stat;
    int file = open(path, O_RDONLY | O_CLOEXEC);

    if (file < 0 || fstat(file, &stat) < 0)
        die("%s cannot be opened", path);
    *size = (uint64_t)stat.st_size;
    return file;
}

static inline void read_fully(int file, char *out, size_t len, uint64_t offset)
{
    while (len > 0) {
        ssize_t n = pread(file, out, len, (off_t)offset);
        if (n <= 0)
            die("pread at %llu", (unsigned long long)offset);
        out += n;
        len -= (size_t)n;
        offset += (uint64_t)n;
    }
}

/* --- the forms of the v4 API, byte for byte as long as the library's ------------------------------------------------- */

#define BOUNDARY "cosslice-0123456789abcdef0123456789abcdef"

struct text {
    char bytes[8192];
    size_t len;
};

static inline void text_add(struct text *text, const char *format, ...)
{
    va_list args;
    size_t room = sizeof text->bytes - text->len;
    int n;

    va_start(args, format);
    n = vsnprintf(text->bytes + text->len, room, format, args);
    va_end(args);
    if (n < 0 || (size_t)n >= room)
        die("a request is too long");
    text->len += (size_t)n;
}

static inline void form_field(struct text *text, const char *name, const char *value)
{
    text_add(text, "--" BOUNDARY "\r\nContent-Disposition: form-data; name=\"%s\"\r\n\r\n%s\r\n", name, value);
}

static inline void form_number(struct text *text, const char *name, uint64_t value)
{
    char digits[24];

    snprintf(digits, sizeof digits, "%llu", (unsigned long long)value);
    form_field(text, name, digits);
}

static inline void form_content(struct text *text)
{
    text_add(text, "--" BOUNDARY "\r\nContent-Disposition: form-data; name=\"filecontent\"; filename=\"data\"\r\n"
                   "Content-Type: application/octet-stream\r\n\r\n");
}

static const char form_end[] = "--" BOUNDARY "--\r\n";
static const char form_content_end[] = "\r\n--" BOUNDARY "--\r\n";

/* The prefixes of the operations a send-only upload consists of. */
static inline void form_init(struct text *text, uint64_t size, uint64_t slice)
{
    text->len = 0;
    form_field(text, "op", "upload_slice_init");
    form_number(text, "filesize", size);
    form_number(text, "slice_size", slice);
    form_field(text, "insertOnly", "1");
    text_add(text, "%s", form_end);
}

static inline void form_data(struct text *text, const char *session, uint64_t offset)
{
    text->len = 0;
    form_field(text, "op", "upload_slice_data");
    form_field(text, "session", session);
    form_number(text, "offset", offset);
    form_content(text);
}

static inline void form_finish(struct text *text, const char *session, uint64_t size)
{
    text->len = 0;
    form_field(text, "op", "upload_slice_finish");
    form_field(text, "session", session);
    form_number(text, "filesize", size);
    text_add(text, "%s", form_end);
}

static inline void form_single(struct text *text, const char *sha)
{
    text->len = 0;
    form_field(text, "op", "upload");
    form_field(text, "sha", sha);
    form_field(text, "insertOnly", "1");
    form_content(text);
}

/* "name":"value" in a reply; "" when it is not there. */
static inline void json_text(const char *reply, const char *name, char *out, size_t size)
{
    char key[64];
    const char *at;
    size_t len = 0;

    snprintf(key, sizeof key, "\"%s\":", name);
    at = strstr(reply, key);
    if (at) {
        at += strlen(key);
        while (*at == ' ')
            at++;
        if (*at == '"')
            for (at++; at[len] && at[len] != '"' && len + 1 < size; len++)
                out[len] = at[len];
    }
    out[len] = 0;
}

static inline int is_success(const char *reply)
{
    const char *code = strstr(reply, "\"code\":");
    return code && strtol(code + 7, NULL, 10) == 0;
}

/* --- connections ---------------------------------------------------------------------------------------------------- */

static inline int dial(const char *host, int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int one = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (inet_pton(AF_INET, host, &address.sin_addr) != 1)
        die("%s is no IPv4 address", host);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) < 0)
        die("no connection to %s:%d", host, port);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return fd;
}

#endif
