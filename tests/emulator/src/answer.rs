//! Bodies of replies: the documented JSON, what stands in its place when others answer, and its distortions.

use crate::codes::Fail;
use crate::fault::{Action, Fault};
use crate::operation::Done;
use crate::random;
use crate::reply::{Framing, Reply};
use crate::settings::Settings;
use crate::wire::Head;
use base64::Engine as _;
use serde_json::Value;

const JSON: &str = "application/json; charset=utf-8";

/// base64 of `<unix seconds>_<hex>_<hex>_<hex>`, all in hex (protocol 2).
pub fn request_id(now: i64) -> String {
    let r = random::mix(random::fresh());
    let text = format!(
        "{now:x}_{:x}_{:x}_{:x}",
        r >> 32,
        r >> 16 & 0xffff,
        r & 0xff_ffff
    );
    base64::engine::general_purpose::STANDARD.encode(text)
}

fn json_string(text: &str) -> String {
    Value::from(text).to_string()
}

/// Compact JSON in the documented order: code, message, request_id, data.
pub fn reply_to(done: &Done, id: &str, settings: &Settings) -> Reply {
    match done {
        Err(fail) => fail_reply(fail, id, settings),
        Ok(data) => {
            let data = data
                .as_ref()
                .map(|d| format!(",\"data\":{}", Value::Object(d.clone())))
                .unwrap_or_default();
            // delete answers in 30 bytes: no request_id there.
            let id = if data.is_empty() {
                String::new()
            } else {
                id_member(id, settings)
            };
            Reply::new(
                200,
                JSON,
                format!("{{\"code\":0,\"message\":\"SUCCESS\"{id}{data}}}"),
            )
        }
    }
}

fn id_member(id: &str, settings: &Settings) -> String {
    if settings.omit_request_id || id.is_empty() {
        String::new()
    } else {
        format!(",\"request_id\":{}", json_string(id))
    }
}

pub fn fail_reply(fail: &Fail, id: &str, settings: &Settings) -> Reply {
    if settings.xml_errors {
        let (kind, text) = canned("xml", fail.status, id);
        return Reply::new(fail.status, kind, text);
    }
    let message = json_string(&fail.message);
    let id = id_member(id, settings);
    Reply::new(
        fail.status,
        JSON,
        format!("{{\"code\":{},\"message\":{message}{id}}}", fail.code),
    )
}

/// The reply that a fault makes up.
pub fn made_up(fault: &Fault, id: &str, settings: &Settings) -> Reply {
    if fault.action == Action::Redirect {
        let mut reply = Reply::new(fault.status.unwrap_or(302), "text/html", "");
        reply
            .headers
            .push(("Location", fault.to.clone().unwrap_or_default()));
        return reply;
    }
    if let Some(code) = fault.code {
        let message = fault.message.as_deref().unwrap_or("ERROR_BY_FAULT");
        let fail = Fail::new(fault.status.unwrap_or(200), code, message);
        return fail_reply(&fail, id, settings);
    }
    let status = fault.status.unwrap_or(503);
    let (kind, text) = canned(fault.body.as_deref().unwrap_or("html"), status, id);
    Reply::new(status, kind, text)
}

/// The bodies that proxies and the newer API send instead of JSON (protocol 7).
fn canned(body: &str, status: u16, id: &str) -> (&'static str, String) {
    match body {
        "html" => (
            "text/html",
            format!(
                "<html>\r\n<head><title>{status}</title></head>\r\n<body><center><h1>{status}</h1></center></body>\r\n</html>\r\n"
            ),
        ),
        "xml" => (
            "application/xml",
            format!(
                "<?xml version='1.0' encoding='utf-8' ?>\n<Error>\n\t<Code>InvalidRequest</Code>\n\t<Message>By the \
                 emulator</Message>\n\t<RequestId>{id}</RequestId>\n</Error>\n"
            ),
        ),
        "empty" => ("", String::new()),
        text => ("text/plain; charset=utf-8", text.to_owned()),
    }
}

pub fn distort(fault: &Fault, reply: &mut Reply) {
    let size = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
    match fault.action {
        Action::Cut => {
            reply.framing = Framing::Cut(size(fault.at.unwrap_or(reply.body.len() as u64 / 2)))
        }
        Action::Chunked => reply.framing = Framing::Chunked(size(fault.bytes.unwrap_or(7))),
        Action::Garbage => {
            reply.body = fault
                .body
                .clone()
                .unwrap_or_else(|| "{\"code\":0,\"message\":\"SUCC".into())
                .into_bytes();
        }
        Action::Huge => {
            let padding = size(fault.bytes.unwrap_or(16 << 20)).min(1 << 30);
            if reply.body.last() == Some(&b'}') {
                reply.body.pop();
                reply.body.extend_from_slice(b",\"padding\":\"");
                reply.body.resize(reply.body.len() + padding, b'x');
                reply.body.extend_from_slice(b"\"}");
            }
        }
        Action::WrongTypes => {
            if let Ok(mut json) = serde_json::from_slice::<Value>(&reply.body) {
                if let Some(data) = json.get_mut("data").and_then(Value::as_object_mut) {
                    data.values_mut().for_each(|v| *v = mistyped(v));
                }
                json["message"] = 17.into();
                reply.body = json.to_string().into_bytes();
            }
        }
        _ => {}
    }
}

fn mistyped(value: &Value) -> Value {
    match value {
        Value::String(_) => 7.into(),
        Value::Number(_) => "seven".into(),
        Value::Array(_) => serde_json::json!({"0": 0}),
        _ => Value::Null,
    }
}

/// A browser asks before it uploads across origins.
pub fn preflight(head: &Head) -> Reply {
    let mut reply = Reply::new(200, "", "");
    let asked = head
        .get("access-control-request-headers")
        .unwrap_or("*")
        .to_owned();
    reply.headers.push((
        "Access-Control-Allow-Methods",
        "GET, HEAD, POST, OPTIONS".into(),
    ));
    reply.headers.push(("Access-Control-Allow-Headers", asked));
    reply.headers.push(("Access-Control-Max-Age", "600".into()));
    reply
}
