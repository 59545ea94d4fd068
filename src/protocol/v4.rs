//! The v4 JSON API, `/files/v2`: requests and replies of the slice operations (protocol 4).

use std::sync::Arc;

use serde_json::{Map, Value};

use super::form::Form;
use super::{
    Addresses, Answer, Class, Content, Facts, Fault, Piece, Plan, Reply, Request, Standing, Step,
    Wire, codes, path,
};
use crate::config::{MAX_SLICE_SIZE, MAX_SLICES};
use crate::error::{Error, Status};
use crate::hash::{Digest, Fingerprint};
use crate::sign::Subject;

/// A reply about one thing: a session, a slice, an object.
const SMALL_REPLY: u64 = 1 << 20;
/// The most that one entry of `listparts` takes, white space included.
const LIST_ENTRY: u64 = 160;

/// The v4 protocol for one object.
pub struct V4 {
    subject: Arc<Subject>,
    replace: bool,
    biz_attr: String,
}

impl V4 {
    /// For one object. `replace` lets it take the place of an object of the same name.
    pub fn new(
        app_id: &str,
        bucket: &str,
        path: &str,
        replace: bool,
        biz_attr: &str,
    ) -> Result<Self, Error> {
        path::check(path)?;
        Ok(V4 {
            subject: Arc::new(subject(app_id, bucket, path)),
            replace,
            biz_attr: biz_attr.to_string(),
        })
    }

    fn post<'b>(&self, op: &'static str, form: Form<'b>, boundary: &'b str) -> Request {
        Request {
            op,
            is_get: false,
            target: self.subject.file_id.clone(),
            content_type: Form::content_type(boundary),
            body: form.finish(),
            one_time: false,
            reply_limit: SMALL_REPLY,
        }
    }

    /// `insertOnly` and `biz_attr`, which the opening operations share (protocol 4.1, 4.2).
    fn attributes<'b>(&self, form: Form<'b>) -> Form<'b> {
        let form = form.text("insertOnly", if self.replace { "0" } else { "1" });
        if self.biz_attr.is_empty() {
            form
        } else {
            form.text("biz_attr", &self.biz_attr)
        }
    }
}

/// What a signature for an object is made for. The path may be empty: such a signature is good for the whole bucket.
pub fn subject(app_id: &str, bucket: &str, path: &str) -> Subject {
    let file_id = if path.is_empty() {
        String::new()
    } else {
        format!("/{app_id}/{bucket}{}", path::encode(path))
    };
    Subject {
        app_id: app_id.to_string(),
        bucket: bucket.to_string(),
        path: path.to_string(),
        file_id,
    }
}

/// `sha` and `uploadparts` go together, and only with 1 MiB slices: the SDKs disagree about the rest (protocol 5, 9.2).
fn declared(content: &Content, slice_size: u64) -> Option<&Arc<Fingerprint>> {
    content
        .fingerprint
        .as_ref()
        .filter(|f| f.grid == slice_size && slice_size == crate::config::DEFAULT_SLICE_SIZE)
        .filter(|f| f.has_states())
}

impl Wire for V4 {
    fn subject(&self) -> &Arc<Subject> {
        &self.subject
    }

    fn request(&self, step: &Step<'_>, boundary: &str) -> Request {
        let form = Form::new(boundary);
        match step {
            Step::Single(content) => {
                let op = "upload";
                let mut form = form.text("op", op);
                if let Some(fingerprint) = &content.fingerprint {
                    form = form.text("sha", &fingerprint.digest.to_string());
                }
                let form = self
                    .attributes(form)
                    .content("filecontent", "data", 0, content.size);
                self.post(op, form, boundary)
            }
            Step::Open(content, slice_size) => {
                let op = "upload_slice_init";
                let mut form = form
                    .text("op", op)
                    .text("filesize", &content.size.to_string())
                    .text("slice_size", &slice_size.to_string());
                form = self.attributes(form);
                if let Some(fingerprint) = declared(content, *slice_size) {
                    form = form
                        .text("sha", &fingerprint.digest.to_string())
                        .parts("uploadparts", fingerprint);
                }
                self.post(op, form, boundary)
            }
            Step::Put { plan, offset, len } => {
                let op = "upload_slice_data";
                let mut form = form
                    .text("op", op)
                    .text("session", &plan.session)
                    .text("offset", &offset.to_string());
                // Four SDKs repeat the digest of the whole in every slice (protocol 9.3).
                if let Some(digest) = plan.declared {
                    form = form.text("sha", &digest.to_string());
                }
                let form = form.content("filecontent", "data", *offset, *len);
                self.post(op, form, boundary)
            }
            Step::List { expected } => {
                let op = "upload_slice_list";
                let mut request = self.post(op, form.text("op", op), boundary);
                request.reply_limit = SMALL_REPLY + expected * LIST_ENTRY;
                request
            }
            Step::Commit(plan) => {
                let op = "upload_slice_finish";
                let mut form = form
                    .text("op", op)
                    .text("session", &plan.session)
                    .text("filesize", &plan.size.to_string());
                // Exactly when it was declared at the start; otherwise -29094 (protocol 4.5).
                if let Some(digest) = plan.declared {
                    form = form.text("sha", &digest.to_string());
                }
                self.post(op, form, boundary)
            }
            Step::Inspect => Request {
                op: "stat",
                is_get: true,
                target: format!("{}?op=stat", self.subject.file_id),
                content_type: String::new(),
                body: Vec::new(),
                one_time: false,
                reply_limit: SMALL_REPLY,
            },
            Step::Discard => Request {
                op: "delete",
                is_get: false,
                target: self.subject.file_id.clone(),
                content_type: "application/json".into(),
                body: vec![Piece::Bytes(br#"{"op":"delete"}"#.to_vec())],
                one_time: true,
                reply_limit: SMALL_REPLY,
            },
        }
    }

    fn read(&self, step: &Step<'_>, reply: &Reply) -> Result<Answer, Fault> {
        let envelope = Envelope::open(reply)?;
        if envelope.code != 0 {
            return Err(envelope.refusal());
        }
        if !(200..300).contains(&reply.status) {
            // Success in words and failure in deeds: believe neither, ask again.
            return Err(envelope.odd("code 0 with an HTTP status that is no success"));
        }
        let data = &envelope.data;
        match step {
            Step::Single(_) | Step::Commit(_) => Ok(Answer::Stored(self.addresses(data))),
            Step::Open(content, asked) => {
                if data.contains_key("access_url") && !data.contains_key("session") {
                    return Ok(Answer::Instant(self.addresses(data)));
                }
                let plan = Plan {
                    session: text(data, "session")
                        .ok_or_else(|| envelope.odd("no session in the reply"))?,
                    size: content.size,
                    slice_size: slice_size(data, *asked, content.size)
                        .map_err(|why| envelope.odd(why))?,
                    serial: number(data, "serial_upload") == Some(1),
                    declared: declared(content, *asked).map(|f| f.digest),
                };
                Ok(Answer::Opened(plan))
            }
            Step::Put { offset, len, .. } => {
                // The echo is the only sign that the server took the slice for what it is.
                if number(data, "offset").is_some_and(|echo| echo != *offset) {
                    return Err(envelope.odd("the reply is for another offset"));
                }
                if number(data, "datalen").is_some_and(|echo| echo != *len) {
                    return Err(envelope.odd("the reply is for another length"));
                }
                if number(data, "offset").is_none() {
                    return Err(envelope.odd("no offset in the reply"));
                }
                Ok(Answer::Accepted {
                    serial: number(data, "serial_upload") == Some(1),
                })
            }
            Step::List { .. } => {
                let Some(session) = text(data, "session") else {
                    if data.contains_key("access_url") {
                        return Ok(Answer::Complete(self.addresses(data)));
                    }
                    return Err(envelope.odd("neither session nor access_url in the reply"));
                };
                let size = number(data, "filesize")
                    .ok_or_else(|| envelope.odd("no filesize in the reply"))?;
                let plan = Plan {
                    session,
                    size,
                    slice_size: slice_size(data, 0, size).map_err(|why| envelope.odd(why))?,
                    serial: number(data, "serial_upload") == Some(1),
                    declared: text(data, "sha").as_deref().and_then(Digest::parse),
                };
                Ok(Answer::Standing(Standing {
                    plan,
                    parts: parts(data).ok_or_else(|| envelope.odd("listparts cannot be read"))?,
                }))
            }
            Step::Inspect => Ok(Answer::Facts(Facts {
                size: number(data, "filesize"),
                stored: number(data, "filelen"),
                digest: text(data, "sha").as_deref().and_then(Digest::parse),
                addresses: self.addresses(data),
            })),
            Step::Discard => Ok(Answer::Discarded),
        }
    }
}

impl V4 {
    fn addresses(&self, data: &Map<String, Value>) -> Addresses {
        let get = |name| text(data, name).unwrap_or_default();
        let mut addresses = Addresses {
            access_url: get("access_url"),
            source_url: get("source_url"),
            resource_path: get("resource_path"),
            url: get("url"),
            preview_url: get("preview_url"),
            vid: get("vid"),
        };
        // The object's id is known without the server (S0's table: /appid/bucket/filename); stat does not say it.
        if addresses.resource_path.is_empty() {
            let Subject {
                app_id,
                bucket,
                path,
                ..
            } = self.subject.as_ref();
            addresses.resource_path = format!("/{app_id}/{bucket}{path}");
        }
        addresses
    }
}

/// The slice size in a reply about a content of `total` bytes; `fallback` when there is none, 0 for no fallback.
fn slice_size(data: &Map<String, Value>, fallback: u64, total: u64) -> Result<u64, &'static str> {
    match number(data, "slice_size").unwrap_or(fallback) {
        0 => Err("no slice_size in the reply"),
        size if size > MAX_SLICE_SIZE => Err("the slice_size in the reply is beyond 64 MiB"),
        size if total.div_ceil(size) > MAX_SLICES => {
            Err("the slice_size in the reply is too small")
        }
        size => Ok(size),
    }
}

/// Entries of `listparts`: an array, or a string that holds one (protocol 4.4, 9.8). Entries that cannot be read count
/// as not stored.
fn parts(data: &Map<String, Value>) -> Option<Vec<(u64, u64)>> {
    let owned;
    let list = match data.get("listparts") {
        None | Some(Value::Null) => return Some(Vec::new()),
        Some(Value::Array(list)) => list,
        Some(Value::String(text)) if text.trim().is_empty() => return Some(Vec::new()),
        Some(Value::String(text)) => {
            owned = serde_json::from_str::<Vec<Value>>(text).ok()?;
            &owned
        }
        Some(_) => return None,
    };
    let read = |entry: &Value| {
        let entry = entry.as_object()?;
        Some((number(entry, "offset")?, number(entry, "datalen")?))
    };
    Some(list.iter().filter_map(read).collect())
}

/// A text field; an empty one counts as absent.
fn text(data: &Map<String, Value>, name: &str) -> Option<String> {
    match data.get(name)? {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        _ => None,
    }
}

/// A number, or a text that holds one (protocol 1.6, 4.6).
fn number(data: &Map<String, Value>, name: &str) -> Option<u64> {
    match data.get(name)? {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// The frame that all replies share: code, message, request id, data (protocol 4).
struct Envelope<'r> {
    reply: &'r Reply,
    code: i64,
    message: String,
    request_id: String,
    data: Map<String, Value>,
}

impl<'r> Envelope<'r> {
    fn open(reply: &'r Reply) -> Result<Self, Fault> {
        let header_id = reply.request_id.clone().unwrap_or_default();
        let mut object = match serde_json::from_slice::<Value>(&reply.body) {
            Ok(Value::Object(object)) => object,
            _ => return Err(not_json(reply, header_id)),
        };
        let code = match object.get("code") {
            Some(Value::Number(code)) => code.as_i64(),
            Some(Value::String(code)) => code.trim().parse().ok(),
            _ => None,
        };
        let Some(code) = code else {
            return Err(not_json(reply, header_id));
        };
        let request_id = if header_id.is_empty() {
            text(&object, "request_id").unwrap_or_default()
        } else {
            header_id
        };
        let data = match object.remove("data") {
            Some(Value::Object(data)) => data,
            _ => Map::new(),
        };
        Ok(Envelope {
            reply,
            code,
            message: printable(text(&object, "message").unwrap_or_default().as_bytes(), 200),
            request_id,
            data,
        })
    }

    fn error(&self, status: Status, message: String) -> Error {
        let mut error = Error::new(status, message);
        error.server_code = Some(self.code);
        error.server_message = self.message.clone();
        error.http_status = Some(self.reply.status);
        error.request_id = self.request_id.clone();
        error
    }

    /// COS said no.
    fn refusal(&self) -> Fault {
        let (class, words) = codes::classify(self.code, self.reply.status);
        let mut error = self.error(
            codes::status(class),
            format!(
                "{words} (COS code {}, {}, HTTP {})",
                self.code,
                if self.message.is_empty() {
                    "no message"
                } else {
                    &self.message
                },
                self.reply.status
            ),
        );
        error.retryable = matches!(
            class,
            Class::Retry
                | Class::Slow
                | Class::Lost
                | Class::Order
                | Class::Restart
                | Class::Unfinished
        );
        Fault {
            class,
            error,
            ambiguous: matches!(class, Class::Retry | Class::Slow),
        }
    }

    /// COS said yes, but not as it does.
    fn odd(&self, why: &str) -> Fault {
        Fault {
            class: Class::Retry,
            error: self.error(
                Status::Protocol,
                format!("{why} (HTTP {})", self.reply.status),
            ),
            ambiguous: true,
        }
    }
}

/// A reply that is none of COS's: HTML of a proxy, XML of the storage behind, or nothing (protocol 0.8).
fn not_json(reply: &Reply, request_id: String) -> Fault {
    let (class, words) = match codes::classify_http(reply.status) {
        // A success that says nothing is as doubtful as no reply at all.
        (Class::Final, _) if (200..400).contains(&reply.status) => {
            (Class::Retry, "something other than COS answered")
        }
        other => other,
    };
    let start = printable(&reply.body, 120);
    let what = if reply.body.is_empty() {
        "an empty reply".to_string()
    } else {
        format!("a reply that is not COS's JSON and begins {start:?}")
    };
    // A storage error in XML has a code in words and an id (protocol 9.17).
    let xml = |tag: &str| {
        let body = std::str::from_utf8(&reply.body).ok()?;
        let from = body.find(&format!("<{tag}>"))? + tag.len() + 2;
        let to = from + body[from..].find("</")?;
        Some(printable(&body.as_bytes()[from..to], 120))
    };
    let mut error = Error::new(
        Status::Protocol,
        format!("HTTP {}: {words}, with {what}", reply.status),
    );
    error.http_status = Some(reply.status);
    error.server_message = xml("Code").unwrap_or_default();
    error.request_id = match request_id {
        id if id.is_empty() => xml("RequestId").unwrap_or_default(),
        id => id,
    };
    let class = match class {
        // Begins as COS does, and broke on the way.
        _ if reply.body.trim_ascii_start().starts_with(b"{") => Class::Retry,
        // Without COS's own words, only the status itself counts.
        Class::Auth | Class::NotFound | Class::Exists => Class::Final,
        class => class,
    };
    error.retryable = matches!(class, Class::Retry | Class::Slow);
    Fault {
        class,
        error,
        ambiguous: true,
    }
}

/// The start of a text, fit for one line of a message.
fn printable(bytes: &[u8], limit: usize) -> String {
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(limit * 4)]);
    let mut out: String = text
        .chars()
        .take(limit)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    if text.chars().count() > limit {
        out.push('…');
    }
    out.trim().to_string()
}
