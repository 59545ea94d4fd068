#define _POSIX_C_SOURCE 200809L

#include "peer.h"
#include "check.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PATIENCE_MS = 30000 };

void peer_open(struct peer *peer, bool narrow)
{
    struct sockaddr_in address;
    socklen_t size = sizeof address;
    int small = 4096;

    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    peer->listener = socket(AF_INET, SOCK_STREAM, 0);
    if (narrow)
        setsockopt(peer->listener, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    if (peer->listener < 0 || bind(peer->listener, (struct sockaddr *)&address, size) != 0 || listen(peer->listener, 64) != 0 ||
        getsockname(peer->listener, (struct sockaddr *)&address, &size) != 0)
        check_give_up("cannot listen on loopback");
    peer->port = ntohs(address.sin_port);
    snprintf(peer->endpoint, sizeof peer->endpoint, "http://127.0.0.1:%d/files/v2", peer->port);
}

void peer_close(struct peer *peer)
{
    close(peer->listener);
    peer->listener = -1;
}

bool peer_was_called(const struct peer *peer)
{
    struct pollfd waiting = {.fd = peer->listener, .events = POLLIN};

    return poll(&waiting, 1, 0) != 0;
}

int peer_accept(const struct peer *peer)
{
    struct pollfd waiting = {.fd = peer->listener, .events = POLLIN};

    return poll(&waiting, 1, PATIENCE_MS) == 1 ? accept(peer->listener, NULL, NULL) : -1;
}

bool peer_hears(int fd)
{
    struct pollfd waiting = {.fd = fd, .events = POLLIN};

    return poll(&waiting, 1, PATIENCE_MS) == 1;
}

/* Reads a request of any length; false when the connection ended instead. What is not HTTP is taken for whole at once. */
static bool read_request(int fd)
{
    char head[16384], rest[16384];
    size_t used = 0;
    char *end = NULL;
    unsigned long long left = 0;

    while (!end && used < sizeof head - 1) {
        ssize_t got = recv(fd, head + used, sizeof head - 1 - used, 0);
        if (got <= 0)
            return false;
        used += (size_t)got;
        head[used] = 0;
        if (head[0] < 'A' || head[0] > 'Z')
            return true;
        end = strstr(head, "\r\n\r\n");
    }
    for (char *line = head; end && line < end; line = strstr(line, "\r\n") + 2)
        if (strncasecmp(line, "content-length:", 15) == 0)
            left = strtoull(line + 15, NULL, 10);
    if (end) {
        size_t here = used - (size_t)(end + 4 - head);
        left -= here < left ? here : left;
    }
    while (left > 0) {
        ssize_t got = recv(fd, rest, left < sizeof rest ? (size_t)left : sizeof rest, 0);
        if (got <= 0)
            return false;
        left -= (size_t)got;
    }
    return end != NULL;
}

static void *serve(void *user)
{
    struct peer *peer = user;
    int fd;

    /* peer_stop shuts the listener down, which ends accept. */
    while ((fd = accept(peer->listener, NULL, NULL)) >= 0) {
        if (read_request(fd))
            send(fd, peer->reply, strlen(peer->reply), MSG_NOSIGNAL);
        shutdown(fd, SHUT_WR);
        close(fd);
    }
    return NULL;
}

void peer_serve(struct peer *peer, const char *reply)
{
    peer_open(peer, false);
    peer->reply = reply;
    if (pthread_create(&peer->thread, NULL, serve, peer) != 0)
        check_give_up("no thread");
}

void peer_stop(struct peer *peer)
{
    shutdown(peer->listener, SHUT_RDWR);
    pthread_join(peer->thread, NULL);
    peer_close(peer);
}
