/* Signatures: those that cosslice_config_sign makes, and those that a callback gives. */
#define _POSIX_C_SOURCE 200809L

#include "bytes.h"
#include "check.h"
#include "emulator.h"
#include "peer.h"
#include "sha1.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define RAW_PATH "/dir/a b+\xe4\xb8\xad.txt"
#define FILE_ID "/1250000000/bkt/dir/a%20b%2B%E4%B8%AD.txt"

enum { LEN = 12 * 1048576 + 7 };

static struct emulator emulator;
static unsigned char data[LEN];

/* Splits a signature into its MAC and its text; the MAC must be right for the key "examplesecretkey". */
static bool open_signature(const char *signature, char *text, size_t size)
{
    unsigned char raw[1024], mac[20];
    size_t len = strlen(signature) < sizeof raw ? base64_decode(signature, raw) : 0;

    if (!CHECK(len > 20 && len - 20 < size))
        return false;
    memcpy(text, raw + 20, len - 20);
    text[len - 20] = 0;
    sha1_hmac("examplesecretkey", raw + 20, len - 20, mac);
    return CHECK(memcmp(mac, raw, 20) == 0);
}

/* The test's own reckoning against known signatures, so that a mistake in it does not pass for one of the library. */
static void check_vectors(void)
{
    static const struct {
        const char *signature, *text;
    } vectors[] = {
        {"s4g8BJ/dTXK536Q0L0nOO4G35PZhPTEyNTAwMDAwMDAmaz1BS0lERVhBTVBMRSZlPTE1MDAwMDAzMDAmdD0xNTAwMDAwMDAwJnI9MTIzNDU2Nzg5MCZmPSZiPWJrdA==",
         "a=1250000000&k=AKIDEXAMPLE&e=1500000300&t=1500000000&r=1234567890&f=&b=bkt"},
        {"L5wxXeFStjEfcWlcosIHkCwgeTthPTEyNTAwMDAwMDAmaz1BS0lERVhBTVBMRSZlPTE1MDAwMDAzMDAmdD0xNTAwMDAwMDAwJnI9MTIzNDU2Nzg5MCZmPS8x"
         "MjUwMDAwMDAwL2JrdC9kaXIvYSUyMGIlMkIlRTQlQjglQUQudHh0JmI9Ymt0",
         "a=1250000000&k=AKIDEXAMPLE&e=1500000300&t=1500000000&r=1234567890&f=" FILE_ID "&b=bkt"},
        {"fvOTe8VJaT2BSw39uptanercrJ9hPTEyNTAwMDAwMDAmaz1BS0lERVhBTVBMRSZlPTAmdD0xNTAwMDAwMDAwJnI9MTIzNDU2Nzg5MCZmPS8xMjUwMDAwMDAw"
         "L2JrdC9kaXIvYSUyMGIlMkIlRTQlQjglQUQudHh0JmI9Ymt0",
         "a=1250000000&k=AKIDEXAMPLE&e=0&t=1500000000&r=1234567890&f=" FILE_ID "&b=bkt"},
    };
    char text[1024];

    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        check_case("known signature %zu", i);
        if (open_signature(vectors[i].signature, text, sizeof text))
            CHECK_TEXT(text, vectors[i].text);
    }
}

static void check_sign(uint64_t lifetime_s)
{
    cosslice_config *config = endpoint_config("http://127.0.0.1:1/files/v2");
    uint64_t before = (uint64_t)time(NULL), expires_at_s = lifetime_s ? before + lifetime_s : 0, e = 1, t = 0, r = 0;
    char signature[1024], again[1024], text[1024], want[1024], small[1024];
    size_t len = 0, again_len = 0, small_len = 0;

    check_case("config_sign, %s", lifetime_s ? "for some time" : "for one use");
    CHECK_INT(cosslice_config_sign(config, RAW_PATH, expires_at_s, signature, sizeof signature, &len), COSSLICE_OK);
    CHECK_INT(len, strlen(signature));
    if (open_signature(signature, text, sizeof text)) {
        CHECK_INT(sscanf(text, "a=1250000000&k=AKIDEXAMPLE&e=%" SCNu64 "&t=%" SCNu64 "&r=%" SCNu64 "&", &e, &t, &r), 3);
        snprintf(want, sizeof want, "a=1250000000&k=AKIDEXAMPLE&e=%" PRIu64 "&t=%" PRIu64 "&r=%" PRIu64 "&f=%s&b=bkt", e, t, r, FILE_ID);
        CHECK_TEXT(text, want);
        CHECK_INT(e, expires_at_s);
        CHECK(t >= before && t <= (uint64_t)time(NULL));
        CHECK(r <= UINT64_C(9999999999)); /* ten digits at most */
    }

    CHECK_INT(cosslice_config_sign(config, RAW_PATH, expires_at_s, again, sizeof again, &again_len), COSSLICE_OK);
    CHECK(strcmp(signature, again) != 0); /* another r: the server remembers one-time ones */

    /* A buffer that is too small gets nothing but tells the length. Lengths vary with r, hence the margin. */
    memset(small, 'x', sizeof small);
    CHECK(cosslice_config_sign(config, RAW_PATH, expires_at_s, small, 20, &small_len) != COSSLICE_OK);
    CHECK(small_len + 20 > len && small_len < len + 20);
    CHECK(memchr(small, 'x', sizeof small) == small);
    small_len = 0;
    CHECK(cosslice_config_sign(config, RAW_PATH, expires_at_s, NULL, 0, &small_len) != COSSLICE_OK);
    CHECK(small_len + 20 > len && small_len < len + 20);
    cosslice_config_free(config);
}

static void check_sign_refused(void)
{
    cosslice_config *config = endpoint_config("http://127.0.0.1:1/files/v2");
    uint64_t now = (uint64_t)time(NULL);
    char out[1024] = "same";
    size_t len = 77;

    check_case("config_sign refuses what makes no signature");
    CHECK_INT(cosslice_config_sign(config, "no-slash", now + 300, out, sizeof out, &len), COSSLICE_E_INVALID_ARG);
    CHECK_INT(cosslice_config_sign(config, "/bad\xff", now + 300, out, sizeof out, &len), COSSLICE_E_INVALID_ARG);
    CHECK_INT(cosslice_config_set_str(config, COSSLICE_OPT_SECRET_KEY, ""), COSSLICE_OK);
    CHECK_INT(cosslice_config_sign(config, "/name", now + 300, out, sizeof out, &len), COSSLICE_E_INVALID_ARG);
    CHECK(strlen(cosslice_config_message(config)) > 10);
    CHECK_TEXT(out, "same");
    CHECK_INT(len, 77);
    cosslice_config_free(config);
}

/* ---- signers ---- */

struct signer {
    cosslice_config *keys;
    pthread_t caller;
    unsigned asked, released;
    enum { GOOD, REFUSE, GARBAGE, INJECT, EXPIRED, EXPIRED_ONCE, LONG_ONCE, TOO_LONG } manner;
    bool fields;
};

static size_t sign(void *user, const cosslice_sign_request *request, char *out, size_t out_size)
{
    struct signer *signer = user;
    uint64_t now = (uint64_t)time(NULL), now_s = cosslice_sign_get_u64(request, COSSLICE_SIGN_NOW_S);
    uint64_t expires_at_s = cosslice_sign_get_u64(request, COSSLICE_SIGN_EXPIRES_AT_S);
    size_t len = 0;

    signer->asked++;
    CHECK(pthread_equal(pthread_self(), signer->caller));
    if (signer->fields) {
        CHECK_TEXT(cosslice_sign_get_str(request, COSSLICE_SIGN_APP_ID), "1250000000");
        CHECK_TEXT(cosslice_sign_get_str(request, COSSLICE_SIGN_BUCKET), "bkt");
        CHECK_TEXT(cosslice_sign_get_str(request, COSSLICE_SIGN_PATH), RAW_PATH);
        CHECK_TEXT(cosslice_sign_get_str(request, COSSLICE_SIGN_FILE_ID), FILE_ID);
        CHECK(strncmp(cosslice_sign_get_str(request, COSSLICE_SIGN_OP), "upload", 6) == 0);
        CHECK(now_s + 5 >= now && now_s <= now + 5);
        CHECK(expires_at_s >= now_s + 600 - 5 && expires_at_s <= now_s + 600 + 5);
        CHECK_TEXT(cosslice_sign_get_str(request, 999), "");
        CHECK_INT(cosslice_sign_get_u64(request, 999), 0);
    }
    switch (signer->manner) {
    case REFUSE:
        return 0;
    case GARBAGE:
        return (size_t)snprintf(out, out_size, "this is no signature");
    case INJECT:
        return (size_t)snprintf(out, out_size, "x\r\nX-Injected: yes");
    case EXPIRED_ONCE:
        if (signer->asked > 1)
            break;
        expires_at_s = now - 10;
        break;
    case EXPIRED:
        expires_at_s = now - 10;
        break;
    case LONG_ONCE: /* as if this signature needed more room than was offered */
        if (signer->asked == 1)
            return out_size + 100;
        CHECK(out_size > 1000);
        break;
    case TOO_LONG:
        return SIZE_MAX;
    case GOOD:
        break;
    }
    cosslice_config_sign(signer->keys, cosslice_sign_get_str(request, COSSLICE_SIGN_PATH), expires_at_s, out, out_size, &len);
    return len;
}

static void release(void *user)
{
    ((struct signer *)user)->released++;
}

/* Uploads with such a signer to `endpoint` and returns the handle after the call. */
static cosslice_upload *upload_with(struct signer *signer, const char *endpoint, const char *path, size_t len, cosslice_status want)
{
    cosslice_config *config = endpoint_config(endpoint);
    cosslice_upload *upload;

    signer->caller = pthread_self();
    signer->keys = endpoint_config(endpoint);
    CHECK_INT(cosslice_config_set_str(config, COSSLICE_OPT_SECRET_ID, ""), COSSLICE_OK);
    CHECK_INT(cosslice_config_set_str(config, COSSLICE_OPT_SECRET_KEY, ""), COSSLICE_OK);
    CHECK_INT(cosslice_config_set_u64(config, COSSLICE_OPT_SIGN_TTL_S, 600), COSSLICE_OK);
    CHECK_INT(cosslice_config_set_signer(config, sign, signer, release), COSSLICE_OK);
    upload = new_upload(config, path);
    cosslice_config_free(config);
    CHECK_INT(cosslice_upload_buffer(upload, data, len), want);
    if (want != COSSLICE_OK) {
        CHECK(strlen(cosslice_upload_get_str(upload, COSSLICE_INFO_MESSAGE)) > 10);
        printf("       message: %s\n", cosslice_upload_get_str(upload, COSSLICE_INFO_MESSAGE));
    }
    CHECK_INT(signer->released, 0);
    return upload;
}

static void end_with(struct signer *signer, cosslice_upload *upload)
{
    cosslice_upload_free(upload);
    CHECK_INT(signer->released, 1);
    cosslice_config_free(signer->keys);
}

static void check_signers(void)
{
    cosslice_upload *upload;

    {
        struct signer signer = {.manner = GOOD, .fields = true};
        check_case("a signer, asked seldom");
        bytes_make(1, 0, data, LEN);
        upload = upload_with(&signer, emulator.endpoint, RAW_PATH, LEN, COSSLICE_OK);
        CHECK(signer.asked >= 1 && signer.asked <= 3); /* not once per slice */
        end_with(&signer, upload);
        CHECK(emulator_has(&emulator, "/dir/a%20b%2B%E4%B8%AD.txt", 1, LEN));
    }
    {
        struct signer signer = {.manner = REFUSE};
        struct peer peer;
        check_case("a signer that refuses");
        peer_open(&peer, false);
        upload = upload_with(&signer, peer.endpoint, "/refused", 1000, COSSLICE_E_AUTH);
        CHECK(!peer_was_called(&peer));
        CHECK_INT(cosslice_upload_get_i64(upload, COSSLICE_INFO_SERVER_CODE), -1);
        CHECK_INT(cosslice_upload_get_i64(upload, COSSLICE_INFO_HTTP_STATUS), -1);
        end_with(&signer, upload);
        peer_close(&peer);
    }
    {
        struct signer signer = {.manner = GARBAGE};
        check_case("a signer that gives garbage");
        upload = upload_with(&signer, emulator.endpoint, "/garbage", 1000, COSSLICE_E_AUTH);
        end_with(&signer, upload);
    }
    {
        struct signer signer = {.manner = INJECT};
        struct peer peer;
        check_case("a signature with a line break in it");
        peer_open(&peer, false);
        upload = upload_with(&signer, peer.endpoint, "/inject", 1000, COSSLICE_E_AUTH);
        CHECK(!peer_was_called(&peer));
        end_with(&signer, upload);
        peer_close(&peer);
    }
    {
        struct signer signer = {.manner = TOO_LONG};
        check_case("a signature of absurd length");
        upload = upload_with(&signer, emulator.endpoint, "/too-long", 1000, COSSLICE_E_AUTH);
        end_with(&signer, upload);
    }
    {
        struct signer signer = {.manner = LONG_ONCE};
        check_case("a signature that needs more room");
        upload = upload_with(&signer, emulator.endpoint, "/long", 1000, COSSLICE_OK);
        CHECK_INT(signer.asked, 2);
        end_with(&signer, upload);
    }
    {
        struct signer signer = {.manner = EXPIRED_ONCE};
        check_case("an expired signature is asked for once more");
        upload = upload_with(&signer, emulator.endpoint, "/expired-once", 1000, COSSLICE_OK);
        CHECK_INT(signer.asked, 2);
        end_with(&signer, upload);
    }
    {
        struct signer signer = {.manner = EXPIRED};
        check_case("expired signatures only");
        upload = upload_with(&signer, emulator.endpoint, "/expired", 1000, COSSLICE_E_AUTH);
        CHECK_INT(signer.asked, 2);
        int64_t code = cosslice_upload_get_i64(upload, COSSLICE_INFO_SERVER_CODE);
        CHECK(code == -59 || code == -96);
        end_with(&signer, upload);
    }
}

int main(void)
{
    emulator_start(&emulator, NULL);
    check_vectors();
    check_sign(0);
    check_sign(300);
    check_sign_refused();
    check_signers();
    emulator_stop(&emulator);
    return check_finish();
}
