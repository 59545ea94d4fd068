//! What the wire saw: full records when asked for, counters and a short log always.

use crate::digest;
use crate::fault::Action;
use crate::form::Fields;
use crate::upload::lock;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

const TEXT_LIMIT: usize = 64 << 10;
const LOG_LINES: usize = 30;

/// A field of a request: text by value, the object's data by its digest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RecordedField {
    pub name: String,
    pub filename: Option<String>,
    pub headers: Vec<(String, String)>,
    pub length: u64,
    /// At most 64 KiB of it; absent for the object's data.
    pub value: Option<String>,
    /// Of the object's data.
    pub sha1: Option<String>,
}

/// One request and its reply.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Recorded {
    /// Counted from 1 in the order in which heads arrived.
    pub seq: u64,
    /// Number of the connection: equal numbers show reuse.
    pub connection: u64,
    pub method: String,
    /// As received.
    pub target: String,
    pub headers: Vec<(String, String)>,
    pub head_len: u64,
    pub content_length: Option<u64>,
    /// Body bytes that were read (after decoding, if chunked).
    pub body_read: u64,
    pub chunked: bool,
    pub boundary: Option<String>,
    pub op: String,
    /// The object's name, decoded.
    pub path: String,
    pub fields: Vec<RecordedField>,
    /// What the signature's base64 holds after the MAC.
    pub sign_plaintext: Option<String>,
    /// 0 when no reply was sent.
    pub status: u16,
    pub code: Option<i64>,
    /// At most 64 KiB of the reply's body.
    pub reply: String,
    /// The faults that were applied.
    pub faults: Vec<Action>,
}

impl Recorded {
    /// The text of the first field of that name.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields
            .iter()
            .find(|f| f.name.eq_ignore_ascii_case(name))?
            .value
            .as_deref()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, v)| v.as_str())
    }
}

pub fn shorten(bytes: &[u8]) -> String {
    String::from_utf8_lossy(&bytes[..bytes.len().min(TEXT_LIMIT)]).into_owned()
}

pub fn fields(fields: &Fields) -> Vec<RecordedField> {
    let record = |f: &crate::form::Field| RecordedField {
        name: f.name.clone(),
        filename: f.filename.clone(),
        headers: f.headers.clone(),
        length: f.value.len() as u64,
        value: (!f.is_content()).then(|| shorten(&f.value)),
        sha1: f.is_content().then(|| digest::hex(&digest::sha1(&f.value))),
    };
    fields.0.iter().map(record).collect()
}

/// A line of the page's log.
#[derive(Debug, Clone, Serialize)]
pub struct LogLine {
    pub seq: u64,
    pub time: i64,
    pub op: String,
    pub path: String,
    pub status: u16,
    pub code: Option<i64>,
    pub message: String,
    pub faults: Vec<Action>,
}

impl LogLine {
    pub fn is_fine(&self) -> bool {
        (200..400).contains(&self.status) && self.code.unwrap_or(0) == 0
    }
}

fn append(lines: &Mutex<VecDeque<LogLine>>, line: LogLine) {
    let mut lines = lock(lines);
    if lines.len() == LOG_LINES {
        lines.pop_front();
    }
    lines.push_back(line);
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Counters {
    pub connections: u64,
    pub open_connections: u64,
    pub requests: u64,
    pub body_bytes: u64,
    pub slices_stored: u64,
    pub slices_again: u64,
    pub by_op: BTreeMap<String, u64>,
    pub by_code: BTreeMap<String, u64>,
}

#[derive(Default)]
pub struct Recorder {
    on: AtomicBool,
    next: AtomicU64,
    requests: Mutex<Vec<Arc<Recorded>>>,
    log: Mutex<VecDeque<LogLine>>,
    /// Failures again, because slices soon push them out of the log.
    failures: Mutex<VecDeque<LogLine>>,
    pub counters: Mutex<Counters>,
}

impl Recorder {
    pub fn is_on(&self) -> bool {
        self.on.load(Relaxed)
    }

    /// Forgets what was recorded and goes on, or stops.
    pub fn switch(&self, on: bool) {
        self.on.store(on, Relaxed);
        lock(&self.requests).clear();
    }

    pub fn next_seq(&self) -> u64 {
        self.next.fetch_add(1, Relaxed) + 1
    }

    pub fn requests(&self) -> Vec<Arc<Recorded>> {
        let mut requests = lock(&self.requests).clone();
        requests.sort_by_key(|r| r.seq);
        requests
    }

    /// The newest first.
    pub fn log(&self) -> Vec<LogLine> {
        lock(&self.log).iter().rev().cloned().collect()
    }

    pub fn failures(&self) -> Vec<LogLine> {
        lock(&self.failures).iter().rev().cloned().collect()
    }

    /// Takes a finished request; before its reply is sent, so that whoever has the reply finds the record.
    pub fn push(&self, request: Recorded, line: LogLine) {
        {
            let mut counters = lock(&self.counters);
            counters.requests += 1;
            counters.body_bytes += request.body_read;
            *counters.by_op.entry(request.op.clone()).or_default() += 1;
            let code = request
                .code
                .map_or_else(|| format!("http {}", request.status), |c| c.to_string());
            *counters.by_code.entry(code).or_default() += 1;
        }
        if !line.is_fine() {
            append(&self.failures, line.clone());
        }
        append(&self.log, line);
        if self.is_on() {
            lock(&self.requests).push(Arc::new(request));
        }
    }
}
