/*
 * libcosslice: uploads large objects to Tencent COS through its v4 slice API.
 *
 * In short
 *   - cosslice_config_new, set options, cosslice_upload_new, then either cosslice_upload_file, or
 *     cosslice_upload_buffer, or [hash*] init [seek] feed* finish. Free both handles.
 *   - Everything passed in is copied before the call returns, but for the memory of cosslice_upload_buffer, which is
 *     only used during the call. You free configs and uploads; nothing else.
 *   - Every function that can fail returns a cosslice_status, 0 or negative. Outputs are written on success only.
 *     A failure is final for an upload: read it, free it, make another one to go on. Calls refused for their
 *     arguments or their order change nothing.
 *   - An upload takes one call at a time, on any thread; a second one gets COSSLICE_E_BUSY. Cancel and the get
 *     functions work at any time, on any thread. Different uploads are independent of each other.
 *   - Callbacks run on the thread that is inside a call on the upload, one at a time, never on a hidden thread. They
 *     may call functions of other handles. `user` comes first and is handed to `release` when it is not used any more.
 *     An exception or longjmp must not leave a callback.
 *   - Mistakes (NULL, bad UTF-8, wrong order, a second thread, a handle used in a child process) give a status.
 *   - Nothing is printed, no environment is read, no signal handler is touched, TLS servers are always verified, and no
 *     key, signature or password appears in a message or log line.
 *   - Offsets and sizes of contents are 64 bits wide; units are in the names or are bytes.
 */


#ifndef COSSLICE_H
#define COSSLICE_H

/* Generated from src/ffi by cbindgen. Do not edit: run `make header`. */

#include <stddef.h>
#include <stdint.h>

#ifndef COSSLICE_API
#  if defined(_WIN32) && !defined(COSSLICE_STATIC)
#    define COSSLICE_API __declspec(dllimport)
#  elif defined(__GNUC__) && !defined(_WIN32)
#    define COSSLICE_API __attribute__((visibility("default")))
#  else
#    define COSSLICE_API
#  endif
#endif


// Version of the binary interface. It is also the suffix of the shared library's name, `libcosslice.so.1`, and changes only
// when programs have to be compiled again.
#define COSSLICE_ABI_VERSION 1

// The values of `cosslice_status`.
typedef enum cosslice_code {
    // It worked.
    COSSLICE_OK = 0,
    // An argument is NULL, not UTF-8 or out of range. Nothing was changed.
    COSSLICE_E_INVALID_ARG = -1,
    // The call does not fit the state of the handle. Nothing was changed.
    COSSLICE_E_STATE = -2,
    // Another thread, or the callback that you are in, is using the handle. Nothing was changed.
    COSSLICE_E_BUSY = -3,
    // There is no such option.
    COSSLICE_E_UNKNOWN_OPTION = -4,
    // No memory for a slice. Lower IN_FLIGHT or SLICE_SIZE.
    COSSLICE_E_NOMEM = -5,
    // The local file could not be read. `COSSLICE_INFO_OS_ERROR` has errno.
    COSSLICE_E_FILE = -6,
    // The bytes fed differ from the size announced or from the pass that was hashed, or the file changed while it was
    // uploaded. Nothing of other content was sent.
    COSSLICE_E_SOURCE_CHANGED = -7,
    // The network failed, after all retries. Upload again to continue.
    COSSLICE_E_NETWORK = -8,
    // The server's TLS certificate could not be verified. The message says why.
    COSSLICE_E_TLS = -9,
    // The server was silent for IO_TIMEOUT_MS, after all retries. Upload again to continue.
    COSSLICE_E_TIMEOUT = -10,
    // The reply was not one that COS makes (HTML of a proxy, cut JSON), after all retries. The message has the HTTP
    // status and the first bytes.
    COSSLICE_E_PROTOCOL = -11,
    // COS refused. `COSSLICE_INFO_SERVER_CODE` has its number.
    COSSLICE_E_SERVER = -12,
    // The signer failed, or COS refused the signature and then a fresh one.
    COSSLICE_E_AUTH = -13,
    // An object exists under the name and OVERWRITE is 0. It was not touched.
    COSSLICE_E_EXISTS = -14,
    // Canceled by `cosslice_upload_cancel` or by the progress callback. Upload again to continue.
    COSSLICE_E_CANCELED = -15,
    // The handle was made before a fork and is used in the child.
    COSSLICE_E_FORKED = -16,
    // An unfinished upload of other content, or of content that nothing is known of, holds the name. OVERWRITE 2 discards
    // it; a resume token or a hash continues it.
    COSSLICE_E_CONFLICT = -17,
    // Server and client disagree about the content.
    COSSLICE_E_INTEGRITY = -18,
    // The bucket or the parent directory does not exist.
    COSSLICE_E_NOT_FOUND = -19,
    // A bug in the library. The handle may only be read and freed.
    COSSLICE_E_PANIC = -99,
} cosslice_code;

// Options of a config. Texts are UTF-8; the empty text takes an option back to its default.
typedef enum cosslice_option {
    // Text: the account's number, such as 1250000000. Required.
    COSSLICE_OPT_APP_ID = 1,
    // Text: the short bucket name, without the account's number. Required.
    COSSLICE_OPT_BUCKET = 2,
    // Text: the region, such as gz, sh, tj. Required unless ENDPOINT is set.
    COSSLICE_OPT_REGION = 3,
    // Text: the full base URL, such as `http://127.0.0.1:9000/files/v2`. Default
    // `https://<region>.file.myqcloud.com/files/v2`.
    COSSLICE_OPT_ENDPOINT = 4,
    // Text: the public half of the key pair.
    COSSLICE_OPT_SECRET_ID = 5,
    // Text: the secret half of the key pair. Wiped from memory when the config and its uploads are freed.
    COSSLICE_OPT_SECRET_KEY = 6,
    // Text: one ready-made multi-effect signature, instead of a key pair.
    COSSLICE_OPT_AUTHORIZATION = 7,
    // Text: the object's custom attribute.
    COSSLICE_OPT_BIZ_ATTR = 8,
    // Text: `COSSLICE_INFO_RESUME_TOKEN` of an earlier upload of the same content, to continue it in push mode.
    COSSLICE_OPT_RESUME_TOKEN = 9,
    // Text: certificates in PEM that replace the built-in roots.
    COSSLICE_OPT_CA_PEM = 10,
    // Text: `http://[user:password@]host:port` of a proxy that takes CONNECT. The environment is never read.
    COSSLICE_OPT_PROXY = 11,
    // Text: the User-Agent header. Default `libcosslice/<version>`.
    COSSLICE_OPT_USER_AGENT = 12,
    // Bytes of a slice, 65536 to 67108864. Default 1048576, the only size that every COS server takes; the server may
    // choose another one.
    COSSLICE_OPT_SLICE_SIZE = 101,
    // Slices on their way at once, 1 to 64. Default 4. With 1 no thread is started, but for the short-lived one of a
    // host name's lookup, which the operating system offers no other way to interrupt.
    COSSLICE_OPT_IN_FLIGHT = 102,
    // Further tries per request, 0 to 100. Default 5.
    COSSLICE_OPT_RETRIES = 103,
    // Milliseconds to connect, name lookup and TLS handshake included, 100 to 600000. Default 10000. A server that was
    // never reached is given up after this time in all.
    COSSLICE_OPT_CONNECT_TIMEOUT_MS = 104,
    // Milliseconds of silence before a connection is given up, 100 to 3600000. Default 60000.
    COSSLICE_OPT_IO_TIMEOUT_MS = 105,
    // Seconds that signatures last, 60 to 7776000. Default 900.
    COSSLICE_OPT_SIGN_TTL_S = 106,
    // 0 fail with E_EXISTS when an object exists (default); 1 replace it; 2 also discard an unfinished upload of other
    // content. An object is never deleted: it is there until the new one takes its place.
    COSSLICE_OPT_OVERWRITE = 107,
    // 1 continue an unfinished upload when its content is known to be the same (default); 0 never.
    COSSLICE_OPT_RESUME = 108,
    // 1 hash (default): file and buffer mode first, to declare the digest, push mode as it is fed; 0 never.
    COSSLICE_OPT_HASH = 109,
    // 1 compare with stat after finish where no digest was declared (default); 0 never.
    COSSLICE_OPT_VERIFY = 110,
    // File and buffer mode: up to this many bytes go in one request, 0 to 20971520. Default 1048576; with 0 only empty
    // contents do.
    COSSLICE_OPT_SINGLE_MAX = 111,
    // Bytes per second over all slices of an upload, 0 to 1099511627776. Default 0, no limit.
    COSSLICE_OPT_BANDWIDTH = 112,
} cosslice_option;

// What can be asked of an upload.
typedef enum cosslice_info {
    // Text: where the object is served by the CDN. After success.
    COSSLICE_INFO_ACCESS_URL = 1,
    // Text: where the object is served by its origin. After success.
    COSSLICE_INFO_SOURCE_URL = 2,
    // Text: the object's id, `/appid/bucket/path`. After success.
    COSSLICE_INFO_RESOURCE_PATH = 3,
    // Text: the URL for further operations on the object. After success.
    COSSLICE_INFO_URL = 4,
    // Text: where the object is previewed. After success, when COS said so.
    COSSLICE_INFO_PREVIEW_URL = 5,
    // Text: id of an operation that the upload started. After success, when COS said so.
    COSSLICE_INFO_VID = 6,
    // Text: SHA-1 of the content in lower-case hex, once it is known.
    COSSLICE_INFO_SHA1 = 7,
    // Text: why the last call failed, one sentence that says what to do; never a secret.
    COSSLICE_INFO_MESSAGE = 8,
    // Text: COS's own words.
    COSSLICE_INFO_SERVER_MESSAGE = 9,
    // Text: the id to quote to Tencent's support.
    COSSLICE_INFO_REQUEST_ID = 10,
    // Text: printable ASCII that continues this push upload later, also after a failure. About 27 characters for each
    // slice fed. Empty when there is nothing to continue.
    COSSLICE_INFO_RESUME_TOKEN = 11,
    // Number: bytes of the content.
    COSSLICE_INFO_BYTES_TOTAL = 101,
    // Number: bytes acknowledged by COS. Never decreases.
    COSSLICE_INFO_BYTES_DONE = 102,
    // Number: of these, bytes that were found on the server and not sent again.
    COSSLICE_INFO_BYTES_RESUMED = 103,
    // Number: first byte that the server still lacks, after init: where a caller that can seek goes on.
    COSSLICE_INFO_NEXT_OFFSET = 104,
    // Number: bytes of a slice, as the server wants it.
    COSSLICE_INFO_SLICE_SIZE = 105,
    // Number: 1 when the server had the content already and nothing was sent.
    COSSLICE_INFO_INSTANT = 106,
    // Number: 1 when the server is known to hold exactly these bytes (digest declared, or compared with stat).
    COSSLICE_INFO_VERIFIED = 107,
    // Number: HTTP status of the reply that the last failure is about.
    COSSLICE_INFO_HTTP_STATUS = 108,
    // Number: COS's code of the last failure.
    COSSLICE_INFO_SERVER_CODE = 109,
    // Number: errno of the last failure.
    COSSLICE_INFO_OS_ERROR = 110,
    // Number: 1 when the same upload may well succeed when it is tried again later.
    COSSLICE_INFO_RETRYABLE = 111,
    // Number: requests that had to be sent again so far.
    COSSLICE_INFO_RETRIES = 112,
    // Number: one of `enum cosslice_phase`.
    COSSLICE_INFO_PHASE = 113,
} cosslice_info;

// What the library is doing with the content.
typedef enum cosslice_phase {
    // Nothing yet.
    COSSLICE_PHASE_IDLE = 0,
    // Reading it for its digest; progress counts bytes read.
    COSSLICE_PHASE_HASHING = 1,
    // Sending slices; progress counts bytes acknowledged.
    COSSLICE_PHASE_SENDING = 2,
    // The server puts the object together.
    COSSLICE_PHASE_FINISHING = 3,
    // The object is there.
    COSSLICE_PHASE_DONE = 4,
} cosslice_phase;

// How much a log line matters.
typedef enum cosslice_level {
    // The upload fails.
    COSSLICE_LOG_ERROR = 1,
    // Something went wrong and is being dealt with.
    COSSLICE_LOG_WARN = 2,
    // The steps of an upload.
    COSSLICE_LOG_INFO = 3,
    // Every request.
    COSSLICE_LOG_DEBUG = 4,
} cosslice_level;

// Fields of a sign request.
typedef enum cosslice_sign_field {
    // Text: the operation, such as upload_slice_data.
    COSSLICE_SIGN_OP = 1,
    // Text: the account's number.
    COSSLICE_SIGN_APP_ID = 2,
    // Text: the bucket.
    COSSLICE_SIGN_BUCKET = 3,
    // Text: the object's path as it was given to `cosslice_upload_new`.
    COSSLICE_SIGN_PATH = 4,
    // Text: the signature's `f` field, `/appid/bucket/encoded-path`.
    COSSLICE_SIGN_FILE_ID = 5,
    // Number: Unix seconds when the signature should end; 0 wants a one-time signature.
    COSSLICE_SIGN_EXPIRES_AT_S = 101,
    // Number: Unix seconds now, by the server's clock as far as it is known.
    COSSLICE_SIGN_NOW_S = 102,
} cosslice_sign_field;

// A template for uploads: options, callbacks, and the connections that its uploads share. Uploads copy what they need when
// they are made: changing or freeing a config does not touch them.
//
// One thread at a time.
typedef struct cosslice_config cosslice_config;

// What a signature is wanted for. Valid during the call of the signer only.
typedef struct cosslice_sign_request cosslice_sign_request;

// One upload of one object. A failure is final: read it, free it, make another one to go on.
//
// One call at a time, on any thread; a second one gets `COSSLICE_E_BUSY`. The two get functions and cancel may be called
// at any time, on any thread.
typedef struct cosslice_upload cosslice_upload;

// What a call came to: `COSSLICE_OK` or one of the negative numbers of `enum cosslice_code`.
//
// Details of a failure are on the handle: `cosslice_upload_get_str(upload, COSSLICE_INFO_MESSAGE)` and its
// neighbours, or `cosslice_config_message(config)`.
typedef int32_t cosslice_status;

// Makes a signature. Writes at most `out_size` bytes, the closing NUL included, and returns the length without it, like
// snprintf: a larger length than fits makes the library call again with more room, up to 16 KiB. 0 refuses: the upload ends
// with `COSSLICE_E_AUTH`. The signature may be used for further requests until it ends by its own words.
//
// Runs on the thread that is inside a call on the upload. Must not free the upload's config.
typedef size_t (*cosslice_sign_fn)(void *user,
                                   const struct cosslice_sign_request *request,
                                   char *out,
                                   size_t out_size);

// Told exactly once for each successful `set_*` when `user` will not be used any more: when another callback was set, or
// when the config and all its uploads are freed.
typedef void (*cosslice_release_fn)(void *user);

// Takes a log line, without a line end and never with a secret in it. `message` is valid during the call only.
//
// Runs on the thread that is inside a call on an upload.
typedef void (*cosslice_log_fn)(void *user, int32_t level, const char *message);

// Hears how far the upload is. `phase` is one of `enum cosslice_phase`; bytes are those read while hashing and those
// acknowledged by COS afterwards. Anything but 0 cancels.
//
// Runs on the thread that is inside a call on the upload, at each acknowledged slice and about every tenth of a second
// while waiting.
typedef int32_t (*cosslice_progress_fn)(void *user, uint32_t phase, uint64_t bytes_done, uint64_t bytes_total);

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

// `COSSLICE_ABI_VERSION` of the library that is loaded. Any thread.
COSSLICE_API uint32_t cosslice_abi_version(void);

// The version of the library that is loaded, such as "0.1.0". Static. Any thread.
COSSLICE_API const char *cosslice_version(void);

// A few words for a status, also for numbers that are none. Static, never NULL. Any thread.
COSSLICE_API const char *cosslice_status_str(cosslice_status status);

// A text field of a sign request (`enum cosslice_sign_field`), valid during the call of the signer; "" for a field that is
// not text. Inside a signer only.
//
// Requires:
// `request` is NULL or the pointer that the signer was called with.
COSSLICE_API
const char *cosslice_sign_get_str(const struct cosslice_sign_request *request,
                                  uint32_t field);

// A number of a sign request (`enum cosslice_sign_field`); 0 for a field that is no number. Inside a signer only.
//
// Requires:
// `request` is NULL or the pointer that the signer was called with.
COSSLICE_API
uint64_t cosslice_sign_get_u64(const struct cosslice_sign_request *request,
                               uint32_t field);

// Makes a config with every option at its default. Free it with `cosslice_config_free`. Any thread; does not block.
//
// `*out` is the config, or NULL on failure: `COSSLICE_E_INVALID_ARG` when `out` is NULL.
//
// Requires:
// `out` is NULL or points to writable memory.
COSSLICE_API
cosslice_status cosslice_config_new(struct cosslice_config **out);

// Frees a config. NULL is allowed. Its uploads live on, and so do its callbacks until the last of them is freed. Does not
// block.
//
// Requires:
// `config` is NULL or a config that was not freed, and no other call is using it.
COSSLICE_API
void cosslice_config_free(struct cosslice_config *config);

// Why the last call with this config failed, `cosslice_upload_new` included: one sentence, never a secret; "" after a
// success. Never NULL; valid until the next call with the config.
//
// Requires:
// `config` is NULL or a config that was not freed.
COSSLICE_API
const char *cosslice_config_message(const struct cosslice_config *config);

// Sets a text option (`enum cosslice_option`). The value is copied; "" takes the option back to its default. Uploads that
// exist already keep what they have. Does not block.
//
// `COSSLICE_E_INVALID_ARG` for NULL, bad UTF-8, an unfit value or a number option; `COSSLICE_E_UNKNOWN_OPTION`.
//
// Requires:
// `config` is NULL or a config that was not freed; `value` is NULL or ends with a NUL.
COSSLICE_API
cosslice_status cosslice_config_set_str(struct cosslice_config *config,
                                        uint32_t option,
                                        const char *value);

// Sets a number option (`enum cosslice_option`). Uploads that exist already keep what they have. Does not block.
//
// `COSSLICE_E_INVALID_ARG` for a value out of range or a text option; `COSSLICE_E_UNKNOWN_OPTION`.
//
// Requires:
// `config` is NULL or a config that was not freed.
COSSLICE_API
cosslice_status cosslice_config_set_u64(struct cosslice_config *config,
                                        uint32_t option,
                                        uint64_t value);

// Lets a callback make the signatures of later uploads, instead of a key pair: the key need not be on this machine. NULL
// for `sign` goes back to the key pair. `release` (may be NULL) is told once when `user` is not used any more, but never
// when this call fails. Does not block.
//
// Requires:
// `config` is NULL or a config that was not freed. `sign` may be called with `user` until `release`, on any thread that
// is inside a call on an upload of this config.
COSSLICE_API
cosslice_status cosslice_config_set_signer(struct cosslice_config *config,
                                           cosslice_sign_fn sign,
                                           void *user,
                                           cosslice_release_fn release);

// Lets a callback take the log lines of later uploads up to `max_level` (`enum cosslice_level`). NULL for `log` turns
// logging off. `release` (may be NULL) is told once when `user` is not used any more, but never when this call fails. Does
// not block.
//
// `COSSLICE_E_INVALID_ARG` for a level that there is not.
//
// Requires:
// `config` is NULL or a config that was not freed. `log` may be called with `user` until `release`, on any thread that is
// inside a call on an upload of this config.
COSSLICE_API
cosslice_status cosslice_config_set_logger(struct cosslice_config *config,
                                           int32_t max_level,
                                           cosslice_log_fn log,
                                           void *user,
                                           cosslice_release_fn release);

// For the server that signs for others: writes a signature for the object `path` with the config's key pair. Does not
// block.
//
// `path` begins with '/'; one that ends with '/' makes a signature for everything below it; "" makes one for the whole
// bucket. `expires_at_s` is in Unix seconds; 0 makes a one-time signature, which needs a path.
//
// `out` gets the signature and a closing NUL when both fit into `out_size`; otherwise nothing is written and the call
// fails with `COSSLICE_E_INVALID_ARG`. `*len` gets the length without the NUL in both cases; NULL with 0 for `out` and
// `out_size` asks for the length only.
//
// Requires:
// `config` is NULL or a config that was not freed; `path` is NULL or ends with a NUL; `out` is NULL or points to
// `out_size` writable bytes; `len` is NULL or points to writable memory.
COSSLICE_API
cosslice_status cosslice_config_sign(const struct cosslice_config *config,
                                     const char *path,
                                     uint64_t expires_at_s,
                                     char *out,
                                     size_t out_size,
                                     size_t *len);

// Makes an upload of the object `path` (UTF-8, unencoded, begins with '/') with the config's options as they are now. Free
// it with `cosslice_upload_free`. Does not block: nothing is sent yet.
//
// `*out` is the upload, or NULL on failure: `COSSLICE_E_INVALID_ARG` for NULL, a path that COS would refuse or a config
// that misses something; `cosslice_config_message` says which.
//
// Requires:
// `config` is NULL or a config that was not freed; `path` is NULL or ends with a NUL; `out` is NULL or points to writable
// memory.
COSSLICE_API
cosslice_status cosslice_upload_new(const struct cosslice_config *config,
                                    const char *path,
                                    struct cosslice_upload **out);

// Lets a callback hear how far the upload is. NULL for `progress` turns it off. `release` (may be NULL) is told once when
// `user` is not used any more, but never when this call fails. Does not block.
//
// Requires:
// `upload` is NULL or an upload that was not freed. `progress` may be called with `user` until `release`, on the threads
// that call functions of this upload.
COSSLICE_API
cosslice_status cosslice_upload_set_progress(struct cosslice_upload *upload,
                                             cosslice_progress_fn progress,
                                             void *user,
                                             cosslice_release_fn release);

// Optional first pass of push mode over the same bytes that will be fed, in pieces of any length, before init. It enables
// instant upload, the server's own check and safe resume without a token. Computes only: nothing is kept but the digest.
//
// `COSSLICE_E_STATE` after init; `COSSLICE_E_CANCELED`.
//
// Requires:
// `upload` is NULL or an upload that was not freed; `data` is NULL or points to `len` readable bytes.
COSSLICE_API
cosslice_status cosslice_upload_hash(struct cosslice_upload *upload,
                                     const void *data,
                                     size_t len);

// Opens an upload of `total_size` bytes in push mode, or continues one that is known to be of this content. Blocks for a
// few requests.
//
// Afterwards `COSSLICE_INFO_INSTANT` tells whether the server had the content already, and `COSSLICE_INFO_NEXT_OFFSET`
// what it lacks first. `COSSLICE_E_EXISTS`, `COSSLICE_E_CONFLICT`, `COSSLICE_E_AUTH`, `COSSLICE_E_NOT_FOUND` and the
// failures of the network; `COSSLICE_E_SOURCE_CHANGED` when another number of bytes was hashed.
//
// Requires:
// `upload` is NULL or an upload that was not freed.
COSSLICE_API
cosslice_status cosslice_upload_init(struct cosslice_upload *upload,
                                     uint64_t total_size);

// Optional, after init and before the first feed: the next byte fed is byte `offset` of the content. At most
// `COSSLICE_INFO_NEXT_OFFSET`: what lies before must be on the server. Does not block.
//
// Requires:
// `upload` is NULL or an upload that was not freed.
COSSLICE_API cosslice_status cosslice_upload_seek(struct cosslice_upload *upload, uint64_t offset);

// Takes the next bytes, in pieces of any length. They are copied, so that the memory is the caller's again afterwards.
// Blocks while IN_FLIGHT slices are on their way. Bytes of slices that the server has are skipped, and compared with what
// is known of them.
//
// `COSSLICE_E_SOURCE_CHANGED` when they are more than announced or differ from what was hashed or uploaded before.
//
// Requires:
// `upload` is NULL or an upload that was not freed; `data` is NULL or points to `len` readable bytes.
COSSLICE_API
cosslice_status cosslice_upload_feed(struct cosslice_upload *upload,
                                     const void *data,
                                     size_t len);

// Waits for the slices on their way and puts the object together. Blocks. Afterwards the URLs can be read.
//
// `COSSLICE_E_SOURCE_CHANGED` when fewer bytes were fed than announced.
//
// Requires:
// `upload` is NULL or an upload that was not freed.
COSSLICE_API cosslice_status cosslice_upload_finish(struct cosslice_upload *upload);

// The whole lifecycle for the local file `path` (UTF-8): hashes, sends what the server lacks, finishes. Blocks. Calling it
// on a new upload after a failure continues where the server stands.
//
// `COSSLICE_E_FILE` when the file cannot be read; `COSSLICE_E_SOURCE_CHANGED` when it changes meanwhile.
//
// Requires:
// `upload` is NULL or an upload that was not freed; `path` is NULL or ends with a NUL.
COSSLICE_API
cosslice_status cosslice_upload_file(struct cosslice_upload *upload,
                                     const char *path);

// The whole lifecycle for a block of memory, which is not copied. Blocks. The memory must not change meanwhile.
//
// Requires:
// `upload` is NULL or an upload that was not freed; `data` is NULL or points to `len` readable bytes that stay unchanged
// during the call.
COSSLICE_API
cosslice_status cosslice_upload_buffer(struct cosslice_upload *upload,
                                       const void *data,
                                       size_t len);

// Asks the upload to stop: the call that is running on it, or the next one, ends within 250 ms with
// `COSSLICE_E_CANCELED`. What the server has acknowledged stays there. Any thread, also in a signal handler: it only
// stores a flag. NULL is allowed.
//
// Requires:
// `upload` is NULL or an upload that was not freed.
COSSLICE_API
void cosslice_upload_cancel(struct cosslice_upload *upload);

// A number (`enum cosslice_info`); -1 when it is not known or there is no such number. Any thread, any time; does not
// block.
//
// Requires:
// `upload` is NULL or an upload that was not freed.
COSSLICE_API
int64_t cosslice_upload_get_i64(const struct cosslice_upload *upload,
                                uint32_t info);

// A text (`enum cosslice_info`); "" when it is not known, there is no such text, or a call is running. Never NULL; valid
// until the next call on the upload that is no get. Any thread, any time; does not block.
//
// Requires:
// `upload` is NULL or an upload that was not freed.
COSSLICE_API
const char *cosslice_upload_get_str(const struct cosslice_upload *upload,
                                    uint32_t info);

// Frees an upload. NULL is allowed. Waits at most 250 ms for slices on their way; what the server has stays there, and
// another upload continues it.
//
// In a callback of this very upload, or while another thread is in a call on it, that call is canceled and frees the
// upload when it ends.
//
// Requires:
// `upload` is NULL or an upload that was not freed.
COSSLICE_API
void cosslice_upload_free(struct cosslice_upload *upload);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* COSSLICE_H */
