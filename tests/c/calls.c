/*
 * All functions with random arguments in random order: many sequences, each from a seed of its own that is printed
 * when something goes wrong. Every call gives a status, outputs are written on success only, every `release` runs once, and
 * what is said to be stored is there.
 *
 *     calls [FIRST-SEED [SEQUENCES]]       COSSLICE_TEST_CALLS sets the number, too
 */
#define _POSIX_C_SOURCE 200809L

#include "bytes.h"
#include "check.h"
#include "emulator.h"
#include "flows.h"
#include "http.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LEN = 300000, SLICE = 65536, CONFIGS = 2, UPLOADS = 4, HOOKS = 256, CALLS = 60 };
enum { SEED = 7 };

static struct emulator emulator;
static struct content content;
static uint64_t random_state;

static unsigned pick(unsigned count)
{
    return (unsigned)(bytes_random(&random_state) >> 20) % count;
}

/* ---- what there is ---- */

struct hook {
    unsigned mode;
    unsigned released;
    bool taken; /* by a successful set_* */
};

struct slot {
    cosslice_upload *upload;
    unsigned path;
    size_t fed;
    int64_t done;
};

static struct hook hooks[HOOKS];
static unsigned hook_count;
static cosslice_config *configs[CONFIGS], *keys;
static struct slot slots[UPLOADS];
static struct slot *running; /* the upload that a call is on */
static char token[8192];
static unsigned long calls, stored, by_status[101];

static const struct {
    const char *name, *encoded;
} paths[] = {{"/a", "/a"}, {"/b c", "/b%20c"}, {"/\xc3\xa9/d", "/%C3%A9/d"}, {"/e", "/e"}, {"", NULL}, {"x", NULL}, {"/y/", NULL}, {"/a//b", NULL},
             {"/..", NULL}, {"/\xff", NULL}, {NULL, NULL}};
enum { GOOD_PATHS = 4, PATHS = sizeof paths / sizeof *paths };

/* Notes a status that some call gave. */
static cosslice_status seen(cosslice_status status)
{
    calls++;
    CHECK(is_status(status));
    CHECK(status != COSSLICE_E_PANIC && status != COSSLICE_E_FORKED);
    by_status[status < 0 && status >= -99 ? -status : 0]++;
    return status;
}

static cosslice_status seen_outside(cosslice_status status)
{
    CHECK(status != COSSLICE_E_BUSY); /* there is one thread only */
    return seen(status);
}

/* ---- callbacks ---- */

/* Anything on the upload that the callback belongs to. */
static void reenter(void)
{
    cosslice_upload *upload = running ? running->upload : NULL;

    if (!upload)
        return;
    switch (pick(10)) {
    case 0: CHECK_INT(seen(cosslice_upload_feed(upload, content.data, pick(100))), COSSLICE_E_BUSY); break;
    case 1: CHECK_INT(seen(cosslice_upload_finish(upload)), COSSLICE_E_BUSY); break;
    case 2: CHECK_INT(seen(cosslice_upload_set_progress(upload, NULL, NULL, NULL)), COSSLICE_E_BUSY); break;
    case 3: CHECK_INT(seen(cosslice_upload_file(upload, content.file)), COSSLICE_E_BUSY); break;
    case 4: CHECK_INT(seen(cosslice_upload_init(upload, LEN)), COSSLICE_E_BUSY); break;
    case 5: CHECK_TEXT(cosslice_upload_get_str(upload, pick(15)), ""); break;
    case 6: cosslice_upload_get_i64(upload, 100 + pick(15)); break;
    case 7:
        if (pick(8) == 0)
            cosslice_upload_cancel(upload);
        break;
    case 8:
        if (pick(8) == 0) {
            cosslice_upload_free(upload);
            running->upload = NULL;
        }
        break;
    default: CHECK_INT(seen(cosslice_upload_hash(upload, content.data, 1)), COSSLICE_E_BUSY);
    }
}

static int32_t on_progress(void *user, uint32_t phase, uint64_t bytes_done, uint64_t bytes_total)
{
    const struct hook *hook = user;

    CHECK(!hook->released);
    CHECK(phase <= COSSLICE_PHASE_DONE && bytes_done <= bytes_total);
    if (hook->mode == 1)
        reenter();
    return hook->mode == 2 && pick(10) == 0 ? (int32_t)pick(3) - 1 : 0;
}

static size_t on_sign(void *user, const cosslice_sign_request *request, char *out, size_t out_size)
{
    const struct hook *hook = user;
    size_t len = 0;

    CHECK(!hook->released && out && out_size > 0);
    CHECK(cosslice_sign_get_str(request, pick(8)) != NULL);
    cosslice_sign_get_u64(request, 99 + pick(5));
    if (hook->mode == 1)
        reenter();
    if (hook->mode == 2 && pick(4) == 0)
        switch (pick(4)) {
        case 0: return 0;
        case 1: return SIZE_MAX;
        case 2: return out_size;
        default: memset(out, 0xfe, out_size); return out_size - 1;
        }
    return seen(cosslice_config_sign(keys, cosslice_sign_get_str(request, COSSLICE_SIGN_PATH), cosslice_sign_get_u64(request, COSSLICE_SIGN_EXPIRES_AT_S),
                                     out, out_size, &len)) == COSSLICE_OK
               ? len
               : 0;
}

static void on_log(void *user, int32_t level, const char *message)
{
    const struct hook *hook = user;

    CHECK(!hook->released && level >= COSSLICE_LOG_ERROR && level <= COSSLICE_LOG_DEBUG);
    CHECK(!strstr(message, "examplesecretkey"));
    if (hook->mode == 1)
        reenter();
}

static void on_release(void *user)
{
    ((struct hook *)user)->released++;
}

static struct hook *new_hook(void)
{
    struct hook *hook = &hooks[hook_count];

    if (hook_count == HOOKS)
        return NULL;
    hook_count++;
    memset(hook, 0, sizeof *hook);
    hook->mode = pick(4);
    return hook;
}

/* ---- calls on a config ---- */

static const char *some_text(unsigned option)
{
    static const char *const right[] = {NULL,  "1250000000",       "bkt", "gz",   emulator.endpoint, "AKIDEXAMPLE", "examplesecretkey",
                                        "",    "some attributes",  token, "",     "",                "calls/1.0"};
    static const char *const wrong[] = {NULL, "\xff\xfe", "garbage \x01", "http://127.0.0.1:1", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
                                        "cst1.AAAA", "0", "http://127.0.0.1:1/files/v2"};

    if (pick(4) != 0 && option < sizeof right / sizeof *right)
        return right[option];
    if (pick(3) == 0 && option != COSSLICE_OPT_ENDPOINT) /* its default would be a host of the internet */
        return "";
    return wrong[pick(sizeof wrong / sizeof *wrong)];
}

static uint64_t some_number(unsigned option)
{
    static const uint64_t any[] = {0, 1, 2, 4, 64, 900, SLICE, 1048576, (uint64_t)1 << 40, UINT64_MAX};
    /* Those that only make it slow are kept low. */
    static const uint64_t low[] = {0, 1, 2, 100, 150, UINT64_MAX};

    switch (option) {
    case COSSLICE_OPT_RETRIES: return low[pick(3)];
    case COSSLICE_OPT_CONNECT_TIMEOUT_MS:
    case COSSLICE_OPT_IO_TIMEOUT_MS: return low[pick(6)];
    case COSSLICE_OPT_BANDWIDTH: return pick(2) ? 0 : (uint64_t)1 << (28 + pick(16));
    default: return any[pick(sizeof any / sizeof *any)];
    }
}

static unsigned some_option(bool text)
{
    switch (pick(12)) {
    case 0: return (unsigned)bytes_random(&random_state);
    case 1: return text ? 101 + pick(12) : 1 + pick(12);
    default: return text ? 1 + pick(12) : 101 + pick(12);
    }
}

static void make_config(cosslice_config **config)
{
    if (*config)
        cosslice_config_free(*config);
    *config = emulator_config(&emulator);
    CHECK_INT(cosslice_config_set_u64(*config, COSSLICE_OPT_SLICE_SIZE, SLICE), COSSLICE_OK);
    CHECK_INT(cosslice_config_set_u64(*config, COSSLICE_OPT_SINGLE_MAX, 1000), COSSLICE_OK);
    CHECK_INT(cosslice_config_set_u64(*config, COSSLICE_OPT_RETRIES, 1), COSSLICE_OK);
    CHECK_INT(cosslice_config_set_u64(*config, COSSLICE_OPT_CONNECT_TIMEOUT_MS, 150), COSSLICE_OK);
    CHECK_INT(cosslice_config_set_u64(*config, COSSLICE_OPT_OVERWRITE, pick(3)), COSSLICE_OK);
    CHECK_INT(cosslice_config_set_u64(*config, COSSLICE_OPT_IN_FLIGHT, 1 + pick(5)), COSSLICE_OK);
}

static void call_config(cosslice_config **slot)
{
    cosslice_config *config = pick(20) ? *slot : NULL;
    const struct hook *before = &hooks[hook_count];
    struct hook *hook;
    char out[1024] = "same";
    size_t len = 0;
    cosslice_status status;
    unsigned option;

    switch (pick(8)) {
    case 0: make_config(slot); break;
    case 1:
        option = some_option(true);
        seen_outside(cosslice_config_set_str(config, option, some_text(option)));
        break;
    case 2:
        option = some_option(false);
        seen_outside(cosslice_config_set_u64(config, option, some_number(option)));
        break;
    case 3:
        hook = new_hook();
        status = seen_outside(cosslice_config_set_signer(config, pick(4) ? on_sign : NULL, hook, hook ? on_release : NULL));
        if (hook)
            hook->taken = status == COSSLICE_OK;
        break;
    case 4:
        hook = new_hook();
        status = seen_outside(cosslice_config_set_logger(config, (int32_t)pick(7) - 1, hook && pick(4) ? on_log : NULL, hook, hook ? on_release : NULL));
        if (hook)
            hook->taken = status == COSSLICE_OK;
        break;
    case 5:
        status = seen_outside(cosslice_config_sign(config, paths[pick(PATHS)].name, pick(2) ? 0 : UINT64_MAX >> pick(64), pick(8) ? out : NULL,
                                                   pick(4) ? sizeof out : pick(20), pick(8) ? &len : NULL));
        CHECK(status == COSSLICE_OK ? strlen(out) == len : strcmp(out, "same") == 0);
        break;
    case 6:
        if (pick(4) == 0) {
            cosslice_config_free(*slot);
            *slot = NULL;
        }
        break;
    default: CHECK(strlen(cosslice_config_message(config)) < 10000);
    }
    CHECK(before->released <= 1);
}

/* ---- calls on an upload ---- */

static void read_upload(struct slot *slot)
{
    const char *text = cosslice_upload_get_str(slot->upload, COSSLICE_INFO_RESUME_TOKEN);
    int64_t done = cosslice_upload_get_i64(slot->upload, COSSLICE_INFO_BYTES_DONE);

    CHECK(done >= slot->done);
    slot->done = done;
    if (*text && strlen(text) < sizeof token && pick(2))
        memcpy(token, text, strlen(text) + 1);
    for (uint32_t info = 0; info < 14; info++)
        CHECK(strlen(cosslice_upload_get_str(slot->upload, info)) < 100000);
    for (uint32_t info = 100; info < 116; info++)
        CHECK(cosslice_upload_get_i64(slot->upload, info) >= -5999999);
    if (*text)
        CHECK(strncmp(text, "cst1.", 5) == 0); /* still there, after the other questions */
}

/* What file and buffer say to have stored is there. */
static void check_stored(const struct slot *slot, size_t len)
{
    stored++;
    CHECK(emulator_has(&emulator, paths[slot->path].encoded, SEED, len));
}

static void call_upload(struct slot *slot)
{
    static const size_t lens[] = {0, 1, 1000, 1001, SLICE - 1, SLICE, SLICE + 1, 4 * SLICE, LEN};
    cosslice_upload *none = NULL, **upload = pick(30) ? &slot->upload : &none;
    size_t len = lens[pick(sizeof lens / sizeof *lens)];
    struct hook *hook;
    cosslice_status status;

    running = slot;
    switch (pick(16)) {
    case 0:
        hook = new_hook();
        status = seen_outside(cosslice_upload_set_progress(*upload, pick(5) ? on_progress : NULL, hook, hook ? on_release : NULL));
        if (hook)
            hook->taken = status == COSSLICE_OK;
        break;
    case 1: seen_outside(cosslice_upload_hash(*upload, pick(20) ? content.data : NULL, len)); break;
    case 2:
    case 3: seen_outside(cosslice_upload_init(*upload, pick(10) ? len : UINT64_MAX >> pick(64))); break;
    case 4: seen_outside(cosslice_upload_seek(*upload, pick(2) ? len : bytes_random(&random_state))); break;
    case 5:
    case 6:
    case 7:
    case 8: {
        size_t at = pick(10) && slot->fed < LEN ? slot->fed : 0, count = pick(4) ? len % (LEN - at + 1) : pick(300);
        if (at + count > LEN)
            count = LEN - at;
        if (seen_outside(cosslice_upload_feed(*upload, pick(30) ? content.data + at : NULL, pick(200) ? count : SIZE_MAX)) == COSSLICE_OK)
            slot->fed = at + count;
        break;
    }
    case 9:
    case 10: seen_outside(cosslice_upload_finish(*upload)); break;
    case 11:
        status = seen_outside(cosslice_upload_file(*upload, pick(4) ? content.file : pick(2) ? emulator.dir : NULL));
        if (status == COSSLICE_OK)
            check_stored(slot, LEN);
        break;
    case 12:
        status = seen_outside(cosslice_upload_buffer(*upload, pick(20) ? content.data : NULL, len));
        if (status == COSSLICE_OK)
            check_stored(slot, len);
        break;
    case 13:
        if (pick(6) == 0)
            cosslice_upload_cancel(*upload);
        break;
    case 14:
        if (pick(3) == 0) {
            cosslice_upload_free(slot->upload);
            slot->upload = NULL;
        }
        break;
    default:
        if (slot->upload)
            read_upload(slot);
    }
    running = NULL;
}

static void make_upload(struct slot *slot)
{
    cosslice_upload *out = (cosslice_upload *)&calls;
    unsigned path = pick(5) ? pick(GOOD_PATHS) : pick(PATHS);
    cosslice_status status = seen_outside(cosslice_upload_new(configs[pick(CONFIGS)], paths[path].name, pick(30) ? &out : NULL));

    if (status != COSSLICE_OK) {
        CHECK(out == NULL || out == (cosslice_upload *)&calls);
        return;
    }
    slot->upload = out;
    slot->path = path;
    slot->fed = 0;
    slot->done = 0;
}

static void set_faults(void)
{
    static const char *const rules[] = {
        "[]", "[]", "[{\"p\":0.1,\"do\":\"drop_after_commit\"}]", "[{\"p\":0.1,\"do\":\"drop_in_body\",\"at\":100}]", "[{\"p\":0.1,\"do\":\"code\",\"code\":-71}]",
        "[{\"p\":0.1,\"do\":\"garbage\"},{\"p\":0.05,\"do\":\"wrong_types\"}]", "[{\"op\":\"upload_slice_data\",\"p\":0.2,\"do\":\"code\",\"code\":-178}]",
        "[{\"p\":0.1,\"do\":\"expire_session\"}]", "[{\"p\":0.1,\"do\":\"status\",\"status\":502}]"};

    CHECK_INT(http_request(emulator.port, "POST", "/_emulator/reset", NULL, NULL, NULL, NULL), 200);
    CHECK_INT(http_request(emulator.port, "POST", "/_emulator/faults", NULL, rules[pick(sizeof rules / sizeof *rules)], NULL, NULL), 200);
}

static void sequence(uint64_t seed)
{
    random_state = seed * 2654435761u + 1;
    watchdog(60, "the sequence of seed %lu", (unsigned long)seed);
    hook_count = 0;
    memset(slots, 0, sizeof slots);
    for (unsigned i = 0; i < CONFIGS; i++)
        make_config(&configs[i]);
    if (seed % 4 == 1)
        set_faults();
    for (unsigned i = 0; i < CALLS; i++) {
        struct slot *slot = &slots[pick(UPLOADS)];
        if (!slot->upload)
            make_upload(slot);
        else if (pick(5) == 0)
            call_config(&configs[pick(CONFIGS)]);
        else
            call_upload(slot);
        if (pick(50) == 0)
            CHECK(*cosslice_status_str((cosslice_status)bytes_random(&random_state)) && *cosslice_version() && cosslice_abi_version() > 0);
    }
    for (unsigned i = 0; i < UPLOADS; i++)
        cosslice_upload_free(slots[i].upload);
    for (unsigned i = 0; i < CONFIGS; i++) {
        cosslice_config_free(configs[i]);
        configs[i] = NULL;
    }
    for (unsigned i = 0; i < hook_count; i++)
        CHECK_INT(hooks[i].released, hooks[i].taken);
}

int main(int argc, char **argv)
{
    const char *wanted = getenv("COSSLICE_TEST_CALLS");
    uint64_t first = argc > 1 ? strtoull(argv[1], NULL, 10) : 1;
    unsigned long count = argc > 2 ? strtoul(argv[2], NULL, 10) : wanted ? strtoul(wanted, NULL, 10) : 500;

    emulator_start(&emulator, "--slice-sizes=65536,1048576");
    content_make(&content, emulator.dir, SEED, LEN);
    keys = emulator_config(&emulator);
    for (uint64_t seed = first; seed < first + count; seed += 100) {
        uint64_t end = seed + 100 < first + count ? seed + 100 : first + count;
        check_case("sequences of calls of seed %lu to %lu", (unsigned long)seed, (unsigned long)end - 1);
        for (uint64_t one = seed; one < end; one++)
            sequence(one);
    }
    watchdog(0, "-");
    check_case("the sequences went everywhere");
    CHECK(stored > count / 20);
    for (int status = 1; status <= 19; status++)
        if (by_status[status])
            printf("       %6lu times %s\n", by_status[status], cosslice_status_str(-status));
    printf("       %6lu calls, %lu objects\n", calls, stored);
    cosslice_config_free(keys);
    content_free(&content);
    emulator_stop(&emulator);
    return check_finish();
}
