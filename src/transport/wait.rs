//! Waiting in short steps: what ends it, and who is told meanwhile.

use std::cell::{Cell, RefCell};
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::error::Error;
use crate::report::{Interrupt, Reporter};
use crate::source::Span;

/// Longest sleep between two looks at the interrupt: well below the 250 ms that the C interface promises.
pub const STEP: Duration = Duration::from_millis(80);

/// Why the socket stopped on its own account. Travels through ureq inside an `io::Error`.
#[derive(Debug)]
pub enum Stop {
    /// The interrupt said so.
    Canceled,
    /// The peer was silent for this long.
    Silent(Duration),
    /// A host name has no address: the name, and why.
    Lookup(String, String),
    /// Something here failed: the content could not be read, memory could not be had.
    Own(Error),
}

impl std::fmt::Display for Stop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self:?}")
    }
}

impl std::error::Error for Stop {}

impl From<Stop> for io::Error {
    fn from(stop: Stop) -> Self {
        io::Error::other(stop)
    }
}

impl Stop {
    /// The stop inside an error, if it is one.
    pub fn in_error(error: &io::Error) -> Option<&Stop> {
        error.get_ref()?.downcast_ref()
    }
}

/// What the socket needs to know of the request that is under way on this thread.
#[derive(Clone)]
pub struct Context {
    /// Ends all waiting.
    pub interrupt: Arc<Interrupt>,
    /// Told about every step; only on the caller's own thread.
    pub reporter: Option<Arc<Reporter>>,
    /// A connection that is not there by then is given up.
    pub connect_by: Option<Instant>,
    /// What became of the connection.
    pub contact: Arc<Contact>,
}

/// What became of a request's connection.
#[derive(Default)]
pub struct Contact {
    body_follows: AtomicBool,
    takes_spans: bool,
    /// Bytes that go out in the place of those from here on in the output buffer.
    span: Mutex<Option<(usize, Span)>>,
    connected: AtomicBool,
    deaf: AtomicBool,
}

impl Contact {
    /// For a request whose body will be asked for right after its head has gone out, if `body_follows`.
    pub fn new(body_follows: bool, takes_spans: bool) -> Self {
        Contact {
            body_follows: AtomicBool::new(body_follows),
            takes_spans,
            ..Contact::default()
        }
    }

    /// Whether the socket sees what ureq's output buffer has in the place where the body's reader put it.
    pub fn takes_spans(&self) -> bool {
        self.takes_spans
    }

    /// Has these bytes sent in the place of those from `at` on in the output buffer.
    pub fn put_span(&self, at: usize, span: Span) {
        *self.span.lock().unwrap_or_else(PoisonError::into_inner) = Some((at, span));
    }

    /// What was put.
    pub fn take_span(&self) -> Option<(usize, Span)> {
        self.span
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }

    /// Whether what goes out now is followed at once by more, so that the two can share a packet.
    pub fn body_follows(&self) -> bool {
        self.body_follows.load(Ordering::Relaxed)
    }

    /// Notes that the body is being read.
    pub fn set_body_begun(&self) {
        self.body_follows.store(false, Ordering::Relaxed);
    }

    /// The peer takes no more of this request: what is left of it need not be read.
    pub fn is_deaf(&self) -> bool {
        self.deaf.load(Ordering::Relaxed)
    }

    /// Notes that it takes no more.
    pub fn set_deaf(&self) {
        self.deaf.store(true, Ordering::Relaxed);
    }

    /// Whether a connection was there.
    pub fn is_connected(&self) -> bool {
        self.connected.load(Ordering::Relaxed)
    }

    /// Notes that a connection is there.
    pub fn set_connected(&self) {
        self.connected.store(true, Ordering::Relaxed);
    }
}

thread_local! {
    // ureq calls the socket on the thread that made the request and passes nothing of ours along.
    static CURRENT: RefCell<Option<Context>> = const { RefCell::new(None) };
    static LAST_TICK: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// Makes a context the thread's own until it is dropped. They nest: a callback may run an upload of its own.
pub struct Scope(Option<Context>);

impl Scope {
    /// Makes `context` current.
    pub fn enter(context: Context) -> Self {
        Scope(CURRENT.replace(Some(context)))
    }
}

impl Drop for Scope {
    fn drop(&mut self) {
        CURRENT.set(self.0.take());
    }
}

/// The context of this thread.
pub fn current() -> Option<Context> {
    CURRENT.with_borrow(Clone::clone)
}

/// One look at the world while waiting: tells the caller's hooks and sees whether to go on.
pub fn pulse(interrupt: &Interrupt, reporter: Option<&Reporter>) -> Result<(), Stop> {
    if let Some(reporter) = reporter {
        let due = reporter.has_news()
            || LAST_TICK
                .get()
                .is_none_or(|last| last.elapsed() >= STEP / 2);
        if due {
            LAST_TICK.set(Some(Instant::now()));
            reporter.tick();
        }
    }
    interrupt.check().map_err(|_| Stop::Canceled)
}

/// [`pulse`] for the context of this thread.
pub fn pulse_current() -> Result<(), Stop> {
    match current() {
        Some(context) => pulse(&context.interrupt, context.reporter.as_deref()),
        None => Ok(()),
    }
}

/// Sleeps in steps that an interrupt ends.
pub fn pause(
    length: Duration,
    interrupt: &Interrupt,
    reporter: Option<&Reporter>,
) -> Result<(), Stop> {
    let end = Instant::now() + length;
    loop {
        pulse(interrupt, reporter)?;
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(());
        }
        std::thread::sleep(left.min(STEP));
    }
}

/// When a connection must be there: after the limit, or when the first contact with the server has taken long enough.
pub fn connect_deadline(limit: Duration) -> Instant {
    let own = Instant::now() + limit;
    match current().and_then(|context| context.connect_by) {
        Some(by) => own.min(by),
        None => own,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interrupt_ends_a_pause() {
        let interrupt = Interrupt::default();
        interrupt.cancel();
        assert!(matches!(
            pause(Duration::from_secs(3600), &interrupt, None),
            Err(Stop::Canceled)
        ));
    }
}
