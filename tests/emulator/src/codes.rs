//! What the server refuses, as (HTTP status, code, message): protocol 7. Where the status is not documented
//! the most telling one is used.

/// A refusal: the HTTP status and the `code` and `message` of the JSON body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fail {
    pub status: u16,
    pub code: i64,
    pub message: String,
}

impl Fail {
    pub fn new(status: u16, code: i64, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
        }
    }
}

/// The disk of the emulator itself failed; the real service says -195 when its storage does.
impl From<std::io::Error> for Fail {
    fn from(e: std::io::Error) -> Self {
        Self::new(500, -195, format!("ERROR_CMD_BACKEND_STORAGE: {e}"))
    }
}

macro_rules! refusals {
    ($($(#[$doc:meta])* $name:ident = $status:literal, $code:literal, $message:literal;)*) => {
        $($(#[$doc])* pub fn $name() -> Fail { Fail::new($status, $code, $message) })*
    };
}

refusals! {
    // Signatures (protocol 3.5).
    secret_id_missing = 403, -47, "ERROR_PROXY_SECRETID_MISSING";
    bucket_mismatch = 403, -61, "ERROR_PROXY_SIGN_BUCKET_NOTMATCH";
    fileid_mismatch = 403, -63, "ERROR_PROXY_SIGN_FILEID_NOTMATCH";
    appid_mismatch = 403, -70, "ERROR_PROXY_SIGN_APPID_NOTMATCH";
    one_time_needed = 403, -73, "ERROR_PROXY_AUTH_ONCE_EXPIRE_NOT_ZERO";
    expiry_missing = 403, -74, "ERROR_PROXY_AUTH_MULTI_EXPIRE_EMPTY";
    one_time_without_file = 403, -76, "ERROR_PROXY_AUTH_ONCE_FILEID_EMPTY";
    replayed = 403, -77, "ERROR_PROXY_AUTH_REPLAY";
    secret_id_unknown = 403, -79, "ERROR_PROXY_SECRETID_NOTEXIST";
    sign_empty = 403, -81, "ERROR_PROXY_SIGN_EMPTY";
    appid_unknown = 403, -82, "ERROR_PROXY_APPID_NOTEXIST";
    sign_garbled = 403, -83, "ERROR_PROXY_SIGN_UNPACK";
    mac_differs = 403, -97, "ERROR_PROXY_AUTH_FAILED";
    lifetime_too_long = 403, -5999, "ERROR_PROXY_SIGN_LIFETIME";

    // Names (protocol 1.5, 7).
    bucket_absent = 404, -133, "ERROR_CMD_BUCKET_NOTEXIST";
    not_utf8 = 400, -147, "ERROR_CMD_PATH_NOT_UTF8";
    path_empty = 400, -160, "ERROR_CMD_PATH_EMPTY";
    path_not_directory = 400, -161, "ERROR_CMD_PATH_NOT_DIRECTORY";
    path_not_file = 400, -162, "ERROR_CMD_PATH_NOT_FILE";
    path_illegal = 400, -180, "ERROR_CMD_PATH_ILLEGAL";

    // Objects and uploads.
    sha_invalid = 400, -168, "ERROR_CMD_COS_INVALID_SHA";
    directory_not_empty = 409, -173, "ERROR_CMD_DIRECTORY_NOT_EMPTY";
    size_differs = 400, -175, "ERROR_CMD_COS_FILE_SIZE_NOT_EQU";
    file_exists = 409, -177, "ERROR_CMD_COS_FILE_EXIST";
    directory_exists = 409, -178, "ERROR_CMD_COS_PATH_CONFLICT";
    file_absent = 404, -197, "ERROR_CMD_FILE_NOTEXIST";
    slice_size_wrong = 400, -284, "ERROR_CMD_SLICE_SIZE";
    file_too_large = 400, -285, "ERROR_CMD_FILE_TOO_LARGE";
    /// The simple upload takes 20 MiB; 413 is what DOC 8432 gives for a body that is too long.
    body_too_large = 413, -285, "ERROR_CMD_FILE_TOO_LARGE";
    session_missing = 400, -95, "ERROR_CMD_SESSION_MISSING";
    offset_wrong = 400, -291, "ERROR_CMD_OFFSET";
    /// Undocumented for a different duplicate; -4015 is "same offset again" in DOC 6059.
    slice_differs = 409, -4015, "ERROR_SAME_OFFSET_AGAIN";
    sha_differs = 409, -4016, "ERROR_SHA_CHECK_FAILED";
    /// -4024 "offset went back" is what a serial backend says to data out of order (protocol 6.3).
    out_of_order = 409, -4024, "ERROR_OFFSET_OUT_OF_ORDER";
    not_finished = 409, -4019, "_ERROR_FILE_NOT_FINISH_UPLOAD";
    other_upload_open = 409, -4020, "ERROR_UNFINISHED_UPLOAD_WITH_OTHER_SHA";
    uploadparts_bad = 400, -5965, "ERROR_UPLOADPARTS_NOT_JSON";
    uploadparts_gap = 400, -5965, "ERROR_UPLOADPARTS_DO_NOT_COVER_THE_FILE";
    sha_not_repeated = 400, -29094, "ERROR_SHA_DECLARED_IN_INIT_BUT_NOT_IN_FINISH";

    // Requests.
    filesize_missing = 400, -5971, "ERROR_FILESIZE_MISSING";
    not_supported = 400, -75, "ERROR_PROXY_OP_NOT_SUPPORTED";
    op_missing = 400, -5980, "ERROR_OP_MISSING";
    content_missing = 400, -5990, "ERROR_FILECONTENT_MISSING";
    param_missing = 400, -5992, "ERROR_PARAM_MISSING";
    form_bad = 400, -5993, "ERROR_FORM_FORMAT";
    filesize_bad = 400, -5995, "ERROR_FILESIZE";
    method_bad = 405, -5996, "ERROR_METHOD";

    // Downloads.
    download_absent = 404, -6101, "ERROR_FILE_NOTEXIST";
    download_unfinished = 404, -45062, "ERROR_FILE_UPLOAD_NOT_FINISHED";
    download_discarded = 404, -6101, "ERROR_EMULATOR_DISCARDS_DATA";
}
