#define _XOPEN_SOURCE 700

#include "bar.h"

#include <cosslice.h>
#include <inttypes.h>
#include <langinfo.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>
#include <wchar.h>

static const double DRAW_EVERY_S = 0.1, MARK_EVERY_S = 0.5, LINE_EVERY_S = 10;

static double now_s(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static const char *phase_name(uint32_t phase)
{
    switch (phase) {
    case COSSLICE_PHASE_HASHING: return "hashing";
    case COSSLICE_PHASE_SENDING: return "sending";
    case COSSLICE_PHASE_FINISHING: return "finishing";
    case COSSLICE_PHASE_DONE: return "done";
    default: return "starting";
    }
}

/* Asked anew for each drawing, so that a resized window needs no signal handler. */
static size_t terminal_width(void)
{
    struct winsize size;

    return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

/*
 * Appends `text` to `line`, at most `width` columns of it, and returns the columns taken. What the terminal's locale
 * cannot show becomes '?', so that a strange name neither breaks the line nor sends control characters.
 */
static size_t append_columns(char *line, size_t size, const char *text, size_t width)
{
    size_t columns = 0, used = strlen(line), left = strlen(text);
    mbstate_t state;

    memset(&state, 0, sizeof state);
    while (left > 0) {
        wchar_t c;
        size_t len = mbrtowc(&c, text, left, &state);
        bool valid = len != (size_t)-1 && len != (size_t)-2 && len > 0;
        int cells = valid ? wcwidth(c) : -1;
        const char *piece = cells < 0 ? "?" : text;
        size_t piece_len = cells < 0 ? 1 : len;
        size_t piece_cells = cells < 0 ? 1 : (size_t)cells;

        if (columns + piece_cells > width || used + piece_len >= size)
            break;
        memcpy(line + used, piece, piece_len);
        line[used += piece_len] = 0;
        columns += piece_cells;
        if (!valid) {
            len = 1;
            memset(&state, 0, sizeof state);
        }
        text += len;
        left -= len;
    }
    return columns;
}

/* Of the last seconds, or of all once it is over. */
static double speed(const struct bar *bar)
{
    const struct bar_mark *from = bar->phase == COSSLICE_PHASE_DONE || bar->mark_count == 0 ? &bar->start : bar->marks;
    double seconds = bar->now.at_s - from->at_s;

    return seconds > 0 && bar->now.bytes > from->bytes ? (double)(bar->now.bytes - from->bytes) / seconds : 0;
}

static void mark(struct bar *bar)
{
    if (bar->mark_count > 0 && bar->now.at_s - bar->marks[bar->mark_count - 1].at_s < MARK_EVERY_S)
        return;
    if (bar->mark_count == BAR_MARKS)
        memmove(bar->marks, bar->marks + 1, --bar->mark_count * sizeof *bar->marks);
    bar->marks[bar->mark_count++] = bar->now;
}

static unsigned percent(const struct bar *bar)
{
    if (bar->total == 0)
        return bar->phase == COSSLICE_PHASE_DONE ? 100 : 0;
    return (unsigned)((double)bar->done / (double)bar->total * 100);
}

static void format_amount(const struct bar *bar, char *out, size_t size)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB"};
    char whole[24];
    size_t unit = 0;
    double scale = 1;

    while (unit < 3 && (double)bar->total / scale >= 1024) {
        scale *= 1024;
        unit++;
    }
    snprintf(whole, sizeof whole, unit == 0 ? "%.0f" : "%.1f", (double)bar->total / scale);
    /* As wide at the start as at the end, so that the line does not jump. */
    snprintf(out, size, unit == 0 ? "%*.0f/%s %s" : "%*.1f/%s %s", (int)strlen(whole), (double)bar->done / scale, whole, units[unit]);
}

static void format_left(const struct bar *bar, double bytes_per_s, char *out, size_t size)
{
    double seconds = bytes_per_s > 0 ? (double)(bar->total - bar->done) / bytes_per_s : -1;
    long whole = seconds >= 0 && seconds < 100 * 3600 ? (long)seconds : -1;

    if (whole < 0)
        snprintf(out, size, "--:-- left");
    else if (whole >= 3600)
        snprintf(out, size, "%ld:%02ld:%02ld left", whole / 3600, whole / 60 % 60, whole % 60);
    else
        snprintf(out, size, "%ld:%02ld left", whole / 60, whole % 60);
}

/* On a narrow terminal the words go first, from the last one; name and bar share what the words leave. */
static void draw(struct bar *bar)
{
    enum { NAME_MIN = 8, NAME_MAX_COLUMNS = 28, BAR_MIN = 10, BAR_MAX = 40, BAR_FRAME = 4, GAP = 2 };
    char line[1024] = "", name[256] = "", amount[48], left[48], rate[32] = "", words[4][64];
    size_t width = terminal_width() - 1; /* a full last column would wrap */
    double bytes_per_s = speed(bar);
    size_t kept = 1, used, for_bar;

    format_amount(bar, amount, sizeof amount);
    format_left(bar, bytes_per_s, left, sizeof left);
    if (bytes_per_s > 0 || bar->phase != COSSLICE_PHASE_DONE)
        snprintf(rate, sizeof rate, "%.1f MiB/s", bytes_per_s / (1 << 20));
    snprintf(words[0], sizeof words[0], "%-9s %3u%%", phase_name(bar->phase), percent(bar));
    snprintf(words[1], sizeof words[1], "  %s", amount);
    snprintf(words[2], sizeof words[2], "  %10s", rate);
    snprintf(words[3], sizeof words[3], "  %-9s", bar->phase == COSSLICE_PHASE_DONE ? "" : left);
    for (used = strlen(words[0]); kept < 4 && used + strlen(words[kept]) <= width; kept++)
        used += strlen(words[kept]);

    for_bar = width >= used + BAR_FRAME + BAR_MIN ? BAR_FRAME + BAR_MIN : 0;
    if (width >= used + for_bar + GAP + NAME_MIN) {
        size_t room = width - used - for_bar - GAP;
        used += append_columns(name, sizeof name, bar->name, room < NAME_MAX_COLUMNS ? room : NAME_MAX_COLUMNS) + GAP;
        strcat(strcat(line, name), "  ");
    }
    strcat(line, words[0]);
    if (for_bar) {
        size_t room = width - used - BAR_FRAME, cells, full;
        cells = room < BAR_MAX ? room : BAR_MAX;
        full = bar->total > 0 ? (size_t)((double)bar->done / (double)bar->total * (double)cells) : 0;
        strcat(line, "  [");
        for (size_t i = 0; i < cells; i++)
            strcat(line, i >= full ? (bar->utf8 ? "·" : "-") : bar->utf8 ? "█" : "#");
        strcat(line, "]");
    }
    for (size_t i = 1; i < kept; i++)
        strcat(line, words[i]);
    fprintf(stderr, "\r%s\033[K", line);
    fflush(stderr);
    bar->drawn = true;
}

static void print_line(const struct bar *bar)
{
    char amount[48];

    format_amount(bar, amount, sizeof amount);
    fprintf(stderr, "%s: %s %u%%, %s", bar->name, phase_name(bar->phase), percent(bar), amount + strspn(amount, " "));
    if (speed(bar) > 0)
        fprintf(stderr, ", %.1f MiB/s", speed(bar) / (1 << 20));
    fputc('\n', stderr);
}

void bar_start(struct bar *bar, const char *name)
{
    const char *kind = getenv("TERM");

    memset(bar, 0, sizeof *bar);
    bar->name = name;
    bar->terminal = isatty(STDERR_FILENO) && kind && strcmp(kind, "dumb") != 0;
    bar->utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
}

void bar_show(struct bar *bar, uint32_t phase, uint64_t done, uint64_t total, uint64_t found)
{
    bool changed = phase != bar->phase;

    bar->phase = phase;
    bar->done = done < total ? done : total;
    bar->total = total;
    bar->now.at_s = now_s();
    bar->now.bytes = done > found ? done - found : 0;
    if (changed && phase <= COSSLICE_PHASE_SENDING) { /* hashing tells nothing about sending */
        bar->start = bar->now;
        bar->mark_count = 0;
    }
    mark(bar);

    if (!changed && bar->now.at_s - bar->shown_at_s < (bar->terminal ? DRAW_EVERY_S : LINE_EVERY_S))
        return;
    bar->shown_at_s = bar->now.at_s;
    if (bar->terminal)
        draw(bar);
    else
        print_line(bar);
}

void bar_clear(struct bar *bar)
{
    if (bar->drawn) {
        fputs("\r\033[K", stderr);
        bar->shown_at_s = 0;
        bar->drawn = false;
    }
}

void bar_end(struct bar *bar)
{
    if (bar->terminal && bar->total > 0)
        draw(bar);
    if (bar->drawn)
        fputc('\n', stderr);
    bar->drawn = false;
}
