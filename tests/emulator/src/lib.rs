//! A local Tencent COS v4 server, so that uploads can be tried and tested without an account.
//!
//! From bytes to meaning: `wire` reads requests, `path` and `form` take them apart, `sign` says who asks, `operation`
//! carries them out on the `store` of objects and `upload`s of `slices`; `fault` and `settings` make it go wrong on
//! purpose, `record`, `control` and `page` show what happened. `connection` is the only file that knows the order of
//! things, `server` the only one with threads.

#![forbid(unsafe_code)]

mod answer;
mod clock;
mod codes;
pub mod config;
mod connection;
mod control;
pub mod digest;
pub mod fault;
mod fetch;
mod form;
mod operation;
mod page;
mod path;
mod random;
mod record;
mod reply;
mod server;
pub mod settings;
pub mod sign;
mod slices;
mod store;
mod stream;
mod upload;
mod wire;

pub use config::Config;
pub use fault::{Action, Fault};
pub use path::percent_encode;
pub use record::{Counters, Recorded, RecordedField};
pub use server::Emulator;
pub use settings::Settings;
pub use stream::TlsFiles;
