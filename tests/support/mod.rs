//! What the tests of interruption and chance share: random numbers, the ways to upload, and processes to kill.
#![allow(
    dead_code,
    missing_docs,
    unsafe_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::undocumented_unsafe_blocks
)]

pub mod process;

use std::path::Path;

use crate::common::{Beat, Config, Failure, Upload};

/// Random numbers that are the same for the same seed.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5bd1_e995)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From `low` to `high`, both included.
    pub fn within(&mut self, low: u64, high: u64) -> u64 {
        low + self.next() % (high - low + 1)
    }

    pub fn one_in(&mut self, n: u64) -> bool {
        self.next().is_multiple_of(n)
    }

    pub fn of<'a, T>(&mut self, choice: &'a [T]) -> &'a T {
        &choice[usize::try_from(self.next()).unwrap_or(usize::MAX) % choice.len()]
    }
}

/// A way to upload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    File,
    Buffer,
    /// Push mode after a hash pass, fed from byte 0.
    Hashed,
    /// The same, but what the server has is not fed again.
    HashedSeek,
    /// Push mode with the token of the time before, fed from byte 0.
    Token,
    /// The same, but what the server has is not fed again.
    TokenSeek,
    /// Push mode of bytes that nothing is known of.
    Plain,
}

impl Mode {
    pub const KNOWN: [Mode; 6] = [
        Mode::File,
        Mode::Buffer,
        Mode::Hashed,
        Mode::HashedSeek,
        Mode::Token,
        Mode::TokenSeek,
    ];

    pub fn named(name: &str) -> Mode {
        let all = Mode::KNOWN.into_iter().chain([Mode::Plain]);
        all.into_iter()
            .find(|mode| format!("{mode:?}") == name)
            .unwrap_or_else(|| panic!("no mode {name}"))
    }

    /// The digest of all is known before the first byte is sent.
    pub fn is_hashed(self) -> bool {
        !matches!(self, Mode::Token | Mode::TokenSeek | Mode::Plain)
    }

    pub fn has_token(self) -> bool {
        matches!(self, Mode::Token | Mode::TokenSeek)
    }

    pub fn seeks(self) -> bool {
        matches!(self, Mode::HashedSeek | Mode::TokenSeek)
    }
}

/// One upload to carry out.
pub struct Job<'a> {
    pub mode: Mode,
    pub path: &'a str,
    /// The content, as a file and in memory.
    pub file: &'a Path,
    pub content: &'a [u8],
    /// Bytes fed at once.
    pub chunk: usize,
}

/// What came of it.
#[derive(Debug)]
pub struct Report {
    pub outcome: Result<(), Failure>,
    pub total: i64,
    pub done: i64,
    pub resumed: i64,
    pub retries: i64,
    pub verified: i64,
    pub phase: i64,
    /// The last one that the library gave; empty when it gave none.
    pub token: String,
}

impl Job<'_> {
    /// Uploads. `keep` gets every token that a careful caller would keep: after init and after each feed.
    pub fn run(
        &self,
        config: Config,
        token: &str,
        progress: impl Fn(Beat) -> bool + Send + Sync + 'static,
        keep: &mut dyn FnMut(&str),
    ) -> Report {
        let config = match (self.mode.has_token(), token) {
            (true, token) if !token.is_empty() => config.text("RESUME_TOKEN", token),
            _ => config,
        };
        let upload = config.upload(self.path);
        upload.progress(progress);
        let mut last = String::new();
        let outcome = match self.mode {
            Mode::File => upload.file(self.file),
            Mode::Buffer => upload.buffer(self.content),
            _ => self.push(&upload, &mut |token| {
                if self.mode.has_token() && !token.is_empty() {
                    token.clone_into(&mut last);
                    keep(token);
                }
            }),
        };
        let end = upload.text("RESUME_TOKEN");
        Report {
            outcome,
            total: upload.get("BYTES_TOTAL"),
            done: upload.get("BYTES_DONE"),
            resumed: upload.get("BYTES_RESUMED"),
            retries: upload.get("RETRIES"),
            verified: upload.get("VERIFIED"),
            phase: upload.get("PHASE"),
            token: if end.is_empty() { last } else { end },
        }
    }

    fn push(&self, upload: &Upload, keep: &mut dyn FnMut(&str)) -> Result<(), Failure> {
        if self.mode.is_hashed() {
            for piece in self.content.chunks(self.chunk) {
                upload.hash(piece)?;
            }
        }
        upload.init(self.content.len() as u64)?;
        keep(&upload.text("RESUME_TOKEN"));
        let mut from = 0;
        if self.mode.seeks() {
            let next = upload.get("NEXT_OFFSET");
            upload.seek(u64::try_from(next).unwrap())?;
            from = usize::try_from(next).unwrap();
        }
        for piece in self.content[from..].chunks(self.chunk) {
            upload.feed(piece)?;
            keep(&upload.text("RESUME_TOKEN"));
        }
        upload.finish()
    }
}
