/* The progress shown on stderr: a bar on a terminal, now and then a plain line elsewhere. */
#ifndef PUT_BAR_H
#define PUT_BAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Times and byte counts of the last seconds, from which the speed follows. */
enum { BAR_SAMPLES = 16 };

struct bar {
    const char *name;
    bool terminal, utf8, drawn;
    uint32_t phase;
    uint64_t done, total;
    double last_s; /* when it was last shown */
    struct {
        double at_s;
        uint64_t bytes;
    } samples[BAR_SAMPLES];
    size_t sample_count;
};

/* `name` is kept, not copied. */
void bar_start(struct bar *bar, const char *name);
/* `found` of the `done` bytes were on the server already and say nothing about the speed. */
void bar_show(struct bar *bar, uint32_t phase, uint64_t done, uint64_t total, uint64_t found);
/* Makes room for another line on the terminal; the next bar_show draws the bar again below it. */
void bar_clear(struct bar *bar);
/* Leaves the bar as it stands and goes to a new line. */
void bar_end(struct bar *bar);

#endif
