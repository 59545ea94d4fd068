//! One connection: request after request, each through reading, faults, the operation and the reply.

use crate::answer::{distort, fail_reply, made_up, preflight, reply_to, request_id};
use crate::clock;
use crate::codes::{self, Fail};
use crate::control;
use crate::fault::{Action, Fault, Picked, Subject};
use crate::form::{self, Fields};
use crate::operation::{Call, Done, needs_one_time};
use crate::page;
use crate::path::{self, Place};
use crate::random;
use crate::record::{self, LogLine, Recorded};
use crate::reply::{Framing, Reply};
use crate::server::Shared;
use crate::settings::Settings;
use crate::sign::{self, Demand, Signature};
use crate::upload::lock;
use crate::wire::{BodyReader, Buffer, Head, Wire};
use serde_json::Value;
use std::io::{self, Read};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::time::Duration;

/// Faults that act early look for the op in so much of a body.
const PEEK: usize = 64 << 10;
/// The largest slice that any SDK takes is 64 MiB; the form around it is small.
const BODY_LIMIT: usize = 72 << 20;

pub fn serve(socket: TcpStream, number: u64, shared: &Shared, connect: &Picked) {
    if let Some(delay) = connect.modifier(Action::Delay) {
        shared
            .stop
            .wait(Duration::from_millis(delay.ms.unwrap_or(0)));
    }
    match connect.terminal.as_ref().map(|f| f.action) {
        None => {}
        Some(Action::Stall | Action::StallBeforeBody) => return shared.stop.wait_for_ever(),
        Some(_) => return drop(socket.shutdown(Shutdown::Both)),
    }
    let stream = match shared.acceptor.wrap(socket) {
        Ok(stream) => stream,
        Err(e) => return eprintln!("cosslice-emulator: connection {number}: {e}"),
    };
    let mut connection = Connection {
        wire: Wire::new(stream),
        buffer: Buffer::default(),
        number,
        shared,
    };
    loop {
        let head = match connection.wire.read_head() {
            Ok(Some(head)) => head,
            Ok(None) => return,
            Err(e) if e.kind() == io::ErrorKind::InvalidData => {
                let reply = Reply::new(400, "text/plain", format!("{e}\n"));
                drop(reply.write(&mut connection.wire.stream, false, None));
                return;
            }
            Err(_) => return,
        };
        let keep = head.keep_alive();
        // An error here is the peer's going away.
        if !matches!(connection.exchange(&head), Ok(true)) || !keep || shared.stop.is_set() {
            drop(connection.wire.stream.finish());
            drop(connection.wire.stream.socket().shutdown(Shutdown::Both));
            return;
        }
    }
}

pub struct Connection<'a> {
    pub wire: Wire,
    buffer: Buffer,
    number: u64,
    pub shared: &'a Shared,
}

/// An API request while it is being dealt with.
pub struct Request<'a> {
    pub head: &'a Head,
    query: &'a str,
    /// appid, bucket, decoded path.
    pub name: (String, String, Vec<u8>),
    record: Recorded,
    pub picked: Picked,
    pub id: String,
}

impl Request<'_> {
    pub fn pick(&mut self, shared: &Shared, op: &str, offset: Option<u64>) {
        let subject = Subject {
            op,
            path: Some(&self.record.path),
            offset,
        };
        self.picked = lock(&shared.faults).pick(&subject);
        self.record.op = op.to_owned();
    }
}

impl Connection<'_> {
    /// Deals with one request; `false` closes the connection.
    fn exchange(&mut self, head: &Head) -> io::Result<bool> {
        self.buffer.clear();
        let mut body = BodyReader::new(head, BODY_LIMIT);
        if body.too_long(&self.buffer) {
            return self.refuse_body(head);
        }
        let (raw_path, query) = path::split_target(&head.target);
        let place = path::place(raw_path);
        let get = matches!(head.method.as_str(), "GET" | "HEAD");
        let has_op =
            path::pairs(query.as_bytes()).any(|(name, _)| name.eq_ignore_ascii_case(b"op"));
        match place {
            Place::Object {
                api,
                appid,
                bucket,
                path,
            } if head.method != "OPTIONS" => {
                let name = (appid, bucket, path);
                let request = Request {
                    record: self.begin_record(head, &name.2),
                    id: request_id(self.now()),
                    picked: Picked::default(),
                    head,
                    query,
                    name,
                };
                if get && !has_op && !api {
                    self.fetch(request, body)
                } else {
                    self.operate(request, body)
                }
            }
            place => {
                self.read_body(head, &mut body, usize::MAX)?;
                let mut reply = match (head.method.as_str(), place) {
                    ("OPTIONS", _) => preflight(head),
                    (_, Place::Page) if get => page::page(self.shared),
                    (method, Place::Control(what)) => {
                        control::handle(self.shared, method, &what, self.buffer.filled())
                    }
                    _ => Reply::new(404, "text/plain; charset=utf-8", "nothing here\n"),
                };
                self.add_headers(&mut reply, head, None);
                reply.write(&mut self.wire.stream, head.method == "HEAD", None)?;
                Ok(true)
            }
        }
    }

    fn now(&self) -> i64 {
        clock::now().saturating_add(self.shared.settings().clock_skew_s)
    }

    fn begin_record(&self, head: &Head, path: &[u8]) -> Recorded {
        Recorded {
            seq: self.shared.recorder.next_seq(),
            connection: self.number,
            method: head.method.clone(),
            target: head.target.clone(),
            headers: if self.shared.recorder.is_on() {
                head.headers.clone()
            } else {
                Vec::new()
            },
            head_len: head.len as u64,
            content_length: head.content_length(),
            chunked: head.chunked(),
            boundary: head.get("content-type").and_then(form::boundary_of),
            path: String::from_utf8_lossy(path).into_owned(),
            ..Recorded::default()
        }
    }

    /// Sends 100 Continue before the first byte, if the peer waits for that.
    fn ask_for_body(&mut self, head: &Head, body: &BodyReader) -> io::Result<()> {
        if head.expects_continue() && !body.done() && self.buffer.filled().is_empty() {
            io::Write::write_all(&mut self.wire.stream, b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        Ok(())
    }

    /// Reads the body on to `until`.
    pub fn read_body(
        &mut self,
        head: &Head,
        body: &mut BodyReader,
        until: usize,
    ) -> io::Result<()> {
        self.ask_for_body(head, body)?;
        body.read_until(&mut self.wire, &mut self.buffer, until, &self.shared.stop)
    }

    /// A body that no operation takes: says so and closes, reading on for a moment so that the reply gets through.
    fn refuse_body(&mut self, head: &Head) -> io::Result<bool> {
        let mut reply = fail_reply(&codes::body_too_large(), "", &self.shared.settings());
        self.add_headers(&mut reply, head, None);
        reply.write(&mut self.wire.stream, false, None)?;
        self.wire.stream.finish()?;
        self.wire
            .stream
            .socket()
            .set_read_timeout(Some(Duration::from_secs(2)))?;
        drop(io::copy(
            &mut (&mut self.wire.stream).take(1 << 30),
            &mut io::sink(),
        ));
        Ok(false)
    }

    fn made_up(&self, fault: &Fault, request: &Request) -> Reply {
        let mut reply = made_up(fault, &request.id, &self.shared.settings());
        self.add_headers(&mut reply, request.head, Some(&request.id));
        if fault.action == Action::EarlyReply {
            reply.headers.retain(|(name, _)| *name != "Connection");
            reply.headers.push(("Connection", "close".into()));
        }
        reply
    }

    pub fn add_headers(&self, reply: &mut Reply, head: &Head, id: Option<&str>) {
        reply.headers.push(("Server", "tencent-cos".into()));
        reply.headers.push(("Date", clock::http_date(self.now())));
        if let Some(id) = id {
            reply.headers.push(("x-cos-request-id", id.to_owned()));
        }
        let closes = !head.keep_alive() || matches!(reply.framing, Framing::Cut(_));
        reply.headers.push((
            "Connection",
            if closes { "close" } else { "keep-alive" }.into(),
        ));
        if head.get("origin").is_some() {
            reply
                .headers
                .push(("Access-Control-Allow-Origin", "*".into()));
            reply.headers.push((
                "Access-Control-Expose-Headers",
                "x-cos-request-id, Date".into(),
            ));
        }
    }

    /// Completes the record; call it before the reply leaves.
    pub fn log(&self, request: &Request, reply: Option<&Reply>) {
        let mut record = request.record.clone();
        record.faults = request.picked.names();
        record.body_read = record.body_read.max(self.buffer.filled().len() as u64);
        let json: Option<Value> = reply.and_then(|r| serde_json::from_slice(&r.body).ok());
        record.code = json.as_ref().and_then(|j| j["code"].as_i64());
        if let Some(reply) = reply {
            record.status = reply.status;
            record.reply = record::shorten(&reply.body);
        }
        let message = json
            .as_ref()
            .and_then(|j| j["message"].as_str())
            .unwrap_or("")
            .to_owned();
        let line = LogLine {
            seq: record.seq,
            time: clock::now(),
            op: record.op.clone(),
            path: record.path.clone(),
            status: record.status,
            code: record.code,
            message,
            faults: record.faults.clone(),
        };
        self.shared.recorder.push(record, line);
    }

    /// Applies faults that act before the body is read; `Some` ends the request.
    pub fn early(
        &mut self,
        request: &mut Request,
        body: &mut BodyReader,
    ) -> io::Result<Option<bool>> {
        if let Some(slow) = request.picked.modifier(Action::Bandwidth) {
            body.bytes_per_s = slow.bytes_per_s;
        }
        let Some(fault) = request.picked.terminal.clone() else {
            return Ok(None);
        };
        match fault.action {
            Action::DropBeforeBody => self.log(request, None),
            Action::StallBeforeBody => {
                self.log(request, None);
                self.shared.stop.wait_for_ever();
            }
            Action::DropInBody => {
                let until = usize::try_from(fault.at.unwrap_or(1)).unwrap_or(usize::MAX);
                self.read_body(request.head, body, until)?;
                self.log(request, None);
            }
            Action::EarlyReply => {
                let reply = self.made_up(&fault, request);
                self.log(request, Some(&reply));
                reply.write(&mut self.wire.stream, false, None)?;
            }
            _ => return Ok(None),
        }
        Ok(Some(false))
    }

    /// An operation of the API.
    fn operate(&mut self, mut request: Request, mut body: BodyReader) -> io::Result<bool> {
        let shared = self.shared;
        let mut picked = false;
        if lock(&shared.faults).any_early()
            && let Some((op, offset)) = self.peek(&request, &mut body)?
        {
            request.pick(shared, &op, offset);
            picked = true;
            if let Some(keep) = self.early(&mut request, &mut body)? {
                return Ok(keep);
            }
        }
        match self.read_body(request.head, &mut body, usize::MAX) {
            Err(e) if e.kind() == io::ErrorKind::FileTooLarge => {
                return self.refuse_body(request.head);
            }
            Err(e) => {
                // The peer went away in the body: worth a record.
                self.log(&request, None);
                return Err(e);
            }
            Ok(()) => {}
        }
        // Lent out, so that fields can point into it while the connection is used.
        let buffer = std::mem::take(&mut self.buffer);
        request.record.body_read = buffer.filled().len() as u64;
        let kind = request.head.get("content-type").unwrap_or("");
        let parsed = form::parse(kind, buffer.filled(), request.query);
        if let Ok(fields) = &parsed {
            if !picked {
                let op = fields.text("op").unwrap_or("");
                request.pick(shared, op, fields.number("offset").flatten());
            }
            if shared.recorder.is_on() {
                request.record.fields = record::fields(fields);
            }
        }
        let ended = if picked {
            None
        } else {
            self.early(&mut request, &mut body)?
        };
        let kept = match ended {
            Some(keep) => Ok(keep),
            None => self.carry_out(&mut request, parsed),
        };
        self.buffer = buffer;
        kept
    }

    /// Reads just as much of the body as it takes to know the op, and the offset if a rule asks for it; `None` if
    /// they do not come early.
    fn peek(
        &mut self,
        request: &Request,
        body: &mut BodyReader,
    ) -> io::Result<Option<(String, Option<u64>)>> {
        let wants_offset = lock(&self.shared.faults).any_offset();
        let from_query = query_value(request.query, "op");
        loop {
            let start = self.buffer.filled();
            let op = from_query.clone().or_else(|| form::peek(start, "op"));
            let offset = form::peek(start, "offset").and_then(|o| o.trim().parse().ok());
            let enough =
                !wants_offset || offset.is_some() || op.as_deref() != Some("upload_slice_data");
            if let (Some(op), true) = (op, enough) {
                return Ok(Some((op, offset)));
            }
            if body.done() || start.len() >= PEEK {
                return Ok(None);
            }
            self.ask_for_body(request.head, body)?;
            body.read_some(&mut self.wire, &mut self.buffer, 16 << 10)?;
        }
    }

    /// The operation and its reply, once the request is all here.
    fn carry_out(
        &mut self,
        request: &mut Request,
        parsed: Result<Fields, Fail>,
    ) -> io::Result<bool> {
        let shared = self.shared;
        let sign = request
            .head
            .get("authorization")
            .map(str::to_owned)
            .or_else(|| query_value(request.query, "sign"));
        request.record.sign_plaintext = sign
            .as_deref()
            .and_then(Signature::decode)
            .map(|s| String::from_utf8_lossy(&s.plaintext).into_owned());

        let mut settings = shared.settings();
        for fault in &request.picked.modifiers {
            if let (Action::With, Some(changes)) = (fault.action, &fault.settings) {
                settings = Arc::new(settings.with(changes).map_err(io::Error::other)?);
            }
        }
        if let (Some(_), Some(upload)) = (
            request.picked.modifier(Action::ExpireSession),
            shared.store.upload(&request.record.path),
        ) {
            upload.expire_session(random::hex(settings.session_len));
        }
        let latency = settings.latency_ms
            + request
                .picked
                .modifier(Action::Delay)
                .and_then(|f| f.ms)
                .unwrap_or(0);

        let terminal = request.picked.terminal.clone();
        let done = match &terminal {
            Some(fault) if !fault.commit && stands_in(fault.action) => None,
            _ => Some(
                parsed
                    .and_then(|fields| self.perform(request, &settings, sign.as_deref(), &fields)),
            ),
        };
        if latency > 0 && shared.stop.wait(Duration::from_millis(latency)) {
            return Ok(false);
        }
        let reply = match done {
            Some(done) => {
                let mut reply = reply_to(&done, &request.id, &settings);
                self.add_headers(&mut reply, request.head, Some(&request.id));
                Some(reply)
            }
            None => None,
        };
        self.answer(request, terminal.as_ref(), reply)
    }

    /// Sends the reply, or what a fault makes of it.
    pub fn answer(
        &mut self,
        request: &Request,
        fault: Option<&Fault>,
        reply: Option<Reply>,
    ) -> io::Result<bool> {
        let (reply, keep) = match (fault, reply) {
            (None, reply) => (reply, true),
            (Some(fault), reply) => match fault.action {
                Action::DropBeforeCommit | Action::DropAfterCommit => (None, false),
                Action::Stall => {
                    self.log(request, None);
                    self.shared.stop.wait_for_ever();
                    return Ok(false);
                }
                Action::Status | Action::Code | Action::Redirect => {
                    (Some(self.made_up(fault, request)), true)
                }
                _ => {
                    let mut reply = reply.unwrap_or_default();
                    distort(fault, &mut reply);
                    let keep = !matches!(reply.framing, Framing::Cut(_));
                    (Some(reply), keep)
                }
            },
        };
        self.log(request, reply.as_ref());
        let Some(reply) = reply else { return Ok(false) };
        reply.write(&mut self.wire.stream, request.head.method == "HEAD", None)?;
        Ok(keep)
    }

    /// Checks name and signature, then runs the operation.
    fn perform(
        &self,
        request: &Request,
        settings: &Settings,
        sign: Option<&str>,
        fields: &Fields,
    ) -> Done {
        let shared = self.shared;
        if !matches!(request.head.method.as_str(), "POST" | "GET" | "HEAD") {
            return Err(codes::method_bad());
        }
        let op = fields.text("op").unwrap_or("");
        let (appid, bucket, path) = &request.name;
        let now = clock::now().saturating_add(settings.clock_skew_s);
        let demand = Demand {
            appid,
            bucket,
            path,
            one_time: needs_one_time(op),
            now,
            expired_code: settings.expired_code,
            max_lifetime_s: settings.max_lifetime_s,
        };
        sign::verify(sign, &shared.account, &demand, &shared.replays)?;
        if *bucket != shared.account.bucket {
            return Err(codes::bucket_absent());
        }
        let path = path::check_name(path.clone())?;
        let call = Call {
            store: &shared.store,
            settings,
            account: &shared.account,
            region: &shared.region,
            base: &shared.base,
            now,
            path: &path,
            fields,
            counters: &shared.recorder.counters,
        };
        call.run(op)
    }
}

/// Actions that answer (or not) in the operation's stead, unless `commit` is set.
pub fn stands_in(action: Action) -> bool {
    use Action::{Code, DropBeforeCommit, Redirect, Stall, Status};
    matches!(action, DropBeforeCommit | Stall | Status | Code | Redirect)
}

fn query_value(query: &str, name: &str) -> Option<String> {
    let found =
        path::pairs(query.as_bytes()).find(|(n, _)| n.eq_ignore_ascii_case(name.as_bytes()));
    found.map(|(_, value)| String::from_utf8_lossy(&value).into_owned())
}
