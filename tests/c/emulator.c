#define _GNU_SOURCE /* prctl beside POSIX */

#include "emulator.h"
#include "check.h"
#include "http.h"

#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* The port file is polled; the emulator writes it when it listens. 30 s is for a busy machine. */
static int wait_for_port(struct emulator *emulator, const char *name)
{
    struct timespec pause = {.tv_nsec = 10 * 1000 * 1000};
    int port = 0;

    for (int tries = 0; tries < 3000 && port == 0; tries++) {
        FILE *in = fopen(name, "r");
        if (in) {
            if (fscanf(in, "%d", &port) != 1)
                port = 0;
            fclose(in);
        }
        if (port == 0) {
            if (waitpid(emulator->pid, NULL, WNOHANG) != 0)
                return 0; /* it ended */
            nanosleep(&pause, NULL);
        }
    }
    return port;
}

void emulator_start(struct emulator *emulator, const char *flag)
{
    const char *binary = getenv("COSSLICE_EMULATOR"), *temporary = getenv("TMPDIR");
    char data[300], port_file[300];

    if (!binary)
        binary = "build/bin/cosslice-emulator";
    snprintf(emulator->dir, sizeof emulator->dir, "%s/cosslice-test-XXXXXX", temporary ? temporary : "/tmp");
    if (!mkdtemp(emulator->dir))
        check_give_up("no temporary directory");
    snprintf(data, sizeof data, "%s/data", emulator->dir);
    snprintf(port_file, sizeof port_file, "%s/port", emulator->dir);
    mkdir(data, 0700);

    emulator->pid = fork();
    if (emulator->pid == 0) {
        int nowhere = open("/dev/null", O_RDWR);
        dup2(nowhere, STDIN_FILENO);
        dup2(nowhere, STDOUT_FILENO);
        prctl(PR_SET_PDEATHSIG, SIGTERM); /* a crashed test leaves no emulator behind */
        execl(binary, binary, "--data", data, "--port", "0", "--port-file", port_file, flag, (char *)NULL);
        perror(binary);
        _exit(127);
    }
    emulator->port = emulator->pid > 0 ? wait_for_port(emulator, port_file) : 0;
    if (emulator->port == 0)
        check_give_up("the emulator does not listen");
    snprintf(emulator->endpoint, sizeof emulator->endpoint, "http://127.0.0.1:%d/files/v2", emulator->port);
}

static int remove_one(const char *name, const struct stat *status, int kind, struct FTW *where)
{
    (void)status, (void)kind, (void)where;
    return remove(name);
}

void emulator_stop(struct emulator *emulator)
{
    int status = -1;

    check_case("the emulator ends in peace");
    kill(emulator->pid, SIGTERM);
    CHECK_INT(waitpid(emulator->pid, &status, 0), emulator->pid);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    nftw(emulator->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

cosslice_config *endpoint_config(const char *endpoint)
{
    cosslice_config *config = NULL;

    if (cosslice_config_new(&config) != COSSLICE_OK ||
        cosslice_config_set_str(config, COSSLICE_OPT_APP_ID, "1250000000") != COSSLICE_OK ||
        cosslice_config_set_str(config, COSSLICE_OPT_BUCKET, "bkt") != COSSLICE_OK ||
        cosslice_config_set_str(config, COSSLICE_OPT_SECRET_ID, "AKIDEXAMPLE") != COSSLICE_OK ||
        cosslice_config_set_str(config, COSSLICE_OPT_SECRET_KEY, "examplesecretkey") != COSSLICE_OK ||
        cosslice_config_set_str(config, COSSLICE_OPT_ENDPOINT, endpoint) != COSSLICE_OK)
        check_give_up(cosslice_config_message(config));
    return config;
}

cosslice_config *emulator_config(const struct emulator *emulator)
{
    return endpoint_config(emulator->endpoint);
}

cosslice_upload *new_upload(cosslice_config *config, const char *path)
{
    cosslice_upload *upload = NULL;

    if (!CHECK_INT(cosslice_upload_new(config, path, &upload), COSSLICE_OK))
        check_give_up(cosslice_config_message(config));
    return upload;
}

int emulator_has(const struct emulator *emulator, const char *path, uint64_t seed, uint64_t len)
{
    char target[1024];

    snprintf(target, sizeof target, "/1250000000/bkt%s", path);
    return http_serves(emulator->port, target, seed, len);
}

int emulator_status(const struct emulator *emulator, const char *path)
{
    char target[1024];

    snprintf(target, sizeof target, "/1250000000/bkt%s", path);
    return http_request(emulator->port, "GET", target, NULL, NULL, NULL, NULL);
}

void emulator_delete(const struct emulator *emulator, const char *path)
{
    cosslice_config *config = emulator_config(emulator);
    char signature[1024], header[1200], target[1024];
    size_t len;

    if (cosslice_config_sign(config, path, 0, signature, sizeof signature, &len) != COSSLICE_OK)
        check_give_up(cosslice_config_message(config));
    snprintf(header, sizeof header, "Authorization: %s\r\nContent-Type: application/json\r\n", signature);
    snprintf(target, sizeof target, "/files/v2/1250000000/bkt%s", path);
    CHECK_INT(http_request(emulator->port, "POST", target, header, "{\"op\":\"delete\"}", NULL, NULL), 200);
    cosslice_config_free(config);
}
