//! The upload handle.

use std::collections::BTreeMap;
use std::ffi::{CString, c_char, c_void};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::config::cosslice_config;
use super::guard::{FORKED, bytes, c_string, forked, guard, invalid, process, text};
use super::hooks::{ProgressHook, User, cosslice_progress_fn, cosslice_release_fn};
use super::types::{cosslice_code, cosslice_info, cosslice_status};
use crate::error::{Error, Status};
use crate::report::Reporter;
use crate::upload::Upload;

/// One upload of one object. A failure is final: read it, free it, make another one to go on.
///
/// One call at a time, on any thread; a second one gets `COSSLICE_E_BUSY`. The two get functions and cancel may be called
/// at any time, on any thread.
pub struct cosslice_upload {
    process: u32,
    use_state: AtomicU8,
    reporter: Arc<Reporter>,
    inner: Mutex<Inner>,
}

struct Inner {
    upload: Upload,
    /// A call panicked: nothing can be said about the upload any more.
    broken: bool,
    failure: Option<Error>,
    /// Texts that were asked for since the last call; their addresses stay the same until the next one.
    texts: BTreeMap<u32, CString>,
}

/// Nobody is using the handle.
const IDLE: u8 = 0;
/// A call is running.
const BUSY: u8 = 1;
/// A call is running, and the handle is to be freed at its end.
const DOOMED: u8 = 2;

/// A handle while a call runs on it.
struct Call(*mut cosslice_upload);

impl Call {
    /// Takes the handle for a call.
    ///
    /// # Safety
    /// `upload` points to a live upload.
    unsafe fn begin(upload: *mut cosslice_upload) -> Result<Call, Error> {
        // SAFETY: live, by contract.
        let handle = unsafe { &*upload };
        if handle.process != process() {
            return Err(forked());
        }
        match handle
            .use_state
            .compare_exchange(IDLE, BUSY, Ordering::Acquire, Ordering::Relaxed)
        {
            Ok(_) => Ok(Call(upload)),
            Err(_) => Err(Error::new(Status::Busy, "the handle is in use")),
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        // SAFETY: live: whoever frees a handle in use leaves it to the call that uses it, which is this one.
        let handle = unsafe { &*self.0 };
        let left =
            handle
                .use_state
                .compare_exchange(BUSY, IDLE, Ordering::Release, Ordering::Acquire);
        if left.is_err() {
            // SAFETY: doomed: its owner gave it up, and this call was its last user.
            drop(unsafe { Box::from_raw(self.0) });
        }
    }
}

/// Runs a call on an upload and notes how it ended.
///
/// # Safety
/// `upload` is NULL or an upload that was not freed.
unsafe fn call(
    upload: *mut cosslice_upload,
    run: impl FnOnce(&mut Upload) -> Result<(), Error>,
) -> cosslice_status {
    let panicked = cosslice_code::COSSLICE_E_PANIC as i32;
    guard(panicked, || {
        if upload.is_null() {
            return Status::InvalidArg as i32;
        }
        // SAFETY: live, by contract.
        let running = match unsafe { Call::begin(upload) } {
            Ok(running) => running,
            Err(error) => return error.status as i32,
        };
        // SAFETY: live until `running` is dropped at the end of this call.
        let handle = unsafe { &*upload };
        let mut inner = handle.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.texts.clear();
        if inner.broken {
            return panicked;
        }
        // Stays set when the call panics.
        inner.broken = true;
        let result = guard(None, || Some(run(&mut inner.upload)));
        let status = match result {
            Some(result) => {
                inner.broken = false;
                inner.failure = result.err();
                match &inner.failure {
                    Some(error) => {
                        handle.reporter.stats.set_error(error);
                        error.status as i32
                    }
                    None => Status::Ok as i32,
                }
            }
            None => {
                handle.reporter.interrupt.halt();
                inner.failure = Some(Error::new(
                    Status::Panic,
                    "internal error of libcosslice; please report it. The handle can only be read and freed",
                ));
                panicked
            }
        };
        drop(inner);
        drop(running);
        status
    })
}

/// Makes an upload of the object `path` (UTF-8, unencoded, begins with '/') with the config's options as they are now. Free
/// it with `cosslice_upload_free`. Does not block: nothing is sent yet.
///
/// `*out` is the upload, or NULL on failure: `COSSLICE_E_INVALID_ARG` for NULL, a path that COS would refuse or a config
/// that misses something; `cosslice_config_message` says which.
///
/// # Safety
/// `config` is NULL or a config that was not freed; `path` is NULL or ends with a NUL; `out` is NULL or points to writable
/// memory.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cosslice_upload_new(
    config: *const cosslice_config,
    path: *const c_char,
    out: *mut *mut cosslice_upload,
) -> cosslice_status {
    if !out.is_null() {
        // SAFETY: not NULL, writable by contract.
        unsafe { out.write(std::ptr::null_mut()) };
    }
    // SAFETY: the same contract.
    unsafe {
        cosslice_config::call(config, |config| {
            if out.is_null() {
                return Err(invalid("out is NULL"));
            }
            let upload = Upload::new(config.parts()?, text(path, "path")?)?;
            let handle = Box::new(cosslice_upload {
                process: process(),
                use_state: AtomicU8::new(IDLE),
                reporter: Arc::clone(upload.reporter()),
                inner: Mutex::new(Inner {
                    upload,
                    broken: false,
                    failure: None,
                    texts: BTreeMap::new(),
                }),
            });
            out.write(Box::into_raw(handle));
            Ok(())
        })
    }
}

/// Lets a callback hear how far the upload is. NULL for `progress` turns it off. `release` (may be NULL) is told once when
/// `user` is not used any more, but never when this call fails. Does not block.
///
/// # Safety
/// `upload` is NULL or an upload that was not freed. `progress` may be called with `user` until `release`, on the threads
/// that call functions of this upload.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cosslice_upload_set_progress(
    upload: *mut cosslice_upload,
    progress: cosslice_progress_fn,
    user: *mut c_void,
    release: cosslice_release_fn,
) -> cosslice_status {
    let mut user = Some(User::new(user, release));
    // SAFETY: the same contract.
    let status = unsafe {
        call(upload, |upload| {
            let hook = user.take().map(|user| ProgressHook {
                call: progress,
                user,
            });
            let hook = hook.filter(|_| progress.is_some());
            upload
                .reporter()
                .set_progress(hook.map(|hook| Arc::new(hook) as _));
            Ok(())
        })
    };
    if let Some(user) = user {
        user.forget();
    }
    status
}

/// Optional first pass of push mode over the same bytes that will be fed, in pieces of any length, before init. It enables
/// instant upload, the server's own check and safe resume without a token. Computes only: nothing is kept but the digest.
///
/// `COSSLICE_E_STATE` after init; `COSSLICE_E_CANCELED`.
///
/// # Safety
/// `upload` is NULL or an upload that was not freed; `data` is NULL or points to `len` readable bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cosslice_upload_hash(
    upload: *mut cosslice_upload,
    data: *const c_void,
    len: usize,
) -> cosslice_status {
    // SAFETY: the same contract.
    unsafe {
        match bytes(data, len) {
            Ok(data) => call(upload, |upload| upload.hash(data)),
            Err(error) => refuse(upload, error),
        }
    }
}

/// Opens an upload of `total_size` bytes in push mode, or continues one that is known to be of this content. Blocks for a
/// few requests.
///
/// Afterwards `COSSLICE_INFO_INSTANT` tells whether the server had the content already, and `COSSLICE_INFO_NEXT_OFFSET`
/// what it lacks first. `COSSLICE_E_EXISTS`, `COSSLICE_E_CONFLICT`, `COSSLICE_E_AUTH`, `COSSLICE_E_NOT_FOUND` and the
/// failures of the network; `COSSLICE_E_SOURCE_CHANGED` when another number of bytes was hashed.
///
/// # Safety
/// `upload` is NULL or an upload that was not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cosslice_upload_init(
    upload: *mut cosslice_upload,
    total_size: u64,
) -> cosslice_status {
    // SAFETY: the same contract.
    unsafe { call(upload, |upload| upload.init(total_size)) }
}

/// Optional, after init and before the first feed: the next byte fed is byte `offset` of the content. At most
/// `COSSLICE_INFO_NEXT_OFFSET`: what lies before must be on the server. Does not block.
///
/// # Safety
/// `upload` is NULL or an upload that was not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cosslice_upload_seek(
    upload: *mut cosslice_upload,
    offset: u64,
) -> cosslice_status {
    // SAFETY: the same contract.
    unsafe { call(upload, |upload| upload.seek(offset)) }
}

/// Takes the next bytes, in pieces of any length. They are copied, so that the memory is the caller's again afterwards.
/// Blocks while IN_FLIGHT slices are on their way. Bytes of slices that the server has are skipped, and compared with what
/// is known of them.
///
/// `COSSLICE_E_SOURCE_CHANGED` when they are more than announced or differ from what was hashed or uploaded before.
///
/// # Safety
/// `upload` is NULL or an upload that was not freed; `data` is NULL or points to `len` readable bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cosslice_upload_feed(
    upload: *mut cosslice_upload,
    data: *const c_void,
    len: usize,
) -> cosslice_status {
    // SAFETY: the same contract.
    unsafe {
        match bytes(data, len) {
            Ok(data) => call(upload, |upload| upload.feed(data)),
            Err(error) => refuse(upload, error),
        }
    }
}

/// Waits for the slices on their way and puts the object together. Blocks. Afterwards the URLs can be read.
///
/// `COSSLICE_E_SOURCE_CHANGED` when fewer bytes were fed than announced.
///
/// # Safety
/// `upload` is NULL or an upload that was not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cosslice_upload_finish(upload: *mut cosslice_upload) -> cosslice_status {
    // SAFETY: the same contract.
    unsafe { call(upload, Upload::finish) }
}

/// The whole lifecycle for the local file `path` (UTF-8): hashes, sends what the server lacks, finishes. Blocks. Calling it
/// on a new upload after a failure continues where the server stands.
///
/// `COSSLICE_E_FILE` when the file cannot be read; `COSSLICE_E_SOURCE_CHANGED` when it changes meanwhile.
///
/// # Safety
/// `upload` is NULL or an upload that was not freed; `path` is NULL or ends with a NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cosslice_upload_file(
    upload: *mut cosslice_upload,
    path: *const c_char,
) -> cosslice_status {
    // SAFETY: the same contract.
    unsafe {
        match text(path, "path") {
            Ok(path) => call(upload, |upload| upload.file(path)),
            Err(error) => refuse(upload, error),
        }
    }
}

/// The whole lifecycle for a block of memory, which is not copied. Blocks. The memory must not change meanwhile.
///
/// # Safety
/// `upload` is NULL or an upload that was not freed; `data` is NULL or points to `len` readable bytes that stay unchanged
/// during the call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cosslice_upload_buffer(
    upload: *mut cosslice_upload,
    data: *const c_void,
    len: usize,
) -> cosslice_status {
    // SAFETY: the same contract.
    unsafe {
        match bytes(data, len) {
            Ok(data) => call(upload, |upload| upload.buffer(data)),
            Err(error) => refuse(upload, error),
        }
    }
}

/// Notes that a call was refused for its arguments. The upload goes on as before.
///
/// # Safety
/// `upload` is NULL or an upload that was not freed.
unsafe fn refuse(upload: *mut cosslice_upload, error: Error) -> cosslice_status {
    // SAFETY: the same contract.
    unsafe { call(upload, |_| Err(error)) }
}

/// Asks the upload to stop: the call that is running on it, or the next one, ends within 250 ms with
/// `COSSLICE_E_CANCELED`. What the server has acknowledged stays there. Any thread, also in a signal handler: it only
/// stores a flag. NULL is allowed.
///
/// # Safety
/// `upload` is NULL or an upload that was not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cosslice_upload_cancel(upload: *mut cosslice_upload) {
    // SAFETY: NULL or live, by contract. No guard: thread-locals and locks are not for signal handlers.
    if let Some(handle) = unsafe { upload.as_ref() } {
        handle.reporter.interrupt.cancel();
    }
}

/// A number (`enum cosslice_info`); -1 when it is not known or there is no such number. Any thread, any time; does not
/// block.
///
/// # Safety
/// `upload` is NULL or an upload that was not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cosslice_upload_get_i64(upload: *const cosslice_upload, info: u32) -> i64 {
    guard(-1, || {
        // SAFETY: NULL or live, by contract.
        let Some(handle) = (unsafe { upload.as_ref() }) else {
            return -1;
        };
        let stats = &handle.reporter.stats;
        let cell = match info {
            101 => &stats.bytes_total,
            102 => &stats.bytes_done,
            103 => &stats.bytes_resumed,
            104 => &stats.next_offset,
            105 => &stats.slice_size,
            106 => &stats.instant,
            107 => &stats.verified,
            108 => &stats.http_status,
            109 => &stats.server_code,
            110 => &stats.os_error,
            111 => &stats.retryable,
            112 => &stats.retries,
            113 => return i64::from(stats.phase() as u32),
            _ => return -1,
        };
        cell.load(Ordering::Relaxed)
    })
}

/// A text (`enum cosslice_info`); "" when it is not known, there is no such text, or a call is running. Never NULL; valid
/// until the next call on the upload that is no get. Any thread, any time; does not block.
///
/// # Safety
/// `upload` is NULL or an upload that was not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cosslice_upload_get_str(
    upload: *const cosslice_upload,
    info: u32,
) -> *const c_char {
    let none = c"".as_ptr();
    guard(none, || {
        // SAFETY: NULL or live, by contract.
        let Some(handle) = (unsafe { upload.as_ref() }) else {
            return none;
        };
        if handle.process != process() {
            return if info == cosslice_info::COSSLICE_INFO_MESSAGE as u32 {
                FORKED.as_ptr()
            } else {
                none
            };
        }
        if handle.use_state.load(Ordering::Acquire) != IDLE {
            return none;
        }
        // A call that began meanwhile holds the lock: as good as busy.
        let Ok(mut inner) = handle.inner.try_lock() else {
            return none;
        };
        if let Some(text) = inner.texts.get(&info) {
            return text.as_ptr();
        }
        let text = c_string(&inner.text(info));
        inner.texts.entry(info).or_insert(text).as_ptr()
    })
}

impl Inner {
    fn text(&self, info: u32) -> String {
        let addresses = self.upload.addresses();
        let failure = |field: fn(&Error) -> &String| {
            self.failure
                .as_ref()
                .map(field)
                .cloned()
                .unwrap_or_default()
        };
        match info {
            1 => addresses.access_url.clone(),
            2 => addresses.source_url.clone(),
            3 => addresses.resource_path.clone(),
            4 => addresses.url.clone(),
            5 => addresses.preview_url.clone(),
            6 => addresses.vid.clone(),
            7 => self
                .upload
                .digest()
                .map(|digest| digest.to_string())
                .unwrap_or_default(),
            8 => failure(|error| &error.message),
            9 => failure(|error| &error.server_message),
            10 => failure(|error| &error.request_id),
            11 if !self.broken => self
                .upload
                .token()
                .map(|token| token.encode())
                .unwrap_or_default(),
            _ => String::new(),
        }
    }
}

/// Frees an upload. NULL is allowed. Waits at most 250 ms for slices on their way; what the server has stays there, and
/// another upload continues it.
///
/// In a callback of this very upload, or while another thread is in a call on it, that call is canceled and frees the
/// upload when it ends.
///
/// # Safety
/// `upload` is NULL or an upload that was not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cosslice_upload_free(upload: *mut cosslice_upload) {
    guard((), || {
        if upload.is_null() {
            return;
        }
        // SAFETY: live, by contract.
        let handle = unsafe { &*upload };
        if handle.process != process() {
            // Its workers did not come along: waiting for them would be for ever.
            return;
        }
        loop {
            let use_state = &handle.use_state;
            if use_state
                .compare_exchange(IDLE, BUSY, Ordering::Acquire, Ordering::Relaxed)
                .is_ok()
            {
                handle.reporter.interrupt.halt();
                // SAFETY: not in use, and given up by its owner.
                drop(unsafe { Box::from_raw(upload) });
                return;
            }
            handle.reporter.interrupt.cancel();
            match use_state.compare_exchange(BUSY, DOOMED, Ordering::AcqRel, Ordering::Relaxed) {
                // A second free of a doomed handle is a mistake that does no harm.
                Ok(_) | Err(DOOMED) => return,
                // The call ended just now.
                Err(_) => {}
            }
        }
    });
}
