/* Names of objects: what is taken arrives under exactly that name, what is refused causes no traffic. */
#include "bytes.h"
#include "check.h"
#include "emulator.h"
#include "peer.h"

#include <stdio.h>
#include <string.h>

static void check_taken(const struct emulator *emulator)
{
    static const struct {
        const char *name, *encoded;
    } names[] = {
        {"/plain.bin", "/plain.bin"},
        {"/a b  c", "/a%20b%20%20c"},
        {"/ lead and trail ", "/%20lead%20and%20trail%20"},
        {"/1+1=2", "/1%2B1%3D2"},
        {"/~home/-_.~", "/~home/-_.~"},
        {"/100%", "/100%25"},
        {"/not%20decoded", "/not%2520decoded"},
        {"/...", "/..."},
        {"/.hidden/..two/x.", "/.hidden/..two/x."},
        {"/!'()&$@,;#[]{}^`", "/%21%27%28%29%26%24%40%2C%3B%23%5B%5D%7B%7D%5E%60"},
        {"/\xe4\xb8\xad\xe6\x96\x87/\xe6\x96\x87\xe4\xbb\xb6.txt", "/%E4%B8%AD%E6%96%87/%E6%96%87%E4%BB%B6.txt"},
        {"/\xf0\x9f\x9a\x80 caf\xc3\xa9", "/%F0%9F%9A%80%20caf%C3%A9"},
    };
    unsigned char data[1000];

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        cosslice_config *config = emulator_config(emulator);
        cosslice_upload *upload = NULL;

        check_case("name \"%s\"", names[i].name);
        bytes_make(i + 1, 0, data, sizeof data);
        CHECK_INT(cosslice_upload_new(config, names[i].name, &upload), COSSLICE_OK);
        if (!CHECK_INT(cosslice_upload_buffer(upload, data, sizeof data), COSSLICE_OK))
            printf("       %s\n", cosslice_upload_get_str(upload, COSSLICE_INFO_MESSAGE));
        CHECK(emulator_has(emulator, names[i].encoded, i + 1, sizeof data));
        cosslice_upload_free(upload);
        cosslice_config_free(config);
    }
}

static void check_refused(void)
{
    static const char *const names[] = {
        "",        "name",      "dir/name", "/",          "/dir/",   "//name",     "/dir//name", "/./name", "/name/.",    "/../name",
        "/dir/..", "/what?",    "/a*",      "/c:name",    "/a|b",    "/back\\slash", "/a<b",     "/a>b",    "/\"quoted\"", "/line\nbreak",
        "/tab\t",  "/delete\x7f", "/\x01",  "/bad\xff",   "/cut\xe4\xb8", "/long\xc0\xaf", "/surrogate\xed\xa0\x80", "/\xc2\x85",
    };
    struct peer peer;
    cosslice_config *config;

    peer_open(&peer, false);
    config = endpoint_config(peer.endpoint);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        cosslice_upload *upload = (cosslice_upload *)config; /* must become NULL */

        check_case("refused name %zu", i);
        CHECK_INT(cosslice_upload_new(config, names[i], &upload), COSSLICE_E_INVALID_ARG);
        CHECK(upload == NULL);
        CHECK(strlen(cosslice_config_message(config)) > 10);
    }
    check_case("refused names cause no traffic");
    CHECK(!peer_was_called(&peer));

    check_case("the configuration is still good after refusing");
    cosslice_upload *upload = NULL;
    CHECK_INT(cosslice_upload_new(config, "/name", &upload), COSSLICE_OK);
    CHECK_TEXT(cosslice_config_message(config), "");
    cosslice_upload_free(upload);
    cosslice_config_free(config);
    peer_close(&peer);
}

static void check_missing_settings(void)
{
    static const uint32_t options[] = {COSSLICE_OPT_APP_ID, COSSLICE_OPT_BUCKET, COSSLICE_OPT_ENDPOINT, COSSLICE_OPT_SECRET_ID,
                                       COSSLICE_OPT_SECRET_KEY};

    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        cosslice_config *config = endpoint_config("http://127.0.0.1:1/files/v2");
        cosslice_upload *upload = NULL;

        check_case("setting %u is missing", (unsigned)options[i]);
        CHECK_INT(cosslice_config_set_str(config, options[i], ""), COSSLICE_OK);
        CHECK_INT(cosslice_upload_new(config, "/name", &upload), COSSLICE_E_INVALID_ARG);
        CHECK(upload == NULL);
        CHECK(strlen(cosslice_config_message(config)) > 10);
        cosslice_config_free(config);
    }

    check_case("a region stands for an endpoint, a ready-made signature for a key pair");
    cosslice_config *config = endpoint_config("http://127.0.0.1:1/files/v2");
    cosslice_upload *upload = NULL;
    CHECK_INT(cosslice_config_set_str(config, COSSLICE_OPT_ENDPOINT, ""), COSSLICE_OK);
    CHECK_INT(cosslice_config_set_str(config, COSSLICE_OPT_REGION, "sh"), COSSLICE_OK);
    CHECK_INT(cosslice_config_set_str(config, COSSLICE_OPT_SECRET_ID, ""), COSSLICE_OK);
    CHECK_INT(cosslice_config_set_str(config, COSSLICE_OPT_SECRET_KEY, ""), COSSLICE_OK);
    CHECK_INT(cosslice_config_set_str(config, COSSLICE_OPT_AUTHORIZATION, "c2lnbmF0dXJlIG9mIHNvbWVib2R5IGVsc2U="), COSSLICE_OK);
    CHECK_INT(cosslice_upload_new(config, "/name", &upload), COSSLICE_OK);
    cosslice_upload_free(upload);
    cosslice_config_free(config);
}

int main(void)
{
    struct emulator emulator;

    emulator_start(&emulator, NULL);
    check_taken(&emulator);
    check_refused();
    check_missing_settings();
    emulator_stop(&emulator);
    return check_finish();
}
