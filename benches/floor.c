/*
 * floor: the least that the machine needs for the work of an upload.
 *
 *   floor send   --file F --host H --port P --path /files/v2/... --authorization A [--connections N] [--buffer BYTES] [--tls 1]
 *                the same requests with the same bytes: pread into one buffer for each connection, writev, wait for the reply
 *   floor sha1   --file F [--buffer BYTES]      one pass of OpenSSL's SHA-1 over the file
 *   floor read   --file F [--buffer BYTES] [--shift BYTES]
 *                the reading alone; --shift: into memory that begins so many bytes behind a page's start
 *   floor copy   --file F                       the reading, and one copy of each byte into one of five 1 MiB buffers
 */
#include "common.h"

#include <pthread.h>
#include <stdatomic.h>

#ifdef WITH_OPENSSL
#include <openssl/evp.h>
#include <openssl/ssl.h>
static SSL_CTX *tls;
#endif

#define SLICE MIB

struct task {
    const char *host, *path, *authorization;
    int port, file;
    uint64_t size;
    size_t buffer, shift;
    char session[128];
    atomic_ullong next;
};

struct line {
    const struct task *task;
    int fd;
#ifdef WITH_OPENSSL
    SSL *ssl;
#endif
    char *buffer;
    char reply[4096];
};

static struct line *line_open(const struct task *task)
{
    struct line *line = calloc(1, sizeof *line);

    line->task = task;
    /* Room for the texts around a piece: TLS wants its records from one block of memory. */
    line->buffer = aligned_alloc(4096, task->buffer + 16384);
    line->fd = dial(task->host, task->port);
#ifdef WITH_OPENSSL
    if (tls) {
        line->ssl = SSL_new(tls);
        SSL_set_fd(line->ssl, line->fd);
        if (SSL_connect(line->ssl) != 1)
            die("TLS handshake");
    }
#endif
    return line;
}

static void line_close(struct line *line)
{
#ifdef WITH_OPENSSL
    if (line->ssl)
        SSL_free(line->ssl);
#endif
    close(line->fd);
    free(line->buffer);
    free(line);
}

/* Up to three blocks in as few writes as there can be. */
static void line_write(struct line *line, struct iovec *blocks, int count)
{
#ifdef WITH_OPENSSL
    if (line->ssl) {
        for (int i = 0; i < count; i++)
            if (blocks[i].iov_len > 0 && SSL_write(line->ssl, blocks[i].iov_base, (int)blocks[i].iov_len) <= 0)
                die("SSL_write");
        return;
    }
#endif
    while (count > 0) {
        ssize_t n = writev(line->fd, blocks, count);
        if (n < 0)
            die("writev");
        while (count > 0 && (size_t)n >= blocks[0].iov_len) {
            n -= (ssize_t)blocks[0].iov_len;
            blocks++;
            count--;
        }
        if (count > 0) {
            blocks[0].iov_base = (char *)blocks[0].iov_base + n;
            blocks[0].iov_len -= (size_t)n;
        }
    }
}

static void line_reply(struct line *line)
{
    size_t have = 0, want = 0;

    while (want == 0 || have < want) {
        ssize_t n;
#ifdef WITH_OPENSSL
        if (line->ssl)
            n = SSL_read(line->ssl, line->reply + have, (int)(sizeof line->reply - 1 - have));
        else
#endif
            n = recv(line->fd, line->reply + have, sizeof line->reply - 1 - have, 0);
        if (n <= 0)
            die("no reply");
        have += (size_t)n;
        line->reply[have] = 0;
        char *end = strstr(line->reply, "\r\n\r\n");
        char *length = strcasestr(line->reply, "content-length:");
        if (end && length)
            want = (size_t)(end + 4 - line->reply) + strtoull(length + 15, NULL, 10);
    }
    if (!is_success(line->reply))
        die("refused: %s", line->reply);
}

static void head(struct text *text, const struct task *task, uint64_t length)
{
    text->len = 0;
    text_add(text,
             "POST %s HTTP/1.1\r\naccept-encoding: identity\r\nuser-agent: libcosslice/0.1.0\r\naccept: */*\r\nhost: %s:%d\r\n"
             "authorization: %s\r\ncontent-type: multipart/form-data; boundary=" BOUNDARY "\r\ncontent-length: %llu\r\n\r\n",
             task->path, task->host, task->port, task->authorization, (unsigned long long)length);
}

static void send_text(struct line *line, const struct text *form)
{
    struct text top;

    head(&top, line->task, form->len);
    struct iovec blocks[] = {{top.bytes, top.len}, {(void *)form->bytes, form->len}};
    line_write(line, blocks, 2);
    line_reply(line);
}

static void send_slice(struct line *line, uint64_t offset)
{
    const struct task *task = line->task;
    uint64_t left = task->size - offset < SLICE ? task->size - offset : SLICE;
    size_t end = sizeof form_content_end - 1;
    struct text top, form;

    form_data(&form, task->session, offset);
    head(&top, task, form.len + left + end);
    int is_first = 1;
    while (left > 0) {
        size_t now = left < task->buffer ? (size_t)left : task->buffer;
        int is_last = now == left;
        {
            struct iovec blocks[4];
            int count = 0;
            int in_one = 0;
#ifdef WITH_OPENSSL
            in_one = line->ssl != NULL;
#endif
            if (in_one) {
                /* The same records as the library's: head, then the form in full records. */
                size_t before = is_first ? form.len : 0;
                if (is_first) {
                    blocks[count++] = (struct iovec){top.bytes, top.len};
                    memcpy(line->buffer, form.bytes, form.len);
                }
                read_fully(task->file, line->buffer + before, now, offset);
                if (is_last)
                    memcpy(line->buffer + before + now, form_content_end, end);
                blocks[count++] = (struct iovec){line->buffer, before + now + (is_last ? end : 0)};
            } else {
                read_fully(task->file, line->buffer, now, offset);
                if (is_first) {
                    blocks[count++] = (struct iovec){top.bytes, top.len};
                    blocks[count++] = (struct iovec){form.bytes, form.len};
                }
                blocks[count++] = (struct iovec){line->buffer, now};
                if (is_last)
                    blocks[count++] = (struct iovec){(void *)form_content_end, end};
            }
            line_write(line, blocks, count);
        }
        offset += now;
        left -= now;
        is_first = 0;
    }
    line_reply(line);
}

static void *worker(void *argument)
{
    struct line *line = argument;
    struct task *task = (struct task *)line->task;

    for (;;) {
        uint64_t offset = atomic_fetch_add(&task->next, SLICE);
        if (offset >= task->size)
            return NULL;
        send_slice(line, offset);
    }
}

/* A connection is made by the thread that uses it. */
static void *open_and_work(void *task)
{
    struct line *line = line_open(task);

    worker(line);
    line_close(line);
    return NULL;
}

static void send_all(struct task *task, unsigned connections)
{
    pthread_t threads[MAX_THREADS];
    struct line *first = line_open(task);
    struct text form;

    form_init(&form, task->size, SLICE);
    send_text(first, &form);
    json_text(first->reply, "session", task->session, sizeof task->session);
    for (unsigned i = 1; i < connections; i++)
        if (pthread_create(&threads[i], NULL, open_and_work, task) != 0)
            die("no thread");
    worker(first);
    for (unsigned i = 1; i < connections; i++)
        pthread_join(threads[i], NULL);
    form_finish(&form, task->session, task->size);
    send_text(first, &form);
    line_close(first);
}

static void read_all(const struct task *task, void (*see)(void *, const char *, size_t), void *state)
{
    char *memory = aligned_alloc(4096, task->buffer + 4096), *buffer = memory + task->shift;

    for (uint64_t at = 0; at < task->size;) {
        size_t now = task->size - at < task->buffer ? (size_t)(task->size - at) : task->buffer;
        read_fully(task->file, buffer, now, at);
        if (see)
            see(state, buffer, now);
        at += now;
    }
    free(memory);
}

#ifdef WITH_OPENSSL
static void update(void *state, const char *bytes, size_t len)
{
    EVP_DigestUpdate(state, bytes, len);
}
#endif

struct copies {
    char *buffers[5];
    unsigned next;
};

static void copy(void *state, const char *bytes, size_t len)
{
    struct copies *copies = state;
    memcpy(copies->buffers[copies->next++ % 5], bytes, len);
    __asm__ volatile("" ::: "memory");
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    unsigned connections = (unsigned)number_argument(argc, argv, "connections", 1);
    struct task task = {
        .host = text_argument(argc, argv, "host", "127.0.0.1"),
        .path = text_argument(argc, argv, "path", "/files/v2/1250000000/bkt/bench"),
        .authorization = text_argument(argc, argv, "authorization", "-"),
        .port = (int)number_argument(argc, argv, "port", 0),
        .buffer = (size_t)number_argument(argc, argv, "buffer", SLICE),
        .shift = (size_t)number_argument(argc, argv, "shift", 0) % 4096,
    };
    struct cost cost;
    char more[128] = "";

    if (connections < 1 || connections > MAX_THREADS)
        die("--connections");
    task.file = open_file(text_argument(argc, argv, "file", ""), &task.size);
    cost_start(&cost);
    if (strcmp(what, "send") == 0) {
        if (number_argument(argc, argv, "tls", 0)) {
#ifdef WITH_OPENSSL
            /* The certificate is the bench's own; looking at it would cost nothing that counts here. */
            tls = SSL_CTX_new(TLS_client_method());
            SSL_CTX_set_mode(tls, SSL_MODE_AUTO_RETRY);
#else
            die("built without OpenSSL");
#endif
        }
        send_all(&task, connections);
    } else if (strcmp(what, "read") == 0) {
        read_all(&task, NULL, NULL);
    } else if (strcmp(what, "copy") == 0) {
        struct copies copies = {.next = 0};
        for (int i = 0; i < 5; i++)
            copies.buffers[i] = aligned_alloc(4096, task.buffer);
        read_all(&task, copy, &copies);
    } else if (strcmp(what, "sha1") == 0) {
#ifdef WITH_OPENSSL
        unsigned char digest[EVP_MAX_MD_SIZE];
        unsigned len = 0;
        EVP_MD_CTX *state = EVP_MD_CTX_new();
        EVP_DigestInit_ex(state, EVP_sha1(), NULL);
        read_all(&task, update, state);
        EVP_DigestFinal_ex(state, digest, &len);
        EVP_MD_CTX_free(state);
        strcpy(more, ", \"sha1\": \"");
        for (unsigned i = 0; i < len; i++)
            snprintf(more + strlen(more), 3, "%02x", digest[i]);
        strcat(more, "\"");
#else
        die("built without OpenSSL");
#endif
    } else {
        die("floor send|sha1|read|copy");
    }
    cost_print(&cost, more);
    return 0;
}
