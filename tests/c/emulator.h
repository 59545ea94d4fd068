/* A COS emulator of the test's own, on a free loopback port, with its data in a temporary directory. */
#ifndef TEST_EMULATOR_H
#define TEST_EMULATOR_H

#include <cosslice.h>
#include <sys/types.h>

struct emulator {
    pid_t pid;
    int port;
    char dir[256];      /* for the emulator's data and the test's files */
    char endpoint[64];
};

/* Starts build/bin/cosslice-emulator, or $COSSLICE_EMULATOR, with up to one more flag; gives up when that fails. */
void emulator_start(struct emulator *emulator, const char *flag);
/* Ends it by SIGTERM, checks that it went in peace, and removes the directory. */
void emulator_stop(struct emulator *emulator);

/* A configuration that may upload to it. */
cosslice_config *emulator_config(const struct emulator *emulator);
/* The configuration for any endpoint, with the emulator's account. */
cosslice_config *endpoint_config(const char *endpoint);

/* An upload of the object `path`; gives up when that is refused. */
cosslice_upload *new_upload(cosslice_config *config, const char *path);

/* Does the emulator serve exactly `len` bytes of `seed` as the object `path` (percent-encoded)? */
int emulator_has(const struct emulator *emulator, const char *path, uint64_t seed, uint64_t len);
/* The HTTP status of GET for the object. */
int emulator_status(const struct emulator *emulator, const char *path);
/* Deletes the object with a one-time signature from cosslice_config_sign; `path` needs no percent-encoding. */
void emulator_delete(const struct emulator *emulator, const char *path);

#endif
