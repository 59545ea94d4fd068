//! The C interface. Thin: it turns pointers into references, errors into statuses and panics into `E_PANIC`, and leaves
//! everything else to [`crate::upload`].
//!
//! The only place with `unsafe` code. What callers must keep to is written at each function; what they get wrong all the
//! same is caught wherever it can be seen: NULL, bad UTF-8, a second thread, re-entry from a callback, use after fork.
#![allow(unsafe_code, non_camel_case_types)]

mod config;
mod guard;
mod hooks;
#[cfg(feature = "torture")]
mod torture;
mod types;
mod upload;

pub use config::*;
pub use hooks::{
    cosslice_log_fn, cosslice_progress_fn, cosslice_release_fn, cosslice_sign_fn,
    cosslice_sign_get_str, cosslice_sign_get_u64, cosslice_sign_request,
};
#[cfg(feature = "torture")]
pub use torture::cosslice_torture;
pub use types::*;
pub use upload::*;
