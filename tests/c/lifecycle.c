/* Every way to upload, at the sizes where something changes, compared byte for byte with what the server then serves. */
#define _POSIX_C_SOURCE 200809L

#include "bytes.h"
#include "check.h"
#include "emulator.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct emulator emulator;

enum mode { BY_FILE, BY_BUFFER, BY_FEED };
static const char *const mode_names[] = {"file", "buffer", "feed"};

/* What the progress callback has seen. */
struct watch {
    uint64_t done, total;
    uint32_t phase;
    unsigned calls;
    bool forward; /* phases and, within each, bytes never went back */
};

static int32_t watch_progress(void *user, uint32_t phase, uint64_t bytes_done, uint64_t bytes_total)
{
    struct watch *watch = user;

    if (phase < watch->phase || (phase == watch->phase && bytes_done < watch->done) || bytes_done > bytes_total)
        watch->forward = false;
    watch->phase = phase;
    watch->done = bytes_done;
    watch->total = bytes_total;
    watch->calls++;
    return 0;
}

typedef cosslice_status (*take_fn)(cosslice_upload *upload, const void *data, size_t len);

/* Gives the bytes from `offset` on to `take` in chunks of all sorts of sizes, also empty ones and several slices long. */
static cosslice_status give(cosslice_upload *upload, take_fn take, uint64_t seed, uint64_t offset, uint64_t len)
{
    static const size_t sizes[] = {0, 1, 63, 4096, 65536, 1048575, 1048576, 1048577, 3200000};
    static unsigned char chunk[3200000];
    uint64_t random = seed;
    cosslice_status status = COSSLICE_OK;

    while (status == COSSLICE_OK && offset < len) {
        size_t most = sizes[bytes_random(&random) % (sizeof sizes / sizeof *sizes)];
        size_t count = most ? (size_t)(bytes_random(&random) % most) + 1 : 0;
        if (count > len - offset)
            count = (size_t)(len - offset);
        bytes_make(seed, offset, chunk, count);
        status = take(upload, chunk, count);
        offset += count;
        memset(chunk, 0xee, count); /* what was passed in must have been copied */
    }
    return status;
}

static cosslice_status run(cosslice_upload *upload, enum mode mode, bool hash, uint64_t seed, uint64_t len)
{
    cosslice_status status = COSSLICE_OK;

    if (mode == BY_FILE) {
        char name[300];
        snprintf(name, sizeof name, "%s/source", emulator.dir);
        CHECK(bytes_to_file(name, seed, len));
        status = cosslice_upload_file(upload, name);
        unlink(name);
    } else if (mode == BY_BUFFER) {
        unsigned char *data = malloc((size_t)len + 1);
        if (!data)
            check_give_up("no memory");
        bytes_make(seed, 0, data, (size_t)len);
        status = cosslice_upload_buffer(upload, data, (size_t)len);
        free(data);
    } else {
        if (hash)
            status = give(upload, cosslice_upload_hash, seed, 0, len);
        if (status == COSSLICE_OK)
            status = cosslice_upload_init(upload, len);
        if (status == COSSLICE_OK)
            status = give(upload, cosslice_upload_feed, seed, 0, len);
        if (status == COSSLICE_OK)
            status = cosslice_upload_finish(upload);
    }
    return status;
}

static void check_one(enum mode mode, bool hash, uint64_t in_flight, uint64_t len)
{
    static uint64_t seed; /* other content each time, or it would be an instant upload */
    cosslice_config *config = emulator_config(&emulator);
    cosslice_upload *upload = NULL;
    struct watch watch = {.forward = true};
    char path[100], resource[200], sha1[41];

    check_case("%s, %" PRIu64 " bytes, %s, %" PRIu64 " in flight", mode_names[mode], len, hash ? "hashed" : "not hashed", in_flight);
    seed++;
    snprintf(path, sizeof path, "/lifecycle/%" PRIu64, seed);
    snprintf(resource, sizeof resource, "/1250000000/bkt%s", path);
    CHECK_INT(cosslice_config_set_u64(config, COSSLICE_OPT_IN_FLIGHT, in_flight), COSSLICE_OK);
    CHECK_INT(cosslice_config_set_u64(config, COSSLICE_OPT_HASH, hash), COSSLICE_OK);
    CHECK_INT(cosslice_upload_new(config, path, &upload), COSSLICE_OK);
    cosslice_config_free(config); /* the upload needs it no more */
    CHECK_INT(cosslice_upload_set_progress(upload, watch_progress, &watch, NULL), COSSLICE_OK);

    if (!CHECK_INT(run(upload, mode, hash, seed, len), COSSLICE_OK))
        printf("       %s\n", cosslice_upload_get_str(upload, COSSLICE_INFO_MESSAGE));
    CHECK_INT(cosslice_upload_get_i64(upload, COSSLICE_INFO_BYTES_TOTAL), len);
    CHECK_INT(cosslice_upload_get_i64(upload, COSSLICE_INFO_BYTES_DONE), len);
    CHECK_INT(cosslice_upload_get_i64(upload, COSSLICE_INFO_BYTES_RESUMED), 0);
    CHECK_INT(cosslice_upload_get_i64(upload, COSSLICE_INFO_INSTANT), 0);
    CHECK_INT(cosslice_upload_get_i64(upload, COSSLICE_INFO_PHASE), COSSLICE_PHASE_DONE);
    CHECK_TEXT(cosslice_upload_get_str(upload, COSSLICE_INFO_RESOURCE_PATH), resource);
    CHECK_CONTAINS(cosslice_upload_get_str(upload, COSSLICE_INFO_ACCESS_URL), path);
    CHECK_CONTAINS(cosslice_upload_get_str(upload, COSSLICE_INFO_SOURCE_URL), path);
    if (hash) {
        bytes_sha1(seed, len, sha1);
        CHECK_TEXT(cosslice_upload_get_str(upload, COSSLICE_INFO_SHA1), sha1);
    }
    CHECK(watch.forward);
    CHECK(watch.calls > 0);
    CHECK_INT(watch.done, len);
    CHECK_INT(watch.total, len);
    CHECK(emulator_has(&emulator, path, seed, len));
    cosslice_upload_free(upload);
    emulator_delete(&emulator, path); /* the disk need not hold all of them */
    CHECK_INT(emulator_status(&emulator, path), 404);
}

/* The same content again under another name is answered without sending it. */
static void check_instant(enum mode mode)
{
    const uint64_t seed = 1000 + (uint64_t)mode, len = 5 * 1048576 + 3;

    check_case("instant, %s", mode_names[mode]);
    for (int again = 0; again < 2; again++) {
        cosslice_config *config = emulator_config(&emulator);
        cosslice_upload *upload = NULL;
        char path[64];

        snprintf(path, sizeof path, "/instant/%s-%d", mode_names[mode], again);
        CHECK_INT(cosslice_upload_new(config, path, &upload), COSSLICE_OK);
        CHECK_INT(run(upload, mode, true, seed, len), COSSLICE_OK);
        CHECK_INT(cosslice_upload_get_i64(upload, COSSLICE_INFO_INSTANT), again);
        CHECK_INT(cosslice_upload_get_i64(upload, COSSLICE_INFO_BYTES_DONE), len);
        CHECK_CONTAINS(cosslice_upload_get_str(upload, COSSLICE_INFO_ACCESS_URL), path);
        CHECK(emulator_has(&emulator, path, seed, len));
        cosslice_upload_free(upload);
        cosslice_config_free(config);
    }
}

/* Stops after `stop_at` bytes; 0 = never. */
static int32_t stop_later(void *user, uint32_t phase, uint64_t bytes_done, uint64_t bytes_total)
{
    const uint64_t *stop_at = user;

    (void)bytes_total;
    return phase == COSSLICE_PHASE_SENDING && *stop_at > 0 && bytes_done >= *stop_at;
}

/* A cancelled upload continues where it stopped; a pushing caller may go on at NEXT_OFFSET. */
static void check_resume(enum mode mode, bool seek)
{
    const uint64_t seed = 2000 + 2 * (uint64_t)mode + seek, len = 20 * 1048576 + 5;
    uint64_t stop_at = 6 * 1048576;
    cosslice_config *config = emulator_config(&emulator);
    cosslice_upload *upload = NULL;
    char path[64];

    check_case("continue, %s%s", mode_names[mode], seek ? " from NEXT_OFFSET" : "");
    snprintf(path, sizeof path, "/continue/%s-%d", mode_names[mode], seek);
    CHECK_INT(cosslice_upload_new(config, path, &upload), COSSLICE_OK);
    CHECK_INT(cosslice_upload_set_progress(upload, stop_later, &stop_at, NULL), COSSLICE_OK);
    CHECK_INT(run(upload, mode, true, seed, len), COSSLICE_E_CANCELED);
    CHECK(cosslice_upload_get_i64(upload, COSSLICE_INFO_BYTES_DONE) >= (int64_t)stop_at);
    CHECK(cosslice_upload_get_i64(upload, COSSLICE_INFO_BYTES_DONE) < (int64_t)len);
    cosslice_upload_free(upload);

    CHECK_INT(cosslice_upload_new(config, path, &upload), COSSLICE_OK);
    if (seek) {
        int64_t next;
        CHECK_INT(give(upload, cosslice_upload_hash, seed, 0, len), COSSLICE_OK);
        CHECK_INT(cosslice_upload_init(upload, len), COSSLICE_OK);
        next = cosslice_upload_get_i64(upload, COSSLICE_INFO_NEXT_OFFSET);
        CHECK(next > 0 && next < (int64_t)len && next % 1048576 == 0);
        CHECK_INT(cosslice_upload_seek(upload, (uint64_t)next), COSSLICE_OK);
        CHECK_INT(give(upload, cosslice_upload_feed, seed, (uint64_t)next, len), COSSLICE_OK);
        CHECK_INT(cosslice_upload_finish(upload), COSSLICE_OK);
    } else {
        CHECK_INT(run(upload, mode, true, seed, len), COSSLICE_OK);
    }
    CHECK(cosslice_upload_get_i64(upload, COSSLICE_INFO_BYTES_RESUMED) >= (int64_t)stop_at);
    CHECK_INT(cosslice_upload_get_i64(upload, COSSLICE_INFO_BYTES_DONE), len);
    CHECK(emulator_has(&emulator, path, seed, len));
    cosslice_upload_free(upload);
    cosslice_config_free(config);
}

/* Without a hash pass a token of the earlier handle says that the content is the same. */
static void check_token(void)
{
    const uint64_t seed = 3000, len = 12 * 1048576 + 1;
    uint64_t stop_at = 4 * 1048576;
    cosslice_config *config = emulator_config(&emulator);
    cosslice_upload *upload = NULL;
    char token[4096];

    check_case("continue, feed with a token");
    CHECK_INT(cosslice_upload_new(config, "/continue/token", &upload), COSSLICE_OK);
    CHECK_INT(cosslice_upload_set_progress(upload, stop_later, &stop_at, NULL), COSSLICE_OK);
    CHECK_INT(run(upload, BY_FEED, false, seed, len), COSSLICE_E_CANCELED);
    CHECK(snprintf(token, sizeof token, "%s", cosslice_upload_get_str(upload, COSSLICE_INFO_RESUME_TOKEN)) < (int)sizeof token);
    CHECK(*token);
    for (const char *c = token; *c; c++)
        if (!CHECK(*c > 0x20 && *c < 0x7f))
            break;
    cosslice_upload_free(upload);

    CHECK_INT(cosslice_upload_new(config, "/continue/token", &upload), COSSLICE_OK);
    CHECK_INT(run(upload, BY_FEED, false, seed, len), COSSLICE_E_CONFLICT);
    cosslice_upload_free(upload);

    CHECK_INT(cosslice_config_set_str(config, COSSLICE_OPT_RESUME_TOKEN, token), COSSLICE_OK);
    CHECK_INT(cosslice_upload_new(config, "/continue/token", &upload), COSSLICE_OK);
    CHECK_INT(run(upload, BY_FEED, false, seed, len), COSSLICE_OK);
    CHECK(cosslice_upload_get_i64(upload, COSSLICE_INFO_BYTES_RESUMED) > 0);
    CHECK(emulator_has(&emulator, "/continue/token", seed, len));
    cosslice_upload_free(upload);
    cosslice_config_free(config);
}

int main(void)
{
    static const uint64_t lens[] = {0, 1, 26585, 36864, 1048575, 1048576, 1048577, 64 * 1048576 + 13};
    static const uint64_t in_flights[] = {1, 4, 16};

    size_t count = sizeof lens / sizeof *lens;

    if (getenv("COSSLICE_TEST_VALGRIND"))
        count--; /* the largest would take long there, and its paths are those of the others */
    emulator_start(&emulator, NULL);
    for (int mode = BY_FILE; mode <= BY_FEED; mode++)
        for (int hash = 0; hash < 2; hash++)
            for (size_t i = 0; i < sizeof in_flights / sizeof *in_flights; i++)
                for (size_t j = 0; j < count; j++)
                    check_one((enum mode)mode, hash, in_flights[i], lens[j]);
    for (int mode = BY_FILE; mode <= BY_FEED; mode++) {
        check_instant((enum mode)mode);
        check_resume((enum mode)mode, false);
    }
    check_resume(BY_FEED, true);
    check_token();
    emulator_stop(&emulator);
    return check_finish();
}
