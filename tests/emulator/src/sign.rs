//! v4 signatures: base64(HMAC-SHA1(secret key, plaintext) + plaintext) (protocol 3).

use crate::codes::{self, Fail};
use crate::path::{collapse_slashes, percent_decode};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

/// Signs a plaintext, for tests and for the hints printed at the start.
pub fn sign(secret_key: &str, plaintext: &str) -> String {
    let mut value = mac_of(secret_key, plaintext.as_bytes());
    value.extend_from_slice(plaintext.as_bytes());
    STANDARD.encode(value)
}

fn mac_of(secret_key: &str, plaintext: &[u8]) -> Vec<u8> {
    // HMAC takes keys of any length, so the error cannot happen; an empty MAC matches nothing.
    let Ok(mut mac) = Hmac::<Sha1>::new_from_slice(secret_key.as_bytes()) else {
        return Vec::new();
    };
    mac.update(plaintext);
    mac.finalize().into_bytes().to_vec()
}

/// A signature taken apart. The order of the keys is free: SDKs differ.
#[derive(Debug, Clone)]
pub struct Signature {
    mac: Vec<u8>,
    pub plaintext: Vec<u8>,
}

impl Signature {
    pub fn decode(value: &str) -> Option<Self> {
        let mut bytes = STANDARD.decode(value.trim()).ok()?;
        (bytes.len() > 20).then(|| {
            let plaintext = bytes.split_off(20);
            Self {
                mac: bytes,
                plaintext,
            }
        })
    }

    fn get(&self, key: &str) -> Option<&[u8]> {
        self.plaintext
            .split(|b| *b == b'&')
            .find_map(|pair| pair.strip_prefix(key.as_bytes())?.strip_prefix(b"="))
    }

    fn number(&self, key: &str) -> Option<i64> {
        std::str::from_utf8(self.get(key)?)
            .ok()?
            .trim()
            .parse()
            .ok()
    }
}

/// Who may sign, and for what.
#[derive(Debug, Clone)]
pub struct Account {
    pub app_id: String,
    pub bucket: String,
    pub secret_id: String,
    pub secret_key: String,
}

/// What a signature is checked against.
pub struct Demand<'a> {
    pub appid: &'a str,
    pub bucket: &'a str,
    /// The decoded path of the object.
    pub path: &'a [u8],
    /// delete and update take one-time signatures only (protocol 3.3).
    pub one_time: bool,
    pub now: i64,
    pub expired_code: i64,
    pub max_lifetime_s: Option<i64>,
}

/// One-time signatures seen. Not kept across a restart.
#[derive(Default)]
pub struct Replays(Mutex<HashSet<Vec<u8>>>);

impl Replays {
    fn first_time(&self, mac: &[u8]) -> bool {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(mac.to_vec())
    }

    pub fn clear(&self) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }
}

/// Checks a signature the way the proxy does: who, then the MAC over the bytes received, then for what and when.
pub fn verify(
    value: Option<&str>,
    account: &Account,
    demand: &Demand,
    replays: &Replays,
) -> Result<(), Fail> {
    let value = value
        .map(str::trim)
        .filter(|v| !v.is_empty())
        .ok_or_else(codes::sign_empty)?;
    let signature = Signature::decode(value).ok_or_else(codes::sign_garbled)?;
    let secret_id = signature
        .get("k")
        .filter(|k| !k.is_empty())
        .ok_or_else(codes::secret_id_missing)?;
    if secret_id != account.secret_id.as_bytes() {
        return Err(codes::secret_id_unknown());
    }
    if signature.mac != mac_of(&account.secret_key, &signature.plaintext) {
        return Err(codes::mac_differs());
    }
    if signature.get("a") != Some(demand.appid.as_bytes()) {
        return Err(codes::appid_mismatch());
    }
    if demand.appid != account.app_id {
        return Err(codes::appid_unknown());
    }
    if signature.get("b") != Some(demand.bucket.as_bytes()) {
        return Err(codes::bucket_mismatch());
    }
    let expiry = signature.number("e").ok_or_else(codes::expiry_missing)?;
    // f is percent-encoded by some and not by others: compare decoded.
    let file = collapse_slashes(&percent_decode(signature.get("f").unwrap_or(&[]), false));
    let mut full = format!("/{}/{}", demand.appid, demand.bucket).into_bytes();
    full.extend_from_slice(demand.path);
    if expiry == 0 {
        return match () {
            () if file.is_empty() => Err(codes::one_time_without_file()),
            () if file != full => Err(codes::fileid_mismatch()),
            () if !replays.first_time(&signature.mac) => Err(codes::replayed()),
            () => Ok(()),
        };
    }
    if expiry < demand.now {
        let name = if demand.expired_code == -96 {
            "ERROR_PROXY_AUTH_EXPIRED"
        } else {
            "ERROR_PROXY_S3_AUTH_EXPIRED"
        };
        return Err(Fail::new(403, demand.expired_code, name));
    }
    let signed_at = signature.number("t").unwrap_or(demand.now);
    if demand
        .max_lifetime_s
        .is_some_and(|max| expiry.saturating_sub(signed_at) > max)
    {
        return Err(codes::lifetime_too_long());
    }
    if demand.one_time {
        return Err(codes::one_time_needed());
    }
    if !full.starts_with(&file) {
        return Err(codes::fileid_mismatch());
    }
    Ok(())
}
