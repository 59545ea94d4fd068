//! v4 signatures: who makes them, how long they last, and the server's clock (protocol 3).

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use zeroize::Zeroizing;

use crate::error::{Error, Status};

/// What a signature is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// The account's number.
    pub app_id: String,
    /// The short bucket name.
    pub bucket: String,
    /// The object's name as the caller wrote it.
    pub path: String,
    /// The `f` field: `/appid/bucket/encoded-path`.
    pub file_id: String,
}

/// One signature that is wanted.
#[derive(Debug, Clone)]
pub struct SignRequest {
    /// The operation, in the wire's words.
    pub op: &'static str,
    /// The object.
    pub subject: Arc<Subject>,
    /// Unix seconds; 0 asks for a one-time signature.
    pub expires_at_s: u64,
    /// Unix seconds by the server's clock, as far as it is known.
    pub now_s: u64,
}

/// A signer outside the library.
pub trait Signer: Send + Sync {
    /// The whole Authorization value, or why there is none. Called on the caller's thread only.
    fn sign(&self, request: &SignRequest) -> Result<String, Error>;
}

/// Time as the server sees it.
#[derive(Debug, Default)]
pub struct Clock {
    ahead_s: AtomicI64,
}

impl Clock {
    /// Unix seconds, corrected by what was learned.
    pub fn now_s(&self) -> u64 {
        let local = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_secs());
        local.saturating_add_signed(self.ahead_s.load(Ordering::Relaxed))
    }

    /// Learns from the server's own time. Returns by how many seconds the server is ahead of this machine.
    pub fn learn(&self, server_s: u64) -> i64 {
        let before = self.ahead_s.load(Ordering::Relaxed);
        let now = i64::try_from(self.now_s()).unwrap_or(i64::MAX);
        let server = i64::try_from(server_s).unwrap_or(i64::MAX);
        let ahead = before.saturating_add(server.saturating_sub(now));
        self.ahead_s.store(ahead, Ordering::Relaxed);
        ahead
    }
}

/// Signs with a key pair. `expires_s` 0 makes a one-time signature.
///
/// The field order is that of most SDKs; servers take any (protocol 3.1).
pub fn sign(
    secret_id: &str,
    secret_key: &str,
    subject: &Subject,
    expires_s: u64,
    now_s: u64,
    random: u32,
) -> Result<String, Error> {
    let plaintext = format!(
        "a={}&k={}&e={}&t={}&r={}&f={}&b={}",
        subject.app_id, secret_id, expires_s, now_s, random, subject.file_id, subject.bucket
    );
    seal(secret_key, &plaintext)
}

/// base64 of the plaintext's HMAC-SHA1 followed by the plaintext.
fn seal(secret_key: &str, plaintext: &str) -> Result<String, Error> {
    let mut mac = Hmac::<Sha1>::new_from_slice(secret_key.as_bytes())
        .map_err(|_| Error::new(Status::Auth, "SECRET_KEY cannot be used as a key"))?;
    mac.update(plaintext.as_bytes());
    let mut value = mac.finalize().into_bytes().to_vec();
    value.extend_from_slice(plaintext.as_bytes());
    Ok(BASE64_STANDARD.encode(value))
}

/// A random `r`: COS remembers pairs of time and r of one-time signatures (protocol 3.5). Always of ten digits, so that all
/// signatures for a path have the same length and who asks for the length first is not told a wrong one.
pub fn nonce() -> Result<u32, Error> {
    const LEAST: u32 = 1_000_000_000;
    Ok(LEAST + random()? % (u32::MAX - LEAST))
}

/// Thirty-two random bits.
pub fn random() -> Result<u32, Error> {
    random_bytes().map(u32::from_ne_bytes)
}

/// Random bytes of the system.
pub fn random_bytes<const N: usize>() -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|e| {
        Error::new(
            Status::Auth,
            format!("the system has no random numbers: {e}"),
        )
    })?;
    Ok(bytes)
}

/// When a signature ends by its own words: its plaintext holds `e=`. `None` when it cannot be read or is one-time.
pub fn expiry_of(signature: &str) -> Option<u64> {
    let bytes = BASE64_STANDARD.decode(signature.trim()).ok()?;
    let plaintext = std::str::from_utf8(bytes.get(20..)?).ok()?;
    let field = plaintext.split('&').find_map(|f| f.strip_prefix("e="))?;
    field.parse().ok().filter(|expires| *expires > 0)
}

/// Where signatures come from.
pub enum Credentials {
    /// A key pair held by the config.
    Keys {
        /// The public half.
        id: String,
        /// The secret half, wiped on drop.
        key: Zeroizing<String>,
    },
    /// One ready-made signature.
    Fixed(Zeroizing<String>),
    /// A callback.
    Callback(Arc<dyn Signer>),
}

/// Signatures for one upload.
pub struct Signing {
    credentials: Credentials,
    clock: Arc<Clock>,
    ttl_s: u64,
    cached: Mutex<Option<(String, u64)>>,
}

/// A cached signature is given up this many seconds before it ends, so that it survives the request it is for.
const MARGIN_S: u64 = 60;

impl Signing {
    /// Signatures by `credentials`, valid for `ttl_s` seconds where the library chooses.
    pub fn new(credentials: Credentials, clock: Arc<Clock>, ttl_s: u64) -> Self {
        Signing {
            credentials,
            clock,
            ttl_s,
            cached: Mutex::new(None),
        }
    }

    /// The clock that signatures are made by.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Whether a refused signature can be replaced by another one.
    pub fn can_refresh(&self) -> bool {
        !matches!(self.credentials, Credentials::Fixed(_))
    }

    /// An Authorization value. `fresh` forbids a cached one. `ask` reaches the callback from wherever this runs.
    pub fn authorization(
        &self,
        op: &'static str,
        subject: &Arc<Subject>,
        one_time: bool,
        fresh: bool,
        ask: &dyn Fn(&dyn Signer, &SignRequest) -> Result<String, Error>,
    ) -> Result<String, Error> {
        let now_s = self.clock.now_s();
        let expires_at_s = if one_time { 0 } else { now_s + self.ttl_s };
        match &self.credentials {
            Credentials::Keys { id, key } => sign(id, key, subject, expires_at_s, now_s, nonce()?),
            Credentials::Fixed(signature) if !one_time => Ok(signature.to_string()),
            Credentials::Fixed(_) => Err(Error::new(
                Status::Auth,
                "discarding an unfinished upload needs a one-time signature, which AUTHORIZATION cannot give; \
                 use a key pair or a signer",
            )),
            Credentials::Callback(signer) => {
                if !one_time
                    && !fresh
                    && let Some(signature) = self.take_cached(now_s)
                {
                    return Ok(signature);
                }
                let request = SignRequest {
                    op,
                    subject: Arc::clone(subject),
                    expires_at_s,
                    now_s,
                };
                let signature = ask(signer.as_ref(), &request)?;
                if !one_time && let Some(ends) = expiry_of(&signature) {
                    let mut cached = self.cached.lock().unwrap_or_else(PoisonError::into_inner);
                    *cached = Some((signature.clone(), ends));
                }
                Ok(signature)
            }
        }
    }

    /// Answers a request that came from a worker, on the caller's thread.
    pub fn answer(&self, request: &SignRequest) -> Result<String, Error> {
        match &self.credentials {
            Credentials::Callback(signer) => signer.sign(request),
            _ => Err(Error::new(Status::Auth, "there is no signer to ask")),
        }
    }

    fn take_cached(&self, now_s: u64) -> Option<String> {
        let cached = self.cached.lock().unwrap_or_else(PoisonError::into_inner);
        let (signature, ends) = cached.as_ref()?;
        (now_s + MARGIN_S.min(self.ttl_s / 4) < *ends).then(|| signature.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "examplesecretkey";

    fn subject(file_id: &str) -> Subject {
        Subject {
            app_id: "1250000000".into(),
            bucket: "bkt".into(),
            path: String::new(),
            file_id: file_id.into(),
        }
    }

    #[test]
    fn vectors_of_protocol_3_7() {
        let file = "/1250000000/bkt/dir/a%20b%2B%E4%B8%AD.txt";
        let (now, end) = (1_500_000_000, 1_500_000_300);
        let cases = [
            (
                "",
                end,
                "s4g8BJ/dTXK536Q0L0nOO4G35PZhPTEyNTAwMDAwMDAmaz1BS0lERVhBTVBMRSZlPTE1MDAwMDAzMDAmdD0xNTAwMDAwMDAwJnI9MTIzNDU2Nzg5MCZmPSZiPWJrdA==",
            ),
            (
                file,
                end,
                "L5wxXeFStjEfcWlcosIHkCwgeTthPTEyNTAwMDAwMDAmaz1BS0lERVhBTVBMRSZlPTE1MDAwMDAzMDAmdD0xNTAwMDAwMDAwJnI9MTIzNDU2Nzg5MCZmPS8xMjUwMDAwMDAwL2JrdC9kaXIvYSUyMGIlMkIlRTQlQjglQUQudHh0JmI9Ymt0",
            ),
            (
                file,
                0,
                "fvOTe8VJaT2BSw39uptanercrJ9hPTEyNTAwMDAwMDAmaz1BS0lERVhBTVBMRSZlPTAmdD0xNTAwMDAwMDAwJnI9MTIzNDU2Nzg5MCZmPS8xMjUwMDAwMDAwL2JrdC9kaXIvYSUyMGIlMkIlRTQlQjglQUQudHh0JmI9Ymt0",
            ),
        ];
        for (file_id, expires, expected) in cases {
            let made = sign(
                "AKIDEXAMPLE",
                KEY,
                &subject(file_id),
                expires,
                now,
                1_234_567_890,
            );
            assert_eq!(made.unwrap(), expected);
        }
        // Vector 2 has the other field order: the seal is the same work.
        assert_eq!(
            seal(
                KEY,
                "a=1250000000&b=bkt&k=AKIDEXAMPLE&e=1500000300&t=1500000000&r=1234567890&f="
            )
            .unwrap(),
            "xkZEEkv3IfhCBJ4JlvAYopOgimthPTEyNTAwMDAwMDAmYj1ia3Qmaz1BS0lERVhBTVBMRSZlPTE1MDAwMDAzMDAmdD0xNTAwMDAwMDAwJnI9MTIzNDU2Nzg5MCZmPQ=="
        );
    }

    #[test]
    fn a_signature_tells_its_end() {
        let make = |e| sign("AKID", KEY, &subject(""), e, 1, 2).unwrap();
        assert_eq!(expiry_of(&make(1_500_000_300)), Some(1_500_000_300));
        assert_eq!(expiry_of(&make(0)), None, "one-time");
        assert_eq!(expiry_of("token from elsewhere"), None);
        assert_eq!(expiry_of(""), None);
    }

    struct Counting(std::sync::atomic::AtomicU32, u64);
    impl Signer for Counting {
        fn sign(&self, request: &SignRequest) -> Result<String, Error> {
            self.0.fetch_add(1, Ordering::Relaxed);
            sign(
                "AKID",
                KEY,
                &request.subject,
                request.now_s + self.1,
                request.now_s,
                7,
            )
        }
    }

    fn calls(lifetime: u64, fresh: bool, one_time: bool) -> u32 {
        let signer = Arc::new(Counting(0.into(), lifetime));
        let signing = Signing::new(Credentials::Callback(signer.clone()), Arc::default(), 900);
        let subject = Arc::new(subject("/f"));
        for _ in 0..3 {
            signing
                .authorization("op", &subject, one_time, fresh, &|s, r| s.sign(r))
                .unwrap();
        }
        signer.0.load(Ordering::Relaxed)
    }

    #[test]
    fn callbacks_are_cached_until_shortly_before_the_end() {
        assert_eq!(calls(900, false, false), 1);
        assert_eq!(calls(30, false, false), 3, "ends within the margin");
        assert_eq!(calls(900, true, false), 3, "asked to be fresh");
        assert_eq!(calls(900, false, true), 3, "one-time");
    }

    #[test]
    fn the_clock_learns() {
        let clock = Clock::default();
        let ahead = clock.learn(clock.now_s() + 4000);
        assert!((3999..=4001).contains(&ahead));
        let again = clock.learn(clock.now_s());
        assert!((3998..=4002).contains(&again), "{again}");
    }
}
