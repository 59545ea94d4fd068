//! Replies, and how their bytes go out.

use std::io::{self, Write};

/// How a reply's body goes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Framing {
    #[default]
    Length,
    /// Declare all, send so many bytes, close.
    Cut(usize),
    Chunked(usize),
}

#[derive(Debug, Clone, Default)]
pub struct Reply {
    pub status: u16,
    pub content_type: String,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
    pub framing: Framing,
}

impl Reply {
    pub fn new(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        let content_type = content_type.to_owned();
        Self {
            status,
            content_type,
            body: body.into(),
            ..Self::default()
        }
    }

    /// Writes head and body in one go; `length` stands in for the body's when that is sent apart.
    pub fn write(
        &self,
        stream: &mut impl Write,
        no_body: bool,
        length: Option<u64>,
    ) -> io::Result<()> {
        let mut out = format!("HTTP/1.1 {} {}\r\n", self.status, reason(self.status)).into_bytes();
        if !self.content_type.is_empty() {
            out.extend_from_slice(format!("Content-Type: {}\r\n", self.content_type).as_bytes());
        }
        for (name, value) in &self.headers {
            out.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
        }
        match self.framing {
            Framing::Chunked(_) => out.extend_from_slice(b"Transfer-Encoding: chunked\r\n\r\n"),
            _ => {
                let length = length.unwrap_or(self.body.len() as u64);
                out.extend_from_slice(format!("Content-Length: {length}\r\n\r\n").as_bytes());
            }
        }
        match self.framing {
            _ if no_body => {}
            Framing::Length => out.extend_from_slice(&self.body),
            Framing::Cut(at) => out.extend_from_slice(&self.body[..at.min(self.body.len())]),
            Framing::Chunked(size) => {
                for chunk in self.body.chunks(size.max(1)) {
                    out.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
                    out.extend_from_slice(chunk);
                    out.extend_from_slice(b"\r\n");
                }
                out.extend_from_slice(b"0\r\n\r\n");
            }
        }
        stream.write_all(&out)
    }
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        204 => "No Content",
        206 => "Partial Content",
        302 => "Found",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        409 => "Conflict",
        413 => "Request Entity Too Large",
        416 => "Range Not Satisfiable",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "Status",
    }
}
