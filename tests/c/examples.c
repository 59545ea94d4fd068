/* The examples do what they say, and end with 1 and a reason when it fails. */
#define _POSIX_C_SOURCE 200809L

#include "bytes.h"
#include "check.h"
#include "emulator.h"
#include "process.h"

#include <stdio.h>
#include <stdlib.h>

enum { LEN = 3 * 1048576 + 5 };

static struct process process;

static void run(const char *program, const char *file, const char *path, int want)
{
    const char *words[] = {file, path, NULL};

    process_begin(&process, program, -1, words);
    process_end(&process);
    if (!CHECK_INT(process.code, want))
        printf("       stdout: %s\n       stderr: %s\n", process.out, process.err);
}

int main(void)
{
    struct emulator emulator;
    char file[300];

    emulator_start(&emulator, NULL);
    setenv("COSSLICE_ENDPOINT", emulator.endpoint, 1);
    setenv("COSSLICE_APP_ID", "1250000000", 1);
    setenv("COSSLICE_BUCKET", "bkt", 1);
    setenv("COSSLICE_SECRET_ID", "AKIDEXAMPLE", 1);
    setenv("COSSLICE_SECRET_KEY", "examplesecretkey", 1);
    snprintf(file, sizeof file, "%s/file", emulator.dir);
    if (!bytes_to_file(file, 1, LEN))
        check_give_up("cannot write a file");

    check_case("postcard");
    run("postcard", file, "/postcard", 0);
    CHECK_CONTAINS(process.out, "/postcard\n");
    CHECK_TEXT(process.err, "");
    CHECK(emulator_has(&emulator, "/postcard", 1, LEN));

    check_case("postcard, refused");
    run("postcard", file, "/postcard/", 1);
    CHECK_CONTAINS(process.err, "postcard: ");
    run("postcard", "/nonexistent", "/postcard", 2);
    CHECK_CONTAINS(process.err, "usage: ");

    check_case("signer");
    if (!bytes_to_file(file, 2, LEN))
        check_give_up("cannot write a file");
    run("signer", file, "/uploads/one", 0);
    CHECK_CONTAINS(process.out, "device: needs a signature for upload_slice_init of /1250000000/bkt/uploads/one, good for ");
    CHECK_CONTAINS(process.out, "/uploads/one\n");
    CHECK_CONTAINS(process.out, "the signer was asked 1 time and is released");
    CHECK(emulator_has(&emulator, "/uploads/one", 2, LEN));

    check_case("signer, refused by its server");
    run("signer", file, "/elsewhere", 1);
    CHECK_CONTAINS(process.out, "server: refused to sign ");
    CHECK_CONTAINS(process.out, "is released");
    CHECK_CONTAINS(process.err, "signer: ");
    CHECK(emulator_status(&emulator, "/elsewhere") == 404);

    emulator_stop(&emulator);
    return check_finish();
}
