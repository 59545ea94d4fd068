//! Getting an object back.

use crate::answer::fail_reply;
use crate::codes::{self, Fail};
use crate::connection::{Connection, Request, stands_in};
use crate::fault::Action;
use crate::path;
use crate::reply::Reply;
use crate::store::Store;
use crate::stream::Stream;
use crate::wire::BodyReader;
use std::fs::File;
use std::io::{self, Seek, SeekFrom};
use std::time::Duration;

impl Connection<'_> {
    /// `GET /appid/bucket/path`: public, as in a bucket that anybody may read.
    pub fn fetch(&mut self, mut request: Request, mut body: BodyReader) -> io::Result<bool> {
        let shared = self.shared;
        request.pick(shared, "fetch", None);
        if let Some(keep) = self.early(&mut request, &mut body)? {
            return Ok(keep);
        }
        self.read_body(request.head, &mut body, usize::MAX)?;
        if let Some(delay) = request.picked.modifier(Action::Delay)
            && shared
                .stop
                .wait(Duration::from_millis(delay.ms.unwrap_or(0)))
        {
            return Ok(false);
        }
        if let Some(fault) = request.picked.terminal.clone()
            && (stands_in(fault.action) || fault.action == Action::DropAfterCommit)
        {
            return self.answer(&request, Some(&fault), None);
        }
        let cut = request
            .picked
            .terminal
            .as_ref()
            .filter(|f| f.action == Action::Cut);
        let found = match (
            request.name.0 == shared.account.app_id,
            request.name.1 == shared.account.bucket,
        ) {
            (true, true) => {
                path::check_name(request.name.2.clone()).and_then(|path| find(&shared.store, &path))
            }
            (false, _) => Err(codes::appid_unknown()),
            _ => Err(codes::bucket_absent()),
        };
        match found {
            Ok(content) => {
                let (mut reply, range) = content.head(request.head.get("range"));
                self.add_headers(&mut reply, request.head, Some(&request.id));
                self.log(&request, Some(&reply));
                let no_body = request.head.method == "HEAD";
                reply.write(&mut self.wire.stream, true, Some(range.1))?;
                let len = cut.map_or(range.1, |f| f.at.unwrap_or(0).min(range.1));
                if !no_body {
                    content.send(&mut self.wire.stream, range.0, len)?;
                }
                Ok(cut.is_none())
            }
            Err(fail) => {
                let mut reply = fail_reply(&fail, &request.id, &shared.settings());
                self.add_headers(&mut reply, request.head, Some(&request.id));
                self.answer(&request, None, Some(reply))
            }
        }
    }
}

struct Content {
    file: File,
    len: u64,
}

fn find(store: &Store, path: &str) -> Result<Content, Fail> {
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
    fn head(&self, range: Option<&str>) -> (Reply, (u64, u64)) {
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

    fn send(mut self, stream: &mut Stream, start: u64, len: u64) -> io::Result<()> {
        self.file.seek(SeekFrom::Start(start))?;
        let sent = stream.send_file(self.file, len)?;
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
