/*
 * upload: the library at work.
 *
 *   upload empty                                        only links the library
 *   upload file   --file F ENDPOINT [OPTIONS]
 *   upload buffer --file F ENDPOINT [OPTIONS]           from memory that was filled before the clock starts
 *   upload feed   --file F [--piece BYTES] ENDPOINT [OPTIONS]
 *   upload small  --count N --bytes B ENDPOINT [OPTIONS]  so many objects one after the other over one config
 *
 *   ENDPOINT      --endpoint http://H:P/files/v2 [--path /name] [--ca PEM-FILE]
 *   OPTIONS       [--hash 0|1] [--verify 0|1] [--in-flight N] [--overwrite 0|1|2]
 */
#include "common.h"

#include <cosslice.h>

static void check(cosslice_status status, const char *what, const char *message)
{
    if (status != COSSLICE_OK) {
        errno = 0;
        die("%s: %s: %s", what, cosslice_status_str(status), message);
    }
}

static cosslice_config *configure(int argc, char **argv)
{
    static const struct { const char *name; uint32_t option; uint64_t fallback; } numbers[] = {
        {"hash", COSSLICE_OPT_HASH, 1},
        {"verify", COSSLICE_OPT_VERIFY, 1},
        {"in-flight", COSSLICE_OPT_IN_FLIGHT, 4},
        {"overwrite", COSSLICE_OPT_OVERWRITE, 0},
    };
    const struct { uint32_t option; const char *value; } texts[] = {
        {COSSLICE_OPT_APP_ID, "1250000000"},
        {COSSLICE_OPT_BUCKET, "bkt"},
        {COSSLICE_OPT_SECRET_ID, "AKIDEXAMPLE"},
        {COSSLICE_OPT_SECRET_KEY, "examplesecretkey"},
        {COSSLICE_OPT_ENDPOINT, text_argument(argc, argv, "endpoint", "")},
    };
    const char *ca = argument(argc, argv, "ca");
    cosslice_config *config;

    check(cosslice_config_new(&config), "config", "");
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        check(cosslice_config_set_str(config, texts[i].option, texts[i].value), "option", cosslice_config_message(config));
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        check(cosslice_config_set_u64(config, numbers[i].option,
                                      number_argument(argc, argv, numbers[i].name, numbers[i].fallback)),
              numbers[i].name, cosslice_config_message(config));
    if (ca) {
        static char pem[64 << 10];
        uint64_t size;
        int file = open_file(ca, &size);
        if (size >= sizeof pem)
            die("--ca is too large");
        read_fully(file, pem, (size_t)size, 0);
        close(file);
        check(cosslice_config_set_str(config, COSSLICE_OPT_CA_PEM, pem), "ca", cosslice_config_message(config));
    }
    return config;
}

static cosslice_upload *begin(const cosslice_config *config, const char *path)
{
    cosslice_upload *upload;

    check(cosslice_upload_new(config, path, &upload), "upload", cosslice_config_message(config));
    return upload;
}

static void end(cosslice_upload *upload, cosslice_status status)
{
    check(status, "upload", cosslice_upload_get_str(upload, COSSLICE_INFO_MESSAGE));
    if (cosslice_upload_get_i64(upload, COSSLICE_INFO_RETRIES) != 0)
        fprintf(stderr, "upload: %lld requests were sent again\n",
                (long long)cosslice_upload_get_i64(upload, COSSLICE_INFO_RETRIES));
    cosslice_upload_free(upload);
}

static cosslice_status feed(cosslice_upload *upload, int file, uint64_t size, size_t piece)
{
    char *buffer = aligned_alloc(4096, piece); /* see the README: some CPUs copy slowly to odd places */
    cosslice_status status = cosslice_upload_init(upload, size);

    for (uint64_t at = 0; at < size && status == COSSLICE_OK;) {
        size_t now = size - at < piece ? (size_t)(size - at) : piece;
        read_fully(file, buffer, now, at);
        status = cosslice_upload_feed(upload, buffer, now);
        at += now;
    }
    if (status == COSSLICE_OK)
        status = cosslice_upload_finish(upload);
    free(buffer);
    return status;
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    const char *path = text_argument(argc, argv, "path", "/bench");
    const char *name = text_argument(argc, argv, "file", "");
    struct cost cost;

    if (strcmp(what, "empty") == 0) {
        cost_start(&cost);
        if (cosslice_abi_version() != COSSLICE_ABI_VERSION)
            die("another library");
    } else if (strcmp(what, "small") == 0) {
        uint64_t count = number_argument(argc, argv, "count", 1000), bytes = number_argument(argc, argv, "bytes", 4096);
        char *memory = malloc(bytes), object[512];
        memset(memory, 'x', bytes);
        cost_start(&cost);
        cosslice_config *config = configure(argc, argv);
        for (uint64_t i = 0; i < count; i++) {
            snprintf(object, sizeof object, "%s-%llu", path, (unsigned long long)i);
            cosslice_upload *upload = begin(config, object);
            end(upload, cosslice_upload_buffer(upload, memory, bytes));
        }
        cosslice_config_free(config);
    } else {
        uint64_t size;
        int file = open_file(name, &size);
        char *memory = NULL;
        if (strcmp(what, "buffer") == 0) {
            memory = malloc(size);
            read_fully(file, memory, size, 0);
        }
        cost_start(&cost);
        cosslice_config *config = configure(argc, argv);
        cosslice_upload *upload = begin(config, path);
        if (strcmp(what, "file") == 0)
            end(upload, cosslice_upload_file(upload, name));
        else if (memory)
            end(upload, cosslice_upload_buffer(upload, memory, size));
        else if (strcmp(what, "feed") == 0)
            end(upload, feed(upload, file, size, (size_t)number_argument(argc, argv, "piece", MIB)));
        else
            die("upload empty|file|buffer|feed|small");
        cosslice_config_free(config);
    }
    cost_print(&cost, "");
    return 0;
}
