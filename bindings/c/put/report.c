#define _POSIX_C_SOURCE 200809L

#include "report.h"

#include <inttypes.h>
#include <string.h>

enum { EXIT_INTERNAL = 70, EXIT_SIGNAL = 128 };

/* One table from status to exit code and advice. */
static const struct failure {
    cosslice_status status;
    int exit_code;
    const char *advice;
} failures[] = {
    {COSSLICE_E_INVALID_ARG, 2, "Correct the option, the setting or the name; --help lists them."},
    {COSSLICE_E_FILE, 3, "Check that the file is there and may be read."},
    {COSSLICE_E_SOURCE_CHANGED, 3, "The file changed while it was read. Run the command again when nothing writes to it."},
    {COSSLICE_E_NETWORK, 4, "Check the connection and the region or endpoint."},
    {COSSLICE_E_TIMEOUT, 4, "The other side is silent or too slow. Check the connection."},
    {COSSLICE_E_TLS, 4, "The server did not prove who it is. Check the endpoint and the clock; --ca names other certificates to trust."},
    {COSSLICE_E_PROTOCOL, 5, "Something other than COS answered. Check the endpoint and any proxy in between."},
    {COSSLICE_E_SERVER, 5, "COS refused the request; the server code says why."},
    {COSSLICE_E_AUTH, 6, "Check APPID, bucket, secret id and key, and this machine's clock."},
    {COSSLICE_E_EXISTS, 7, "Use --overwrite replace to replace the object, or choose another name."},
    {COSSLICE_E_CONFLICT, 8, "--overwrite discard throws the unfinished upload away and begins anew."},
    {COSSLICE_E_INTEGRITY, 9, "What COS has is not what was sent. Run the command again; report it if that does not help."},
    {COSSLICE_E_NOT_FOUND, 10, "Check the bucket's name, its region, and that the directory exists."},
};
enum { FAILURES = sizeof failures / sizeof *failures };

static const struct failure *find(cosslice_status status)
{
    static const struct failure internal = {0, EXIT_INTERNAL, "This should not happen; please report it."};

    for (const struct failure *row = failures; row < failures + FAILURES; row++)
        if (row->status == status)
            return row;
    return &internal;
}

void report_exit_codes(FILE *out)
{
    fputs("    0  uploaded, or already there with the same content\n"
          "    2  the command line or a setting is wrong\n"
          "    3  the file cannot be read, or it changed\n"
          "    4  network, TLS or time-out\n"
          "    5  COS refused, or something other than COS answered\n"
          "    6  the signature was refused\n"
          "    7  the object exists\n"
          "    8  an unfinished upload of other content holds the name\n"
          "    9  what COS has differs from what was sent\n"
          "   10  no such bucket or directory\n"
          "   70  no memory, or a bug\n"
          "  130  interrupted by Ctrl-C (143: by SIGTERM)\n",
          out);
}

static int64_t number(const struct report *report, uint32_t info)
{
    return report->upload ? cosslice_upload_get_i64(report->upload, info) : -1;
}

static const char *text(const struct report *report, uint32_t info)
{
    return report->upload ? cosslice_upload_get_str(report->upload, info) : "";
}

static const char *message(const struct report *report)
{
    return report->upload ? text(report, COSSLICE_INFO_MESSAGE) : cosslice_config_message(report->config);
}

/* The length of the UTF-8 character at `s`, 0 if there is none. */
static size_t utf8_len(const unsigned char *s)
{
    size_t len = s[0] < 0x80 ? 1 : s[0] >= 0xc2 && s[0] < 0xe0 ? 2 : s[0] >= 0xe0 && s[0] < 0xf0 ? 3 : s[0] >= 0xf0 && s[0] < 0xf5 ? 4 : 0;

    for (size_t i = 1; i < len; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) || (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
        return 0; /* too long a form, a surrogate, beyond Unicode */
    return len;
}

/* A file name may hold any bytes, JSON may not: what is not UTF-8 becomes U+FFFD. */
static void print_json_text(const char *name, const char *value)
{
    printf("\"%s\":\"", name);
    for (const unsigned char *s = (const unsigned char *)value; *s;) {
        size_t len = utf8_len(s);
        if (len == 0)
            fputs("\\ufffd", stdout);
        else if (*s == '"' || *s == '\\')
            printf("\\%c", *s);
        else if (*s < 0x20)
            printf("\\u%04x", (unsigned)*s);
        else
            fwrite(s, 1, len, stdout);
        s += len ? len : 1;
    }
    putchar('"');
}

static void print_json(const struct report *report, int exit_code)
{
    static const struct {
        const char *name;
        uint32_t info;
    } numbers[] = {{"bytes", COSSLICE_INFO_BYTES_TOTAL},         {"bytes_done", COSSLICE_INFO_BYTES_DONE},
                   {"bytes_resumed", COSSLICE_INFO_BYTES_RESUMED}, {"retries", COSSLICE_INFO_RETRIES}},
      texts[] = {{"sha1", COSSLICE_INFO_SHA1},
                 {"access_url", COSSLICE_INFO_ACCESS_URL},
                 {"source_url", COSSLICE_INFO_SOURCE_URL},
                 {"resource_path", COSSLICE_INFO_RESOURCE_PATH}},
      details[] = {{"server_code", COSSLICE_INFO_SERVER_CODE},
                   {"http_status", COSSLICE_INFO_HTTP_STATUS},
                   {"os_error", COSSLICE_INFO_OS_ERROR}};

    printf("{\"ok\":%s,\"exit_code\":%d,\"status\":%" PRId32 ",", report->status == COSSLICE_OK ? "true" : "false", exit_code,
           report->status);
    print_json_text("file", report->options->file);
    putchar(',');
    print_json_text("bucket", report->options->bucket);
    putchar(',');
    print_json_text("path", report->options->path);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        printf(",\"%s\":%" PRId64, numbers[i].name, number(report, numbers[i].info));
    if (report->status == COSSLICE_OK) {
        printf(",\"instant\":%s", number(report, COSSLICE_INFO_INSTANT) == 1 ? "true" : "false");
        for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
            putchar(',');
            print_json_text(texts[i].name, text(report, texts[i].info));
        }
    } else {
        printf(",\"retryable\":%s,", number(report, COSSLICE_INFO_RETRYABLE) == 1 ? "true" : "false");
        print_json_text("message", message(report));
        for (size_t i = 0; i < sizeof details / sizeof *details; i++)
            printf(",\"%s\":%" PRId64, details[i].name, number(report, details[i].info));
        putchar(',');
        print_json_text("server_message", text(report, COSSLICE_INFO_SERVER_MESSAGE));
        putchar(',');
        print_json_text("request_id", text(report, COSSLICE_INFO_REQUEST_ID));
    }
    puts("}");
}

static void print_success(const struct report *report)
{
    printf("uploaded  %s to %s%s\n", report->options->file, report->options->bucket, report->options->path);
    printf("bytes     %" PRId64 "\n", number(report, COSSLICE_INFO_BYTES_TOTAL));
    printf("resumed   %" PRId64 "\n", number(report, COSSLICE_INFO_BYTES_RESUMED));
    printf("instant   %s\n", number(report, COSSLICE_INFO_INSTANT) == 1 ? "yes: COS had this content already" : "no");
    printf("sha1      %s\n", text(report, COSSLICE_INFO_SHA1));
    printf("url       %s\n", text(report, COSSLICE_INFO_ACCESS_URL));
}

/* Only what is known is worth a word. */
static void print_details(const struct report *report)
{
    int64_t server_code = number(report, COSSLICE_INFO_SERVER_CODE), http_status = number(report, COSSLICE_INFO_HTTP_STATUS);
    int64_t os_error = number(report, COSSLICE_INFO_OS_ERROR), retries = number(report, COSSLICE_INFO_RETRIES);
    const char *server_message = text(report, COSSLICE_INFO_SERVER_MESSAGE), *request_id = text(report, COSSLICE_INFO_REQUEST_ID);

    fprintf(stderr, "  status %" PRId32 " (%s)", report->status, cosslice_status_str(report->status));
    if (http_status > 0)
        fprintf(stderr, ", HTTP %" PRId64, http_status);
    if (server_code < -1 || *server_message)
        fprintf(stderr, ", server code %" PRId64 " %s", server_code, server_message);
    if (*request_id)
        fprintf(stderr, ", request id %s", request_id);
    if (os_error > 0)
        fprintf(stderr, ", errno %" PRId64 " (%s)", os_error, strerror((int)os_error));
    if (retries > 0)
        fprintf(stderr, ", after %" PRId64 " retries", retries);
    fputc('\n', stderr);
}

static void print_failure(const struct report *report)
{
    bool continues = report->options->hash && report->options->resume;

    fprintf(stderr, "cosslice-put: %s was not uploaded: %s\n", report->options->file, message(report));
    fprintf(stderr, "  %s", find(report->status)->advice);
    if (continues && number(report, COSSLICE_INFO_RETRYABLE) == 1)
        fputs(" The same command continues where it stopped.", stderr);
    if (!continues && report->status == COSSLICE_E_CONFLICT)
        fputs(" Without --no-hash and --no-resume it is continued if it is known to be the same.", stderr);
    fputc('\n', stderr);
    print_details(report);
}

static void print_interrupted(const struct report *report)
{
    int64_t done = number(report, COSSLICE_INFO_BYTES_DONE), total = number(report, COSSLICE_INFO_BYTES_TOTAL);
    const char *next = !report->options->hash     ? "Without a hash it cannot be continued; --overwrite discard begins anew."
                       : !report->options->resume ? "Without --no-resume the same command continues where it stopped."
                                                  : "The same command continues where it stopped.";

    fprintf(stderr, "cosslice-put: interrupted");
    if (done > 0 && total > 0)
        fprintf(stderr, " when %" PRId64 " of %" PRId64 " bytes were stored", done, total);
    fprintf(stderr, ". %s\n", next);
}

int report_print(const struct report *report)
{
    bool interrupted = report->status == COSSLICE_E_CANCELED && report->signal != 0;
    int exit_code = interrupted ? EXIT_SIGNAL + report->signal : report->status == COSSLICE_OK ? 0 : find(report->status)->exit_code;

    if (interrupted)
        print_interrupted(report);
    else if (report->status != COSSLICE_OK)
        print_failure(report);
    else if (!report->options->quiet && !report->options->json)
        print_success(report);
    if (report->options->json)
        print_json(report, exit_code);
    if (fflush(stdout) != 0 && exit_code == 0) {
        perror("cosslice-put: cannot write the result");
        exit_code = EXIT_INTERNAL;
    }
    return exit_code;
}
