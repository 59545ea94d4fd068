//! A raw client: what is sent is what the test wrote.

#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "each test file uses its part"
)]

use cosslice_emulator::{Config, Emulator, digest, percent_encode, sign::sign};
use serde_json::{Value, json};
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tempfile::TempDir;

pub const MIB: usize = 1 << 20;

pub struct Server {
    pub emulator: Emulator,
    pub dir: TempDir,
}

pub fn start() -> Server {
    start_with(|_| {})
}

pub fn start_with(change: impl FnOnce(&mut Config)) -> Server {
    let dir = tempfile::tempdir().unwrap();
    let mut config = Config::new(dir.path().join("data"));
    change(&mut config);
    Server {
        emulator: Emulator::start(config).unwrap(),
        dir,
    }
}

/// The generator A of the protocol notes: byte i = i mod 251.
pub fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|i| u8::try_from(i % 251).unwrap()).collect()
}

pub fn sha1(data: &[u8]) -> String {
    digest::hex(&digest::sha1(data))
}

pub fn uploadparts(data: &[u8], slice_size: usize) -> String {
    let list: Vec<Value> = digest::datashas(data, slice_size)
        .iter()
        .enumerate()
        .map(|(i, d)| {
            let offset = i * slice_size;
            let len = slice_size.min(data.len() - offset);
            json!({"offset": offset, "datalen": len, "datasha": digest::hex(d)})
        })
        .collect();
    Value::from(list).to_string()
}

pub fn now() -> i64 {
    i64::try_from(
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap()
            .as_secs(),
    )
    .unwrap()
}

static RANDOM: AtomicU64 = AtomicU64::new(1);

/// A multi-effect signature of the default account, bound to nothing.
pub fn multi() -> String {
    let (t, r) = (now(), RANDOM.fetch_add(1, Ordering::Relaxed));
    let e = t + 300;
    sign(
        "examplesecretkey",
        &format!("a=1250000000&k=AKIDEXAMPLE&e={e}&t={t}&r={r}&f=&b=bkt"),
    )
}

/// A one-time signature for a raw name.
pub fn once(path: &str) -> String {
    let (t, r) = (now(), RANDOM.fetch_add(1, Ordering::Relaxed));
    let f = percent_encode(&format!("/1250000000/bkt{path}"));
    sign(
        "examplesecretkey",
        &format!("a=1250000000&k=AKIDEXAMPLE&e=0&t={t}&r={r}&f={f}&b=bkt"),
    )
}

pub struct Response {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Response {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, v)| v.as_str())
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&self.body)))
    }

    pub fn code(&self) -> i64 {
        self.json()["code"].as_i64().unwrap()
    }

    /// (HTTP status, code)
    pub fn outcome(&self) -> (u16, i64) {
        (self.status, self.code())
    }

    pub fn data(&self) -> Value {
        assert_eq!(
            self.outcome(),
            (200, 0),
            "{}",
            String::from_utf8_lossy(&self.body)
        );
        self.json()["data"].clone()
    }
}

/// One keep-alive connection.
pub struct Client {
    pub stream: TcpStream,
    ahead: Vec<u8>,
    pub port: u16,
}

impl Client {
    pub fn new(port: u16) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        stream.set_nodelay(true).unwrap();
        Self {
            stream,
            ahead: Vec::new(),
            port,
        }
    }

    pub fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    /// One byte more; `None` at the end of the connection, also at its reset.
    fn more(&mut self) -> Option<()> {
        let mut buffer = [0; 65536];
        match self.stream.read(&mut buffer) {
            Ok(0) => None,
            Ok(n) => {
                self.ahead.extend_from_slice(&buffer[..n]);
                Some(())
            }
            Err(e) if e.kind() == ErrorKind::ConnectionReset => None,
            Err(e) => panic!("{e}"),
        }
    }

    /// The next response, `None` if the connection ends before it is whole.
    pub fn receive(&mut self, head_only: bool) -> Option<Response> {
        let end = loop {
            if let Some(at) = self.ahead.windows(4).position(|w| w == b"\r\n\r\n") {
                break at + 4;
            }
            self.more()?;
        };
        let head = String::from_utf8(self.ahead.drain(..end).collect()).unwrap();
        let mut lines = head.trim_end().split("\r\n");
        let status = lines
            .next()
            .unwrap()
            .split(' ')
            .nth(1)
            .unwrap()
            .parse()
            .unwrap();
        let headers: Vec<(String, String)> = lines
            .map(|l| {
                l.split_once(": ")
                    .map(|(a, b)| (a.to_owned(), b.to_owned()))
                    .unwrap()
            })
            .collect();
        let mut response = Response {
            status,
            headers,
            body: Vec::new(),
        };
        if status == 100 || head_only {
            return Some(response);
        }
        if response.header("transfer-encoding") == Some("chunked") {
            while !self.ahead.ends_with(b"0\r\n\r\n") {
                self.more()?;
            }
            let mut rest = std::mem::take(&mut self.ahead);
            loop {
                let at = rest.windows(2).position(|w| w == b"\r\n").unwrap();
                let size =
                    usize::from_str_radix(std::str::from_utf8(&rest[..at]).unwrap(), 16).unwrap();
                response
                    .body
                    .extend_from_slice(&rest[at + 2..at + 2 + size]);
                rest.drain(..at + 4 + size);
                if size == 0 {
                    return Some(response);
                }
            }
        }
        let length: usize = response.header("content-length").unwrap().parse().unwrap();
        while self.ahead.len() < length {
            self.more()?;
        }
        response.body = self.ahead.drain(..length).collect();
        Some(response)
    }

    /// Sends a request built from its pieces and takes the response.
    pub fn request(&mut self, head: &str, body: &[u8]) -> Response {
        self.send_request(head, body);
        self.receive(head.starts_with("HEAD ")).expect("a response")
    }

    pub fn send_request(&mut self, head: &str, body: &[u8]) {
        let mut bytes = format!("{head}\r\nContent-Length: {}\r\n\r\n", body.len()).into_bytes();
        bytes.extend_from_slice(body);
        self.send(&bytes);
    }

    /// An operation as the library sends it: multipart, multi-effect signature.
    pub fn op(&mut self, path: &str, fields: &[(&str, &[u8])]) -> Response {
        let (head, body) = op_request(path, fields, &multi());
        self.request(&head, &body)
    }

    pub fn signed(&mut self, path: &str, fields: &[(&str, &[u8])], sign: &str) -> Response {
        let (head, body) = op_request(path, fields, sign);
        self.request(&head, &body)
    }

    pub fn init(&mut self, path: &str, size: usize, more: &[(&str, &[u8])]) -> Response {
        let size = size.to_string();
        let mut fields: Vec<(&str, &[u8])> = vec![
            ("op", b"upload_slice_init"),
            ("filesize", size.as_bytes()),
            ("slice_size", b"1048576"),
        ];
        fields.extend_from_slice(more);
        self.op(path, &fields)
    }

    pub fn init_with_sha(&mut self, path: &str, data: &[u8], more: &[(&str, &[u8])]) -> Response {
        let (sha, parts) = (sha1(data), uploadparts(data, MIB));
        let mut fields: Vec<(&str, &[u8])> =
            vec![("sha", sha.as_bytes()), ("uploadparts", parts.as_bytes())];
        fields.extend_from_slice(more);
        self.init(path, data.len(), &fields)
    }

    pub fn slice(&mut self, path: &str, session: &str, offset: usize, bytes: &[u8]) -> Response {
        let offset = offset.to_string();
        self.op(
            path,
            &[
                ("op", b"upload_slice_data"),
                ("session", session.as_bytes()),
                ("offset", offset.as_bytes()),
                ("filecontent", bytes),
            ],
        )
    }

    /// All slices of an upload, the last one first.
    pub fn slices(&mut self, path: &str, session: &str, data: &[u8]) {
        for (i, bytes) in data
            .chunks(MIB)
            .enumerate()
            .collect::<Vec<_>>()
            .into_iter()
            .rev()
        {
            let reply = self.slice(path, session, i * MIB, bytes).data();
            assert_eq!(reply["session"], session);
            assert_eq!(reply["offset"], i * MIB);
            assert_eq!(reply["datalen"], bytes.len());
        }
    }

    pub fn finish(
        &mut self,
        path: &str,
        session: &str,
        size: usize,
        sha: Option<&str>,
    ) -> Response {
        let size = size.to_string();
        let mut fields: Vec<(&str, &[u8])> = vec![
            ("op", b"upload_slice_finish"),
            ("session", session.as_bytes()),
            ("filesize", size.as_bytes()),
        ];
        if let Some(sha) = sha {
            fields.push(("sha", sha.as_bytes()));
        }
        self.op(path, &fields)
    }

    /// A whole upload in slices, with sha or without.
    pub fn put(&mut self, path: &str, data: &[u8], with_sha: bool) -> Response {
        let sha = with_sha.then(|| sha1(data));
        let init = if with_sha {
            self.init_with_sha(path, data, &[])
        } else {
            self.init(path, data.len(), &[])
        };
        let session = init.data()["session"]
            .as_str()
            .expect("a session")
            .to_owned();
        self.slices(path, &session, data);
        self.finish(path, &session, data.len(), sha.as_deref())
    }

    pub fn simple(&mut self, path: &str, op: &str) -> Response {
        self.op(path, &[("op", op.as_bytes())])
    }

    pub fn delete(&mut self, path: &str) -> Response {
        self.signed(path, &[("op", b"delete")], &once(path))
    }

    pub fn get(&mut self, target: &str) -> Response {
        self.request(&format!("GET {target} HTTP/1.1\r\nHost: x"), b"")
    }

    pub fn control(&mut self, what: &str, body: &Value) -> Response {
        self.request(
            &format!("POST /_emulator/{what} HTTP/1.1\r\nHost: x"),
            body.to_string().as_bytes(),
        )
    }

    /// Does the peer close without sending another byte?
    pub fn closed(&mut self) -> bool {
        self.ahead.is_empty() && self.more().is_none()
    }
}

pub fn target(path: &str) -> String {
    format!("/files/v2/1250000000/bkt{}", percent_encode(path))
}

pub fn fetch_target(path: &str) -> String {
    format!("/1250000000/bkt{}", percent_encode(path))
}

pub fn multipart(fields: &[(&str, &[u8])], boundary: &str) -> Vec<u8> {
    let mut body = Vec::new();
    for (name, value) in fields {
        let head =
            format!("--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n");
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(value);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    body
}

pub fn op_request(path: &str, fields: &[(&str, &[u8])], sign: &str) -> (String, Vec<u8>) {
    let head = format!(
        "POST {} HTTP/1.1\r\nHost: local\r\nAuthorization: {sign}\r\n\
         Content-Type: multipart/form-data; boundary=----boundary7",
        target(path)
    );
    (head, multipart(fields, "----boundary7"))
}
