/*
 * Fork while another thread is inside a call, and inside a callback: the child gets E_FORKED for what it inherited and can
 * make handles of its own; the parent goes on unharmed.
 */
#define _POSIX_C_SOURCE 200809L

#include "check.h"
#include "emulator.h"
#include "flows.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LEN = 3 * 1048576 + 5, FORKS = 24 };

static struct emulator emulator;
static struct content content;
static unsigned released;

static void count_release(void *user)
{
    (void)user;
    released++;
}

/* ---- the child: the number of the first thing that was not as it should be ---- */

static int use_inherited(cosslice_config *config, cosslice_upload *upload)
{
    cosslice_upload *other = upload;
    char text[1024];
    size_t len = 0;

    released = 0;
    if (cosslice_config_set_str(config, COSSLICE_OPT_BUCKET, "bkt") != COSSLICE_E_FORKED)
        return 1;
    if (cosslice_config_set_u64(config, COSSLICE_OPT_HASH, 0) != COSSLICE_E_FORKED)
        return 2;
    if (cosslice_config_set_signer(config, NULL, NULL, count_release) != COSSLICE_E_FORKED)
        return 3;
    if (cosslice_config_set_logger(config, COSSLICE_LOG_INFO, NULL, NULL, count_release) != COSSLICE_E_FORKED)
        return 4;
    if (cosslice_config_sign(config, "/x", 0, text, sizeof text, &len) != COSSLICE_E_FORKED)
        return 5;
    if (cosslice_upload_new(config, "/x", &other) != COSSLICE_E_FORKED || other)
        return 6;
    if (!strstr(cosslice_config_message(config), "fork"))
        return 7;
    if (cosslice_upload_set_progress(upload, NULL, NULL, count_release) != COSSLICE_E_FORKED)
        return 8;
    if (cosslice_upload_hash(upload, content.data, 1) != COSSLICE_E_FORKED)
        return 9;
    if (cosslice_upload_init(upload, LEN) != COSSLICE_E_FORKED)
        return 10;
    if (cosslice_upload_seek(upload, 0) != COSSLICE_E_FORKED)
        return 11;
    if (cosslice_upload_feed(upload, content.data, 1) != COSSLICE_E_FORKED)
        return 12;
    if (cosslice_upload_finish(upload) != COSSLICE_E_FORKED)
        return 13;
    if (cosslice_upload_file(upload, content.file) != COSSLICE_E_FORKED)
        return 14;
    if (cosslice_upload_buffer(upload, content.data, LEN) != COSSLICE_E_FORKED)
        return 15;
    if (!strstr(cosslice_upload_get_str(upload, COSSLICE_INFO_MESSAGE), "fork") ||
        strcmp(cosslice_upload_get_str(upload, COSSLICE_INFO_ACCESS_URL), "") != 0 || cosslice_upload_get_i64(upload, COSSLICE_INFO_PHASE) < 0)
        return 16;
    cosslice_upload_cancel(upload); /* the parent's is another one by now */
    cosslice_upload_free(upload);
    cosslice_config_free(config);
    return released == 0 ? 0 : 17;
}

/* An upload of the child's own, with threads of its own. */
static int upload_own(unsigned number)
{
    cosslice_config *config = emulator_config(&emulator);
    cosslice_upload *upload = NULL;
    char path[40];
    cosslice_status status;

    snprintf(path, sizeof path, "/child-%u", number);
    if (cosslice_config_set_u64(config, COSSLICE_OPT_SINGLE_MAX, 0) != COSSLICE_OK)
        return 20;
    if (cosslice_upload_new(config, path, &upload) != COSSLICE_OK)
        return 21;
    status = cosslice_upload_buffer(upload, content.data + 1 + number, 2 * 1048576); /* other bytes each time, or nothing would be sent */
    cosslice_upload_free(upload);
    cosslice_config_free(config);
    return status == COSSLICE_OK ? 0 : 22;
}

/* Forks; the child does all of the above. */
static void fork_and_check(cosslice_config *config, cosslice_upload *upload, unsigned number)
{
    int answer[2], status = -1;
    char failed_at = -1;
    pid_t child;

    if (pipe(answer) != 0)
        check_give_up("no pipe");
    child = fork();
    if (child == 0) {
        alarm(30 * slowness()); /* a child that hangs must not hang the test */
        failed_at = (char)use_inherited(config, upload);
        if (failed_at == 0)
            failed_at = (char)upload_own(number);
        _exit(write(answer[1], &failed_at, 1) == 1 ? 0 : 1);
    }
    close(answer[1]);
    /* Not by the exit status: under valgrind what the parent's other threads held counts as a leak of the child. */
    CHECK_INT(read(answer[0], &failed_at, 1), 1);
    if (!CHECK_INT(failed_at, 0))
        printf("       the child of fork %u failed at %d\n", number, failed_at);
    close(answer[0]);
    CHECK_INT(waitpid(child, &status, 0), child);
    CHECK(WIFEXITED(status));
}

/* ---- the parent ---- */

struct worker {
    cosslice_config *config;
    cosslice_upload *upload; /* never freed while the others run */
    enum way way;
    pthread_mutex_t lock;
    pthread_cond_t moved;
    unsigned long beats; /* progress calls so far */
    bool ended;
    cosslice_status status;
};

static int32_t beat(void *user, uint32_t phase, uint64_t bytes_done, uint64_t bytes_total)
{
    struct worker *worker = user;

    (void)phase, (void)bytes_done, (void)bytes_total;
    pthread_mutex_lock(&worker->lock);
    worker->beats++;
    pthread_cond_broadcast(&worker->moved);
    pthread_mutex_unlock(&worker->lock);
    return 0;
}

static void *work(void *user)
{
    struct worker *worker = user;
    cosslice_status status = flow(worker->upload, worker->way, &content);

    pthread_mutex_lock(&worker->lock);
    worker->status = status;
    worker->ended = true;
    pthread_cond_broadcast(&worker->moved);
    pthread_mutex_unlock(&worker->lock);
    return NULL;
}

/* Waits until the other thread has got a bit further; false when it has ended. */
static bool wait_for_beat(struct worker *worker)
{
    unsigned long before;
    bool goes_on;

    pthread_mutex_lock(&worker->lock);
    before = worker->beats;
    while (worker->beats == before && !worker->ended)
        pthread_cond_wait(&worker->moved, &worker->lock);
    goes_on = !worker->ended;
    pthread_mutex_unlock(&worker->lock);
    return goes_on;
}

static void check_beside(enum way way)
{
    struct worker worker = {.way = way, .config = emulator_config(&emulator), .lock = PTHREAD_MUTEX_INITIALIZER, .moved = PTHREAD_COND_INITIALIZER};
    unsigned forks = 0, before = released;
    pthread_t thread;

    check_case("forks while another thread uploads by %s", way_names[way]);
    watchdog(120, "forks beside an upload by %s", way_names[way]);
    /* As slow as it takes for all forks to happen meanwhile. */
    CHECK_INT(cosslice_config_set_u64(worker.config, COSSLICE_OPT_BANDWIDTH, 2 * 1048576 / slowness()), COSSLICE_OK);
    worker.upload = new_upload(worker.config, "/beside");
    CHECK_INT(cosslice_upload_set_progress(worker.upload, beat, &worker, count_release), COSSLICE_OK);
    if (pthread_create(&thread, NULL, work, &worker) != 0)
        check_give_up("no thread");
    while (forks < FORKS && wait_for_beat(&worker))
        fork_and_check(worker.config, worker.upload, forks++);
    pthread_join(thread, NULL);
    watchdog(0, "-");
    CHECK(forks >= 3);
    if (!CHECK_INT(worker.status, COSSLICE_OK))
        printf("       %s\n", cosslice_upload_get_str(worker.upload, COSSLICE_INFO_MESSAGE));
    cosslice_upload_free(worker.upload);
    cosslice_config_free(worker.config);
    CHECK_INT(released, before + 1);
    CHECK(emulator_has(&emulator, "/beside", content.seed, LEN));
    printf("       %u forks\n", forks);
    emulator_delete(&emulator, "/beside");
}

/* ---- in the middle of a callback ---- */

struct inside {
    cosslice_config *config;
    cosslice_upload *upload;
    unsigned forks;
};

static int32_t fork_inside(void *user, uint32_t phase, uint64_t bytes_done, uint64_t bytes_total)
{
    struct inside *inside = user;

    (void)phase, (void)bytes_done, (void)bytes_total;
    if (inside->forks < 3)
        fork_and_check(inside->config, inside->upload, 100 + inside->forks++);
    return 0;
}

static void check_inside(enum way way)
{
    struct inside inside = {.config = emulator_config(&emulator)};

    check_case("forks in a callback of an upload by %s", way_names[way]);
    watchdog(120, "forks in a callback");
    inside.upload = new_upload(inside.config, "/inside");
    CHECK_INT(cosslice_upload_set_progress(inside.upload, fork_inside, &inside, NULL), COSSLICE_OK);
    CHECK_INT(flow(inside.upload, way, &content), COSSLICE_OK);
    CHECK_INT(inside.forks, 3);
    cosslice_upload_free(inside.upload);
    cosslice_config_free(inside.config);
    watchdog(0, "-");
    CHECK(emulator_has(&emulator, "/inside", content.seed, LEN));
    emulator_delete(&emulator, "/inside");
}

int main(void)
{
    emulator_start(&emulator, NULL);
    content_make(&content, emulator.dir, 61, LEN);
    check_beside(BY_FILE);
    check_beside(BY_HASHED_PUSH);
    check_inside(BY_BUFFER);
    check_inside(BY_PUSH);
    content_free(&content);
    emulator_stop(&emulator);
    return check_finish();
}
