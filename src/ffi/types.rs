//! Numbers of the C interface. They are fixed: add, never renumber.

use std::ffi::{CStr, c_char};

use super::guard::guard;
use crate::error::Status;

/// Version of the binary interface. It is also the suffix of the shared library's name, `libcosslice.so.1`, and changes only
/// when programs have to be compiled again.
pub const COSSLICE_ABI_VERSION: u32 = 1;

/// What a call came to: `COSSLICE_OK` or one of the negative numbers of `enum cosslice_code`.
///
/// Details of a failure are on the handle: `cosslice_upload_get_str(upload, COSSLICE_INFO_MESSAGE)` and its
/// neighbours, or `cosslice_config_message(config)`.
pub type cosslice_status = i32;

/// The values of `cosslice_status`.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum cosslice_code {
    /// It worked.
    COSSLICE_OK = 0,
    /// An argument is NULL, not UTF-8 or out of range. Nothing was changed.
    COSSLICE_E_INVALID_ARG = -1,
    /// The call does not fit the state of the handle. Nothing was changed.
    COSSLICE_E_STATE = -2,
    /// Another thread, or the callback that you are in, is using the handle. Nothing was changed.
    COSSLICE_E_BUSY = -3,
    /// There is no such option.
    COSSLICE_E_UNKNOWN_OPTION = -4,
    /// No memory for a slice. Lower IN_FLIGHT or SLICE_SIZE.
    COSSLICE_E_NOMEM = -5,
    /// The local file could not be read. `COSSLICE_INFO_OS_ERROR` has errno.
    COSSLICE_E_FILE = -6,
    /// The bytes fed differ from the size announced or from the pass that was hashed, or the file changed while it was
    /// uploaded. Nothing of other content was sent.
    COSSLICE_E_SOURCE_CHANGED = -7,
    /// The network failed, after all retries. Upload again to continue.
    COSSLICE_E_NETWORK = -8,
    /// The server's TLS certificate could not be verified. The message says why.
    COSSLICE_E_TLS = -9,
    /// The server was silent for IO_TIMEOUT_MS, after all retries. Upload again to continue.
    COSSLICE_E_TIMEOUT = -10,
    /// The reply was not one that COS makes (HTML of a proxy, cut JSON), after all retries. The message has the HTTP
    /// status and the first bytes.
    COSSLICE_E_PROTOCOL = -11,
    /// COS refused. `COSSLICE_INFO_SERVER_CODE` has its number.
    COSSLICE_E_SERVER = -12,
    /// The signer failed, or COS refused the signature and then a fresh one.
    COSSLICE_E_AUTH = -13,
    /// An object exists under the name and OVERWRITE is 0. It was not touched.
    COSSLICE_E_EXISTS = -14,
    /// Canceled by `cosslice_upload_cancel` or by the progress callback. Upload again to continue.
    COSSLICE_E_CANCELED = -15,
    /// The handle was made before a fork and is used in the child.
    COSSLICE_E_FORKED = -16,
    /// An unfinished upload of other content, or of content that nothing is known of, holds the name. OVERWRITE 2 discards
    /// it; a resume token or a hash continues it.
    COSSLICE_E_CONFLICT = -17,
    /// Server and client disagree about the content.
    COSSLICE_E_INTEGRITY = -18,
    /// The bucket or the parent directory does not exist.
    COSSLICE_E_NOT_FOUND = -19,
    /// A bug in the library. The handle may only be read and freed.
    COSSLICE_E_PANIC = -99,
}

/// Options of a config. Texts are UTF-8; the empty text takes an option back to its default.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum cosslice_option {
    /// Text: the account's number, such as 1250000000. Required.
    COSSLICE_OPT_APP_ID = 1,
    /// Text: the short bucket name, without the account's number. Required.
    COSSLICE_OPT_BUCKET = 2,
    /// Text: the region, such as gz, sh, tj. Required unless ENDPOINT is set.
    COSSLICE_OPT_REGION = 3,
    /// Text: the full base URL, such as `http://127.0.0.1:9000/files/v2`. Default
    /// `https://<region>.file.myqcloud.com/files/v2`.
    COSSLICE_OPT_ENDPOINT = 4,
    /// Text: the public half of the key pair.
    COSSLICE_OPT_SECRET_ID = 5,
    /// Text: the secret half of the key pair. Wiped from memory when the config and its uploads are freed.
    COSSLICE_OPT_SECRET_KEY = 6,
    /// Text: one ready-made multi-effect signature, instead of a key pair.
    COSSLICE_OPT_AUTHORIZATION = 7,
    /// Text: the object's custom attribute.
    COSSLICE_OPT_BIZ_ATTR = 8,
    /// Text: `COSSLICE_INFO_RESUME_TOKEN` of an earlier upload of the same content, to continue it in push mode.
    COSSLICE_OPT_RESUME_TOKEN = 9,
    /// Text: certificates in PEM that replace the built-in roots.
    COSSLICE_OPT_CA_PEM = 10,
    /// Text: `http://[user:password@]host:port` of a proxy that takes CONNECT. The environment is never read.
    COSSLICE_OPT_PROXY = 11,
    /// Text: the User-Agent header. Default `libcosslice/<version>`.
    COSSLICE_OPT_USER_AGENT = 12,
    /// Bytes of a slice, 65536 to 67108864. Default 1048576, the only size that every COS server takes; the server may
    /// choose another one.
    COSSLICE_OPT_SLICE_SIZE = 101,
    /// Slices on their way at once, 1 to 64. Default 4. With 1 no thread is started, but for the short-lived one of a
    /// host name's lookup, which the operating system offers no other way to interrupt.
    COSSLICE_OPT_IN_FLIGHT = 102,
    /// Further tries per request, 0 to 100. Default 5.
    COSSLICE_OPT_RETRIES = 103,
    /// Milliseconds to connect, name lookup and TLS handshake included, 100 to 600000. Default 10000. A server that was
    /// never reached is given up after this time in all.
    COSSLICE_OPT_CONNECT_TIMEOUT_MS = 104,
    /// Milliseconds of silence before a connection is given up, 100 to 3600000. Default 60000.
    COSSLICE_OPT_IO_TIMEOUT_MS = 105,
    /// Seconds that signatures last, 60 to 7776000. Default 900.
    COSSLICE_OPT_SIGN_TTL_S = 106,
    /// 0 fail with E_EXISTS when an object exists (default); 1 replace it; 2 also discard an unfinished upload of other
    /// content. An object is never deleted: it is there until the new one takes its place.
    COSSLICE_OPT_OVERWRITE = 107,
    /// 1 continue an unfinished upload when its content is known to be the same (default); 0 never.
    COSSLICE_OPT_RESUME = 108,
    /// 1 hash (default): file and buffer mode first, to declare the digest, push mode as it is fed; 0 never.
    COSSLICE_OPT_HASH = 109,
    /// 1 compare with stat after finish where no digest was declared (default); 0 never.
    COSSLICE_OPT_VERIFY = 110,
    /// File and buffer mode: up to this many bytes go in one request, 0 to 20971520. Default 1048576; with 0 only empty
    /// contents do.
    COSSLICE_OPT_SINGLE_MAX = 111,
    /// Bytes per second over all slices of an upload, 0 to 1099511627776. Default 0, no limit.
    COSSLICE_OPT_BANDWIDTH = 112,
}

/// What can be asked of an upload.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum cosslice_info {
    /// Text: where the object is served by the CDN. After success.
    COSSLICE_INFO_ACCESS_URL = 1,
    /// Text: where the object is served by its origin. After success.
    COSSLICE_INFO_SOURCE_URL = 2,
    /// Text: the object's id, `/appid/bucket/path`. After success.
    COSSLICE_INFO_RESOURCE_PATH = 3,
    /// Text: the URL for further operations on the object. After success.
    COSSLICE_INFO_URL = 4,
    /// Text: where the object is previewed. After success, when COS said so.
    COSSLICE_INFO_PREVIEW_URL = 5,
    /// Text: id of an operation that the upload started. After success, when COS said so.
    COSSLICE_INFO_VID = 6,
    /// Text: SHA-1 of the content in lower-case hex, once it is known.
    COSSLICE_INFO_SHA1 = 7,
    /// Text: why the last call failed, one sentence that says what to do; never a secret.
    COSSLICE_INFO_MESSAGE = 8,
    /// Text: COS's own words.
    COSSLICE_INFO_SERVER_MESSAGE = 9,
    /// Text: the id to quote to Tencent's support.
    COSSLICE_INFO_REQUEST_ID = 10,
    /// Text: printable ASCII that continues this push upload later, also after a failure. About 27 characters for each
    /// slice fed. Empty when there is nothing to continue.
    COSSLICE_INFO_RESUME_TOKEN = 11,
    /// Number: bytes of the content.
    COSSLICE_INFO_BYTES_TOTAL = 101,
    /// Number: bytes acknowledged by COS. Never decreases.
    COSSLICE_INFO_BYTES_DONE = 102,
    /// Number: of these, bytes that were found on the server and not sent again.
    COSSLICE_INFO_BYTES_RESUMED = 103,
    /// Number: first byte that the server still lacks, after init: where a caller that can seek goes on.
    COSSLICE_INFO_NEXT_OFFSET = 104,
    /// Number: bytes of a slice, as the server wants it.
    COSSLICE_INFO_SLICE_SIZE = 105,
    /// Number: 1 when the server had the content already and nothing was sent.
    COSSLICE_INFO_INSTANT = 106,
    /// Number: 1 when the server is known to hold exactly these bytes (digest declared, or compared with stat).
    COSSLICE_INFO_VERIFIED = 107,
    /// Number: HTTP status of the reply that the last failure is about.
    COSSLICE_INFO_HTTP_STATUS = 108,
    /// Number: COS's code of the last failure.
    COSSLICE_INFO_SERVER_CODE = 109,
    /// Number: errno of the last failure.
    COSSLICE_INFO_OS_ERROR = 110,
    /// Number: 1 when the same upload may well succeed when it is tried again later.
    COSSLICE_INFO_RETRYABLE = 111,
    /// Number: requests that had to be sent again so far.
    COSSLICE_INFO_RETRIES = 112,
    /// Number: one of `enum cosslice_phase`.
    COSSLICE_INFO_PHASE = 113,
}

/// What the library is doing with the content.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum cosslice_phase {
    /// Nothing yet.
    COSSLICE_PHASE_IDLE = 0,
    /// Reading it for its digest; progress counts bytes read.
    COSSLICE_PHASE_HASHING = 1,
    /// Sending slices; progress counts bytes acknowledged.
    COSSLICE_PHASE_SENDING = 2,
    /// The server puts the object together.
    COSSLICE_PHASE_FINISHING = 3,
    /// The object is there.
    COSSLICE_PHASE_DONE = 4,
}

/// How much a log line matters.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum cosslice_level {
    /// The upload fails.
    COSSLICE_LOG_ERROR = 1,
    /// Something went wrong and is being dealt with.
    COSSLICE_LOG_WARN = 2,
    /// The steps of an upload.
    COSSLICE_LOG_INFO = 3,
    /// Every request.
    COSSLICE_LOG_DEBUG = 4,
}

/// Fields of a sign request.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum cosslice_sign_field {
    /// Text: the operation, such as upload_slice_data.
    COSSLICE_SIGN_OP = 1,
    /// Text: the account's number.
    COSSLICE_SIGN_APP_ID = 2,
    /// Text: the bucket.
    COSSLICE_SIGN_BUCKET = 3,
    /// Text: the object's path as it was given to `cosslice_upload_new`.
    COSSLICE_SIGN_PATH = 4,
    /// Text: the signature's `f` field, `/appid/bucket/encoded-path`.
    COSSLICE_SIGN_FILE_ID = 5,
    /// Number: Unix seconds when the signature should end; 0 wants a one-time signature.
    COSSLICE_SIGN_EXPIRES_AT_S = 101,
    /// Number: Unix seconds now, by the server's clock as far as it is known.
    COSSLICE_SIGN_NOW_S = 102,
}

const VERSION: &CStr =
    match CStr::from_bytes_with_nul(concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes()) {
        Ok(version) => version,
        Err(_) => panic!("the version has no NUL inside"),
    };

/// `COSSLICE_ABI_VERSION` of the library that is loaded. Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn cosslice_abi_version() -> u32 {
    COSSLICE_ABI_VERSION
}

/// The version of the library that is loaded, such as "0.1.0". Static. Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn cosslice_version() -> *const c_char {
    VERSION.as_ptr()
}

/// A few words for a status, also for numbers that are none. Static, never NULL. Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn cosslice_status_str(status: cosslice_status) -> *const c_char {
    guard(c"".as_ptr(), || Status::text(status).as_ptr())
}
