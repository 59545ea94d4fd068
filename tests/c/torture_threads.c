/*
 * Several threads at one handle: calls give OK or E_BUSY, questions and cancel work at any time, and a free during a call
 * is carried out when that ends. Free in callbacks, uploads in callbacks, and release callbacks that call the library.
 */
#define _POSIX_C_SOURCE 200809L

#include "check.h"
#include "emulator.h"
#include "flows.h"
#include "http.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum { LEN = 3 * 1048576 + 9, PIECE = 20000, ROUNDS = 6 };

static struct emulator emulator;
static struct content content;
static struct content same; /* all bytes alike: pieces may come in any order */

/* ---- two threads that call, one that asks ---- */

struct crowd {
    cosslice_upload *upload;
    pthread_mutex_t lock;
    size_t fed;     /* bytes that some feed took */
    unsigned busy;  /* calls refused with E_BUSY */
    unsigned other; /* calls with any other status */
    bool over;
};

static void tell(struct crowd *crowd, cosslice_status status, size_t len)
{
    pthread_mutex_lock(&crowd->lock);
    if (status == COSSLICE_OK)
        crowd->fed += len;
    else if (status == COSSLICE_E_BUSY)
        crowd->busy++;
    else
        crowd->other++;
    pthread_mutex_unlock(&crowd->lock);
}

/* Feeds until all is fed, whoever feeds it; the last bytes are left to the thread that finishes. */
static void *feed(void *user)
{
    struct crowd *crowd = user;

    for (;;) {
        bool over;
        pthread_mutex_lock(&crowd->lock);
        /* Both may feed one more piece than is counted yet. */
        over = crowd->fed + 2 * PIECE > LEN;
        pthread_mutex_unlock(&crowd->lock);
        if (over)
            return NULL;
        tell(crowd, cosslice_upload_feed(crowd->upload, same.data, PIECE), PIECE);
    }
}

static void *ask(void *user)
{
    struct crowd *crowd = user;
    int64_t before = 0;
    bool over = false, ordered = true, never_null = true;

    for (unsigned i = 0; !over; i++) {
        int64_t done = cosslice_upload_get_i64(crowd->upload, COSSLICE_INFO_BYTES_DONE);
        ordered = ordered && done >= before && done <= LEN;
        before = done;
        /* What it points to may be gone: the others' calls end its life. */
        never_null = never_null && cosslice_upload_get_str(crowd->upload, i % 13) != NULL;
        for (uint32_t info = 100; info < 115; info++)
            cosslice_upload_get_i64(crowd->upload, info);
        pthread_mutex_lock(&crowd->lock);
        over = crowd->over;
        pthread_mutex_unlock(&crowd->lock);
    }
    return ordered && never_null ? crowd : NULL;
}

static void check_crowd(unsigned in_flight)
{
    cosslice_config *config = emulator_config(&emulator);
    unsigned busy = 0;

    check_case("two threads feed one upload, a third one asks, %u in flight", in_flight);
    watchdog(60, "threads that feed one upload");
    CHECK_INT(cosslice_config_set_u64(config, COSSLICE_OPT_IN_FLIGHT, in_flight), COSSLICE_OK);
    for (unsigned round = 0; round < ROUNDS; round++) {
        struct crowd crowd = {.upload = new_upload(config, "/crowd"), .lock = PTHREAD_MUTEX_INITIALIZER};
        pthread_t feeders[2], asker;
        void *answer = NULL;

        CHECK_INT(cosslice_upload_init(crowd.upload, LEN), COSSLICE_OK);
        if (pthread_create(&asker, NULL, ask, &crowd) != 0 || pthread_create(&feeders[0], NULL, feed, &crowd) != 0 ||
            pthread_create(&feeders[1], NULL, feed, &crowd) != 0)
            check_give_up("no thread");
        pthread_join(feeders[0], NULL);
        pthread_join(feeders[1], NULL);
        CHECK_INT(cosslice_upload_feed(crowd.upload, same.data, LEN - crowd.fed), COSSLICE_OK);
        CHECK_INT(cosslice_upload_finish(crowd.upload), COSSLICE_OK);
        pthread_mutex_lock(&crowd.lock);
        crowd.over = true;
        pthread_mutex_unlock(&crowd.lock);
        pthread_join(asker, &answer);
        CHECK(answer != NULL);
        CHECK_INT(crowd.other, 0);
        busy += crowd.busy;
        cosslice_upload_free(crowd.upload);
        CHECK_INT(http_request(emulator.port, "POST", "/_emulator/reset", NULL, NULL, NULL, NULL), 200);
    }
    watchdog(0, "-");
    CHECK(busy > 0);
    printf("       %u calls were refused as busy\n", busy);
    cosslice_config_free(config);
}

/* ---- cancel and free from another thread, at any moment ---- */

struct victim {
    cosslice_upload *upload;
    enum way way;
    pthread_mutex_t lock;
    pthread_cond_t moved;
    unsigned beats, released;
    bool by_free, ended;
    cosslice_status status;
};

static int32_t beat(void *user, uint32_t phase, uint64_t bytes_done, uint64_t bytes_total)
{
    struct victim *victim = user;

    (void)phase, (void)bytes_done, (void)bytes_total;
    pthread_mutex_lock(&victim->lock);
    victim->beats++;
    pthread_cond_broadcast(&victim->moved);
    pthread_mutex_unlock(&victim->lock);
    return 0;
}

static void count_release(void *user)
{
    struct victim *victim = user;

    pthread_mutex_lock(&victim->lock);
    victim->released++;
    pthread_mutex_unlock(&victim->lock);
}

static void *run_victim(void *user)
{
    struct victim *victim = user;
    /* One call: after it the handle may be gone. */
    cosslice_status status = victim->way == BY_FILE ? cosslice_upload_file(victim->upload, content.file)
                                                    : cosslice_upload_buffer(victim->upload, content.data, content.len);

    pthread_mutex_lock(&victim->lock);
    victim->status = status;
    victim->ended = true;
    pthread_cond_broadcast(&victim->moved);
    pthread_mutex_unlock(&victim->lock);
    return NULL;
}

static void check_victim(bool by_free, unsigned in_flight)
{
    unsigned struck = 0;

    check_case("%s from another thread, %u in flight", by_free ? "free" : "cancel", in_flight);
    for (unsigned beats = 1; beats <= 12; beats++) {
        struct victim victim = {.by_free = by_free, .way = beats % 2 ? BY_FILE : BY_BUFFER, .lock = PTHREAD_MUTEX_INITIALIZER,
                                .moved = PTHREAD_COND_INITIALIZER};
        cosslice_config *config = emulator_config(&emulator);
        pthread_t thread;
        bool in_time;

        watchdog(30, "a call whose upload is ended by another thread after %u beats", beats);
        /* Slow enough to be caught. */
        CHECK_INT(cosslice_config_set_u64(config, COSSLICE_OPT_BANDWIDTH, 4 * 1048576), COSSLICE_OK);
        CHECK_INT(cosslice_config_set_u64(config, COSSLICE_OPT_IN_FLIGHT, in_flight), COSSLICE_OK);
        CHECK_INT(cosslice_config_set_u64(config, COSSLICE_OPT_OVERWRITE, 2), COSSLICE_OK);
        victim.upload = new_upload(config, "/victim");
        CHECK_INT(cosslice_upload_set_progress(victim.upload, beat, &victim, count_release), COSSLICE_OK);
        cosslice_config_free(config);
        if (pthread_create(&thread, NULL, run_victim, &victim) != 0)
            check_give_up("no thread");
        pthread_mutex_lock(&victim.lock);
        while (victim.beats < beats && !victim.ended)
            pthread_cond_wait(&victim.moved, &victim.lock);
        in_time = !victim.ended;
        pthread_mutex_unlock(&victim.lock);
        if (by_free)
            cosslice_upload_free(victim.upload);
        else
            cosslice_upload_cancel(victim.upload);
        pthread_join(thread, NULL);
        if (!by_free)
            cosslice_upload_free(victim.upload);
        CHECK(victim.status == COSSLICE_E_CANCELED || (victim.status == COSSLICE_OK && (!in_time || beats > 3)));
        struck += victim.status == COSSLICE_E_CANCELED;
        CHECK_INT(victim.released, 1);
        CHECK_INT(http_request(emulator.port, "POST", "/_emulator/reset", NULL, NULL, NULL, NULL), 200);
    }
    watchdog(0, "-");
    CHECK(struck >= 3);
    printf("       %u of 12 calls were ended\n", struck);
}

/* ---- what callbacks may do ---- */

enum where { IN_PROGRESS, IN_SIGNER, IN_LOGGER, IN_RELEASE, PLACES };
static const char *const places[PLACES] = {"progress", "signer", "logger", "release"};
enum deed { FREE_IT, CANCEL_IT, UPLOAD_ANOTHER, FREE_CONFIG, DEEDS };
static const char *const deeds[DEEDS] = {"frees the upload", "cancels it", "makes another upload", "frees the config"};

struct scene {
    enum where where;
    enum deed deed;
    unsigned after; /* calls of that callback */
    cosslice_config *config, *keys;
    cosslice_upload *upload;
    unsigned calls, released;
    bool done, freed;
};

static void act(struct scene *scene, enum where where)
{
    cosslice_upload *another;

    if (scene->where != where || scene->done || scene->calls++ < scene->after)
        return;
    scene->done = true;
    switch (scene->deed) {
    case FREE_IT:
        cosslice_upload_free(scene->upload);
        scene->freed = true;
        break;
    case CANCEL_IT: cosslice_upload_cancel(scene->upload); break;
    case UPLOAD_ANOTHER:
        another = new_upload(scene->keys, "/another");
        CHECK_INT(cosslice_upload_buffer(another, content.data, 3 * 65536), COSSLICE_OK);
        cosslice_upload_free(another);
        break;
    default:
        cosslice_config_free(scene->config);
        scene->config = NULL;
    }
}

static int32_t on_progress(void *user, uint32_t phase, uint64_t bytes_done, uint64_t bytes_total)
{
    (void)phase, (void)bytes_done, (void)bytes_total;
    act(user, IN_PROGRESS);
    return 0;
}

static size_t on_sign(void *user, const cosslice_sign_request *request, char *out, size_t out_size)
{
    struct scene *scene = user;
    size_t len = 0;

    act(scene, IN_SIGNER);
    /* Short-lived ones, so that there are many. */
    return cosslice_config_sign(scene->keys, cosslice_sign_get_str(request, COSSLICE_SIGN_PATH), cosslice_sign_get_u64(request, COSSLICE_SIGN_NOW_S) + 30,
                                out, out_size, &len) == COSSLICE_OK
               ? len
               : 0;
}

static void on_log(void *user, int32_t level, const char *message)
{
    (void)level, (void)message;
    act(user, IN_LOGGER);
}

static void on_release(void *user)
{
    struct scene *scene = user;

    scene->released++;
    if (scene->deed == UPLOAD_ANOTHER)
        act(scene, IN_RELEASE);
}

/* The steps one by one, for after a free in one of them the handle is gone. */
static cosslice_status steps(struct scene *scene, enum way way)
{
    cosslice_upload *upload = scene->upload;
    cosslice_status status;

    if (way == BY_FILE || way == BY_BUFFER)
        return flow(upload, way, &content);
    status = way == BY_HASHED_PUSH ? cosslice_upload_hash(upload, content.data, content.len) : COSSLICE_OK;
    if (status == COSSLICE_OK && !scene->freed)
        status = cosslice_upload_init(upload, content.len);
    for (size_t at = 0; status == COSSLICE_OK && !scene->freed && at < content.len; at += 300000)
        status = cosslice_upload_feed(upload, content.data + at, content.len - at < 300000 ? content.len - at : 300000);
    return status == COSSLICE_OK && !scene->freed ? cosslice_upload_finish(upload) : status;
}

static void play(enum where where, enum deed deed, enum way way, unsigned in_flight, unsigned after)
{
    struct scene scene = {.where = where, .deed = deed, .after = after, .config = emulator_config(&emulator), .keys = emulator_config(&emulator)};
    cosslice_status status;

    watchdog(30, "a %s that %s, by %s, %u in flight, after %u calls", places[where], deeds[deed], way_names[way], in_flight, after);
    CHECK_INT(cosslice_config_set_u64(scene.config, COSSLICE_OPT_IN_FLIGHT, in_flight), COSSLICE_OK);
    CHECK_INT(cosslice_config_set_u64(scene.config, COSSLICE_OPT_OVERWRITE, 2), COSSLICE_OK);
    CHECK_INT(cosslice_config_set_u64(scene.config, COSSLICE_OPT_SIGN_TTL_S, 60), COSSLICE_OK);
    CHECK_INT(cosslice_config_set_signer(scene.config, on_sign, &scene, on_release), COSSLICE_OK);
    /* The scene begins with the upload: making it logs nothing. */
    CHECK_INT(cosslice_config_set_logger(scene.config, COSSLICE_LOG_DEBUG, on_log, &scene, on_release), COSSLICE_OK);
    scene.upload = new_upload(scene.config, "/scene");
    CHECK_INT(cosslice_upload_set_progress(scene.upload, on_progress, &scene, on_release), COSSLICE_OK);
    status = steps(&scene, way);
    if (scene.done && (deed == FREE_IT || deed == CANCEL_IT))
        /* A wish that comes with the last call may be too late. */
        CHECK(status == COSSLICE_E_CANCELED || status == COSSLICE_OK);
    else
        CHECK_INT(status, COSSLICE_OK);
    if (!scene.freed)
        cosslice_upload_free(scene.upload);
    if (scene.config)
        cosslice_config_free(scene.config);
    cosslice_config_free(scene.keys);
    CHECK_INT(scene.released, 3);
    CHECK_INT(http_request(emulator.port, "POST", "/_emulator/reset", NULL, NULL, NULL, NULL), 200);
}

static void check_callbacks(void)
{
    for (int where = 0; where < PLACES; where++)
        for (int deed = 0; deed < DEEDS; deed++) {
            /* A signer must not free the config; in a release nothing is left to free. */
            if ((where == IN_SIGNER && deed == FREE_CONFIG) || (where == IN_RELEASE && deed != UPLOAD_ANOTHER))
                continue;
            check_case("a %s that %s", places[where], deeds[deed]);
            for (int way = 0; way < WAYS; way++)
                for (unsigned in_flight = 1; in_flight <= 4; in_flight += 3)
                    for (unsigned after = 0; after < 10; after += slowness() > 1 ? 9 : 3)
                        play((enum where)where, (enum deed)deed, (enum way)way, in_flight, after);
        }
    watchdog(0, "-");
}

int main(void)
{
    emulator_start(&emulator, NULL);
    content_make(&content, emulator.dir, 71, LEN);
    content_make(&same, emulator.dir, 72, LEN);
    memset(same.data, 'x', LEN);
    for (unsigned in_flight = 1; in_flight <= 4; in_flight += 3) {
        check_crowd(in_flight);
        check_victim(false, in_flight);
        check_victim(true, in_flight);
    }
    check_callbacks();
    content_free(&content);
    content_free(&same);
    emulator_stop(&emulator);
    return check_finish();
}
