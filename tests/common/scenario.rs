//! Runs the scenario files: what is uploaded, what goes wrong meanwhile, what the caller gets and what the wire saw.
//!
//! Whatever a case expects, some things hold always: the requests are as documented, an object is the whole of one of
//! the case's contents and never a mixture, progress only grows, no secret is in a message or log line, nothing hangs,
//! and after a failure the same upload can be made to work.

mod expect;
mod source;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{Beat, Log, Server, panic_text, wire, within};
use source::Run;

/// A case that takes longer hangs.
const LIMIT: Duration = Duration::from_secs(60);
/// Cases at once: most of their time is waiting.
const AT_ONCE: usize = 8;

pub struct Case {
    pub name: String,
    pub script: Value,
}

/// What a case has been through so far.
pub struct Memory {
    pub server: Arc<Server>,
    /// Each step's content, by the path it was for.
    pub contents: Vec<(String, Vec<u8>)>,
    /// The resume token that the last step left behind.
    pub token: String,
    /// All tokens there ever were.
    pub tokens: Vec<String>,
    /// Requests of earlier steps.
    pub signatures: Vec<String>,
}

/// Sizes may be written as `4M+13`, `1M-1` or `64K`.
pub fn number(value: &Value) -> u64 {
    if let Some(number) = value.as_u64() {
        return number;
    }
    let text = value
        .as_str()
        .unwrap_or_else(|| panic!("{value} is no size"));
    let term = |text: &str| -> u64 {
        let (digits, unit) = match text.strip_suffix('M') {
            Some(digits) => (digits, 1 << 20),
            None => match text.strip_suffix('K') {
                Some(digits) => (digits, 1 << 10),
                None => (text, 1),
            },
        };
        digits
            .parse::<u64>()
            .unwrap_or_else(|_| panic!("{text} is no size"))
            * unit
    };
    match (text.split_once('+'), text.split_once('-')) {
        (Some((a, b)), _) => term(a) + term(b),
        (_, Some((a, b))) => term(a) - term(b),
        _ => term(text),
    }
}

/// Refuses keys that nobody reads, so that a typo does not pass silently.
pub fn known_keys(what: &str, value: &Value, known: &[&str]) -> Result<(), String> {
    let object = value
        .as_object()
        .ok_or_else(|| format!("{what} is no object: {value}"))?;
    match object.keys().find(|key| !known.contains(&key.as_str())) {
        Some(key) => Err(format!("{what} has an unknown key {key}")),
        None => Ok(()),
    }
}

/// Puts `over` on top of `base`, objects key by key.
pub fn overlay(base: &Value, over: &Value) -> Value {
    match (base, over) {
        (Value::Object(base), Value::Object(over)) => {
            let mut merged = base.clone();
            for (key, value) in over {
                // A set of requests is one value: what it does not name was not sent.
                let below = match key.as_str() {
                    "requests" => &Value::Null,
                    key => base.get(key).unwrap_or(&Value::Null),
                };
                merged.insert(key.clone(), overlay(below, value));
            }
            Value::Object(merged)
        }
        _ => over.clone(),
    }
}

pub fn load(file: &str) -> Value {
    let path = format!("{}/tests/scenarios/{file}.json", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}"));
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// The cases of a file: each over the file's `defaults`, and once for each of its own `variants`. Several sets of variants
/// are combined, each with each.
pub fn cases(file: &Value) -> Vec<Case> {
    known_keys("the file", file, &["about", "defaults", "cases"]).unwrap();
    let mut all = Vec::new();
    for case in file["cases"].as_array().expect("cases") {
        let name = case["name"].as_str().expect("a name");
        for (variant, over) in variants(&case["variants"]) {
            let steps = case["steps"].as_array().expect("steps");
            let steps: Vec<Value> = steps
                .iter()
                .enumerate()
                .map(|(index, step)| {
                    let step = overlay(&file["defaults"], step);
                    // A variant is for all steps, or for one of them by its number.
                    let step = overlay(&step, over.get("all").unwrap_or(&json!({})));
                    overlay(&step, over.get(index.to_string()).unwrap_or(&json!({})))
                })
                .collect();
            let mut script = case.clone();
            script["steps"] = steps.into();
            all.push(Case {
                name: format!("{name}{variant}"),
                script,
            });
        }
    }
    all
}

fn variants(sets: &Value) -> Vec<(String, Value)> {
    let sets = match sets {
        Value::Array(sets) => sets.clone(),
        Value::Null => Vec::new(),
        one => vec![one.clone()],
    };
    let mut combined = vec![(String::new(), json!({}))];
    for set in &sets {
        let set = set.as_object().expect("variants are objects");
        combined = combined
            .iter()
            .flat_map(|(name, over)| {
                set.iter()
                    .map(move |(more, on_top)| (format!("{name} / {more}"), overlay(over, on_top)))
            })
            .collect();
    }
    combined
}

pub fn run_file(file: &str) {
    run_all(file, cases(&load(file)));
}

/// Runs cases side by side and panics with all that failed.
pub fn run_all(theme: &str, cases: Vec<Case>) {
    let only = std::env::var("SCENARIO").unwrap_or_default();
    let cases: Vec<Case> = cases
        .into_iter()
        .filter(|case| case.name.contains(&only))
        .collect();
    let next = AtomicUsize::new(0);
    let failures = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::SeqCst)) {
                    let started = Instant::now();
                    let result = run_guarded(case);
                    // Shown by `--nocapture`.
                    println!(
                        "{:5} ms  {theme}: {}",
                        started.elapsed().as_millis(),
                        case.name
                    );
                    if let Err(why) = result {
                        let report = format!("=== {theme}: {}\n{why}", case.name);
                        failures.lock().unwrap().push(report);
                    }
                }
            });
        }
    });
    let failures = failures.into_inner().unwrap();
    assert!(
        failures.is_empty(),
        "{} of {} cases failed\n{}",
        failures.len(),
        cases.len(),
        failures.join("\n")
    );
}

fn run_guarded(case: &Case) -> Result<(), String> {
    let server = Arc::new(Server::start());
    let (script, for_case) = (case.script.clone(), Arc::clone(&server));
    let log = Log::default();
    let for_log = log.clone();
    let result = within(LIMIT, move || run_case(&script, for_case, &for_log));
    let why = match result {
        None => format!("HANGS for more than {LIMIT:?}"),
        Some(Err(panic)) => format!("panic: {}", panic_text(&*panic)),
        Some(Ok(Err(why))) => why,
        Some(Ok(Ok(()))) => return Ok(()),
    };
    Err(format!(
        "{why}\nrequests of the step:\n{}log:\n{}",
        server.request_log(),
        log.all()
    ))
}

fn run_case(script: &Value, server: Arc<Server>, log: &Log) -> Result<(), String> {
    known_keys(
        "the case",
        script,
        &["name", "about", "steps", "variants", "recover"],
    )?;
    let mut memory = Memory {
        server,
        contents: Vec::new(),
        token: String::new(),
        tokens: Vec::new(),
        signatures: Vec::new(),
    };
    let steps = script["steps"].as_array().expect("steps");
    let mut last = None;
    for (index, step) in steps.iter().enumerate() {
        let run = run_step(&mut memory, step, log).map_err(|why| format!("step {index}: {why}"))?;
        last = Some(run);
    }
    let failed = last.as_ref().is_some_and(|run| run.outcome.is_err());
    if failed && script["recover"] != json!(false) {
        recover(&mut memory, &steps[steps.len() - 1], log)
            .map_err(|why| format!("the upload after the failure: {why}"))?;
    }
    Ok(())
}

/// After a failure nothing is lost: the same content goes through once the server behaves.
fn recover(memory: &mut Memory, step: &Value, log: &Log) -> Result<(), String> {
    let again = json!({
        "path": step.get("path").cloned().unwrap_or("/object".into()),
        "size": step["size"], "seed": step.get("seed").cloned().unwrap_or(1.into()),
        "calm": true, "options": {"OVERWRITE": 2, "SINGLE_MAX": 0}, "expect": {"status": "OK"},
    });
    run_step(memory, &again, log).map(drop)
}

const STEP_KEYS: &[&str] = &[
    "about",
    "mode",
    "path",
    "size",
    "seed",
    "options",
    "signer",
    "chunk",
    "hash_first",
    "feed_until",
    "announce",
    "seek",
    "token",
    "flip",
    "faults",
    "settings",
    "calm",
    "reset",
    "expect",
];

fn run_step(memory: &mut Memory, step: &Value, log: &Log) -> Result<Run, String> {
    known_keys("the step", step, STEP_KEYS)?;
    let server = Arc::clone(&memory.server);
    if step["calm"] == json!(true) {
        server.settings(&calm())?;
    }
    if step["reset"] == json!(true) {
        server.reset().map_err(|e| e.to_string())?;
    }
    if let Some(settings) = step.get("settings") {
        server.settings(settings)?;
    }
    let faults = step.get("faults").cloned().unwrap_or(json!([]));
    server.set_faults_json(&faults)?;
    server.record(true);
    let again_before = server.counter("slices_again");
    let lines_before = log.lines().len();

    let run = source::run(memory, step, log)?;

    server.faults(json!([]));
    let path = run.path.clone();
    memory.contents.push((path.clone(), run.content.clone()));
    if !run.token.is_empty() {
        memory.tokens.push(run.token.clone());
    }
    memory.token.clone_from(&run.token);
    let requests = server.requests();
    let signatures = requests
        .iter()
        .filter_map(|r| r.header("authorization"))
        .map(str::to_owned);
    memory.signatures.extend(signatures);

    let told = format!("ended with {:?}", run.outcome);
    let lines: Vec<String> = log.lines()[lines_before..]
        .iter()
        .map(|(_, l)| l.clone())
        .collect();
    let checks = [
        wire::check(&requests, run.signed.as_ref()),
        check_object(memory, &path),
        check_secrets(memory, &run, &lines),
        check_beats(&run),
        expect::check(
            memory,
            step,
            &run,
            &lines,
            server.counter("slices_again") - again_before,
        ),
    ];
    let wrong: Vec<String> = checks.into_iter().filter_map(Result::err).collect();
    if wrong.is_empty() {
        Ok(run)
    } else {
        Err(format!("{}\n{told}", wrong.join("\n")))
    }
}

/// The settings that a step with `calm` goes back to.
fn calm() -> Value {
    serde_json::to_value(cosslice_emulator::Settings::default()).unwrap()
}

/// There is no object, or it is the whole of one content that was meant for its name.
fn check_object(memory: &Memory, path: &str) -> Result<(), String> {
    let Some(bytes) = memory.server.object_bytes(path) else {
        return Ok(());
    };
    let mut fitting = memory.contents.iter().filter(|(p, _)| p == path);
    wire::ensure!(
        fitting.any(|(_, content)| *content == bytes),
        "the object is none of the contents that were sent: a MIXTURE"
    );
    Ok(())
}

fn check_secrets(memory: &Memory, run: &Run, lines: &[String]) -> Result<(), String> {
    let mut texts: Vec<&str> = lines.iter().map(String::as_str).collect();
    if let Err(failure) = &run.outcome {
        texts.extend([
            failure.message.as_str(),
            &failure.server_message,
            &failure.request_id,
        ]);
    }
    find_secret(&texts, &memory.signatures, &memory.tokens)
}

/// No secret of any kind in any of the texts.
pub fn find_secret(texts: &[&str], signatures: &[String], tokens: &[String]) -> Result<(), String> {
    // A part of a signature is enough to know it by: its first 27 characters are the MAC.
    let parts = signatures.iter().map(|s| s.get(..24).unwrap_or(s));
    let tokens = tokens.iter().map(|t| t.get(5..45).unwrap_or(t));
    let secrets: Vec<&str> = parts.chain(tokens).chain([super::SECRET_KEY]).collect();
    for text in texts {
        // JSON and HTML write some characters in another way.
        let plain = text.replace("\\/", "/");
        for secret in &secrets {
            wire::ensure!(!plain.contains(secret), "SECRET {secret} in: {text}");
        }
    }
    Ok(())
}

/// Progress grows within a phase and stays when slices are sent again; on success it reaches the total.
fn check_beats(run: &Run) -> Result<(), String> {
    let mut highest: BTreeMap<bool, u64> = BTreeMap::new();
    for beat in &run.beats {
        let before = highest.entry(beat.phase == 1).or_default();
        wire::ensure!(
            beat.done >= *before,
            "progress went back from {before}: {beat:?}"
        );
        wire::ensure!(beat.done <= beat.total, "progress beyond its end: {beat:?}");
        *before = beat.done;
    }
    if run.outcome.is_ok() && !run.abandoned {
        let size = run.content.len() as u64;
        let end = Beat {
            phase: super::handles::DONE,
            done: size,
            total: size,
        };
        wire::ensure!(
            run.beats.last() == Some(&end),
            "progress ends with {:?}",
            run.beats.last()
        );
    }
    Ok(())
}
