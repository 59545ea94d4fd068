/* What cosslice-put says at the end: the result, or what failed and what to do. */
#ifndef PUT_REPORT_H
#define PUT_REPORT_H

#include "options.h"

#include <stdio.h>

/* `upload` is NULL when it could not be made; the reason is then on `config`. `signal` is what interrupted it, or 0. */
struct report {
    const struct options *options;
    const cosslice_config *config;
    const cosslice_upload *upload;
    cosslice_status status;
    int signal;
};

/* Prints the report and returns the exit code. */
int report_print(const struct report *report);
/* Prints what each exit code means. */
void report_exit_codes(FILE *out);

#endif
