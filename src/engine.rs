//! Slices on their way: workers, back-pressure, and what has been acknowledged.
//!
//! The calling thread coordinates and is the only one that calls hooks; workers send. With a width of one, nothing is
//! started and the calling thread sends. Memory is bounded by what the caller puts in: a job either lends bytes that
//! exist anyway or owns one slice buffer, and buffers come back when their slice is acknowledged.

use std::collections::VecDeque;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle, Scope, ScopedJoinHandle};

use crate::error::{Error, Status};
use crate::exchange::{Desk, Exchange, OwnDesk};
use crate::protocol::{Answer, Class, Fault, Plan, Step};
use crate::report::{Interrupt, Level, Reporter, put};
use crate::resume::SliceSet;
use crate::sign::{SignRequest, Signer};
use crate::source::{Bytes, Slot, Span};
use crate::transport::{STEP, pulse};

/// Stack of a worker: a TLS handshake is the deepest thing it does.
const STACK: usize = 512 << 10;
/// Log lines kept for the caller's thread while it is elsewhere.
const MAX_LINES: usize = 256;

/// The bytes of a job.
pub enum Load<'a> {
    /// Lent by the caller for as long as the engine lives.
    Lent(&'a dyn Bytes),
    /// One slice buffer.
    Slot(Slot),
}

impl Bytes for Load<'_> {
    fn read_at(&self, offset: u64, out: &mut [u8]) -> Result<(), Error> {
        match self {
            Load::Lent(bytes) => bytes.read_at(offset, out),
            Load::Slot(slot) => slot.read_at(offset, out),
        }
    }

    fn span(&self, offset: u64, len: usize) -> Option<Span> {
        match self {
            Load::Lent(bytes) => bytes.span(offset, len),
            Load::Slot(slot) => slot.span(offset, len),
        }
    }
}

/// One slice to send.
pub struct Job<'a> {
    /// First byte within the content.
    pub offset: u64,
    /// Length in bytes.
    pub len: u64,
    /// Where its bytes are.
    pub load: Load<'a>,
}

/// A signature that a worker waits for.
struct Ask {
    request: SignRequest,
    answer: Mutex<Option<Result<String, Error>>>,
}

/// What the calling thread waits for.
#[derive(Clone, Copy)]
enum Wanted {
    /// Nothing but to serve the workers once.
    Nothing,
    /// Fewer than `ahead` jobs beyond those that may be on their way.
    Room { ahead: usize },
    /// Nothing queued, nothing on its way.
    Rest,
}

struct State<'a> {
    plan: Arc<Plan>,
    stored: SliceSet,
    queue: VecDeque<Job<'a>>,
    /// Jobs that failed.
    returned: Vec<Job<'a>>,
    /// Buffers that can be filled again.
    spare: Vec<Vec<u8>>,
    running: usize,
    idle: usize,
    /// What the calling thread sleeps for.
    wanted: Option<Wanted>,
    fault: Option<Fault>,
    asks: VecDeque<Arc<Ask>>,
    lines: VecDeque<(Level, String)>,
    stop: bool,
}

/// What the calling thread and the workers share.
pub struct Shared<'a> {
    exchange: Arc<Exchange>,
    reporter: Arc<Reporter>,
    width: usize,
    state: Mutex<State<'a>>,
    /// A job for a worker. Each one that takes a job wakes the next while there are more, so that nobody is woken for nothing.
    work: Condvar,
    /// Signatures that workers wait for.
    answers: Condvar,
    /// Something for the calling thread.
    news: Condvar,
}

impl<'a> Shared<'a> {
    fn lock(&self) -> MutexGuard<'_, State<'a>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Slices that may be on their way now.
    fn room(&self, state: &State<'_>) -> usize {
        if state.plan.serial {
            return 1;
        }
        self.width.min(self.exchange.pace.allowed())
    }

    /// Whether what the calling thread waits for has come about.
    fn is_there(&self, state: &State<'_>, wanted: Wanted) -> bool {
        match wanted {
            Wanted::Nothing => true,
            Wanted::Room { ahead } => state.queue.len() + state.running < self.room(state) + ahead,
            Wanted::Rest => state.queue.is_empty() && state.running == 0,
        }
    }

    /// Whether a worker may take a job.
    fn may_start(&self, state: &State<'_>) -> bool {
        !state.queue.is_empty() && state.fault.is_none() && state.running < self.room(state)
    }

    /// A worker's life.
    fn work(&self) {
        let desk = FarDesk(self);
        let mut state = self.lock();
        while !state.stop {
            let job = if self.may_start(&state) {
                state.queue.pop_front()
            } else {
                None
            };
            let Some(job) = job else {
                state.idle += 1;
                state = self
                    .work
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner);
                state.idle -= 1;
                continue;
            };
            state.running += 1;
            if state.idle > 0 && self.may_start(&state) {
                self.work.notify_one();
            }
            let plan = Arc::clone(&state.plan);
            drop(state);
            let result = self.send(&job, &plan, &desk);
            state = self.lock();
            state.running -= 1;
            self.note(&mut state, job, result);
            // A wake-up is a call into the kernel, even for nobody.
            if let Some(wanted) = state.wanted
                && (state.fault.is_some()
                    || self.is_there(&state, wanted)
                    || self.reporter.tells_progress())
            {
                self.news.notify_one();
            }
        }
    }

    fn send(&self, job: &Job<'_>, plan: &Plan, desk: &dyn Desk) -> Result<bool, Fault> {
        let step = Step::Put {
            plan,
            offset: job.offset,
            len: job.len,
        };
        // A panic in a worker must not leave the caller waiting.
        let result = catch_unwind(AssertUnwindSafe(|| {
            self.exchange.run(&step, &job.load, desk)
        }));
        match result {
            Ok(Ok(Answer::Accepted { serial })) => Ok(serial),
            Ok(Ok(_)) => Err(Fault::fatal(Error::new(
                Status::Panic,
                "a slice was answered like something else",
            ))),
            Ok(Err(fault)) => Err(fault),
            Err(_) => Err(Fault::fatal(Error::new(
                Status::Panic,
                "a worker of libcosslice failed",
            ))),
        }
    }

    /// Takes note of a job's end.
    fn note(&self, state: &mut State<'a>, job: Job<'a>, result: Result<bool, Fault>) {
        match result {
            Ok(serial) => {
                state.stored.insert(job.offset);
                if serial && !state.plan.serial {
                    let mut plan = Plan::clone(&state.plan);
                    plan.serial = true;
                    state.plan = Arc::new(plan);
                }
                self.exchange.pace.good();
                publish(&self.reporter, &state.stored);
                if let Load::Slot(slot) = job.load {
                    state.spare.extend(slot.into_buffer());
                }
            }
            Err(fault) => {
                state.returned.push(job);
                let first = state.fault.is_none();
                if first {
                    if !is_recoverable(fault.class) {
                        // Others on their way need not end well: the upload has failed.
                        self.reporter.interrupt.halt();
                    }
                    state.fault = Some(fault);
                }
            }
        }
    }
}

/// Shows what is stored.
pub fn publish(reporter: &Reporter, stored: &SliceSet) {
    let done = i64::try_from(stored.bytes()).unwrap_or(i64::MAX);
    reporter.stats.bytes_done.fetch_max(done, Ordering::Relaxed);
    put(&reporter.stats.next_offset, stored.next_offset());
}

/// Of what a list says is stored, what may be believed. Where no digest was declared, the server cannot tell whose content a
/// slice has: only slices count that were known before or acknowledged to this upload.
fn believe(plan: &Plan, stored: &mut SliceSet, before: &SliceSet) {
    if plan.declared.is_none() {
        stored.keep_only(before);
    }
}

/// Whether looking at the server's list may mend a fault. A slice that arrived damaged is missing there.
pub fn is_recoverable(class: Class) -> bool {
    matches!(
        class,
        Class::Lost | Class::Order | Class::Restart | Class::Integrity
    )
}

/// The desk of a worker: everything for the caller goes through the shared state.
struct FarDesk<'s, 'a>(&'s Shared<'a>);

impl Desk for FarDesk<'_, '_> {
    fn sign(&self, _: &dyn Signer, request: &SignRequest) -> Result<String, Error> {
        let ask = Arc::new(Ask {
            request: request.clone(),
            answer: Mutex::new(None),
        });
        let mut state = self.0.lock();
        state.asks.push_back(Arc::clone(&ask));
        self.0.news.notify_one();
        loop {
            let mut answer = ask.answer.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(answer) = answer.take() {
                return answer;
            }
            drop(answer);
            if state.stop {
                return Err(Error::canceled());
            }
            self.interrupt().check()?;
            state = self
                .0
                .answers
                .wait_timeout(state, STEP)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }
    fn log(&self, level: Level, line: String) {
        let mut state = self.0.lock();
        if state.lines.len() < MAX_LINES {
            state.lines.push_back((level, line));
        }
    }
    fn wants(&self, level: Level) -> bool {
        self.0.reporter.wants(level)
    }
    fn reporter(&self) -> Option<Arc<Reporter>> {
        None
    }
    fn interrupt(&self) -> &Arc<Interrupt> {
        &self.0.reporter.interrupt
    }
    fn count_retry(&self) {
        self.0
            .reporter
            .stats
            .retries
            .fetch_add(1, Ordering::Relaxed);
    }
}

/// Where workers come from.
pub trait Crew<'a> {
    /// Starts one more.
    fn start(&mut self, shared: Arc<Shared<'a>>) -> io::Result<()>;
}

/// Workers that end with a scope: they may use what lives outside of it. They are waited for when the crew is dropped, after
/// the engine that feeds them: the scope alone would not wait for the end of the thread itself.
pub struct ScopedCrew<'scope, 'env> {
    scope: &'scope Scope<'scope, 'env>,
    workers: Vec<ScopedJoinHandle<'scope, ()>>,
}

impl<'scope, 'env> ScopedCrew<'scope, 'env> {
    /// A crew of nobody yet.
    pub fn new(scope: &'scope Scope<'scope, 'env>) -> Self {
        ScopedCrew {
            scope,
            workers: Vec::new(),
        }
    }
}

impl<'env> Crew<'env> for ScopedCrew<'_, 'env> {
    fn start(&mut self, shared: Arc<Shared<'env>>) -> io::Result<()> {
        let worker = builder().spawn_scoped(self.scope, move || shared.work())?;
        self.workers.push(worker);
        Ok(())
    }
}

impl Drop for ScopedCrew<'_, '_> {
    fn drop(&mut self) {
        for worker in self.workers.drain(..) {
            // A worker's panic was turned into a fault when it happened.
            let _ = worker.join();
        }
    }
}

/// Workers that live between calls. They are waited for when the crew is dropped, after the engine that feeds them.
#[derive(Default)]
pub struct OwnCrew(Vec<JoinHandle<()>>);

impl Crew<'static> for OwnCrew {
    fn start(&mut self, shared: Arc<Shared<'static>>) -> io::Result<()> {
        self.0.push(builder().spawn(move || shared.work())?);
        Ok(())
    }
}

impl Drop for OwnCrew {
    fn drop(&mut self) {
        for worker in self.0.drain(..) {
            // A worker's panic was turned into a fault when it happened.
            let _ = worker.join();
        }
    }
}

fn builder() -> Builder {
    Builder::new()
        .name("cosslice-worker".into())
        .stack_size(STACK)
}

/// Sends the slices of one upload.
pub struct Engine<'a> {
    shared: Arc<Shared<'a>>,
    started: usize,
    /// No worker could be started, or none is wanted.
    alone: bool,
}

impl<'a> Engine<'a> {
    /// An engine for an open upload of which `stored` is there already. At most `width` slices at once.
    pub fn new(
        exchange: &Arc<Exchange>,
        reporter: &Arc<Reporter>,
        plan: Plan,
        stored: SliceSet,
        width: usize,
    ) -> Self {
        publish(reporter, &stored);
        Engine {
            shared: Arc::new(Shared {
                exchange: Arc::clone(exchange),
                reporter: Arc::clone(reporter),
                width,
                state: Mutex::new(State {
                    plan: Arc::new(plan),
                    stored,
                    queue: VecDeque::new(),
                    returned: Vec::new(),
                    spare: Vec::new(),
                    running: 0,
                    idle: 0,
                    wanted: None,
                    fault: None,
                    asks: VecDeque::new(),
                    lines: VecDeque::new(),
                    stop: false,
                }),
                work: Condvar::new(),
                answers: Condvar::new(),
                news: Condvar::new(),
            }),
            started: 0,
            alone: width <= 1,
        }
    }

    /// The upload as it stands.
    pub fn plan(&self) -> Arc<Plan> {
        Arc::clone(&self.shared.lock().plan)
    }

    /// Whether the slice at `offset` is stored.
    pub fn has(&self, offset: u64) -> bool {
        self.shared.lock().stored.contains(offset)
    }

    /// The first slice at or behind `offset` that is not stored.
    pub fn missing_from(&self, offset: u64) -> Option<u64> {
        self.shared.lock().stored.missing_from(offset)
    }

    /// A buffer whose slice is done.
    pub fn take_spare(&self) -> Option<Vec<u8>> {
        self.shared.lock().spare.pop()
    }

    /// Gives a slice on its way; blocks while too many are. `ahead` more may wait in the queue, for jobs that hold no
    /// memory.
    pub fn put(
        &mut self,
        job: Job<'a>,
        ahead: usize,
        crew: &mut dyn Crew<'a>,
    ) -> Result<(), Fault> {
        if self.alone {
            return self.put_alone(job);
        }
        let room = self.wait(Wanted::Room { ahead });
        let mut state = self.shared.lock();
        if let Err(fault) = room {
            // The job's bytes may be nowhere else any more: keep them for when the fault is mended.
            state.returned.push(job);
            return Err(fault);
        }
        state.queue.push_back(job);
        let lacks_worker = state.idle < state.queue.len() && self.started < self.shared.width;
        let has_idle = state.idle > 0;
        drop(state);
        if has_idle {
            self.shared.work.notify_one();
        }
        if lacks_worker {
            match crew.start(Arc::clone(&self.shared)) {
                Ok(()) => self.started += 1,
                // Fewer workers are slower; none at all means that this thread has to do it.
                Err(_) if self.started > 0 => {}
                Err(_) => {
                    self.alone = true;
                    let job = self.shared.lock().queue.pop_back();
                    return job.map_or(Ok(()), |job| self.put_alone(job));
                }
            }
        }
        Ok(())
    }

    fn put_alone(&mut self, job: Job<'a>) -> Result<(), Fault> {
        let plan = self.plan();
        let desk = OwnDesk(Arc::clone(&self.shared.reporter));
        let result = self.shared.send(&job, &plan, &desk);
        self.shared.note(&mut self.shared.lock(), job, result);
        self.shared.reporter.tick();
        self.wait(Wanted::Nothing)
    }

    /// Whether all is well so far; waits only when it is not.
    pub fn look(&mut self) -> Result<(), Fault> {
        let fault = self.shared.lock().fault.is_some();
        if fault { self.drain() } else { Ok(()) }
    }

    /// Waits until all slices are acknowledged.
    pub fn drain(&mut self) -> Result<(), Fault> {
        self.wait(Wanted::Rest)
    }

    /// Serves the workers until what is wanted has come about, or something is wrong and everything has come to rest.
    fn wait(&mut self, mut wanted: Wanted) -> Result<(), Fault> {
        let shared = Arc::clone(&self.shared);
        let reporter = &shared.reporter;
        loop {
            let mut state = shared.lock();
            let asks = std::mem::take(&mut state.asks);
            let lines = std::mem::take(&mut state.lines);
            if asks.is_empty() && lines.is_empty() {
                let wrong = state.fault.is_some() || reporter.interrupt.check().is_err();
                if wrong && state.running == 0 {
                    return Err(match &state.fault {
                        Some(fault) if !reporter.interrupt.is_canceled() => fault.clone(),
                        _ => Fault::fatal(Error::canceled()),
                    });
                }
                if !wrong && shared.is_there(&state, wanted) {
                    return Ok(());
                }
                if let Wanted::Room { ahead } = &mut wanted {
                    // Once asleep, this thread is woken for several jobs rather than for each.
                    *ahead /= 2;
                }
                state.wanted = Some(wanted);
                let (mut state, _) = shared
                    .news
                    .wait_timeout(state, STEP)
                    .unwrap_or_else(PoisonError::into_inner);
                state.wanted = None;
                drop(state);
            } else {
                // Hooks run without the lock: they may take as long as they like.
                drop(state);
                for (level, line) in lines {
                    reporter.log(level, &line);
                }
                for ask in asks {
                    self.answer(&ask);
                }
            }
            // A wish to cancel is seen at the top of the loop, when everything has come to rest.
            let _ = pulse(&reporter.interrupt, Some(reporter));
        }
    }

    fn answer(&self, ask: &Ask) {
        let answer = self.shared.exchange.signing.answer(&ask.request);
        *ask.answer.lock().unwrap_or_else(PoisonError::into_inner) = Some(answer);
        // The lock orders this behind the worker's look at the answer, so that the wake-up cannot be missed.
        drop(self.shared.lock());
        self.shared.answers.notify_all();
    }

    /// Forgets what has not been sent, and goes on with what the server says now.
    pub fn restart(&mut self, plan: Plan, mut stored: SliceSet) {
        let mut state = self.shared.lock();
        state.queue.clear();
        believe(&plan, &mut stored, &state.stored);
        self.adopt(&mut state, plan, stored);
    }

    /// Goes on with what the server says now, and sends again what it lacks. The offset of a slice that it lacks and that
    /// is no longer in memory, if there is one.
    pub fn resend(&mut self, plan: Plan, mut stored: SliceSet) -> Option<u64> {
        let mut state = self.shared.lock();
        believe(&plan, &mut stored, &state.stored);
        let mut jobs: Vec<Job<'a>> = state.returned.drain(..).collect();
        jobs.extend(state.queue.drain(..));
        jobs.retain(|job| !stored.contains(job.offset));
        jobs.sort_by_key(|job| job.offset);
        let lacking =
            |offset: u64| !stored.contains(offset) && jobs.iter().all(|job| job.offset != offset);
        let before = &state.stored;
        let lost = (0..before.count())
            .map(|index| index * before.slice_size())
            .find(|offset| before.contains(*offset) && lacking(*offset));
        state.queue.extend(jobs);
        self.adopt(&mut state, plan, stored);
        drop(state);
        self.shared.work.notify_all();
        lost
    }

    fn adopt(&self, state: &mut State<'a>, plan: Plan, stored: SliceSet) {
        publish(&self.shared.reporter, &stored);
        state.plan = Arc::new(plan);
        state.stored = stored;
        state.returned.clear();
        state.fault = None;
    }

    /// Sends what waits in the queue when there is no worker to do it.
    pub fn send_queued(&mut self) -> Result<(), Fault> {
        while self.alone {
            let job = self.shared.lock().queue.pop_front();
            match job {
                Some(job) => self.put_alone(job)?,
                None => break,
            }
        }
        Ok(())
    }
}

impl Drop for Engine<'_> {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.stop = true;
        state.queue.clear();
        if state.running > 0 {
            self.shared.reporter.interrupt.halt();
        }
        drop(state);
        self.shared.work.notify_all();
        self.shared.answers.notify_all();
    }
}
