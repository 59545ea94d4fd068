//! The config handle: a template of options, signer and logger, with the connections that its uploads share.

use std::ffi::{CString, c_char, c_void};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::guard::{FORKED, c_string, forked, guard, invalid, process, text};
use super::hooks::{
    LogHook, SignHook, User, cosslice_log_fn, cosslice_release_fn, cosslice_sign_fn,
};
use super::types::{cosslice_code, cosslice_status};
use crate::config::{Opt, Settings};
use crate::error::{Error, Status};
use crate::protocol::{path, v4};
use crate::report::{Level, Logger};
use crate::sign::{Clock, Signer, nonce, sign};
use crate::transport::Link;
use crate::upload::Parts;

/// A template for uploads: options, callbacks, and the connections that its uploads share. Uploads copy what they need when
/// they are made: changing or freeing a config does not touch them.
///
/// One thread at a time.
pub struct cosslice_config {
    process: u32,
    inner: Mutex<Inner>,
    message: Mutex<CString>,
}

struct Inner {
    settings: Settings,
    signer: Option<Arc<SignHook>>,
    logger: Option<(Level, Arc<LogHook>)>,
    clock: Arc<Clock>,
    link: Option<Arc<Link>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl cosslice_config {
    /// Runs a call on a config and notes why it failed.
    ///
    /// # Safety
    /// `config` is NULL or a config that was not freed.
    pub(super) unsafe fn call(
        config: *const cosslice_config,
        call: impl FnOnce(&cosslice_config) -> Result<(), Error>,
    ) -> cosslice_status {
        guard(cosslice_code::COSSLICE_E_PANIC as i32, || {
            // SAFETY: NULL or a live config, by this function's own contract.
            let Some(config) = (unsafe { config.as_ref() }) else {
                return Status::InvalidArg as i32;
            };
            if config.process != process() {
                return Status::Forked as i32;
            }
            let result = call(config);
            let (status, message) = match &result {
                Ok(()) => (Status::Ok, CString::default()),
                Err(error) => (error.status, c_string(&error.message)),
            };
            *lock(&config.message) = message;
            status as i32
        })
    }

    /// What an upload gets.
    pub(super) fn parts(&self) -> Result<Parts, Error> {
        if self.process != process() {
            return Err(forked());
        }
        let mut inner = lock(&self.inner);
        let link = match &inner.link {
            Some(link) if link.fits(&inner.settings) => Arc::clone(link),
            _ => {
                let link = Arc::new(Link::new(&inner.settings));
                inner.link = Some(Arc::clone(&link));
                link
            }
        };
        Ok(Parts {
            settings: inner.settings.clone(),
            link,
            clock: Arc::clone(&inner.clock),
            signer: inner
                .signer
                .as_ref()
                .map(|hook| Arc::clone(hook) as Arc<dyn Signer>),
            logger: inner
                .logger
                .as_ref()
                .map(|(level, hook)| (*level, Arc::clone(hook) as Arc<dyn Logger>)),
        })
    }
}

/// Makes a config with every option at its default. Free it with `cosslice_config_free`. Any thread; does not block.
///
/// `*out` is the config, or NULL on failure: `COSSLICE_E_INVALID_ARG` when `out` is NULL.
///
/// # Safety
/// `out` is NULL or points to writable memory.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cosslice_config_new(out: *mut *mut cosslice_config) -> cosslice_status {
    if out.is_null() {
        return Status::InvalidArg as i32;
    }
    // SAFETY: not NULL, writable by contract.
    unsafe { out.write(std::ptr::null_mut()) };
    guard(cosslice_code::COSSLICE_E_PANIC as i32, || {
        let config = Box::new(cosslice_config {
            process: process(),
            inner: Mutex::new(Inner {
                settings: Settings::new(),
                signer: None,
                logger: None,
                clock: Arc::default(),
                link: None,
            }),
            message: Mutex::default(),
        });
        // SAFETY: not NULL, writable by contract.
        unsafe { out.write(Box::into_raw(config)) };
        Status::Ok as i32
    })
}

/// Frees a config. NULL is allowed. Its uploads live on, and so do its callbacks until the last of them is freed. Does not
/// block.
///
/// # Safety
/// `config` is NULL or a config that was not freed, and no other call is using it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cosslice_config_free(config: *mut cosslice_config) {
    guard((), || {
        if config.is_null() {
            return;
        }
        // SAFETY: made by `cosslice_config_new` and not freed, by contract.
        let config = unsafe { Box::from_raw(config) };
        if config.process != process() {
            // Its locks may be held for ever by threads that did not come along.
            std::mem::forget(config);
        }
    });
}

/// Why the last call with this config failed, `cosslice_upload_new` included: one sentence, never a secret; "" after a
/// success. Never NULL; valid until the next call with the config.
///
/// # Safety
/// `config` is NULL or a config that was not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cosslice_config_message(config: *const cosslice_config) -> *const c_char {
    let none = c"".as_ptr();
    guard(none, || {
        // SAFETY: NULL or a live config, by contract.
        match unsafe { config.as_ref() } {
            Some(config) if config.process != process() => FORKED.as_ptr(),
            Some(config) => lock(&config.message).as_ptr(),
            None => none,
        }
    })
}

/// Sets a text option (`enum cosslice_option`). The value is copied; "" takes the option back to its default. Uploads that
/// exist already keep what they have. Does not block.
///
/// `COSSLICE_E_INVALID_ARG` for NULL, bad UTF-8, an unfit value or a number option; `COSSLICE_E_UNKNOWN_OPTION`.
///
/// # Safety
/// `config` is NULL or a config that was not freed; `value` is NULL or ends with a NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cosslice_config_set_str(
    config: *mut cosslice_config,
    option: u32,
    value: *const c_char,
) -> cosslice_status {
    // SAFETY: the same contract.
    unsafe {
        cosslice_config::call(config, |config| {
            let value = text(value, "the value")?;
            lock(&config.inner).settings.set_text(option, value)
        })
    }
}

/// Sets a number option (`enum cosslice_option`). Uploads that exist already keep what they have. Does not block.
///
/// `COSSLICE_E_INVALID_ARG` for a value out of range or a text option; `COSSLICE_E_UNKNOWN_OPTION`.
///
/// # Safety
/// `config` is NULL or a config that was not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cosslice_config_set_u64(
    config: *mut cosslice_config,
    option: u32,
    value: u64,
) -> cosslice_status {
    // SAFETY: the same contract.
    unsafe {
        cosslice_config::call(config, |config| {
            lock(&config.inner).settings.set_number(option, value)
        })
    }
}

/// Lets a callback make the signatures of later uploads, instead of a key pair: the key need not be on this machine. NULL
/// for `sign` goes back to the key pair. `release` (may be NULL) is told once when `user` is not used any more, but never
/// when this call fails. Does not block.
///
/// # Safety
/// `config` is NULL or a config that was not freed. `sign` may be called with `user` until `release`, on any thread that
/// is inside a call on an upload of this config.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cosslice_config_set_signer(
    config: *mut cosslice_config,
    sign: cosslice_sign_fn,
    user: *mut c_void,
    release: cosslice_release_fn,
) -> cosslice_status {
    let mut user = Some(User::new(user, release));
    // SAFETY: the same contract.
    let status = unsafe {
        cosslice_config::call(config, |config| {
            let hook = user
                .take()
                .map(|user| Arc::new(SignHook { call: sign, user }));
            let hook = hook.filter(|_| sign.is_some());
            let before = std::mem::replace(&mut lock(&config.inner).signer, hook);
            // May call the old one's release: not under the lock.
            drop(before);
            Ok(())
        })
    };
    if let Some(user) = user {
        user.forget();
    }
    status
}

/// Lets a callback take the log lines of later uploads up to `max_level` (`enum cosslice_level`). NULL for `log` turns
/// logging off. `release` (may be NULL) is told once when `user` is not used any more, but never when this call fails. Does
/// not block.
///
/// `COSSLICE_E_INVALID_ARG` for a level that there is not.
///
/// # Safety
/// `config` is NULL or a config that was not freed. `log` may be called with `user` until `release`, on any thread that is
/// inside a call on an upload of this config.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cosslice_config_set_logger(
    config: *mut cosslice_config,
    max_level: i32,
    log: cosslice_log_fn,
    user: *mut c_void,
    release: cosslice_release_fn,
) -> cosslice_status {
    let mut user = Some(User::new(user, release));
    // SAFETY: the same contract.
    let status = unsafe {
        cosslice_config::call(config, |config| {
            let level = match max_level {
                1 => Level::Error,
                2 => Level::Warn,
                3 => Level::Info,
                4 => Level::Debug,
                // Nothing will be logged.
                _ if log.is_none() => Level::Error,
                other => {
                    return Err(invalid(format!("there is no log level {other}; 1 to 4")));
                }
            };
            let hook = user
                .take()
                .map(|user| (level, Arc::new(LogHook { call: log, user })));
            let hook = hook.filter(|_| log.is_some());
            let before = std::mem::replace(&mut lock(&config.inner).logger, hook);
            // May call the old one's release: not under the lock.
            drop(before);
            Ok(())
        })
    };
    if let Some(user) = user {
        user.forget();
    }
    status
}

/// For the server that signs for others: writes a signature for the object `path` with the config's key pair. Does not
/// block.
///
/// `path` begins with '/'; one that ends with '/' makes a signature for everything below it; "" makes one for the whole
/// bucket. `expires_at_s` is in Unix seconds; 0 makes a one-time signature, which needs a path.
///
/// `out` gets the signature and a closing NUL when both fit into `out_size`; otherwise nothing is written and the call
/// fails with `COSSLICE_E_INVALID_ARG`. `*len` gets the length without the NUL in both cases; NULL with 0 for `out` and
/// `out_size` asks for the length only.
///
/// # Safety
/// `config` is NULL or a config that was not freed; `path` is NULL or ends with a NUL; `out` is NULL or points to
/// `out_size` writable bytes; `len` is NULL or points to writable memory.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cosslice_config_sign(
    config: *const cosslice_config,
    path: *const c_char,
    expires_at_s: u64,
    out: *mut c_char,
    out_size: usize,
    len: *mut usize,
) -> cosslice_status {
    // SAFETY: the same contract.
    unsafe {
        cosslice_config::call(config, |config| {
            let path = text(path, "path")?;
            if len.is_null() || (out.is_null() && out_size > 0) {
                return Err(invalid("out or len is NULL"));
            }
            let signature = sign_path(&lock(&config.inner), path, expires_at_s)?;
            len.write(signature.len());
            if out_size <= signature.len() {
                return Err(invalid(format!(
                    "the signature needs {} bytes, the closing NUL included; out has {out_size}",
                    signature.len() + 1,
                )));
            }
            let out = out.cast::<u8>();
            out.copy_from_nonoverlapping(signature.as_ptr(), signature.len());
            out.add(signature.len()).write(0);
            Ok(())
        })
    }
}

fn sign_path(inner: &Inner, path: &str, expires_at_s: u64) -> Result<String, Error> {
    let setting = |opt, name: &str| match inner.settings.text(opt) {
        "" => Err(invalid(format!("{name} is not set on the config"))),
        value => Ok(value),
    };
    let app_id = setting(Opt::AppId, "APP_ID")?;
    let bucket = setting(Opt::Bucket, "BUCKET")?;
    let secret_id = setting(Opt::SecretId, "SECRET_ID")?;
    let secret_key = setting(Opt::SecretKey, "SECRET_KEY")?;
    if path.is_empty() && expires_at_s == 0 {
        return Err(invalid("a one-time signature needs a path"));
    }
    let object = path.strip_suffix('/').unwrap_or(path);
    if !object.is_empty() {
        path::check(object)?;
    }
    let subject = v4::subject(app_id, bucket, path);
    sign(
        secret_id,
        secret_key,
        &subject,
        expires_at_s,
        inner.clock.now_s(),
        nonce()?,
    )
}
