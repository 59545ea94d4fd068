/* The ways to upload one content, for tests that go through all of them; and a watchdog, so that a hang is a failure. */
#ifndef TEST_FLOWS_H
#define TEST_FLOWS_H

#include <cosslice.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum way { BY_FILE, BY_BUFFER, BY_PUSH, BY_HASHED_PUSH, WAYS };
extern const char *const way_names[WAYS];

/* The content of all flows. */
struct content {
    uint64_t seed;
    size_t len;
    unsigned char *data;
    char file[300]; /* the same bytes */
};

/* Makes the content, and its file in `dir`; gives up when that fails. */
void content_make(struct content *content, const char *dir, uint64_t seed, size_t len);
void content_free(struct content *content);

/* Uploads the content by one way, in push mode in uneven pieces; the first status that is not OK. */
cosslice_status flow(cosslice_upload *upload, enum way way, const struct content *content);

/* Is this one of the numbers of enum cosslice_code? */
bool is_status(cosslice_status status);

/* Ends the program with a message when it is not told again (or told 0) within so many seconds. */
void watchdog(unsigned seconds, const char *format, ...)
#if defined(__GNUC__)
    __attribute__((format(printf, 2, 3)))
#endif
    ;

/* How much longer things may take here: 1, or more under a tool that slows the program down. */
unsigned slowness(void);

#endif
