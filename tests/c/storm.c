/*
 * A thousand signals a second, whose handler does not restart system calls, at every thread of the process, while the
 * server drops connections and SIGPIPE kills: uploads complete with the right bytes.
 */
#define _GNU_SOURCE /* syscall beside POSIX: there is no other way to signal the library's own threads */

#include "check.h"
#include "emulator.h"
#include "flows.h"
#include "http.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { LEN = 12 * 1048576 + 1 };

static struct emulator emulator;
static struct content content;
static atomic_uint caught_by_caller, caught_by_others;
static atomic_bool over;
static pid_t caller;

static void on_signal(int number)
{
    int before = errno;

    (void)number;
    atomic_fetch_add(syscall(SYS_gettid) == caller ? &caught_by_caller : &caught_by_others, 1);
    errno = before;
}

/* Once each millisecond a signal for every thread of this process but this one. */
static void *strike(void *user)
{
    const struct timespec millisecond = {.tv_nsec = 1000 * 1000};
    const pid_t process = getpid();
    const long self = syscall(SYS_gettid);

    (void)user;
    while (!atomic_load(&over)) {
        DIR *threads = opendir("/proc/self/task");
        struct dirent *entry;

        while (threads && (entry = readdir(threads)) != NULL) {
            long id = atol(entry->d_name);
            if (id > 0 && id != self)
                syscall(SYS_tgkill, process, id, SIGUSR1); /* gone by now: no matter */
        }
        if (threads)
            closedir(threads);
        nanosleep(&millisecond, NULL);
    }
    return NULL;
}

static void set_handler(int number)
{
    struct sigaction action;

    memset(&action, 0, sizeof action);
    action.sa_handler = on_signal; /* without SA_RESTART */
    sigaction(number, &action, NULL);
}

/* The process's own timer, too: once each millisecond, at whatever thread takes it. */
static void set_timer(long microseconds)
{
    struct itimerval timer = {.it_interval = {.tv_usec = microseconds}, .it_value = {.tv_usec = microseconds}};

    setitimer(ITIMER_REAL, &timer, NULL);
}

static void post(const char *target, const char *body)
{
    CHECK_INT(http_request(emulator.port, "POST", target, NULL, body, NULL, NULL), 200);
}

static void check_storm(enum way way, unsigned in_flight, bool drops)
{
    cosslice_config *config = emulator_config(&emulator);
    cosslice_upload *upload;
    pthread_t thread;
    cosslice_status status;
    unsigned callers, others;

    check_case("signals during an upload by %s, %u in flight%s", way_names[way], in_flight, drops ? ", connections dropped" : "");
    post("/_emulator/reset", NULL);
    post("/_emulator/faults", !drops ? "[]"
                                     : "[{\"op\":\"upload_slice_data\",\"p\":0.2,\"do\":\"drop_in_body\",\"at\":300000},"
                                       "{\"op\":\"upload_slice_data\",\"p\":0.1,\"do\":\"drop_before_body\"},"
                                       "{\"op\":\"upload_slice_data\",\"p\":0.1,\"do\":\"drop_after_commit\"},"
                                       "{\"op\":\"upload_slice_finish\",\"nth\":1,\"do\":\"drop_after_commit\"}]");
    CHECK_INT(cosslice_config_set_u64(config, COSSLICE_OPT_IN_FLIGHT, in_flight), COSSLICE_OK);
    CHECK_INT(cosslice_config_set_u64(config, COSSLICE_OPT_RETRIES, 20), COSSLICE_OK);
    /* Long enough for some hundreds of signals. */
    CHECK_INT(cosslice_config_set_u64(config, COSSLICE_OPT_BANDWIDTH, 16 * 1048576), COSSLICE_OK);
    upload = new_upload(config, "/storm");

    atomic_store(&over, false);
    callers = atomic_load(&caught_by_caller);
    others = atomic_load(&caught_by_others);
    if (pthread_create(&thread, NULL, strike, NULL) != 0)
        check_give_up("no thread");
    set_timer(1000);
    status = flow(upload, way, &content);
    set_timer(0);
    atomic_store(&over, true);
    pthread_join(thread, NULL);

    if (!CHECK_INT(status, COSSLICE_OK))
        printf("       %s\n", cosslice_upload_get_str(upload, COSSLICE_INFO_MESSAGE));
    if (drops)
        CHECK(cosslice_upload_get_i64(upload, COSSLICE_INFO_RETRIES) > 0);
    callers = atomic_load(&caught_by_caller) - callers;
    others = atomic_load(&caught_by_others) - others;
    CHECK(callers > 200 / slowness());
    if (in_flight > 1)
        CHECK(others > 200 / slowness());
    cosslice_upload_free(upload);
    cosslice_config_free(config);
    post("/_emulator/faults", "[]");
    CHECK(emulator_has(&emulator, "/storm", content.seed, LEN));
    printf("       %u signals at the caller's thread, %u at others\n", callers, others);
}

/* The library touches no signal's handling. */
static void check_handlers(void)
{
    struct sigaction action;

    check_case("handlers are as they were");
    for (int number = 1; number < 32; number++) {
        if (number == SIGKILL || number == SIGSTOP)
            continue;
        CHECK_INT(sigaction(number, NULL, &action), 0);
        if (number == SIGALRM || number == SIGUSR1)
            CHECK(action.sa_handler == on_signal && !(action.sa_flags & SA_RESTART));
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) /* those take some for themselves */
        else if (number != SIGCHLD && !getenv("COSSLICE_TEST_VALGRIND"))
            CHECK(action.sa_handler == SIG_DFL);
#endif
    }
}

int main(void)
{
    emulator_start(&emulator, NULL);
    signal(SIGPIPE, SIG_DFL);
    set_handler(SIGALRM);
    set_handler(SIGUSR1);
    caller = (pid_t)syscall(SYS_gettid);
    content_make(&content, emulator.dir, 81, LEN);
    for (int way = 0; way < WAYS; way++)
        for (unsigned in_flight = 1; in_flight <= 4; in_flight += 3)
            check_storm((enum way)way, in_flight, true);
    check_storm(BY_FILE, 4, false);
    check_handlers();
    content_free(&content);
    emulator_stop(&emulator);
    return check_finish();
}
