/*
 * The lookup of a host name, which no system call can interrupt: canceled, freed and limited all the same; failing, it is told with
 * the name. The program's own getaddrinfo stands in for the system's, which the library finds here first.
 */
#define _GNU_SOURCE

#include "bytes.h"
#include "check.h"
#include "emulator.h"

#include <dlfcn.h>
#include <netdb.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { LEN = 300000 };

static struct emulator emulator;
static unsigned char data[LEN];

/* ---- the resolver ---- */

enum answer { LOCALHOST, NOT_NOW, SILENCE };

static enum answer answer;
static sem_t asked, go_on, gone_on;
static int lookups; /* asked in all; read when no lookup is under way */

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **found)
{
    static int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);

    if (!real)
        *(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
    if (!node || strcmp(node, "cos.example") != 0)
        return real(node, service, hints, found);
    lookups++;
    sem_post(&asked);
    if (answer == SILENCE) {
        while (sem_wait(&go_on) != 0)
            ;
        sem_post(&gone_on);
        return EAI_AGAIN;
    }
    return answer == NOT_NOW ? EAI_AGAIN : real("127.0.0.1", service, hints, found);
}

static void wait_for(sem_t *semaphore)
{
    struct timespec limit;

    clock_gettime(CLOCK_REALTIME, &limit);
    limit.tv_sec += 60;
    CHECK_INT(sem_timedwait(semaphore, &limit), 0);
}

/* Lets a lookup that nobody waits for end, so that no thread is left behind. */
static void let_go(void)
{
    sem_post(&go_on);
    wait_for(&gone_on);
}

/* ---- the uploads ---- */

static cosslice_config *named_config(uint64_t in_flight)
{
    char endpoint[64];
    cosslice_config *config;

    snprintf(endpoint, sizeof endpoint, "http://cos.example:%d/files/v2", emulator.port);
    config = endpoint_config(endpoint);
    CHECK_INT(cosslice_config_set_u64(config, COSSLICE_OPT_IN_FLIGHT, in_flight), COSSLICE_OK);
    return config;
}

struct end {
    cosslice_upload *upload;
    int by_free;
    double at_ms;
};

static void *end_it(void *user)
{
    struct end *end = user;

    wait_for(&asked);
    end->at_ms = now_ms();
    if (end->by_free)
        cosslice_upload_free(end->upload);
    else
        cosslice_upload_cancel(end->upload);
    return NULL;
}

static void check_end(uint64_t in_flight, int by_free)
{
    cosslice_config *config = named_config(in_flight);
    double least = 1e9;
    int round;

    check_case("%s during a lookup, %d in flight", by_free ? "free" : "cancel", (int)in_flight);
    answer = SILENCE;
    /* The best of three: the machine may be busy. */
    for (round = 0; round < 3 && least > promised_ms(); round++) {
        struct end end = {new_upload(config, "/named"), by_free, 0};
        pthread_t thread;

        CHECK_INT(pthread_create(&thread, NULL, end_it, &end), 0);
        CHECK_INT(cosslice_upload_buffer(end.upload, data, LEN), COSSLICE_E_CANCELED);
        if (now_ms() - end.at_ms < least)
            least = now_ms() - end.at_ms;
        pthread_join(thread, NULL);
        if (!by_free)
            cosslice_upload_free(end.upload);
        let_go();
    }
    CHECK(least <= promised_ms());
    cosslice_config_free(config);
}

static void check_limit(void)
{
    cosslice_config *config = named_config(4);
    cosslice_upload *upload = new_upload(config, "/named");

    check_case("a lookup without an end is given up");
    answer = SILENCE;
    cosslice_upload_free(upload);
    CHECK_INT(cosslice_config_set_u64(config, COSSLICE_OPT_CONNECT_TIMEOUT_MS, 300), COSSLICE_OK);
    upload = new_upload(config, "/named");
    CHECK_INT(cosslice_upload_buffer(upload, data, LEN), COSSLICE_E_NETWORK);
    CHECK_CONTAINS(cosslice_upload_get_str(upload, COSSLICE_INFO_MESSAGE), "cos.example");
    CHECK_INT(cosslice_upload_get_i64(upload, COSSLICE_INFO_RETRYABLE), 1);
    cosslice_upload_free(upload);
    cosslice_config_free(config);
    wait_for(&asked);
    let_go();
    /* Where the time was enough for another try. */
    while (sem_trywait(&asked) == 0)
        let_go();
}

static void check_failure(void)
{
    cosslice_config *config = named_config(4);
    cosslice_upload *upload;
    int tried;

    check_case("a lookup that fails is tried again, then told");
    answer = NOT_NOW;
    CHECK_INT(cosslice_config_set_u64(config, COSSLICE_OPT_RETRIES, 2), COSSLICE_OK);
    upload = new_upload(config, "/named");
    lookups = 0;
    CHECK_INT(cosslice_upload_buffer(upload, data, LEN), COSSLICE_E_NETWORK);
    tried = lookups;
    CHECK_INT(tried, 3);
    CHECK_CONTAINS(cosslice_upload_get_str(upload, COSSLICE_INFO_MESSAGE), "\"cos.example\" cannot be looked up");
    cosslice_upload_free(upload);
    cosslice_config_free(config);
    while (sem_trywait(&asked) == 0)
        ;
}

static void check_success(void)
{
    cosslice_config *config = named_config(4);
    cosslice_upload *upload = new_upload(config, "/named");

    check_case("a name that is found works");
    answer = LOCALHOST;
    CHECK_INT(cosslice_upload_buffer(upload, data, LEN), COSSLICE_OK);
    CHECK(emulator_has(&emulator, "/named", 7, LEN));
    cosslice_upload_free(upload);
    cosslice_config_free(config);
}

int main(void)
{
    sem_init(&asked, 0, 0);
    sem_init(&go_on, 0, 0);
    sem_init(&gone_on, 0, 0);
    emulator_start(&emulator, NULL);
    bytes_make(7, 0, data, LEN);
    check_end(1, 0);
    check_end(4, 0);
    check_end(4, 1);
    check_limit();
    check_failure();
    check_success();
    emulator_stop(&emulator);
    return check_finish();
}
