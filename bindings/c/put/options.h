/* The command line and environment of cosslice-put. */
#ifndef PUT_OPTIONS_H
#define PUT_OPTIONS_H

#include <cosslice.h>
#include <stdbool.h>

struct options {
    const char *file; /* as given */
    const char *name; /* its last part */
    char *bucket;     /* owned */
    char *path;       /* owned; in the bucket, begins with '/' */
    bool json, quiet, hash, resume;
    unsigned verbose; /* 0, 1 or 2 */
};

enum options_outcome { OPTIONS_GO, OPTIONS_ANSWERED /* --help, --version */, OPTIONS_BAD /* said why on stderr */ };

/* Fills *options and sets on *config whatever the environment and the command line say about it. */
enum options_outcome options_read(struct options *options, cosslice_config *config, int argc, char **argv);
void options_clear(struct options *options);

#endif
