/* Every mistake at the boundary gives a status: NULL, wrong order, a second thread, re-entry, fork; and release runs once. */
#define _POSIX_C_SOURCE 200809L

#include "bytes.h"
#include "check.h"
#include "emulator.h"
#include "peer.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LEN = 3 * 1048576 };

static struct emulator emulator;
static unsigned char data[LEN];

static size_t sign_nothing(void *user, const cosslice_sign_request *request, char *out, size_t out_size)
{
    (void)user, (void)request, (void)out, (void)out_size;
    return 0;
}

static void log_nothing(void *user, int32_t level, const char *message)
{
    (void)user, (void)level, (void)message;
}

static int32_t go_on(void *user, uint32_t phase, uint64_t bytes_done, uint64_t bytes_total)
{
    (void)user, (void)phase, (void)bytes_done, (void)bytes_total;
    return 0;
}

static void count_release(void *user)
{
    ++*(unsigned *)user;
}

static void check_null_handles(void)
{
    unsigned released = 0;
    size_t len = 77;
    char out[8] = "same";

    check_case("NULL instead of a handle");
    cosslice_config_free(NULL);
    cosslice_upload_free(NULL);
    cosslice_upload_cancel(NULL);
    CHECK_INT(cosslice_config_new(NULL), COSSLICE_E_INVALID_ARG);
    CHECK_INT(cosslice_config_set_str(NULL, COSSLICE_OPT_BUCKET, "x"), COSSLICE_E_INVALID_ARG);
    CHECK_INT(cosslice_config_set_u64(NULL, COSSLICE_OPT_HASH, 1), COSSLICE_E_INVALID_ARG);
    CHECK_INT(cosslice_config_set_signer(NULL, sign_nothing, &released, count_release), COSSLICE_E_INVALID_ARG);
    CHECK_INT(cosslice_config_set_logger(NULL, COSSLICE_LOG_DEBUG, log_nothing, &released, count_release), COSSLICE_E_INVALID_ARG);
    CHECK_INT(cosslice_config_sign(NULL, "/x", 0, out, sizeof out, &len), COSSLICE_E_INVALID_ARG);
    CHECK_INT(cosslice_upload_set_progress(NULL, go_on, &released, count_release), COSSLICE_E_INVALID_ARG);
    CHECK_INT(cosslice_upload_hash(NULL, data, 1), COSSLICE_E_INVALID_ARG);
    CHECK_INT(cosslice_upload_init(NULL, 1), COSSLICE_E_INVALID_ARG);
    CHECK_INT(cosslice_upload_seek(NULL, 0), COSSLICE_E_INVALID_ARG);
    CHECK_INT(cosslice_upload_feed(NULL, data, 1), COSSLICE_E_INVALID_ARG);
    CHECK_INT(cosslice_upload_finish(NULL), COSSLICE_E_INVALID_ARG);
    CHECK_INT(cosslice_upload_file(NULL, "x"), COSSLICE_E_INVALID_ARG);
    CHECK_INT(cosslice_upload_buffer(NULL, data, 1), COSSLICE_E_INVALID_ARG);
    CHECK_INT(cosslice_upload_get_i64(NULL, COSSLICE_INFO_PHASE), -1);
    CHECK_TEXT(cosslice_upload_get_str(NULL, COSSLICE_INFO_MESSAGE), "");
    CHECK(cosslice_config_message(NULL) != NULL);
    CHECK_TEXT(cosslice_sign_get_str(NULL, COSSLICE_SIGN_PATH), "");
    CHECK_INT(cosslice_sign_get_u64(NULL, COSSLICE_SIGN_NOW_S), 0);
    CHECK_INT(len, 77);
    CHECK_TEXT(out, "same");
    CHECK_INT(released, 0);
}

static void check_null_values(void)
{
    cosslice_config *config = emulator_config(&emulator);
    cosslice_upload *upload = (cosslice_upload *)config;
    char out[1024];
    size_t len = 77;

    check_case("NULL instead of a value");
    CHECK_INT(cosslice_upload_new(NULL, "/x", &upload), COSSLICE_E_INVALID_ARG);
    CHECK(upload == NULL);
    upload = (cosslice_upload *)config;
    CHECK_INT(cosslice_upload_new(config, NULL, &upload), COSSLICE_E_INVALID_ARG);
    CHECK(upload == NULL);
    CHECK_INT(cosslice_upload_new(config, "/x", NULL), COSSLICE_E_INVALID_ARG);
    CHECK_INT(cosslice_config_sign(config, NULL, 0, out, sizeof out, &len), COSSLICE_E_INVALID_ARG);
    CHECK_INT(cosslice_config_sign(config, "/x", 0, NULL, 10, &len), COSSLICE_E_INVALID_ARG);
    CHECK_INT(cosslice_config_sign(config, "/x", 0, out, sizeof out, NULL), COSSLICE_E_INVALID_ARG);
    CHECK_INT(len, 77);

    check_case("NULL + 1 is refused");
    upload = new_upload(config, "/null-hash");
    CHECK_INT(cosslice_upload_hash(upload, NULL, 1), COSSLICE_E_INVALID_ARG);
    cosslice_upload_free(upload);
    upload = new_upload(config, "/null-feed");
    CHECK_INT(cosslice_upload_init(upload, 10), COSSLICE_OK);
    CHECK_INT(cosslice_upload_feed(upload, NULL, 1), COSSLICE_E_INVALID_ARG);
    cosslice_upload_free(upload);
    upload = new_upload(config, "/null-buffer");
    CHECK_INT(cosslice_upload_buffer(upload, NULL, 1), COSSLICE_E_INVALID_ARG);
    cosslice_upload_free(upload);
    upload = new_upload(config, "/null-file");
    CHECK_INT(cosslice_upload_file(upload, NULL), COSSLICE_E_INVALID_ARG);
    cosslice_upload_free(upload);

    check_case("lengths beyond the address space are refused");
    upload = new_upload(config, "/too-long");
    CHECK_INT(cosslice_upload_buffer(upload, data, SIZE_MAX), COSSLICE_E_INVALID_ARG);
    cosslice_upload_free(upload);

    check_case("NULL + 0 is an empty piece");
    upload = new_upload(config, "/null-zero");
    CHECK_INT(cosslice_upload_hash(upload, NULL, 0), COSSLICE_OK);
    CHECK_INT(cosslice_upload_init(upload, 0), COSSLICE_OK);
    CHECK_INT(cosslice_upload_feed(upload, NULL, 0), COSSLICE_OK);
    CHECK_INT(cosslice_upload_finish(upload), COSSLICE_OK);
    cosslice_upload_free(upload);
    CHECK(emulator_has(&emulator, "/null-zero", 0, 0));
    upload = new_upload(config, "/null-zero-buffer");
    CHECK_INT(cosslice_upload_buffer(upload, NULL, 0), COSSLICE_OK);
    cosslice_upload_free(upload);
    CHECK(emulator_has(&emulator, "/null-zero-buffer", 0, 0));

    check_case("questions that have no answer");
    upload = new_upload(config, "/unasked");
    CHECK_INT(cosslice_upload_get_i64(upload, 0), -1);
    CHECK_INT(cosslice_upload_get_i64(upload, 9999), -1);
    CHECK_INT(cosslice_upload_get_i64(upload, COSSLICE_INFO_MESSAGE), -1);
    CHECK_INT(cosslice_upload_get_i64(upload, COSSLICE_INFO_BYTES_TOTAL), -1);
    CHECK_INT(cosslice_upload_get_i64(upload, COSSLICE_INFO_PHASE), COSSLICE_PHASE_IDLE);
    CHECK_TEXT(cosslice_upload_get_str(upload, 0), "");
    CHECK_TEXT(cosslice_upload_get_str(upload, 9999), "");
    CHECK_TEXT(cosslice_upload_get_str(upload, COSSLICE_INFO_PHASE), "");
    CHECK_TEXT(cosslice_upload_get_str(upload, COSSLICE_INFO_ACCESS_URL), "");
    CHECK_TEXT(cosslice_upload_get_str(upload, COSSLICE_INFO_MESSAGE), "");
    cosslice_upload_free(upload);
    cosslice_config_free(config);
}

/* A word of this alphabet is a row of calls; the last one must get E_STATE, the others OK. */
static cosslice_status call(cosslice_upload *upload, char letter)
{
    switch (letter) {
    case 'h': return cosslice_upload_hash(upload, data, 10);
    case 'i': return cosslice_upload_init(upload, 10);
    case 's': return cosslice_upload_seek(upload, 0);
    case 'f': return cosslice_upload_feed(upload, data, 10);
    case 'F': return cosslice_upload_finish(upload);
    case 'b': return cosslice_upload_buffer(upload, data, 10);
    default: return cosslice_upload_file(upload, "/nonexistent");
    }
}

static void check_order(void)
{
    static const char *const words[] = {"s",   "f",    "F",    "hs",   "hf",   "hF",   "ih",   "ii",    "ib",    "ip",   "ifs",  "ifi",
                                        "ifh", "ifFF", "ifFf", "ifFi", "ifFh", "ifFs", "ifFb", "ifFp", "bb",    "bi",   "bf",   "bF",
                                        "bh",  "bp",   "hb",   "hp"};
    cosslice_config *config = emulator_config(&emulator);
    char path[32];

    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        cosslice_upload *upload;
        size_t last = strlen(words[i]) - 1;

        check_case("wrong order: %s", words[i]);
        snprintf(path, sizeof path, "/order-%zu", i);
        upload = new_upload(config, path);
        for (size_t j = 0; j < last; j++)
            CHECK_INT(call(upload, words[i][j]), COSSLICE_OK);
        CHECK_INT(call(upload, words[i][last]), COSSLICE_E_STATE);
        CHECK(strlen(cosslice_upload_get_str(upload, COSSLICE_INFO_MESSAGE)) > 10);
        cosslice_upload_free(upload);
    }

    check_case("after a failure a handle is only read and freed");
    cosslice_upload *upload = new_upload(config, "/after-failure");
    CHECK_INT(cosslice_upload_file(upload, "/nonexistent"), COSSLICE_E_FILE);
    for (const char *letter = "hisfFbp"; *letter; letter++)
        CHECK_INT(call(upload, *letter), COSSLICE_E_STATE);
    cosslice_upload_free(upload);

    check_case("seek takes no more than NEXT_OFFSET");
    upload = new_upload(config, "/seek");
    CHECK_INT(cosslice_upload_init(upload, 10), COSSLICE_OK);
    CHECK_INT(cosslice_upload_get_i64(upload, COSSLICE_INFO_NEXT_OFFSET), 0);
    CHECK_INT(cosslice_upload_seek(upload, 1), COSSLICE_E_INVALID_ARG);
    cosslice_upload_free(upload);

    check_case("a handle may be freed in every state");
    cosslice_upload_free(new_upload(config, "/free"));
    for (size_t i = 0; i < 3; i++) {
        static const char *const begun[] = {"h", "i", "if"};
        snprintf(path, sizeof path, "/free-%zu", i);
        upload = new_upload(config, path);
        for (const char *letter = begun[i]; *letter; letter++)
            CHECK_INT(call(upload, *letter), COSSLICE_OK);
        cosslice_upload_free(upload);
    }
    cosslice_config_free(config);
}

/* Calls everything on a handle that is busy. */
static void check_all_busy(cosslice_upload *upload)
{
    unsigned released = 0;

    CHECK_INT(cosslice_upload_set_progress(upload, go_on, &released, count_release), COSSLICE_E_BUSY);
    for (const char *letter = "hisfFbp"; *letter; letter++)
        CHECK_INT(call(upload, *letter), COSSLICE_E_BUSY);
    CHECK_TEXT(cosslice_upload_get_str(upload, COSSLICE_INFO_MESSAGE), "");
    CHECK(cosslice_upload_get_i64(upload, COSSLICE_INFO_PHASE) > COSSLICE_PHASE_IDLE);
    CHECK_INT(released, 0);
}

struct second {
    struct peer peer;
    cosslice_upload *upload;
};

static void *use_from_second_thread(void *user)
{
    struct second *second = user;
    int fd = peer_accept(&second->peer);

    CHECK(fd >= 0 && peer_hears(fd)); /* now the other thread waits for an answer */
    check_all_busy(second->upload);
    cosslice_upload_cancel(second->upload);
    if (fd >= 0)
        close(fd);
    return NULL;
}

static void check_second_thread(void)
{
    struct second second;
    cosslice_config *config;
    pthread_t thread;

    check_case("a second thread gets E_BUSY");
    peer_open(&second.peer, false);
    config = endpoint_config(second.peer.endpoint);
    second.upload = new_upload(config, "/busy");
    if (pthread_create(&thread, NULL, use_from_second_thread, &second) != 0)
        check_give_up("no thread");
    CHECK_INT(cosslice_upload_buffer(second.upload, data, LEN), COSSLICE_E_CANCELED);
    pthread_join(thread, NULL);
    CHECK(strlen(cosslice_upload_get_str(second.upload, COSSLICE_INFO_MESSAGE)) > 10);
    cosslice_upload_free(second.upload);
    cosslice_config_free(config);
    peer_close(&second.peer);
}

/* What the callbacks of the next test share. */
struct inside {
    cosslice_upload *upload;
    const cosslice_config *keys;
    unsigned progress, signer, logger;
};

static int32_t enter_from_progress(void *user, uint32_t phase, uint64_t bytes_done, uint64_t bytes_total)
{
    struct inside *inside = user;

    (void)phase, (void)bytes_done, (void)bytes_total;
    if (inside->progress++ < 3)
        check_all_busy(inside->upload);
    return 0;
}

static size_t enter_from_signer(void *user, const cosslice_sign_request *request, char *out, size_t out_size)
{
    struct inside *inside = user;
    size_t len = 0;

    inside->signer++;
    check_all_busy(inside->upload);
    cosslice_config_sign(inside->keys, cosslice_sign_get_str(request, COSSLICE_SIGN_PATH),
                         cosslice_sign_get_u64(request, COSSLICE_SIGN_EXPIRES_AT_S), out, out_size, &len);
    return len;
}

static void enter_from_logger(void *user, int32_t level, const char *message)
{
    struct inside *inside = user;

    CHECK(level >= COSSLICE_LOG_ERROR && level <= COSSLICE_LOG_DEBUG);
    CHECK(*message);
    CHECK(!strstr(message, "examplesecretkey"));
    if (inside->upload && inside->logger++ < 3)
        CHECK_INT(cosslice_upload_feed(inside->upload, data, 1), COSSLICE_E_BUSY);
}

static void check_reentry(void)
{
    cosslice_config *config = emulator_config(&emulator), *keys = emulator_config(&emulator);
    struct inside inside = {.keys = keys};

    check_case("re-entry from a callback gets E_BUSY");
    CHECK_INT(cosslice_config_set_signer(config, enter_from_signer, &inside, NULL), COSSLICE_OK);
    CHECK_INT(cosslice_config_set_logger(config, COSSLICE_LOG_DEBUG, enter_from_logger, &inside, NULL), COSSLICE_OK);
    cosslice_upload *upload = new_upload(config, "/reentry");
    inside.upload = upload;
    CHECK_INT(cosslice_upload_set_progress(upload, enter_from_progress, &inside, NULL), COSSLICE_OK);
    bytes_make(5, 0, data, LEN);
    CHECK_INT(cosslice_upload_buffer(upload, data, LEN), COSSLICE_OK);
    CHECK(inside.progress > 0);
    CHECK(inside.signer > 0);
    CHECK(inside.logger > 0);
    inside.upload = NULL;
    cosslice_upload_free(upload);
    cosslice_config_free(config);
    cosslice_config_free(keys);
    CHECK(emulator_has(&emulator, "/reentry", 5, LEN));
}

/* Runs in the child: the number of the first thing that was not as it should be. */
static int in_child(cosslice_config *config, cosslice_upload *upload)
{
    cosslice_upload *other = NULL;

    alarm(20); /* a child that hangs must not hang the test */
    if (cosslice_upload_feed(upload, data, 1) != COSSLICE_E_FORKED)
        return 1;
    if (cosslice_upload_finish(upload) != COSSLICE_E_FORKED)
        return 2;
    if (cosslice_upload_set_progress(upload, go_on, NULL, NULL) != COSSLICE_E_FORKED)
        return 3;
    if (cosslice_config_set_u64(config, COSSLICE_OPT_HASH, 1) != COSSLICE_E_FORKED)
        return 4;
    if (cosslice_upload_new(config, "/child", &other) != COSSLICE_E_FORKED || other)
        return 5;
    if (!cosslice_upload_get_str(upload, COSSLICE_INFO_MESSAGE) || cosslice_upload_get_i64(upload, COSSLICE_INFO_BYTES_TOTAL) != LEN)
        return 6;
    cosslice_upload_cancel(upload);
    cosslice_upload_free(upload);
    cosslice_config_free(config);

    /* A child may use the library with handles of its own. */
    config = emulator_config(&emulator);
    if (cosslice_upload_new(config, "/child", &other) != COSSLICE_OK)
        return 7;
    if (cosslice_upload_buffer(other, data, 1000) != COSSLICE_OK)
        return 8;
    cosslice_upload_free(other);
    cosslice_config_free(config);
    return 0;
}

static void check_fork(void)
{
    cosslice_config *config = emulator_config(&emulator);
    cosslice_upload *upload;
    pid_t child;
    int status = -1, answer[2];
    char failed_at = -1;

    check_case("a child process gets E_FORKED, the parent goes on");
    bytes_make(6, 0, data, LEN);
    upload = new_upload(config, "/forked");
    CHECK_INT(cosslice_upload_init(upload, LEN), COSSLICE_OK);
    CHECK_INT(cosslice_upload_feed(upload, data, LEN / 2), COSSLICE_OK);
    if (pipe(answer) != 0)
        check_give_up("no pipe");
    child = fork();
    if (child == 0) {
        failed_at = (char)in_child(config, upload);
        _exit(write(answer[1], &failed_at, 1) == 1 ? 0 : 1);
    }
    close(answer[1]);
    /* Not by the exit status: valgrind counts what the parent's threads held, which the child cannot free, as a leak. */
    CHECK_INT(read(answer[0], &failed_at, 1), 1);
    CHECK_INT(failed_at, 0);
    close(answer[0]);
    CHECK_INT(waitpid(child, &status, 0), child);
    CHECK(WIFEXITED(status));
    CHECK_INT(cosslice_upload_feed(upload, data + LEN / 2, LEN - LEN / 2), COSSLICE_OK);
    CHECK_INT(cosslice_upload_finish(upload), COSSLICE_OK);
    cosslice_upload_free(upload);
    cosslice_config_free(config);
    CHECK(emulator_has(&emulator, "/forked", 6, LEN));
    CHECK(emulator_has(&emulator, "/child", 6, 1000));
}

static void check_release(void)
{
    unsigned first = 0, second = 0, progress = 0, logger = 0;
    cosslice_config *config = emulator_config(&emulator);
    cosslice_upload *one, *two;

    check_case("release runs exactly once, when nobody can call any more");
    CHECK_INT(cosslice_config_set_signer(config, sign_nothing, &first, count_release), COSSLICE_OK);
    CHECK_INT(cosslice_config_set_logger(config, COSSLICE_LOG_DEBUG, log_nothing, &logger, count_release), COSSLICE_OK);
    one = new_upload(config, "/release-1");
    two = new_upload(config, "/release-2");
    CHECK_INT(cosslice_config_set_signer(config, sign_nothing, &second, count_release), COSSLICE_OK);
    CHECK_INT(first, 0); /* two uploads still have it */
    cosslice_upload_free(one);
    CHECK_INT(first, 0);
    cosslice_upload_free(two);
    CHECK_INT(first, 1);
    CHECK_INT(second, 0);
    one = new_upload(config, "/release-3");
    cosslice_config_free(config);
    CHECK_INT(second, 0);
    CHECK_INT(logger, 0);
    cosslice_upload_free(one);
    CHECK_INT(first, 1);
    CHECK_INT(second, 1);
    CHECK_INT(logger, 1);

    check_case("release of a progress callback");
    config = emulator_config(&emulator);
    one = new_upload(config, "/release-4");
    first = second = 0;
    CHECK_INT(cosslice_upload_set_progress(one, go_on, &first, count_release), COSSLICE_OK);
    CHECK_INT(cosslice_upload_set_progress(one, go_on, &second, count_release), COSSLICE_OK);
    CHECK_INT(first, 1);
    CHECK_INT(cosslice_upload_buffer(one, data, 1000), COSSLICE_OK);
    CHECK_INT(second, 0);
    cosslice_upload_free(one);
    CHECK_INT(first, 1);
    CHECK_INT(second, 1);

    check_case("a callback can be taken away again");
    one = new_upload(config, "/release-5");
    CHECK_INT(cosslice_upload_set_progress(one, go_on, &progress, count_release), COSSLICE_OK);
    CHECK_INT(cosslice_upload_set_progress(one, NULL, NULL, NULL), COSSLICE_OK);
    CHECK_INT(progress, 1);
    first = logger = 0;
    CHECK_INT(cosslice_config_set_signer(config, sign_nothing, &first, count_release), COSSLICE_OK);
    CHECK_INT(cosslice_config_set_signer(config, NULL, NULL, NULL), COSSLICE_OK);
    CHECK_INT(first, 1);
    CHECK_INT(cosslice_config_set_logger(config, COSSLICE_LOG_INFO, log_nothing, &logger, count_release), COSSLICE_OK);
    CHECK_INT(cosslice_config_set_logger(config, COSSLICE_LOG_ERROR, NULL, NULL, NULL), COSSLICE_OK);
    CHECK_INT(logger, 1);
    cosslice_upload_free(one);
    cosslice_config_free(config);
    CHECK_INT(progress, 1);
    CHECK_INT(first, 1);
    CHECK_INT(logger, 1);
}

int main(void)
{
    emulator_start(&emulator, NULL);
    check_null_handles();
    check_null_values();
    check_order();
    check_second_thread();
    check_reentry();
    check_fork();
    check_release();
    emulator_stop(&emulator);
    return check_finish();
}
