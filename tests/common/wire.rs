//! What every request must be like (protocol.md 1, 2, 3 and 4), checked on what the emulator recorded.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use cosslice_emulator::{Recorded, RecordedField};
use serde_json::Value;

use super::{APP_ID, BUCKET, SECRET_ID};

/// How the library's own signatures are made.
pub struct Signed {
    pub bucket: String,
    pub secret_id: String,
    pub ttl_s: u64,
}

impl Default for Signed {
    fn default() -> Self {
        Signed {
            bucket: BUCKET.into(),
            secret_id: SECRET_ID.into(),
            ttl_s: 900,
        }
    }
}

/// Fields of each operation in their order. Optional ones are in brackets.
pub const FORMS: &[(&str, &[&str])] = &[
    (
        "upload",
        &["op", "[sha]", "insertOnly", "[biz_attr]", "filecontent"],
    ),
    (
        "upload_slice_init",
        &[
            "op",
            "filesize",
            "slice_size",
            "insertOnly",
            "[biz_attr]",
            "[sha]",
            "[uploadparts]",
        ],
    ),
    (
        "upload_slice_data",
        &["op", "session", "offset", "[sha]", "filecontent"],
    ),
    ("upload_slice_list", &["op"]),
    (
        "upload_slice_finish",
        &["op", "session", "filesize", "[sha]"],
    ),
    ("stat", &["op"]),
    ("delete", &["op"]),
];

macro_rules! ensure {
    ($holds:expr, $($words:tt)*) => {
        if !$holds {
            return Err(format!($($words)*));
        }
    };
}
pub(crate) use ensure;

/// Whether all of a request arrived.
pub fn is_whole(r: &Recorded) -> bool {
    r.content_length.unwrap_or(0) == r.body_read && !r.fields.is_empty()
}

/// Checks requests one by one and together. Requests that a fault cut off are checked as far as they go.
///
/// `signed` is `None` when the signatures were not made by the library.
pub fn check(requests: &[Arc<Recorded>], signed: Option<&Signed>) -> Result<(), String> {
    let mut declared: BTreeMap<String, bool> = BTreeMap::new();
    for r in requests {
        check_one(r, signed).map_err(|why| format!("request #{} ({}): {why}", r.seq, r.op))?;
        let reply: Value = serde_json::from_str(&r.reply).unwrap_or_default();
        let data = &reply["data"];
        if let (0, Some(session)) = (
            reply["code"].as_i64().unwrap_or(-1),
            data["session"].as_str(),
        ) {
            match r.op.as_str() {
                "upload_slice_init" => {
                    declared.insert(session.into(), r.field("sha").is_some());
                }
                "upload_slice_list" => {
                    declared.insert(session.into(), data["sha"].is_string());
                }
                _ => {}
            }
        }
        let follows = matches!(r.op.as_str(), "upload_slice_data" | "upload_slice_finish");
        if let (true, true, Some(session)) = (follows, is_whole(r), r.field("session"))
            && let Some(declared) = declared.get(session)
        {
            ensure!(
                r.field("sha").is_some() == *declared,
                "request #{} ({}) has sha: {}, but init declared one: {declared}",
                r.seq,
                r.op,
                !declared
            );
        }
    }
    signed.map_or(Ok(()), |_| check_freshness(requests))
}

fn check_freshness(requests: &[Arc<Recorded>]) -> Result<(), String> {
    let mut seen = BTreeSet::new();
    for r in requests {
        if let Some(signature) = r.header("authorization") {
            ensure!(
                seen.insert(signature),
                "request #{} ({}) repeats a signature",
                r.seq,
                r.op
            );
        }
    }
    Ok(())
}

fn check_one(r: &Recorded, signed: Option<&Signed>) -> Result<(), String> {
    check_head(r)?;
    if let Some(signed) = signed {
        check_signature(r, &plaintext_of(r)?, signed)?;
    }
    if !is_whole(r) {
        ensure!(
            r.status == 0 || !r.faults.is_empty(),
            "{:?} bytes were announced, {} came",
            r.content_length,
            r.body_read
        );
        return Ok(());
    }
    check_fields(r)
}

fn check_head(r: &Recorded) -> Result<(), String> {
    let names: Vec<String> = r
        .headers
        .iter()
        .map(|(n, _)| n.to_ascii_lowercase())
        .collect();
    for name in &names {
        let times = names.iter().filter(|n| *n == name).count();
        ensure!(times == 1, "header {name} comes {times} times");
    }
    for name in ["expect", "transfer-encoding", "cookie", "referer"] {
        ensure!(!names.iter().any(|n| n == name), "there is a header {name}");
    }
    ensure!(!r.chunked, "chunked");
    for name in ["host", "authorization", "user-agent"] {
        ensure!(names.iter().any(|n| n == name), "no header {name}");
    }
    let place = format!("/files/v2/{APP_ID}/");
    ensure!(r.target.starts_with(&place), "target {}", r.target);
    if r.method == "GET" {
        ensure!(r.target.ends_with("?op=stat"), "target {}", r.target);
        ensure!(
            r.content_length.unwrap_or(0) == 0 && r.header("content-type").is_none(),
            "a GET with a body"
        );
        return Ok(());
    }
    ensure!(
        r.method == "POST" && !r.target.contains('?'),
        "{} {}",
        r.method,
        r.target
    );
    ensure!(r.content_length.is_some(), "no Content-Length");
    let kind = r.header("content-type").unwrap_or_default();
    if kind == "application/json" {
        return Ok(());
    }
    let boundary = kind
        .strip_prefix("multipart/form-data; boundary=")
        .ok_or_else(|| format!("Content-Type {kind}"))?;
    let fits = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
    ensure!(
        (16..=70).contains(&boundary.len()) && boundary.bytes().all(fits),
        "boundary {boundary}"
    );
    Ok(())
}

/// The parts of a signature's plaintext.
pub fn sign_fields(plaintext: &str) -> BTreeMap<&str, &str> {
    plaintext
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .collect()
}

/// The path of a target behind `/files/v2`, as it stands in the URL.
pub fn file_id(target: &str) -> &str {
    let path = target.split('?').next().unwrap_or(target);
    path.strip_prefix("/files/v2").unwrap_or(path)
}

/// What the Authorization header holds behind its MAC.
pub fn plaintext_of(r: &Recorded) -> Result<String, String> {
    let value = r.header("authorization").unwrap_or_default();
    let bytes = BASE64_STANDARD
        .decode(value)
        .map_err(|e| format!("Authorization {value}: {e}"))?;
    ensure!(bytes.len() > 20, "Authorization {value}");
    String::from_utf8(bytes[20..].to_vec()).map_err(|e| e.to_string())
}

fn check_signature(r: &Recorded, plaintext: &str, signed: &Signed) -> Result<(), String> {
    let fields = sign_fields(plaintext);
    let names: Vec<&str> = fields.keys().copied().collect();
    ensure!(
        names == ["a", "b", "e", "f", "k", "r", "t"] && plaintext.matches('&').count() == 6,
        "signature of {plaintext}"
    );
    ensure!(
        fields["a"] == APP_ID && fields["b"] == signed.bucket && fields["k"] == signed.secret_id,
        "signature of {plaintext}"
    );
    ensure!(
        fields["f"] == file_id(&r.target),
        "signature for {}, URL for {}",
        fields["f"],
        r.target
    );
    let number = |name: &str| fields[name].parse::<u64>().map_err(|e| e.to_string());
    let (end, now, random) = (number("e")?, number("t")?, number("r")?);
    ensure!(random <= u64::from(u32::MAX), "r={random}");
    if r.op == "delete" {
        ensure!(end == 0, "delete needs a one-time signature: {plaintext}");
    } else {
        ensure!(end == now + signed.ttl_s, "e={end} t={now}");
    }
    Ok(())
}

fn check_fields(r: &Recorded) -> Result<(), String> {
    let form = FORMS
        .iter()
        .find(|(op, _)| *op == r.op)
        .ok_or("an operation that the library does not know")?
        .1;
    let names: Vec<&str> = r.fields.iter().map(|f| f.name.as_str()).collect();
    let expected: Vec<&str> = form
        .iter()
        .filter_map(|name| match name.strip_prefix('[') {
            Some(optional) => {
                let optional = optional.trim_end_matches(']');
                names.contains(&optional).then_some(optional)
            }
            None => Some(*name),
        })
        .collect();
    ensure!(names == expected, "fields {names:?} are not {expected:?}");
    ensure!(
        r.field("op") == Some(r.op.as_str()),
        "op is {:?}",
        r.field("op")
    );
    if r.op == "upload_slice_init" {
        ensure!(
            names.contains(&"sha") == names.contains(&"uploadparts"),
            "sha and uploadparts go together: {names:?}"
        );
    }
    if let Some(sha) = r.field("sha") {
        let fits = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        ensure!(sha.len() == 40 && sha.bytes().all(fits), "sha {sha}");
    }
    for name in ["filesize", "slice_size", "offset"] {
        if let Some(value) = r.field(name) {
            ensure!(
                value.parse::<u64>().is_ok_and(|n| n.to_string() == value),
                "{name} {value}"
            );
        }
    }
    if r.method == "GET" || r.op == "delete" {
        return Ok(());
    }
    r.fields.iter().try_for_each(check_part)
}

/// Text parts have a name only; the binary part a file name and its type.
fn check_part(field: &RecordedField) -> Result<(), String> {
    let name = &field.name;
    let headers: Vec<(&str, &str)> = field
        .headers
        .iter()
        .map(|(n, v)| (n.as_str(), v.as_str()))
        .collect();
    let bare = format!("form-data; name=\"{name}\"");
    if name == "filecontent" {
        ensure!(
            headers.len() == 2
                && headers[0].0 == "Content-Disposition"
                && headers[0].1.starts_with(&format!("{bare}; filename=\""))
                && headers[1] == ("Content-Type", "application/octet-stream")
                && field.filename.as_deref().is_some_and(|f| !f.is_empty()),
            "the binary part has {headers:?}"
        );
    } else {
        ensure!(
            headers == [("Content-Disposition", bare.as_str())] && field.filename.is_none(),
            "part {name} has {headers:?}"
        );
    }
    Ok(())
}
