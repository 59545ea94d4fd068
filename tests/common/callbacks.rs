//! Closures behind the C callbacks. What they own is freed by `release`, as a C program would do it.

use std::ffi::{CStr, c_char, c_void};
use std::sync::{Arc, Mutex};

use cosslice::ffi::*;

/// Lines that a logger took.
#[derive(Clone, Default)]
pub struct Log {
    lines: Arc<Mutex<Vec<(i32, String)>>>,
}

impl Log {
    pub fn lines(&self) -> Vec<(i32, String)> {
        self.lines.lock().unwrap().clone()
    }

    pub fn has(&self, words: &str) -> bool {
        self.lines().iter().any(|(_, line)| line.contains(words))
    }

    pub fn all(&self) -> String {
        let lines = self.lines();
        lines
            .iter()
            .map(|(level, line)| format!("  [{level}] {line}\n"))
            .collect()
    }
}

/// One call of a progress callback.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Beat {
    pub phase: u32,
    pub done: u64,
    pub total: u64,
}

/// What a signer is asked.
#[derive(Clone, Debug)]
pub struct Ask {
    pub op: String,
    pub app_id: String,
    pub bucket: String,
    pub path: String,
    pub file_id: String,
    pub expires_at_s: u64,
    pub now_s: u64,
}

pub type ProgressFn = Box<dyn Fn(Beat) -> bool + Send + Sync>;
pub type SignFn = Box<dyn Fn(&Ask) -> Option<String> + Send + Sync>;

unsafe extern "C" fn release<T>(user: *mut c_void) {
    drop(unsafe { Box::from_raw(user.cast::<T>()) });
}

unsafe extern "C" fn on_log(user: *mut c_void, level: i32, message: *const c_char) {
    let log = unsafe { &*user.cast::<Log>() };
    let line = unsafe { CStr::from_ptr(message) };
    let line = line.to_string_lossy().into_owned();
    log.lines.lock().unwrap().push((level, line));
}

unsafe extern "C" fn on_progress(user: *mut c_void, phase: u32, done: u64, total: u64) -> i32 {
    let progress = unsafe { &*user.cast::<ProgressFn>() };
    i32::from(progress(Beat { phase, done, total }))
}

unsafe extern "C" fn on_sign(
    user: *mut c_void,
    request: *const cosslice_sign_request,
    out: *mut c_char,
    out_size: usize,
) -> usize {
    let sign = unsafe { &*user.cast::<SignFn>() };
    let text = |field| {
        let text = unsafe { CStr::from_ptr(cosslice_sign_get_str(request, field)) };
        text.to_string_lossy().into_owned()
    };
    let number = |field| unsafe { cosslice_sign_get_u64(request, field) };
    let ask = Ask {
        op: text(1),
        app_id: text(2),
        bucket: text(3),
        path: text(4),
        file_id: text(5),
        expires_at_s: number(101),
        now_s: number(102),
    };
    let Some(signature) = sign(&ask) else {
        return 0;
    };
    if signature.len() < out_size {
        unsafe {
            out.cast::<u8>()
                .copy_from_nonoverlapping(signature.as_ptr(), signature.len());
            out.add(signature.len()).write(0);
        }
    }
    signature.len()
}

fn user<T>(value: T) -> *mut c_void {
    Box::into_raw(Box::new(value)).cast()
}

pub fn logger(log: &Log) -> (cosslice_log_fn, *mut c_void, cosslice_release_fn) {
    (Some(on_log), user(log.clone()), Some(release::<Log>))
}

pub fn progress(call: ProgressFn) -> (cosslice_progress_fn, *mut c_void, cosslice_release_fn) {
    (Some(on_progress), user(call), Some(release::<ProgressFn>))
}

pub fn signer(call: SignFn) -> (cosslice_sign_fn, *mut c_void, cosslice_release_fn) {
    (Some(on_sign), user(call), Some(release::<SignFn>))
}
