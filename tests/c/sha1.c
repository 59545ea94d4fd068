#include "sha1.h"

#include <string.h>

static uint32_t rotate(uint32_t x, int by)
{
    return x << by | x >> (32 - by);
}

static void compress(uint32_t h[5], const unsigned char *block)
{
    uint32_t w[80], a = h[0], b = h[1], c = h[2], d = h[3], e = h[4];

    for (int i = 0; i < 16; i++)
        w[i] = (uint32_t)block[4 * i] << 24 | (uint32_t)block[4 * i + 1] << 16 | (uint32_t)block[4 * i + 2] << 8 | block[4 * i + 3];
    for (int i = 16; i < 80; i++)
        w[i] = rotate(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
    for (int i = 0; i < 80; i++) {
        uint32_t f = i < 20   ? ((b & c) | (~b & d)) + 0x5a827999u
                     : i < 40 ? (b ^ c ^ d) + 0x6ed9eba1u
                     : i < 60 ? ((b & c) | (b & d) | (c & d)) + 0x8f1bbcdcu
                              : (b ^ c ^ d) + 0xca62c1d6u;
        uint32_t next = rotate(a, 5) + f + e + w[i];
        e = d, d = c, c = rotate(b, 30), b = a, a = next;
    }
    h[0] += a, h[1] += b, h[2] += c, h[3] += d, h[4] += e;
}

void sha1_begin(struct sha1 *sha1)
{
    static const uint32_t start[5] = {0x67452301u, 0xefcdab89u, 0x98badcfeu, 0x10325476u, 0xc3d2e1f0u};

    memcpy(sha1->h, start, sizeof start);
    sha1->len = 0;
}

void sha1_add(struct sha1 *sha1, const void *data, size_t len)
{
    const unsigned char *from = data;

    while (len > 0) {
        size_t at = (size_t)(sha1->len % 64), count = 64 - at < len ? 64 - at : len;
        memcpy(sha1->block + at, from, count);
        if (at + count == 64)
            compress(sha1->h, sha1->block);
        sha1->len += count;
        from += count;
        len -= count;
    }
}

void sha1_end(struct sha1 *sha1, unsigned char digest[20])
{
    static const unsigned char padding[64] = {0x80};
    unsigned char bits[8];
    uint64_t len = sha1->len * 8;

    for (int i = 0; i < 8; i++)
        bits[i] = (unsigned char)(len >> (56 - 8 * i));
    sha1_add(sha1, padding, (size_t)(1 + (119 - sha1->len % 64) % 64));
    sha1_add(sha1, bits, 8);
    for (int i = 0; i < 20; i++)
        digest[i] = (unsigned char)(sha1->h[i / 4] >> (24 - 8 * (i % 4)));
}

void sha1_hmac(const char *key, const void *data, size_t len, unsigned char mac[20])
{
    unsigned char inner[64] = {0}, outer[64] = {0};
    struct sha1 sha1;

    memcpy(inner, key, strlen(key));
    memcpy(outer, key, strlen(key));
    for (int i = 0; i < 64; i++)
        inner[i] ^= 0x36, outer[i] ^= 0x5c;
    sha1_begin(&sha1);
    sha1_add(&sha1, inner, 64);
    sha1_add(&sha1, data, len);
    sha1_end(&sha1, mac);
    sha1_begin(&sha1);
    sha1_add(&sha1, outer, 64);
    sha1_add(&sha1, mac, 20);
    sha1_end(&sha1, mac);
}

size_t base64_decode(const char *text, unsigned char *out)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t chars = strlen(text), len = 0;
    uint32_t bits = 0;

    if (chars == 0 || chars % 4 != 0)
        return 0;
    for (size_t i = 0; i < chars; i++) {
        const char *digit = strchr(digits, text[i]);
        size_t padding = text[i] == '=' ? chars - i : 0;
        if (padding > 2 || (!digit && !padding))
            return 0;
        bits = bits << 6 | (padding ? 0 : (uint32_t)(digit - digits));
        if (i % 4 == 3) {
            out[len++] = (unsigned char)(bits >> 16);
            out[len++] = (unsigned char)(bits >> 8);
            out[len++] = (unsigned char)bits;
        }
    }
    if (text[chars - 1] == '=')
        len -= text[chars - 2] == '=' ? 2 : 1;
    return len;
}
