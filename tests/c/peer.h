/* Servers that misbehave: a listening socket of the test's own, and a thread that plays the other side. */
#ifndef TEST_PEER_H
#define TEST_PEER_H

#include <pthread.h>
#include <stdbool.h>

struct peer {
    int listener, port;
    char endpoint[64]; /* http://127.0.0.1:port/files/v2 */
    const char *reply; /* of peer_serve */
    pthread_t thread;
};

/*
 * Listens; nobody answers. A connection that comes all the same can be seen by peer_was_called. `narrow` gives it a
 * small window, so that a sender stalls soon when nobody reads.
 */
void peer_open(struct peer *peer, bool narrow);
void peer_close(struct peer *peer);
/* Has anybody connected? */
bool peer_was_called(const struct peer *peer);
/* Waits at most 30 s for a connection and returns its socket, or -1. */
int peer_accept(const struct peer *peer);
/* Waits until something has been sent to the socket. */
bool peer_hears(int fd);

/* Starts a thread that reads each request whole and answers it with `reply` (head and body), until peer_stop. */
void peer_serve(struct peer *peer, const char *reply);
void peer_stop(struct peer *peer);

#endif
