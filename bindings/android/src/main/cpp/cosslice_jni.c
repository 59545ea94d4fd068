/*
 * The native methods of com.cosslice.Native, over the public header only.
 *
 * Whatever the library calls back runs on the thread that is inside a call. So each native method notes its JNIEnv and its
 * Hooks in a `struct call` that the callbacks find through a thread-local; nothing outlives the method, no global reference
 * is held to an object of the application, and a callback that uses another upload just nests.
 */
#include <cosslice.h>
#include <jni.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* What is copied of a heap array at a time. */
#define PIECE 262144

/* One native method that is running on this thread. */
struct call {
    JNIEnv *env;
    jobject hooks; /* NULL: whatever the library would call is not wanted */
    cosslice_upload *upload;
    jthrowable thrown; /* what a callback threw; goes out when the method ends */
    char *signature;   /* one that did not fit, until the library comes again with more room */
    size_t signature_len;
    struct call *outer;
};

static __thread struct call *running;

static jclass hooks_class;
static jmethodID hooks_progress, hooks_sign, hooks_log;

static void enter(struct call *call, JNIEnv *env, jobject hooks, cosslice_upload *upload)
{
    memset(call, 0, sizeof *call);
    call->env = env;
    call->hooks = hooks;
    call->upload = upload;
    call->outer = running;
    running = call;
}

/* The method's result, or what a callback threw. */
static jint leave(struct call *call, cosslice_status status)
{
    running = call->outer;
    free(call->signature);
    if (call->thrown)
        (*call->env)->Throw(call->env, call->thrown);
    return status;
}

/* --- texts: bytes in UTF-8 ------------------------------------------------------------------------------------------ */

/* A new array; NULL with an exception when there is no memory. */
static jbyteArray bytes_to_java(JNIEnv *env, const char *bytes, size_t len)
{
    jbyteArray array = (*env)->NewByteArray(env, (jsize)len);
    if (array)
        (*env)->SetByteArrayRegion(env, array, 0, (jsize)len, (const jbyte *)bytes);
    return array;
}

static jbyteArray text_to_java(JNIEnv *env, const char *text)
{
    return bytes_to_java(env, text, strlen(text));
}

/* A copy that ends with a NUL, for `forget`; NULL when there is no memory. */
static char *text_from_java(JNIEnv *env, jbyteArray array)
{
    jsize len = (*env)->GetArrayLength(env, array);
    char *text = malloc((size_t)len + 1);
    if (text) {
        (*env)->GetByteArrayRegion(env, array, 0, len, (jbyte *)text);
        text[len] = '\0';
    }
    return text;
}

/* Frees a text that may have been a secret. */
static void forget(char *text)
{
    volatile char *byte = text;
    if (!text)
        return;
    while (*byte)
        *byte++ = '\0';
    free(text);
}

static void *pointer(jlong handle)
{
    return (void *)(intptr_t)handle;
}

static void put_handle(JNIEnv *env, jlongArray out, const void *handle)
{
    jlong value = (jlong)(intptr_t)handle;
    (*env)->SetLongArrayRegion(env, out, 0, 1, &value);
}

/* --- callbacks ------------------------------------------------------------------------------------------------------ */

/* Whether the application may be called now: not after it threw, because that ends the method. */
static bool callable(const struct call *call)
{
    return call && call->hooks && !call->thrown;
}

/* Keeps what was thrown. References made inside the frame are dropped. */
static bool threw(struct call *call)
{
    JNIEnv *env = call->env;
    jthrowable thrown = (*env)->ExceptionOccurred(env);
    if (thrown)
        (*env)->ExceptionClear(env);
    call->thrown = (*env)->PopLocalFrame(env, thrown);
    return call->thrown != NULL;
}

/* Room for the references of a callback. */
static bool frame(struct call *call)
{
    JNIEnv *env = call->env;
    if ((*env)->PushLocalFrame(env, 16) == 0)
        return true;
    call->thrown = (*env)->ExceptionOccurred(env);
    (*env)->ExceptionClear(env);
    return false;
}

static int32_t on_progress(void *user, uint32_t phase, uint64_t bytes_done, uint64_t bytes_total)
{
    struct call *call = running;
    jboolean stop;
    (void)user;
    if (!callable(call))
        return call && call->thrown;
    if (!frame(call))
        return 1;
    stop = (*call->env)->CallBooleanMethod(call->env, call->hooks, hooks_progress, (jint)phase, (jlong)bytes_done,
                                           (jlong)bytes_total);
    return threw(call) || stop;
}

static void on_log(void *user, int32_t level, const char *message)
{
    struct call *call = running;
    jbyteArray line;
    (void)user;
    if (!callable(call) || !frame(call))
        return;
    line = text_to_java(call->env, message);
    if (line)
        (*call->env)->CallVoidMethod(call->env, call->hooks, hooks_log, (jint)level, line);
    if (threw(call))
        cosslice_upload_cancel(call->upload);
}

/* Hands out a signature if there is room; keeps it for the next try if not. */
static size_t give(struct call *call, char *out, size_t out_size)
{
    size_t len = call->signature_len;
    if (len < out_size) {
        memcpy(out, call->signature, len);
        out[len] = '\0';
        forget(call->signature);
        call->signature = NULL;
    }
    return len;
}

static jbyteArray sign_field(JNIEnv *env, const cosslice_sign_request *request, uint32_t field)
{
    return text_to_java(env, cosslice_sign_get_str(request, field));
}

static size_t on_sign(void *user, const cosslice_sign_request *request, char *out, size_t out_size)
{
    struct call *call = running;
    JNIEnv *env;
    jbyteArray op, app_id, bucket, path = NULL, file_id = NULL, signature = NULL;
    (void)user;
    if (!callable(call))
        return 0;
    if (call->signature)
        return give(call, out, out_size);
    if (!frame(call))
        return 0;
    env = call->env;
    if ((op = sign_field(env, request, COSSLICE_SIGN_OP)) && (app_id = sign_field(env, request, COSSLICE_SIGN_APP_ID)) &&
        (bucket = sign_field(env, request, COSSLICE_SIGN_BUCKET)) &&
        (path = sign_field(env, request, COSSLICE_SIGN_PATH)) &&
        (file_id = sign_field(env, request, COSSLICE_SIGN_FILE_ID))) {
        signature = (*env)->CallObjectMethod(env, call->hooks, hooks_sign, op, app_id, bucket, path, file_id,
                                             (jlong)cosslice_sign_get_u64(request, COSSLICE_SIGN_EXPIRES_AT_S),
                                             (jlong)cosslice_sign_get_u64(request, COSSLICE_SIGN_NOW_S));
        if (!(*env)->ExceptionCheck(env) && signature) {
            call->signature_len = (size_t)(*env)->GetArrayLength(env, signature);
            call->signature = text_from_java(env, signature);
        }
    }
    if (threw(call) || !call->signature)
        return 0;
    return give(call, out, out_size);
}

/* --- config --------------------------------------------------------------------------------------------------------- */

static jbyteArray JNICALL version(JNIEnv *env, jclass self)
{
    (void)self;
    return text_to_java(env, cosslice_version());
}

static jbyteArray JNICALL status_text(JNIEnv *env, jclass self, jint status)
{
    (void)self;
    return text_to_java(env, cosslice_status_str(status));
}

static jint JNICALL config_new(JNIEnv *env, jclass self, jlongArray out)
{
    cosslice_config *config = NULL;
    cosslice_status status = cosslice_config_new(&config);
    (void)self;
    if (status == COSSLICE_OK)
        put_handle(env, out, config);
    return status;
}

static void JNICALL config_free(JNIEnv *env, jclass self, jlong config)
{
    (void)env, (void)self;
    cosslice_config_free(pointer(config));
}

static jbyteArray JNICALL config_message(JNIEnv *env, jclass self, jlong config)
{
    (void)self;
    return text_to_java(env, cosslice_config_message(pointer(config)));
}

static jint JNICALL config_set_text(JNIEnv *env, jclass self, jlong config, jint option, jbyteArray value)
{
    char *text = text_from_java(env, value);
    cosslice_status status = COSSLICE_E_NOMEM;
    (void)self;
    if (text)
        status = cosslice_config_set_str(pointer(config), (uint32_t)option, text);
    forget(text);
    return status;
}

static jint JNICALL config_set_number(JNIEnv *env, jclass self, jlong config, jint option, jlong value)
{
    (void)env, (void)self;
    return cosslice_config_set_u64(pointer(config), (uint32_t)option, (uint64_t)value);
}

static jint JNICALL config_set_hooks(JNIEnv *env, jclass self, jlong config, jboolean signer, jint log_level)
{
    cosslice_status status = cosslice_config_set_signer(pointer(config), signer ? on_sign : NULL, NULL, NULL);
    (void)env, (void)self;
    if (status == COSSLICE_OK && log_level > 0)
        status = cosslice_config_set_logger(pointer(config), log_level, on_log, NULL, NULL);
    return status;
}

static jint JNICALL config_sign(JNIEnv *env, jclass self, jlong config, jbyteArray path, jlong expires_at_s,
                                jobjectArray out)
{
    char *text = text_from_java(env, path);
    char *signature = NULL;
    size_t len = 0;
    cosslice_status status = COSSLICE_E_NOMEM;
    (void)self;
    if (text)
        status = cosslice_config_sign(pointer(config), text, (uint64_t)expires_at_s, NULL, 0, &len);
    /* One-time signatures have a random number of varying length. */
    while (text && len > 0 && status != COSSLICE_OK) {
        size_t size = len + 32;
        free(signature);
        signature = malloc(size);
        if (!signature) {
            status = COSSLICE_E_NOMEM;
            break;
        }
        status = cosslice_config_sign(pointer(config), text, (uint64_t)expires_at_s, signature, size, &len);
        if (len < size)
            break;
    }
    if (status == COSSLICE_OK && signature) {
        jbyteArray bytes = bytes_to_java(env, signature, len);
        if (bytes)
            (*env)->SetObjectArrayElement(env, out, 0, bytes);
    }
    free(signature);
    forget(text);
    return status;
}

/* --- upload --------------------------------------------------------------------------------------------------------- */

static jint JNICALL upload_new(JNIEnv *env, jclass self, jlong config, jbyteArray path, jobject hooks, jlongArray out)
{
    struct call call;
    cosslice_upload *upload = NULL;
    cosslice_status status = COSSLICE_E_NOMEM;
    char *text = text_from_java(env, path);
    (void)self;
    enter(&call, env, hooks, NULL);
    if (text)
        status = cosslice_upload_new(pointer(config), text, &upload);
    forget(text);
    if (status == COSSLICE_OK)
        status = cosslice_upload_set_progress(upload, on_progress, NULL, NULL);
    if (status == COSSLICE_OK && !call.thrown)
        put_handle(env, out, upload);
    else
        cosslice_upload_free(upload);
    return leave(&call, status);
}

static void JNICALL upload_free(JNIEnv *env, jclass self, jlong upload)
{
    struct call call;
    (void)self;
    enter(&call, env, NULL, NULL);
    cosslice_upload_free(pointer(upload));
    leave(&call, COSSLICE_OK);
}

static void JNICALL upload_cancel(JNIEnv *env, jclass self, jlong upload)
{
    (void)env, (void)self;
    cosslice_upload_cancel(pointer(upload));
}

static jlong JNICALL upload_number(JNIEnv *env, jclass self, jlong upload, jint info)
{
    (void)env, (void)self;
    return cosslice_upload_get_i64(pointer(upload), (uint32_t)info);
}

static jbyteArray JNICALL upload_text(JNIEnv *env, jclass self, jlong upload, jint info)
{
    (void)self;
    return text_to_java(env, cosslice_upload_get_str(pointer(upload), (uint32_t)info));
}

typedef cosslice_status (*take_fn)(cosslice_upload *upload, const void *data, size_t len);

/* A part of a heap array, through a copy of bounded size: the collector may move the array while the library waits. */
static jint take_heap(JNIEnv *env, jlong upload, jobject hooks, jbyteArray data, jint offset, jint length, take_fn take)
{
    struct call call;
    cosslice_status status;
    jint size = length < PIECE ? length : PIECE;
    char *piece = malloc((size_t)size + 1);
    if (!piece)
        return COSSLICE_E_NOMEM;
    enter(&call, env, hooks, pointer(upload));
    do {
        jint len = length < size ? length : size;
        (*env)->GetByteArrayRegion(env, data, offset, len, (jbyte *)piece);
        status = take(call.upload, piece, (size_t)len);
        offset += len;
        length -= len;
    } while (status == COSSLICE_OK && !call.thrown && length > 0);
    free(piece);
    return leave(&call, status);
}

/* A part of a direct buffer, where it is. Its object is an argument, so it stays. */
static jint take_direct(JNIEnv *env, jlong upload, jobject hooks, jobject data, jint offset, jint length, take_fn take)
{
    struct call call;
    const char *address = (*env)->GetDirectBufferAddress(env, data);
    cosslice_status status;
    enter(&call, env, hooks, pointer(upload));
    status = take(call.upload, address ? address + offset : NULL, (size_t)length);
    return leave(&call, status);
}

static jint JNICALL upload_hash(JNIEnv *env, jclass self, jlong upload, jobject hooks, jbyteArray data, jint offset,
                                jint length)
{
    (void)self;
    return take_heap(env, upload, hooks, data, offset, length, cosslice_upload_hash);
}

static jint JNICALL upload_hash_direct(JNIEnv *env, jclass self, jlong upload, jobject hooks, jobject data, jint offset,
                                       jint length)
{
    (void)self;
    return take_direct(env, upload, hooks, data, offset, length, cosslice_upload_hash);
}

static jint JNICALL upload_feed(JNIEnv *env, jclass self, jlong upload, jobject hooks, jbyteArray data, jint offset,
                                jint length)
{
    (void)self;
    return take_heap(env, upload, hooks, data, offset, length, cosslice_upload_feed);
}

static jint JNICALL upload_feed_direct(JNIEnv *env, jclass self, jlong upload, jobject hooks, jobject data, jint offset,
                                       jint length)
{
    (void)self;
    return take_direct(env, upload, hooks, data, offset, length, cosslice_upload_feed);
}

static jint JNICALL upload_buffer_direct(JNIEnv *env, jclass self, jlong upload, jobject hooks, jobject data, jint offset,
                                         jint length)
{
    (void)self;
    return take_direct(env, upload, hooks, data, offset, length, cosslice_upload_buffer);
}

static jint JNICALL upload_init(JNIEnv *env, jclass self, jlong upload, jobject hooks, jlong total_size)
{
    struct call call;
    cosslice_status status;
    (void)self;
    enter(&call, env, hooks, pointer(upload));
    status = cosslice_upload_init(call.upload, (uint64_t)total_size);
    return leave(&call, status);
}

static jint JNICALL upload_seek(JNIEnv *env, jclass self, jlong upload, jobject hooks, jlong offset)
{
    struct call call;
    cosslice_status status;
    (void)self;
    enter(&call, env, hooks, pointer(upload));
    status = cosslice_upload_seek(call.upload, (uint64_t)offset);
    return leave(&call, status);
}

static jint JNICALL upload_finish(JNIEnv *env, jclass self, jlong upload, jobject hooks)
{
    struct call call;
    cosslice_status status;
    (void)self;
    enter(&call, env, hooks, pointer(upload));
    status = cosslice_upload_finish(call.upload);
    return leave(&call, status);
}

static jint JNICALL upload_file(JNIEnv *env, jclass self, jlong upload, jobject hooks, jbyteArray path)
{
    struct call call;
    cosslice_status status;
    char *text = text_from_java(env, path);
    (void)self;
    if (!text)
        return COSSLICE_E_NOMEM;
    enter(&call, env, hooks, pointer(upload));
    status = cosslice_upload_file(call.upload, text);
    forget(text);
    return leave(&call, status);
}

/* --- loading -------------------------------------------------------------------------------------------------------- */

typedef void (*function)(void);

static const struct {
    const char *name, *signature;
    function function;
} methods[] = {
    {"version", "()[B", (function)version},
    {"statusText", "(I)[B", (function)status_text},
    {"configNew", "([J)I", (function)config_new},
    {"configFree", "(J)V", (function)config_free},
    {"configMessage", "(J)[B", (function)config_message},
    {"configSetText", "(JI[B)I", (function)config_set_text},
    {"configSetNumber", "(JIJ)I", (function)config_set_number},
    {"configSetHooks", "(JZI)I", (function)config_set_hooks},
    {"configSign", "(J[BJ[[B)I", (function)config_sign},
    {"uploadNew", "(J[BLcom/cosslice/Hooks;[J)I", (function)upload_new},
    {"uploadFree", "(J)V", (function)upload_free},
    {"uploadCancel", "(J)V", (function)upload_cancel},
    {"uploadNumber", "(JI)J", (function)upload_number},
    {"uploadText", "(JI)[B", (function)upload_text},
    {"uploadHash", "(JLcom/cosslice/Hooks;[BII)I", (function)upload_hash},
    {"uploadHashDirect", "(JLcom/cosslice/Hooks;Ljava/nio/ByteBuffer;II)I", (function)upload_hash_direct},
    {"uploadInit", "(JLcom/cosslice/Hooks;J)I", (function)upload_init},
    {"uploadSeek", "(JLcom/cosslice/Hooks;J)I", (function)upload_seek},
    {"uploadFeed", "(JLcom/cosslice/Hooks;[BII)I", (function)upload_feed},
    {"uploadFeedDirect", "(JLcom/cosslice/Hooks;Ljava/nio/ByteBuffer;II)I", (function)upload_feed_direct},
    {"uploadFinish", "(JLcom/cosslice/Hooks;)I", (function)upload_finish},
    {"uploadFile", "(JLcom/cosslice/Hooks;[B)I", (function)upload_file},
    {"uploadBufferDirect", "(JLcom/cosslice/Hooks;Ljava/nio/ByteBuffer;II)I", (function)upload_buffer_direct},
};

/* Without a table that JNI could take: ISO C has no cast from a function to the `void *` that is in there. */
static bool register_methods(JNIEnv *env)
{
    jclass native = (*env)->FindClass(env, "com/cosslice/Native");
    size_t i;
    for (i = 0; native && i < sizeof methods / sizeof *methods; i++) {
        JNINativeMethod method;
        method.name = (char *)methods[i].name;
        method.signature = (char *)methods[i].signature;
        memcpy(&method.fnPtr, &methods[i].function, sizeof method.fnPtr);
        if ((*env)->RegisterNatives(env, native, &method, 1) != 0)
            return false;
    }
    return native != NULL;
}

static bool find_hooks(JNIEnv *env)
{
    jclass found = (*env)->FindClass(env, "com/cosslice/Hooks");
    return found && (hooks_class = (*env)->NewGlobalRef(env, found)) != NULL &&
           (hooks_progress = (*env)->GetMethodID(env, found, "progress", "(IJJ)Z")) != NULL &&
           (hooks_sign = (*env)->GetMethodID(env, found, "sign", "([B[B[B[B[BJJ)[B")) != NULL &&
           (hooks_log = (*env)->GetMethodID(env, found, "log", "(I[B)V")) != NULL;
}

/* On failure System.loadLibrary throws, either what is pending or an UnsatisfiedLinkError. */
JNIEXPORT jint JNICALL JNI_OnLoad(JavaVM *vm, void *reserved)
{
    JNIEnv *env;
    (void)reserved;
    if ((*vm)->GetEnv(vm, (void **)&env, JNI_VERSION_1_6) != JNI_OK)
        return JNI_ERR;
    if (cosslice_abi_version() != COSSLICE_ABI_VERSION)
        return JNI_ERR;
    return find_hooks(env) && register_methods(env) ? JNI_VERSION_1_6 : JNI_ERR;
}

JNIEXPORT void JNICALL JNI_OnUnload(JavaVM *vm, void *reserved)
{
    JNIEnv *env;
    (void)reserved;
    if ((*vm)->GetEnv(vm, (void **)&env, JNI_VERSION_1_6) == JNI_OK)
        (*env)->DeleteGlobalRef(env, hooks_class);
}
