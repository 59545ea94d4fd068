//! No wait without a limit, no reply without an end, and progress that only grows.
#![allow(
    missing_docs,
    unsafe_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::undocumented_unsafe_blocks
)]

mod common;

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use common::handles::{DONE, HASHING, SENDING};
use common::peer::{FullPort, RawServer, closed_port, reply};
use common::{Beat, Config, MIB, Server, content};
use serde_json::json;

/// Longer than this is a hang.
const LIMIT: Duration = Duration::from_secs(5);

#[test]
fn an_unreachable_host_is_given_up_within_the_limit() {
    let full = FullPort::new();
    let refused = closed_port();
    for (what, port, limit) in [
        ("silent", full.port, 400),
        ("silent", full.port, 1500),
        ("refused", refused, 600),
    ] {
        let config = Config::for_endpoint(&format!("http://127.0.0.1:{port}/files/v2"))
            .number("CONNECT_TIMEOUT_MS", limit)
            .number("RETRIES", 100);
        let upload = config.upload("/x");
        let started = Instant::now();
        let failure = upload.buffer(b"x").unwrap_err();
        let took = started.elapsed();
        println!("{what} host, limit {limit} ms: {} ms", took.as_millis());
        assert_eq!(failure.name(), "E_NETWORK", "{what}: {failure:?}");
        assert_eq!(failure.retryable, 1, "{what}");
        assert!(
            failure.message.contains(&port.to_string()),
            "{}",
            failure.message
        );
        // Some room for a busy machine.
        assert!(
            took < Duration::from_millis(limit + 1000),
            "{what}: {took:?}"
        );
    }
}

#[test]
fn a_host_name_that_is_none() {
    let config = Config::for_endpoint("http://no-such-host.invalid/files/v2")
        .number("CONNECT_TIMEOUT_MS", 1000)
        .number("RETRIES", 100);
    let started = Instant::now();
    let failure = config.upload("/x").buffer(b"x").unwrap_err();
    assert_eq!(failure.name(), "E_NETWORK", "{failure:?}");
    assert!(
        failure.message.contains("no-such-host.invalid"),
        "{}",
        failure.message
    );
    assert!(started.elapsed() < Duration::from_secs(3));
}

#[test]
fn silence_has_a_limit() {
    let server = Server::start();
    for (fault, op) in [
        ("stall", "upload_slice_data"),
        ("stall_before_body", "upload_slice_data"),
        ("stall", "connect"),
    ] {
        server.faults(json!([{"op": op, "do": fault}]));
        let config = server
            .config()
            .number("RETRIES", 0)
            .number("IO_TIMEOUT_MS", 400);
        let started = Instant::now();
        let failure = config
            .upload("/x")
            .buffer(&content(1, 2 * MIB))
            .unwrap_err();
        assert_eq!(failure.name(), "E_TIMEOUT", "{op} {fault}: {failure:?}");
        assert!(
            started.elapsed() < LIMIT,
            "{op} {fault}: {:?}",
            started.elapsed()
        );
    }
}

#[test]
fn a_peer_that_takes_the_request_and_says_nothing() {
    let server = RawServer::start(|_| Vec::new());
    let config = Config::for_endpoint(&server.endpoint())
        .number("RETRIES", 0)
        .number("IO_TIMEOUT_MS", 300);
    let failure = config.upload("/x").buffer(b"x").unwrap_err();
    assert_eq!(failure.name(), "E_TIMEOUT", "{failure:?}");
}

#[test]
fn a_reply_without_end_is_given_up() {
    let page = "x".repeat(100 * MIB);
    for (what, body) in [
        ("HTML", page.clone()),
        ("JSON", format!("{{\"code\":0,\"message\":\"{page}\"}}")),
    ] {
        let server = RawServer::start(move |_| reply("200 OK", "", &body));
        let config = Config::for_endpoint(&server.endpoint()).number("RETRIES", 0);
        let started = Instant::now();
        let failure = config.upload("/x").buffer(b"x").unwrap_err();
        assert_eq!(failure.name(), "E_PROTOCOL", "{what}: {failure:?}");
        assert!(
            failure.message.len() < 500,
            "{what}: {} characters",
            failure.message.len()
        );
        assert!(started.elapsed() < LIMIT, "{what}: {:?}", started.elapsed());
    }
}

#[test]
fn a_head_without_end_is_given_up() {
    for head in ["x".repeat(10 * MIB), "X-A: b\r\n".repeat(MIB)] {
        let server = RawServer::start(move |_| format!("HTTP/1.1 200 OK\r\n{head}").into_bytes());
        let config = Config::for_endpoint(&server.endpoint())
            .number("RETRIES", 0)
            .number("IO_TIMEOUT_MS", 1000);
        let started = Instant::now();
        let failure = config.upload("/x").buffer(b"x").unwrap_err();
        assert!(
            matches!(failure.name(), "E_PROTOCOL" | "E_NETWORK"),
            "{failure:?}"
        );
        assert!(started.elapsed() < LIMIT, "{:?}", started.elapsed());
    }
}

#[test]
fn a_peer_that_speaks_no_http_is_told_plainly() {
    for answer in [
        "SSH-2.0-OpenSSH_9\r\n\r\n",
        "\0\x01\x02\x03\r\n\r\n",
        "HTTP/1.1 99999 X\r\n\r\n",
        "\r\n\r\n",
    ] {
        let server = RawServer::start(move |_| answer.as_bytes().to_vec());
        let config = Config::for_endpoint(&server.endpoint())
            .number("RETRIES", 0)
            .number("IO_TIMEOUT_MS", 500);
        let failure = config.upload("/x").buffer(b"x").unwrap_err();
        assert!(
            matches!(failure.name(), "E_PROTOCOL" | "E_NETWORK" | "E_TIMEOUT"),
            "{answer:?}: {failure:?}"
        );
    }
}

#[test]
fn progress_only_grows_and_reaches_the_total() {
    let server = Server::start();
    // Slices that have to be sent again must not take progress back.
    server.faults(json!([{"op": "upload_slice_data", "p": 0.2, "do": "drop_after_commit"}]));
    for in_flight in [1, 4, 16] {
        let config = server
            .config()
            .number("IN_FLIGHT", in_flight)
            .number("RETRIES", 20);
        let upload = config.upload(&format!("/{in_flight}"));
        let beats: Arc<Mutex<Vec<Beat>>> = Arc::default();
        let heard = Arc::clone(&beats);
        upload.progress(move |beat| {
            heard.lock().unwrap().push(beat);
            false
        });
        let size = 10 * MIB + in_flight as usize;
        upload.buffer(&content(in_flight, size)).unwrap();
        let beats = beats.lock().unwrap();
        let total = size as u64;
        for phase in [HASHING, SENDING] {
            let done: Vec<u64> = beats
                .iter()
                .filter(|b| b.phase == phase)
                .map(|b| b.done)
                .collect();
            assert!(done.len() > 1 && done.is_sorted(), "{phase}: {done:?}");
        }
        assert!(beats.iter().all(|b| b.total == total && b.done <= total));
        assert!(beats.iter().map(|b| b.phase).is_sorted(), "phases in order");
        let last = Beat {
            phase: DONE,
            done: total,
            total,
        };
        assert_eq!(beats.last(), Some(&last));
        assert!(beats.contains(&Beat {
            phase: SENDING,
            done: total,
            total
        }));
    }
}
