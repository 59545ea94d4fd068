#include "bridge.h"

#include "_cgo_export.h"

/* The library calls back on the thread that is inside a call, so this is how a config's signer finds the upload. */
static __thread uintptr_t current;

cosslice_status bridge_upload(uintptr_t call, enum bridge_call which, cosslice_upload *upload, const void *data, uint64_t number)
{
    uintptr_t outer = current; /* a callback may call functions of other uploads */
    cosslice_status status = COSSLICE_E_INVALID_ARG;

    current = call;
    switch (which) {
    case BRIDGE_HASH: status = cosslice_upload_hash(upload, data, (size_t)number); break;
    case BRIDGE_INIT: status = cosslice_upload_init(upload, number); break;
    case BRIDGE_SEEK: status = cosslice_upload_seek(upload, number); break;
    case BRIDGE_FEED: status = cosslice_upload_feed(upload, data, (size_t)number); break;
    case BRIDGE_FINISH: status = cosslice_upload_finish(upload); break;
    case BRIDGE_FILE: status = cosslice_upload_file(upload, data); break;
    case BRIDGE_BUFFER: status = cosslice_upload_buffer(upload, data, (size_t)number); break;
    }
    current = outer;
    return status;
}

static size_t sign(void *user, const cosslice_sign_request *request, char *out, size_t out_size)
{
    return goSign(current, (uintptr_t)user, (cosslice_sign_request *)request, out, out_size);
}

static void log_line(void *user, int32_t level, const char *message)
{
    goLog(current, (uintptr_t)user, level, (char *)message);
}

static int32_t progress(void *user, uint32_t phase, uint64_t bytes_done, uint64_t bytes_total)
{
    return goProgress(current, (uintptr_t)user, phase, bytes_done, bytes_total);
}

static void release(void *user)
{
    goRelease((uintptr_t)user);
}

cosslice_status bridge_set_signer(cosslice_config *config, uintptr_t user)
{
    return cosslice_config_set_signer(config, user ? sign : NULL, (void *)user, user ? release : NULL);
}

cosslice_status bridge_set_logger(cosslice_config *config, int32_t max_level, uintptr_t user)
{
    return cosslice_config_set_logger(config, max_level, user ? log_line : NULL, (void *)user, user ? release : NULL);
}

cosslice_status bridge_set_progress(cosslice_upload *upload, uintptr_t user)
{
    return cosslice_upload_set_progress(upload, user ? progress : NULL, (void *)user, user ? release : NULL);
}
