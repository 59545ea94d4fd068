//! The test program run again as another process, so that it can be killed: as an uploader or as the server.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, TryRecvError};
use std::time::{Duration, Instant};

use cosslice_emulator::Emulator;
use serde_json::{Value, json};

use super::{Job, Mode};
use crate::common::handles::HASHING;
use crate::common::{APP_ID, BUCKET, Config, SECRET_ID, SECRET_KEY};

/// Tells the test program that it is such a process, and what to do.
const ROLE: &str = "COSSLICE_TEST_ROLE";

/// A process of ours. It ends with the value.
pub struct Process {
    child: Child,
    lines: Receiver<String>,
}

impl Process {
    /// Runs `test`, a function of this very test program that calls [`role`] first.
    pub fn start(test: &str, role: &Value) -> Process {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", test, "--nocapture", "--test-threads=1"])
            .env(ROLE, role.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let out = child.stdout.take().unwrap();
        let (tell, lines) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                // The test harness may have left its line unfinished.
                if let Some(at) = line.find('@') {
                    drop(tell.send(line[at + 1..].to_owned()));
                }
            }
        });
        Process { child, lines }
    }

    /// A line of the process, if there is one. Panics when there will be none any more.
    pub fn said(&self) -> Option<String> {
        match self.lines.try_recv() {
            Ok(line) => Some(line),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => panic!("the process died"),
        }
    }

    /// The next line of the process.
    pub fn hear(&self, what: &str) -> String {
        self.lines
            .recv_timeout(Duration::from_secs(30))
            .unwrap_or_else(|e| panic!("{what}: {e}"))
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// What this process is to do; `None` in the test program proper.
pub fn role() -> Option<Value> {
    let role = std::env::var(ROLE).ok()?;
    Some(serde_json::from_str(&role).unwrap())
}

fn say(line: &str) {
    // Not println: the harness would keep it.
    let mut out = std::io::stdout();
    out.write_all(format!("\n@{line}\n").as_bytes()).unwrap();
    out.flush().unwrap();
}

/// Until the parent kills this process or is gone itself.
fn for_ever() {
    drop(std::io::stdin().read_to_end(&mut Vec::new()));
    std::process::exit(3);
}

/// An uploader's life. Says `held` where it was told to stop, else what came of the upload.
pub fn uploader(role: &Value) {
    let text = |name: &str| role[name].as_str().unwrap().to_owned();
    let number = |name: &str| role[name].as_u64().unwrap();
    let content = std::fs::read(text("file")).unwrap();
    let mut config = Config::for_endpoint(&text("endpoint"))
        .number("OVERWRITE", number("overwrite"))
        .number("SLICE_SIZE", number("slice_size"))
        .number("IN_FLIGHT", number("in_flight"))
        .number("SINGLE_MAX", 0);
    // A parent that is gone, or a test that forgot to kill, must not leave it waiting for long.
    config = config.number("IO_TIMEOUT_MS", 20_000).number("RETRIES", 0);
    let token_file = text("token_file");
    let token = std::fs::read_to_string(&token_file).unwrap_or_default();
    let file = text("file");
    let path = text("path");
    let (hold_phase, hold_at) = (number("hold_phase"), number("hold_at"));
    let job = Job {
        mode: Mode::named(&text("mode")),
        path: &path,
        file: Path::new(&file),
        content: &content,
        chunk: usize::try_from(number("chunk")).unwrap(),
    };
    let report = job.run(
        config,
        &token,
        move |beat| {
            let phase = u64::from(beat.phase);
            if phase == hold_phase && beat.done >= hold_at || phase > hold_phase {
                say("held");
                for_ever();
            }
            if hold_phase == u64::from(HASHING) {
                // Progress of hashing is told every 40 ms: who takes as long hears of every piece.
                std::thread::sleep(Duration::from_millis(41));
            }
            false
        },
        &mut |token| {
            // As a careful caller does it: whole at every moment.
            let beside = format!("{token_file}.tmp");
            std::fs::write(&beside, token).unwrap();
            std::fs::rename(&beside, &token_file).unwrap();
        },
    );
    let (status, message) = match &report.outcome {
        Ok(()) => (0, String::new()),
        Err(failure) => (failure.status, failure.message.clone()),
    };
    say(&json!({"status": status, "message": message, "resumed": report.resumed}).to_string());
    std::process::exit(0);
}

/// A server's life: says its port, then `reached` when so many bytes of bodies have come.
pub fn server(role: &Value) {
    let mut config = cosslice_emulator::Config::new(role["data"].as_str().unwrap());
    config.app_id = APP_ID.into();
    config.bucket = BUCKET.into();
    config.secret_id = SECRET_ID.into();
    config.secret_key = SECRET_KEY.into();
    config.port = u16::try_from(role["port"].as_u64().unwrap()).unwrap();
    let emulator = Emulator::start(config).unwrap();
    emulator
        .settings(&json!({"slice_sizes": [65536, 1 << 20]}))
        .unwrap();
    emulator.set_faults_json(&role["faults"]).unwrap();
    emulator.record(true);
    say(&emulator.port().to_string());
    let after = role["kill_after"].as_u64().unwrap();
    let end = Instant::now() + Duration::from_secs(60);
    // A request that stalls on purpose is seen here before anybody could answer it.
    while (emulator.requests().len() as u64) < after && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(1));
    }
    say("reached");
    for_ever();
}
