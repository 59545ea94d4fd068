//! Cancel at every stage: the call comes back, the upload can be continued, others are not disturbed; and what other
//! threads may read and call meanwhile.
//!
//! The bounds here are against hanging; how soon a cancel is obeyed is printed (`--nocapture`) and measured elsewhere.
#![allow(
    missing_docs,
    unsafe_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::undocumented_unsafe_blocks
)]

mod common;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use common::handles::{DONE, FINISHING, HASHING, Outcome, SENDING};
use common::peer::FullPort;
use common::{Config, Log, MIB, SECRET_ID, Server, Upload, content, until};
use serde_json::json;

/// Longer than this is a hang.
const LIMIT: Duration = Duration::from_secs(5);

/// Runs `call` on a thread, cancels when `ready` has seen that it is where it should be, and expects E_CANCELED soon.
#[track_caller]
fn cancel_when(
    stage: &str,
    upload: Arc<Upload>,
    call: impl FnOnce(&Upload) -> Outcome + Send + 'static,
    ready: impl FnOnce(),
) -> Duration {
    let (tell, hear) = mpsc::channel();
    let running = Arc::clone(&upload);
    thread::spawn(move || tell.send(call(&running)));
    ready();
    let asked = Instant::now();
    upload.cancel();
    let outcome = hear
        .recv_timeout(LIMIT)
        .unwrap_or_else(|_| panic!("{stage}: still running {LIMIT:?} after the cancel"));
    let took = asked.elapsed();
    println!("{stage}: {} ms after the cancel", took.as_millis());
    let failure = outcome.expect_err(stage);
    assert_eq!(failure.name(), "E_CANCELED", "{stage}: {failure:?}");
    assert_eq!(failure.retryable, 1, "{stage}");
    // Final: the same handle does not begin again.
    let again = upload.buffer(b"x").expect_err(stage);
    assert_eq!(again.name(), "E_STATE", "{stage}");
    took
}

/// What was canceled can be continued, and what was acknowledged is not sent again.
#[track_caller]
fn goes_on(server: &Server, config: &Config, path: &str, bytes: &[u8], done: i64) {
    server.faults(json!([]));
    let upload = config.upload(path);
    upload.buffer(bytes).unwrap();
    assert_eq!(server.object_bytes(path).as_deref(), Some(bytes));
    let resumed = upload.get("BYTES_RESUMED");
    assert!(
        resumed >= done,
        "{resumed} bytes resumed, {done} were acknowledged"
    );
}

/// Waits until a request of this kind has been recorded.
fn saw(server: &Server, op: &str, times: usize) {
    until(op, || server.count(op) >= times);
}

/// Cancels a buffer upload that hangs in a fault, and continues it.
fn cancel_in_fault(stage: &str, fault: serde_json::Value, op: &str, in_flight: u64) {
    let server = Server::start();
    let bytes = content(1, 3 * MIB + 1);
    let config = server
        .config()
        .number("IN_FLIGHT", in_flight)
        .number("SINGLE_MAX", 0);
    server.faults(fault);
    let upload = Arc::new(config.upload("/x"));
    let fed = bytes.clone();
    let call = move |upload: &Upload| upload.buffer(&fed);
    cancel_when(stage, Arc::clone(&upload), call, || saw(&server, op, 1));
    goes_on(&server, &config, "/x", &bytes, upload.get("BYTES_DONE"));
}

#[test]
fn cancel_while_waiting_for_a_reply() {
    for op in [
        "upload_slice_init",
        "upload_slice_data",
        "upload_slice_finish",
    ] {
        for in_flight in [1, 4] {
            let stage = format!("reply to {op}, {in_flight} at once");
            let fault = json!([{"op": op, "do": "stall"}]);
            cancel_in_fault(&stage, fault, op, in_flight);
        }
    }
}

#[test]
fn cancel_while_waiting_for_a_reply_that_was_committed() {
    for op in ["upload_slice_init", "upload_slice_data"] {
        let fault = json!([{"op": op, "do": "stall", "commit": true}]);
        cancel_in_fault(&format!("reply to {op}, done"), fault, op, 4);
    }
}

#[test]
fn cancel_after_one_of_the_slices() {
    for in_flight in [1, 4] {
        let server = Server::start();
        let config = server.config().number("IN_FLIGHT", in_flight);
        server.faults(json!([{"op": "upload_slice_data", "nth": 2, "count": 99, "do": "stall"}]));
        let upload = Arc::new(config.upload("/x"));
        let bytes = content(1, 6 * MIB);
        let (fed, reader) = (bytes.clone(), Arc::clone(&upload));
        let call = move |upload: &Upload| upload.buffer(&fed);
        cancel_when("after the first slice", Arc::clone(&upload), call, || {
            until("the first slice", || reader.get("BYTES_DONE") == MIB as i64);
            saw(&server, "upload_slice_data", 2);
        });
        goes_on(&server, &config, "/x", &bytes, MIB as i64);
    }
}

#[test]
fn cancel_while_the_peer_reads_nothing() {
    let server = Server::start();
    // More than the kernel's buffers take.
    let bytes = content(1, 20 * MIB);
    for (hash, in_flight) in [(0, 1), (1, 4)] {
        let config = server
            .config()
            .number("SINGLE_MAX", 20 << 20)
            .number("HASH", hash)
            .number("IN_FLIGHT", in_flight);
        server.record(true);
        server.faults(json!([{"op": "upload", "do": "stall_before_body"}]));
        let upload = Arc::new(config.upload("/x"));
        let fed = bytes.clone();
        let call = move |upload: &Upload| upload.buffer(&fed);
        cancel_when("sending to a peer that does not read", upload, call, || {
            saw(&server, "upload", 1);
        });
        server.faults(json!([]));
    }
    server.config().upload("/x").buffer(&bytes).unwrap();
}

#[test]
fn cancel_while_feeding_a_peer_that_reads_nothing() {
    for in_flight in [1, 3] {
        let server = Server::start();
        let config = server.config().number("IN_FLIGHT", in_flight);
        server.faults(json!([{"op": "upload_slice_data", "do": "stall_before_body"}]));
        let upload = Arc::new(config.upload("/x"));
        let bytes = content(1, 10 * MIB);
        upload.init(bytes.len() as u64).unwrap();
        let fed = bytes.clone();
        let call = move |upload: &Upload| upload.feed(&fed);
        cancel_when("feed", Arc::clone(&upload), call, || {
            saw(&server, "upload_slice_data", 1);
        });
        let token = upload.text("RESUME_TOKEN");
        assert!(!token.is_empty(), "a canceled push upload can be continued");
        server.faults(json!([]));
        let next = server.config().text("RESUME_TOKEN", &token).upload("/x");
        next.init(bytes.len() as u64).unwrap();
        next.feed(&bytes).unwrap();
        next.finish().unwrap();
        assert_eq!(server.object_bytes("/x"), Some(bytes));
    }
}

#[test]
fn cancel_while_connecting() {
    let full = FullPort::new();
    let config = Config::for_endpoint(&format!("http://127.0.0.1:{}/files/v2", full.port))
        .number("CONNECT_TIMEOUT_MS", 60_000);
    let upload = Arc::new(config.upload("/x"));
    let (tell, hear) = mpsc::channel();
    let tell = Mutex::new(tell);
    upload.progress(move |beat| {
        let _ = tell.lock().unwrap().send(beat.phase);
        false
    });
    let call = |upload: &Upload| upload.buffer(&content(1, 2 * MIB));
    cancel_when("connect", upload, call, || {
        // The first beat of the phase comes before the connect, later ones during it.
        let sending = hear.iter().filter(|phase| *phase == SENDING);
        assert_eq!(sending.take(3).count(), 3);
    });
}

#[test]
fn cancel_in_the_pause_before_another_try() {
    let server = Server::start();
    let log = Log::default();
    let config = server.config().number("RETRIES", 100).logger(&log);
    server.faults(json!([{"do": "code", "code": -71, "status": 503}]));
    let upload = Arc::new(config.upload("/x"));
    let bytes = content(1, 2 * MIB);
    let fed = bytes.clone();
    let call = move |upload: &Upload| upload.buffer(&fed);
    // Pauses have no least length: this waits for a long one, which the log announces.
    let long = Mutex::new(0);
    let took = cancel_when("back-off", Arc::clone(&upload), call, || {
        until("a long pause", || {
            let lines = log.lines();
            let pause = lines.last().map_or(0, |(_, line)| announced_ms(line));
            *long.lock().unwrap() = pause;
            pause >= 1500
        });
    });
    let long = Duration::from_millis(*long.lock().unwrap());
    assert!(
        took < long * 3 / 4,
        "{took:?} after the cancel, in a pause of {long:?}"
    );
    goes_on(&server, &config, "/x", &bytes, 0);
}

/// The pause of `try 3 of 6 in 250 ms: …`; 0 of other lines.
fn announced_ms(line: &str) -> u64 {
    let words: Vec<&str> = line.split(' ').collect();
    match words.as_slice() {
        ["try", _, "of", _, "in", ms, ..] => ms.parse().unwrap(),
        _ => 0,
    }
}

#[test]
fn cancel_while_hashing() {
    let server = Server::start();
    let bytes = content(1, 8 * MIB);
    let file = server.folder.path().join("content");
    std::fs::write(&file, &bytes).unwrap();
    for mode in ["buffer", "file", "hash"] {
        let upload = Arc::new(server.config().upload("/x"));
        let (reached, at) = mpsc::channel();
        let (go, wait) = mpsc::channel::<()>();
        let ends = Mutex::new((reached, wait));
        let once = AtomicBool::new(false);
        upload.progress(move |beat| {
            if beat.phase == HASHING && !once.swap(true, Ordering::SeqCst) {
                let ends = ends.lock().unwrap();
                let _ = ends.0.send(());
                // Held here until the other thread has canceled: the pass cannot be over before.
                let _ = ends.1.recv_timeout(LIMIT);
            }
            false
        });
        let (fed, file) = (bytes.clone(), file.clone());
        let call = move |upload: &Upload| match mode {
            "buffer" => upload.buffer(&fed),
            "file" => upload.file(&file),
            _ => upload.hash(&fed),
        };
        let canceled = Arc::clone(&upload);
        cancel_when(&format!("hashing, {mode}"), upload, call, move || {
            at.recv_timeout(LIMIT).unwrap();
            canceled.cancel();
            go.send(()).unwrap();
        });
    }
    assert_eq!(server.requests().len(), 0);
    server.config().upload("/x").buffer(&bytes).unwrap();
}

#[test]
fn cancel_inside_the_signer() {
    // A signer that gives up when it hears of the cancel has not refused.
    for (in_flight, gives_up) in [(1, false), (4, false), (1, true), (4, true)] {
        let server = Arc::new(Server::start());
        let (reached, at) = mpsc::channel();
        let (go, wait) = mpsc::channel::<()>();
        let ends = Mutex::new((reached, wait));
        let signing = Arc::downgrade(&server);
        let config = server
            .config()
            .number("IN_FLIGHT", in_flight)
            .signer(move |ask| {
                if ask.op == "upload_slice_data" {
                    let ends = ends.lock().unwrap();
                    let _ = ends.0.send(());
                    let _ = ends.1.recv_timeout(LIMIT);
                    if gives_up {
                        return None;
                    }
                }
                // Ends within the margin, so that it is asked for each request.
                let end = ask.now_s + 10;
                let (t, f) = (ask.now_s, &ask.file_id);
                let plaintext = format!(
                    "a={}&b={}&k={SECRET_ID}&e={end}&t={t}&r=1&f={f}",
                    ask.app_id, ask.bucket
                );
                Some(signing.upgrade()?.sign(&plaintext))
            });
        let upload = Arc::new(config.upload("/x"));
        let bytes = content(1, 3 * MIB);
        let call = move |upload: &Upload| upload.buffer(&bytes);
        let canceled = Arc::clone(&upload);
        cancel_when("signer", upload, call, move || {
            at.recv_timeout(LIMIT).unwrap();
            canceled.cancel();
            go.send(()).unwrap();
        });
        let bytes = content(1, 3 * MIB);
        goes_on(&server, &server.config(), "/x", &bytes, 0);
    }
}

#[test]
fn a_progress_callback_can_cancel_in_every_phase() {
    for (phase, name) in [
        (HASHING, "hashing"),
        (SENDING, "sending"),
        (FINISHING, "finishing"),
    ] {
        for in_flight in [1, 4] {
            let server = Server::start();
            let config = server.config().number("IN_FLIGHT", in_flight);
            let upload = config.upload("/x");
            upload.progress(move |beat| beat.phase == phase);
            let bytes = content(1, 6 * MIB);
            let failure = upload.buffer(&bytes).unwrap_err();
            assert_eq!(failure.name(), "E_CANCELED", "{name}: {failure:?}");
            assert_eq!(server.count("upload_slice_finish"), 0, "{name}");
            goes_on(&server, &config, "/x", &bytes, upload.get("BYTES_DONE"));
        }
    }
}

#[test]
fn a_progress_callback_can_cancel_in_the_middle() {
    for in_flight in [1, 4] {
        let server = Server::start();
        let config = server.config().number("IN_FLIGHT", in_flight);
        let upload = config.upload("/x");
        let half = 3 * MIB as u64;
        upload.progress(move |beat| beat.phase == SENDING && beat.done >= half);
        let bytes = content(1, 12 * MIB);
        let failure = upload.buffer(&bytes).unwrap_err();
        assert_eq!(failure.name(), "E_CANCELED");
        let done = upload.get("BYTES_DONE");
        assert!(done >= half as i64 && done < bytes.len() as i64, "{done}");
        goes_on(&server, &config, "/x", &bytes, done);
    }
}

#[test]
fn cancel_before_the_call() {
    let server = Server::start();
    let upload = server.config().upload("/x");
    upload.cancel();
    let failure = upload.buffer(&content(1, 2 * MIB)).unwrap_err();
    assert_eq!(failure.name(), "E_CANCELED");
    let upload = server.config().upload("/x");
    upload.cancel();
    assert_eq!(upload.init(5).unwrap_err().name(), "E_CANCELED");
    assert_eq!(server.requests().len(), 0);
}

#[test]
fn cancel_after_the_end_changes_nothing() {
    let server = Server::start();
    let upload = server.config().upload("/x");
    upload.buffer(b"x").unwrap();
    upload.cancel();
    assert_eq!(upload.get("PHASE"), i64::from(DONE));
    assert!(!upload.text("ACCESS_URL").is_empty());
}

#[test]
fn a_cancel_does_not_disturb_the_neighbour() {
    let server = Server::start();
    let config = server.config().number("IN_FLIGHT", 4).number("RETRIES", 0);
    // One hangs; the other one is held in the middle until the first has been canceled.
    server.faults(json!([{"op": "upload_slice_data", "path": "/hangs", "do": "stall"}]));
    let (hangs, goes) = (Arc::new(config.upload("/hangs")), config.upload("/goes"));
    let (reached, at) = mpsc::channel();
    let (go, wait) = mpsc::channel::<()>();
    let ends = Mutex::new((reached, wait));
    let once = AtomicBool::new(false);
    goes.progress(move |beat| {
        if beat.phase == SENDING && beat.done > 0 && !once.swap(true, Ordering::SeqCst) {
            let ends = ends.lock().unwrap();
            let _ = ends.0.send(());
            let _ = ends.1.recv_timeout(LIMIT);
        }
        false
    });
    let bytes = content(2, 20 * MIB);
    let fed = bytes.clone();
    let neighbour = thread::spawn(move || {
        let outcome = goes.buffer(&fed);
        (outcome, goes.get("RETRIES"))
    });
    let call = |upload: &Upload| upload.buffer(&content(1, 20 * MIB));
    cancel_when("beside another upload", hangs, call, || {
        saw(&server, "upload_slice_init", 2);
        at.recv_timeout(LIMIT).unwrap();
        until("slices that hang", || {
            let requests = server.requests();
            requests
                .iter()
                .filter(|r| r.op == "upload_slice_data" && r.path == "/hangs")
                .count()
                >= 4
        });
    });
    go.send(()).unwrap();
    let (outcome, retries) = neighbour.join().unwrap();
    outcome.unwrap();
    assert_eq!(retries, 0, "the neighbour had to send something again");
    assert_eq!(server.object_bytes("/goes"), Some(bytes));
}

#[test]
fn figures_can_be_read_while_the_upload_runs() {
    let server = Server::start();
    let config = server.config().number("IN_FLIGHT", 2);
    // Everything but the third slice goes through.
    server.faults(json!([{"op": "upload_slice_data", "offset": 2 * MIB, "do": "stall"}]));
    let upload = Arc::new(config.upload("/x"));
    let bytes = content(1, 5 * MIB + 7);
    let fed = bytes.clone();
    let call = move |upload: &Upload| upload.buffer(&fed);
    let reader = Arc::clone(&upload);
    let done = 4 * MIB as i64 + 7;
    cancel_when("with one slice left", Arc::clone(&upload), call, || {
        let highest = AtomicU64::new(0);
        until("all but one slice", || {
            let now = reader.get("BYTES_DONE") as u64;
            assert!(
                now >= highest.swap(now, Ordering::SeqCst),
                "BYTES_DONE went back"
            );
            now as i64 == done
        });
        assert_eq!(reader.get("NEXT_OFFSET"), 2 * MIB as i64);
        assert_eq!(reader.get("BYTES_TOTAL"), bytes.len() as i64);
        assert_eq!(reader.get("SLICE_SIZE"), MIB as i64);
        assert_eq!(reader.get("PHASE"), i64::from(SENDING));
        for text in ["MESSAGE", "RESUME_TOKEN", "ACCESS_URL"] {
            assert_eq!(reader.text(text), "", "texts are empty while a call runs");
        }
    });
    assert_eq!(upload.get("BYTES_DONE"), done, "and stay after the cancel");
    goes_on(&server, &config, "/x", &content(1, 5 * MIB + 7), done);
}

#[test]
fn a_second_call_is_turned_away_and_the_first_goes_on() {
    let server = Server::start();
    server.faults(json!([{"op": "upload", "do": "stall"}]));
    let upload = Arc::new(server.config().upload("/x"));
    let second = Arc::clone(&upload);
    let call = |upload: &Upload| upload.buffer(b"x");
    cancel_when("after a second call", upload, call, || {
        saw(&server, "upload", 1);
        assert_eq!(second.buffer(b"y").unwrap_err().status, -3);
        assert_eq!(second.init(5).unwrap_err().status, -3);
    });
    assert_eq!(server.count("upload"), 1);
}
