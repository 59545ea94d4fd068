#define _POSIX_C_SOURCE 200809L

#include "process.h"
#include "check.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

void process_begin(struct process *process, const char *program, int err_fd, const char *const *words)
{
    /* Under valgrind an error or a leak gives exit status 99, which no test wants. */
    static const char *const valgrind[] = {"valgrind", "--quiet", "--leak-check=full", "--errors-for-leak-kinds=definite,indirect", "--error-exitcode=99"};
    enum { EXTRA = sizeof valgrind / sizeof *valgrind };
    const char *dir = getenv("COSSLICE_BIN"), *argv[EXTRA + PROCESS_WORDS + 2];
    char binary[300];
    int out[2], err[2] = {-1, err_fd}, nowhere = open("/dev/null", O_RDONLY);
    size_t count = 0, words_left = PROCESS_WORDS;

    snprintf(binary, sizeof binary, "%s/%s", dir ? dir : "build/bin", program);
    if (getenv("COSSLICE_TEST_VALGRIND"))
        for (; count < EXTRA; count++)
            argv[count] = valgrind[count];
    argv[count++] = binary;
    while (*words && words_left-- > 0)
        argv[count++] = *words++;
    argv[count] = NULL;
    if (pipe(out) != 0 || (err_fd < 0 && pipe(err) != 0))
        check_give_up("no pipe");
    process->pid = fork();
    if (process->pid == 0) {
        dup2(nowhere, STDIN_FILENO);
        dup2(out[1], STDOUT_FILENO);
        dup2(err[1], STDERR_FILENO);
        for (int fd = 3; fd < 64; fd++)
            close(fd);
        execvp(argv[0], (char *const *)argv);
        perror(argv[0]);
        _exit(127);
    }
    close(nowhere);
    close(out[1]);
    if (err_fd < 0)
        close(err[1]);
    process->out_fd = out[0];
    process->err_fd = err[0];
}

void process_end(struct process *process)
{
    struct pollfd pipes[2] = {{.fd = process->out_fd, .events = POLLIN}, {.fd = process->err_fd, .events = POLLIN}};
    char *const texts[2] = {process->out, process->err};
    const size_t sizes[2] = {sizeof process->out, sizeof process->err};
    size_t used[2] = {0, 0};
    int status = 0;

    while (pipes[0].fd >= 0 || pipes[1].fd >= 0) {
        if (poll(pipes, 2, 120000) <= 0)
            check_give_up("the program hangs");
        for (int i = 0; i < 2; i++) {
            ssize_t got;
            if (pipes[i].fd < 0 || pipes[i].revents == 0)
                continue;
            got = read(pipes[i].fd, texts[i] + used[i], sizes[i] - 1 - used[i]);
            if (got > 0) {
                used[i] += (size_t)got;
            } else { /* a pseudo-terminal ends with EIO */
                close(pipes[i].fd);
                pipes[i].fd = -1;
            }
        }
    }
    process->out[used[0]] = process->err[used[1]] = 0;
    waitpid(process->pid, &status, 0);
    process->code = WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
    CHECK(!strstr(process->out, "examplesecretkey") && !strstr(process->err, "examplesecretkey")); /* whatever it is, it keeps the key */
}
