/*
 * A panic inside the library, at every moment where it allows one: in each function, and anywhere in whole uploads. It is
 * a status, the handle can be read and freed, nothing is printed, nothing hangs, and the next upload works.
 *
 * Needs a library built with the feature `torture`; tests/check.sh makes one.
 */
#define _POSIX_C_SOURCE 200809L

#include "bytes.h"
#include "check.h"
#include "emulator.h"
#include "flows.h"
#include "http.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Panics after so many moments; a negative number never. Only in a library built for this. */
extern void cosslice_torture(int64_t moments);

enum { LEN = 5 * 1048576 + 777, MOST_MOMENTS = 1000, CALM = 12 };

static struct emulator emulator;
static struct content content;
static char stderr_name[300];

/* ---- callbacks, which call the library themselves ---- */

struct hooks {
    cosslice_config *keys;
    cosslice_upload *upload;
    bool asks; /* progress calls the library */
    unsigned inside;   /* panics in the midst of an upload */
    unsigned released;
};

static size_t sign(void *user, const cosslice_sign_request *request, char *out, size_t out_size)
{
    struct hooks *hooks = user;
    size_t len = 0;
    const char *path = cosslice_sign_get_str(request, COSSLICE_SIGN_PATH);
    cosslice_status status = cosslice_config_sign(hooks->keys, path, cosslice_sign_get_u64(request, COSSLICE_SIGN_EXPIRES_AT_S), out, out_size, &len);

    CHECK(is_status(status));
    return status == COSSLICE_OK ? len : 0;
}

static int32_t progress(void *user, uint32_t phase, uint64_t bytes_done, uint64_t bytes_total)
{
    struct hooks *hooks = user;

    CHECK(phase <= COSSLICE_PHASE_DONE && bytes_done <= bytes_total);
    if (hooks->asks)
        CHECK(cosslice_upload_get_str(hooks->upload, COSSLICE_INFO_MESSAGE) != NULL);
    return 0;
}

static void log_line(void *user, int32_t level, const char *message)
{
    (void)user, (void)level;
    CHECK(*message);
    CHECK(!strstr(message, "examplesecretkey"));
}

static void count_release(void *user)
{
    ++((struct hooks *)user)->released;
}

/* ---- a panic at the beginning of each function ---- */

static void check_free_functions(void)
{
    cosslice_config *config = emulator_config(&emulator), *same = config;
    cosslice_upload *upload = new_upload(config, "/free");
    unsigned char none = 0;
    struct hooks hooks = {.keys = config};

    check_case("a panic in each function: those without a handle");
    for (unsigned i = 0; i < 4; i++) {
        cosslice_config *out = (cosslice_config *)&none;
        cosslice_torture(0);
        switch (i) {
        case 0: CHECK(cosslice_version() != NULL); break;
        case 1: CHECK(cosslice_status_str(COSSLICE_E_BUSY) != NULL); break;
        case 2:
            CHECK_INT(cosslice_config_new(&out), COSSLICE_E_PANIC);
            CHECK(out == NULL); /* outputs are NULL on failure */
            break;
        default: CHECK_INT(cosslice_abi_version(), COSSLICE_ABI_VERSION);
        }
        cosslice_torture(-1);
    }

    check_case("a panic in each function: those of a config");
    for (unsigned i = 0; i < 7; i++) {
        char text[1024] = "same";
        size_t len = 77;
        cosslice_upload *out = (cosslice_upload *)&none;
        cosslice_torture(0);
        switch (i) {
        case 0: CHECK(cosslice_config_message(config) != NULL); break;
        case 1: CHECK_INT(cosslice_config_set_str(config, COSSLICE_OPT_BUCKET, "bkt"), COSSLICE_E_PANIC); break;
        case 2: CHECK_INT(cosslice_config_set_u64(config, COSSLICE_OPT_HASH, 1), COSSLICE_E_PANIC); break;
        case 3: CHECK_INT(cosslice_config_set_signer(config, sign, &hooks, count_release), COSSLICE_E_PANIC); break;
        case 4: CHECK_INT(cosslice_config_set_logger(config, COSSLICE_LOG_DEBUG, log_line, &hooks, count_release), COSSLICE_E_PANIC); break;
        case 5: CHECK_INT(cosslice_config_sign(config, "/x", 0, text, sizeof text, &len), COSSLICE_E_PANIC); break;
        default:
            CHECK_INT(cosslice_upload_new(config, "/x", &out), COSSLICE_E_PANIC);
            CHECK(out == NULL);
        }
        cosslice_torture(-1);
        CHECK_TEXT(text, "same");
        CHECK_INT(len, 77);
    }
    CHECK_INT(hooks.released, 0); /* never for a set_* that failed */
    CHECK(config == same);

    check_case("a panic in each function: what only asks an upload");
    cosslice_torture(0);
    CHECK_INT(cosslice_upload_get_i64(upload, COSSLICE_INFO_PHASE), -1);
    cosslice_torture(0);
    CHECK_TEXT(cosslice_upload_get_str(upload, COSSLICE_INFO_MESSAGE), "");
    cosslice_torture(0);
    cosslice_upload_cancel(NULL);
    cosslice_torture(-1);

    /* A free that fails leaves the handle as it was: here, where that is known, it can be done again. */
    check_case("a panic in each function: free");
    cosslice_torture(0);
    cosslice_upload_free(upload);
    cosslice_torture(0);
    cosslice_config_free(config);
    cosslice_torture(-1);
    cosslice_upload_free(upload);
    cosslice_config_free(config);
}

static cosslice_status call(cosslice_upload *upload, unsigned function, struct hooks *hooks)
{
    switch (function) {
    case 0: return cosslice_upload_set_progress(upload, progress, hooks, count_release);
    case 1: return cosslice_upload_hash(upload, content.data, 10);
    case 2: return cosslice_upload_init(upload, 10);
    case 3: return cosslice_upload_seek(upload, 0);
    case 4: return cosslice_upload_feed(upload, content.data, 10);
    case 5: return cosslice_upload_finish(upload);
    case 6: return cosslice_upload_file(upload, content.file);
    case 7: return cosslice_upload_file(upload, NULL);
    case 8: return cosslice_upload_buffer(upload, NULL, 1);
    default: return cosslice_upload_buffer(upload, content.data, 10);
    }
}

static void check_upload_functions(void)
{
    cosslice_config *config = emulator_config(&emulator);

    check_case("a panic in each function: those of an upload");
    for (unsigned function = 0; function < 10; function++)
        for (int moments = 0; moments < 2; moments++) {
            struct hooks hooks = {.keys = config};
            cosslice_upload *upload = new_upload(config, "/functions");

            hooks.upload = upload;
            cosslice_torture(moments);
            CHECK_INT(call(upload, function, &hooks), COSSLICE_E_PANIC);
            cosslice_torture(-1);
            CHECK_INT(hooks.released, 0);
            CHECK(cosslice_upload_get_str(upload, COSSLICE_INFO_MESSAGE) != NULL);
            CHECK(cosslice_upload_get_i64(upload, COSSLICE_INFO_PHASE) >= 0);
            if (moments == 1) { /* it was inside: the handle can only be read and freed */
                CHECK_CONTAINS(cosslice_upload_get_str(upload, COSSLICE_INFO_MESSAGE), "internal error");
                for (unsigned other = 0; other < 10; other++)
                    CHECK_INT(call(upload, other, &hooks), COSSLICE_E_PANIC);
                CHECK_CONTAINS(cosslice_upload_get_str(upload, COSSLICE_INFO_MESSAGE), "internal error");
            }
            cosslice_upload_cancel(upload);
            cosslice_upload_free(upload);
            CHECK_INT(hooks.released, 0);
        }
    cosslice_config_free(config);
}

/* ---- a panic anywhere in a whole upload ---- */

/* One upload with the fuse set; whether a panic was met, as far as can be seen from here. */
static cosslice_status burn(cosslice_config *config, struct hooks *hooks, enum way way, int64_t moments)
{
    cosslice_upload *upload = new_upload(config, "/flow");
    cosslice_status status;
    const char *message;
    int64_t done;

    hooks->upload = upload;
    CHECK_INT(cosslice_upload_set_progress(upload, progress, hooks, count_release), COSSLICE_OK);
    cosslice_torture(moments);
    status = flow(upload, way, &content);
    done = cosslice_upload_get_i64(upload, COSSLICE_INFO_BYTES_DONE);
    cosslice_torture(-1);
    CHECK(is_status(status));
    CHECK(done <= LEN);
    CHECK(cosslice_upload_get_str(upload, COSSLICE_INFO_RESUME_TOKEN) != NULL);
    message = cosslice_upload_get_str(upload, COSSLICE_INFO_MESSAGE);
    if (strstr(message, "internal error") || strstr(message, "worker of libcosslice")) {
        /* It was inside. */
        CHECK_INT(status, COSSLICE_E_PANIC);
        CHECK(cosslice_upload_feed(upload, content.data, 1) < COSSLICE_OK);
        CHECK(cosslice_upload_finish(upload) < COSSLICE_OK);
        hooks->inside++;
    } else if (status == COSSLICE_E_PANIC) {
        CHECK_TEXT(message, ""); /* it was at the door: the handle was not touched */
    } else if (status != COSSLICE_OK && !CHECK_INT(status, COSSLICE_E_AUTH)) { /* the signer's own call panicked: it refused */
        printf("       after %d moments: %s\n", (int)moments, message);
    }
    cosslice_upload_free(upload);
    return status;
}

static void check_sweep(enum way way, unsigned in_flight, bool asks)
{
    const unsigned enough = asks ? 4 * CALM : CALM;
    unsigned calm = 0, panics = 0, uploads = 0;
    struct hooks hooks = {.keys = emulator_config(&emulator), .asks = asks};
    cosslice_config *config = emulator_config(&emulator);
    int64_t moments;

    check_case("a panic at every moment: %s, %u in flight%s", way_names[way], in_flight, asks ? ", and in callbacks" : "");
    CHECK_INT(cosslice_config_set_u64(config, COSSLICE_OPT_IN_FLIGHT, in_flight), COSSLICE_OK);
    CHECK_INT(cosslice_config_set_u64(config, COSSLICE_OPT_OVERWRITE, 2), COSSLICE_OK);
    CHECK_INT(cosslice_config_set_u64(config, COSSLICE_OPT_SIGN_TTL_S, 60), COSSLICE_OK);
    CHECK_INT(cosslice_config_set_signer(config, sign, &hooks, count_release), COSSLICE_OK);
    CHECK_INT(cosslice_config_set_logger(config, COSSLICE_LOG_DEBUG, log_line, &hooks, count_release), COSSLICE_OK);
    /* Some moments are in callbacks, where a panic does not end the upload: only many calm uploads in a row are the end. */
    for (moments = 0; moments < MOST_MOMENTS && calm < enough; moments++) {
        watchdog(30, "a panic after %d moments, by %s, %u in flight", (int)moments, way_names[way], in_flight);
        uploads++;
        if (burn(config, &hooks, way, moments) == COSSLICE_OK) {
            calm++;
        } else {
            panics++;
            calm = 0;
            uploads++; /* the next one works, and goes on where this one ended */
            CHECK_INT(burn(config, &hooks, way, -1), COSSLICE_OK);
        }
        CHECK(emulator_has(&emulator, "/flow", content.seed, LEN));
        /* Otherwise the server would have the content already. */
        CHECK_INT(http_request(emulator.port, "POST", "/_emulator/reset", NULL, NULL, NULL, NULL), 200);
    }
    CHECK(calm == enough);
    /* Opening, six slices, finish; with what progress asks in between, some of them may be skipped. */
    CHECK(hooks.inside >= (asks ? 1 : 8));
    watchdog(0, "-");
    cosslice_config_free(config);
    cosslice_config_free(hooks.keys);
    CHECK_INT(hooks.released, uploads + 2); /* one progress callback each, signer and logger */
    printf("       %u uploads, of which %u met a panic, %u in their midst\n", uploads, panics, hooks.inside);
}

static void check_silence(int stderr_before)
{
    char line[200] = "";
    int fd = open(stderr_name, O_RDONLY);
    ssize_t got = fd < 0 ? 0 : read(fd, line, sizeof line - 1);

    check_case("nothing was printed");
    dup2(stderr_before, STDERR_FILENO);
    CHECK(fd >= 0);
    if (!CHECK_INT(got, 0))
        printf("       %s\n", line);
    close(fd);
}

int main(void)
{
    int before, now;

    emulator_start(&emulator, NULL);
    snprintf(stderr_name, sizeof stderr_name, "%s/stderr", emulator.dir);
    before = dup(STDERR_FILENO);
    now = open(stderr_name, O_CREAT | O_WRONLY | O_APPEND, 0600);
    if (before < 0 || now < 0 || dup2(now, STDERR_FILENO) < 0)
        check_give_up("cannot catch stderr");
    close(now);

    content_make(&content, emulator.dir, 41, LEN);
    check_free_functions();
    check_upload_functions();
    for (int way = 0; way < WAYS; way++)
        for (unsigned in_flight = 1; in_flight <= 4; in_flight += 3)
            check_sweep((enum way)way, in_flight, false);
    check_sweep(BY_BUFFER, 4, true);
    check_silence(before);
    content_free(&content);
    emulator_stop(&emulator);
    return check_finish();
}
