//! Random faults at 5 % and at 30 % of requests, over hundreds of uploads in all modes: each ends with an identical
//! object or one clear status, and what failed is done by fresh uploads in the end. Nothing hangs, and an object that is
//! replaced is the old or the new one, whole, at every moment.
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

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{LazyLock, Mutex, mpsc};
use std::time::{Duration, Instant};

use authority::{Authority, Leaf};
use common::Log;
use common::{
    APP_ID, BUCKET, Config, MIB, SECRET_ID, SECRET_KEY, Server, content, panic_text, sha1,
};
use cosslice_emulator::{Action, Emulator};
use serde_json::{Value, json};
use support::{Job, Mode, Random, Report};

const PATH: &str = "/in/the/storm";
/// Longest time that one upload may take; far beyond what all its retries can take.
const LIMIT: Duration = Duration::from_secs(90);
/// Fresh uploads of one content before it counts as never done.
const ATTEMPTS: u32 = 60;

/// Faults that strike any request. Those that stand in for the operation come with and without carrying it out.
fn kinds() -> Vec<Value> {
    let mut kinds = vec![
        json!({"do": "drop_before_body"}),
        json!({"do": "drop_in_body", "at": 1}),
        json!({"do": "drop_in_body", "at": 300}),
        json!({"do": "drop_in_body", "at": 500_000}),
        json!({"do": "drop_before_commit"}),
        json!({"do": "drop_after_commit"}),
        json!({"do": "early_reply", "status": 500}),
        json!({"do": "early_reply", "code": -71, "status": 503}),
        json!({"do": "redirect", "to": "http://127.0.0.1:1/"}),
        json!({"do": "cut"}),
        json!({"do": "cut", "at": 0}),
        json!({"do": "garbage"}),
        json!({"do": "wrong_types"}),
        json!({"do": "huge", "bytes": 9 << 20}),
        json!({"do": "chunked"}),
        json!({"do": "stall_before_body"}),
        json!({"do": "stall"}),
        json!({"do": "stall", "commit": true}),
        // Refusals that no try can mend: one of them ends an upload.
        json!({"do": "code", "code": -4002, "status": 400}),
        json!({"do": "code", "code": -97, "status": 403}),
        json!({"do": "code", "code": -31337, "status": 400}),
        json!({"do": "code", "code": -4024, "status": 400}),
        json!({"do": "code", "code": -290, "status": 400}),
    ];
    for commit in [false, true] {
        for status in [500, 502, 503, 504, 599] {
            for body in ["html", "xml", "empty"] {
                kinds.push(
                    json!({"do": "status", "status": status, "body": body, "commit": commit}),
                );
            }
        }
        for (code, status) in [
            (-71, 503),
            (-300, 503),
            (-4000, 500),
            (-9999, 200),
            (-98, 500),
        ] {
            kinds.push(json!({"do": "code", "code": code, "status": status, "commit": commit}));
        }
    }
    kinds
}

/// Rules by which `rate` of all requests are struck, by any kind alike; and connections as well.
fn rules(rate: f64, random: &mut Random, sessions_may_end: bool) -> Value {
    let mut kinds = kinds();
    // The draw of a rule depends on its place: another order is another storm.
    for at in (1..kinds.len()).rev() {
        kinds.swap(at, usize::try_from(random.within(0, at as u64)).unwrap());
    }
    let each = 1.0 - (1.0 - rate).powf(1.0 / kinds.len() as f64);
    for kind in &mut kinds {
        kind["p"] = each.into();
    }
    kinds.push(json!({"op": "connect", "do": "drop_connect", "p": rate}));
    // These go together with the others, and with each other. Not numbers_as_strings: of a number as a string
    // wrong_types makes another number, which is a lie that nobody can see.
    for odd in [
        json!({"listparts_as_string": true}),
        json!({"listparts_order": "shuffled"}),
        json!({"listparts_hide": [0, 1 << 20]}),
        json!({"listparts_extra": [{"offset": 1, "datalen": 5}, {"offset": 0, "datalen": 7}]}),
        json!({"omit_request_id": true}),
        json!({"xml_errors": true}),
        json!({"serial": true}),
        json!({"second_finish_code": 0}),
    ] {
        kinds.push(json!({"do": "with", "settings": odd, "p": rate}));
    }
    if sessions_may_end {
        kinds.push(json!({"op": "upload_slice_data", "do": "expire_session", "p": rate / 4.0}));
        kinds.push(json!({"op": "upload_slice_finish", "do": "expire_session", "p": rate / 4.0}));
    }
    kinds.into()
}

/// How a content is uploaded: a mode and what else matters.
#[derive(Clone, Debug)]
struct Case {
    seed: u64,
    mode: Mode,
    size: usize,
    slice_size: u64,
    in_flight: u64,
    single_max: u64,
    hash: u64,
    chunk: usize,
    /// Another object is under the name before.
    replaces: bool,
    tls: bool,
}

/// One for all cases.
static AUTHORITY: LazyLock<Authority> = LazyLock::new(|| Authority::new("a stormy authority"));

impl Case {
    fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let modes = [&Mode::KNOWN[..], &[Mode::Plain, Mode::File]].concat();
        let mode = modes[usize::try_from(seed).unwrap() % modes.len()];
        // Without a digest a fresh upload must be allowed to discard the unfinished one, and that would take the object
        // under the name along: it is refused.
        let hash = u64::from(!matches!(mode, Mode::File | Mode::Buffer) || !random.one_in(5));
        let known = hash == 1 && mode != Mode::Plain;
        let slice_size = if mode.has_token() && random.one_in(2) {
            65536
        } else {
            1 << 20
        };
        let single = random.one_in(6);
        let size = if single {
            random.within(0, 1 << 20)
        } else {
            slice_size * random.within(1, 4) + random.within(1, slice_size)
        };
        Case {
            seed,
            mode,
            size: usize::try_from(size).unwrap(),
            slice_size,
            in_flight: *random.of(&[1, 2, 4, 8]),
            single_max: *random.of(&[0, 1 << 20]),
            hash,
            chunk: *random.of(&[30_000, 100_000, 1 << 20, 4 << 20]),
            replaces: known && random.one_in(2),
            tls: random.one_in(5),
        }
    }

    /// Only a caller who knows that nobody else uploads under the name may discard what is there.
    fn overwrite(&self) -> u64 {
        if self.hash == 1 && self.mode != Mode::Plain {
            1
        } else {
            2
        }
    }
}

/// Counts over all uploads.
#[derive(Default)]
struct Tally {
    objects: AtomicU64,
    uploads: AtomicU64,
    retries: AtomicU64,
    failures: Mutex<BTreeMap<&'static str, u32>>,
    faults: AtomicU64,
    requests: AtomicU64,
}

/// What an upload in a storm may end with. Others would be wrong: nothing is wrong with the content, the arguments, the
/// machine or the certificates here.
const CLEAR: [&str; 7] = [
    "E_NETWORK",
    "E_TIMEOUT",
    "E_PROTOCOL",
    "E_SERVER",
    "E_AUTH",
    "E_CONFLICT",
    "E_NOT_FOUND",
];

/// A server whose draws are its own.
fn start(case: &Case) -> Server {
    let folder = tempfile::tempdir().unwrap();
    let mut config = cosslice_emulator::Config::new(folder.path());
    config.app_id = APP_ID.into();
    config.bucket = BUCKET.into();
    config.secret_id = SECRET_ID.into();
    config.secret_key = SECRET_KEY.into();
    config.record = true;
    config.seed = case.seed;
    config.tls = (case.tls).then(|| AUTHORITY.issue(&Leaf::default(), folder.path()));
    let emulator = Emulator::start(config).unwrap();
    Server { emulator, folder }
}

fn storm(case: &Case, rate: f64, tally: &Tally) {
    let server = start(case);
    server
        .settings(&json!({"slice_sizes": [65536, 1 << 20]}))
        .unwrap();
    let (old, new) = (content(case.seed + 1, 5000), content(case.seed, case.size));
    let (old_sha, new_sha) = (sha1(&old), sha1(&new));
    if case.replaces {
        let config = server.config().text("CA_PEM", &AUTHORITY.pem);
        config.upload(PATH).buffer(&old).unwrap();
    }
    // Who knows an upload by its token alone cannot go on when the session is gone.
    let sessions_may_end = !case.mode.has_token();
    let mut random = Random::new(case.seed);
    server.faults(rules(rate, &mut random, sessions_may_end));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("content");
    std::fs::write(&file, &new).unwrap();
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let watch = case.replaces.then(|| {
            scope.spawn(|| {
                while !over.load(Ordering::SeqCst) {
                    check_whole(&server, [&old_sha, &new_sha]);
                    std::thread::sleep(Duration::from_millis(3));
                }
            })
        });
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            try_until_done(case, &server, &file, &new, tally);
        }));
        over.store(true, Ordering::SeqCst);
        if let Some(watch) = watch
            && let Err(panic) = watch.join()
        {
            panic!("{}\n{}", panic_text(&*panic), server.request_log());
        }
        if let Err(panic) = result {
            panic!("{}\n{}", panic_text(&*panic), server.request_log());
        }
    });
    let requests = server.requests();
    let struck = requests
        .iter()
        .filter(|r| r.faults.iter().any(|f| *f != Action::With))
        .count();
    tally.objects.fetch_add(1, Ordering::Relaxed);
    tally.faults.fetch_add(struck as u64, Ordering::Relaxed);
    tally
        .requests
        .fetch_add(requests.len() as u64, Ordering::Relaxed);
}

/// The object is one of the two, whole.
fn check_whole(server: &Server, whole: [&String; 2]) {
    // The emulator drops the old file before a look at the old record can open it: a second look settles that.
    let seen = (0..5).find_map(|_| server.object_sha1(PATH));
    let seen = seen.expect("there is no object any more");
    assert!(whole.contains(&&seen), "an object of neither content");
}

fn try_until_done(case: &Case, server: &Server, file: &Path, bytes: &[u8], tally: &Tally) {
    let mut token = String::new();
    let mut last = None;
    for _ in 0..ATTEMPTS {
        let log = Log::default();
        let config: Config = server
            .config()
            .logger(&log)
            .text("CA_PEM", &AUTHORITY.pem)
            .number("RETRIES", 3)
            .number("IO_TIMEOUT_MS", 250)
            .number("CONNECT_TIMEOUT_MS", 3000)
            .number("OVERWRITE", case.overwrite())
            .number("SLICE_SIZE", case.slice_size)
            .number("IN_FLIGHT", case.in_flight)
            .number("SINGLE_MAX", case.single_max)
            .number("HASH", case.hash);
        let job = Job {
            mode: case.mode,
            path: PATH,
            file,
            content: bytes,
            chunk: case.chunk,
        };
        let start = Instant::now();
        let report = job.run(config, &token, |_| false, &mut |_| {});
        let took = start.elapsed();
        if std::env::var_os("COSSLICE_CHAOS_CASES").is_some() {
            for (level, line) in log.lines() {
                if level <= 2 {
                    println!("{} {:?} [{level}] {line}", case.seed, case.mode);
                }
            }
        }
        tally.uploads.fetch_add(1, Ordering::Relaxed);
        let retries = u64::try_from(report.retries).unwrap_or(0);
        tally.retries.fetch_add(retries, Ordering::Relaxed);
        if !report.token.is_empty() {
            token = report.token;
        }
        match report.outcome {
            Ok(()) => {
                let object = server.object_sha1(PATH);
                assert_eq!(object, Some(sha1(bytes)), "a wrong success");
                let size = i64::try_from(bytes.len()).unwrap();
                assert_eq!((report.done, report.total), (size, size));
                return;
            }
            Err(failure) => {
                assert!(CLEAR.contains(&failure.name()), "{failure:?}");
                assert!(!failure.message.is_empty(), "{failure:?}");
                assert!(!failure.message.contains(SECRET_KEY), "{failure:?}");
                assert!(took < LIMIT, "{took:?}: {failure:?}");
                let is_new = || server.object_sha1(PATH) == Some(sha1(bytes));
                if failure.name() == "E_CONFLICT" && case.overwrite() == 2 && is_new() {
                    // An upload that failed had finished the object, and without a digest nobody knows: the next one
                    // was opened over it, and is not discarded because the object would go with it.
                    return;
                }
                let mut failures = tally.failures.lock().unwrap();
                *failures.entry(failure.name()).or_default() += 1;
                last = Some(failure);
            }
        }
    }
    panic!("not done after {ATTEMPTS} uploads: {last:?}");
}

/// Runs cases side by side: most of the time they wait.
fn weather(rate: f64, first: u64, cases: u64) {
    // More of it on demand; the seeds go on from the same first one.
    let cases = std::env::var("COSSLICE_CHAOS_CASES").map_or(cases, |n| n.parse().unwrap());
    let seeds = first..first + cases;
    let tally = Tally::default();
    let next = AtomicU64::new(seeds.start);
    let failed = Mutex::new(Vec::new());
    let (tell, hear) = mpsc::channel();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            let (tell, tally, next, failed) = (tell.clone(), &tally, &next, &failed);
            let end = seeds.end;
            scope.spawn(move || {
                loop {
                    let seed = next.fetch_add(1, Ordering::SeqCst);
                    if seed >= end || !failed.lock().unwrap().is_empty() {
                        return;
                    }
                    let case = Case::new(seed);
                    tell.send((seed, Some(case.clone()))).unwrap();
                    let run = std::panic::AssertUnwindSafe(|| storm(&case, rate, tally));
                    if let Err(panic) = std::panic::catch_unwind(run) {
                        let text = panic_text(&*panic);
                        failed.lock().unwrap().push(format!("{case:?}: {text}"));
                    }
                    tell.send((seed, None)).unwrap();
                }
            });
        }
        drop(tell);
        watch_for_hangs(&hear);
    });
    let failed = failed.into_inner().unwrap();
    assert!(failed.is_empty(), "at {rate}: {}", failed.join("\n"));
    println!(
        "at {rate}: {} objects done by {} uploads; {} of {} requests struck, {} retries; failed uploads: {:?}",
        tally.objects.into_inner(),
        tally.uploads.into_inner(),
        tally.faults.into_inner(),
        tally.requests.into_inner(),
        tally.retries.into_inner(),
        tally.failures.into_inner().unwrap()
    );
}

/// A scope would wait for ever for a thread that hangs: says which case it is and ends the program.
fn watch_for_hangs(hear: &mpsc::Receiver<(u64, Option<Case>)>) {
    let mut running = BTreeMap::new();
    loop {
        match hear.recv_timeout(Duration::from_secs(1)) {
            Ok((seed, Some(case))) => drop(running.insert(seed, (case, Instant::now()))),
            Ok((seed, None)) => drop(running.remove(&seed)),
            Err(mpsc::RecvTimeoutError::Timeout) => {}
            Err(mpsc::RecvTimeoutError::Disconnected) => return,
        }
        for (case, since) in running.values() {
            if since.elapsed() > LIMIT {
                eprintln!("it hangs: {case:?}");
                std::process::exit(101);
            }
        }
    }
}

#[test]
fn one_request_in_twenty_goes_wrong() {
    weather(0.05, 0, 240);
}

#[test]
fn almost_every_third_request_goes_wrong() {
    weather(0.3, 1_000_000, 160);
}

/// The storm in small: what it brought to light, one by one.
fn calm(mode: Mode, faults: &Value, before: &Value) -> (Server, Vec<u8>, Report) {
    let server = Server::start();
    let bytes = content(5, 2 * MIB + 7);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("content");
    std::fs::write(&file, &bytes).unwrap();
    let run = || {
        let job = Job {
            mode,
            path: PATH,
            file: &file,
            content: &bytes,
            chunk: MIB,
        };
        let config = server.config().number("IN_FLIGHT", 1).number("RETRIES", 2);
        job.run(config, "", |_| false, &mut |_| {})
    };
    if !before.is_null() {
        server.faults(before.clone());
        run().outcome.unwrap_err();
    }
    server.faults(faults.clone());
    let report = run();
    (server, bytes, report)
}

#[test]
fn a_finish_in_doubt_is_settled_although_the_first_look_fails() {
    for mode in [Mode::File, Mode::Hashed, Mode::Plain, Mode::Token] {
        let faults = json!([
            {"op": "upload_slice_finish", "nth": 1, "do": "drop_after_commit"},
            {"op": "stat", "nth": 1, "do": "code", "code": -31337, "status": 400},
        ]);
        let (server, bytes, report) = calm(mode, &faults, &Value::Null);
        let outcome = report.outcome;
        assert!(outcome.is_ok(), "{mode:?}: {:?}", outcome.unwrap_err());
        assert_eq!(server.object_sha1(PATH), Some(sha1(&bytes)), "{mode:?}");
    }
}

#[test]
fn a_damaged_refusal_is_asked_for_again() {
    for fault in ["garbage", "cut"] {
        let before =
            json!([{"op": "upload_slice_data", "nth": 2, "count": 9, "do": "drop_before_commit"}]);
        let faults = json!([{"op": "upload_slice_init", "nth": 1, "do": fault}]);
        let (server, bytes, report) = calm(Mode::File, &faults, &before);
        let outcome = report.outcome;
        assert!(outcome.is_ok(), "{fault}: {:?}", outcome.unwrap_err());
        assert_eq!(report.resumed, MIB as i64, "{fault}");
        assert_eq!(server.object_sha1(PATH), Some(sha1(&bytes)), "{fault}");
    }
}

/// The tests above see what they look for: the same with an object that is replaced by a third content fails.
#[test]
fn an_object_of_neither_content_is_seen() {
    let server = Server::start();
    server.config().upload(PATH).buffer(b"third").unwrap();
    let (old, new) = (sha1(b"old"), sha1(&content(0, MIB)));
    let run = std::panic::AssertUnwindSafe(|| check_whole(&server, [&old, &new]));
    assert!(std::panic::catch_unwind(run).is_err());
}
