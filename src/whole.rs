//! File and buffer mode: all of the content is there from the start. Hash it, send what is missing, put it together.

use crate::engine::{Crew, Engine, Job, Load, ScopedCrew, is_recoverable};
use crate::error::{Error, Status};
use crate::hash::{Chain, Fingerprint, Tally};
use crate::protocol::{Addresses, Class, Content, Fault};
use crate::remote::{Opening, Remote};
use crate::report::{Level, Phase, Reporter, put};
use crate::source::{Bytes, allocate};
use crate::transport::pulse;

/// Bytes read at a time for the fingerprint.
pub const HASH_READ: usize = 256 << 10;
/// Reading from the page cache is up to four times slower into memory that begins a few bytes behind a page's start, which
/// is where malloc puts large blocks (measured).
const PAGE: usize = 4096;
/// Times that an upload looks at the server's list to mend a fault, before the fault is the caller's.
pub const MENDS: u32 = 2;
/// Slices that wait in the queue behind those on their way: they hold no memory, no worker has to wait for more, and this
/// thread sleeps while they last.
const AHEAD: usize = 64;

/// How a content came to be on the server.
pub enum Sent {
    /// It was there already.
    There(Addresses),
    /// It was sent. Whether the server compared its digest.
    Sent(Addresses, bool),
}

/// Uploads a content in slices, `width` of them at once. `unchanged` tells whether the source is still what it was.
pub fn send(
    remote: &Remote,
    content: &Content,
    bytes: &dyn Bytes,
    unchanged: &dyn Fn() -> Result<(), Error>,
    width: usize,
) -> Result<Sent, Error> {
    let (plan, stored) = match remote.open(content)? {
        Opening::There(addresses) => return Ok(Sent::There(addresses)),
        Opening::Ready { plan, stored, .. } => (plan, stored),
    };
    put(&remote.reporter.stats.slice_size, plan.slice_size);
    put(&remote.reporter.stats.bytes_resumed, stored.bytes());
    std::thread::scope(|scope| {
        // In this order: the engine is dropped first and tells the workers to end.
        let mut crew = ScopedCrew::new(scope);
        let mut engine = Engine::new(&remote.exchange, &remote.reporter, plan, stored, width);
        send_whole(remote, content, bytes, unchanged, &mut engine, &mut crew)
    })
    .map(|(addresses, declared)| Sent::Sent(addresses, declared))
}

/// The caller's thread is alive and still wants this.
pub fn beat(reporter: &Reporter) -> Result<(), Error> {
    // Only the caller's own wish counts here: why a worker stopped everything, the engine knows better.
    let _ = pulse(&reporter.interrupt, Some(reporter));
    if reporter.interrupt.is_canceled() {
        return Err(Error::canceled());
    }
    Ok(())
}

/// One pass over the content: digest and chaining states.
pub fn fingerprint(
    size: u64,
    bytes: &dyn Bytes,
    grid: u64,
    reporter: &Reporter,
) -> Result<Fingerprint, Error> {
    reporter.enter(Phase::Hashing);
    let mut tally = Tally::new(grid);
    read_through(size, bytes, |piece| {
        tally.update(piece);
        reporter.hashed(tally.taken());
        beat(reporter)
    })?;
    Ok(tally.finish())
}

/// Shows all of a content, piece by piece.
fn read_through(
    size: u64,
    bytes: &dyn Bytes,
    mut see: impl FnMut(&[u8]) -> Result<(), Error>,
) -> Result<(), Error> {
    if let Some(all) = bytes.in_memory() {
        return all.chunks(HASH_READ).try_for_each(see);
    }
    let mut room = allocate(HASH_READ + PAGE)?;
    room.resize(HASH_READ + PAGE, 0);
    let start = room.as_ptr().align_offset(PAGE).min(PAGE);
    let buffer = &mut room[start..start + HASH_READ];
    let mut at = 0;
    while at < size {
        let take = usize::try_from(size - at).map_or(HASH_READ, |left| left.min(HASH_READ));
        bytes.read_at(at, &mut buffer[..take])?;
        see(&buffer[..take])?;
        at += take as u64;
    }
    Ok(())
}

/// After the server found other bytes than were declared: an error when that is because the content changed here, too
/// soon after the first pass for the file's times to show it.
fn check_still_same(
    content: &Content,
    bytes: &dyn Bytes,
    reporter: &Reporter,
) -> Result<(), Error> {
    let Some(print) = &content.fingerprint else {
        return Ok(());
    };
    let mut chain = Chain::new();
    read_through(content.size, bytes, |piece| {
        chain.update(piece);
        beat(reporter)
    })?;
    if chain.digest() == print.digest {
        return Ok(());
    }
    Err(Error::new(
        Status::SourceChanged,
        "the content changed between its first and its second reading; upload it again when it is left alone",
    ))
}

/// Sends what is missing and puts it together; looks again where the server lost track. The addresses, and whether the
/// server compared the digest.
fn send_whole<'a>(
    remote: &Remote,
    content: &Content,
    bytes: &'a dyn Bytes,
    unchanged: &dyn Fn() -> Result<(), Error>,
    engine: &mut Engine<'a>,
    crew: &mut dyn Crew<'a>,
) -> Result<(Addresses, bool), Error> {
    let mut mends = 0;
    loop {
        let fault = match send_missing(bytes, engine, crew) {
            Ok(()) => {
                unchanged()?;
                remote.reporter.enter(Phase::Finishing);
                let plan = engine.plan();
                match remote.commit(&plan, content) {
                    Ok(addresses) => return Ok((addresses, plan.declared.is_some())),
                    Err(fault) => fault,
                }
            }
            Err(fault) => fault,
        };
        // The server's refusal of the content may only mean that the file is being written to.
        if fault.error.status != Status::Canceled {
            unchanged()?;
        }
        if fault.error.status == Status::Integrity {
            check_still_same(content, bytes, &remote.reporter)?;
        }
        if !is_mendable(&fault) || mends == MENDS {
            return Err(fault.error);
        }
        mends += 1;
        remote.log(Level::Warn, || {
            format!(
                "looking at the server's list again, for: {}",
                fault.error.message
            )
        });
        match remote.look_again(content, &engine.plan())? {
            Opening::There(addresses) => return Ok((addresses, content.fingerprint.is_some())),
            Opening::Ready {
                mut plan, stored, ..
            } => {
                plan.serial |= fault.class == Class::Order;
                put(&remote.reporter.stats.slice_size, plan.slice_size);
                engine.restart(plan, stored);
                remote.reporter.enter(Phase::Sending);
            }
        }
    }
}

/// Whether the server's list may say how to go on.
pub fn is_mendable(fault: &Fault) -> bool {
    is_recoverable(fault.class) || matches!(fault.class, Class::Incomplete | Class::Unfinished)
}

fn send_missing<'a>(
    bytes: &'a dyn Bytes,
    engine: &mut Engine<'a>,
    crew: &mut dyn Crew<'a>,
) -> Result<(), Fault> {
    let plan = engine.plan();
    let mut from = 0;
    while let Some(offset) = engine.missing_from(from) {
        let len = plan.slice_size.min(plan.size - offset);
        let job = Job {
            offset,
            len,
            load: Load::Lent(bytes),
        };
        engine.put(job, AHEAD, crew)?;
        from = offset + len;
    }
    engine.drain()
}
