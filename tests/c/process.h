/* Programs of build/bin (or $COSSLICE_BIN) run by a test, with what they print; under valgrind if $COSSLICE_TEST_VALGRIND. */
#ifndef TEST_PROCESS_H
#define TEST_PROCESS_H

#include <sys/types.h>

enum { PROCESS_WORDS = 16 };

struct process {
    pid_t pid;
    int out_fd, err_fd; /* read ends */
    int code;           /* exit status, or 1000 + signal */
    char out[16384], err[65536];
};

/* Starts `program` with at most PROCESS_WORDS words up to NULL. Its stderr goes to `err_fd`, or to a pipe when that is -1. */
void process_begin(struct process *process, const char *program, int err_fd, const char *const *words);
/* Reads what it prints to the end, and waits for it. */
void process_end(struct process *process);

#endif
