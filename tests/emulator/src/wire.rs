//! HTTP/1.1 by hand: heads, bodies of either framing into one reused buffer. By hand, because the faults
//! need to stop anywhere in between.

use crate::server::Stop;
use crate::stream::Stream;
use std::io::{self, Read};
use std::time::Duration;

const HEAD_LIMIT: usize = 256 << 10;
const MAX_HEADERS: usize = 256;

/// A request's first lines.
#[derive(Debug, Clone)]
pub struct Head {
    pub method: String,
    pub target: String,
    pub http11: bool,
    /// In order, spelled as received.
    pub headers: Vec<(String, String)>,
    /// Bytes up to and with the empty line.
    pub len: usize,
}

impl Head {
    pub fn get(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, v)| v.as_str())
    }

    fn has_token(&self, name: &str, token: &str) -> bool {
        self.get(name)
            .is_some_and(|v| v.split(',').any(|t| t.trim().eq_ignore_ascii_case(token)))
    }

    pub fn chunked(&self) -> bool {
        self.has_token("transfer-encoding", "chunked")
    }

    pub fn content_length(&self) -> Option<u64> {
        self.get("content-length")?.trim().parse().ok()
    }

    pub fn keep_alive(&self) -> bool {
        if self.http11 {
            !self.has_token("connection", "close")
        } else {
            self.has_token("connection", "keep-alive")
        }
    }

    pub fn expects_continue(&self) -> bool {
        self.has_token("expect", "100-continue")
    }
}

/// One connection's socket with what was read ahead.
pub struct Wire {
    pub stream: Stream,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
}

fn bad(message: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, message.to_owned())
}

impl Wire {
    pub fn new(stream: Stream) -> Self {
        Self {
            stream,
            buffer: vec![0; 64 << 10],
            start: 0,
            end: 0,
        }
    }

    /// Reads more into the buffer; `false` at the end.
    fn fill(&mut self) -> io::Result<bool> {
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        if self.end == self.buffer.len() {
            if self.end >= HEAD_LIMIT {
                return Err(bad("head too long"));
            }
            self.buffer.resize(self.end * 2, 0);
        }
        let n = read_retry(&mut self.stream, &mut self.buffer[self.end..])?;
        self.end += n;
        Ok(n > 0)
    }

    /// The next request's head; `None` when the peer has ended.
    pub fn read_head(&mut self) -> io::Result<Option<Head>> {
        loop {
            let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
            let mut request = httparse::Request::new(&mut headers);
            let bytes = &self.buffer[self.start..self.end];
            match request.parse(bytes) {
                Ok(httparse::Status::Complete(len)) => {
                    let text = |b: &[u8]| String::from_utf8_lossy(b).into_owned();
                    let head = Head {
                        method: request.method.unwrap_or("").to_owned(),
                        target: request.path.unwrap_or("/").to_owned(),
                        http11: request.version == Some(1),
                        headers: request
                            .headers
                            .iter()
                            .map(|h| (h.name.to_owned(), text(h.value)))
                            .collect(),
                        len,
                    };
                    self.start += len;
                    return Ok(Some(head));
                }
                Ok(httparse::Status::Partial) => {}
                Err(e) => return Err(bad(&e.to_string())),
            }
            if !self.fill()? {
                return if self.start == self.end {
                    Ok(None)
                } else {
                    Err(bad("head cut short"))
                };
            }
        }
    }

    /// Reads into `out`, from the buffer first.
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.start < self.end {
            let n = out.len().min(self.end - self.start);
            out[..n].copy_from_slice(&self.buffer[self.start..self.start + n]);
            self.start += n;
            return Ok(n);
        }
        read_retry(&mut self.stream, out)
    }

    fn read_line(&mut self) -> io::Result<String> {
        loop {
            let bytes = &self.buffer[self.start..self.end];
            if let Some(at) = memchr::memchr(b'\n', bytes) {
                let line = String::from_utf8_lossy(&bytes[..at]).trim().to_owned();
                self.start += at + 1;
                return Ok(line);
            }
            if !self.fill()? {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }
}

fn read_retry(stream: &mut Stream, out: &mut [u8]) -> io::Result<usize> {
    loop {
        match stream.read(out) {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}

/// The buffer of a connection for bodies; it grows and is never zeroed again.
#[derive(Default)]
pub struct Buffer {
    bytes: Vec<u8>,
    filled: usize,
}

impl Buffer {
    pub fn filled(&self) -> &[u8] {
        &self.bytes[..self.filled]
    }

    pub fn clear(&mut self) {
        self.filled = 0;
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rest {
    /// So many bytes to come.
    Plain(u64),
    /// In chunks: so many bytes of the present one, 0 before a chunk's head.
    Chunked(u64),
    Done,
}

/// How far a body has been read.
pub struct BodyReader {
    rest: Rest,
    limit: usize,
    pub bytes_per_s: Option<u64>,
}

impl BodyReader {
    pub fn new(head: &Head, limit: usize) -> Self {
        let rest = match head.content_length() {
            _ if head.chunked() => Rest::Chunked(0),
            Some(0) | None => Rest::Done,
            Some(n) => Rest::Plain(n),
        };
        Self {
            rest,
            limit,
            bytes_per_s: None,
        }
    }

    pub fn done(&self) -> bool {
        self.rest == Rest::Done
    }

    /// Is the body, as declared or as read so far, more than any operation takes?
    pub fn too_long(&self, buffer: &Buffer) -> bool {
        let declared = if let Rest::Plain(n) = self.rest {
            usize::try_from(n).unwrap_or(usize::MAX)
        } else {
            0
        };
        buffer.filled.saturating_add(declared) > self.limit
    }

    /// Reads up to `most` bytes more. An end before the end is an error.
    pub fn read_some(
        &mut self,
        wire: &mut Wire,
        buffer: &mut Buffer,
        most: usize,
    ) -> io::Result<()> {
        let present = match self.rest {
            Rest::Done => return Ok(()),
            Rest::Plain(n) => n,
            Rest::Chunked(0) => {
                let line = wire.read_line()?;
                let size = line.split(';').next().unwrap_or("").trim();
                let size = u64::from_str_radix(size, 16).map_err(|_| bad("chunk size"))?;
                if size == 0 {
                    while !wire.read_line()?.is_empty() {}
                    self.rest = Rest::Done;
                    return Ok(());
                }
                self.rest = Rest::Chunked(size);
                size
            }
            Rest::Chunked(n) => n,
        };
        let want = most
            .min(usize::try_from(present).unwrap_or(usize::MAX))
            .min(4 << 20);
        if buffer.bytes.len() < buffer.filled + want {
            buffer.bytes.resize(buffer.filled + want, 0);
        }
        let n = wire.read(&mut buffer.bytes[buffer.filled..buffer.filled + want])?;
        if n == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        buffer.filled += n;
        let left = present - n as u64;
        self.rest = match self.rest {
            Rest::Plain(_) if left == 0 => Rest::Done,
            Rest::Plain(_) => Rest::Plain(left),
            _ => Rest::Chunked(left),
        };
        if self.rest == Rest::Chunked(0) {
            wire.read_line()?;
        }
        Ok(())
    }

    /// Reads until `until` bytes are here or the body ends.
    pub fn read_until(
        &mut self,
        wire: &mut Wire,
        buffer: &mut Buffer,
        until: usize,
        stop: &Stop,
    ) -> io::Result<()> {
        while !self.done() && buffer.filled < until {
            let most = until - buffer.filled;
            if let Some(rate) = self.bytes_per_s {
                // A twentieth of a second's worth at a time.
                let step = usize::try_from(rate / 20).unwrap_or(usize::MAX).max(1);
                self.read_some(wire, buffer, most.min(step))?;
                if stop.wait(Duration::from_secs_f64(step as f64 / rate as f64)) {
                    return Err(io::ErrorKind::ConnectionAborted.into());
                }
            } else {
                self.read_some(wire, buffer, most)?;
            }
            if self.too_long(buffer) {
                return Err(io::ErrorKind::FileTooLarge.into());
            }
        }
        Ok(())
    }
}
