//! What the integration tests share: safe wrappers over the C functions, the emulator, peers that misbehave on purpose.
#![allow(
    dead_code,
    unused_imports,
    missing_docs,
    unsafe_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::undocumented_unsafe_blocks
)]

pub mod callbacks;
pub mod handles;
pub mod peer;
pub mod scenario;
pub mod wire;

use std::sync::mpsc;
use std::time::{Duration, Instant};

pub use callbacks::{Ask, Beat, Log};
use cosslice_emulator::Emulator;
pub use handles::{Config, Failure, Upload};
use tempfile::TempDir;

pub const MIB: usize = 1 << 20;
pub const APP_ID: &str = "1250000000";
pub const BUCKET: &str = "bkt";
pub const SECRET_ID: &str = "AKIDTESTS";
/// So odd that it cannot be in a line by chance.
pub const SECRET_KEY: &str = "kEy-ThAt-NoBoDy-MaY-sEe";

/// An emulator with its folder.
pub struct Server {
    pub emulator: Emulator,
    // After the emulator: it is stopped before its folder goes.
    pub folder: TempDir,
}

impl std::ops::Deref for Server {
    type Target = Emulator;
    fn deref(&self) -> &Emulator {
        &self.emulator
    }
}

impl Server {
    /// Records from the start.
    pub fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut config = cosslice_emulator::Config::new(folder.path());
        config.app_id = APP_ID.into();
        config.bucket = BUCKET.into();
        config.secret_id = SECRET_ID.into();
        config.secret_key = SECRET_KEY.into();
        config.record = true;
        Server {
            emulator: Emulator::start(config).unwrap(),
            folder,
        }
    }

    /// A config that reaches this server.
    pub fn config(&self) -> Config {
        Config::for_endpoint(&self.endpoint())
    }

    pub fn faults(&self, rules: serde_json::Value) {
        self.set_faults_json(&rules).unwrap();
    }

    pub fn counter(&self, name: &str) -> u64 {
        self.state()["counters"][name].as_u64().unwrap()
    }

    /// Numbers of requests since recording began.
    pub fn count(&self, op: &str) -> usize {
        self.requests().iter().filter(|r| r.op == op).count()
    }

    /// One line for each recorded request.
    pub fn request_log(&self) -> String {
        let mut out = String::new();
        for r in self.requests() {
            let fields: Vec<String> = r
                .fields
                .iter()
                .map(|f| match &f.value {
                    Some(value) if value.len() <= 48 => format!("{}={value}", f.name),
                    _ => format!("{}=({} bytes)", f.name, f.length),
                })
                .collect();
            out += &format!(
                "  #{} c{} {} {} [{}] read {} of {:?} -> HTTP {} code {:?} {:?}\n",
                r.seq,
                r.connection,
                r.op,
                r.path,
                fields.join(" "),
                r.body_read,
                r.content_length,
                r.status,
                r.code,
                r.faults
            );
        }
        out
    }
}

/// Bytes that look random and are the same for the same seed; a longer content begins like a shorter one.
pub fn content(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut out = Vec::with_capacity(len + 8);
    while out.len() < len {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        out.extend_from_slice(&state.wrapping_mul(0x2545_f491_4f6c_dd1d).to_le_bytes());
    }
    out.truncate(len);
    out
}

pub fn sha1(data: &[u8]) -> String {
    cosslice_emulator::digest::hex(&cosslice_emulator::digest::sha1(data))
}

/// Waits for something that another thread brings about; panics when it does not come.
pub fn until(what: &str, mut there: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(20);
    while !there() {
        assert!(Instant::now() < end, "{what} did not happen in 20 s");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Runs something that must not hang. `None` after the limit; its thread is then left behind.
pub fn within<T: Send + 'static>(
    limit: Duration,
    run: impl FnOnce() -> T + Send + 'static,
) -> Option<std::thread::Result<T>> {
    let (tell, hear) = mpsc::channel();
    let spawned = std::thread::Builder::new()
        .stack_size(2 << 20)
        .spawn(move || {
            let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(run));
            let _ = tell.send(result);
        });
    spawned.unwrap();
    hear.recv_timeout(limit).ok()
}

/// What a caught panic said.
pub fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    panic
        .downcast_ref::<String>()
        .cloned()
        .or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string))
        .unwrap_or_else(|| "a panic without words".into())
}
