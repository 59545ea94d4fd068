#include "bytes.h"
#include "sha1.h"

#include <stdio.h>
#include <string.h>

/* splitmix64: any word of the row can be made without the ones before it. */
static uint64_t mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

static const uint64_t STEP = UINT64_C(0x9e3779b97f4a7c15);

uint64_t bytes_random(uint64_t *state)
{
    return mix(*state += STEP);
}

void bytes_make(uint64_t seed, uint64_t offset, unsigned char *out, size_t len)
{
    while (len > 0) {
        uint64_t word = mix(mix(seed) + (offset / 8 + 1) * STEP);
        size_t skip = (size_t)(offset % 8), count = 8 - skip < len ? 8 - skip : len;
        for (size_t i = 0; i < count; i++)
            out[i] = (unsigned char)(word >> (8 * (skip + i)));
        out += count;
        offset += count;
        len -= count;
    }
}

bool bytes_same(uint64_t seed, uint64_t offset, const unsigned char *data, size_t len)
{
    unsigned char want[4096];

    while (len > 0) {
        size_t count = len < sizeof want ? len : sizeof want;
        bytes_make(seed, offset, want, count);
        if (memcmp(want, data, count) != 0)
            return false;
        data += count;
        offset += count;
        len -= count;
    }
    return true;
}

bool bytes_to_file(const char *name, uint64_t seed, uint64_t len)
{
    static unsigned char piece[65536];
    FILE *out = fopen(name, "wb");
    bool good = out != NULL;

    for (uint64_t at = 0; good && at < len;) {
        size_t count = len - at < sizeof piece ? (size_t)(len - at) : sizeof piece;
        bytes_make(seed, at, piece, count);
        good = fwrite(piece, 1, count, out) == count;
        at += count;
    }
    if (out && fclose(out) != 0)
        good = false;
    return good;
}

void bytes_sha1(uint64_t seed, uint64_t len, char hex[41])
{
    unsigned char piece[4096], digest[20];
    struct sha1 sha1;

    sha1_begin(&sha1);
    for (uint64_t at = 0; at < len;) {
        size_t count = len - at < sizeof piece ? (size_t)(len - at) : sizeof piece;
        bytes_make(seed, at, piece, count);
        sha1_add(&sha1, piece, count);
        at += count;
    }
    sha1_end(&sha1, digest);
    for (int i = 0; i < 20; i++)
        snprintf(hex + 2 * i, 3, "%02x", digest[i]);
}
