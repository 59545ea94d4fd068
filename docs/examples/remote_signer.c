/*
 * Uploads a file with signatures from a server of yours (bindings/python/examples/sign_server.py or bindings/node/sign_server.mjs);
 * no secret key is on this machine.
 *
 *     SIGN_URL=http://127.0.0.1:8080/sign SIGN_TOKEN=s3cret remote_signer FILE /alice/name
 *
 * cc remote_signer.c -lcosslice -lcurl
 */
#include <cosslice.h>
#include <curl/curl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct server {
    const char *url, *token, *bucket;
};

struct text {
    char bytes[8192];
    size_t len;
};

static void put(struct text *text, const char *bytes, size_t len)
{
    if (len < sizeof text->bytes - text->len) {
        memcpy(text->bytes + text->len, bytes, len);
        text->len += len;
    } else {
        text->len = sizeof text->bytes; /* too long: whoever reads it sees that */
    }
}

/* "name": "value", where the value may have any character. */
static void put_text(struct text *json, const char *name, const char *value)
{
    char escaped[8];

    put(json, "\"", 1);
    put(json, name, strlen(name));
    put(json, "\":\"", 3);
    for (; *value; value++) {
        if (*value == '"' || *value == '\\' || (unsigned char)*value < 0x20) {
            snprintf(escaped, sizeof escaped, "\\u%04x", (unsigned)(unsigned char)*value);
            put(json, escaped, 6);
        } else {
            put(json, value, 1);
        }
    }
    put(json, "\",", 2);
}

static size_t receive(char *bytes, size_t size, size_t count, void *user)
{
    put(user, bytes, size * count);
    return size * count;
}

/* The server answers {"signature": "..."}; base64 needs no unescaping. Returns as snprintf does; 0 is a refusal. */
static size_t take_signature(struct text *answer, char *out, size_t out_size)
{
    static const char name[] = "\"signature\"";
    char *start, *end;

    if (answer->len >= sizeof answer->bytes)
        return 0;
    answer->bytes[answer->len] = '\0';
    start = strstr(answer->bytes, name);
    start = start ? strchr(start + strlen(name), '"') : NULL;
    end = start ? strchr(start + 1, '"') : NULL;
    return end ? (size_t)snprintf(out, out_size, "%.*s", (int)(end - start - 1), start + 1) : 0;
}

/*
 * Runs on the thread that is inside cosslice_upload_file, about once in a quarter of an hour: a new connection each time will do.
 * Every wait in it has a limit, because a cancel cannot end a callback.
 */
static size_t sign(void *user, const cosslice_sign_request *request, char *out, size_t out_size)
{
    const struct server *server = user;
    static const char *const kind = "Content-Type: application/json";
    char bearer[512], until[64];
    struct text question = {.len = 0}, answer = {.len = 0};
    struct curl_slist *headers = NULL;
    size_t len = 0;
    long http_status = 0;
    CURL *curl = curl_easy_init();

    put(&question, "{", 1);
    put_text(&question, "path", cosslice_sign_get_str(request, COSSLICE_SIGN_PATH));
    put_text(&question, "bucket", server->bucket);
    snprintf(until, sizeof until, "\"expires_at_s\":%" PRIu64 "}", cosslice_sign_get_u64(request, COSSLICE_SIGN_EXPIRES_AT_S));
    put(&question, until, strlen(until));
    snprintf(bearer, sizeof bearer, "Authorization: Bearer %s", server->token);
    headers = curl_slist_append(curl_slist_append(NULL, kind), bearer);

    if (curl && headers && question.len < sizeof question.bytes) {
        curl_easy_setopt(curl, CURLOPT_URL, server->url);
        curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, (long)question.len);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, question.bytes);
        curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, receive);
        curl_easy_setopt(curl, CURLOPT_WRITEDATA, &answer);
        curl_easy_setopt(curl, CURLOPT_TIMEOUT, 10L);
        curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
        if (curl_easy_perform(curl) == CURLE_OK && curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &http_status) == CURLE_OK &&
            http_status == 200)
            len = take_signature(&answer, out, out_size);
        if (len == 0)
            fprintf(stderr, "remote_signer: the sign server answered with %ld\n", http_status);
    }
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);
    return len;
}

int main(int argc, char **argv)
{
    static const struct {
        uint32_t option;
        const char *variable;
    } settings[] = {{COSSLICE_OPT_APP_ID, "COSSLICE_APP_ID"},
                    {COSSLICE_OPT_BUCKET, "COSSLICE_BUCKET"},
                    {COSSLICE_OPT_REGION, "COSSLICE_REGION"},
                    {COSSLICE_OPT_ENDPOINT, "COSSLICE_ENDPOINT"}};
    struct server server = {getenv("SIGN_URL"), getenv("SIGN_TOKEN"), getenv("COSSLICE_BUCKET")};
    cosslice_config *config = NULL;
    cosslice_upload *upload = NULL;
    cosslice_status status;
    size_t i;

    if (argc != 3 || !server.url || !server.token || !server.bucket) {
        fprintf(stderr, "usage: remote_signer FILE /path, with SIGN_URL, SIGN_TOKEN and COSSLICE_BUCKET in the environment\n");
        return 2;
    }
    curl_global_init(CURL_GLOBAL_DEFAULT);
    status = cosslice_config_new(&config);
    for (i = 0; status == COSSLICE_OK && i < sizeof settings / sizeof *settings; i++)
        if (getenv(settings[i].variable))
            status = cosslice_config_set_str(config, settings[i].option, getenv(settings[i].variable));
    if (status == COSSLICE_OK)
        status = cosslice_config_set_signer(config, sign, &server, NULL);
    if (status == COSSLICE_OK)
        status = cosslice_upload_new(config, argv[2], &upload);
    if (status == COSSLICE_OK)
        status = cosslice_upload_file(upload, argv[1]);

    if (status == COSSLICE_OK)
        printf("%s\n", cosslice_upload_get_str(upload, COSSLICE_INFO_ACCESS_URL));
    else
        fprintf(stderr, "remote_signer: %s: %s\n", cosslice_status_str(status),
                upload ? cosslice_upload_get_str(upload, COSSLICE_INFO_MESSAGE) : cosslice_config_message(config));
    cosslice_upload_free(upload);
    cosslice_config_free(config);
    curl_global_cleanup();
    return status == COSSLICE_OK ? 0 : 1;
}
