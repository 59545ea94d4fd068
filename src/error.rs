//! One error type: everything a caller can act on, and never a secret.

use std::fmt;
use std::io;

/// What a call came to. The numbers are the C interface's and never change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(i32)]
pub enum Status {
    /// It worked.
    Ok = 0,
    /// An argument is NULL, not UTF-8 or out of range.
    InvalidArg = -1,
    /// The call does not fit the state of the handle.
    State = -2,
    /// Another call is using the handle.
    Busy = -3,
    /// No such option.
    UnknownOption = -4,
    /// Memory for a slice could not be had.
    NoMem = -5,
    /// The local file could not be read.
    File = -6,
    /// The content is not what was announced, hashed or stored before.
    SourceChanged = -7,
    /// The network failed, after all retries.
    Network = -8,
    /// The peer could not be verified.
    Tls = -9,
    /// The peer was silent for too long.
    Timeout = -10,
    /// The reply was not one that COS makes.
    Protocol = -11,
    /// COS refused.
    Server = -12,
    /// No signature could be had, or it was refused.
    Auth = -13,
    /// An object is already there.
    Exists = -14,
    /// The caller cancelled.
    Canceled = -15,
    /// The handle was made in another process.
    Forked = -16,
    /// An unfinished upload of other content holds the name.
    Conflict = -17,
    /// Server and client disagree about the content.
    Integrity = -18,
    /// The bucket, the parent directory or the upload is not there.
    NotFound = -19,
    /// A bug in this library.
    Panic = -99,
}

impl Status {
    /// One sentence for each number, also for numbers that are none of ours.
    pub fn text(number: i32) -> &'static std::ffi::CStr {
        match number {
            0 => c"ok",
            -1 => c"invalid argument: NULL, not UTF-8 or out of range",
            -2 => c"the call does not fit the state of the handle",
            -3 => c"the handle is in use by another thread or by the callback that is running",
            -4 => c"unknown option",
            -5 => c"out of memory for a slice",
            -6 => c"the local file could not be read",
            -7 => c"the content differs from what was announced, hashed or uploaded before",
            -8 => c"network failure after all retries",
            -9 => c"the server's TLS identity could not be verified",
            -10 => c"the server was silent for too long",
            -11 => c"the reply was not one that COS makes",
            -12 => c"COS refused the request",
            -13 => c"no valid signature: the signer failed or COS refused the signature",
            -14 => c"an object already exists under this name",
            -15 => c"canceled",
            -16 => c"the handle was made in another process",
            -17 => c"an unfinished upload of other content holds the name",
            -18 => c"server and client disagree about the content",
            -19 => c"the bucket, the parent directory or the object is not there",
            -99 => c"internal error of libcosslice; the handle can only be read and freed",
            _ => c"not a status of libcosslice",
        }
    }
}

/// Why something failed.
#[derive(Clone, Debug)]
pub struct Error {
    /// The kind, as the C interface returns it.
    pub status: Status,
    /// One sentence: what was wrong and what to do.
    pub message: String,
    /// COS's own code, when it gave one.
    pub server_code: Option<i64>,
    /// COS's own words.
    pub server_message: String,
    /// The HTTP status of the reply, when there was one.
    pub http_status: Option<u16>,
    /// The id to quote to Tencent's support.
    pub request_id: String,
    /// errno (on Windows GetLastError), when an operating system call failed.
    pub os_error: Option<i32>,
    /// Whether the same upload may well succeed when it is tried again later.
    pub retryable: bool,
}

impl Error {
    /// An error without details of a reply.
    pub fn new(status: Status, message: impl Into<String>) -> Self {
        Error {
            status,
            message: message.into(),
            server_code: None,
            server_message: String::new(),
            http_status: None,
            request_id: String::new(),
            os_error: None,
            retryable: matches!(
                status,
                Status::NoMem
                    | Status::Network
                    | Status::Timeout
                    | Status::Protocol
                    | Status::Canceled
            ),
        }
    }

    /// An operating system call on a local file failed.
    pub fn file(what: &str, path: &str, cause: &io::Error) -> Self {
        let mut error = Error::new(
            Status::File,
            format!("{what} {path:?} failed: {}", describe_io(cause)),
        );
        error.os_error = cause.raw_os_error();
        error
    }

    /// Memory for one slice could not be had.
    pub fn no_memory(bytes: usize) -> Self {
        Error::new(
            Status::NoMem,
            format!("no memory for a slice of {bytes} bytes; lower IN_FLIGHT or SLICE_SIZE"),
        )
    }

    /// The caller asked to stop.
    pub fn canceled() -> Self {
        Error::new(
            Status::Canceled,
            "the upload was canceled; starting it again continues where it stopped",
        )
    }

    /// The same error with other words.
    pub fn with_message(mut self, message: impl Into<String>) -> Self {
        self.message = message.into();
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

/// The operating system's words without the number that Rust appends: the number has its own field.
pub fn describe_io(error: &io::Error) -> String {
    let text = error.to_string();
    match text.find(" (os error ") {
        Some(end) => text[..end].to_string(),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn io_errors_read_without_their_number() {
        let text = describe_io(&io::Error::from_raw_os_error(2));
        assert_eq!(text, "No such file or directory");
    }

    #[test]
    fn every_status_has_words_of_its_own() {
        let mut seen = std::collections::HashSet::new();
        for number in (-19..=0).chain([-99, 7]) {
            assert!(
                seen.insert(Status::text(number)),
                "{number} shares its words"
            );
        }
    }
}
