//! Uploads that are killed and started again, on either side of the wire: the object is identical in the end, and what
//! the server had acknowledged is not sent again.
//!
//! The uploader is this test program run again as another process. It is held at a point that the seed chooses, by a
//! progress callback that does not return or by a server that does not answer, and killed there.
#![allow(
    missing_docs,
    unsafe_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::undocumented_unsafe_blocks
)]

mod common;
mod support;

#[path = "interruption/changed.rs"]
mod changed;
#[path = "interruption/moving.rs"]
mod moving;
#[path = "interruption/restarted.rs"]
mod restarted;

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use common::{Server, content, sha1, until};
use cosslice::resume::Token;
use cosslice_emulator::Action;
use serde_json::{Value, json};
use support::process::{self, Process};
use support::{Mode, Random};
use tempfile::TempDir;

/// Not a test: what the processes run that are started to be killed.
#[test]
fn another_process() {
    match process::role() {
        Some(role) if role["role"] == "uploader" => process::uploader(&role),
        Some(role) => process::server(&role),
        None => {}
    }
}

/// Where a process is killed.
#[derive(Clone, Debug)]
enum Point {
    /// In a progress callback, from so many bytes on.
    Callback { phase: u32, at: u64 },
    /// While the server does not answer.
    Stall(Value),
    /// Unheld, as soon as the server has seen so many requests.
    Requests(u64),
}

impl Point {
    fn stage(&self) -> String {
        match self {
            Point::Callback { phase, .. } => {
                let names = ["idle", "hashing", "sending", "finishing"];
                format!("callback while {}", names[*phase as usize])
            }
            Point::Stall(rules) => rules[0]["op"].as_str().unwrap().into(),
            Point::Requests(_) => "unheld".into(),
        }
    }
}

/// One object on its way, through several processes.
struct Journey {
    mode: Mode,
    server: Server,
    folder: TempDir,
    size: usize,
    content: Vec<u8>,
    slice_size: u64,
    random: Random,
    /// Digest of what is under the name before.
    old: Option<String>,
    /// Slices that a token did not yet know when its process was killed: they may be sent again to be compared.
    excused: u64,
    /// A killed process had finished the object, and no digest tells the next one: it sends all of it again.
    was_finished: bool,
}

const PATH: &str = "/night/train";

impl Journey {
    fn new(mode: Mode, seed: u64) -> Self {
        let mut random = Random::new(seed);
        let server = Server::start();
        server
            .settings(&json!({"slice_sizes": [65536, 1 << 20]}))
            .unwrap();
        // A digest is declared only with slices of 1 MiB; others need a token.
        let slice_size = if mode.has_token() && random.one_in(2) {
            65536
        } else {
            1 << 20
        };
        let most = if slice_size == 65536 { 30 } else { 6 };
        let slices = random.within(3, most);
        let tail = random.within(1, slice_size);
        let size = usize::try_from((slices - 1) * slice_size + tail).unwrap();
        let content = content(seed, size);
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("content"), &content).unwrap();
        let old = random.one_in(2).then(|| common::content(seed + 1, 5000));
        if let Some(old) = &old {
            server.config().upload(PATH).buffer(old).unwrap();
        }
        Journey {
            old: old.map(|old| sha1(&old)),
            mode,
            server,
            folder,
            size,
            content,
            slice_size,
            random,
            excused: 0,
            was_finished: false,
        }
    }

    fn slices(&self) -> u64 {
        (self.size as u64).div_ceil(self.slice_size)
    }

    fn token_file(&self) -> PathBuf {
        self.folder.path().join("token")
    }

    fn point(&mut self) -> Point {
        let size = self.size as u64;
        let slices = self.slices();
        let commit = self.random.one_in(2);
        // All that follow are held too, or only that one while its neighbours go on.
        let count = if self.random.one_in(2) { 1000 } else { 1 };
        let stall = |op: &str, nth: u64, action: &str| {
            Point::Stall(
                json!([{"op": op, "nth": nth, "count": count, "do": action, "commit": commit}]),
            )
        };
        match self.random.within(0, 11) {
            0 | 1 if self.mode.is_hashed() => Point::Callback {
                phase: common::handles::HASHING,
                at: self.random.within(0, size - 1),
            },
            0 => stall("upload_slice_init", 1, "stall"),
            1 => stall("upload_slice_list", 1, "stall"),
            2 => stall("any", self.random.within(1, 2), "stall"),
            3 => Point::Callback {
                phase: common::handles::SENDING,
                at: self.random.within(0, size),
            },
            4 => Point::Requests(self.random.within(1, slices + 3)),
            5 => stall(
                "upload_slice_data",
                self.random.within(1, slices),
                "stall_before_body",
            ),
            6 => stall("upload_slice_finish", 1, "stall"),
            7 => Point::Callback {
                phase: common::handles::FINISHING,
                at: 0,
            },
            _ => stall("upload_slice_data", self.random.within(1, slices), "stall"),
        }
    }

    fn start(&mut self, hold: (u32, u64)) -> Process {
        let chunk = *self.random.of(&[10_000, 65_536, 300_000, 1 << 20, 3 << 20]);
        let role = json!({
            "role": "uploader",
            "mode": format!("{:?}", self.mode),
            "endpoint": self.server.endpoint(),
            "path": PATH,
            "file": self.folder.path().join("content"),
            "token_file": self.token_file(),
            "overwrite": 1,
            "slice_size": self.slice_size,
            "in_flight": self.random.of(&[1, 2, 4]),
            "chunk": chunk,
            "hold_phase": hold.0,
            "hold_at": hold.1,
        });
        Process::start("another_process", &role)
    }

    /// Runs a process up to a point and kills it there. `false`: it came to its end before, well.
    fn run_and_kill(&mut self, point: &Point) -> bool {
        let hold = match point {
            Point::Callback { phase, at } => (*phase, *at),
            _ => (99, 0),
        };
        self.server.faults(match point {
            Point::Stall(rules) => rules.clone(),
            _ => json!([]),
        });
        let before = self.server.counter("requests");
        let stalled_before = self.stalled_connections();
        let mut process = self.start(hold);
        let end = Instant::now() + Duration::from_secs(30);
        loop {
            assert!(Instant::now() < end, "{point:?} was not reached");
            match process.said().as_deref() {
                Some("held") => break,
                Some(report) => {
                    let report: Value = serde_json::from_str(report).unwrap();
                    assert_eq!(report["status"], 0, "{point:?}: {report}");
                    return false;
                }
                None => {}
            }
            let reached = match point {
                Point::Callback { .. } => false,
                Point::Stall(_) => self.stalled_connections() > stalled_before,
                Point::Requests(number) => self.server.counter("requests") >= before + number,
            };
            if reached {
                break;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        process.kill();
        // What the dead process had sent is dealt with before the next one looks.
        // Connections that stall on purpose stay.
        until("the end of the dead process's connections", || {
            self.server.counter("open_connections") == self.stalled_connections()
        });
        self.excuse();
        // Whatever was under the name is there, whole, until the new object is.
        assert!(self.is_new() || self.server.object_sha1(PATH) == self.old);
        true
    }

    /// Slices that the server has and the token does not vouch for.
    fn excuse(&mut self) {
        if !self.mode.has_token() {
            return;
        }
        let stored = self.server.state()["uploads"][0]["slices_stored"]
            .as_u64()
            .unwrap_or(0);
        let token = std::fs::read_to_string(self.token_file()).unwrap_or_default();
        let known = Token::decode(&token).map_or(0, |token| token.ends.len() as u64);
        self.excused += stored.saturating_sub(known);
    }

    fn stalled_connections(&self) -> u64 {
        let stalls = |f: &Action| matches!(f, Action::Stall | Action::StallBeforeBody);
        let requests = self.server.requests();
        let connections = requests
            .iter()
            .filter(|r| r.faults.iter().any(stalls))
            .map(|r| r.connection);
        connections.collect::<BTreeSet<_>>().len() as u64
    }

    fn is_new(&self) -> bool {
        self.server.object_sha1(PATH) == Some(sha1(&self.content))
    }

    /// The object is there, whole, and was sent once.
    fn check_end(&self) {
        assert!(self.is_new(), "another content");
        let (stored, again) = (
            self.server.counter("slices_stored"),
            self.server.counter("slices_again"),
        );
        assert!(again <= self.excused, "{again} slices were sent again");
        assert!(
            stored <= self.slices() * (1 + u64::from(self.was_finished)),
            "{stored} slices were stored, of {}",
            self.slices()
        );
    }
}

/// Kills `kills` processes, up to five on the way of one object.
fn kill_and_resume(mode: Mode, kills: u32) {
    let mut left = kills;
    let mut seed = 1000 * mode as u64;
    let mut objects = 0;
    let mut stages = BTreeMap::<String, u32>::new();
    while left > 0 {
        seed += 1;
        assert!(seed % 1000 < 500, "too few processes could be killed");
        let mut journey = Journey::new(mode, seed);
        let case = format!(
            "{mode:?}, seed {seed}, {} bytes in slices of {}",
            journey.size, journey.slice_size
        );
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            let mut killed = 0;
            let mut finished = false;
            while killed < left.min(5) && !finished {
                let point = journey.point();
                eprintln!("{case}: {point:?}");
                finished = !journey.run_and_kill(&point);
                killed += u32::from(!finished);
                if !finished {
                    *stages.entry(point.stage()).or_default() += 1;
                }
                if !mode.is_hashed() && journey.is_new() {
                    journey.was_finished = !finished;
                    break;
                }
            }
            let undisturbed = Point::Callback { phase: 99, at: 0 };
            assert!(finished || !journey.run_and_kill(&undisturbed));
            journey.check_end();
            killed
        }));
        match outcome {
            Ok(killed) => {
                left -= killed;
                objects += 1;
            }
            Err(panic) => panic!(
                "{case}: {}\n{}",
                common::panic_text(&*panic),
                journey.server.request_log()
            ),
        }
    }
    println!("{mode:?}: {kills} kills on the way of {objects} objects, at {stages:?}");
}

#[test]
fn killed_file_uploads_go_on() {
    kill_and_resume(Mode::File, 34);
}

#[test]
fn killed_buffer_uploads_go_on() {
    kill_and_resume(Mode::Buffer, 33);
}

#[test]
fn killed_pushes_with_a_hash_go_on() {
    kill_and_resume(Mode::Hashed, 34);
}

#[test]
fn killed_pushes_with_a_hash_go_on_with_seek() {
    kill_and_resume(Mode::HashedSeek, 33);
}

#[test]
fn killed_pushes_with_a_token_go_on() {
    kill_and_resume(Mode::Token, 33);
}

#[test]
fn killed_pushes_with_a_token_go_on_with_seek() {
    kill_and_resume(Mode::TokenSeek, 33);
}
