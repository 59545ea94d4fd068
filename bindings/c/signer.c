/*
 * Uploading without the key: the signatures come from somebody else.
 *
 *     signer FILE /uploads/name
 *
 * Two halves in one program. The *server* knows the key and decides what it signs. The *device* uploads and knows
 * no key: its signer callback asks the server, in real life by one HTTPS request of your own protocol, here by a call.
 */
#define _POSIX_C_SOURCE 200809L

#include <cosslice.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the server's half: has the key, never uploads ---- */

/* Returns the length of the signature as snprintf would, or 0 to refuse. */
static size_t server_sign(const cosslice_config *keys, const char *op, const char *path, uint64_t expires_at_s, char *out,
                          size_t out_size)
{
    size_t len = 0;

    /* The policy is yours: this one lets devices add files under /uploads/ and delete nothing (0 means one-time). */
    if (strncmp(path, "/uploads/", 9) != 0 || expires_at_s == 0) {
        printf("server: refused to sign %s of %s\n", op, path);
        return 0;
    }
    /* If the signature does not fit, `len` still says how much room it needs; any other failure leaves it 0. */
    if (cosslice_config_sign(keys, path, expires_at_s, out, out_size, &len) != COSSLICE_OK && len == 0)
        printf("server: cannot sign: %s\n", cosslice_config_message(keys));
    return len;
}

/* ---- the device's half: uploads, has no key ---- */

struct session {
    const cosslice_config *server; /* stands for a connection to your server */
    unsigned asked;
};

/*
 * The library keeps the signature and asks again shortly before the moment it was asked to last until, so this runs
 * once per some minutes and not once per slice. It runs on the thread that is inside cosslice_upload_file.
 */
static size_t sign(void *user, const cosslice_sign_request *request, char *out, size_t out_size)
{
    struct session *session = user;
    const char *op = cosslice_sign_get_str(request, COSSLICE_SIGN_OP);
    uint64_t expires_at_s = cosslice_sign_get_u64(request, COSSLICE_SIGN_EXPIRES_AT_S);
    uint64_t now_s = cosslice_sign_get_u64(request, COSSLICE_SIGN_NOW_S);

    session->asked++;
    printf("device: needs a signature for %s of %s", op, cosslice_sign_get_str(request, COSSLICE_SIGN_FILE_ID));
    if (expires_at_s > 0)
        printf(", good for %" PRIu64 " s\n", expires_at_s - now_s);
    else
        printf(", for one use\n");
    return server_sign(session->server, op, cosslice_sign_get_str(request, COSSLICE_SIGN_PATH), expires_at_s, out, out_size);
}

/* Called once, when neither the configuration nor an upload made from it can call the signer any more. */
static void release(void *user)
{
    struct session *session = user;
    printf("device: the signer was asked %u time%s and is released\n", session->asked, session->asked == 1 ? "" : "s");
    free(session);
}

/* ---- what both need ---- */

struct setting {
    uint32_t option;
    const char *variable;
};

static cosslice_config *configure(const struct setting *settings, size_t count)
{
    cosslice_config *config = NULL;
    cosslice_status status = cosslice_config_new(&config);

    for (size_t i = 0; status == COSSLICE_OK && i < count; i++) {
        const char *value = getenv(settings[i].variable);
        if (value)
            status = cosslice_config_set_str(config, settings[i].option, value);
    }
    if (status != COSSLICE_OK) {
        fprintf(stderr, "signer: %s: %s\n", cosslice_status_str(status), cosslice_config_message(config));
        cosslice_config_free(config);
        config = NULL;
    }
    return config;
}

int main(int argc, char **argv)
{
    static const struct setting server_settings[] = {{COSSLICE_OPT_APP_ID, "COSSLICE_APP_ID"},
                                                     {COSSLICE_OPT_BUCKET, "COSSLICE_BUCKET"},
                                                     {COSSLICE_OPT_SECRET_ID, "COSSLICE_SECRET_ID"},
                                                     {COSSLICE_OPT_SECRET_KEY, "COSSLICE_SECRET_KEY"}};
    static const struct setting device_settings[] = {{COSSLICE_OPT_APP_ID, "COSSLICE_APP_ID"},
                                                     {COSSLICE_OPT_BUCKET, "COSSLICE_BUCKET"},
                                                     {COSSLICE_OPT_REGION, "COSSLICE_REGION"},
                                                     {COSSLICE_OPT_ENDPOINT, "COSSLICE_ENDPOINT"}};
    cosslice_upload *upload = NULL;
    cosslice_status status = COSSLICE_E_NOMEM;

    if (argc != 3) {
        fprintf(stderr, "usage: signer FILE /uploads/name\n");
        return 2;
    }
    cosslice_config *server = configure(server_settings, sizeof server_settings / sizeof *server_settings);
    cosslice_config *device = configure(device_settings, sizeof device_settings / sizeof *device_settings);
    struct session *session = malloc(sizeof *session);

    if (server && device && session) {
        session->server = server;
        session->asked = 0;
        status = cosslice_config_set_signer(device, sign, session, release);
        if (status == COSSLICE_OK)
            session = NULL; /* the configuration owns it now and will call release */
        if (status == COSSLICE_OK)
            status = cosslice_upload_new(device, argv[2], &upload);
        if (status == COSSLICE_OK)
            status = cosslice_upload_file(upload, argv[1]);

        if (status == COSSLICE_OK)
            printf("device: stored as %s\n", cosslice_upload_get_str(upload, COSSLICE_INFO_ACCESS_URL));
        else
            fprintf(stderr, "signer: %s: %s\n", cosslice_status_str(status),
                    upload ? cosslice_upload_get_str(upload, COSSLICE_INFO_MESSAGE) : cosslice_config_message(device));
    }

    free(session);
    cosslice_upload_free(upload);
    cosslice_config_free(device);
    cosslice_config_free(server);
    return status == COSSLICE_OK ? 0 : 1;
}
