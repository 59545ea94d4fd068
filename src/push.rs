//! Push mode: bytes that come in pieces of any length, cut into slices, held against what is known of them.

use std::sync::Arc;

use crate::engine::{Engine, Job, Load, OwnCrew};
use crate::error::{Error, Status};
use crate::hash::{BLOCK, Chain, Fingerprint};
use crate::protocol::{Addresses, Class, Content, Fault};
use crate::remote::{Opening, Remote};
use crate::report::{Level, Phase, put};
use crate::resume::{Known, Mark, Token};
use crate::sign::Subject;
use crate::source::{Nothing, Slot, allocate};
use crate::whole::{MENDS, Sent, beat, is_mendable};

/// An open upload that is being fed.
pub struct Push {
    // Before the crew: dropping the engine tells the workers to end, dropping the crew waits for them.
    engine: Option<Engine<'static>>,
    crew: OwnCrew,
    content: Content,
    /// The object is there already.
    there: Option<Addresses>,
    known: Known,
    fed: u64,
    slice_size: u64,
    /// The slice being filled, when the server lacks it.
    slot: Option<Vec<u8>>,
    /// The running hash; absent where its state is not known.
    chain: Option<Chain>,
    keeps_hash: bool,
    /// State or digest at the end of each slice so far, for the token. Absent when there is a gap.
    ends: Option<Vec<[u8; 20]>>,
    mends: u32,
}

impl Push {
    /// Opens the upload on the server. An empty content opens nothing: it goes in one request at the end, for slices of
    /// nothing do not exist (protocol 6.4.1).
    pub fn open(
        remote: &Remote,
        content: Content,
        width: usize,
        keeps_hash: bool,
    ) -> Result<Push, Error> {
        let stats = &remote.reporter.stats;
        let mut push = Push {
            engine: None,
            crew: OwnCrew::default(),
            there: None,
            known: match &content.fingerprint {
                Some(print) => Known::Hashed(Arc::clone(print)),
                None => Known::Nothing,
            },
            fed: 0,
            slice_size: remote.slice_size,
            slot: None,
            chain: keeps_hash.then(Chain::new),
            keeps_hash,
            ends: keeps_hash.then(Vec::new),
            mends: 0,
            content,
        };
        if push.content.size == 0 {
            put(&stats.next_offset, 0);
            return Ok(push);
        }
        match remote.open(&push.content)? {
            Opening::There(addresses) => {
                put(&stats.instant, 1);
                put(&stats.bytes_done, push.content.size);
                put(&stats.next_offset, push.content.size);
                push.there = Some(addresses);
            }
            Opening::Ready {
                plan,
                stored,
                by_token,
            } => {
                if by_token && let Some(token) = &remote.token {
                    push.known = Known::Token(Arc::clone(token));
                }
                push.slice_size = plan.slice_size;
                put(&stats.slice_size, plan.slice_size);
                put(&stats.bytes_resumed, stored.bytes());
                push.engine = Some(Engine::new(
                    &remote.exchange,
                    &remote.reporter,
                    plan,
                    stored,
                    width,
                ));
            }
        }
        Ok(push)
    }

    /// What a later upload needs to continue this one.
    pub fn token(&self, subject: &Subject) -> Option<Token> {
        let mut ends = self.ends.clone()?;
        if let Known::Token(before) = &self.known {
            // What the token knew that this upload came from, and was not fed again yet, still holds.
            ends.extend(before.ends.iter().skip(ends.len()));
        }
        let plan = self.engine.as_ref()?.plan();
        // Only multiples of SHA-1's block have a state that says all about the bytes before them.
        plan.slice_size
            .is_multiple_of(BLOCK)
            .then(|| Token::new(subject, &plan, &ends))
    }

    /// Goes on at `offset`, before which the server has everything.
    pub fn seek(&mut self, offset: u64) -> Result<(), Error> {
        if self.fed > 0 {
            return Err(Error::new(
                Status::State,
                "seek comes before the first feed",
            ));
        }
        let size = self.content.size;
        let next = match (&self.engine, &self.there) {
            (Some(engine), _) => engine.missing_from(0).unwrap_or(size),
            (None, Some(_)) => size,
            (None, None) => 0,
        };
        if offset > next {
            return Err(Error::new(
                Status::InvalidArg,
                format!("seek to {offset}, but the server lacks bytes from {next} on"),
            ));
        }
        self.fed = offset;
        let whole = offset / self.slice_size;
        let ends = (1..=whole).map(|slice| {
            self.known
                .state_at(slice * self.slice_size, size)
                .map(|s| s.0)
        });
        self.ends = self.ends.take().and_then(|_| ends.collect());
        self.chain = self.chain_at(offset);
        Ok(())
    }

    /// The running hash behind `offset` bytes, where it is known.
    fn chain_at(&self, offset: u64) -> Option<Chain> {
        if !self.keeps_hash {
            return None;
        }
        if offset == 0 {
            return Some(Chain::new());
        }
        let state = self.known.state_at(offset, self.content.size)?;
        Chain::resume(state, offset)
    }

    /// Takes the next bytes.
    pub fn feed(&mut self, remote: &Remote, mut data: &[u8]) -> Result<(), Error> {
        let size = self.content.size;
        if data.len() as u64 > size - self.fed {
            return Err(Error::new(
                Status::SourceChanged,
                format!("more bytes were fed than the {size} that init announced"),
            ));
        }
        if self.there.is_some() {
            self.fed += data.len() as u64;
            return Ok(());
        }
        while !data.is_empty() {
            let start = self.fed - self.fed % self.slice_size;
            let end = (start + self.slice_size).min(size);
            let take =
                usize::try_from(end - self.fed).map_or(data.len(), |left| left.min(data.len()));
            let (now, later) = data.split_at(take);
            data = later;
            self.keep(start, end, now)?;
            if let Some(chain) = &mut self.chain {
                chain.update(now);
            }
            self.fed += take as u64;
            if self.fed == end {
                self.compare(end)?;
                self.send(remote, start)?;
            }
            beat(&remote.reporter)?;
        }
        self.hear_of_faults(remote)
    }

    /// A worker's fault is told as soon as the caller comes by, not only when the next slice is full.
    fn hear_of_faults(&mut self, remote: &Remote) -> Result<(), Error> {
        match self.engine.as_mut().map(Engine::look) {
            Some(Err(fault)) => self.mend(remote, fault, &self.content.clone()),
            _ => Ok(()),
        }
    }

    /// Keeps bytes of a slice that the server lacks.
    fn keep(&mut self, start: u64, end: u64, bytes: &[u8]) -> Result<(), Error> {
        let Some(engine) = &self.engine else {
            return Ok(());
        };
        if self.slot.is_none() {
            if self.fed != start || engine.has(start) {
                // The server has it: only its hash matters.
                return Ok(());
            }
            let len = usize::try_from(end - start).unwrap_or(usize::MAX);
            let mut slot = match engine.take_spare() {
                Some(mut spare) => {
                    spare.clear();
                    spare
                }
                None => allocate(len)?,
            };
            if slot.capacity() < len {
                slot = allocate(len)?;
            }
            self.slot = Some(slot);
        }
        if let Some(slot) = &mut self.slot {
            slot.extend_from_slice(bytes);
        }
        Ok(())
    }

    /// At the end of a slice: holds its bytes against what is known of them, before any of them is sent.
    fn compare(&mut self, end: u64) -> Result<(), Error> {
        let size = self.content.size;
        let known = self.known.mark_at(end, size);
        let Some(chain) = &self.chain else {
            // The hash starts again where a state is known.
            self.chain = self.chain_at(end);
            self.ends = None;
            return Ok(());
        };
        let ours = if end == size {
            Mark::Digest(chain.digest())
        } else {
            Mark::State(chain.state())
        };
        if known.is_some_and(|known| known != ours) {
            let before = match self.known {
                Known::Token(_) => {
                    "that were uploaded before (to upload other content set OVERWRITE to 2 and leave RESUME_TOKEN out)"
                }
                _ => "of the hash pass",
            };
            return Err(Error::new(
                Status::SourceChanged,
                format!(
                    "the bytes fed up to {end} differ from those {before}; nothing of them was sent"
                ),
            ));
        }
        if let Some(ends) = &mut self.ends {
            ends.push(match ours {
                Mark::State(state) => state.0,
                Mark::Digest(digest) => digest.0,
            });
        }
        Ok(())
    }

    /// Gives the filled slice on its way.
    fn send(&mut self, remote: &Remote, start: u64) -> Result<(), Error> {
        let (Some(engine), Some(slot)) = (&mut self.engine, self.slot.take()) else {
            return Ok(());
        };
        let job = Job {
            offset: start,
            len: slot.len() as u64,
            load: Load::Slot(Slot::new(start, slot)),
        };
        match engine.put(job, 0, &mut self.crew) {
            Ok(()) => Ok(()),
            Err(fault) => self.mend(remote, fault, &self.content.clone()),
        }
    }

    /// Looks at the server's list and sends again what it lacks, as far as it is still in memory.
    fn mend(&mut self, remote: &Remote, fault: Fault, content: &Content) -> Result<(), Error> {
        let mut fault = fault;
        loop {
            let Some(engine) = &mut self.engine else {
                return Err(fault.error);
            };
            if !is_mendable(&fault) || self.mends == MENDS {
                return Err(match (fault.class, &self.known) {
                    (Class::Order, Known::Token(_)) => Error {
                        status: Status::Conflict,
                        retryable: false,
                        ..fault.error.with_message(
                            "the server does not take a slice again that the resume token does not know; its bytes may \
                             be other ones: set OVERWRITE to 2 and leave RESUME_TOKEN out to begin again",
                        )
                    },
                    _ => fault.error,
                });
            }
            self.mends += 1;
            remote.log(Level::Warn, || {
                format!(
                    "looking at the server's list again, for: {}",
                    fault.error.message
                )
            });
            let (mut plan, stored) = match remote.look_again(content, &engine.plan())? {
                Opening::There(addresses) => {
                    self.there = Some(addresses);
                    self.engine = None;
                    return Ok(());
                }
                Opening::Ready { plan, stored, .. } => (plan, stored),
            };
            plan.serial |= fault.class == Class::Order;
            if plan.slice_size != self.slice_size {
                return Err(gone(fault.error, "the server changed the slice size"));
            }
            if let Some(offset) = engine.resend(plan, stored) {
                let why =
                    format!("the server lost the slice at {offset}, which is no longer in memory");
                return Err(gone(fault.error, &why));
            }
            match engine.send_queued() {
                Ok(()) => return Ok(()),
                Err(again) => fault = again,
            }
        }
    }

    /// Waits for the last slices and puts the object together. How that went, and the content as it is known now.
    pub fn finish(&mut self, remote: &Remote) -> Result<(Sent, Content), Error> {
        beat(&remote.reporter)?;
        if let Some(addresses) = &self.there {
            return Ok((Sent::There(addresses.clone()), self.content.clone()));
        }
        if self.fed < self.content.size {
            return Err(Error::new(
                Status::SourceChanged,
                format!(
                    "{} bytes were fed, but init announced {}",
                    self.fed, self.content.size
                ),
            ));
        }
        let content = self.known_content();
        let declared = content.fingerprint.is_some();
        if content.size == 0 {
            let addresses = remote.single(&content, &Nothing)?;
            return Ok((Sent::Sent(addresses, declared), content));
        }
        loop {
            let Some(engine) = &mut self.engine else {
                // A look at the list found the object finished.
                let addresses = self.there.clone().unwrap_or_default();
                return Ok((Sent::Sent(addresses, declared), content));
            };
            let fault = match engine.drain() {
                Ok(()) => {
                    let plan = engine.plan();
                    let ours = content.fingerprint.as_ref().map(|print| print.digest);
                    if plan.declared.is_some() && ours.is_some() && ours != plan.declared {
                        return Err(Error::new(
                            Status::SourceChanged,
                            "the bytes fed differ from the content that the upload was opened for",
                        ));
                    }
                    remote.reporter.enter(Phase::Finishing);
                    match remote.commit(&plan, &content) {
                        Ok(addresses) => {
                            return Ok((Sent::Sent(addresses, plan.declared.is_some()), content));
                        }
                        Err(fault) => fault,
                    }
                }
                Err(fault) => fault,
            };
            // By now the running hash may know what the content is, so that our own object is known for ours.
            self.mend(remote, fault, &content)?;
        }
    }

    /// The content with the digest that the running hash came to, or that was known from before when nothing was fed.
    fn known_content(&self) -> Content {
        let mut content = self.content.clone();
        if content.fingerprint.is_some() {
            return content;
        }
        let digest = match &self.chain {
            Some(chain) => Some(chain.digest()),
            None => match self.known.mark_at(content.size, content.size) {
                Some(Mark::Digest(digest)) => Some(digest),
                _ => None,
            },
        };
        content.fingerprint = digest.map(|digest| {
            Arc::new(Fingerprint {
                size: content.size,
                grid: self.slice_size,
                states: Vec::new(),
                digest,
            })
        });
        content
    }
}

/// The caller has to feed again from the start.
fn gone(error: Error, why: &str) -> Error {
    let mut error = error;
    error.retryable = true;
    let message = format!("{why}; upload again, from NEXT_OFFSET of the new upload on");
    error.with_message(message)
}
