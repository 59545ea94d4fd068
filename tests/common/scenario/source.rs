//! The client's side of a step: makes the content and uploads it as the step says.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::{Memory, number};
use crate::common::handles::Outcome;
use crate::common::wire::Signed;
use crate::common::{APP_ID, Ask, BUCKET, Beat, Config, Log, SECRET_ID, Server, Upload, content};
use cosslice::config::{Kind, TABLE};

/// How a step went.
pub struct Run {
    pub path: String,
    pub content: Vec<u8>,
    pub outcome: Outcome,
    pub upload: Upload,
    pub token: String,
    pub beats: Vec<Beat>,
    /// Was left in the middle on purpose.
    pub abandoned: bool,
    /// How the library signs; absent when others do.
    pub signed: Option<Signed>,
    pub took: std::time::Duration,
    /// NEXT_OFFSET behind init.
    pub next_offset: i64,
}

const MODES: &[&str] = &["buffer", "file", "feed"];

pub fn run(memory: &Memory, step: &Value, log: &Log) -> Result<Run, String> {
    let path = step["path"].as_str().unwrap_or("/object").to_owned();
    let size = usize::try_from(number(&step["size"])).map_err(|e| e.to_string())?;
    let mut bytes = content(step["seed"].as_u64().unwrap_or(1), size);
    if let Some(at) = step.get("flip") {
        bytes[number(at) as usize] ^= 1;
    }
    let (config, own_keys) = config(memory, step, log)?;
    let upload = config.upload(&path);
    // The config may go before its uploads do.
    drop(config);
    let beats: Arc<Mutex<Vec<Beat>>> = Arc::default();
    let heard = Arc::clone(&beats);
    upload.progress(move |beat| {
        heard.lock().unwrap().push(beat);
        false
    });
    let mode = step["mode"].as_str().unwrap_or("buffer");
    let mut run = Run {
        path,
        content: Vec::new(),
        outcome: Ok(()),
        upload,
        token: String::new(),
        beats: Vec::new(),
        abandoned: step.get("feed_until").is_some(),
        signed: own_keys.then(|| signed(&step["options"])),
        took: std::time::Duration::ZERO,
        next_offset: -1,
    };
    let started = std::time::Instant::now();
    run.outcome = match mode {
        "buffer" => run.upload.buffer(&bytes),
        "file" => {
            let file = memory.server.folder.path().join("content of a step");
            std::fs::write(&file, &bytes).map_err(|e| e.to_string())?;
            run.upload.file(&file)
        }
        "feed" => feed(&mut run, step, &bytes),
        other => return Err(format!("mode {other} is none of {MODES:?}")),
    };
    run.took = started.elapsed();
    run.token = run.upload.text("RESUME_TOKEN");
    run.beats = beats.lock().unwrap().clone();
    run.content = bytes;
    Ok(run)
}

fn signed(options: &Value) -> Signed {
    let text = |name: &str, default: &str| options[name].as_str().unwrap_or(default).to_owned();
    Signed {
        bucket: text("BUCKET", BUCKET),
        secret_id: text("SECRET_ID", SECRET_ID),
        ttl_s: options["SIGN_TTL_S"].as_u64().unwrap_or(900),
    }
}

fn feed(run: &mut Run, step: &Value, bytes: &[u8]) -> Outcome {
    let upload = &run.upload;
    let chunk = step.get("chunk").map_or(70_000, number) as usize;
    if step["hash_first"] == json!(true) {
        for piece in bytes.chunks(chunk + 1) {
            upload.hash(piece)?;
        }
    }
    upload.init(step.get("announce").map_or(bytes.len() as u64, number))?;
    run.next_offset = upload.get("NEXT_OFFSET");
    let from = match &step["seek"] {
        Value::Null => 0,
        Value::String(next) if next == "next" => run.next_offset as u64,
        offset => number(offset),
    };
    if !step["seek"].is_null() {
        upload.seek(from)?;
    }
    let until = step
        .get("feed_until")
        .map_or(bytes.len(), |at| number(at) as usize);
    for piece in bytes[from as usize..until].chunks(chunk) {
        upload.feed(piece)?;
    }
    if run.abandoned {
        return Ok(());
    }
    upload.finish()
}

fn config(memory: &Memory, step: &Value, log: &Log) -> Result<(Config, bool), String> {
    let server = &memory.server;
    let mut config = server.config().logger(log);
    let mut own_keys = true;
    let options = step.get("options").cloned().unwrap_or(json!({}));
    for (name, value) in options.as_object().ok_or("options")? {
        config = match value {
            Value::String(text) if name == "AUTHORIZATION" => {
                own_keys = false;
                config.text(name, &ready_made(server, text)?)
            }
            Value::String(text) if is_text(name) => config.text(name, text),
            value => config.number(name, number(value)),
        };
    }
    match step["token"].as_str() {
        None => {}
        Some("previous") => config = config.text("RESUME_TOKEN", &memory.token),
        Some(other) => return Err(format!("token {other}")),
    }
    if let Some(kind) = step["signer"].as_str() {
        own_keys = false;
        config = config.text("SECRET_KEY", "").signer(signer(server, kind)?);
    }
    Ok((config, own_keys))
}

fn now_s() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |d| d.as_secs())
}

fn is_text(option: &str) -> bool {
    let spec = TABLE.iter().find(|spec| spec.name == option);
    matches!(spec.map(|s| s.kind), Some(Kind::Text(_)))
}

/// A signature that the caller brings along.
fn ready_made(server: &Server, kind: &str) -> Result<String, String> {
    let (from, to) = match kind {
        "valid" => (now_s(), now_s() + 600),
        "expired" => (now_s() - 700, now_s() - 100),
        other => return Err(format!("AUTHORIZATION {other}")),
    };
    Ok(server.sign(&format!(
        "a={APP_ID}&k={SECRET_ID}&e={to}&t={from}&r=1&f=&b={BUCKET}"
    )))
}

/// A signer that runs on the caller's thread only.
fn signer(
    server: &Arc<Server>,
    kind: &str,
) -> Result<impl Fn(&Ask) -> Option<String> + Send + Sync + use<>, String> {
    let kind = match kind {
        "good" | "refuses" | "refuses data" | "wrong" | "short-lived" => kind.to_owned(),
        other => return Err(format!("signer {other}")),
    };
    let server = Arc::downgrade(server);
    let caller = std::thread::current().id();
    Ok(move |ask: &Ask| {
        if std::thread::current().id() != caller {
            return Some("not the thread that is inside the call".into());
        }
        let end = match kind.as_str() {
            "refuses" => return None,
            "refuses data" if ask.op == "upload_slice_data" => return None,
            // Ends within the margin: it is not used twice.
            "short-lived" => ask.now_s + 20,
            _ => ask.expires_at_s,
        };
        let plaintext = format!(
            "a={}&b={}&k={SECRET_ID}&e={end}&t={}&r={}&f={}",
            ask.app_id,
            ask.bucket,
            ask.now_s,
            next_random(),
            ask.file_id
        );
        let signature = server.upgrade()?.sign(&plaintext);
        if kind == "wrong" {
            return Some(signature.replacen(&signature[..4], "AAAA", 1));
        }
        Some(signature)
    })
}

fn next_random() -> u32 {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NEXT: AtomicU32 = AtomicU32::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}
