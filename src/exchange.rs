//! One step carried through: signed, sent, read, and tried again while that makes sense.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use crate::error::Error;
use crate::hash::Fingerprint;
use crate::protocol::{Answer, Class, Fault, Piece, Step, Wire, form};
use crate::report::{Interrupt, Level, Reporter};
use crate::retry::{Meter, Pace, backoff};
use crate::sign::{SignRequest, Signer, Signing, random, random_bytes};
use crate::source::Bytes;
use crate::transport::{Contact, Context, Failure, Link, Stop, parse_date, pause};

/// Everything that is needed to talk to the server about one object.
pub struct Exchange {
    /// The protocol.
    pub wire: Box<dyn Wire>,
    /// The connections.
    pub link: Arc<Link>,
    /// The signatures.
    pub signing: Signing,
    /// Further tries per request.
    pub retries: u32,
    /// The bandwidth limit.
    pub meter: Meter,
    /// How much may be on its way.
    pub pace: Pace,
}

/// The way from wherever a request runs to the caller's thread: the hooks may be called there only.
pub trait Desk {
    /// Asks the signer.
    fn sign(&self, signer: &dyn Signer, request: &SignRequest) -> Result<String, Error>;
    /// Hands over a log line.
    fn log(&self, level: Level, line: String);
    /// Whether lines of this level are wanted.
    fn wants(&self, level: Level) -> bool;
    /// The reporter to call while waiting, on the caller's own thread.
    fn reporter(&self) -> Option<Arc<Reporter>>;
    /// What ends the waiting.
    fn interrupt(&self) -> &Arc<Interrupt>;
    /// Another try begins.
    fn count_retry(&self);
}

/// The desk of the caller's own thread.
pub struct OwnDesk(pub Arc<Reporter>);

impl Desk for OwnDesk {
    fn sign(&self, signer: &dyn Signer, request: &SignRequest) -> Result<String, Error> {
        signer.sign(request)
    }
    fn log(&self, level: Level, line: String) {
        self.0.log(level, &line);
    }
    fn wants(&self, level: Level) -> bool {
        self.0.wants(level)
    }
    fn reporter(&self) -> Option<Arc<Reporter>> {
        Some(Arc::clone(&self.0))
    }
    fn interrupt(&self) -> &Arc<Interrupt> {
        &self.0.interrupt
    }
    fn count_retry(&self) {
        self.0.stats.retries.fetch_add(1, Ordering::Relaxed);
    }
}

/// The tries of one step.
struct Tries {
    made: u32,
    clock_learned: bool,
    signed_again: bool,
    fresh: bool,
    connect_by: Option<Instant>,
}

impl Exchange {
    /// Carries a step through. `content` gives the bytes that the step sends. Blocks.
    pub fn run(
        &self,
        step: &Step<'_>,
        content: &dyn Bytes,
        desk: &dyn Desk,
    ) -> Result<Answer, Fault> {
        let mut tries = Tries {
            made: 0,
            clock_learned: false,
            signed_again: false,
            fresh: false,
            // A server that was never reached is more likely to be the wrong one than to come back.
            connect_by: (!self.link.was_reached())
                .then(|| Instant::now() + self.link.connect_limit()),
        };
        let mut ambiguous = false;
        loop {
            desk.interrupt().check()?;
            let mut fault = match self.attempt(step, content, desk, &mut tries) {
                Ok(answer) => return Ok(answer),
                Err(fault) => fault,
            };
            ambiguous |= fault.ambiguous;
            fault.ambiguous = ambiguous;
            if !self.may_try_again(&fault, desk, &mut tries)? {
                return Err(fault);
            }
            desk.count_retry();
        }
    }

    /// Decides about another try, and waits before it where that helps.
    fn may_try_again(
        &self,
        fault: &Fault,
        desk: &dyn Desk,
        tries: &mut Tries,
    ) -> Result<bool, Fault> {
        match fault.class {
            Class::Clock if !tries.clock_learned && self.signing.can_refresh() => {
                tries.clock_learned = true;
                tries.fresh = true;
                return Ok(true);
            }
            Class::Auth if !tries.signed_again && self.signing.can_refresh() => {
                tries.signed_again = true;
                tries.fresh = true;
                return Ok(true);
            }
            Class::Slow => self.pace.slow(),
            Class::Retry => {}
            _ => return Ok(false),
        }
        if tries.made >= self.retries {
            return Ok(false);
        }
        let wait = backoff(tries.made, random()?);
        if !self.link.was_reached()
            && tries
                .connect_by
                .is_some_and(|by| Instant::now() + wait >= by)
        {
            return Ok(false);
        }
        tries.made += 1;
        if desk.wants(Level::Warn) {
            desk.log(
                Level::Warn,
                format!(
                    "try {} of {} in {} ms: {}",
                    tries.made + 1,
                    self.retries + 1,
                    wait.as_millis(),
                    fault.error.message
                ),
            );
        }
        pause(wait, desk.interrupt(), desk.reporter().as_deref()).map_err(|_| Error::canceled())?;
        Ok(true)
    }

    fn attempt(
        &self,
        step: &Step<'_>,
        content: &dyn Bytes,
        desk: &dyn Desk,
        tries: &mut Tries,
    ) -> Result<Answer, Fault> {
        crate::torture::moment();
        let request = self.wire.request(step, &boundary()?);
        let authorization = self
            .signing
            .authorization(
                request.op,
                self.wire.subject(),
                request.one_time,
                tries.fresh,
                &|signer, wanted| desk.sign(signer, wanted),
            )
            // A signer that gives up because the upload was canceled did not refuse.
            .map_err(|refusal| desk.interrupt().check().err().unwrap_or(refusal))?;
        // A limited body may be some time in coming: its head must not wait for it.
        let body_follows = !request.is_get && !self.meter.is_limited();
        let contact = Arc::new(Contact::new(body_follows, self.link.takes_spans()));
        let reporter = desk.reporter();
        let mut body = BodyReader {
            pieces: &request.body,
            at: 0,
            pending: Vec::new(),
            pending_at: 0,
            entry: 0,
            content,
            meter: &self.meter,
            interrupt: desk.interrupt(),
            reporter: reporter.as_deref(),
            contact: &contact,
        };
        let started = Instant::now();
        let sent = self.link.send(
            &request,
            &authorization,
            &mut body,
            Context {
                interrupt: Arc::clone(desk.interrupt()),
                reporter: reporter.clone(),
                connect_by: tries.connect_by.filter(|_| !self.link.was_reached()),
                contact: Arc::clone(&contact),
            },
        );
        let reply = match sent {
            Ok(reply) => reply,
            Err(mut failure) => {
                blot_error(&mut failure.error, &authorization);
                return Err(from_failure(failure));
            }
        };
        let mut result = self.wire.read(step, &reply);
        if let Err(fault) = &mut result {
            blot_error(&mut fault.error, &authorization);
        }
        if let Err(fault) = &result
            && fault.class == Class::Clock
            && let Some(server_s) = reply.date.as_deref().and_then(parse_date)
        {
            let ahead_s = self.signing.clock().learn(server_s);
            desk.log(
                Level::Warn,
                format!("this machine's clock is {ahead_s} s behind the server's; signing by the server's"),
            );
        }
        if desk.wants(Level::Debug) {
            let mut request_id = reply.request_id.clone().unwrap_or_default();
            blot(&mut request_id, &authorization);
            desk.log(
                Level::Debug,
                format!(
                    "{}: {} bytes, HTTP {}, {} ms, request id {request_id:?}",
                    request.op,
                    request.body_len(),
                    reply.status,
                    started.elapsed().as_millis()
                ),
            );
        }
        result
    }
}

fn from_failure(failure: Failure) -> Fault {
    Fault {
        class: if failure.retry {
            Class::Retry
        } else {
            Class::Final
        },
        error: failure.error,
        ambiguous: failure.ambiguous,
    }
}

/// A boundary of random digits: it does not occur in the content but by a chance of 2^-128.
fn boundary() -> Result<String, Error> {
    let number = u128::from_ne_bytes(random_bytes()?);
    Ok(format!("cosslice-{number:032x}"))
}

/// The shortest piece of a signature that is one: shorter ones occur by chance.
const PIECE: usize = 12;

/// Some proxies quote the request in their error pages, whole or in part, and pages are quoted in messages: blots out every
/// piece of the signature.
fn blot(text: &mut String, authorization: &str) {
    let secret = authorization.as_bytes();
    let bytes = text.as_bytes();
    let longest_at = |at: usize| {
        secret
            .iter()
            .enumerate()
            .filter(|(_, first)| **first == bytes[at])
            .map(|(from, _)| {
                let pairs = secret[from..].iter().zip(&bytes[at..]);
                pairs.take_while(|(a, b)| a == b).count()
            })
            .max()
            .unwrap_or(0)
    };
    let mut out = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let len = longest_at(at);
        if len >= PIECE {
            out.extend(std::iter::repeat_n(b'*', len));
        } else {
            out.extend_from_slice(&bytes[at..at + 1]);
        }
        at += if len >= PIECE { len } else { 1 };
    }
    // Signatures are ASCII: what was blotted out cut no character in two.
    *text = String::from_utf8_lossy(&out).into_owned();
}

/// Blots a signature out of everything that an error tells.
fn blot_error(error: &mut Error, authorization: &str) {
    blot(&mut error.message, authorization);
    blot(&mut error.server_message, authorization);
    blot(&mut error.request_id, authorization);
}

/// The body of one request, read by ureq straight into its output buffer.
struct BodyReader<'a> {
    pieces: &'a [Piece],
    /// Bytes taken of the first piece.
    at: u64,
    /// Written entries of a list that is made as it is sent.
    pending: Vec<u8>,
    pending_at: usize,
    entry: u64,
    content: &'a dyn Bytes,
    meter: &'a Meter,
    interrupt: &'a Interrupt,
    reporter: Option<&'a Reporter>,
    contact: &'a Contact,
}

impl BodyReader<'_> {
    /// Fills the start of `out`, which is byte `at` of ureq's buffer, from the first piece that has something; 0 at the end.
    fn take(&mut self, out: &mut [u8], at: usize) -> io::Result<usize> {
        while let Some(piece) = self.pieces.first() {
            let taken = match piece {
                Piece::Bytes(bytes) => {
                    let rest = &bytes[usize::try_from(self.at).unwrap_or(bytes.len())..];
                    let n = rest.len().min(out.len());
                    out[..n].copy_from_slice(&rest[..n]);
                    n
                }
                Piece::Content { offset, len } => {
                    let n = usize::try_from(len - self.at)
                        .map_or(out.len(), |rest| rest.min(out.len()));
                    self.read_content(offset + self.at, &mut out[..n], at)?;
                    n
                }
                Piece::Parts(fingerprint) => self.take_entries(fingerprint, out),
            };
            if taken > 0 {
                self.at += taken as u64;
                return Ok(taken);
            }
            self.pieces = &self.pieces[1..];
            self.at = 0;
            self.entry = 0;
        }
        Ok(0)
    }

    fn read_content(&self, offset: u64, out: &mut [u8], at: usize) -> io::Result<()> {
        if out.is_empty() || self.contact.is_deaf() {
            // Nothing to read, or nobody reads it any more: what goes into the buffer does not matter.
            return Ok(());
        }
        if self.contact.takes_spans()
            && let Some(span) = self.content.span(offset, out.len())
        {
            // Nor does it here: the socket takes these bytes from where they are.
            self.contact.put_span(at, span);
            return Ok(());
        }
        self.content
            .read_at(offset, out)
            .map_err(|error| Stop::Own(error).into())
    }

    fn take_entries(&mut self, fingerprint: &Fingerprint, out: &mut [u8]) -> usize {
        if self.pending_at == self.pending.len() {
            self.pending.clear();
            self.pending_at = 0;
            let count = form::parts_count(fingerprint);
            while self.entry < count && self.pending.len() < 4096 {
                self.pending
                    .extend_from_slice(form::parts_entry(fingerprint, self.entry).as_bytes());
                self.entry += 1;
            }
        }
        let rest = &self.pending[self.pending_at..];
        let n = rest.len().min(out.len());
        out[..n].copy_from_slice(&rest[..n]);
        self.pending_at += n;
        n
    }
}

impl Read for BodyReader<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.contact.set_body_begun();
        let mut end = out.len();
        if self.meter.is_limited() && !self.contact.is_deaf() {
            end = end.min(self.meter.portion());
        }
        let mut filled = 0;
        // Across the borders of the pieces: a tiny write of its own would go out for each border otherwise.
        while filled < end {
            match self.take(&mut out[filled..end], filled)? {
                0 => break,
                n => filled += n,
            }
        }
        if self.meter.is_limited() && !self.contact.is_deaf() {
            let wait = self.meter.book(filled, Instant::now());
            pause(wait, self.interrupt, self.reporter)?;
        }
        if filled == 0 && !out.is_empty() {
            // ureq turns in circles on a body that ends early (measured); it never asks behind the Content-Length.
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(filled)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::Tally;
    use crate::source::{Memory, Slot};

    /// All that goes out for a body, with the spans in their places.
    fn read_all(pieces: &[Piece], content: &dyn Bytes, chunk: usize, takes_spans: bool) -> Vec<u8> {
        let total: u64 = pieces.iter().map(Piece::len).sum();
        let (meter, interrupt) = (Meter::new(0), Interrupt::default());
        let contact = Contact::new(true, takes_spans);
        let mut reader = BodyReader {
            pieces,
            at: 0,
            pending: Vec::new(),
            pending_at: 0,
            entry: 0,
            content,
            meter: &meter,
            interrupt: &interrupt,
            reporter: None,
            contact: &contact,
        };
        let mut out = Vec::new();
        let mut spanned = false;
        let mut buffer = vec![0; chunk];
        while (out.len() as u64) < total {
            let n = reader.read(&mut buffer).unwrap();
            if let Some((at, span)) = contact.take_span() {
                let span = span.as_ref();
                assert!(!span.is_empty());
                spanned = true;
                buffer[at..at + span.len()].copy_from_slice(span);
            }
            out.extend_from_slice(&buffer[..n]);
        }
        assert!(
            reader.read(&mut buffer).is_err(),
            "an early end is an error"
        );
        assert_eq!(spanned, takes_spans);
        out
    }

    #[test]
    fn a_body_is_its_pieces_in_any_buffer() {
        let content: Vec<u8> = (0..10_000).map(|i| (i % 251) as u8).collect();
        let mut tally = Tally::new(64);
        tally.update(&content);
        let fingerprint = Arc::new(tally.finish());
        let pieces = [
            Piece::Bytes(b"head".to_vec()),
            Piece::Parts(Arc::clone(&fingerprint)),
            Piece::Bytes(Vec::new()),
            Piece::Content {
                offset: 100,
                len: 9000,
            },
            Piece::Bytes(b"tail".to_vec()),
        ];
        let memory = Memory::new(0, content.as_slice());
        let whole = read_all(&pieces, &memory, 1 << 20, false);
        for chunk in [1, 7, 64, 4096, 4097] {
            assert_eq!(read_all(&pieces, &memory, chunk, false), whole);
        }
        assert!(whole.starts_with(b"head[{\"offset\":0,"));
        assert_eq!(
            &whole[whole.len() - 9004..whole.len() - 4],
            &content[100..9100]
        );
    }

    #[test]
    fn what_can_be_shared_is_not_copied() {
        let slot = Slot::new(100, (0..250).collect());
        let pieces = [
            Piece::Bytes(b"head".to_vec()),
            Piece::Content {
                offset: 110,
                len: 200,
            },
            Piece::Bytes(b"tail".to_vec()),
        ];
        let content: Vec<u8> = (10..210).collect();
        for chunk in [3, 4, 5, 100, 204, 205, 300] {
            let sent = read_all(&pieces, &slot, chunk, true);
            assert_eq!(sent, [b"head", &content[..], b"tail"].concat(), "{chunk}");
        }
        assert_eq!(slot.into_buffer().map(|buffer| buffer.len()), Some(250));
    }

    #[test]
    fn quoted_signatures_are_blotted_out() {
        let signature = "s4g8BJ/dTXK536Q0L0nOO4G35PZhPTEyNTAwMDAwMDA=";
        for (text, expected) in [
            (format!("é {signature}!"), format!("é {}!", "*".repeat(44))),
            (signature[10..25].to_string(), "*".repeat(15)),
            (signature[10..20].to_string(), signature[10..20].to_string()),
            (
                "nothing of the kind".to_string(),
                "nothing of the kind".to_string(),
            ),
            (String::new(), String::new()),
        ] {
            let mut text = text;
            blot(&mut text, signature);
            assert_eq!(text, expected);
        }
    }
}
