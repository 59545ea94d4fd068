//! Any text as a resume token, and any token as text.
#![no_main]

use cosslice::hash::Digest;
use cosslice::resume::Token;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    if let Ok(text) = std::str::from_utf8(input) {
        check(text);
    }
    // With a check sum that is right, or nothing would get beyond it.
    let mut bytes = input.to_vec();
    bytes.extend_from_slice(&Digest::of(input).0[..8]);
    check(&format!("cst1.{}", base64(&bytes)));
    write(input);
});

fn check(text: &str) {
    let Ok(token) = Token::decode(text) else {
        return;
    };
    assert!(token.slice_size > 0);
    assert!(token.ends.len() as u64 <= token.size.div_ceil(token.slice_size));
    let written = token.encode();
    assert!(written.bytes().all(|b| b.is_ascii_graphic()));
    assert_eq!(Token::decode(&written).as_ref(), Ok(&token));
}

/// A token of these bytes reads back, and one changed letter is seen.
fn write(input: &[u8]) {
    let [flags, at, letter, rest @ ..] = input else {
        return;
    };
    let (session, ends) = rest.split_at(rest.len().min(usize::from(*flags >> 2)));
    let ends: Vec<[u8; 20]> = ends.as_chunks().0.to_vec();
    let token = Token {
        object: [*at; 20],
        session: String::from_utf8_lossy(session).into_owned(),
        size: ends.len() as u64 * 65536 + u64::from(*at),
        slice_size: 65536,
        declared: (flags & 1 == 1).then_some(Digest([*letter; 20])),
        ends,
    };
    let text = token.encode();
    assert_eq!(Token::decode(&text).as_ref(), Ok(&token));
    let mut damaged = text.clone().into_bytes();
    let at = usize::from(*at) * 7 % damaged.len();
    let letter = b' ' + letter % 95;
    if damaged[at] != letter {
        damaged[at] = letter;
        let damaged = String::from_utf8(damaged).unwrap();
        assert!(Token::decode(&damaged).is_err(), "{damaged}");
    }
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let word = (0..3).fold(0u32, |word, i| {
            word << 8 | u32::from(*chunk.get(i).unwrap_or(&0))
        });
        for i in 0..=chunk.len() {
            out.push(char::from(DIGITS[(word >> (18 - 6 * i) & 63) as usize]));
        }
    }
    out
}
