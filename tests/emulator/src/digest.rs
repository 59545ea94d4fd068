//! SHA-1, and its chaining state after each slice: the `datasha` of `uploadparts` (protocol 5).

use sha1::{Digest as _, Sha1, block_api::compress};
use std::fs::File;
use std::io::{self, Read};

/// The five words after some whole 64-byte blocks.
pub type State = [u32; 5];
/// A digest, or a chaining state as `uploadparts` writes it.
pub type Digest = [u8; 20];

pub const INITIAL: State = [
    0x6745_2301,
    0xefcd_ab89,
    0x98ba_dcfe,
    0x1032_5476,
    0xc3d2_e1f0,
];

pub fn sha1(data: &[u8]) -> Digest {
    Sha1::digest(data).into()
}

/// Reads through one buffer of 1 MiB, so that an object of many GiB costs time, not memory.
pub fn sha1_of_file(mut file: &File) -> io::Result<Digest> {
    let mut buffer = vec![0; 1 << 20];
    let mut hasher = Sha1::new();
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(hasher.finalize().into()),
            Ok(n) => hasher.update(&buffer[..n]),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
}

/// A chaining state in the form of `datasha`: each word little-endian, unlike in a digest.
pub fn to_datasha(state: State) -> Digest {
    let mut out = [0; 20];
    for (bytes, word) in out.as_chunks_mut::<4>().0.iter_mut().zip(state) {
        *bytes = word.to_le_bytes();
    }
    out
}

pub fn from_datasha(datasha: &Digest) -> State {
    let mut words = datasha.as_chunks::<4>().0.iter();
    std::array::from_fn(|_| words.next().map_or(0, |b| u32::from_le_bytes(*b)))
}

/// Takes the whole blocks of `data` into the state and gives back what is left of it.
pub fn advance<'a>(state: &mut State, data: &'a [u8]) -> &'a [u8] {
    let (blocks, rest) = data.as_chunks::<64>();
    compress(state, blocks);
    rest
}

/// The digest of a message of `total` bytes whose last ones are `data`, all before being in `state`.
pub fn finish(mut state: State, data: &[u8], total: u64) -> Digest {
    let rest = advance(&mut state, data);
    let mut tail = [[0u8; 64]; 2];
    let flat = tail.as_flattened_mut();
    flat[..rest.len()].copy_from_slice(rest);
    flat[rest.len()] = 0x80;
    let blocks = if rest.len() < 56 { 1 } else { 2 };
    flat[blocks * 64 - 8..blocks * 64].copy_from_slice(&(total * 8).to_be_bytes());
    compress(&mut state, &tail[..blocks]);
    let mut out = [0; 20];
    for (bytes, word) in out.as_chunks_mut::<4>().0.iter_mut().zip(state) {
        *bytes = word.to_be_bytes();
    }
    out
}

/// The `datasha` list of `data` cut at `slice_size`: what a client sends in `uploadparts`.
pub fn datashas(data: &[u8], slice_size: usize) -> Vec<Digest> {
    let count = data.len().div_ceil(slice_size).max(1);
    let (mut state, mut done) = (INITIAL, 0);
    let mut out = Vec::with_capacity(count);
    for index in 1..count {
        let blocks_end = index * slice_size / 64 * 64;
        advance(&mut state, &data[done..blocks_end]);
        done = blocks_end;
        out.push(to_datasha(state));
    }
    out.push(finish(state, &data[done..], data.len() as u64));
    out
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

pub fn unhex(text: &str) -> Option<Digest> {
    let mut out = [0; 20];
    if text.len() != 40 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    for (i, byte) in out.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * i..2 * i + 2)?, 16).ok()?;
    }
    Some(out)
}
