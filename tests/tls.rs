//! https: private roots, certificates that must be refused, and faults under the encryption.
#![allow(
    missing_docs,
    unsafe_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::undocumented_unsafe_blocks
)]

#[path = "support/authority.rs"]
mod authority;
mod common;
mod support;

use std::io::Read as _;
use std::net::TcpListener;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use authority::{Authority, Leaf, TlsServer};
use common::{Config, Failure, MIB, Server, Upload, content, sha1, until};
use serde_json::json;
use support::{Job, Mode, Random, Report};

const PATH: &str = "/sealed";

fn run(config: Config, mode: Mode, bytes: &[u8], token: &str) -> Report {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("content");
    std::fs::write(&file, bytes).unwrap();
    let job = Job {
        mode,
        path: PATH,
        file: &file,
        content: bytes,
        chunk: 300_000,
    };
    job.run(config, token, |_| false, &mut |_| {})
}

fn refused(config: Config) -> Failure {
    run(config, Mode::Buffer, b"small", "").outcome.unwrap_err()
}

#[test]
fn a_private_root_works_in_all_modes() {
    for mode in Mode::KNOWN.into_iter().chain([Mode::Plain]) {
        let server = TlsServer::start(&Leaf::default());
        for len in [0, 1, MIB + 1, 3 * MIB] {
            let bytes = content(len as u64, len);
            let config = server.config().number("OVERWRITE", 1);
            run(config, mode, &bytes, "").outcome.unwrap();
            let object = server.object_sha1(PATH);
            assert_eq!(object, Some(sha1(&bytes)), "{mode:?}, {len} bytes");
        }
    }
}

#[test]
fn a_host_name_works_as_an_address_does() {
    let server = TlsServer::start(&Leaf::default());
    let endpoint = format!("https://localhost:{}/files/v2", server.port());
    let config = server.config().text("ENDPOINT", &endpoint);
    run(config, Mode::Buffer, b"small", "").outcome.unwrap();
    assert_eq!(server.object_sha1(PATH), Some(sha1(b"small")));
}

#[test]
fn several_roots_in_one_text() {
    let server = TlsServer::start(&Leaf::default());
    let other = Authority::new("another authority");
    for roots in [
        format!("{}{}", other.pem, server.authority.pem),
        format!("{}\n# a comment\n{}", server.authority.pem, other.pem),
    ] {
        let config = server.stranger().text("CA_PEM", &roots);
        config
            .number("OVERWRITE", 1)
            .upload(PATH)
            .buffer(b"small")
            .unwrap();
    }
    // Only others.
    let failure = refused(server.stranger().text("CA_PEM", &other.pem));
    assert_eq!(failure.name(), "E_TLS");
}

/// Certificates that must be refused, with the words that say why.
#[test]
fn who_cannot_be_trusted_is_refused() {
    let leaf = |names: &[&str], years| Leaf {
        names: names.iter().map(ToString::to_string).collect(),
        years,
    };
    let good = ["127.0.0.1"];
    for (leaf, words) in [
        (leaf(&["other.example"], (2020, 2099)), "another host name"),
        (leaf(&["127.0.0.2"], (2020, 2099)), "another host name"),
        (leaf(&[], (2020, 2099)), "another host name"),
        (leaf(&good, (2020, 2021)), "expired"),
        (leaf(&good, (2098, 2099)), "not valid yet"),
    ] {
        let server = TlsServer::start(&leaf);
        let failure = refused(server.config());
        assert_eq!(failure.name(), "E_TLS", "{leaf:?}: {failure:?}");
        assert!(failure.message.contains(words), "{leaf:?}: {failure:?}");
        assert_eq!(failure.retryable, 0, "{failure:?}");
        // Not even the head of a request was sent.
        assert_eq!(server.requests().len(), 0, "{leaf:?}");
        assert_eq!(
            server.counter("connections"),
            1,
            "{leaf:?}: not tried again"
        );
    }
}

#[test]
fn an_unknown_authority_is_refused() {
    let server = TlsServer::start(&Leaf::default());
    for mode in Mode::KNOWN {
        let report = run(server.stranger(), mode, &content(1, 2 * MIB), "");
        let failure = report.outcome.unwrap_err();
        assert_eq!(failure.name(), "E_TLS", "{mode:?}: {failure:?}");
        assert!(failure.message.contains("unknown authority"), "{failure:?}");
        assert!(failure.message.contains("CA_PEM"), "it says what helps");
        assert!(
            failure.message.contains(&server.port().to_string()),
            "{failure:?}"
        );
    }
    assert_eq!(server.requests().len(), 0);
}

#[test]
fn a_server_without_tls_is_refused() {
    let server = Server::start();
    let endpoint = format!("https://127.0.0.1:{}/files/v2", server.port());
    let failure = refused(server.config().text("ENDPOINT", &endpoint));
    assert_eq!(failure.name(), "E_TLS", "{failure:?}");
    assert!(failure.message.contains("TLS"), "{failure:?}");
    assert_eq!(server.object_sha1(PATH), None);
}

#[test]
fn a_server_with_tls_is_no_plain_one() {
    let server = TlsServer::start(&Leaf::default());
    let endpoint = format!("http://127.0.0.1:{}/files/v2", server.port());
    let config = server.config().text("ENDPOINT", &endpoint);
    let failure = refused(config.number("RETRIES", 1));
    assert!(
        ["E_PROTOCOL", "E_NETWORK"].contains(&failure.name()),
        "{failure:?}"
    );
}

/// A server that takes connections and says nothing. Tells when the first bytes of a handshake have come.
fn silent_server() -> (u16, mpsc::Receiver<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (tell, hear) = mpsc::channel();
    // Ends with the test program.
    std::thread::spawn(move || {
        let mut held = Vec::new();
        for stream in listener.incoming().map_while(Result::ok) {
            let mut stream = stream;
            if stream.read(&mut [0; 16]).is_ok_and(|n| n > 0) {
                let _ = tell.send(());
            }
            held.push(stream);
        }
    });
    (port, hear)
}

fn silent_config(port: u16) -> Config {
    Config::for_endpoint(&format!("https://127.0.0.1:{port}/files/v2"))
}

#[test]
fn a_silent_handshake_is_given_up_within_the_connect_limit() {
    for mode in [Mode::Buffer, Mode::Plain] {
        let (port, _heard) = silent_server();
        let config = silent_config(port)
            .number("CONNECT_TIMEOUT_MS", 700)
            .number("IO_TIMEOUT_MS", 60_000);
        let start = Instant::now();
        let report = run(config, mode, &content(1, 2 * MIB), "");
        let took = start.elapsed();
        let failure = report.outcome.unwrap_err();
        assert!(
            ["E_NETWORK", "E_TIMEOUT"].contains(&failure.name()),
            "{mode:?}: {failure:?}"
        );
        // A server that was never reached: the limit is for all tries together.
        assert!(took < Duration::from_millis(2000), "{mode:?}: {took:?}");
        assert!(took >= Duration::from_millis(300), "{mode:?}: {took:?}");
    }
}

/// Returns when it is time, with what must live on.
type Ready = Box<dyn FnOnce() -> Option<TlsServer>>;

/// Cancels an upload when `ready` returns. How long that took; the best of three, for the machine may be busy.
fn cancel_when(mut upload_and_ready: impl FnMut() -> (Upload, Ready)) -> Duration {
    let bytes = content(1, 6 * MIB);
    let once = |_| {
        let (upload, ready) = upload_and_ready();
        let (outcome, took) = std::thread::scope(|scope| {
            let running = scope.spawn(|| upload.buffer(&bytes));
            let _alive = ready();
            let start = Instant::now();
            upload.cancel();
            (running.join().unwrap(), start.elapsed())
        });
        assert_eq!(outcome.unwrap_err().name(), "E_CANCELED");
        took
    };
    (0..3).map(once).min().unwrap()
}

#[test]
fn a_silent_handshake_can_be_canceled() {
    for in_flight in [1, 4] {
        let took = cancel_when(|| {
            let (port, heard) = silent_server();
            let config = silent_config(port).number("IN_FLIGHT", in_flight);
            let ready = move || {
                heard.recv_timeout(Duration::from_secs(20)).unwrap();
                None
            };
            (config.upload(PATH), Box::new(ready))
        });
        assert!(took < Duration::from_millis(250), "{took:?}");
    }
}

#[test]
fn a_stalled_upload_can_be_canceled() {
    for fault in ["stall", "stall_before_body"] {
        let took = cancel_when(|| {
            let server = TlsServer::start(&Leaf::default());
            server.faults(json!([{"op": "upload_slice_data", "do": fault}]));
            let upload = server.config().upload(PATH);
            let ready = move || {
                until("a stall", || {
                    let requests = server.requests();
                    requests.iter().any(|r| !r.faults.is_empty())
                });
                Some(server)
            };
            (upload, Box::new(ready))
        });
        assert!(took < Duration::from_millis(250), "{fault}: {took:?}");
    }
}

#[test]
fn one_handshake_for_each_worker() {
    for (in_flight, most) in [(1, 1), (2, 3), (4, 5)] {
        let server = TlsServer::start(&Leaf::default());
        let bytes = content(2, 12 * MIB);
        let config = server.config().number("IN_FLIGHT", in_flight);
        config.upload(PATH).buffer(&bytes).unwrap();
        let first = server.counter("connections");
        assert!(first <= most, "{in_flight} in flight: {first} connections");
        assert!(server.counter("requests") >= 14);
        // The next upload of the config uses them again.
        let upload = config.upload("/second");
        upload.buffer(&content(3, 12 * MIB)).unwrap();
        let second = server.counter("connections");
        assert!(
            second <= most,
            "{in_flight} in flight: {second} connections"
        );
    }
}

/// Faults of all kinds under TLS, for slices and for the other requests.
fn faults_are_mended(op: &str) {
    let faults = [
        json!({"do": "drop_before_body"}),
        json!({"do": "drop_in_body", "at": 100}),
        json!({"do": "drop_in_body", "at": 700_000}),
        json!({"do": "drop_before_commit"}),
        json!({"do": "drop_after_commit"}),
        json!({"do": "early_reply", "status": 503}),
        json!({"do": "early_reply", "code": -71, "status": 503}),
        json!({"do": "cut"}),
        json!({"do": "status", "status": 502}),
        json!({"do": "chunked"}),
        json!({"do": "stall"}),
    ];
    for fault in &faults {
        let mut rule = fault.clone();
        rule["op"] = op.into();
        rule["count"] = 1.into();
        let server = TlsServer::start(&Leaf::default());
        server.faults(json!([rule]));
        let bytes = content(4, 2 * MIB);
        let config = server
            .config()
            .number("IN_FLIGHT", 2)
            .number("IO_TIMEOUT_MS", 400);
        let outcome = run(config, Mode::Hashed, &bytes, "").outcome;
        assert!(outcome.is_ok(), "{rule}: {:?}", outcome.unwrap_err());
        assert_eq!(server.object_sha1(PATH), Some(sha1(&bytes)), "{rule}");
        let requests = server.requests();
        assert!(requests.iter().any(|r| !r.faults.is_empty()), "{rule}");
    }
}

#[test]
fn faults_of_the_opening_are_mended() {
    faults_are_mended("upload_slice_init");
}

#[test]
fn faults_of_slices_are_mended() {
    faults_are_mended("upload_slice_data");
}

#[test]
fn faults_of_the_finish_are_mended() {
    faults_are_mended("upload_slice_finish");
}

/// A refusal that comes before the request is out must reach the caller, not a broken pipe.
#[test]
fn an_early_refusal_is_heard_under_tls() {
    let server = TlsServer::start(&Leaf::default());
    server.faults(json!([
        {"op": "upload_slice_data", "do": "early_reply", "code": -4002, "status": 400, "message": "no"}]));
    let config = server
        .config()
        .number("IN_FLIGHT", 1)
        .number("SLICE_SIZE", MIB as u64);
    let report = run(config, Mode::Plain, &content(5, 4 * MIB), "");
    let failure = report.outcome.unwrap_err();
    assert_eq!(failure.name(), "E_SERVER", "{failure:?}");
    assert_eq!(failure.server_code, -4002, "{failure:?}");
}

/// Closed in the middle of the handshake, again and again.
#[test]
fn dropped_connections_are_made_again() {
    let server = TlsServer::start(&Leaf::default());
    server.faults(json!([{"op": "connect", "do": "drop_connect", "nth": 1, "count": 2}]));
    let bytes = content(6, 2 * MIB);
    run(server.config(), Mode::File, &bytes, "")
        .outcome
        .unwrap();
    assert_eq!(server.object_sha1(PATH), Some(sha1(&bytes)));
}

#[test]
fn pushed_bytes_are_identical_in_any_chunks() {
    let server = TlsServer::start(&Leaf::default());
    let bytes = content(7, 4 * MIB + 77);
    let mut random = Random::new(7);
    for in_flight in [1, 3] {
        let config = server
            .config()
            .number("OVERWRITE", 1)
            .number("IN_FLIGHT", in_flight);
        let upload = config.upload(&format!("/{in_flight}"));
        upload.init(bytes.len() as u64).unwrap();
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let most = if random.one_in(2) { 1000 } else { 1 << 20 };
            let n = usize::try_from(random.within(1, most)).unwrap();
            let (now, later) = rest.split_at(n.min(rest.len()));
            upload.feed(now).unwrap();
            rest = later;
        }
        upload.finish().unwrap();
        assert_eq!(upload.get("VERIFIED"), 1);
        let object = server.object_bytes(&format!("/{in_flight}")).unwrap();
        assert!(object == bytes, "{in_flight} in flight");
    }
}
