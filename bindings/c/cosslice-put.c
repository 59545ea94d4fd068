/*
 * cosslice-put: uploads a file to Tencent COS and shows how it goes. `cosslice-put --help` tells the rest.
 *
 * Its parts: put/options (command line and environment), put/bar (progress), put/report (result, errors, exit codes).
 */
#define _POSIX_C_SOURCE 200809L

#include "put/bar.h"
#include "put/options.h"
#include "put/report.h"

#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

struct put {
    struct options options;
    struct bar bar;
    cosslice_upload *upload;
};

/* What the signal handler may touch. */
static cosslice_upload *volatile running;
static volatile sig_atomic_t caught;

static void on_signal(int signal)
{
    caught = signal;
    if (running)
        cosslice_upload_cancel(running); /* made for signal handlers */
}

/* SA_RESETHAND: a second Ctrl-C ends the program at once. */
static void catch_signals(void)
{
    struct sigaction action;

    memset(&action, 0, sizeof action);
    action.sa_handler = on_signal;
    action.sa_flags = (int)SA_RESETHAND;
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

static int32_t on_progress(void *user, uint32_t phase, uint64_t bytes_done, uint64_t bytes_total)
{
    struct put *put = user;
    int64_t found = cosslice_upload_get_i64(put->upload, COSSLICE_INFO_BYTES_RESUMED);

    if (cosslice_upload_get_i64(put->upload, COSSLICE_INFO_INSTANT) == 1)
        found = (int64_t)bytes_total;
    bar_show(&put->bar, phase, bytes_done, bytes_total, found > 0 ? (uint64_t)found : 0);
    return 0;
}

static void on_log(void *user, int32_t level, const char *message)
{
    static const char *const names[] = {"", "error", "warning", "info", "debug"};
    struct put *put = user;

    bar_clear(&put->bar);
    fprintf(stderr, "[%s] %s\n", level >= COSSLICE_LOG_ERROR && level <= COSSLICE_LOG_DEBUG ? names[level] : "log", message);
}

static cosslice_status upload(struct put *put, cosslice_config *config)
{
    cosslice_status status = COSSLICE_OK;

    if (put->options.verbose)
        status = cosslice_config_set_logger(config, put->options.verbose > 1 ? COSSLICE_LOG_DEBUG : COSSLICE_LOG_INFO, on_log, put, NULL);
    if (status == COSSLICE_OK)
        status = cosslice_upload_new(config, put->options.path, &put->upload);
    if (status == COSSLICE_OK && !put->options.quiet)
        status = cosslice_upload_set_progress(put->upload, on_progress, put, NULL);
    if (status != COSSLICE_OK)
        return status;

    running = put->upload;
    if (caught) /* came before there was anything to cancel */
        cosslice_upload_cancel(put->upload);
    status = cosslice_upload_file(put->upload, put->options.file);
    running = NULL;
    bar_end(&put->bar);
    return status;
}

int main(int argc, char **argv)
{
    struct put put = {.upload = NULL};
    cosslice_config *config;
    int exit_code;

    setlocale(LC_CTYPE, ""); /* for the width of names in the progress bar */
    if (cosslice_config_new(&config) != COSSLICE_OK) {
        fprintf(stderr, "cosslice-put: no memory\n");
        return 70;
    }
    switch (options_read(&put.options, config, argc, argv)) {
    case OPTIONS_ANSWERED:
        exit_code = 0;
        break;
    case OPTIONS_BAD:
        exit_code = 2;
        break;
    default:
        catch_signals();
        bar_start(&put.bar, put.options.name);
        cosslice_status status = upload(&put, config);
        exit_code = report_print(&(struct report){&put.options, config, put.upload, status, caught});
    }
    cosslice_upload_free(put.upload);
    cosslice_config_free(config);
    options_clear(&put.options);
    return exit_code;
}
