/*
 * A host that loads the library at run time and unloads it again, in a loop, with work done in between: uploads finished,
 * freed half-way, and freed after the unloading. Threads and thread-locals of the library may outlive dlclose(): it must stay mapped.
 *
 * Loads copies of the shared library, apart from the one that the tests' own kit is linked with.
 */
#define _GNU_SOURCE /* RTLD_NOLOAD beside POSIX */

#include "check.h"
#include "emulator.h"
#include "flows.h"
#include "http.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LEN = 3 * 1048576 + 3, COPIES = 3, ROUNDS = 12 };

static struct emulator emulator;
static struct content content;

/* The functions of one loaded copy. */
struct library {
    void *handle;
    cosslice_status (*config_new)(cosslice_config **);
    cosslice_status (*config_set_str)(cosslice_config *, uint32_t, const char *);
    cosslice_status (*config_set_u64)(cosslice_config *, uint32_t, uint64_t);
    void (*config_free)(cosslice_config *);
    cosslice_status (*upload_new)(const cosslice_config *, const char *, cosslice_upload **);
    cosslice_status (*upload_init)(cosslice_upload *, uint64_t);
    cosslice_status (*upload_feed)(cosslice_upload *, const void *, size_t);
    cosslice_status (*upload_buffer)(cosslice_upload *, const void *, size_t);
    void (*upload_free)(cosslice_upload *);
};

/* What is not freed before the unloading. */
static struct {
    cosslice_upload *upload;
    void (*free)(cosslice_upload *);
} kept[ROUNDS];
static unsigned kept_count;

static void find(const struct library *library, void *function, const char *name)
{
    void *found = dlsym(library->handle, name);

    if (!found)
        check_give_up(name);
    memcpy(function, &found, sizeof found); /* the only way that ISO C leaves */
}

static struct library load(const char *name)
{
    struct library library = {.handle = dlopen(name, RTLD_NOW | RTLD_LOCAL)};

    if (!library.handle)
        check_give_up(dlerror());
    find(&library, &library.config_new, "cosslice_config_new");
    find(&library, &library.config_set_str, "cosslice_config_set_str");
    find(&library, &library.config_set_u64, "cosslice_config_set_u64");
    find(&library, &library.config_free, "cosslice_config_free");
    find(&library, &library.upload_new, "cosslice_upload_new");
    find(&library, &library.upload_init, "cosslice_upload_init");
    find(&library, &library.upload_feed, "cosslice_upload_feed");
    find(&library, &library.upload_buffer, "cosslice_upload_buffer");
    find(&library, &library.upload_free, "cosslice_upload_free");
    return library;
}

static void copy_library(const char *to)
{
    const char *dir = getenv("COSSLICE_LIB");
    char from[300], piece[65536];
    FILE *in, *out;
    size_t got;

    snprintf(from, sizeof from, "%s/libcosslice.so", dir ? dir : "build/lib");
    in = fopen(from, "rb");
    out = fopen(to, "wb");
    if (!in || !out)
        check_give_up("cannot copy the library");
    while ((got = fread(piece, 1, sizeof piece, in)) > 0)
        if (fwrite(piece, 1, got, out) != got)
            check_give_up("cannot copy the library");
    fclose(in);
    if (fclose(out) != 0)
        check_give_up("cannot copy the library");
}

static cosslice_config *configure(const struct library *library)
{
    cosslice_config *config = NULL;

    if (library->config_new(&config) != COSSLICE_OK || library->config_set_str(config, COSSLICE_OPT_APP_ID, "1250000000") != COSSLICE_OK ||
        library->config_set_str(config, COSSLICE_OPT_BUCKET, "bkt") != COSSLICE_OK ||
        library->config_set_str(config, COSSLICE_OPT_SECRET_ID, "AKIDEXAMPLE") != COSSLICE_OK ||
        library->config_set_str(config, COSSLICE_OPT_SECRET_KEY, "examplesecretkey") != COSSLICE_OK ||
        library->config_set_u64(config, COSSLICE_OPT_OVERWRITE, 2) != COSSLICE_OK ||
        library->config_set_str(config, COSSLICE_OPT_ENDPOINT, emulator.endpoint) != COSSLICE_OK)
        check_give_up("no config");
    return config;
}

enum ending { FINISHED, FREED_HALFWAY, FREED_LATER, ENDINGS };
static const char *const endings[ENDINGS] = {"a finished upload", "an upload freed half-way", "an upload that is freed afterwards"};

struct round {
    const char *name; /* of the library's file */
    enum ending ending;
};

/* Loads, works, unloads. In a thread of its own: its thread-locals are destroyed after the unloading. */
static void *play(void *user)
{
    const struct round *round = user;
    struct library library = load(round->name);
    cosslice_config *config = configure(&library);
    cosslice_upload *upload = NULL;

    CHECK_INT(library.upload_new(config, "/loaded", &upload), COSSLICE_OK);
    if (round->ending == FINISHED) {
        CHECK_INT(library.upload_buffer(upload, content.data, content.len), COSSLICE_OK);
    } else {
        CHECK_INT(library.upload_init(upload, content.len), COSSLICE_OK);
        CHECK_INT(library.upload_feed(upload, content.data, content.len - 1), COSSLICE_OK); /* slices are on their way now */
    }
    if (round->ending == FREED_LATER) {
        kept[kept_count].upload = upload;
        kept[kept_count++].free = library.upload_free;
    } else {
        library.upload_free(upload);
    }
    library.config_free(config);
    CHECK_INT(dlclose(library.handle), 0);
    return NULL;
}

static void check_rounds(enum ending ending)
{
    char name[300];

    check_case("load, %s, unload, %d times", endings[ending], ROUNDS);
    watchdog(120, "load and unload with %s", endings[ending]);
    for (unsigned i = 0; i < ROUNDS; i++) {
        struct round round = {.name = name, .ending = ending};
        pthread_t thread;

        snprintf(name, sizeof name, "%s/copy-%u.so", emulator.dir, i % COPIES);
        /* Odd rounds in this thread, which goes on. */
        if (i % 2) {
            play(&round);
        } else {
            if (pthread_create(&thread, NULL, play, &round) != 0)
                check_give_up("no thread");
            pthread_join(thread, NULL);
        }
        if (ending == FINISHED)
            CHECK(emulator_has(&emulator, "/loaded", content.seed, LEN));
        while (kept_count > 0) {
            kept_count--;
            kept[kept_count].free(kept[kept_count].upload);
        }
        CHECK_INT(http_request(emulator.port, "POST", "/_emulator/reset", NULL, NULL, NULL, NULL), 200);
    }
    watchdog(0, "-");
}

static void check_mapped(void)
{
    char name[300];

    check_case("an unloaded library stays mapped");
    for (unsigned i = 0; i < COPIES; i++) {
        void *again;
        snprintf(name, sizeof name, "%s/copy-%u.so", emulator.dir, i);
        again = dlopen(name, RTLD_NOW | RTLD_NOLOAD);
        CHECK(again != NULL);
        if (again)
            dlclose(again);
    }
    check_case("copies are copies");
    void *own = dlopen("libcosslice.so.1", RTLD_NOW | RTLD_NOLOAD), *copy = dlopen(name, RTLD_NOW);
    CHECK(own && copy && dlsym(own, "cosslice_upload_new") != dlsym(copy, "cosslice_upload_new"));
}

int main(void)
{
    char name[300];

    emulator_start(&emulator, NULL);
    content_make(&content, emulator.dir, 91, LEN);
    for (unsigned i = 0; i < COPIES; i++) {
        snprintf(name, sizeof name, "%s/copy-%u.so", emulator.dir, i);
        copy_library(name);
    }
    for (int ending = 0; ending < ENDINGS; ending++)
        check_rounds((enum ending)ending);
    check_mapped();
    content_free(&content);
    emulator_stop(&emulator);
    return check_finish();
}
