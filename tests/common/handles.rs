//! The two handles of the C interface as Rust values.

use std::ffi::{CStr, CString, c_char};
use std::ptr::null_mut;

use cosslice::ffi::*;

use super::callbacks::{self, Ask, Beat, Log};
use super::{APP_ID, BUCKET, SECRET_ID, SECRET_KEY};

/// Names of the header without their prefix.
pub const STATUSES: &[(&str, i32)] = &[
    ("OK", 0),
    ("E_INVALID_ARG", -1),
    ("E_STATE", -2),
    ("E_BUSY", -3),
    ("E_UNKNOWN_OPTION", -4),
    ("E_NOMEM", -5),
    ("E_FILE", -6),
    ("E_SOURCE_CHANGED", -7),
    ("E_NETWORK", -8),
    ("E_TLS", -9),
    ("E_TIMEOUT", -10),
    ("E_PROTOCOL", -11),
    ("E_SERVER", -12),
    ("E_AUTH", -13),
    ("E_EXISTS", -14),
    ("E_CANCELED", -15),
    ("E_FORKED", -16),
    ("E_CONFLICT", -17),
    ("E_INTEGRITY", -18),
    ("E_NOT_FOUND", -19),
    ("E_PANIC", -99),
];

pub const INFOS: &[(&str, u32)] = &[
    ("ACCESS_URL", 1),
    ("SOURCE_URL", 2),
    ("RESOURCE_PATH", 3),
    ("URL", 4),
    ("PREVIEW_URL", 5),
    ("VID", 6),
    ("SHA1", 7),
    ("MESSAGE", 8),
    ("SERVER_MESSAGE", 9),
    ("REQUEST_ID", 10),
    ("RESUME_TOKEN", 11),
    ("BYTES_TOTAL", 101),
    ("BYTES_DONE", 102),
    ("BYTES_RESUMED", 103),
    ("NEXT_OFFSET", 104),
    ("SLICE_SIZE", 105),
    ("INSTANT", 106),
    ("VERIFIED", 107),
    ("HTTP_STATUS", 108),
    ("SERVER_CODE", 109),
    ("OS_ERROR", 110),
    ("RETRYABLE", 111),
    ("RETRIES", 112),
    ("PHASE", 113),
];

pub const HASHING: u32 = 1;
pub const SENDING: u32 = 2;
pub const FINISHING: u32 = 3;
pub const DONE: u32 = 4;

pub fn status_name(status: i32) -> &'static str {
    STATUSES
        .iter()
        .find(|(_, number)| *number == status)
        .map_or("?", |(name, _)| name)
}

fn info(name: &str) -> u32 {
    INFOS
        .iter()
        .find(|(known, _)| *known == name)
        .unwrap_or_else(|| panic!("no info {name}"))
        .1
}

fn option(name: &str) -> u32 {
    cosslice::config::TABLE
        .iter()
        .find(|spec| spec.name == name)
        .unwrap_or_else(|| panic!("no option {name}"))
        .opt as u32
}

fn owned(text: *const c_char) -> String {
    assert!(!text.is_null(), "texts are never NULL");
    unsafe { CStr::from_ptr(text) }.to_str().unwrap().to_owned()
}

pub struct Config(*mut cosslice_config);

// The interface allows any thread, one at a time.
unsafe impl Send for Config {}

impl Default for Config {
    fn default() -> Self {
        Config::new()
    }
}

impl Config {
    pub fn new() -> Self {
        let mut raw = null_mut();
        assert_eq!(unsafe { cosslice_config_new(&mut raw) }, 0);
        Config(raw)
    }

    /// The tests' account, with limits that keep a failing test short.
    pub fn for_endpoint(endpoint: &str) -> Self {
        Config::new()
            .text("APP_ID", APP_ID)
            .text("BUCKET", BUCKET)
            .text("ENDPOINT", endpoint)
            .text("SECRET_ID", SECRET_ID)
            .text("SECRET_KEY", SECRET_KEY)
            .number("CONNECT_TIMEOUT_MS", 5000)
            .number("IO_TIMEOUT_MS", 10_000)
    }

    #[track_caller]
    pub fn text(self, name: &str, value: &str) -> Self {
        let value = CString::new(value).unwrap();
        let status = unsafe { cosslice_config_set_str(self.0, option(name), value.as_ptr()) };
        assert_eq!(status, 0, "{name}: {}", self.message());
        self
    }

    #[track_caller]
    pub fn number(self, name: &str, value: u64) -> Self {
        let status = unsafe { cosslice_config_set_u64(self.0, option(name), value) };
        assert_eq!(status, 0, "{name}: {}", self.message());
        self
    }

    /// Sets a text that may be refused.
    pub fn set_raw(&self, option: u32, value: &CStr) -> i32 {
        unsafe { cosslice_config_set_str(self.0, option, value.as_ptr()) }
    }

    pub fn logger(self, log: &Log) -> Self {
        let (call, user, release) = callbacks::logger(log);
        let status = unsafe { cosslice_config_set_logger(self.0, 4, call, user, release) };
        assert_eq!(status, 0);
        self
    }

    pub fn signer(self, sign: impl Fn(&Ask) -> Option<String> + Send + Sync + 'static) -> Self {
        let (call, user, release) = callbacks::signer(Box::new(sign));
        let status = unsafe { cosslice_config_set_signer(self.0, call, user, release) };
        assert_eq!(status, 0);
        self
    }

    pub fn message(&self) -> String {
        owned(unsafe { cosslice_config_message(self.0) })
    }

    pub fn try_upload(&self, path: &str) -> Result<Upload, (i32, String)> {
        let path = CString::new(path).unwrap();
        let mut raw = null_mut();
        let status = unsafe { cosslice_upload_new(self.0, path.as_ptr(), &mut raw) };
        if status != 0 {
            assert!(raw.is_null());
            return Err((status, self.message()));
        }
        Ok(Upload(raw))
    }

    #[track_caller]
    pub fn upload(&self, path: &str) -> Upload {
        self.try_upload(path).unwrap()
    }
}

impl Drop for Config {
    fn drop(&mut self) {
        unsafe { cosslice_config_free(self.0) }
    }
}

/// Why a call failed, as the handle tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    pub status: i32,
    pub message: String,
    pub server_message: String,
    pub request_id: String,
    pub server_code: i64,
    pub http_status: i64,
    pub os_error: i64,
    pub retryable: i64,
}

impl Failure {
    pub fn name(&self) -> &'static str {
        status_name(self.status)
    }
}

pub type Outcome = Result<(), Failure>;

pub struct Upload(*mut cosslice_upload);

// Calls on any thread, get and cancel on several.
unsafe impl Send for Upload {}
unsafe impl Sync for Upload {}

impl Upload {
    pub fn progress(&self, progress: impl Fn(Beat) -> bool + Send + Sync + 'static) {
        let (call, user, release) = callbacks::progress(Box::new(progress));
        let status = unsafe { cosslice_upload_set_progress(self.0, call, user, release) };
        assert_eq!(status, 0);
    }

    fn outcome(&self, status: i32) -> Outcome {
        if status == 0 {
            return Ok(());
        }
        Err(Failure {
            status,
            message: self.text("MESSAGE"),
            server_message: self.text("SERVER_MESSAGE"),
            request_id: self.text("REQUEST_ID"),
            server_code: self.get("SERVER_CODE"),
            http_status: self.get("HTTP_STATUS"),
            os_error: self.get("OS_ERROR"),
            retryable: self.get("RETRYABLE"),
        })
    }

    pub fn hash(&self, data: &[u8]) -> Outcome {
        let status = unsafe { cosslice_upload_hash(self.0, data.as_ptr().cast(), data.len()) };
        self.outcome(status)
    }

    pub fn init(&self, size: u64) -> Outcome {
        let status = unsafe { cosslice_upload_init(self.0, size) };
        self.outcome(status)
    }

    pub fn seek(&self, offset: u64) -> Outcome {
        let status = unsafe { cosslice_upload_seek(self.0, offset) };
        self.outcome(status)
    }

    pub fn feed(&self, data: &[u8]) -> Outcome {
        let status = unsafe { cosslice_upload_feed(self.0, data.as_ptr().cast(), data.len()) };
        self.outcome(status)
    }

    pub fn finish(&self) -> Outcome {
        let status = unsafe { cosslice_upload_finish(self.0) };
        self.outcome(status)
    }

    pub fn file(&self, path: &std::path::Path) -> Outcome {
        let path = CString::new(path.to_str().unwrap()).unwrap();
        let status = unsafe { cosslice_upload_file(self.0, path.as_ptr()) };
        self.outcome(status)
    }

    pub fn buffer(&self, data: &[u8]) -> Outcome {
        let status = unsafe { cosslice_upload_buffer(self.0, data.as_ptr().cast(), data.len()) };
        self.outcome(status)
    }

    pub fn cancel(&self) {
        unsafe { cosslice_upload_cancel(self.0) }
    }

    pub fn get(&self, name: &str) -> i64 {
        unsafe { cosslice_upload_get_i64(self.0, info(name)) }
    }

    pub fn text(&self, name: &str) -> String {
        owned(unsafe { cosslice_upload_get_str(self.0, info(name)) })
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        unsafe { cosslice_upload_free(self.0) }
    }
}
