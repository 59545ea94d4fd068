//! What the outside sees while an upload runs: figures for any thread, progress and log lines for the caller's.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::error::Error;

/// What the library is doing with the content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Phase {
    /// Nothing yet.
    Idle = 0,
    /// Reading the content for its fingerprint.
    Hashing = 1,
    /// Slices are on their way.
    Sending = 2,
    /// The server puts the object together.
    Finishing = 3,
    /// The object is there.
    Done = 4,
}

/// How much a log line matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(i32)]
pub enum Level {
    /// The upload fails.
    Error = 1,
    /// Something went wrong and is being dealt with.
    Warn = 2,
    /// The steps of an upload.
    Info = 3,
    /// Every request.
    Debug = 4,
}

/// Shown where the caller is told how far the upload is.
pub trait Progress: Send + Sync {
    /// `true` asks to cancel.
    fn progress(&self, phase: Phase, done: u64, total: u64) -> bool;
}

/// Takes log lines.
pub trait Logger: Send + Sync {
    /// One line, without a line end.
    fn log(&self, level: Level, line: &str);
}

/// Why everything that waits should stop waiting.
#[derive(Debug, Default)]
pub struct Interrupt {
    canceled: AtomicBool,
    halted: AtomicBool,
}

impl Interrupt {
    /// The caller's wish. One atomic store: safe in a signal handler.
    pub fn cancel(&self) {
        self.canceled.store(true, Ordering::SeqCst);
    }

    /// The upload has failed for good: requests still on their way need not end well.
    pub fn halt(&self) {
        self.halted.store(true, Ordering::SeqCst);
    }

    /// Whether the caller wants to stop.
    pub fn is_canceled(&self) -> bool {
        self.canceled.load(Ordering::SeqCst)
    }

    /// An error when there is no point in going on.
    pub fn check(&self) -> Result<(), Error> {
        if self.is_canceled() || self.halted.load(Ordering::SeqCst) {
            return Err(Error::canceled());
        }
        Ok(())
    }
}

/// Figures of one upload; -1 is unknown. Any thread may read them at any time.
#[derive(Debug)]
#[allow(missing_docs)] // named like the infos of the C interface
pub struct Stats {
    pub bytes_total: AtomicI64,
    pub bytes_done: AtomicI64,
    pub bytes_resumed: AtomicI64,
    pub next_offset: AtomicI64,
    pub slice_size: AtomicI64,
    pub instant: AtomicI64,
    pub verified: AtomicI64,
    pub http_status: AtomicI64,
    pub server_code: AtomicI64,
    pub os_error: AtomicI64,
    pub retryable: AtomicI64,
    pub retries: AtomicI64,
    phase: AtomicU32,
    hashed: AtomicI64,
}

impl Stats {
    fn new() -> Self {
        let unknown = || AtomicI64::new(-1);
        Stats {
            bytes_total: unknown(),
            bytes_done: AtomicI64::new(0),
            bytes_resumed: AtomicI64::new(0),
            next_offset: unknown(),
            slice_size: unknown(),
            instant: unknown(),
            verified: unknown(),
            http_status: unknown(),
            server_code: unknown(),
            os_error: unknown(),
            retryable: unknown(),
            retries: AtomicI64::new(0),
            phase: AtomicU32::new(Phase::Idle as u32),
            hashed: AtomicI64::new(0),
        }
    }

    /// What is being done.
    pub fn phase(&self) -> Phase {
        match self.phase.load(Ordering::Relaxed) {
            1 => Phase::Hashing,
            2 => Phase::Sending,
            3 => Phase::Finishing,
            4 => Phase::Done,
            _ => Phase::Idle,
        }
    }

    /// Notes an error's details.
    pub fn set_error(&self, error: &Error) {
        let put = |cell: &AtomicI64, value: Option<i64>| {
            cell.store(value.unwrap_or(-1), Ordering::Relaxed);
        };
        put(&self.http_status, error.http_status.map(i64::from));
        put(&self.server_code, error.server_code);
        put(&self.os_error, error.os_error.map(i64::from));
        put(&self.retryable, Some(i64::from(error.retryable)));
    }
}

/// Stores a figure that may be larger than the interface can say.
pub fn put(cell: &AtomicI64, value: u64) {
    cell.store(i64::try_from(value).unwrap_or(i64::MAX), Ordering::Relaxed);
}

/// The figures and the two hooks of one upload. The hooks are called on the caller's thread only: nothing but code that
/// runs there may call [`tick`](Self::tick) or [`log`](Self::log).
pub struct Reporter {
    /// The figures.
    pub stats: Stats,
    /// The caller's wish to stop.
    pub interrupt: Arc<Interrupt>,
    progress: Mutex<Option<Arc<dyn Progress>>>,
    logger: Option<(Level, Arc<dyn Logger>)>,
    /// Bytes done when progress was last told.
    told: AtomicI64,
}

impl Reporter {
    /// A reporter for one upload.
    pub fn new(logger: Option<(Level, Arc<dyn Logger>)>) -> Self {
        Reporter {
            stats: Stats::new(),
            interrupt: Arc::new(Interrupt::default()),
            progress: Mutex::new(None),
            logger,
            told: AtomicI64::new(-1),
        }
    }

    /// Sets the hook that hears of progress.
    pub fn set_progress(&self, progress: Option<Arc<dyn Progress>>) {
        let old = std::mem::replace(&mut *self.lock_progress(), progress);
        // Dropping it may call the caller's release: not under the lock.
        drop(old);
    }

    fn lock_progress(&self) -> MutexGuard<'_, Option<Arc<dyn Progress>>> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether anybody hears of progress.
    pub fn tells_progress(&self) -> bool {
        self.lock_progress().is_some()
    }

    /// Whether something was acknowledged since progress was last told.
    pub fn has_news(&self) -> bool {
        self.stats.bytes_done.load(Ordering::Relaxed) != self.told.load(Ordering::Relaxed)
    }

    /// Changes the phase and tells the caller.
    pub fn enter(&self, phase: Phase) {
        self.stats.phase.store(phase as u32, Ordering::Relaxed);
        self.tick();
    }

    /// Bytes that the hash pass has read.
    pub fn hashed(&self, bytes: u64) {
        put(&self.stats.hashed, bytes);
    }

    /// The caller's thread is alive: tells progress, and takes the caller's wish to cancel.
    pub fn tick(&self) {
        self.told.store(
            self.stats.bytes_done.load(Ordering::Relaxed),
            Ordering::Relaxed,
        );
        // Who asked to stop hears no more.
        if self.interrupt.is_canceled() {
            return;
        }
        let Some(progress) = self.lock_progress().clone() else {
            return;
        };
        let phase = self.stats.phase();
        let count = if phase == Phase::Hashing {
            &self.stats.hashed
        } else {
            &self.stats.bytes_done
        };
        let done = count.load(Ordering::Relaxed).max(0) as u64;
        // Push mode hashes before the total is told: what was read is all that is known then.
        let total = (self.stats.bytes_total.load(Ordering::Relaxed).max(0) as u64).max(done);
        if progress.progress(phase, done, total) {
            self.interrupt.cancel();
        }
    }

    /// Whether lines of this level are wanted.
    pub fn wants(&self, level: Level) -> bool {
        self.logger.as_ref().is_some_and(|(max, _)| level <= *max)
    }

    /// Hands a line to the caller.
    pub fn log(&self, level: Level, line: &str) {
        if let Some((max, logger)) = &self.logger
            && level <= *max
        {
            logger.log(level, line);
        }
    }
}
