//! The object on the server: opening an upload of it, looking at what is there, settling what is in doubt.
//!
//! The order of things within one upload is decided in `upload`; here is what each of them takes.

use std::sync::Arc;

use crate::config::{Opt, Settings};
use crate::error::{Error, Status};
use crate::exchange::{Exchange, OwnDesk};
use crate::hash::Tally;
use crate::protocol::{Addresses, Answer, Class, Content, Facts, Fault, Plan, Standing, Step};
use crate::report::{Level, Reporter};
use crate::resume::{SliceSet, Token, Verdict, judge};
use crate::source::{Bytes, Nothing};

/// Rounds of opening and looking before the name is given up: somebody else keeps changing it.
const ROUNDS: u32 = 4;

/// What OVERWRITE allows.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Overwrite {
    /// Nothing.
    Never,
    /// To take the place of an object.
    Replace,
    /// Also to discard an unfinished upload of other content.
    Discard,
}

impl Overwrite {
    /// From the option.
    pub fn of(settings: &Settings) -> Self {
        match settings.number(Opt::Overwrite) {
            0 => Overwrite::Never,
            1 => Overwrite::Replace,
            _ => Overwrite::Discard,
        }
    }
}

/// The object that one upload is about.
pub struct Remote {
    /// How to ask.
    pub exchange: Arc<Exchange>,
    /// Whom to tell.
    pub reporter: Arc<Reporter>,
    /// What may be done to what is there.
    pub overwrite: Overwrite,
    /// Whether an unfinished upload may be continued.
    pub resume: bool,
    /// The slice size to ask for.
    pub slice_size: u64,
    /// Left behind by an earlier upload.
    pub token: Option<Arc<Token>>,
}

/// How an upload begins.
pub enum Opening {
    /// The server has the content: nothing to send.
    There(Addresses),
    /// Send what is missing.
    Ready {
        /// The upload.
        plan: Plan,
        /// What is there.
        stored: SliceSet,
        /// The token vouches for what is there.
        by_token: bool,
    },
}

/// What a look at the name shows.
enum Look {
    Standing(Standing),
    Complete(Addresses),
    Gone,
}

impl Remote {
    /// Carries a step through on the calling thread.
    fn ask(&self, step: &Step<'_>, bytes: &dyn Bytes) -> Result<Answer, Fault> {
        let desk = OwnDesk(Arc::clone(&self.reporter));
        self.exchange.run(step, bytes, &desk)
    }

    /// One line for the logger.
    pub fn log(&self, level: Level, line: impl FnOnce() -> String) {
        if self.reporter.wants(level) {
            self.reporter.log(level, &line());
        }
    }

    /// Opens an upload, or continues one that is known to be of this content.
    pub fn open(&self, content: &Content) -> Result<Opening, Error> {
        for _ in 0..ROUNDS {
            let step = Step::Open(content, self.slice_size);
            let fault = match self.ask(&step, &Nothing) {
                Ok(Answer::Instant(addresses)) => {
                    self.log(Level::Info, || {
                        "the server has this content already: nothing to send".into()
                    });
                    return Ok(Opening::There(addresses));
                }
                Ok(Answer::Opened(plan)) => {
                    self.log(Level::Info, || {
                        format!(
                            "opened an upload of {} bytes in slices of {}{}",
                            plan.size,
                            plan.slice_size,
                            if plan.serial {
                                ", one after another"
                            } else {
                                ""
                            }
                        )
                    });
                    let stored = SliceSet::new(plan.size, plan.slice_size);
                    return Ok(Opening::Ready {
                        plan,
                        stored,
                        by_token: false,
                    });
                }
                Ok(_) => return Err(misread()),
                Err(fault) => fault,
            };
            match fault.class {
                Class::Unfinished | Class::Foreign => {
                    if let Some(opening) = self.take_up(content, &fault)? {
                        return Ok(opening);
                    }
                }
                Class::Same => {
                    return match self.facts()? {
                        Some(facts) if is_this(&facts, content) => {
                            Ok(Opening::There(facts.addresses))
                        }
                        _ => Err(fault.error),
                    };
                }
                _ => return Err(fault.error),
            }
        }
        Err(Error::new(
            Status::Conflict,
            "what holds the name keeps changing: somebody else is uploading to it; try again later",
        ))
    }

    /// Deals with an unfinished upload that holds the name. `None`: it is out of the way, open again.
    fn take_up(&self, content: &Content, fault: &Fault) -> Result<Option<Opening>, Error> {
        let standing = match self.look(self.most_slices(content))? {
            Look::Gone => return Ok(None),
            Look::Complete(addresses) => {
                return match self.facts()? {
                    Some(facts) if is_this(&facts, content) => Ok(Some(Opening::There(addresses))),
                    _ if self.overwrite >= Overwrite::Replace => Ok(None),
                    _ => Err(reworded(
                        fault,
                        Status::Exists,
                        "another object was finished under this name meanwhile; set OVERWRITE to 1 to replace it",
                    )),
                };
            }
            Look::Standing(standing) => standing,
        };
        let verdict = if self.resume {
            let subject = self.exchange.wire.subject();
            judge(&standing, content, self.token.as_deref(), subject)
        } else {
            Verdict::Other("RESUME is 0".into())
        };
        match verdict {
            Verdict::Same { stored, by_token } => {
                self.log(Level::Info, || {
                    format!(
                        "continuing an unfinished upload: {} of {} bytes are there",
                        stored.bytes(),
                        content.size
                    )
                });
                Ok(Some(Opening::Ready {
                    plan: standing.plan,
                    stored,
                    by_token,
                }))
            }
            Verdict::Other(_) if self.overwrite == Overwrite::Discard => {
                self.discard(&standing)?;
                Ok(None)
            }
            Verdict::Other(why) => Err(reworded(
                fault,
                Status::Conflict,
                &format!(
                    "an unfinished upload holds the name, and {why}; set OVERWRITE to 2 to discard it, or continue it \
                     with its content (file, buffer or a hash pass) or its RESUME_TOKEN"
                ),
            )),
        }
    }

    /// Gets an unfinished upload of other content out of the way, but never an object.
    fn discard(&self, standing: &Standing) -> Result<(), Error> {
        let plan = &standing.plan;
        let stored = SliceSet::from_parts(plan.size, plan.slice_size, &standing.parts);
        let facts = self.facts()?.filter(Facts::is_complete);
        if let Some(digest) = facts.and_then(|facts| facts.digest) {
            // What stat shows is an object, or the unfinished upload itself when all its slices are there: the numbers
            // are the same (protocol 4.6). COS's delete takes both, so it must not be used then.
            if stored.bytes() < plan.size || plan.declared != Some(digest) {
                return Err(Error::new(
                    Status::Conflict,
                    "an unfinished upload of other content holds the name of an existing object, and COS can only \
                     delete both; finish it or delete both by hand, nothing was touched",
                ));
            }
            // Finished, it has the content that stat shows, and can be replaced like any object.
            self.log(Level::Warn, || {
                "finishing an upload of other content that only lacked that, to replace it (OVERWRITE is 2)".into()
            });
            return match self.ask(&Step::Commit(plan), &Nothing) {
                Ok(_) => Ok(()),
                Err(fault) => Err(fault.error),
            };
        }
        self.log(Level::Warn, || {
            "discarding an unfinished upload of other content (OVERWRITE is 2)".into()
        });
        match self.ask(&Step::Discard, &Nothing) {
            Ok(_) => Ok(()),
            Err(fault) if fault.class == Class::NotFound => Ok(()),
            Err(fault) => Err(fault.error),
        }
    }

    fn look(&self, expected: u64) -> Result<Look, Error> {
        match self.ask(&Step::List { expected }, &Nothing) {
            Ok(Answer::Standing(standing)) => Ok(Look::Standing(standing)),
            Ok(Answer::Complete(addresses)) => Ok(Look::Complete(addresses)),
            Ok(_) => Err(misread()),
            Err(fault) if fault.class == Class::NotFound => Ok(Look::Gone),
            Err(fault) => Err(fault.error),
        }
    }

    /// What the server knows of the object; `None` when there is none.
    fn facts(&self) -> Result<Option<Facts>, Error> {
        match self.ask(&Step::Inspect, &Nothing) {
            Ok(Answer::Facts(facts)) => Ok(Some(facts)),
            Ok(_) => Err(misread()),
            Err(fault) if fault.class == Class::NotFound => Ok(None),
            Err(fault) => Err(fault.error),
        }
    }

    /// After the server lost track of an upload: how it goes on. Content that this very upload has sent is known.
    pub fn look_again(&self, content: &Content, plan: &Plan) -> Result<Opening, Error> {
        let expected = content.size.div_ceil(plan.slice_size);
        match self.look(expected)? {
            Look::Gone => self.open(content),
            Look::Complete(addresses) => match self.facts()? {
                Some(facts) if is_this(&facts, content) => Ok(Opening::There(addresses)),
                _ => Err(Error::new(
                    Status::Conflict,
                    if content.fingerprint.is_some() {
                        "another upload of other content was finished under this name meanwhile"
                    } else {
                        "an upload was finished under this name meanwhile, and without a hash nothing tells whether its \
                         content is this one"
                    },
                )),
            },
            Look::Standing(standing) if standing.plan.session == plan.session => {
                let stored =
                    SliceSet::from_parts(content.size, standing.plan.slice_size, &standing.parts);
                let plan = Plan {
                    size: content.size,
                    declared: plan.declared,
                    ..standing.plan
                };
                Ok(Opening::Ready {
                    plan,
                    stored,
                    by_token: false,
                })
            }
            Look::Standing(standing) => {
                match judge(&standing, content, None, self.exchange.wire.subject()) {
                    Verdict::Same { stored, .. } => Ok(Opening::Ready {
                        plan: standing.plan,
                        stored,
                        by_token: false,
                    }),
                    Verdict::Other(why) => Err(Error::new(
                        Status::Conflict,
                        format!("another upload took the name meanwhile, and {why}"),
                    )),
                }
            }
        }
    }

    /// Puts the slices together. When no answer is sure, looks whether it happened.
    pub fn commit(&self, plan: &Plan, content: &Content) -> Result<Addresses, Fault> {
        let mut fault = match self.ask(&Step::Commit(plan), &Nothing) {
            Ok(Answer::Stored(addresses)) => return Ok(addresses),
            Ok(_) => return Err(misread().into()),
            Err(fault) => fault,
        };
        // A second try of a finish whose first reply was lost finds the upload gone.
        let doubtful = fault.ambiguous
            || matches!(
                fault.class,
                Class::Lost | Class::Exists | Class::Same | Class::NotFound | Class::Restart
            );
        if doubtful && self.reporter.interrupt.check().is_ok() {
            self.log(Level::Warn, || {
                format!(
                    "looking whether the object is there, for: {}",
                    fault.error.message
                )
            });
            if let Ok(Some(addresses)) = self.is_there(content) {
                return Ok(addresses);
            }
        }
        if fault.class == Class::Integrity {
            // All slices were taken, and together they are something else: sending one again mends nothing.
            fault.class = Class::Final;
        }
        Err(fault)
    }

    /// The content in one request.
    pub fn single(&self, content: &Content, bytes: &dyn Bytes) -> Result<Addresses, Error> {
        for _ in 0..ROUNDS {
            let fault = match self.ask(&Step::Single(content), bytes) {
                Ok(Answer::Stored(addresses)) => return Ok(addresses),
                Ok(_) => return Err(misread()),
                Err(fault) => fault,
            };
            match fault.class {
                // An earlier try of our own may have done it.
                Class::Same | Class::Exists | Class::Retry | Class::Slow
                    if fault.class == Class::Same || fault.ambiguous =>
                {
                    return match self.is_there(&hashed(content, bytes)) {
                        Ok(Some(addresses)) => Ok(addresses),
                        _ => Err(fault.error),
                    };
                }
                Class::Unfinished | Class::Foreign if self.overwrite == Overwrite::Discard => {
                    if let Look::Standing(standing) = self.look(self.most_slices(content))? {
                        self.discard(&standing)?;
                    }
                }
                Class::Unfinished | Class::Foreign => {
                    return Err(reworded(
                        &fault,
                        Status::Conflict,
                        "an unfinished upload holds the name; set OVERWRITE to 2 to discard it",
                    ));
                }
                _ => return Err(fault.error),
            }
        }
        Err(Error::new(
            Status::Conflict,
            "what holds the name keeps changing: somebody else is uploading to it; try again later",
        ))
    }

    /// Whether the object is there with this content. The list decides whether it is finished: stat shows the same
    /// numbers for an object and for an unfinished upload whose slices are all there (protocol 4.6).
    fn is_there(&self, content: &Content) -> Result<Option<Addresses>, Error> {
        let Look::Complete(addresses) = self.look(self.most_slices(content))? else {
            return Ok(None);
        };
        let Some(facts) = self.facts()? else {
            return Ok(None);
        };
        let ours = content.fingerprint.as_ref().map(|print| print.digest);
        let differs = matches!((facts.digest, ours), (Some(theirs), Some(ours)) if theirs != ours);
        let same = facts.is_complete() && facts.size == Some(content.size) && !differs;
        Ok(same.then_some(addresses))
    }

    /// How many slices a list may speak of: no server is known to cut below 512 KiB when asked for more (protocol 6.3).
    fn most_slices(&self, content: &Content) -> u64 {
        content.size.div_ceil(self.slice_size.min(512 << 10))
    }

    /// Compares the finished object with what was sent. Whether it was found equal; an error when it differs.
    pub fn verify(&self, content: &Content) -> Result<bool, Error> {
        let facts = match self.facts() {
            Ok(Some(facts)) => facts,
            Ok(None) => {
                return Err(Error::new(
                    Status::Integrity,
                    "the server finished the upload, but shows no object under the name",
                ));
            }
            Err(error) if error.status == Status::Canceled => return Err(error),
            Err(error) => {
                // The object is there; that it cannot be looked at makes it no failure.
                self.log(Level::Warn, || {
                    format!("the object could not be verified: {}", error.message)
                });
                return Ok(false);
            }
        };
        let digest = content.fingerprint.as_ref().map(|print| print.digest);
        let differs = |number: Option<u64>| number.is_some_and(|n| n != content.size);
        if differs(facts.size) || differs(facts.stored) {
            return Err(Error::new(
                Status::Integrity,
                format!(
                    "the server shows {} of {} bytes of the object, {} were sent",
                    show(facts.stored),
                    show(facts.size),
                    content.size
                ),
            ));
        }
        match (facts.digest, digest) {
            (Some(theirs), Some(ours)) if theirs != ours => Err(Error::new(
                Status::Integrity,
                format!("the object's SHA-1 is {theirs} on the server, {ours} was sent"),
            )),
            (Some(_), Some(_)) => Ok(true),
            _ => Ok(false),
        }
    }
}

/// The content with its digest, also where none was declared: what goes in one request lies in memory.
fn hashed(content: &Content, bytes: &dyn Bytes) -> Content {
    let mut content = content.clone();
    if content.fingerprint.is_none() {
        let mut tally = Tally::new(content.size);
        tally.update(bytes.in_memory().unwrap_or_default());
        content.fingerprint = Some(Arc::new(tally.finish()));
    }
    content
}

/// Whether what the server knows is this content for sure.
fn is_this(facts: &Facts, content: &Content) -> bool {
    let ours = content.fingerprint.as_ref().map(|print| print.digest);
    facts.is_complete()
        && facts.size == Some(content.size)
        && ours.is_some()
        && facts.digest == ours
}

fn show(number: Option<u64>) -> String {
    number.map_or_else(|| "an unknown number".into(), |n| n.to_string())
}

fn misread() -> Error {
    Error::new(
        Status::Panic,
        "a reply was read as the answer to another question",
    )
}

/// The server's refusal in words that say what to do.
fn reworded(fault: &Fault, status: Status, message: &str) -> Error {
    let mut error = fault.error.clone();
    error.status = status;
    error.retryable = false;
    error.with_message(message)
}
