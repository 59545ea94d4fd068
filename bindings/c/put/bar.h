/* The progress shown on stderr: a bar on a terminal, now and then a plain line elsewhere. */
#ifndef PUT_BAR_H
#define PUT_BAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How far it was at some moment; bytes that were on the server already do not count. */
struct bar_mark {
    double at_s;
    uint64_t bytes;
};

/* The speed shown is that of the last seconds, which these marks span. */
enum { BAR_MARKS = 16 };

struct bar {
    const char *name;
    bool terminal, utf8, drawn;
    uint32_t phase;
    uint64_t done, total;
    double shown_at_s;
    struct bar_mark start, now, marks[BAR_MARKS];
    size_t mark_count;
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
