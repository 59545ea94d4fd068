/*
 * peer_curl: what a user of libcurl would write. The same forms on connections that are used again, a thread for each.
 *
 *   peer_curl send   --file F --url http://H:P/files/v2/... --authorization A [--threads N] [--upload-buffer BYTES]
 *                    [--form callback|mime]
 *   peer_curl small  --count N --bytes B --sha HEX --url ... --authorization A
 */
#include "common.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdatomic.h>

#define SLICE MIB

struct task {
    const char *url, *authorization, *form;
    long upload_buffer;
    int file;
    uint64_t size;
    char session[128];
    atomic_ullong next;
};

/* A body: text, content, text. Content comes from the file, or from memory when there is some. */
struct body {
    const struct task *task;
    const char *memory;
    struct text before;
    const char *after;
    uint64_t offset, content, at;
};

struct reply {
    char bytes[4096];
    size_t len;
};

static uint64_t body_len(const struct body *body)
{
    return body->before.len + body->content + strlen(body->after);
}

static size_t body_read(char *out, size_t size, size_t count, void *state)
{
    struct body *body = state;
    size_t room = size * count, filled = 0;

    while (filled < room && body->at < body_len(body)) {
        uint64_t at = body->at;
        size_t n = room - filled;
        const char *from = NULL;
        uint64_t left;

        if (at < body->before.len) {
            from = body->before.bytes + at;
            left = body->before.len - at;
        } else if ((at -= body->before.len) < body->content) {
            left = body->content - at;
            if (body->memory)
                from = body->memory + at;
        } else {
            at -= body->content;
            from = body->after + at;
            left = strlen(body->after) - at;
        }
        if (left < n)
            n = (size_t)left;
        if (from)
            memcpy(out + filled, from, n);
        else
            read_fully(body->task->file, out + filled, n, body->offset + at);
        filled += n;
        body->at += n;
    }
    return filled;
}

static size_t reply_write(char *from, size_t size, size_t count, void *state)
{
    struct reply *reply = state;
    size_t len = size * count;

    if (len > sizeof reply->bytes - 1 - reply->len)
        return 0;
    memcpy(reply->bytes + reply->len, from, len);
    reply->len += len;
    reply->bytes[reply->len] = 0;
    return len;
}

static CURL *handle(const struct task *task, struct curl_slist *headers, struct reply *reply)
{
    CURL *curl = curl_easy_init();

    curl_easy_setopt(curl, CURLOPT_URL, task->url);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, reply_write);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, reply);
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "libcosslice/0.1.0");
    if (task->upload_buffer > 0)
        curl_easy_setopt(curl, CURLOPT_UPLOAD_BUFFERSIZE, task->upload_buffer);
    return curl;
}

static struct curl_slist *headers(const struct task *task, int with_type)
{
    char line[2048];
    struct curl_slist *list = NULL;

    snprintf(line, sizeof line, "Authorization: %s", task->authorization);
    list = curl_slist_append(list, line);
    list = curl_slist_append(list, "Expect:");
    if (with_type)
        list = curl_slist_append(list, "Content-Type: multipart/form-data; boundary=" BOUNDARY);
    return list;
}

static void perform(CURL *curl, struct reply *reply)
{
    reply->len = 0;
    reply->bytes[0] = 0;
    CURLcode code = curl_easy_perform(curl);
    if (code != CURLE_OK)
        die("libcurl: %s", curl_easy_strerror(code));
    if (!is_success(reply->bytes))
        die("refused: %s", reply->bytes);
}

static void post(CURL *curl, struct body *body, struct reply *reply)
{
    body->at = 0;
    curl_easy_setopt(curl, CURLOPT_POST, 1L);
    curl_easy_setopt(curl, CURLOPT_READFUNCTION, body_read);
    curl_easy_setopt(curl, CURLOPT_READDATA, body);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body_len(body));
    perform(curl, reply);
}

static void mime_text(curl_mime *mime, const char *name, const char *value)
{
    curl_mimepart *part = curl_mime_addpart(mime);
    curl_mime_name(part, name);
    curl_mime_data(part, value, CURL_ZERO_TERMINATED);
}

/* The form as libcurl's own forms make it. */
static void post_mime(CURL *curl, struct body *body, struct reply *reply)
{
    curl_mime *mime = curl_mime_init(curl);
    char offset[24];

    snprintf(offset, sizeof offset, "%llu", (unsigned long long)body->offset);
    mime_text(mime, "op", "upload_slice_data");
    mime_text(mime, "session", body->task->session);
    mime_text(mime, "offset", offset);
    curl_mimepart *part = curl_mime_addpart(mime);
    curl_mime_name(part, "filecontent");
    curl_mime_filename(part, "data");
    curl_mime_type(part, "application/octet-stream");
    body->before.len = 0;
    body->after = "";
    body->at = 0;
    curl_mime_data_cb(part, (curl_off_t)body->content, body_read, NULL, NULL, body);
    curl_easy_setopt(curl, CURLOPT_MIMEPOST, mime);
    perform(curl, reply);
    curl_mime_free(mime);
}

static void send_slices(struct task *task, CURL *curl, struct reply *reply)
{
    int is_mime = strcmp(task->form, "mime") == 0;
    struct curl_slist *list = headers(task, !is_mime);
    struct body *body = calloc(1, sizeof *body);

    body->task = task;
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, list);
    for (;;) {
        uint64_t offset = atomic_fetch_add(&task->next, SLICE);
        if (offset >= task->size)
            break;
        body->offset = offset;
        body->content = task->size - offset < SLICE ? task->size - offset : SLICE;
        if (is_mime) {
            post_mime(curl, body, reply);
        } else {
            form_data(&body->before, task->session, offset);
            body->after = form_content_end;
            post(curl, body, reply);
        }
    }
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, NULL);
    curl_slist_free_all(list);
    free(body);
}

static void *worker(void *task)
{
    struct reply reply;
    CURL *curl = handle(task, NULL, &reply);

    send_slices(task, curl, &reply);
    curl_easy_cleanup(curl);
    return NULL;
}

static void send_all(struct task *task, unsigned count)
{
    pthread_t threads[MAX_THREADS];
    struct curl_slist *list = headers(task, 1);
    struct reply reply;
    struct body body = {.task = task, .after = ""};
    CURL *curl = handle(task, list, &reply);

    form_init(&body.before, task->size, SLICE);
    post(curl, &body, &reply);
    json_text(reply.bytes, "session", task->session, sizeof task->session);
    for (unsigned i = 1; i < count; i++)
        if (pthread_create(&threads[i], NULL, worker, task) != 0)
            die("no thread");
    send_slices(task, curl, &reply);
    for (unsigned i = 1; i < count; i++)
        pthread_join(threads[i], NULL);
    curl_easy_setopt(curl, CURLOPT_MIMEPOST, NULL);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, list);
    form_finish(&body.before, task->session, task->size);
    post(curl, &body, &reply);
    curl_easy_cleanup(curl);
    curl_slist_free_all(list);
}

static void send_small(const struct task *task, uint64_t count, uint64_t bytes, const char *sha)
{
    struct curl_slist *list = headers(task, 1);
    struct reply reply;
    char *memory = malloc(bytes), url[1024];
    struct body body = {.task = task, .memory = memory, .content = bytes, .after = form_content_end};
    CURL *curl = handle(task, list, &reply);

    memset(memory, 'x', bytes);
    form_single(&body.before, sha);
    for (uint64_t i = 0; i < count; i++) {
        snprintf(url, sizeof url, "%s-%llu", task->url, (unsigned long long)i);
        curl_easy_setopt(curl, CURLOPT_URL, url);
        post(curl, &body, &reply);
    }
    curl_easy_cleanup(curl);
    curl_slist_free_all(list);
    free(memory);
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    unsigned threads = (unsigned)number_argument(argc, argv, "threads", 1);
    struct task task = {
        .url = text_argument(argc, argv, "url", ""),
        .authorization = text_argument(argc, argv, "authorization", "-"),
        .form = text_argument(argc, argv, "form", "callback"),
        .upload_buffer = (long)number_argument(argc, argv, "upload-buffer", 0),
    };
    struct cost cost;

    if (threads < 1 || threads > MAX_THREADS)
        die("--threads");
    cost_start(&cost);
    curl_global_init(CURL_GLOBAL_ALL);
    if (strcmp(what, "send") == 0) {
        task.file = open_file(text_argument(argc, argv, "file", ""), &task.size);
        send_all(&task, threads);
    } else if (strcmp(what, "small") == 0) {
        send_small(&task, number_argument(argc, argv, "count", 1000), number_argument(argc, argv, "bytes", 4096),
                   text_argument(argc, argv, "sha", "0123456789abcdef0123456789abcdef01234567"));
    } else {
        die("peer_curl send|small");
    }
    cost_print(&cost, "");
    return 0;
}
