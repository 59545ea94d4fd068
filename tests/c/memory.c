/*
 * Peak memory of an upload of more than 4 GiB, which also shows that no size is cut to 32 bits.
 *
 *     memory file | push
 *
 * Each way is a process of its own, so that getrusage tells of it alone. The server counts the bytes and drops them.
 */
#define _POSIX_C_SOURCE 200809L
#define _FILE_OFFSET_BITS 64

#include "check.h"
#include "emulator.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { LIMIT_KIB = 24 * 1024 };
static const uint64_t LEN = ((uint64_t)4 << 30) + (1 << 20) + 1;

static long peak_kib(void)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;
}

static cosslice_status push(cosslice_upload *upload)
{
    static const unsigned char piece[300000] = {1};
    cosslice_status status = cosslice_upload_init(upload, LEN);

    for (uint64_t at = 0; status == COSSLICE_OK && at < LEN;) {
        size_t count = LEN - at < sizeof piece ? (size_t)(LEN - at) : sizeof piece;
        status = cosslice_upload_feed(upload, piece, count);
        at += count;
    }
    return status == COSSLICE_OK ? cosslice_upload_finish(upload) : status;
}

static cosslice_status send_file(cosslice_upload *upload, const char *dir)
{
    char name[300];
    int fd;

    snprintf(name, sizeof name, "%s/sparse", dir);
    fd = open(name, O_CREAT | O_WRONLY, 0600);
    if (fd < 0 || ftruncate(fd, (off_t)LEN) != 0)
        check_give_up("cannot make a sparse file");
    close(fd);
    return cosslice_upload_file(upload, name);
}

int main(int argc, char **argv)
{
    bool by_push = argc == 2 && strcmp(argv[1], "push") == 0;
    struct emulator emulator;
    cosslice_config *config;
    cosslice_upload *upload = NULL;
    cosslice_status status;
    long before_kib;

    if (argc != 2 || (!by_push && strcmp(argv[1], "file") != 0)) {
        fprintf(stderr, "usage: memory file|push\n");
        return 2;
    }
    emulator_start(&emulator, "--discard");
    check_case("more than 4 GiB by %s, 4 in flight, in less than %d MiB", argv[1], LIMIT_KIB / 1024);
    config = emulator_config(&emulator);
    before_kib = peak_kib();
    CHECK_INT(cosslice_config_set_u64(config, COSSLICE_OPT_IN_FLIGHT, 4), COSSLICE_OK);
    CHECK_INT(cosslice_upload_new(config, "/large", &upload), COSSLICE_OK);
    status = by_push ? push(upload) : send_file(upload, emulator.dir);
    if (!CHECK_INT(status, COSSLICE_OK))
        printf("       %s\n", cosslice_upload_get_str(upload, COSSLICE_INFO_MESSAGE));
    CHECK_INT(cosslice_upload_get_i64(upload, COSSLICE_INFO_BYTES_DONE), LEN);
    CHECK_INT(cosslice_upload_get_i64(upload, COSSLICE_INFO_NEXT_OFFSET), LEN);
    cosslice_upload_free(upload);
    cosslice_config_free(config);
    CHECK(peak_kib() < LIMIT_KIB);
    printf("       peak memory %.1f MiB, %.1f MiB before the upload\n", (double)peak_kib() / 1024, (double)before_kib / 1024);
    emulator_stop(&emulator);
    return check_finish();
}
