#define _POSIX_C_SOURCE 200809L
#define _FILE_OFFSET_BITS 64

#include "options.h"
#include "report.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum kind {
    TEXT,      /* the value as it is */
    NUMBER,    /* a plain number */
    RATE,      /* a number with K, M or G */
    OFF,       /* no value: the option becomes 0 */
    OVERWRITE, /* none, replace or discard */
    WHOLE,     /* a file whose text is the value */
    LINE,      /* a file whose first line is the value */
    JSON,
    QUIET,
    VERBOSE,
    VERSION,
    HELP
};

/* One table, from which parsing, environment and --help follow. */
static const struct row {
    const char *flag;     /* NULL: only from the environment */
    const char *argument; /* NULL: the flag takes none */
    const char *variable; /* NULL: only from the command line */
    enum kind kind;
    uint32_t option;
    const char *help;
} rows[] = {
    {"--app-id", "ID", "COSSLICE_APP_ID", TEXT, COSSLICE_OPT_APP_ID, "the account's APPID"},
    {"--bucket", "NAME", NULL, TEXT, COSSLICE_OPT_BUCKET, "the bucket; the last argument is then only the path"},
    {"--region", "R", "COSSLICE_REGION", TEXT, COSSLICE_OPT_REGION, "where the bucket is: tj, sh, gz, ..."},
    {"--endpoint", "URL", "COSSLICE_ENDPOINT", TEXT, COSSLICE_OPT_ENDPOINT, "another server, e.g. http://127.0.0.1:9000/files/v2"},
    {"--secret-id", "ID", "COSSLICE_SECRET_ID", TEXT, COSSLICE_OPT_SECRET_ID, "the public half of the key pair"},
    {NULL, NULL, "COSSLICE_SECRET_KEY", TEXT, COSSLICE_OPT_SECRET_KEY, "the secret half: never on the command line"},
    {"--key-file", "FILE", NULL, LINE, COSSLICE_OPT_SECRET_KEY, "read the secret half from the first line of FILE"},
    {"--in-flight", "N", NULL, NUMBER, COSSLICE_OPT_IN_FLIGHT, "slices on their way at once (4)"},
    {"--overwrite", "HOW", NULL, OVERWRITE, COSSLICE_OPT_OVERWRITE, NULL},
    {"--no-hash", NULL, NULL, OFF, COSSLICE_OPT_HASH, "read the file only once: no instant answers, nothing to continue by"},
    {"--no-resume", NULL, NULL, OFF, COSSLICE_OPT_RESUME, "do not continue an unfinished upload"},
    {"--bandwidth", "RATE", NULL, RATE, COSSLICE_OPT_BANDWIDTH, "at most so many bytes a second; K, M, G are understood"},
    {"--retries", "N", NULL, NUMBER, COSSLICE_OPT_RETRIES, "tries after the first, per request (5)"},
    {"--ca", "FILE", NULL, WHOLE, COSSLICE_OPT_CA_PEM, "trust the certificates in FILE (PEM) instead of the built-in ones"},
    {"--proxy", "URL", NULL, TEXT, COSSLICE_OPT_PROXY, "go through this proxy"},
    {"--json", NULL, NULL, JSON, 0, "print the result, or the failure, as one line of JSON"},
    {"--quiet", NULL, NULL, QUIET, 0, "print nothing but errors"},
    {"--verbose", NULL, NULL, VERBOSE, 0, "say on stderr what happens; twice for more"},
    {"--version", NULL, NULL, VERSION, 0, "print the version"},
    {"--help", NULL, NULL, HELP, 0, "print this"},
};
enum { ROWS = sizeof rows / sizeof *rows };

static enum options_outcome bad(const char *format, ...)
{
    va_list arguments;

    fputs("cosslice-put: ", stderr);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputs("\nTry 'cosslice-put --help'.\n", stderr);
    return OPTIONS_BAD;
}

static void print_help(void)
{
    printf("Usage: cosslice-put [OPTION]... FILE BUCKET/PATH\n"
           "       cosslice-put [OPTION]... --bucket BUCKET FILE PATH\n\n"
           "Uploads FILE to Tencent COS. An upload that was interrupted continues when the same command is given again.\n"
           "A PATH that ends with '/' gets the name of FILE.\n\nOptions:\n");
    for (const struct row *row = rows; row < rows + ROWS; row++) {
        char left[40];
        if (!row->flag)
            continue;
        snprintf(left, sizeof left, "%s %s", row->flag, row->argument ? row->argument : "");
        if (row->kind == OVERWRITE)
            printf("  %-20s none: fail if the object exists (default)\n"
                   "  %-20s replace: replace it\n"
                   "  %-20s discard: also throw away an unfinished upload of other content\n",
                   left, "", "");
        else
            printf("  %-20s %s\n", left, row->help);
    }
    printf("\nEnvironment (options go before it):\n");
    for (const struct row *row = rows; row < rows + ROWS; row++)
        if (row->variable)
            printf("  %-20s %s\n", row->variable, row->help);
    printf("\nExit status:\n");
    report_exit_codes(stdout);
}

static bool to_number(const char *text, bool suffix, uint64_t *value)
{
    char *end;
    uint64_t unit = 1;

    if (!isdigit((unsigned char)*text))
        return false;
    errno = 0;
    *value = strtoull(text, &end, 10);
    if (errno != 0)
        return false;
    if (suffix && *end) {
        switch (toupper((unsigned char)*end++)) {
        case 'K': unit = (uint64_t)1 << 10; break;
        case 'M': unit = (uint64_t)1 << 20; break;
        case 'G': unit = (uint64_t)1 << 30; break;
        default: return false;
        }
    }
    if (*end || *value > UINT64_MAX / unit)
        return false;
    *value *= unit;
    return true;
}

/* Keys do not stay in memory longer than needed; volatile keeps the compiler from dropping the stores. */
static void wipe(char *text, size_t len)
{
    volatile char *byte = text;
    while (len-- > 0)
        *byte++ = 0;
}

static enum options_outcome set_from_file(cosslice_config *config, const struct row *row, const char *name)
{
    enum { ROOM = 1 << 20 };
    FILE *in = fopen(name, "rb");
    char *text = malloc(ROOM);
    size_t len = in && text ? fread(text, 1, ROOM, in) : 0;
    enum options_outcome outcome = OPTIONS_GO;

    if (!text)
        outcome = bad("%s: no memory", row->flag);
    else if (!in || ferror(in))
        outcome = bad("%s: cannot read %s: %s", row->flag, name, strerror(errno));
    else if (len == ROOM)
        outcome = bad("%s: %s is larger than 1 MiB", row->flag, name);
    else {
        text[len] = 0;
        if (row->kind == LINE)
            text[strcspn(text, "\r\n")] = 0;
        if (!*text)
            outcome = bad("%s: %s has no text in it", row->flag, name);
        else if (cosslice_config_set_str(config, row->option, text) != COSSLICE_OK)
            outcome = bad("%s %s: %s", row->flag, name, cosslice_config_message(config));
    }
    if (text)
        wipe(text, len);
    free(text);
    if (in)
        fclose(in);
    return outcome;
}

static enum options_outcome set(struct options *options, cosslice_config *config, const struct row *row, const char *value)
{
    cosslice_status status = COSSLICE_OK;
    uint64_t number = 0;

    switch (row->kind) {
    case TEXT:
        status = cosslice_config_set_str(config, row->option, value);
        break;
    case NUMBER:
    case RATE:
        if (!to_number(value, row->kind == RATE, &number))
            return bad("%s: '%s' is not a number", row->flag, value);
        status = cosslice_config_set_u64(config, row->option, number);
        break;
    case OFF:
        status = cosslice_config_set_u64(config, row->option, 0);
        break;
    case OVERWRITE:
        if (strcmp(value, "replace") == 0)
            number = 1;
        else if (strcmp(value, "discard") == 0)
            number = 2;
        else if (strcmp(value, "none") != 0)
            return bad("--overwrite is none, replace or discard, not '%s'", value);
        status = cosslice_config_set_u64(config, row->option, number);
        break;
    case WHOLE:
    case LINE:
        return set_from_file(config, row, value);
    case JSON:
        options->json = true;
        break;
    case QUIET:
        options->quiet = true;
        break;
    case VERBOSE:
        options->verbose++;
        break;
    case VERSION:
        printf("cosslice-put of libcosslice %s (ABI %" PRIu32 ")\n", cosslice_version(), cosslice_abi_version());
        return OPTIONS_ANSWERED;
    case HELP:
        print_help();
        return OPTIONS_ANSWERED;
    }
    if (status != COSSLICE_OK)
        return bad("%s: %s", row->flag ? row->flag : row->variable, cosslice_config_message(config));
    if (row->option == COSSLICE_OPT_HASH)
        options->hash = false;
    if (row->option == COSSLICE_OPT_RESUME)
        options->resume = false;
    return OPTIONS_GO;
}

static enum options_outcome set_from_environment(struct options *options, cosslice_config *config)
{
    enum options_outcome outcome = OPTIONS_GO;

    for (const struct row *row = rows; row < rows + ROWS && outcome == OPTIONS_GO; row++) {
        const char *value = row->variable ? getenv(row->variable) : NULL;
        if (value)
            outcome = set(options, config, row, value);
    }
    return outcome;
}

static char *join(const char *first, const char *second, const char *third)
{
    size_t size = strlen(first) + strlen(second) + strlen(third) + 1;
    char *text = malloc(size);

    if (text)
        snprintf(text, size, "%s%s%s", first, second, third);
    return text;
}

/* Splits BUCKET/PATH unless --bucket was given, and completes a PATH that names a directory. */
static enum options_outcome set_target(struct options *options, cosslice_config *config, const char *bucket, const char *target)
{
    const char *path = target;

    if (bucket) {
        options->bucket = join(bucket, "", "");
    } else {
        size_t len = strcspn(target, "/");
        if (len == 0)
            return bad("'%s' does not begin with a bucket's name; write BUCKET/PATH", target);
        path += len;
        options->bucket = join(target, "", "");
        if (options->bucket)
            options->bucket[len] = 0;
    }
    options->path = join(*path == '/' ? "" : "/", path, !*path || path[strlen(path) - 1] == '/' ? options->name : "");
    if (!options->bucket || !options->path)
        return bad("no memory");
    if (cosslice_config_set_str(config, COSSLICE_OPT_BUCKET, options->bucket) != COSSLICE_OK)
        return bad("bucket '%s': %s", options->bucket, cosslice_config_message(config));
    return OPTIONS_GO;
}

enum options_outcome options_read(struct options *options, cosslice_config *config, int argc, char **argv)
{
    const char *words[2] = {NULL, NULL};
    const char *bucket = NULL;
    size_t count = 0;
    bool flags = true;

    *options = (struct options){.hash = true, .resume = true};
    enum options_outcome outcome = set_from_environment(options, config);

    for (int i = 1; i < argc && outcome == OPTIONS_GO; i++) {
        const char *word = argv[i], *value = strchr(word, '=');
        const struct row *row = rows;
        size_t len = value ? (size_t)(value++ - word) : strlen(word);

        if (flags && strcmp(word, "--") == 0) {
            flags = false;
            continue;
        }
        if (!flags || *word != '-') {
            if (count == 2)
                return bad("one FILE at a time: '%s' is one word too many", word);
            words[count++] = word;
            continue;
        }
        while (row < rows + ROWS && (!row->flag || strlen(row->flag) != len || strncmp(row->flag, word, len) != 0))
            row++;
        if (row == rows + ROWS)
            return bad("there is no option '%.*s'", (int)len, word);
        if (!row->argument && value)
            return bad("%s takes no value", row->flag);
        if (row->argument && !value && (value = argv[++i]) == NULL)
            return bad("%s needs a value", row->flag);
        if (row->option == COSSLICE_OPT_BUCKET)
            bucket = value;
        outcome = set(options, config, row, value);
    }
    if (outcome != OPTIONS_GO)
        return outcome;
    if (count != 2)
        return bad("say which FILE goes to which BUCKET/PATH");
    options->file = words[0];
    options->name = strrchr(words[0], '/') ? strrchr(words[0], '/') + 1 : words[0];
    return set_target(options, config, bucket, words[1]);
}

void options_clear(struct options *options)
{
    free(options->bucket);
    free(options->path);
    options->bucket = options->path = NULL;
}
