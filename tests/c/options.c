/* Every option: what it takes, what it refuses, and that a refusal changes nothing else. */
#include "check.h"
#include "emulator.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const uint32_t texts[] = {COSSLICE_OPT_APP_ID,        COSSLICE_OPT_BUCKET,        COSSLICE_OPT_REGION,   COSSLICE_OPT_ENDPOINT,
                                 COSSLICE_OPT_SECRET_ID,     COSSLICE_OPT_SECRET_KEY,    COSSLICE_OPT_AUTHORIZATION,
                                 COSSLICE_OPT_BIZ_ATTR,      COSSLICE_OPT_RESUME_TOKEN,  COSSLICE_OPT_CA_PEM,
                                 COSSLICE_OPT_PROXY,         COSSLICE_OPT_USER_AGENT};

static const struct {
    uint32_t option;
    uint64_t min, max;
} numbers[] = {
    {COSSLICE_OPT_SLICE_SIZE, 64 << 10, 64 << 20},
    {COSSLICE_OPT_IN_FLIGHT, 1, 64},
    {COSSLICE_OPT_RETRIES, 0, 100},
    {COSSLICE_OPT_CONNECT_TIMEOUT_MS, 100, 600000},
    {COSSLICE_OPT_IO_TIMEOUT_MS, 100, 3600000},
    {COSSLICE_OPT_SIGN_TTL_S, 60, 90 * 86400},
    {COSSLICE_OPT_OVERWRITE, 0, 2},
    {COSSLICE_OPT_RESUME, 0, 1},
    {COSSLICE_OPT_HASH, 0, 1},
    {COSSLICE_OPT_VERIFY, 0, 1},
    {COSSLICE_OPT_SINGLE_MAX, 0, 20 << 20},
    {COSSLICE_OPT_BANDWIDTH, 0, (uint64_t)1 << 40},
};

static void check_refused(cosslice_config *config, cosslice_status status)
{
    CHECK_INT(status, COSSLICE_E_INVALID_ARG);
    CHECK(strlen(cosslice_config_message(config)) > 10);
}

static void check_numbers(cosslice_config *config)
{
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        uint32_t option = numbers[i].option;

        check_case("number %u: %" PRIu64 " to %" PRIu64, (unsigned)option, numbers[i].min, numbers[i].max);
        CHECK_INT(cosslice_config_set_u64(config, option, numbers[i].min), COSSLICE_OK);
        CHECK_TEXT(cosslice_config_message(config), "");
        CHECK_INT(cosslice_config_set_u64(config, option, numbers[i].max), COSSLICE_OK);
        check_refused(config, cosslice_config_set_u64(config, option, numbers[i].max + 1));
        check_refused(config, cosslice_config_set_u64(config, option, UINT64_MAX));
        if (numbers[i].min > 0) {
            check_refused(config, cosslice_config_set_u64(config, option, numbers[i].min - 1));
            check_refused(config, cosslice_config_set_u64(config, option, 0));
        }
        check_refused(config, cosslice_config_set_str(config, option, "1"));
    }
}

static void check_texts(cosslice_config *config)
{
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        check_case("text %u", (unsigned)texts[i]);
        CHECK_INT(cosslice_config_set_str(config, texts[i], ""), COSSLICE_OK);
        check_refused(config, cosslice_config_set_str(config, texts[i], NULL));
        check_refused(config, cosslice_config_set_str(config, texts[i], "bad \xff UTF-8"));
        check_refused(config, cosslice_config_set_u64(config, texts[i], 1));
    }
}

static void check_bad_texts(cosslice_config *config)
{
    static const struct {
        uint32_t option;
        const char *value;
    } rows[] = {
        {COSSLICE_OPT_APP_ID, "12a"},
        {COSSLICE_OPT_APP_ID, "12&b=x"},
        {COSSLICE_OPT_BUCKET, "a/b"},
        {COSSLICE_OPT_BUCKET, ".."},
        {COSSLICE_OPT_BUCKET, "a b"},
        {COSSLICE_OPT_REGION, "sh.example.com/"},
        {COSSLICE_OPT_REGION, "sh@host"},
        {COSSLICE_OPT_ENDPOINT, "no-scheme.example.com"},
        {COSSLICE_OPT_ENDPOINT, "ftp://127.0.0.1/"},
        {COSSLICE_OPT_ENDPOINT, "http://"},
        {COSSLICE_OPT_ENDPOINT, "http://127.0.0.1/?x=1"},
        {COSSLICE_OPT_ENDPOINT, "http://user:pass@127.0.0.1/"},
        {COSSLICE_OPT_ENDPOINT, "http://127.0.0.1/a b"},
        {COSSLICE_OPT_ENDPOINT, "http://127.0.0.1/\r\nx: y"},
        {COSSLICE_OPT_SECRET_ID, "id&k=other"},
        {COSSLICE_OPT_SECRET_ID, "two words"},
        {COSSLICE_OPT_SECRET_KEY, "line\nbreak"},
        {COSSLICE_OPT_AUTHORIZATION, "line\r\nHeader: injected"},
        {COSSLICE_OPT_USER_AGENT, "line\r\nHeader: injected"},
        {COSSLICE_OPT_RESUME_TOKEN, "not a token"},
        {COSSLICE_OPT_CA_PEM, "not a certificate"},
        {COSSLICE_OPT_CA_PEM, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"},
        {COSSLICE_OPT_PROXY, "not a proxy"},
        {COSSLICE_OPT_PROXY, "gopher://127.0.0.1:70"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        check_case("text %u refuses row %zu", (unsigned)rows[i].option, i);
        check_refused(config, cosslice_config_set_str(config, rows[i].option, rows[i].value));
        /* A secret pasted into the wrong place must not come back in a message. */
        CHECK(strlen(rows[i].value) < 5 || !strstr(cosslice_config_message(config), rows[i].value));
    }

    char *huge = malloc((2 << 20) + 1);
    if (!huge)
        check_give_up("no memory");
    memset(huge, 'x', 2 << 20);
    huge[2 << 20] = 0;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        check_case("text %u refuses 2 MiB", (unsigned)texts[i]);
        check_refused(config, cosslice_config_set_str(config, texts[i], huge));
    }
    free(huge);
}

static void check_unknown(cosslice_config *config)
{
    static const uint32_t unknown[] = {0, 13, 99, 100, 113, UINT32_MAX};

    for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++) {
        check_case("there is no option %u", (unsigned)unknown[i]);
        CHECK_INT(cosslice_config_set_u64(config, unknown[i], 1), COSSLICE_E_UNKNOWN_OPTION);
        CHECK_INT(cosslice_config_set_str(config, unknown[i], "x"), COSSLICE_E_UNKNOWN_OPTION);
        CHECK(strlen(cosslice_config_message(config)) > 10);
    }
}

static void check_library(void)
{
    check_case("the library tells its version");
    CHECK_INT(cosslice_abi_version(), COSSLICE_ABI_VERSION);
    CHECK(strchr(cosslice_version(), '.') != NULL);

    check_case("every status has a text of its own");
    for (cosslice_status status = COSSLICE_E_NOT_FOUND; status <= COSSLICE_OK; status++) {
        CHECK(*cosslice_status_str(status));
        for (cosslice_status other = COSSLICE_E_NOT_FOUND; other < status; other++)
            CHECK(strcmp(cosslice_status_str(status), cosslice_status_str(other)) != 0);
    }
    CHECK(*cosslice_status_str(COSSLICE_E_PANIC));
    CHECK(*cosslice_status_str(12345));
    CHECK(*cosslice_status_str(INT32_MIN));
}

int main(void)
{
    cosslice_config *config = NULL;

    if (cosslice_config_new(&config) != COSSLICE_OK)
        check_give_up("no configuration");
    check_numbers(config);
    check_texts(config);
    check_bad_texts(config);
    check_unknown(config);
    cosslice_config_free(config);
    check_library();
    return check_finish();
}
