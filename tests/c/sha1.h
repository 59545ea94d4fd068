/* SHA-1, HMAC-SHA1 and base64 once more, so that the library is not checked against itself. */
#ifndef TEST_SHA1_H
#define TEST_SHA1_H

#include <stddef.h>
#include <stdint.h>

struct sha1 {
    uint32_t h[5];
    uint64_t len;
    unsigned char block[64];
};

void sha1_begin(struct sha1 *sha1);
void sha1_add(struct sha1 *sha1, const void *data, size_t len);
void sha1_end(struct sha1 *sha1, unsigned char digest[20]);

/* `key` of at most 64 bytes. */
void sha1_hmac(const char *key, const void *data, size_t len, unsigned char mac[20]);
/* Returns the decoded length, or 0 if `text` is not standard base64 with padding. `out` has room for 3/4 of the text. */
size_t base64_decode(const char *text, unsigned char *out);

#endif
