//! libcosslice: uploads large objects to Tencent COS through its v4 JSON slice API, from any language that can call C.
//!
//! The rooms of the house, each needing only those below it:
//!
//! - [`ffi`]: the C interface. Thin: pointers become references, panics become statuses. The only `unsafe` code.
//! - [`upload`]: the state machine of one upload; the only file that knows the order of calls. [`whole`] is its part for
//!   files and buffers, [`push`] the one that is fed.
//! - [`remote`]: the object on the server: opening, looking, settling what is in doubt.
//! - [`engine`]: slices on their way, workers, back-pressure.
//! - [`exchange`]: one step carried through: signed, sent, read, tried again.
//! - [`resume`]: which slices are there, whether they are of the same content, the token.
//! - [`source`]: where bytes come from. [`retry`]: how often and how soon. [`report`]: figures, progress, log.
//! - [`protocol`]: the wire without I/O. [`transport`]: the only file that opens sockets.
//! - [`sign`], [`hash`], [`config`], [`error`]: what all of them speak of.

#[cfg(panic = "abort")]
compile_error!("libcosslice turns panics into statuses: build it with panic = \"unwind\"");

pub mod config;
pub mod engine;
pub mod error;
pub mod exchange;
pub mod ffi;
pub mod hash;
pub mod protocol;
pub mod push;
pub mod remote;
pub mod report;
pub mod resume;
pub mod retry;
pub mod sign;
pub mod source;
pub mod torture;
pub mod transport;
pub mod upload;
pub mod whole;
