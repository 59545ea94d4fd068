//! What stands between C and Rust at every call: panics, NULL, UTF-8, lengths, processes.

use std::cell::Cell;
use std::ffi::{CStr, CString, c_char, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

use crate::error::{Error, Status};

thread_local! {
    static INSIDE: Cell<u32> = const { Cell::new(0) };
}

/// Runs a call and returns `fallback` when it panics.
pub fn guard<R>(fallback: R, call: impl FnOnce() -> R) -> R {
    hush();
    INSIDE.set(INSIDE.get() + 1);
    let result = catch_unwind(AssertUnwindSafe(|| {
        crate::torture::moment();
        call()
    }));
    INSIDE.set(INSIDE.get() - 1);
    result.unwrap_or_else(|payload| {
        // Dropping it could panic again; only what that throws is left alone.
        if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
            std::mem::forget(again);
        }
        fallback
    })
}

/// A library prints nothing, not even when it panics: the caller gets a status. Other panics are told as before.
fn hush() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let ours = INSIDE.try_with(Cell::get).unwrap_or(1) > 0
                || std::thread::current()
                    .name()
                    .is_some_and(|name| name.starts_with("cosslice-"));
            if !ours {
                before(info);
            }
        }));
    });
}

/// The process this runs in. Handles remember it: threads and connections do not survive a fork.
pub fn process() -> u32 {
    std::process::id()
}

/// An error for an argument.
pub fn invalid(message: impl Into<String>) -> Error {
    Error::new(Status::InvalidArg, message)
}

/// What is said of a handle that crossed a fork. Its own message cannot be: its lock may be held for ever by a thread that
/// did not come along.
pub const FORKED: &CStr = c"the handle was made before the fork; make a new one in the child";

/// The error for such a handle.
pub fn forked() -> Error {
    Error::new(Status::Forked, FORKED.to_string_lossy())
}

/// Text from C.
///
/// # Safety
/// `text` is NULL or points to bytes that end with a NUL and stay unchanged during the call.
pub unsafe fn text<'a>(text: *const c_char, what: &str) -> Result<&'a str, Error> {
    if text.is_null() {
        return Err(invalid(format!("{what} is NULL")));
    }
    // SAFETY: not NULL; the rest is this function's own contract.
    let text = unsafe { CStr::from_ptr(text) };
    text.to_str()
        .map_err(|_| invalid(format!("{what} is not UTF-8")))
}

/// Bytes from C. NULL with a length of 0 is no bytes.
///
/// # Safety
/// `data` is NULL or points to `len` bytes that stay unchanged during the call.
pub unsafe fn bytes<'a>(data: *const c_void, len: usize) -> Result<&'a [u8], Error> {
    if len == 0 {
        return Ok(&[]);
    }
    if data.is_null() {
        return Err(invalid("data is NULL although its length is not 0"));
    }
    if isize::try_from(len).is_err() {
        return Err(invalid("the length is larger than any memory"));
    }
    // SAFETY: not NULL, the length fits; the rest is this function's own contract.
    Ok(unsafe { std::slice::from_raw_parts(data.cast(), len) })
}

/// Text for C; NULs inside, which C could not see past, become spaces.
pub fn c_string(text: &str) -> CString {
    CString::new(text.replace('\0', " ")).unwrap_or_default()
}
