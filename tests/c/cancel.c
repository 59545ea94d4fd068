/*
 * Cancel ends a call within 250 ms wherever it is: connecting, in the TLS handshake, sending to a peer that does not
 * read, waiting for an answer; from another thread, a signal handler, a callback; and so does free.
 */
#define _POSIX_C_SOURCE 200809L

#include "bytes.h"
#include "check.h"
#include "emulator.h"
#include "http.h"
#include "peer.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { LEN = 20 * 1048576 };

static struct emulator emulator;
static unsigned char *data; /* LEN bytes */

/* ---- one attempt: a thread waits until the call is where it shall be, then ends it ---- */

enum stage { ANSWER, HANDSHAKE, SEND, CONNECT };
static const char *const stage_names[] = {"waiting for an answer", "in the TLS handshake", "sending to a peer that does not read", "connecting"};

enum way { BY_CANCEL, BY_SIGNAL, BY_FREE };
static const char *const way_names[] = {"cancel", "signal handler", "free"};

struct attempt {
    enum stage stage;
    enum way way;
    struct peer peer;
    pthread_t caller;
    sem_t working; /* posted by each progress call */
    double ended_at_ms;
};

static cosslice_upload *volatile signalled;

static void on_signal(int number)
{
    (void)number;
    cosslice_upload_cancel(signalled);
}

static int32_t post_working(void *user, uint32_t phase, uint64_t bytes_done, uint64_t bytes_total)
{
    (void)phase, (void)bytes_done, (void)bytes_total;
    sem_post(user);
    return 0;
}

static void wait_working(struct attempt *attempt, int calls)
{
    struct timespec limit;

    clock_gettime(CLOCK_REALTIME, &limit);
    limit.tv_sec += 30;
    while (calls-- > 0)
        CHECK_INT(sem_timedwait(&attempt->working, &limit), 0);
}

/* Waits until as much has arrived at the socket as ever will while nobody reads it. */
static void wait_stalled(struct attempt *attempt, int fd)
{
    int waiting = -1, before;

    do {
        before = waiting;
        wait_working(attempt, 2); /* some 100 ms each */
        CHECK_INT(ioctl(fd, FIONREAD, &waiting), 0);
    } while (waiting != before);
    CHECK(waiting > 0 && waiting < LEN / 2);
}

static void *end_it(void *user)
{
    struct attempt *attempt = user;
    int fd = -1;

    if (attempt->stage == CONNECT) {
        wait_working(attempt, 3);
    } else {
        fd = peer_accept(&attempt->peer);
        CHECK(fd >= 0 && peer_hears(fd));
        if (attempt->stage == SEND)
            wait_stalled(attempt, fd);
    }
    attempt->ended_at_ms = now_ms();
    if (attempt->way == BY_CANCEL)
        cosslice_upload_cancel(signalled);
    else if (attempt->way == BY_SIGNAL)
        pthread_kill(attempt->caller, SIGUSR1);
    else
        cosslice_upload_free(signalled);
    return fd >= 0 ? (void *)(intptr_t)fd : NULL; /* stays open until the call has ended: a closed peer would end it too */
}

/* Fills the queue of a listener that accepts nobody, so that the next connect gets no answer. Returns how many it took. */
static size_t fill_backlog(const struct peer *peer, int *fds, size_t most)
{
    struct sockaddr_in address;
    size_t count = 0;

    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    address.sin_port = htons((uint16_t)peer->port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    listen(peer->listener, 0);
    while (count < most) {
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        struct pollfd connected = {.fd = fd, .events = POLLOUT};
        fcntl(fd, F_SETFL, O_NONBLOCK);
        connect(fd, (struct sockaddr *)&address, sizeof address);
        fds[count++] = fd;
        if (poll(&connected, 1, 300) == 0)
            return count; /* this one hangs, and so will the next */
    }
    check_give_up("the queue of the listener does not fill");
    return 0;
}

static void check_stage(enum stage stage, enum way way, uint64_t in_flight)
{
    struct attempt attempt = {.stage = stage, .way = way, .caller = pthread_self()};
    char endpoint[64];
    int fillers[16];
    size_t filled = 0;
    cosslice_config *config;
    cosslice_upload *upload;
    cosslice_status status;
    pthread_t thread;
    void *fd = NULL;
    double took_ms;

    check_case("%s while %s, %u in flight", way_names[way], stage_names[stage], (unsigned)in_flight);
    peer_open(&attempt.peer, true);
    if (stage == CONNECT)
        filled = fill_backlog(&attempt.peer, fillers, sizeof fillers / sizeof *fillers);
    snprintf(endpoint, sizeof endpoint, "%s://127.0.0.1:%d/files/v2", stage == HANDSHAKE ? "https" : "http", attempt.peer.port);
    config = endpoint_config(endpoint);
    CHECK_INT(cosslice_config_set_u64(config, COSSLICE_OPT_SINGLE_MAX, LEN), COSSLICE_OK); /* one request larger than any socket buffer */
    CHECK_INT(cosslice_config_set_u64(config, COSSLICE_OPT_IN_FLIGHT, in_flight), COSSLICE_OK);
    upload = new_upload(config, "/cancel");
    sem_init(&attempt.working, 0, 0);
    CHECK_INT(cosslice_upload_set_progress(upload, post_working, &attempt.working, NULL), COSSLICE_OK);
    signalled = upload;

    if (pthread_create(&thread, NULL, end_it, &attempt) != 0)
        check_give_up("no thread");
    status = cosslice_upload_buffer(upload, data, stage == SEND ? LEN : 1000);
    took_ms = now_ms() - attempt.ended_at_ms;
    pthread_join(thread, &fd);
    CHECK_INT(status, COSSLICE_E_CANCELED);
    if (!CHECK(took_ms <= promised_ms()))
        printf("       it took %.0f ms\n", took_ms);
    if (fd)
        close((int)(intptr_t)fd);
    if (way != BY_FREE)
        cosslice_upload_free(upload);
    cosslice_config_free(config);
    sem_destroy(&attempt.working);
    while (filled > 0)
        close(fillers[--filled]);
    peer_close(&attempt.peer);
}

/* ---- from callbacks, against a server that works ---- */

enum how { RETURN, CANCEL, FREE };

struct callback {
    cosslice_upload *upload;
    uint32_t phase; /* in which to end it */
    enum how how;
    unsigned calls_after, released;
    bool ended;
};

static void count_release(void *user)
{
    ((struct callback *)user)->released++;
}

static int32_t end_in_callback(void *user, uint32_t phase, uint64_t bytes_done, uint64_t bytes_total)
{
    struct callback *callback = user;

    (void)bytes_done, (void)bytes_total;
    if (callback->ended)
        callback->calls_after++;
    if (phase != callback->phase || callback->ended)
        return 0;
    callback->ended = true;
    if (callback->how == RETURN)
        return -7;
    if (callback->how == CANCEL)
        cosslice_upload_cancel(callback->upload);
    else
        cosslice_upload_free(callback->upload);
    return 0;
}

static void check_callback(uint32_t phase, enum how how)
{
    static const char *const how_names[] = {"return", "cancel", "free"};
    static uint64_t seed = 10;
    struct callback callback = {.phase = phase, .how = how};
    cosslice_config *config = emulator_config(&emulator);
    char path[64];

    check_case("%s in the progress callback, phase %u", how_names[how], (unsigned)phase);
    bytes_make(seed++, 0, data, LEN);
    snprintf(path, sizeof path, "/callback-%u-%d", (unsigned)phase, (int)how);
    callback.upload = new_upload(config, path);
    CHECK_INT(cosslice_upload_set_progress(callback.upload, end_in_callback, &callback, count_release), COSSLICE_OK);
    CHECK_INT(cosslice_upload_buffer(callback.upload, data, LEN), COSSLICE_E_CANCELED);
    CHECK(callback.ended);
    CHECK_INT(callback.calls_after, 0);
    if (how != FREE) {
        CHECK_INT(callback.released, 0);
        cosslice_upload_free(callback.upload);
    }
    CHECK_INT(callback.released, 1);
    cosslice_config_free(config);
    CHECK_INT(emulator_status(&emulator, path) == 200, 0);
}

static void check_before_and_after(void)
{
    struct peer peer;
    cosslice_config *config;
    cosslice_upload *upload;

    check_case("cancel before the call");
    peer_open(&peer, false);
    config = endpoint_config(peer.endpoint);
    upload = new_upload(config, "/name");
    cosslice_upload_cancel(upload);
    CHECK_INT(cosslice_upload_buffer(upload, data, 1000), COSSLICE_E_CANCELED);
    CHECK(!peer_was_called(&peer));
    cosslice_upload_free(upload);
    cosslice_config_free(config);
    peer_close(&peer);

    check_case("cancel between feeds");
    config = emulator_config(&emulator);
    upload = new_upload(config, "/between");
    CHECK_INT(cosslice_upload_init(upload, LEN), COSSLICE_OK);
    CHECK_INT(cosslice_upload_feed(upload, data, LEN / 2), COSSLICE_OK);
    cosslice_upload_cancel(upload);
    CHECK_INT(cosslice_upload_feed(upload, data + LEN / 2, LEN / 2), COSSLICE_E_CANCELED);
    CHECK_INT(cosslice_upload_finish(upload), COSSLICE_E_STATE);
    cosslice_upload_free(upload);

    check_case("cancel after success changes nothing");
    bytes_make(7, 0, data, LEN);
    upload = new_upload(config, "/after");
    CHECK_INT(cosslice_upload_buffer(upload, data, LEN), COSSLICE_OK);
    cosslice_upload_cancel(upload);
    CHECK(*cosslice_upload_get_str(upload, COSSLICE_INFO_ACCESS_URL));
    CHECK_INT(cosslice_upload_get_i64(upload, COSSLICE_INFO_BYTES_DONE), LEN);
    cosslice_upload_free(upload);
    cosslice_config_free(config);
    CHECK(emulator_has(&emulator, "/after", 7, LEN));
}

/* ---- uploads of one configuration do not disturb each other ---- */

struct neighbour {
    cosslice_upload *upload;
    unsigned char *data;
    cosslice_status status;
};

static void *upload_neighbour(void *user)
{
    struct neighbour *neighbour = user;

    neighbour->status = cosslice_upload_buffer(neighbour->upload, neighbour->data, LEN);
    return NULL;
}

static void check_neighbour(void)
{
    cosslice_config *config = emulator_config(&emulator);
    struct neighbour neighbour = {.status = COSSLICE_E_PANIC, .data = malloc(LEN)};
    pthread_t thread;

    check_case("cancelling one upload does not disturb another of the same configuration");
    if (!neighbour.data)
        check_give_up("no memory");
    bytes_make(8, 0, neighbour.data, LEN);
    CHECK_INT(cosslice_config_set_u64(config, COSSLICE_OPT_BANDWIDTH, LEN * 2), COSSLICE_OK); /* about half a second */
    neighbour.upload = new_upload(config, "/neighbour");
    if (pthread_create(&thread, NULL, upload_neighbour, &neighbour) != 0)
        check_give_up("no thread");
    for (int i = 0; i < 20; i++) {
        struct callback callback = {.phase = COSSLICE_PHASE_SENDING, .how = CANCEL};
        char path[32];
        snprintf(path, sizeof path, "/cancelled-%d", i);
        data[0] = (unsigned char)i;
        callback.upload = new_upload(config, path);
        CHECK_INT(cosslice_upload_set_progress(callback.upload, end_in_callback, &callback, NULL), COSSLICE_OK);
        CHECK_INT(cosslice_upload_buffer(callback.upload, data, LEN), COSSLICE_E_CANCELED);
        cosslice_upload_free(callback.upload);
    }
    pthread_join(thread, NULL);
    CHECK_INT(neighbour.status, COSSLICE_OK);
    cosslice_upload_free(neighbour.upload);
    cosslice_config_free(config);
    free(neighbour.data);
    CHECK(emulator_has(&emulator, "/neighbour", 8, LEN));
}

/* ---- signals that mean nothing ---- */

static volatile sig_atomic_t alarms;

static void on_alarm(int number)
{
    (void)number;
    alarms++;
}

static void check_storm(void)
{
    struct sigaction action;
    struct itimerval every = {.it_interval = {.tv_usec = 1000}, .it_value = {.tv_usec = 1000}}, never = {.it_value = {0}};
    cosslice_config *config = emulator_config(&emulator);
    cosslice_upload *upload;

    check_case("a thousand signals a second do no harm");
    memset(&action, 0, sizeof action);
    action.sa_handler = on_alarm; /* without SA_RESTART; it stays, for the last signal may come late */
    sigaction(SIGALRM, &action, NULL);
    bytes_make(9, 0, data, LEN);
    CHECK_INT(cosslice_config_set_u64(config, COSSLICE_OPT_RETRIES, 0), COSSLICE_OK);
    CHECK_INT(cosslice_config_set_u64(config, COSSLICE_OPT_BANDWIDTH, LEN * 2), COSSLICE_OK);
    CHECK_INT(cosslice_config_set_u64(config, COSSLICE_OPT_IN_FLIGHT, 1), COSSLICE_OK);
    upload = new_upload(config, "/storm");
    setitimer(ITIMER_REAL, &every, NULL);
    cosslice_status status = cosslice_upload_buffer(upload, data, LEN);
    setitimer(ITIMER_REAL, &never, NULL);
    if (!CHECK_INT(status, COSSLICE_OK))
        printf("       %s\n", cosslice_upload_get_str(upload, COSSLICE_INFO_MESSAGE));
    CHECK(alarms > 10);
    cosslice_upload_free(upload);
    cosslice_config_free(config);
    CHECK(emulator_has(&emulator, "/storm", 9, LEN));
}

int main(void)
{
    struct sigaction action;

    memset(&action, 0, sizeof action);
    action.sa_handler = on_signal;
    sigaction(SIGUSR1, &action, NULL);
    data = malloc(LEN);
    if (!data)
        check_give_up("no memory");
    bytes_make(1, 0, data, LEN);
    emulator_start(&emulator, NULL);

    for (int stage = ANSWER; stage <= CONNECT; stage++) {
        check_stage((enum stage)stage, BY_CANCEL, 4);
        check_stage((enum stage)stage, BY_CANCEL, 1);
        check_stage((enum stage)stage, BY_SIGNAL, 4);
        check_stage((enum stage)stage, BY_SIGNAL, 1);
        check_stage((enum stage)stage, BY_FREE, 4);
    }
    for (int how = RETURN; how <= FREE; how++) {
        check_callback(COSSLICE_PHASE_HASHING, (enum how)how);
        check_callback(COSSLICE_PHASE_SENDING, (enum how)how);
    }
    check_before_and_after();
    check_neighbour();
    check_storm();
    emulator_stop(&emulator);
    free(data);
    return check_finish();
}
