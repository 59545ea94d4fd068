/* The uploader cosslice-put as its users see it: exit codes, output, JSON, interrupting, the progress bar. */
#define _XOPEN_SOURCE 700

#include "bytes.h"
#include "check.h"
#include "emulator.h"
#include "http.h"
#include "peer.h"
#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum { SMALL = 5000, LARGE = 40 * 1048576 + 1 };

static struct emulator emulator;
static char small[300], large[300], odd[300], bad[300]; /* names of files */

/* Runs cosslice-put with the words up to NULL and checks its exit code. */
static void put(struct process *run, int want, ...)
{
    const char *words[PROCESS_WORDS + 1];
    size_t count = 0;
    va_list arguments;

    va_start(arguments, want);
    do
        words[count] = va_arg(arguments, const char *);
    while (words[count++] && count <= PROCESS_WORDS);
    va_end(arguments);
    process_begin(run, "cosslice-put", -1, words);
    process_end(run);
    if (!CHECK_INT(run->code, want))
        printf("       stdout: %s\n       stderr: %s\n", run->out, run->err);
}

static void check_usage(struct process *run)
{
    check_case("--help and --version");
    put(run, 0, "--help", NULL);
    CHECK_CONTAINS(run->out, "Usage: cosslice-put");
    CHECK_CONTAINS(run->out, "--overwrite HOW");
    CHECK_CONTAINS(run->out, "COSSLICE_SECRET_KEY");
    CHECK_CONTAINS(run->out, "130");
    put(run, 0, "--version", NULL);
    CHECK_CONTAINS(run->out, cosslice_version());

    check_case("a wrong command line");
    put(run, 2, NULL);
    CHECK_CONTAINS(run->err, "--help");
    put(run, 2, small, NULL);
    put(run, 2, small, "bkt/a", "bkt/b", NULL);
    put(run, 2, small, "/no-bucket", NULL);
    put(run, 2, "--nonsense", small, "bkt/a", NULL);
    CHECK_CONTAINS(run->err, "--nonsense");
    put(run, 2, "--quiet=yes", small, "bkt/a", NULL);
    put(run, 2, small, "bkt/a", "--in-flight", NULL);
    put(run, 2, "--in-flight", "99", small, "bkt/a", NULL);
    CHECK_CONTAINS(run->err, "--in-flight");
    put(run, 2, "--in-flight=-1", small, "bkt/a", NULL);
    put(run, 2, "--bandwidth", "12X", small, "bkt/a", NULL);
    put(run, 2, "--bandwidth", "99999999999G", small, "bkt/a", NULL);
    put(run, 2, "--overwrite", "perhaps", small, "bkt/a", NULL);
    put(run, 2, "--key-file", "/nonexistent", small, "bkt/a", NULL);
    put(run, 2, "--ca", small, small, "bkt/a", NULL);
    put(run, 2, "--endpoint", "ftp://x", small, "bkt/a", NULL);
    put(run, 2, small, "bkt/a?b", NULL);
    put(run, 2, "--json", small, "bkt/a?b", NULL);
    CHECK_CONTAINS(run->out, "{\"ok\":false,\"exit_code\":2,");
}

static void check_success(struct process *run)
{
    char sha1[41], line[200];

    check_case("an upload and its summary");
    put(run, 0, "--app-id=1250000000", "--in-flight", "2", "--retries", "1", small, "bkt/put/one", NULL);
    bytes_sha1(1, SMALL, sha1);
    snprintf(line, sizeof line, "bytes     %d\nresumed   0\ninstant   no\nsha1      %s\nurl       http", SMALL, sha1);
    CHECK_CONTAINS(run->out, line);
    CHECK_CONTAINS(run->err, "small: sending");
    CHECK(emulator_has(&emulator, "/put/one", 1, SMALL));

    check_case("targets");
    put(run, 0, small, "bkt/put/", NULL);
    CHECK(emulator_has(&emulator, "/put/small", 1, SMALL));
    put(run, 0, small, "bkt", NULL);
    CHECK(emulator_has(&emulator, "/small", 1, SMALL));
    put(run, 0, "--bucket", "bkt", small, "two", NULL);
    CHECK(emulator_has(&emulator, "/two", 1, SMALL));
    put(run, 0, "--bucket=bkt", "--", small, "/three/", NULL);
    CHECK(emulator_has(&emulator, "/three/small", 1, SMALL));

    check_case("--quiet");
    put(run, 0, "--quiet", small, "bkt/quiet", NULL);
    CHECK_TEXT(run->out, "");
    CHECK_TEXT(run->err, "");

    check_case("--verbose");
    put(run, 0, "--verbose", "--verbose", small, "bkt/verbose", NULL);
    CHECK_CONTAINS(run->err, "[debug] ");

    check_case("instant");
    put(run, 0, "--quiet", large, "bkt/instant/1", NULL);
    put(run, 0, large, "bkt/instant/2", NULL);
    CHECK_CONTAINS(run->out, "instant   yes");
    put(run, 0, "--no-hash", "--overwrite", "replace", large, "bkt/instant/2", NULL);
    CHECK_CONTAINS(run->out, "instant   no");
}

static void check_json(struct process *run)
{
    check_case("--json");
    put(run, 0, "--json", "--quiet", small, "bkt/json", NULL);
    CHECK_CONTAINS(run->out, "{\"ok\":true,\"exit_code\":0,\"status\":0,");
    CHECK_CONTAINS(run->out, "\"bucket\":\"bkt\",\"path\":\"/json\",\"bytes\":5000,\"bytes_done\":5000,\"bytes_resumed\":0,");
    CHECK_CONTAINS(run->out, "\"instant\":false,\"sha1\":\"");
    CHECK_CONTAINS(run->out, "\"resource_path\":\"/1250000000/bkt/json\"");
    CHECK(strchr(run->out, '\n') == run->out + strlen(run->out) - 1);
    CHECK_TEXT(run->err, "");

    check_case("--json with a strange file name");
    put(run, 0, "--json", odd, "bkt/odd-name", NULL);
    CHECK_CONTAINS(run->out, "/q\\\"b\\\\n\\u000a\xe4\xb8\xad\"");
    put(run, 2, "--json", bad, "bkt/bad-name", NULL); /* the library takes UTF-8 only */
    CHECK_CONTAINS(run->out, "/bad\\ufffd\\ufffd\"");

    check_case("--json with a failure");
    put(run, 7, "--json", large, "bkt/json", NULL);
    CHECK_CONTAINS(run->out, "{\"ok\":false,\"exit_code\":7,\"status\":-14,");
    CHECK_CONTAINS(run->out, "\"server_code\":-177,\"http_status\":409,");
    CHECK_CONTAINS(run->out, "\"request_id\":\"");
    CHECK_CONTAINS(run->err, "--overwrite replace");
}

static void check_failures(struct process *run)
{
    struct peer peer;
    char key_file[300], text[64];
    FILE *out;

    check_case("the object exists");
    put(run, 7, large, "bkt/put/one", NULL);
    CHECK_CONTAINS(run->err, "was not uploaded: ");
    CHECK_CONTAINS(run->err, "--overwrite replace");
    CHECK_CONTAINS(run->err, "HTTP 409");
    CHECK_CONTAINS(run->err, "server code -177");
    CHECK_CONTAINS(run->err, "request id ");
    CHECK_TEXT(run->out, "");
    CHECK(emulator_has(&emulator, "/put/one", 1, SMALL));
    put(run, 0, "--overwrite", "replace", "--quiet", large, "bkt/put/one", NULL);
    CHECK(emulator_has(&emulator, "/put/one", 2, LARGE));

    check_case("a wrong key, from a file");
    snprintf(key_file, sizeof key_file, "%s/key", emulator.dir);
    out = fopen(key_file, "w");
    if (!out || fputs("wrongsecretkey\r\nsecond line\n", out) < 0 || fclose(out) != 0)
        check_give_up("cannot write the key file");
    put(run, 6, "--key-file", key_file, small, "bkt/key", NULL);
    CHECK_CONTAINS(run->err, "server code -97");
    CHECK(!strstr(run->err, "wrongsecretkey"));

    check_case("the right key, from a file");
    out = fopen(key_file, "w");
    if (!out || fputs("examplesecretkey\n", out) < 0 || fclose(out) != 0)
        check_give_up("cannot write the key file");
    setenv("COSSLICE_SECRET_KEY", "anothersecretkey", 1);
    put(run, 0, "--key-file", key_file, small, "bkt/key", NULL);
    setenv("COSSLICE_SECRET_KEY", "examplesecretkey", 1);

    check_case("no such file, no such bucket");
    put(run, 3, "/nonexistent/file", "bkt/none", NULL);
    CHECK_CONTAINS(run->err, "errno 2 (");
    put(run, 10, small, "elsewhere/none", NULL);

    check_case("nobody listens; somebody else answers");
    peer_open(&peer, false);
    peer_close(&peer);
    put(run, 4, "--endpoint", peer.endpoint, "--retries", "0", small, "bkt/none", NULL);
    CHECK_CONTAINS(run->err, "The same command continues");
    snprintf(text, sizeof text, "errno %d (", ECONNREFUSED);
    CHECK_CONTAINS(run->err, text);
    peer_serve(&peer, "HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n<html></html>");
    put(run, 5, "--endpoint", peer.endpoint, "--retries", "0", small, "bkt/none", NULL);
    CHECK_CONTAINS(run->err, "Check the endpoint");
    peer_stop(&peer);
}

struct state {
    char text[65536];
    size_t len;
};

static void keep(void *user, const unsigned char *data, size_t len)
{
    struct state *state = user;
    size_t room = sizeof state->text - 1 - state->len;

    memcpy(state->text + state->len, data, len < room ? len : room);
    state->len += len < room ? len : room;
    state->text[state->len] = 0;
}

/* Polls the emulator until its one open upload has `bytes`. The bandwidth keeps it from ending before. */
static void wait_stored(uint64_t bytes)
{
    struct timespec pause = {.tv_nsec = 10 * 1000 * 1000};
    struct state state;

    for (int tries = 0; tries < 6000; tries++) {
        const char *found;
        state.len = 0;
        CHECK_INT(http_request(emulator.port, "GET", "/_emulator/state", NULL, NULL, keep, &state), 200);
        found = strstr(state.text, "\"bytes_stored\":");
        if (found && strtoull(found + 15, NULL, 10) >= bytes)
            return;
        nanosleep(&pause, NULL);
    }
    check_give_up("the upload does not get on");
}

static void check_interrupt(struct process *run, int number, int want)
{
    char path[32], target[64];
    const char *words[] = {"--bandwidth", "4M", large, target, NULL};
    const char *resumed;

    check_case("signal %d, and the same command again", number);
    snprintf(path, sizeof path, "/interrupted/%d", number);
    snprintf(target, sizeof target, "bkt%s", path);
    bytes_to_file(large, 100 + (uint64_t)number, LARGE); /* content that the server does not know */
    process_begin(run, "cosslice-put", -1, words);
    wait_stored(3 * 1048576);
    kill(run->pid, number);
    process_end(run);
    CHECK_INT(run->code, want);
    CHECK_TEXT(run->out, "");
    CHECK_CONTAINS(run->err, "interrupted when ");
    CHECK_CONTAINS(run->err, "The same command continues where it stopped");
    put(run, 0, large, target, NULL);
    resumed = strstr(run->out, "resumed   ");
    CHECK(resumed && strtoull(resumed + 10, NULL, 10) >= 3 * 1048576);
    CHECK(emulator_has(&emulator, path, 100 + (uint64_t)number, LARGE));
}

/* What begins without a hash cannot be continued, and nobody is told that it could. */
static void check_interrupt_without_hash(struct process *run)
{
    const char *words[] = {"--no-hash", "--bandwidth", "4M", large, "bkt/interrupted/no-hash", NULL};

    check_case("an interrupt without a hash");
    process_begin(run, "cosslice-put", -1, words);
    wait_stored(1048576);
    kill(run->pid, SIGINT);
    process_end(run);
    CHECK_INT(run->code, 130);
    CHECK_CONTAINS(run->err, "cannot be continued; --overwrite discard begins anew");
    put(run, 8, "--no-hash", large, "bkt/interrupted/no-hash", NULL);
    CHECK_CONTAINS(run->err, "--overwrite discard throws the unfinished upload away");
    put(run, 0, "--no-hash", "--overwrite", "discard", large, "bkt/interrupted/no-hash", NULL);
}

/* Columns of a text in which every character but the CJK ones takes one. */
static size_t columns(const char *text, size_t len)
{
    size_t count = 0;

    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        if ((c & 0xc0) != 0x80)
            count += c >= 0xe3 && c <= 0xe9 ? 2 : 1;
    }
    return count;
}

/* On a terminal of that width no drawing may wrap, the last one shows the end, and the cursor is left on a new line. */
static void check_bar(struct process *run, unsigned short width, const char *locale, const char *file, uint64_t bytes)
{
    char target[64];
    const char *words[] = {"--bandwidth", "16M", "--overwrite", "replace", "--no-hash", file, target, NULL};
    struct winsize size = {.ws_row = 24, .ws_col = width};
    int master = posix_openpt(O_RDWR | O_NOCTTY), slave = -1;
    unsigned drawings = 0;

    check_case("the bar on %u columns, locale %s, %" PRIu64 " bytes", width, locale, bytes);
    snprintf(target, sizeof target, "bkt/bar/%u", width);
    if (master < 0 || grantpt(master) != 0 || unlockpt(master) != 0 || (slave = open(ptsname(master), O_RDWR | O_NOCTTY)) < 0)
        check_give_up("no pseudo-terminal");
    ioctl(slave, TIOCSWINSZ, &size);
    setenv("LC_ALL", locale, 1);
    process_begin(run, "cosslice-put", slave, words);
    close(slave);
    run->err_fd = master;
    process_end(run);
    CHECK_INT(run->code, 0);
    for (const char *start = run->err; (start = strchr(start, '\r')) != NULL; start++) {
        const char *stop = strstr(start, "\033[K");
        if (!stop)
            break;
        drawings++;
        if (!CHECK(columns(start + 1, (size_t)(stop - start - 1)) < width))
            printf("       drawn: %.*s\n", (int)(stop - start), start + 1);
    }
    CHECK(drawings >= (bytes > 1048576 ? 3 : 1));
    CHECK_CONTAINS(run->err, "100%");
    CHECK(strlen(run->err) > 5 && strcmp(run->err + strlen(run->err) - 2, "\r\n") == 0); /* the terminal makes CRLF of it */
}

int main(void)
{
    static struct process run;

    emulator_start(&emulator, NULL);
    setenv("COSSLICE_ENDPOINT", emulator.endpoint, 1);
    setenv("COSSLICE_APP_ID", "1250000000", 1);
    setenv("COSSLICE_SECRET_ID", "AKIDEXAMPLE", 1);
    setenv("COSSLICE_SECRET_KEY", "examplesecretkey", 1);
    setenv("TERM", "xterm", 1);
    snprintf(small, sizeof small, "%s/small", emulator.dir);
    snprintf(large, sizeof large, "%s/large", emulator.dir);
    snprintf(odd, sizeof odd, "%s/q\"b\\n\n\xe4\xb8\xad", emulator.dir);
    snprintf(bad, sizeof bad, "%s/bad\xff\xc0", emulator.dir);
    if (!bytes_to_file(small, 1, SMALL) || !bytes_to_file(large, 2, LARGE) || !bytes_to_file(odd, 3, 10))
        check_give_up("cannot write files");

    check_usage(&run);
    check_success(&run);
    check_json(&run);
    check_failures(&run);
    check_interrupt(&run, SIGINT, 130);
    check_interrupt(&run, SIGTERM, 143);
    check_interrupt_without_hash(&run);
    check_bar(&run, 80, "C.UTF-8", large, LARGE);
    check_bar(&run, 120, "C.UTF-8", odd, 10);
    check_bar(&run, 120, "C", odd, 10);
    check_bar(&run, 40, "C", large, LARGE);
    check_bar(&run, 20, "C.UTF-8", large, LARGE);
    emulator_stop(&emulator);
    return check_finish();
}
