//! What a step expects of its end.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::source::Run;
use super::{Memory, known_keys, number};
use crate::common::handles::status_name;
use crate::common::wire::ensure;

const KEYS: &[&str] = &[
    "status",
    "server_code",
    "http_status",
    "message",
    "server_message",
    "retryable",
    "requests",
    "at_most",
    "slices",
    "slices_again",
    "infos",
    "object",
    "log",
    "log_not",
    "within_ms",
    "next_offset",
    "token",
];

pub fn check(
    memory: &Memory,
    step: &Value,
    run: &Run,
    lines: &[String],
    slices_again: u64,
) -> Result<(), String> {
    let expect = step.get("expect").cloned().unwrap_or(json!({}));
    known_keys("expect", &expect, KEYS)?;
    let wrong: Vec<String> = [
        status(&expect, run),
        failure(&expect, run),
        requests(&expect, memory),
        slices(&expect, memory, slices_again),
        infos(&expect, run),
        object(&expect, memory, run),
        log(&expect, lines),
        rest(&expect, run),
    ]
    .into_iter()
    .filter_map(Result::err)
    .collect();
    if wrong.is_empty() {
        Ok(())
    } else {
        Err(wrong.join("\n"))
    }
}

/// One or several texts.
fn texts(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        Value::Array(all) => all.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

fn status(expect: &Value, run: &Run) -> Result<(), String> {
    let got = match &run.outcome {
        Ok(()) => "OK",
        Err(failure) => failure.name(),
    };
    let wanted = match &expect["status"] {
        Value::Null => vec!["OK"],
        status => texts(status),
    };
    ensure!(wanted.contains(&got), "status {got}, not {wanted:?}");
    Ok(())
}

fn failure(expect: &Value, run: &Run) -> Result<(), String> {
    let Err(failure) = &run.outcome else {
        return Ok(());
    };
    ensure!(
        failure.status != -99,
        "{}: a panic",
        status_name(failure.status)
    );
    ensure!(
        failure.message.len() > 10 && !failure.message.contains(['\n', '\r']),
        "message {:?} is no sentence",
        failure.message
    );
    for (name, got) in [
        ("server_code", failure.server_code),
        ("http_status", failure.http_status),
        ("retryable", failure.retryable),
    ] {
        let wanted = &expect[name];
        ensure!(
            wanted.is_null() || *wanted == json!(got),
            "{name} {got}, not {wanted}"
        );
    }
    for (name, got) in [
        ("message", &failure.message),
        ("server_message", &failure.server_message),
    ] {
        for words in texts(&expect[name]) {
            ensure!(got.contains(words), "{name} without {words:?}: {got}");
        }
    }
    Ok(())
}

/// `requests` names all operations and how often each was asked for; `at_most` only limits some.
fn requests(expect: &Value, memory: &Memory) -> Result<(), String> {
    let mut got: BTreeMap<String, u64> = BTreeMap::new();
    for request in memory.server.requests() {
        let op = request
            .op
            .strip_prefix("upload_slice_")
            .unwrap_or(&request.op);
        *got.entry(op.to_owned()).or_default() += 1;
    }
    if let Some(wanted) = expect["requests"].as_object() {
        let wanted: BTreeMap<String, u64> = wanted
            .iter()
            .map(|(op, n)| (op.clone(), number(n)))
            .collect();
        ensure!(got == wanted, "requests {got:?}, not {wanted:?}");
    }
    for (op, most) in expect["at_most"].as_object().into_iter().flatten() {
        let count = got.get(op).copied().unwrap_or(0);
        ensure!(
            count <= number(most),
            "{count} requests of {op}, at most {most}"
        );
    }
    Ok(())
}

/// `slices` is the set of offsets that were sent; `slices_again` how many of them the server had already.
fn slices(expect: &Value, memory: &Memory, again: u64) -> Result<(), String> {
    if let Some(wanted) = expect.get("slices_again") {
        let wanted = number(wanted);
        ensure!(
            again == wanted,
            "{again} slices were sent that the server had, not {wanted}"
        );
    }
    if let Some(wanted) = expect["slices"].as_array() {
        let mut wanted: Vec<u64> = wanted.iter().map(number).collect();
        wanted.sort_unstable();
        let mut got: Vec<u64> = memory
            .server
            .requests()
            .iter()
            .filter(|r| r.op == "upload_slice_data")
            .filter_map(|r| r.field("offset")?.parse().ok())
            .collect();
        got.sort_unstable();
        ensure!(got == wanted, "slices {got:?}, not {wanted:?}");
    }
    Ok(())
}

fn infos(expect: &Value, run: &Run) -> Result<(), String> {
    for (name, wanted) in expect["infos"].as_object().into_iter().flatten() {
        match wanted {
            Value::Object(range) => {
                let got = run.upload.get(name);
                let min = range.get("min").map_or(i64::MIN, |n| number(n) as i64);
                let max = range.get("max").map_or(i64::MAX, |n| number(n) as i64);
                ensure!((min..=max).contains(&got), "{name} {got}, not {wanted}");
            }
            Value::String(text) if number_like(text).is_none() => {
                let got = run.upload.text(name);
                ensure!(got == *text, "{name} {got:?}, not {text:?}");
            }
            wanted => {
                let got = run.upload.get(name);
                let wanted = wanted.as_i64().unwrap_or_else(|| number(wanted) as i64);
                ensure!(got == wanted, "{name} {got}, not {wanted}");
            }
        }
    }
    Ok(())
}

fn number_like(text: &str) -> Option<()> {
    let known = |c: char| c.is_ascii_digit() || matches!(c, 'M' | 'K' | '+' | '-');
    text.chars().all(known).then_some(())
}

fn object(expect: &Value, memory: &Memory, run: &Run) -> Result<(), String> {
    let got = memory.server.object_bytes(&run.path);
    let wanted = match &expect["object"] {
        Value::Null if run.outcome.is_ok() && !run.abandoned => Some(&run.content),
        Value::Null => return Ok(()),
        Value::String(none) if none == "none" => None,
        Value::Number(step) => {
            let index = step.as_u64().unwrap_or(0) as usize;
            Some(&memory.contents[index].1)
        }
        other => return Err(format!("object {other}")),
    };
    ensure!(
        got.as_ref() == wanted,
        "the object has {:?} bytes of other content than expected",
        got.map(|bytes| bytes.len())
    );
    if run.outcome.is_ok() && !run.abandoned {
        check_success(memory, run)?;
    }
    Ok(())
}

/// What every success tells.
fn check_success(memory: &Memory, run: &Run) -> Result<(), String> {
    let size = run.content.len() as i64;
    for name in ["BYTES_TOTAL", "BYTES_DONE", "NEXT_OFFSET"] {
        let got = run.upload.get(name);
        ensure!(got == size, "{name} {got} after success, not {size}");
    }
    let phase = run.upload.get("PHASE");
    ensure!(phase == 4, "PHASE {phase} after success");
    let resource = run.upload.text("RESOURCE_PATH");
    let encoded = cosslice_emulator::percent_encode(&run.path);
    ensure!(
        resource.ends_with(&encoded) || resource.ends_with(&run.path),
        "RESOURCE_PATH {resource}"
    );
    let sha = run.upload.text("SHA1");
    let truth = memory.server.object_sha1(&run.path).unwrap_or_default();
    ensure!(
        sha.is_empty() || sha == truth,
        "SHA1 {sha}, the object has {truth}"
    );
    Ok(())
}

fn log(expect: &Value, lines: &[String]) -> Result<(), String> {
    for words in texts(&expect["log"]) {
        ensure!(
            lines.iter().any(|line| line.contains(words)),
            "no log line with {words:?}"
        );
    }
    for words in texts(&expect["log_not"]) {
        ensure!(
            lines.iter().all(|line| !line.contains(words)),
            "a log line with {words:?}"
        );
    }
    Ok(())
}

fn rest(expect: &Value, run: &Run) -> Result<(), String> {
    if let Some(limit) = expect.get("within_ms") {
        let took = run.took.as_millis() as u64;
        ensure!(took <= number(limit), "took {took} ms, at most {limit}");
    }
    if let Some(wanted) = expect.get("next_offset") {
        let wanted = number(wanted) as i64;
        ensure!(
            run.next_offset == wanted,
            "NEXT_OFFSET {} behind init, not {wanted}",
            run.next_offset
        );
    }
    match expect["token"].as_bool() {
        Some(wanted) => {
            ensure!(
                run.token.is_empty() != wanted,
                "token {:?}",
                run.token.len()
            );
            Ok(())
        }
        None => Ok(()),
    }
}
