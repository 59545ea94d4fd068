//! `/_emulator/…`: faults, settings, records and state, without signatures.

use crate::fault::Fault;
use crate::reply::Reply;
use crate::server::Shared;
use crate::settings::Settings;
use crate::upload::lock;
use serde_json::{Value, json};
use std::io;
use std::sync::Arc;

pub fn handle(shared: &Shared, method: &str, what: &str, body: &[u8]) -> Reply {
    let sent: Result<Value, String> = match body.trim_ascii() {
        b"" => Ok(Value::Null),
        body => serde_json::from_slice(body).map_err(|e| e.to_string()),
    };
    let answer = match (method, what) {
        ("GET", "faults") => Ok(lock(&shared.faults).list().into()),
        ("GET", "settings") => to_json(&*shared.settings()),
        ("GET", "requests") => to_json(
            &shared
                .recorder
                .requests()
                .iter()
                .map(AsRef::as_ref)
                .collect::<Vec<_>>(),
        ),
        ("GET", "state") => Ok(state(shared)),
        ("POST", "faults") => sent.and_then(|rules| {
            lock(&shared.faults).replace(Fault::list_from_json(&rules)?);
            Ok(lock(&shared.faults).list().into())
        }),
        ("POST", "settings") => {
            sent.and_then(|changes| to_json(&change_settings(shared, &changes)?))
        }
        ("POST", "record") => sent.map(|sent| {
            let on = sent["on"].as_bool().unwrap_or(true);
            shared.recorder.switch(on);
            json!({"on": on})
        }),
        ("POST", "reset") => reset(shared).map(|()| json!({})).map_err(|e| e.to_string()),
        _ => return Reply::new(404, "application/json", "{\"error\":\"no such control\"}"),
    };
    match answer {
        Ok(answer) => Reply::new(200, "application/json", answer.to_string()),
        Err(error) => Reply::new(400, "application/json", json!({"error": error}).to_string()),
    }
}

fn to_json(value: &impl serde::Serialize) -> Result<Value, String> {
    serde_json::to_value(value).map_err(|e| e.to_string())
}

pub fn change_settings(shared: &Shared, changes: &Value) -> Result<Settings, String> {
    let mut current = lock(&shared.settings);
    let settings = current.with(changes)?;
    *current = Arc::new(settings.clone());
    Ok(settings)
}

pub fn reset(shared: &Shared) -> io::Result<()> {
    shared.replays.clear();
    shared.store.reset()
}

pub fn state(shared: &Shared) -> Value {
    let objects: Vec<Value> = shared
        .store
        .objects()
        .iter()
        .map(|o| {
            let r = &o.record;
            json!({"path": r.path, "filesize": r.filesize, "sha": o.known_sha(), "biz_attr": r.biz_attr,
                   "ctime": r.ctime, "mtime": r.mtime})
        })
        .collect();
    let uploads: Vec<Value> = shared
        .store
        .uploads()
        .iter()
        .map(|u| {
            let r = &u.record;
            let progress = u.progress();
            let slices = &progress.slices;
            json!({"path": r.path, "session": u.session(), "filesize": r.filesize, "slice_size": r.slice_size,
                   "sha": r.sha, "checked": r.check, "serial": r.serial, "slices": slices.count(),
                   "slices_stored": slices.stored(), "bytes_stored": slices.bytes()})
        })
        .collect();
    let counters = to_json(&*lock(&shared.recorder.counters)).unwrap_or_default();
    json!({"objects": objects, "uploads": uploads, "directories": shared.store.directories(), "counters": counters,
           "discard": shared.discard})
}
