/*
 * sink: answers the v4 requests that a benchmark makes and drops what it is sent as cheaply as the kernel allows.
 *
 *   sink [--tls-cert PEM --tls-key PEM]
 *
 * Prints its port on the first line, ends when its standard input does. A thread for each connection. Nothing is checked
 * but the framing: this is the far end of a measurement, not an emulator.
 *
 *   POST, op upload_slice_init      opens; with a sha and a path that begins with .../instant it is there already
 *   POST, op upload_slice_data      echoes offset (0 when it stands behind the content), length and session
 *   POST, op upload, upload_slice_finish, upload_slice_list; GET ?op=stat
 *   GET /_sink/reset?latency_ms=N   what came since the last reset, in JSON; from now on replies come N ms later
 */
#include "common.h"

#include <pthread.h>
#include <stdatomic.h>

#ifdef WITH_OPENSSL
#include <openssl/err.h>
#include <openssl/ssl.h>
static SSL_CTX *tls;
#endif

static atomic_ullong requests, connections, bytes;
static atomic_uint latency_ms;
static struct rusage usage_at_reset;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* Sizes by object, for stat: the last ones. */
static struct { char path[128]; uint64_t size; } objects[512];
static unsigned next_object;

struct peer {
    int fd;
#ifdef WITH_OPENSSL
    SSL *ssl;
#endif
};

static ssize_t take(struct peer *peer, char *out, size_t len)
{
#ifdef WITH_OPENSSL
    if (peer->ssl) {
        int n = SSL_read(peer->ssl, out, len > 1 << 20 ? 1 << 20 : (int)len);
        return n > 0 ? n : 0;
    }
#endif
    for (;;) {
        ssize_t n = recv(peer->fd, out, len, 0);
        if (n >= 0 || errno != EINTR)
            return n;
    }
}

static int give(struct peer *peer, const char *from, size_t len)
{
#ifdef WITH_OPENSSL
    if (peer->ssl)
        return SSL_write(peer->ssl, from, (int)len) == (int)len;
#endif
    return send(peer->fd, from, len, MSG_NOSIGNAL) == (ssize_t)len;
}

/* Drops `len` bytes. Of a plain connection the kernel drops them itself: nothing is copied. */
static int drop(struct peer *peer, uint64_t len)
{
#ifdef WITH_OPENSSL
    static __thread char scratch[64 << 10];
#endif
    while (len > 0) {
        ssize_t n;
        size_t want = len > 1 << 30 ? 1 << 30 : (size_t)len;
#ifdef WITH_OPENSSL
        if (peer->ssl)
            n = take(peer, scratch, want > sizeof scratch ? sizeof scratch : want);
        else
#endif
            n = recv(peer->fd, NULL, want, MSG_TRUNC | MSG_WAITALL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return 0;
        len -= (uint64_t)n;
    }
    return 1;
}

static const char *header(const char *head, const char *name)
{
    const char *line = head;
    size_t len = strlen(name);

    while ((line = strstr(line, "\r\n"))) {
        line += 2;
        if (strncasecmp(line, name, len) == 0 && line[len] == ':') {
            line += len + 1;
            while (*line == ' ')
                line++;
            return line;
        }
    }
    return NULL;
}

static void field(const char *body, size_t len, const char *name, char *out, size_t size)
{
    char key[64];
    const char *at, *end;

    snprintf(key, sizeof key, "name=\"%s\"\r\n\r\n", name);
    out[0] = 0;
    at = memmem(body, len, key, strlen(key));
    if (!at)
        return;
    at += strlen(key);
    end = memmem(at, len - (size_t)(at - body), "\r\n", 2);
    if (!end || (size_t)(end - at) >= size)
        return;
    memcpy(out, at, (size_t)(end - at));
    out[end - at] = 0;
}

static void remember(const char *path, uint64_t size)
{
    pthread_mutex_lock(&lock);
    snprintf(objects[next_object % 512].path, sizeof objects[0].path, "%s", path);
    objects[next_object++ % 512].size = size;
    pthread_mutex_unlock(&lock);
}

static long long size_of(const char *path)
{
    long long size = -1;

    pthread_mutex_lock(&lock);
    for (unsigned i = 0; i < 512; i++)
        if (strcmp(objects[i].path, path) == 0)
            size = (long long)objects[i].size;
    pthread_mutex_unlock(&lock);
    return size;
}

/* Counts and CPU since the last reset. */
static void tell(char *out, size_t size, const char *target)
{
    const char *ms = strstr(target, "latency_ms=");
    struct rusage now;

    pthread_mutex_lock(&lock);
    getrusage(RUSAGE_SELF, &now);
    snprintf(out, size, "{\"requests\": %llu, \"connections\": %llu, \"bytes\": %llu, \"user\": %.6f, \"sys\": %.6f}",
             atomic_exchange(&requests, 0), atomic_exchange(&connections, 0), atomic_exchange(&bytes, 0),
             seconds_between(usage_at_reset.ru_utime, now.ru_utime), seconds_between(usage_at_reset.ru_stime, now.ru_stime));
    usage_at_reset = now;
    pthread_mutex_unlock(&lock);
    atomic_store(&latency_ms, ms ? (unsigned)atoi(ms + 11) : 0);
}

#define URLS "\"access_url\":\"http://a.example/o\",\"source_url\":\"http://s.example/o\",\"resource_path\":\"/1250000000/bkt/o\",\"url\":\"http://u.example/o\""
#define SESSION "0123456789abcdef0123456789abcdef0123456789abcdef01234567"

/* Serves one request. 0 ends the connection. */
static int serve(struct peer *peer, char *in, size_t cap, size_t *have)
{
    char *end = NULL, *body, op[32] = "", value[64], data[768] = "{}", reply[2048], path[128] = "";
    const char *word;
    uint64_t length = 0;
    size_t head, got, prefix;
    int status = 200, code = 0, is_control, n;

    while (!(end = *have ? memmem(in, *have, "\r\n\r\n", 4) : NULL)) {
        ssize_t more;
        if (*have + 1 >= cap)
            return 0;
        /* Little at a time: what follows the form's texts is content, and would only be copied. */
        more = take(peer, in + *have, cap - 1 - *have > 2048 ? 2048 : cap - 1 - *have);
        if (more <= 0)
            return 0;
        *have += (size_t)more;
    }
    head = (size_t)(end - in) + 4;
    end[2] = 0;
    body = in + head;
    got = *have - head;
    if ((word = header(in, "content-length")))
        length = strtoull(word, NULL, 10);
    if (header(in, "transfer-encoding"))
        return 0;
    if ((word = strchr(in, ' '))) {
        size_t len = strcspn(word + 1, " ?");
        if (len < sizeof path)
            snprintf(path, sizeof path, "%.*s", (int)len, word + 1);
    }
    /* The texts of the form: up to the content, or as far as the buffer goes. */
    for (;;) {
        char *content = memmem(body, got, "name=\"filecontent\"", 18);
        char *start = content ? memmem(content, got - (size_t)(content - body), "\r\n\r\n", 4) : NULL;
        if (start || got >= length || head + got + 1 >= cap) {
            prefix = start ? (size_t)(start - body) + 4 : got;
            break;
        }
        size_t want = cap - 1 - head - got;
        ssize_t more = take(peer, body + got, want > 2048 ? 2048 : want > length - got ? (size_t)(length - got) : want);
        if (more <= 0)
            return 0;
        got += (size_t)more;
    }
    field(body, prefix, "op", op, sizeof op);
    is_control = strncmp(path, "/_sink/", 7) == 0;
    if (!is_control) {
        atomic_fetch_add(&requests, 1);
        atomic_fetch_add(&bytes, head + length);
    }
    if (is_control) {
        tell(data, sizeof data, in);
    } else if (strncmp(in, "GET ", 4) == 0) {
        long long size = size_of(path);
        if (size < 0)
            status = 404, code = -197;
        else
            snprintf(data, sizeof data, "{\"filesize\":%lld,\"filelen\":%lld,\"name\":\"o\"," URLS "}", size, size);
    } else if (strcmp(op, "upload_slice_init") == 0) {
        field(body, prefix, "sha", value, sizeof value);
        if (value[0] && strstr(path, "/instant")) {
            snprintf(data, sizeof data, "{" URLS "}");
        } else {
            field(body, prefix, "slice_size", value, sizeof value);
            snprintf(data, sizeof data, "{\"session\":\"" SESSION "\",\"slice_size\":%s}", value[0] ? value : "1048576");
        }
    } else if (strcmp(op, "upload_slice_data") == 0) {
        size_t boundary = strcspn(body, "\r");
        field(body, prefix, "offset", value, sizeof value);
        snprintf(data, sizeof data, "{\"session\":\"" SESSION "\",\"offset\":%s,\"datalen\":%llu}", value[0] ? value : "0",
                 (unsigned long long)(length - prefix - boundary - 6));
    } else if (strcmp(op, "upload_slice_finish") == 0) {
        field(body, prefix, "filesize", value, sizeof value);
        remember(path, strtoull(value, NULL, 10));
        snprintf(data, sizeof data, "{" URLS "}");
    } else if (strcmp(op, "upload") == 0) {
        remember(path, length - prefix - strcspn(body, "\r") - 6);
        snprintf(data, sizeof data, "{" URLS "}");
    } else {
        status = 404, code = -197;
    }
    if (!drop(peer, length - got))
        return 0;
    if (atomic_load(&latency_ms) && !is_control) {
        struct timespec wait = {atomic_load(&latency_ms) / 1000, (long)(atomic_load(&latency_ms) % 1000) * 1000000};
        while (nanosleep(&wait, &wait) < 0 && errno == EINTR) {
        }
    }
    char json[1024];
    n = is_control ? snprintf(json, sizeof json, "%s", data)
                   : snprintf(json, sizeof json, "{\"code\":%d,\"message\":\"%s\",\"request_id\":\"MA==\",\"data\":%s}", code,
                              code ? "ERROR_CMD_FILE_NOTEXIST" : "SUCCESS", data);
    n = snprintf(reply, sizeof reply, "HTTP/1.1 %d %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", status,
                 status == 200 ? "OK" : "Not Found", n, json);
    *have = 0; /* nobody sends the next request before the reply */
    return give(peer, reply, (size_t)n);
}

static void *attend(void *argument)
{
    struct peer peer = {.fd = (int)(intptr_t)argument};
    char in[16 << 10];
    size_t have = 0;
    int one = 1;

    setsockopt(peer.fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
#ifdef WITH_OPENSSL
    if (tls) {
        peer.ssl = SSL_new(tls);
        SSL_set_fd(peer.ssl, peer.fd);
        if (SSL_accept(peer.ssl) != 1) {
            SSL_free(peer.ssl);
            close(peer.fd);
            return NULL;
        }
    }
#endif
    int is_first = 1;
    while (serve(&peer, in, sizeof in, &have)) {
        /* The control connection is not part of what is measured. */
        if (is_first && strncmp(in, "GET /_sink/", 11) != 0)
            atomic_fetch_add(&connections, 1);
        is_first = 0;
    }
#ifdef WITH_OPENSSL
    if (peer.ssl)
        SSL_free(peer.ssl);
#endif
    close(peer.fd);
    return NULL;
}

static void *watch_stdin(void *argument)
{
    char byte;

    (void)argument;
    while (read(0, &byte, 1) > 0) {
    }
    _exit(0);
}

static void start(void *(*run)(void *), void *argument)
{
    pthread_t thread;
    pthread_attr_t attributes;

    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, 256 << 10);
    if (pthread_create(&thread, &attributes, run, argument) != 0)
        die("no thread");
    pthread_attr_destroy(&attributes);
}

int main(int argc, char **argv)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const char *cert = argument(argc, argv, "tls-cert");

    if (cert) {
#ifdef WITH_OPENSSL
        tls = SSL_CTX_new(TLS_server_method());
        SSL_CTX_set_read_ahead(tls, 1);
        SSL_CTX_set_options(tls, SSL_OP_IGNORE_UNEXPECTED_EOF);
        if (SSL_CTX_use_certificate_chain_file(tls, cert) != 1 ||
            SSL_CTX_use_PrivateKey_file(tls, text_argument(argc, argv, "tls-key", cert), SSL_FILETYPE_PEM) != 1)
            die("%s or its key cannot be used", cert);
#else
        die("built without OpenSSL");
#endif
    }
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, sizeof address) < 0 || listen(listener, 256) < 0 ||
        getsockname(listener, (struct sockaddr *)&address, &len) < 0)
        die("no port");
    getrusage(RUSAGE_SELF, &usage_at_reset);
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    start(watch_stdin, NULL);
    for (;;) {
        int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        if (fd >= 0)
            start(attend, (void *)(intptr_t)fd);
        else if (errno != EINTR && errno != ECONNABORTED)
            die("accept");
    }
}
