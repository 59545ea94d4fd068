#define _POSIX_C_SOURCE 200809L

#include "http.h"
#include "bytes.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

int http_connect(int port)
{
    struct sockaddr_in address;
    struct timeval limit = {.tv_sec = 30};
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    address.sin_port = htons((uint16_t)port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static bool send_all(int fd, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t sent = send(fd, data, len, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent <= 0)
            return false;
        data += sent;
        len -= (size_t)sent;
    }
    return true;
}

static ssize_t receive(int fd, void *out, size_t size)
{
    ssize_t got;

    do
        got = recv(fd, out, size, 0);
    while (got < 0 && errno == EINTR);
    return got;
}

/* The value of Content-Length in the head, or UINT64_MAX: until the end of the connection. */
static uint64_t body_len(const char *head)
{
    for (const char *line = strstr(head, "\r\n"); line; line = strstr(line + 2, "\r\n"))
        if (strncasecmp(line + 2, "content-length:", 15) == 0)
            return strtoull(line + 17, NULL, 10);
    return UINT64_MAX;
}

static int read_reply(int fd, bool has_body, http_sink sink, void *user)
{
    static char buffer[65536];
    size_t used = 0;
    char *end = NULL;
    uint64_t left;
    int status;

    while (!end && used < sizeof buffer - 1) {
        ssize_t got = receive(fd, buffer + used, sizeof buffer - 1 - used);
        if (got <= 0)
            return -1;
        used += (size_t)got;
        buffer[used] = 0;
        end = strstr(buffer, "\r\n\r\n");
    }
    if (!end || strncmp(buffer, "HTTP/1.", 7) != 0)
        return -1;
    status = atoi(buffer + 9);
    *end = 0;
    left = has_body ? body_len(buffer) : 0;
    used -= (size_t)(end + 4 - buffer);
    memmove(buffer, end + 4, used);
    while (left > 0) {
        if (used > 0 && sink)
            sink(user, (unsigned char *)buffer, used);
        if (left != UINT64_MAX)
            left -= used < left ? used : left;
        if (left == 0)
            break;
        ssize_t got = receive(fd, buffer, sizeof buffer);
        if (got <= 0)
            return got == 0 && left == UINT64_MAX ? status : -1;
        used = (size_t)got;
    }
    return status;
}

int http_request(int port, const char *method, const char *target, const char *header, const char *body, http_sink sink, void *user)
{
    int fd = http_connect(port), status = -1;
    size_t len = body ? strlen(body) : 0, size = strlen(target) + (header ? strlen(header) : 0) + len + 200;
    char *request = malloc(size);

    if (fd >= 0 && request) {
        int used = snprintf(request, size, "%s %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nConnection: close\r\n%sContent-Length: %zu\r\n\r\n%s",
                            method, target, port, header ? header : "", len, body ? body : "");
        if (used > 0 && send_all(fd, request, (size_t)used))
            status = read_reply(fd, strcmp(method, "HEAD") != 0, sink, user);
    }
    free(request);
    if (fd >= 0)
        close(fd);
    return status;
}

struct comparison {
    uint64_t seed, at, len;
    bool same;
};

static void compare(void *user, const unsigned char *data, size_t len)
{
    struct comparison *comparison = user;

    if (comparison->same && (len > comparison->len - comparison->at || !bytes_same(comparison->seed, comparison->at, data, len)))
        comparison->same = false;
    comparison->at += len;
}

bool http_serves(int port, const char *target, uint64_t seed, uint64_t len)
{
    struct comparison comparison = {.seed = seed, .len = len, .same = true};
    int status = http_request(port, "GET", target, NULL, NULL, compare, &comparison);

    if (status == 200 && comparison.same && comparison.at == len)
        return true;
    printf("       GET %s: status %d, %" PRIu64 " of %" PRIu64 " bytes%s\n", target, status, comparison.at, len,
           comparison.same ? "" : ", other bytes than sent");
    return false;
}
