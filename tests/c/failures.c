/* What goes wrong outside the program: each failure has its own status, a sentence and the details it promises. */
#define _POSIX_C_SOURCE 200809L

#include "bytes.h"
#include "check.h"
#include "emulator.h"
#include "http.h"
#include "peer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LEN = 3 * 1048576 + 100 };

static struct emulator emulator;
static unsigned char data[LEN];

static int64_t number(const cosslice_upload *upload, uint32_t info)
{
    return cosslice_upload_get_i64(upload, info);
}

/* Every failure has a sentence, and none of them tells the key. */
static void check_message(const cosslice_upload *upload)
{
    const char *message = cosslice_upload_get_str(upload, COSSLICE_INFO_MESSAGE);

    CHECK(strlen(message) > 10);
    CHECK(!strstr(message, "examplesecretkey"));
    CHECK(!strstr(message, "wrongsecretkey"));
    printf("       message: %s\n", message);
}

static void check_wrong_key(void)
{
    cosslice_config *config = emulator_config(&emulator);
    cosslice_upload *upload;

    check_case("wrong key");
    CHECK_INT(cosslice_config_set_str(config, COSSLICE_OPT_SECRET_KEY, "wrongsecretkey"), COSSLICE_OK);
    upload = new_upload(config, "/wrong-key");
    CHECK_INT(cosslice_upload_buffer(upload, data, LEN), COSSLICE_E_AUTH);
    CHECK_INT(number(upload, COSSLICE_INFO_SERVER_CODE), -97);
    CHECK_INT(number(upload, COSSLICE_INFO_HTTP_STATUS), 403);
    CHECK_INT(number(upload, COSSLICE_INFO_RETRYABLE), 0);
    CHECK(*cosslice_upload_get_str(upload, COSSLICE_INFO_REQUEST_ID));
    CHECK(*cosslice_upload_get_str(upload, COSSLICE_INFO_SERVER_MESSAGE));
    check_message(upload);
    cosslice_upload_free(upload);

    check_case("unknown secret id");
    CHECK_INT(cosslice_config_set_str(config, COSSLICE_OPT_SECRET_ID, "AKIDNOBODY"), COSSLICE_OK);
    upload = new_upload(config, "/wrong-key");
    CHECK_INT(cosslice_upload_buffer(upload, data, LEN), COSSLICE_E_AUTH);
    CHECK(number(upload, COSSLICE_INFO_SERVER_CODE) < -1);
    check_message(upload);
    cosslice_upload_free(upload);
    CHECK_INT(emulator_status(&emulator, "/wrong-key"), 404);
    cosslice_config_free(config);
}

static void check_wrong_bucket(void)
{
    cosslice_config *config = emulator_config(&emulator);
    cosslice_upload *upload;

    check_case("no such bucket");
    CHECK_INT(cosslice_config_set_str(config, COSSLICE_OPT_BUCKET, "elsewhere"), COSSLICE_OK);
    upload = new_upload(config, "/name");
    CHECK_INT(cosslice_upload_buffer(upload, data, LEN), COSSLICE_E_NOT_FOUND);
    CHECK_INT(number(upload, COSSLICE_INFO_SERVER_CODE), -133);
    check_message(upload);
    cosslice_upload_free(upload);
    cosslice_config_free(config);
}

static void check_existing(size_t len)
{
    cosslice_config *config = emulator_config(&emulator);
    cosslice_upload *upload;
    char path[64];

    check_case("existing object, %zu bytes", len);
    snprintf(path, sizeof path, "/existing-%zu", len);
    upload = new_upload(config, path);
    bytes_make(1, 0, data, len);
    CHECK_INT(cosslice_upload_buffer(upload, data, len), COSSLICE_OK);
    cosslice_upload_free(upload);

    upload = new_upload(config, path);
    bytes_make(2, 0, data, len);
    CHECK_INT(cosslice_upload_buffer(upload, data, len), COSSLICE_E_EXISTS);
    CHECK_INT(number(upload, COSSLICE_INFO_SERVER_CODE), -177);
    CHECK_INT(number(upload, COSSLICE_INFO_HTTP_STATUS), 409);
    CHECK_INT(number(upload, COSSLICE_INFO_RETRYABLE), 0);
    check_message(upload);
    cosslice_upload_free(upload);
    CHECK(emulator_has(&emulator, path, 1, len));

    CHECK_INT(cosslice_config_set_u64(config, COSSLICE_OPT_OVERWRITE, 1), COSSLICE_OK);
    upload = new_upload(config, path);
    CHECK_INT(cosslice_upload_buffer(upload, data, len), COSSLICE_OK);
    cosslice_upload_free(upload);
    CHECK(emulator_has(&emulator, path, 2, len));
    cosslice_config_free(config);
}

static int32_t stop_at_first_slice(void *user, uint32_t phase, uint64_t bytes_done, uint64_t bytes_total)
{
    (void)user, (void)bytes_total;
    return phase == COSSLICE_PHASE_SENDING && bytes_done >= 1048576;
}

/* An unfinished upload of other content is in the way, and stays, unless it may be discarded. */
static void check_conflict(void)
{
    cosslice_config *config = emulator_config(&emulator);
    cosslice_upload *upload;

    check_case("unfinished upload of other content");
    CHECK_INT(cosslice_config_set_u64(config, COSSLICE_OPT_IN_FLIGHT, 1), COSSLICE_OK);
    upload = new_upload(config, "/conflict");
    bytes_make(3, 0, data, LEN);
    CHECK_INT(cosslice_upload_set_progress(upload, stop_at_first_slice, NULL, NULL), COSSLICE_OK);
    CHECK_INT(cosslice_upload_buffer(upload, data, LEN), COSSLICE_E_CANCELED);
    cosslice_upload_free(upload);

    upload = new_upload(config, "/conflict");
    bytes_make(4, 0, data, LEN);
    CHECK_INT(cosslice_upload_buffer(upload, data, LEN), COSSLICE_E_CONFLICT);
    check_message(upload);
    cosslice_upload_free(upload);

    CHECK_INT(cosslice_config_set_u64(config, COSSLICE_OPT_OVERWRITE, 2), COSSLICE_OK);
    upload = new_upload(config, "/conflict");
    CHECK_INT(cosslice_upload_buffer(upload, data, LEN), COSSLICE_OK);
    cosslice_upload_free(upload);
    CHECK(emulator_has(&emulator, "/conflict", 4, LEN));
    cosslice_config_free(config);
}

static void check_unreachable(void)
{
    struct peer peer;
    cosslice_config *config;
    cosslice_upload *upload;

    check_case("nobody listens");
    peer_open(&peer, false);
    peer_close(&peer); /* the port was free a moment ago and nobody has it now */
    config = endpoint_config(peer.endpoint);
    CHECK_INT(cosslice_config_set_u64(config, COSSLICE_OPT_RETRIES, 1), COSSLICE_OK);
    upload = new_upload(config, "/name");
    CHECK_INT(cosslice_upload_buffer(upload, data, LEN), COSSLICE_E_NETWORK);
    CHECK_INT(number(upload, COSSLICE_INFO_OS_ERROR), ECONNREFUSED);
    CHECK_INT(number(upload, COSSLICE_INFO_RETRYABLE), 1);
    CHECK_INT(number(upload, COSSLICE_INFO_RETRIES), 1);
    CHECK_INT(number(upload, COSSLICE_INFO_HTTP_STATUS), -1);
    check_message(upload);
    cosslice_upload_free(upload);
    cosslice_config_free(config);
}

static void check_reply(const char *what, const char *reply, int http_status)
{
    struct peer peer;
    cosslice_config *config;
    cosslice_upload *upload;

    for (size_t len = 100; len <= LEN; len += LEN - 100) {
        check_case("%s, %zu bytes", what, len);
        peer_serve(&peer, reply);
        config = endpoint_config(peer.endpoint);
        CHECK_INT(cosslice_config_set_u64(config, COSSLICE_OPT_RETRIES, 0), COSSLICE_OK);
        upload = new_upload(config, "/name");
        CHECK_INT(cosslice_upload_buffer(upload, data, len), COSSLICE_E_PROTOCOL);
        if (http_status > 0)
            CHECK_INT(number(upload, COSSLICE_INFO_HTTP_STATUS), http_status);
        check_message(upload);
        cosslice_upload_free(upload);
        cosslice_config_free(config);
        peer_stop(&peer);
    }
}

static void check_silence(void)
{
    struct peer peer;
    cosslice_config *config;
    cosslice_upload *upload;

    check_case("nobody answers");
    peer_open(&peer, false);
    config = endpoint_config(peer.endpoint);
    CHECK_INT(cosslice_config_set_u64(config, COSSLICE_OPT_RETRIES, 0), COSSLICE_OK);
    CHECK_INT(cosslice_config_set_u64(config, COSSLICE_OPT_IO_TIMEOUT_MS, 200), COSSLICE_OK);
    upload = new_upload(config, "/name");
    CHECK_INT(cosslice_upload_buffer(upload, data, LEN), COSSLICE_E_TIMEOUT);
    CHECK_INT(number(upload, COSSLICE_INFO_RETRYABLE), 1);
    check_message(upload);
    cosslice_upload_free(upload);
    cosslice_config_free(config);
    peer_close(&peer);
}

static void check_no_tls(void)
{
    struct peer peer;
    cosslice_config *config;
    cosslice_upload *upload;
    char endpoint[64];

    check_case("https to somebody who does not speak it");
    peer_serve(&peer, "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
    snprintf(endpoint, sizeof endpoint, "https://127.0.0.1:%d/files/v2", peer.port);
    config = endpoint_config(endpoint);
    CHECK_INT(cosslice_config_set_u64(config, COSSLICE_OPT_RETRIES, 0), COSSLICE_OK);
    CHECK_INT(cosslice_config_set_u64(config, COSSLICE_OPT_IO_TIMEOUT_MS, 1000), COSSLICE_OK);
    upload = new_upload(config, "/name");
    CHECK_INT(cosslice_upload_buffer(upload, data, LEN), COSSLICE_E_TLS);
    check_message(upload);
    cosslice_upload_free(upload);
    cosslice_config_free(config);
    peer_stop(&peer);
}

static void check_file(const char *what, const char *name, int os_error)
{
    cosslice_config *config = emulator_config(&emulator);
    cosslice_upload *upload;

    check_case("%s", what);
    upload = new_upload(config, "/file");
    CHECK_INT(cosslice_upload_file(upload, name), COSSLICE_E_FILE);
    if (os_error)
        CHECK_INT(number(upload, COSSLICE_INFO_OS_ERROR), os_error);
    check_message(upload);
    cosslice_upload_free(upload);
    cosslice_config_free(config);
    CHECK_INT(emulator_status(&emulator, "/file"), 404);
}

/* More or fewer bytes than init was told, or other bytes than were hashed. */
static void check_source_changed(void)
{
    static const struct {
        const char *what;
        uint64_t announced;
        size_t hashed, fed;
    } rows[] = {
        {"one byte too many", 2 * 1048576, 0, 2 * 1048576 + 1},
        {"one byte too many for an empty object", 0, 0, 1},
        {"one byte too few", 2 * 1048576, 0, 2 * 1048576 - 1},
        {"nothing at all", 10, 0, 0},
        {"announced fewer than hashed", 1048576, 1048577, 0},
        {"announced more than hashed", 1048577, 1048576, 0},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        cosslice_config *config = emulator_config(&emulator);
        cosslice_upload *upload;
        cosslice_status status;
        char path[32];

        check_case("%s", rows[i].what);
        snprintf(path, sizeof path, "/changed-%zu", i); /* what a failed upload left behind is in nobody's way */
        upload = new_upload(config, path);
        if (rows[i].hashed)
            CHECK_INT(cosslice_upload_hash(upload, data, rows[i].hashed), COSSLICE_OK);
        status = cosslice_upload_init(upload, rows[i].announced);
        if (status == COSSLICE_OK)
            status = cosslice_upload_feed(upload, data, rows[i].fed);
        if (status == COSSLICE_OK)
            status = cosslice_upload_finish(upload);
        CHECK_INT(status, COSSLICE_E_SOURCE_CHANGED);
        check_message(upload);
        cosslice_upload_free(upload);
        cosslice_config_free(config);
        CHECK(emulator_status(&emulator, path) != 200);
    }

    check_case("other bytes than hashed");
    cosslice_config *config = emulator_config(&emulator);
    cosslice_upload *upload = new_upload(config, "/changed-bytes");
    cosslice_status status;
    bytes_make(5, 0, data, LEN); /* not known to the server, or it would be an instant upload */
    CHECK_INT(cosslice_upload_hash(upload, data, LEN), COSSLICE_OK);
    status = cosslice_upload_init(upload, LEN);
    data[LEN / 2] ^= 1;
    if (status == COSSLICE_OK)
        status = cosslice_upload_feed(upload, data, LEN);
    if (status == COSSLICE_OK)
        status = cosslice_upload_finish(upload);
    data[LEN / 2] ^= 1;
    CHECK_INT(status, COSSLICE_E_SOURCE_CHANGED);
    check_message(upload);
    cosslice_upload_free(upload);
    cosslice_config_free(config);
    CHECK(emulator_status(&emulator, "/changed-bytes") != 200);
}

int main(void)
{
    char name[300];

    emulator_start(&emulator, NULL);
    bytes_make(9, 0, data, LEN);
    check_wrong_key();
    check_wrong_bucket();
    check_existing(1000);
    check_existing(LEN);
    check_conflict();
    check_unreachable();
    check_reply("HTML instead of JSON",
                "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 44\r\n\r\n<html><body>Please log in here</body></html>", 200);
    check_reply("an error page", "HTTP/1.1 404 Not Found\r\nContent-Length: 9\r\n\r\nnot found", 404);
    check_reply("cut JSON", "HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{\"code\":0,\"message\":", 200);
    check_reply("an empty reply", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 200);
    check_reply("JSON that says nothing", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", 200);
    check_reply("not HTTP", "220 mail.example.com ESMTP\r\n", 0);
    check_silence();
    check_no_tls();
    check_file("no such file", "/nonexistent/file", ENOENT);
    check_file("a directory", emulator.dir, 0);
    snprintf(name, sizeof name, "%s/dangling", emulator.dir);
    CHECK_INT(symlink("nowhere", name), 0);
    check_file("a dangling link", name, ENOENT);
    check_source_changed();
    emulator_stop(&emulator);
    return check_finish();
}
