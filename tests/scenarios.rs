//! Flows and faults, one file of `tests/scenarios` per theme. `SCENARIO=words cargo test --test scenarios` runs only the
//! cases whose names contain the words.
#![allow(
    missing_docs,
    unsafe_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::undocumented_unsafe_blocks
)]

mod common;

use common::scenario::{Case, known_keys, load, overlay, run_all, run_file};
use serde_json::{Value, json};

#[test]
fn normal() {
    run_file("normal");
}

#[test]
fn resume() {
    run_file("resume");
}

#[test]
fn push() {
    run_file("push");
}

#[test]
fn server_wishes() {
    run_file("server_wishes");
}

#[test]
fn overwrite() {
    run_file("overwrite");
}

#[test]
fn auth() {
    run_file("auth");
}

#[test]
fn sessions() {
    run_file("sessions");
}

#[test]
fn faults_once() {
    run_all("faults once", matrix("once"));
}

#[test]
fn faults_always() {
    run_all("faults always", matrix("always"));
}

/// Each fault of `faults.json` at each of its operations. `when` is `once` (the first request of the operation) or
/// `always` (every one).
fn matrix(when: &str) -> Vec<Case> {
    let file = load("faults");
    known_keys(
        "the file",
        &file,
        &["about", "defaults", "operations", "faults"],
    )
    .unwrap();
    let mut cases = Vec::new();
    for (op, flow) in file["operations"].as_object().unwrap() {
        for (name, fault) in file["faults"].as_object().unwrap() {
            let fault_keys = ["about", "do", "once", "always", "options", "not_at"];
            known_keys(name, fault, &fault_keys).unwrap();
            let skips = fault["not_at"].as_array().into_iter().flatten();
            if skips.into_iter().any(|skipped| skipped == op.as_str()) {
                continue;
            }
            // What the operation makes of it comes before what the fault says of itself.
            let special = &flow[when][name];
            let expect = match (special, &fault[when]) {
                (Value::Null, Value::Null) => continue,
                (Value::Null, general) => general,
                (special, _) => special,
            };
            let mut rule = fault["do"].clone();
            rule["op"] = op.as_str().into();
            if when == "once" {
                rule["nth"] = 1.into();
            }
            let mut steps = flow["steps"].as_array().unwrap().clone();
            for step in &mut steps {
                *step = overlay(&file["defaults"], step);
            }
            let last = steps.last_mut().unwrap();
            let over = json!({
                "faults": [rule], "expect": expect,
                "options": fault.get("options").cloned().unwrap_or(json!({})),
            });
            *last = overlay(last, &over);
            cases.push(Case {
                name: format!("{op} / {name} / {when}"),
                script: json!({"name": name, "steps": steps}),
            });
        }
    }
    assert!(cases.len() > 50, "only {} cases", cases.len());
    cases
}
