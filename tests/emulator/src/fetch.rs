//! Getting an object back.

use crate::codes::{self, Fail};
use crate::reply::Reply;
use crate::store::Store;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::net::TcpStream;

pub struct Content {
    file: File,
    len: u64,
}

pub fn find(store: &Store, path: &str) -> Result<Content, Fail> {
    let Some(object) = store.object(path) else {
        // An unfinished upload occupies the name but cannot be read (protocol 6.3).
        return Err(if store.upload(path).is_some() {
            codes::download_unfinished()
        } else {
            codes::download_absent()
        });
    };
    let file = store
        .open_data(&object)?
        .ok_or_else(codes::download_discarded)?;
    Ok(Content {
        file,
        len: object.record.filesize,
    })
}

impl Content {
    /// The reply's head, and which bytes go with it: (start, length).
    pub fn head(&self, range: Option<&str>) -> (Reply, (u64, u64)) {
        let mut reply = Reply::new(200, "application/octet-stream", "");
        reply.headers.push(("Accept-Ranges", "bytes".into()));
        match range.and_then(|r| parse_range(r, self.len)) {
            None => (reply, (0, self.len)),
            Some(None) => {
                reply.status = 416;
                reply
                    .headers
                    .push(("Content-Range", format!("bytes */{}", self.len)));
                (reply, (0, 0))
            }
            Some(Some((start, len))) => {
                reply.status = 206;
                let range = format!("bytes {start}-{}/{}", start + len - 1, self.len);
                reply.headers.push(("Content-Range", range));
                (reply, (start, len))
            }
        }
    }

    /// std's copy from file to socket stays in the kernel where it can.
    pub fn send(mut self, stream: &mut TcpStream, start: u64, len: u64) -> io::Result<()> {
        self.file.seek(SeekFrom::Start(start))?;
        let sent = io::copy(&mut self.file.take(len), stream)?;
        if sent == len {
            Ok(())
        } else {
            Err(io::ErrorKind::UnexpectedEof.into())
        }
    }
}

/// One range as (start, length); `Some(None)` cannot be satisfied; `None` is no range we understand.
fn parse_range(value: &str, len: u64) -> Option<Option<(u64, u64)>> {
    let (from, to) = value.trim().strip_prefix("bytes=")?.split_once('-')?;
    let (from, to) = (from.trim(), to.trim());
    if from.is_empty() {
        let suffix = to.parse::<u64>().ok()?.min(len);
        return Some((suffix > 0).then(|| (len - suffix, suffix)));
    }
    let start: u64 = from.parse().ok()?;
    let end = if to.is_empty() {
        len.saturating_sub(1)
    } else {
        to.parse::<u64>().ok()?.min(len.saturating_sub(1))
    };
    Some((start < len && start <= end).then(|| (start, end - start + 1)))
}

#[cfg(test)]
mod tests {
    use super::parse_range;

    #[test]
    fn ranges() {
        assert_eq!(parse_range("bytes=0-0", 10), Some(Some((0, 1))));
        assert_eq!(parse_range("bytes=5-", 10), Some(Some((5, 5))));
        assert_eq!(parse_range("bytes=-3", 10), Some(Some((7, 3))));
        assert_eq!(parse_range("bytes=0-99", 10), Some(Some((0, 10))));
        assert_eq!(parse_range("bytes=10-", 10), Some(None));
        assert_eq!(parse_range("bytes=-0", 10), Some(None));
        assert_eq!(parse_range("bytes=0-", 0), Some(None));
        assert_eq!(parse_range("bytes=0-1,4-5", 10), None);
        assert_eq!(parse_range("lines=1-2", 10), None);
    }
}
