//! The server is killed and started again, at points that the seed chooses, under a running upload: it completes.

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::common::{APP_ID, BUCKET, Config, SECRET_ID, SECRET_KEY, content, panic_text, sha1};
use crate::support::process::Process;
use crate::support::{Job, Mode, Random, Report};

const PATH: &str = "/restarted";
const KILLS: usize = 4;

/// A server in a process of its own.
fn start(data: &TempDir, port: u16, kill_after: u64, faults: &Value) -> (Process, u16) {
    let role = json!({"role": "server", "data": data.path(), "port": port, "kill_after": kill_after, "faults": faults});
    let process = Process::start("another_process", &role);
    let port = process.hear("the server's port").parse().unwrap();
    (process, port)
}

/// When the next server is killed: by then so many requests have come, and the last of them is not answered.
fn plan(random: &mut Random, slices: u64) -> (u64, Value) {
    let nth = random.within(1, slices / 2 + 2);
    let commit = random.one_in(2);
    let action = *random.of(&["stall", "stall", "stall_before_body"]);
    (
        nth,
        json!([{"nth": nth, "count": 1000, "do": action, "commit": commit}]),
    )
}

fn upload(mode: Mode, seed: u64) -> usize {
    let mut random = Random::new(seed);
    let slice_size: u64 = if mode.is_hashed() { 1 << 20 } else { 65536 };
    let slices = random.within(4, if mode.is_hashed() { 6 } else { 20 });
    let size = (slices - 1) * slice_size + random.within(1, slice_size);
    let bytes = content(seed, usize::try_from(size).unwrap());
    let (data, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let file = folder.path().join("content");
    std::fs::write(&file, &bytes).unwrap();
    let (kill_after, faults) = plan(&mut random, slices);
    let (mut server, port) = start(&data, 0, kill_after, &faults);
    let config = Config::for_endpoint(&format!("http://127.0.0.1:{port}/files/v2"))
        .number("SLICE_SIZE", slice_size)
        .number("IN_FLIGHT", *random.of(&[1, 2, 4]))
        .number("SINGLE_MAX", 0)
        .number("RETRIES", 30)
        .number("OVERWRITE", random.within(0, 1));
    let mut kills = 0;
    let report: Report = std::thread::scope(|scope| {
        let job = Job {
            mode,
            path: PATH,
            file: &file,
            content: &bytes,
            chunk: 100_000,
        };
        let upload = scope.spawn(move || job.run(config, "", |_| false, &mut |_| {}));
        while !upload.is_finished() {
            if server.said().as_deref() != Some("reached") {
                std::thread::sleep(std::time::Duration::from_millis(1));
                continue;
            }
            server.kill();
            kills += 1;
            let (kill_after, faults) = if kills < KILLS {
                plan(&mut random, slices)
            } else {
                (u64::MAX, json!([]))
            };
            server = start(&data, port, kill_after, &faults).0;
        }
        upload.join().unwrap()
    });
    server.kill();
    if let Err(failure) = &report.outcome {
        panic!("after {kills} kills: {failure:?}");
    }
    // What is on the disk, read by a server that never saw the upload.
    let mut config = cosslice_emulator::Config::new(data.path());
    config.app_id = APP_ID.into();
    config.bucket = BUCKET.into();
    config.secret_id = SECRET_ID.into();
    config.secret_key = SECRET_KEY.into();
    let after = cosslice_emulator::Emulator::start(config).unwrap();
    assert_eq!(after.object_sha1(PATH), Some(sha1(&bytes)));
    assert_eq!(after.state()["uploads"], json!([]));
    kills
}

fn all(modes: &[Mode]) {
    for mode in modes {
        let mut kills = 0;
        for seed in 1..=2 {
            let run = std::panic::AssertUnwindSafe(|| upload(*mode, seed));
            match std::panic::catch_unwind(run) {
                Ok(n) => kills += n,
                Err(panic) => panic!("{mode:?}, seed {seed}: {}", panic_text(&*panic)),
            }
        }
        assert!(kills > 0, "{mode:?}: no server was killed");
        println!("{mode:?}: the server was killed {kills} times under 2 uploads");
    }
}

#[test]
fn whole_uploads_outlive_their_server() {
    all(&[Mode::File, Mode::Buffer]);
}

#[test]
fn pushes_with_a_hash_outlive_their_server() {
    all(&[Mode::Hashed, Mode::HashedSeek]);
}

#[test]
fn pushes_of_unknown_content_outlive_their_server() {
    all(&[Mode::Plain, Mode::Token]);
}
