//! Multipart forms: text parts with a name only, the binary part last, the exact length known before the first byte.
//!
//! This is libcurl's framing, which every COS server is known to take (protocol 2). The boundary stands unquoted in the
//! Content-Type: the real service is said to refuse a quoted one.

use std::sync::Arc;

use super::Piece;
use crate::hash::Fingerprint;

/// Collects the parts of one form.
pub struct Form<'b> {
    boundary: &'b str,
    pieces: Vec<Piece>,
    text: Vec<u8>,
}

impl<'b> Form<'b> {
    /// An empty form.
    pub fn new(boundary: &'b str) -> Self {
        Form {
            boundary,
            pieces: Vec::new(),
            // All that a slice's form has before its content.
            text: Vec::with_capacity(1024),
        }
    }

    /// The Content-Type of a body with this boundary.
    pub fn content_type(boundary: &str) -> String {
        format!("multipart/form-data; boundary={boundary}")
    }

    fn open(&mut self, disposition: &str) {
        self.text.extend_from_slice(b"--");
        self.text.extend_from_slice(self.boundary.as_bytes());
        self.text
            .extend_from_slice(b"\r\nContent-Disposition: form-data; ");
        self.text.extend_from_slice(disposition.as_bytes());
        self.text.extend_from_slice(b"\r\n");
    }

    /// A text part.
    pub fn text(mut self, name: &str, value: &str) -> Self {
        self.open(&format!("name=\"{name}\""));
        self.text.extend_from_slice(b"\r\n");
        self.text.extend_from_slice(value.as_bytes());
        self.text.extend_from_slice(b"\r\n");
        self
    }

    /// The list of slices with their chaining states.
    pub fn parts(mut self, name: &str, fingerprint: &Arc<Fingerprint>) -> Self {
        self.open(&format!("name=\"{name}\""));
        self.text.extend_from_slice(b"\r\n");
        self.pieces
            .push(Piece::Bytes(std::mem::take(&mut self.text)));
        self.pieces.push(Piece::Parts(Arc::clone(fingerprint)));
        self.text.extend_from_slice(b"\r\n");
        self
    }

    /// The binary part.
    pub fn content(mut self, name: &str, filename: &str, offset: u64, len: u64) -> Self {
        self.open(&format!("name=\"{name}\"; filename=\"{filename}\""));
        self.text
            .extend_from_slice(b"Content-Type: application/octet-stream\r\n\r\n");
        self.pieces
            .push(Piece::Bytes(std::mem::take(&mut self.text)));
        self.pieces.push(Piece::Content { offset, len });
        self.text.extend_from_slice(b"\r\n");
        self
    }

    /// The whole body.
    pub fn finish(mut self) -> Vec<Piece> {
        self.text.extend_from_slice(b"--");
        self.text.extend_from_slice(self.boundary.as_bytes());
        self.text.extend_from_slice(b"--\r\n");
        self.pieces.push(Piece::Bytes(self.text));
        self.pieces
    }
}

/// Number of entries in the list of slices.
pub fn parts_count(fingerprint: &Fingerprint) -> u64 {
    fingerprint.size.div_ceil(fingerprint.grid).max(1)
}

/// One entry of the list of slices with the bracket or comma before it and, at the last one, the bracket behind it.
/// Compact, in the order offset, datalen, datasha (protocol 5).
pub fn parts_entry(fingerprint: &Fingerprint, index: u64) -> String {
    let offset = index * fingerprint.grid;
    let end = (offset + fingerprint.grid).min(fingerprint.size);
    let before = if index == 0 { '[' } else { ',' };
    let head = format!(
        "{before}{{\"offset\":{offset},\"datalen\":{},\"datasha\":\"",
        end - offset
    );
    match fingerprint.state_at(end) {
        Some(state) => format!("{head}{state}\"}}"),
        None => format!("{head}{}\"}}]", fingerprint.digest),
    }
}

/// Bytes of the whole list, without writing it.
pub fn parts_len(fingerprint: &Fingerprint) -> u64 {
    let count = parts_count(fingerprint);
    let last = count - 1;
    // Every entry but the last differs from the next only in the digits of its offset.
    let frame = (r#",{"offset":,"datalen":,"datasha":""}"#.len() + 40) as u64;
    let digits_of_offsets: u64 = offset_digits(fingerprint.grid, last);
    let digits = |n: u64| n.checked_ilog10().unwrap_or(0) as u64 + 1;
    last * (frame + digits(fingerprint.grid))
        + digits_of_offsets
        + parts_entry(fingerprint, last).len() as u64
}

/// Decimal digits of 0, grid, 2·grid … (count numbers), counted by powers of ten.
fn offset_digits(grid: u64, count: u64) -> u64 {
    let mut total = count; // every number has at least one digit
    let mut power: u64 = 10;
    loop {
        let below = power.div_ceil(grid).min(count); // numbers smaller than this power of ten
        total += count - below;
        match power.checked_mul(10) {
            Some(next) if below < count => power = next,
            _ => return total,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::Tally;

    fn print(len: usize, grid: u64) -> Fingerprint {
        let mut tally = Tally::new(grid);
        let data: Vec<u8> = (0..len).map(|i| (i % 251) as u8).collect();
        tally.update(&data);
        tally.finish()
    }

    fn list(fingerprint: &Fingerprint) -> String {
        (0..parts_count(fingerprint))
            .map(|i| parts_entry(fingerprint, i))
            .collect()
    }

    #[test]
    fn the_list_of_protocol_5() {
        assert_eq!(
            list(&print(1048577, 1 << 20)),
            r#"[{"offset":0,"datalen":1048576,"datasha":"463935c7eea4ca2705d0f481ecedb31f4d0f3a96"},{"offset":1048576,"datalen":1,"datasha":"ffbc30b06f6bd51da52f9640804c9d0c4f6e2af2"}]"#
        );
    }

    #[test]
    fn the_length_is_known_without_writing() {
        for (len, grid) in [
            (0, 64),
            (1, 64),
            (64, 64),
            (65, 64),
            (640, 64),
            (100_000, 64),
            (99_999, 7),
            (1_000_000, 1000),
            (1_000_001, 1000),
        ] {
            let fingerprint = print(len, grid);
            assert_eq!(
                list(&fingerprint).len() as u64,
                parts_len(&fingerprint),
                "{len}/{grid}"
            );
        }
    }

    #[test]
    fn the_seed_s0_sample_has_450_bytes() {
        let boundary = "----------------------------2335c30f02ab";
        let session = "58ccd1b3120e85c4ebb7b786154408df4fe22230cb8f328d41599b237661855d6242793ba2481c1ac0b1277051003cab";
        let body = Form::new(boundary)
            .text("op", "upload_slice_finish")
            .text("session", session)
            .text("filesize", "36864")
            .finish();
        assert_eq!(body.iter().map(Piece::len).sum::<u64>(), 450);
    }
}
