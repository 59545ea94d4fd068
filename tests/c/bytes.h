/* Test content: byte number i of seed s is always the same, so that nothing has to be kept for comparing. */
#ifndef TEST_BYTES_H
#define TEST_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void bytes_make(uint64_t seed, uint64_t offset, unsigned char *out, size_t len);
bool bytes_same(uint64_t seed, uint64_t offset, const unsigned char *data, size_t len);
/* Writes a file of such bytes; false when that did not work. */
bool bytes_to_file(const char *name, uint64_t seed, uint64_t len);
/* SHA-1 of such bytes as 40 hex digits. */
void bytes_sha1(uint64_t seed, uint64_t len, char hex[41]);
/* The next of a row of numbers, for random chunk sizes that are the same in every run. */
uint64_t bytes_random(uint64_t *state);

#endif
