/* As much of HTTP/1.1 over loopback as the tests need. */
#ifndef TEST_HTTP_H
#define TEST_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A socket connected to 127.0.0.1:port whose waits end after 30 s, or -1. */
int http_connect(int port);

/* Called with each piece of a reply's body. */
typedef void (*http_sink)(void *user, const unsigned char *data, size_t len);

/*
 * One request on a connection of its own. `header` is NULL or whole lines ending in CRLF; `body` may be NULL.
 * Returns the status, or -1 if the reply was cut short or was none.
 */
int http_request(int port, const char *method, const char *target, const char *header, const char *body, http_sink sink, void *user);

/* Does GET `target` give exactly `len` bytes of `seed` (see bytes.h)? Prints what is wrong. */
bool http_serves(int port, const char *target, uint64_t seed, uint64_t len);

#endif
