//! The state machine of one upload: the only file that knows the order of things.

use std::sync::Arc;

use crate::config::{MAX_SLICES, Opt, Settings};
use crate::error::{Error, Status};
use crate::exchange::Exchange;
use crate::hash::{Digest, Tally};
use crate::protocol::v4::V4;
use crate::protocol::{Addresses, Content};
use crate::push::Push;
use crate::remote::{Overwrite, Remote};
use crate::report::{Level, Logger, Phase, Reporter, put};
use crate::resume::Token;
use crate::retry::{Meter, Pace};
use crate::sign::{Clock, Credentials, Signer, Signing};
use crate::source::{Bytes, FileSource, Memory, allocate};
use crate::transport::Link;
use crate::whole::{self, HASH_READ, Sent, beat};

/// What a config gives to each of its uploads.
pub struct Parts {
    /// The options as they are now.
    pub settings: Settings,
    /// The connections, shared with other uploads.
    pub link: Arc<Link>,
    /// The server's clock as far as it is known, shared with other uploads.
    pub clock: Arc<Clock>,
    /// The signer callback.
    pub signer: Option<Arc<dyn Signer>>,
    /// The logger and its highest level.
    pub logger: Option<(Level, Arc<dyn Logger>)>,
}

/// One upload of one object.
pub struct Upload {
    remote: Remote,
    settings: Settings,
    state: State,
    addresses: Addresses,
    digest: Option<Digest>,
    token: Option<Token>,
}

enum State {
    /// Nothing was asked for yet.
    Fresh,
    /// The first pass of push mode.
    Hashing(Tally),
    /// Between init and finish.
    Pushing(Box<Push>),
    /// Finished.
    Done,
    /// Failed for good.
    Failed,
}

impl Upload {
    /// An upload of the object `path`. Nothing is sent yet.
    pub fn new(parts: Parts, path: &str) -> Result<Self, Error> {
        let settings = parts.settings;
        settings.check_complete(parts.signer.is_some())?;
        let overwrite = Overwrite::of(&settings);
        let wire = V4::new(
            settings.text(Opt::AppId),
            settings.text(Opt::Bucket),
            path,
            overwrite != Overwrite::Never,
            settings.text(Opt::BizAttr),
        )?;
        let credentials = match parts.signer {
            Some(signer) => Credentials::Callback(signer),
            None => own_credentials(&settings),
        };
        let token = match settings.text(Opt::ResumeToken) {
            "" => None,
            text => Some(Arc::new(Token::decode(text).map_err(|why| {
                Error::new(Status::InvalidArg, format!("RESUME_TOKEN {why}"))
            })?)),
        };
        let exchange = Exchange {
            wire: Box::new(wire),
            link: parts.link,
            signing: Signing::new(credentials, parts.clock, settings.number(Opt::SignTtlS)),
            retries: u32::try_from(settings.number(Opt::Retries)).unwrap_or(u32::MAX),
            meter: Meter::new(settings.number(Opt::Bandwidth)),
            pace: Pace::new(width(&settings)),
        };
        Ok(Upload {
            remote: Remote {
                exchange: Arc::new(exchange),
                reporter: Arc::new(Reporter::new(parts.logger)),
                overwrite,
                resume: settings.is_on(Opt::Resume),
                slice_size: settings.number(Opt::SliceSize),
                token,
            },
            settings,
            state: State::Fresh,
            addresses: Addresses::default(),
            digest: None,
            token: None,
        })
    }

    /// The figures and hooks of this upload.
    pub fn reporter(&self) -> &Arc<Reporter> {
        &self.remote.reporter
    }

    /// Where the object is, once it is there.
    pub fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// The content's digest, once it is known.
    pub fn digest(&self) -> Option<Digest> {
        self.digest
    }

    /// What a later upload needs to continue this one.
    pub fn token(&self) -> Option<Token> {
        match &self.state {
            State::Pushing(push) => push.token(self.remote.exchange.wire.subject()),
            _ => self.token.clone(),
        }
    }

    /// The first pass of push mode over the content. Reads only.
    pub fn hash(&mut self, data: &[u8]) -> Result<(), Error> {
        self.guarded(|this| {
            if matches!(this.state, State::Fresh) {
                this.state = State::Hashing(Tally::new(this.remote.slice_size));
                this.remote.reporter.enter(Phase::Hashing);
            }
            let State::Hashing(tally) = &mut this.state else {
                return Err(wrong_order("hash comes before init"));
            };
            for piece in data.chunks(HASH_READ) {
                tally.update(piece);
                this.remote.reporter.hashed(tally.taken());
                beat(&this.remote.reporter)?;
            }
            Ok(())
        })
    }

    /// Opens the upload of `size` bytes in push mode.
    pub fn init(&mut self, size: u64) -> Result<(), Error> {
        self.guarded(|this| {
            this.check_size(size)?;
            let fingerprint = match std::mem::replace(&mut this.state, State::Fresh) {
                State::Fresh => None,
                State::Hashing(tally) => Some(Arc::new(tally.finish())),
                other => {
                    this.state = other;
                    return Err(wrong_order("init comes once, after new or hash"));
                }
            };
            put(&this.remote.reporter.stats.bytes_total, size);
            if let Some(print) = &fingerprint {
                if print.size != size {
                    return Err(Error::new(
                        Status::SourceChanged,
                        format!(
                            "{} bytes were hashed, but init announces {size}",
                            print.size
                        ),
                    ));
                }
                this.digest = Some(print.digest);
            }
            this.remote.reporter.interrupt.check()?;
            let content = Content { size, fingerprint };
            let keeps_hash = this.settings.is_on(Opt::Hash) || content.fingerprint.is_some();
            this.remote.reporter.enter(Phase::Sending);
            let push = Push::open(&this.remote, content, width(&this.settings), keeps_hash)?;
            this.state = State::Pushing(Box::new(push));
            Ok(())
        })
    }

    /// Goes on behind bytes that the server has. Before the first feed only.
    pub fn seek(&mut self, offset: u64) -> Result<(), Error> {
        self.pushing("seek comes between init and the first feed", |_, push| {
            push.seek(offset)
        })
    }

    /// Takes the next bytes. Blocks while too many slices are on their way.
    pub fn feed(&mut self, data: &[u8]) -> Result<(), Error> {
        self.pushing("feed comes between init and finish", |remote, push| {
            push.feed(remote, data)
        })
    }

    /// Waits for the last slices and puts the object together.
    pub fn finish(&mut self) -> Result<(), Error> {
        self.guarded(|this| {
            let State::Pushing(push) = &mut this.state else {
                return Err(wrong_order("finish comes once, after init"));
            };
            let (sent, content) = push.finish(&this.remote)?;
            this.state = State::Done;
            this.done(sent, &content)
        })
    }

    /// The whole of a file.
    pub fn file(&mut self, path: &str) -> Result<(), Error> {
        self.guarded(|this| {
            this.require_fresh("file")?;
            let source = FileSource::open(path)?;
            let size = source.size();
            if this.fits_single(size) {
                // Read once, so that what is hashed is what is sent.
                let len = usize::try_from(size).unwrap_or(usize::MAX);
                let mut bytes = allocate(len)?;
                bytes.resize(len, 0);
                source.read_at(0, &mut bytes)?;
                source.check_unchanged()?;
                return this.whole(size, &Memory::new(0, bytes), &|| Ok(()));
            }
            this.whole(size, &source, &|| source.check_unchanged())
        })
    }

    /// The whole of a block of memory, without copying it.
    pub fn buffer(&mut self, data: &[u8]) -> Result<(), Error> {
        self.guarded(|this| {
            this.require_fresh("buffer")?;
            this.whole(data.len() as u64, &Memory::new(0, data), &|| Ok(()))
        })
    }

    fn check_size(&self, size: u64) -> Result<(), Error> {
        let slice_size = self.remote.slice_size;
        if size.div_ceil(slice_size) > MAX_SLICES {
            return Err(Error::new(
                Status::InvalidArg,
                format!("{size} bytes are too many for slices of {slice_size}; raise SLICE_SIZE"),
            ));
        }
        Ok(())
    }

    fn fits_single(&self, size: u64) -> bool {
        size == 0 || size <= self.settings.number(Opt::SingleMax)
    }

    /// File and buffer mode. `unchanged` tells whether the source is still what it was.
    fn whole(
        &mut self,
        size: u64,
        bytes: &dyn Bytes,
        unchanged: &dyn Fn() -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.check_size(size)?;
        put(&self.remote.reporter.stats.bytes_total, size);
        let fingerprint = if self.settings.is_on(Opt::Hash) {
            let print =
                whole::fingerprint(size, bytes, self.remote.slice_size, &self.remote.reporter)?;
            unchanged()?;
            self.digest = Some(print.digest);
            Some(Arc::new(print))
        } else {
            None
        };
        let content = Content { size, fingerprint };
        self.remote.reporter.enter(Phase::Sending);
        if self.fits_single(size) {
            let addresses = self.remote.single(&content, bytes)?;
            let declared = content.fingerprint.is_some();
            return self.done(Sent::Sent(addresses, declared), &content);
        }
        let width = width(&self.settings);
        let sent = whole::send(&self.remote, &content, bytes, unchanged, width)?;
        self.done(sent, &content)
    }

    /// The object is there: notes where, and compares where that was not done by the server.
    fn done(&mut self, sent: Sent, content: &Content) -> Result<(), Error> {
        let (addresses, declared, instant) = match sent {
            Sent::There(addresses) => (addresses, true, true),
            Sent::Sent(addresses, declared) => (addresses, declared, false),
        };
        let reporter = Arc::clone(&self.remote.reporter);
        let stats = &reporter.stats;
        if let Some(print) = &content.fingerprint {
            self.digest = Some(print.digest);
        }
        self.addresses = addresses;
        let verified = if declared {
            true
        } else if self.settings.is_on(Opt::Verify) {
            reporter.enter(Phase::Finishing);
            self.remote.verify(content)?
        } else {
            false
        };
        put(&stats.verified, u64::from(verified));
        put(&stats.instant, u64::from(instant));
        put(&stats.bytes_done, content.size);
        put(&stats.next_offset, content.size);
        self.state = State::Done;
        reporter.enter(Phase::Done);
        Ok(())
    }

    fn require_fresh(&self, call: &str) -> Result<(), Error> {
        match self.state {
            State::Fresh => Ok(()),
            _ => Err(wrong_order(&format!(
                "{call} is the first and only call of an upload"
            ))),
        }
    }

    fn pushing(
        &mut self,
        rule: &str,
        call: impl FnOnce(&Remote, &mut Push) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.guarded(|this| match &mut this.state {
            State::Pushing(push) => {
                beat(&this.remote.reporter)?;
                call(&this.remote, push)
            }
            _ => Err(wrong_order(rule)),
        })
    }

    /// Runs one call. A failure is final, but for calls in the wrong order or with unfit arguments, which change nothing.
    fn guarded(&mut self, call: impl FnOnce(&mut Self) -> Result<(), Error>) -> Result<(), Error> {
        if matches!(self.state, State::Failed) {
            return Err(wrong_order(
                "this upload has failed; make another one to go on",
            ));
        }
        let result = call(self);
        if let Err(error) = &result
            && !matches!(error.status, Status::State | Status::InvalidArg)
        {
            self.token = self.token();
            // Workers end here, and the slice buffers with them.
            self.state = State::Failed;
            self.remote
                .log(Level::Error, || format!("failed: {}", error.message));
        }
        result
    }
}

/// What the caller gets for a call that does not fit.
fn wrong_order(rule: &str) -> Error {
    Error::new(Status::State, rule)
}

fn width(settings: &Settings) -> usize {
    usize::try_from(settings.number(Opt::InFlight)).unwrap_or(1)
}

fn own_credentials(settings: &Settings) -> Credentials {
    let text = |opt| zeroize::Zeroizing::new(settings.text(opt).to_string());
    match settings.text(Opt::Authorization) {
        "" => Credentials::Keys {
            id: settings.text(Opt::SecretId).to_string(),
            key: text(Opt::SecretKey),
        },
        _ => Credentials::Fixed(text(Opt::Authorization)),
    }
}
