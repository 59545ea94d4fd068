//! What holds for any input: chunking, slice sets, the list of slices, tokens, names.
#![allow(
    missing_docs,
    unsafe_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::undocumented_unsafe_blocks
)]

mod common;

use std::collections::BTreeSet;
use std::sync::Arc;

use common::{Server, content, sha1};
use cosslice::hash::{Chain, Digest, Fingerprint, Tally};
use cosslice::protocol::v4::subject;
use cosslice::protocol::{Content, Plan, Standing, form, path};
use cosslice::resume::{Known, Mark, SliceSet, Token, Verdict, judge};
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::json;

const SLICE: usize = 65536;

/// An emulator that takes small slices.
fn small_slices() -> Server {
    let server = Server::start();
    let sizes = json!({"slice_sizes": [SLICE]});
    server.settings(&sizes).unwrap();
    // Thousands of requests would be kept.
    server.record(false);
    server
}

/// Lengths that lie about borders as often as not.
fn lengths() -> impl Strategy<Value = usize> {
    let about = |len: usize| (len.saturating_sub(2)..=len + 2).boxed();
    prop_oneof![
        0..200usize,
        0..6 * SLICE,
        about(SLICE),
        about(2 * SLICE),
        about(5 * SLICE)
    ]
}

/// Cuts `data` at the given places; what is cut twice gives an empty piece.
fn pieces<'d>(data: &'d [u8], cuts: &[prop::sample::Index]) -> Vec<&'d [u8]> {
    let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(data.len() + 1)).collect();
    at.push(data.len());
    at.sort_unstable();
    let mut from = 0;
    at.into_iter()
        .map(|to| {
            let piece = &data[from..to];
            from = to;
            piece
        })
        .collect()
}

#[test]
fn any_content_in_any_pieces_arrives() {
    let server = small_slices();
    let cases = ProptestConfig::with_cases(60);
    let inputs = (
        lengths(),
        any::<u64>(),
        vec(any::<prop::sample::Index>(), 0..40),
        vec(any::<prop::sample::Index>(), 0..8),
        1..5u64,
        any::<(bool, bool)>(),
    );
    proptest!(cases, |((len, seed, cuts, hash_cuts, in_flight, (hashed, keeps)) in inputs)| {
        server.reset().unwrap();
        let data = content(seed, len);
        let config = server
            .config()
            .number("SLICE_SIZE", SLICE as u64)
            .number("IN_FLIGHT", in_flight)
            .number("HASH", u64::from(keeps));
        let upload = config.upload("/object");
        if hashed {
            for piece in pieces(&data, &hash_cuts) {
                prop_assert_eq!(upload.hash(piece), Ok(()));
            }
        }
        prop_assert_eq!(upload.init(len as u64), Ok(()));
        for piece in pieces(&data, &cuts) {
            prop_assert_eq!(upload.feed(piece), Ok(()));
        }
        prop_assert_eq!(upload.finish(), Ok(()));
        prop_assert_eq!(server.object_sha1("/object"), Some(sha1(&data)));
        prop_assert_eq!(upload.get("BYTES_DONE"), len as i64);
        if hashed || keeps {
            prop_assert_eq!(upload.text("SHA1"), sha1(&data));
        }
    });
}

#[test]
fn an_upload_broken_anywhere_goes_on_by_its_token() {
    let server = small_slices();
    let cases = ProptestConfig::with_cases(40);
    let inputs = (
        1..6 * SLICE,
        any::<u64>(),
        any::<prop::sample::Index>(),
        vec(any::<prop::sample::Index>(), 0..12),
        1..4u64,
        any::<bool>(),
    );
    proptest!(cases, |((len, seed, stop, cuts, in_flight, seeks) in inputs)| {
        server.reset().unwrap();
        let data = content(seed, len);
        let config = || {
            server
                .config()
                .number("SLICE_SIZE", SLICE as u64)
                .number("IN_FLIGHT", in_flight)
        };
        let first = config().upload("/object");
        prop_assert_eq!(first.init(len as u64), Ok(()));
        let stop = stop.index(len + 1);
        for piece in pieces(&data[..stop], &cuts) {
            prop_assert_eq!(first.feed(piece), Ok(()));
        }
        let token = first.text("RESUME_TOKEN");
        prop_assert!(token.starts_with("cst1."));
        drop(first);

        let second = config().text("RESUME_TOKEN", &token).upload("/object");
        prop_assert_eq!(second.init(len as u64), Ok(()));
        let there = second.get("NEXT_OFFSET") as usize;
        prop_assert!(there <= stop || stop == len, "{} is there of {}", there, stop);
        let from = if seeks { there } else { 0 };
        if seeks {
            prop_assert_eq!(second.seek(from as u64), Ok(()));
        }
        for piece in pieces(&data[from..], &cuts) {
            prop_assert_eq!(second.feed(piece), Ok(()));
        }
        prop_assert_eq!(second.finish(), Ok(()));
        prop_assert_eq!(server.object_sha1("/object"), Some(sha1(&data)));
    });
}

fn print_of(data: &[u8], grid: u64) -> Fingerprint {
    let mut tally = Tally::new(grid);
    tally.update(data);
    tally.finish()
}

proptest! {
    #[test]
    fn a_slice_set_is_a_set(size in 0..5000u64, slice_size in 1..200u64, ranges in vec((0..6000u64, 0..250u64), 0..60), inserted in vec(0..80u64, 0..40)) {
        let count = size.div_ceil(slice_size);
        // Some that fit, among many that do not.
        let mut ranges = ranges;
        for (i, index) in inserted.iter().enumerate() {
            let at = index * slice_size;
            if i % 2 == 0 && at < size {
                ranges.push((at, slice_size.min(size - at)));
            }
        }
        let mut naive: BTreeSet<u64> = (0..count)
            .map(|index| index * slice_size)
            .filter(|at| ranges.contains(&(*at, slice_size.min(size - at))))
            .collect();
        let mut set = SliceSet::from_parts(size, slice_size, &ranges);
        for index in inserted {
            let at = index * slice_size;
            if at < size {
                naive.insert(at);
                set.insert(at);
            }
            let bytes: u64 = naive.iter().map(|at| slice_size.min(size - at)).sum();
            prop_assert_eq!(set.bytes(), bytes);
            let missing = |from: u64| (0..count).map(|index| index * slice_size).find(|at| *at >= from && !naive.contains(at));
            prop_assert_eq!(set.next_offset(), missing(0).unwrap_or(size));
            for from in [0, at, at + 1, size, u64::MAX / 2] {
                prop_assert_eq!(set.missing_from(from), missing(from));
            }
            for at in 0..size.min(400) {
                prop_assert_eq!(set.contains(at), naive.contains(&(at - at % slice_size)));
            }
        }
        prop_assert!(!set.contains(size.next_multiple_of(slice_size)));
    }

    #[test]
    fn the_list_of_slices_has_the_length_it_says(len in 0..3000usize, grid in 1..40u64) {
        let print = print_of(&content(1, len), grid);
        let list: String = (0..form::parts_count(&print)).map(|i| form::parts_entry(&print, i)).collect();
        prop_assert_eq!(list.len() as u64, form::parts_len(&print));
        let entries: Vec<serde_json::Value> = serde_json::from_str(&list).unwrap();
        let mut end = 0;
        for entry in &entries {
            prop_assert_eq!(entry["offset"].as_u64(), Some(end));
            end += entry["datalen"].as_u64().unwrap();
        }
        prop_assert_eq!(end, len as u64);
        prop_assert_eq!(entries.last().unwrap()["datasha"].as_str().unwrap(), sha1(&content(1, len)));
    }

    #[test]
    fn the_length_of_long_lists_is_right_too(size in 0..1u64 << 40, grid in 16..26u32) {
        // Never written out: only the digits of the offsets are counted here.
        let grid = 1u64 << grid;
        let print = Fingerprint { size, grid, states: Vec::new(), digest: Digest([0; 20]) };
        let count = size.div_ceil(grid).max(1);
        prop_assume!(count < 200_000);
        let digits = |n: u64| n.to_string().len() as u64;
        let frame = r#",{"offset":,"datalen":,"datasha":""}"#.len() as u64 + 40;
        let whole: u64 = (0..count).map(|i| digits(i * grid) + digits(grid.min(size - i * grid)) + frame).sum();
        prop_assert_eq!(form::parts_len(&print), whole + 1);
    }

    #[test]
    fn hashing_in_pieces_is_hashing(len in 0..2000usize, grid in 1..20u64, cuts in vec(any::<prop::sample::Index>(), 0..20)) {
        let grid = grid * 64;
        let data = content(3, len);
        let mut tally = Tally::new(grid);
        for piece in pieces(&data, &cuts) {
            tally.update(piece);
        }
        let print = tally.finish();
        prop_assert_eq!(print.digest, Digest::of(&data));
        prop_assert_eq!(print.size, len as u64);
        for index in 1..len as u64 / grid + 1 {
            let at = index * grid;
            let state = print.state_at(at);
            prop_assert_eq!(state.is_some(), at < len as u64);
            if let Some(state) = state {
                // From any state on, the rest gives the same digest.
                let mut rest = Chain::resume(state, at).unwrap();
                rest.update(&data[at as usize..]);
                prop_assert_eq!(rest.digest(), print.digest);
            }
        }
    }

    #[test]
    fn tokens_read_back(session in ".{0,80}", slice_size in 1..1u64 << 26, slices in 0..20usize, extra in 0..5u64, declared in any::<Option<[u8; 20]>>(), ends in vec(any::<[u8; 20]>(), 0..20), object in any::<[u8; 20]>()) {
        let ends: Vec<_> = ends.into_iter().take(slices).collect();
        let token = Token { object, session, size: slices as u64 * slice_size + extra, slice_size, declared: declared.map(Digest), ends };
        let text = token.encode();
        prop_assert!(text.bytes().all(|b| b.is_ascii_graphic()));
        prop_assert_eq!(Token::decode(&text), Ok(token.clone()));
        prop_assert_eq!(Token::decode(&format!("  {text}\n")), Ok(token));
    }

    #[test]
    fn a_damaged_token_is_refused(ends in vec(any::<[u8; 20]>(), 0..6), at in any::<prop::sample::Index>(), letter in "[ -~]") {
        let token = Token { object: [1; 20], session: "session".into(), size: 6 << 20, slice_size: 1 << 20, declared: None, ends };
        let mut text = token.encode();
        let at = at.index(text.len());
        prop_assume!(text[at..=at] != letter);
        text.replace_range(at..=at, &letter);
        prop_assert!(Token::decode(&text).is_err());
    }

    #[test]
    fn a_token_knows_the_content_that_it_was_made_of(slices in 1..6usize, fed in 0..6usize, other in any::<prop::sample::Index>(), change in any::<bool>()) {
        let (grid, fed) = (128usize, fed.min(slices));
        let data = content(9, slices * grid);
        let subject = subject("1", "b", "/o");
        let plan = Plan { session: "s".into(), size: data.len() as u64, slice_size: grid as u64, serial: false, declared: None };
        let print = print_of(&data, grid as u64);
        let known = Known::Hashed(Arc::new(print));
        let ends: Vec<[u8; 20]> = (1..=fed)
            .map(|slice| match known.mark_at((slice * grid) as u64, plan.size).unwrap() {
                Mark::State(state) => state.0,
                Mark::Digest(digest) => digest.0,
            })
            .collect();
        let token = Token::new(&subject, &plan, &ends);
        let mut now = data.clone();
        let at = other.index(now.len());
        if change {
            now[at] ^= 1;
        }
        let content = Content { size: plan.size, fingerprint: Some(Arc::new(print_of(&now, grid as u64))) };
        let parts = (0..fed).map(|slice| ((slice * grid) as u64, grid as u64)).collect();
        let standing = Standing { plan, parts };
        match judge(&standing, &content, Some(&token), &subject) {
            Verdict::Same { stored, .. } => {
                prop_assert!(!change || at >= fed * grid, "byte {} was changed, {} were fed", at, fed * grid);
                prop_assert_eq!(stored.bytes(), (fed * grid) as u64);
            }
            Verdict::Other(_) => prop_assert!(change && at < fed * grid),
        }
    }

    #[test]
    fn names_survive_the_way_to_the_server(name in "(/[^/\\\\?*:|<>\"\\p{C}]{1,20}){1,3}") {
        prop_assume!(path::check(&name).is_ok());
        let encoded = path::encode(&name);
        prop_assert!(encoded.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.~/%".contains(&b)));
        prop_assert_eq!(decode(&encoded), name.as_bytes());
    }

    #[test]
    fn any_bytes_of_a_name_are_encoded_one_way(name in ".{0,60}") {
        prop_assert_eq!(decode(&path::encode(&name)), name.as_bytes());
    }
}

fn decode(text: &str) -> Vec<u8> {
    let bytes = text.as_bytes();
    let mut out = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at] == b'%' {
            out.push(u8::from_str_radix(&text[at + 1..at + 3], 16).unwrap());
            at += 3;
        } else {
            out.push(bytes[at]);
            at += 1;
        }
    }
    out
}
