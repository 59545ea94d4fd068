//! Callbacks of the caller, and what a signer may ask.

use std::ffi::{CString, c_char, c_void};

use super::guard::{c_string, guard};
use crate::error::{Error, Status};
use crate::report::{Level, Logger, Phase, Progress};
use crate::sign::{SignRequest, Signer};

/// Makes a signature. Writes at most `out_size` bytes, the closing NUL included, and returns the length without it, like
/// snprintf: a larger length than fits makes the library call again with more room, up to 16 KiB. 0 refuses: the upload ends
/// with `COSSLICE_E_AUTH`. The signature may be used for further requests until it ends by its own words.
///
/// Runs on the thread that is inside a call on the upload. Must not free the upload's config.
pub type cosslice_sign_fn = Option<
    unsafe extern "C" fn(
        user: *mut c_void,
        request: *const cosslice_sign_request,
        out: *mut c_char,
        out_size: usize,
    ) -> usize,
>;

/// Hears how far the upload is. `phase` is one of `enum cosslice_phase`; bytes are those read while hashing and those
/// acknowledged by COS afterwards. Anything but 0 cancels.
///
/// Runs on the thread that is inside a call on the upload, at each acknowledged slice and about every tenth of a second
/// while waiting.
pub type cosslice_progress_fn = Option<
    unsafe extern "C" fn(user: *mut c_void, phase: u32, bytes_done: u64, bytes_total: u64) -> i32,
>;

/// Takes a log line, without a line end and never with a secret in it. `message` is valid during the call only.
///
/// Runs on the thread that is inside a call on an upload.
pub type cosslice_log_fn =
    Option<unsafe extern "C" fn(user: *mut c_void, level: i32, message: *const c_char)>;

/// Told exactly once for each successful `set_*` when `user` will not be used any more: when another callback was set, or
/// when the config and all its uploads are freed.
pub type cosslice_release_fn = Option<unsafe extern "C" fn(user: *mut c_void)>;

/// The caller's pointer, given back on drop.
pub struct User {
    pointer: *mut c_void,
    release: cosslice_release_fn,
}

// SAFETY: the library never looks behind the pointer. It is handed to callbacks on threads that are inside a call on a
// handle, which is what the interface promises the caller.
unsafe impl Send for User {}
// SAFETY: as above.
unsafe impl Sync for User {}

impl User {
    /// Takes a pointer into care.
    pub fn new(pointer: *mut c_void, release: cosslice_release_fn) -> Self {
        User { pointer, release }
    }

    /// Takes the pointer back without telling its owner: the call that brought it failed.
    pub fn forget(mut self) {
        self.release = None;
    }
}

impl Drop for User {
    fn drop(&mut self) {
        if let Some(release) = self.release.take() {
            // SAFETY: set together with the pointer; `take` makes this the only call.
            unsafe { release(self.pointer) }
        }
    }
}

/// A progress callback.
pub struct ProgressHook {
    /// The function.
    pub call: cosslice_progress_fn,
    /// Its first argument.
    pub user: User,
}

impl Progress for ProgressHook {
    fn progress(&self, phase: Phase, done: u64, total: u64) -> bool {
        let Some(call) = self.call else { return false };
        // SAFETY: the caller set this function for this pointer and keeps both until `release`.
        unsafe { call(self.user.pointer, phase as u32, done, total) != 0 }
    }
}

/// A log callback.
pub struct LogHook {
    /// The function.
    pub call: cosslice_log_fn,
    /// Its first argument.
    pub user: User,
}

impl Logger for LogHook {
    fn log(&self, level: Level, line: &str) {
        let Some(call) = self.call else { return };
        let line = c_string(line);
        // SAFETY: the caller set this function for this pointer and keeps both until `release`; the line outlives the
        // call.
        unsafe { call(self.user.pointer, level as i32, line.as_ptr()) }
    }
}

/// A sign callback.
pub struct SignHook {
    /// The function.
    pub call: cosslice_sign_fn,
    /// Its first argument.
    pub user: User,
}

/// Room for a signature at first; real ones have about 250 characters.
const ROOM: usize = 1024;
/// The most room a signature gets: HTTP servers take no longer header lines.
const MAX_ROOM: usize = 16 << 10;

impl Signer for SignHook {
    fn sign(&self, request: &SignRequest) -> Result<String, Error> {
        let refuse = |why: &str| Err(Error::new(Status::Auth, format!("the signer {why}")));
        let Some(call) = self.call else {
            return refuse("is not set");
        };
        let request = cosslice_sign_request::new(request);
        let mut room = vec![0u8; ROOM];
        let mut len = 0;
        for _ in 0..2 {
            // SAFETY: the caller set this function for this pointer; the request and the room outlive the call, and the
            // room has the size that is told.
            len = unsafe {
                call(
                    self.user.pointer,
                    &request,
                    room.as_mut_ptr().cast(),
                    room.len(),
                )
            };
            if len < room.len() || len >= MAX_ROOM {
                break;
            }
            room = vec![0; len + 1];
        }
        if len == 0 {
            return refuse("refused");
        }
        let Some(signature) = room.get(..len).filter(|_| len < room.len()) else {
            return refuse("returned a length that does not fit");
        };
        match std::str::from_utf8(signature) {
            Ok(signature) if signature.bytes().all(|b| matches!(b, b' '..=b'~')) => {
                Ok(signature.to_string())
            }
            _ => refuse("returned something that is not printable ASCII"),
        }
    }
}

/// What a signature is wanted for. Valid during the call of the signer only.
pub struct cosslice_sign_request {
    op: CString,
    app_id: CString,
    bucket: CString,
    path: CString,
    file_id: CString,
    expires_at_s: u64,
    now_s: u64,
}

impl cosslice_sign_request {
    fn new(request: &SignRequest) -> Self {
        let subject = &request.subject;
        cosslice_sign_request {
            op: c_string(request.op),
            app_id: c_string(&subject.app_id),
            bucket: c_string(&subject.bucket),
            path: c_string(&subject.path),
            file_id: c_string(&subject.file_id),
            expires_at_s: request.expires_at_s,
            now_s: request.now_s,
        }
    }
}

/// A text field of a sign request (`enum cosslice_sign_field`), valid during the call of the signer; "" for a field that is
/// not text. Inside a signer only.
///
/// # Safety
/// `request` is NULL or the pointer that the signer was called with.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cosslice_sign_get_str(
    request: *const cosslice_sign_request,
    field: u32,
) -> *const c_char {
    let none = c"".as_ptr();
    guard(none, || {
        // SAFETY: NULL or the signer's own argument, which lives during its call.
        let Some(request) = (unsafe { request.as_ref() }) else {
            return none;
        };
        match field {
            1 => request.op.as_ptr(),
            2 => request.app_id.as_ptr(),
            3 => request.bucket.as_ptr(),
            4 => request.path.as_ptr(),
            5 => request.file_id.as_ptr(),
            _ => none,
        }
    })
}

/// A number of a sign request (`enum cosslice_sign_field`); 0 for a field that is no number. Inside a signer only.
///
/// # Safety
/// `request` is NULL or the pointer that the signer was called with.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cosslice_sign_get_u64(
    request: *const cosslice_sign_request,
    field: u32,
) -> u64 {
    guard(0, || {
        // SAFETY: NULL or the signer's own argument, which lives during its call.
        let Some(request) = (unsafe { request.as_ref() }) else {
            return 0;
        };
        match field {
            101 => request.expires_at_s,
            102 => request.now_s,
            _ => 0,
        }
    })
}
