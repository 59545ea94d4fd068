//! No secret leaves the library but on the wire: not in a message, not in the server's words, not in a log line of any
//! level. (Every scenario of `scenarios.rs` looks for them too; here are the places where they could slip through.)
#![allow(
    missing_docs,
    unsafe_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::undocumented_unsafe_blocks
)]

mod common;

use common::peer::{ConnectProxy, Raw, RawServer, closed_port, reply};
use common::scenario::find_secret;
use common::{Config, Log, MIB, SECRET_KEY, Server, Upload, content};
use serde_json::json;

/// Everything that a caller can read.
fn told(upload: &Upload, log: &Log) -> Vec<String> {
    let mut texts: Vec<String> = [
        "MESSAGE",
        "SERVER_MESSAGE",
        "REQUEST_ID",
        "ACCESS_URL",
        "URL",
    ]
    .iter()
    .map(|info| upload.text(info))
    .collect();
    texts.extend(log.lines().into_iter().map(|(_, line)| line));
    texts
}

#[track_caller]
fn keeps_quiet(what: &str, upload: &Upload, log: &Log, signatures: &[String]) {
    let texts = told(upload, log);
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    find_secret(&texts, signatures, &[]).unwrap_or_else(|why| panic!("{what}: {why}"));
}

fn signatures_of(server: &Server) -> Vec<String> {
    server
        .requests()
        .iter()
        .filter_map(|r| r.header("authorization").map(str::to_owned))
        .collect()
}

#[test]
fn success_and_failure_of_many_kinds() {
    let bytes = content(1, 2 * MIB + 9);
    for (what, faults) in [
        ("success", json!([])),
        (
            "refused",
            json!([{"op": "upload_slice_data", "do": "code", "code": -97, "status": 403}]),
        ),
        (
            "too old",
            json!([{"do": "code", "code": -59, "status": 403}]),
        ),
        ("HTML", json!([{"do": "status", "status": 502}])),
        (
            "XML",
            json!([{"do": "status", "status": 400, "body": "xml"}]),
        ),
        ("cut", json!([{"do": "cut"}])),
        (
            "dropped",
            json!([{"op": "upload_slice_finish", "do": "drop_before_commit"}]),
        ),
        (
            "session lost",
            json!([{"op": "upload_slice_data", "do": "code", "code": -290}]),
        ),
        (
            "redirect",
            json!([{"do": "redirect", "to": "http://127.0.0.1:1/"}]),
        ),
        ("time-out", json!([{"do": "stall"}])),
    ] {
        let (server, log) = (Server::start(), Log::default());
        server.faults(faults);
        let config = server
            .config()
            .number("RETRIES", 1)
            .number("IO_TIMEOUT_MS", 300)
            .logger(&log);
        let upload = config.upload("/x");
        let outcome = upload.buffer(&bytes);
        assert_eq!(outcome.is_ok(), what == "success", "{what}");
        assert!(!log.lines().is_empty(), "{what}: nothing was logged at all");
        keeps_quiet(what, &upload, &log, &signatures_of(&server));
    }
}

#[test]
fn the_token_is_given_but_not_told() {
    let (server, log) = (Server::start(), Log::default());
    let bytes = content(1, 4 * MIB);
    server.faults(
        json!([{"op": "upload_slice_data", "nth": 3, "do": "code", "code": -5999, "status": 400}]),
    );
    let config = server.config().number("IN_FLIGHT", 1).logger(&log);
    let upload = config.upload("/x");
    upload.init(bytes.len() as u64).unwrap();
    upload.feed(&bytes).unwrap_err();
    let token = upload.text("RESUME_TOKEN");
    assert!(token.len() > 100);
    // Once where it fits, once where it does not.
    for (path, fits) in [("/y", false), ("/x", true)] {
        let config = server.config().text("RESUME_TOKEN", &token).logger(&log);
        let upload = config.upload(path);
        let other = server.config().number("IN_FLIGHT", 1).upload(path);
        if !fits {
            other.init(bytes.len() as u64).unwrap();
            other.feed(&bytes[..MIB]).unwrap();
            drop(other);
        }
        assert_eq!(upload.init(bytes.len() as u64).is_ok(), fits, "{path}");
        if fits {
            upload.feed(&bytes).unwrap();
            upload.finish().unwrap();
        }
        let texts = told(&upload, &log).join("\n");
        for part in [&token[5..45], &token[token.len() - 40..], token.as_str()] {
            assert!(!texts.contains(part), "{path}: {texts}");
        }
    }
}

type Echo = Box<dyn Fn(&str) -> Vec<u8> + Send + Sync>;

/// Every way in which a peer may throw a signature back.
fn echoes() -> Vec<(&'static str, Echo)> {
    vec![
        (
            "HTML page",
            Box::new(|s| {
                reply(
                    "502 Bad Gateway",
                    "",
                    &format!("<html>Authorization: {s}</html>"),
                )
            }),
        ),
        ("text", Box::new(|s| reply("400 Bad Request", "", s))),
        (
            "twice",
            Box::new(|s| reply("500 E", "", &format!("{s} and {s}"))),
        ),
        (
            "XML",
            Box::new(|s| {
                reply(
                    "400 B",
                    "",
                    &format!("<Error><Code>{s}</Code><RequestId>{s}</RequestId></Error>"),
                )
            }),
        ),
        (
            "message",
            Box::new(|s| {
                reply(
                    "403 F",
                    "",
                    &json!({"code": -97, "message": format!("bad sign {s}")}).to_string(),
                )
            }),
        ),
        (
            "message as PHP writes it",
            Box::new(|s| {
                let escaped = s.replace('/', "\\/");
                reply(
                    "403 F",
                    "",
                    &format!("{{\"code\":-97,\"message\":\"bad sign {escaped}\"}}"),
                )
            }),
        ),
        (
            "message in \\u",
            Box::new(|s| {
                let escaped: String = s.chars().map(|c| format!("\\u{:04x}", c as u32)).collect();
                reply(
                    "403 F",
                    "",
                    &format!("{{\"code\":-97,\"message\":\"{escaped}\"}}"),
                )
            }),
        ),
        (
            "request_id",
            Box::new(|s| {
                reply(
                    "403 F",
                    "",
                    &json!({"code": -97, "message": "m", "request_id": s}).to_string(),
                )
            }),
        ),
        (
            "half of it",
            Box::new(|s| {
                reply(
                    "502 E",
                    "",
                    &format!("<html>Authorization: {}</html>", &s[..s.len() / 2]),
                )
            }),
        ),
        (
            "header",
            Box::new(|s| {
                reply(
                    "403 F",
                    &format!("x-cos-request-id: {s}\r\n"),
                    &json!({"code": -97, "message": "m"}).to_string(),
                )
            }),
        ),
        (
            "status line",
            Box::new(|s| {
                reply(
                    &format!("403 {s}"),
                    "",
                    &json!({"code": -97, "message": "m"}).to_string(),
                )
            }),
        ),
        ("no HTTP", Box::new(|s| format!("{s}\r\n\r\n").into_bytes())),
        (
            "Location",
            Box::new(|s| {
                reply(
                    "302 Found",
                    &format!("Location: http://127.0.0.1:1/?sign={s}\r\n"),
                    "",
                )
            }),
        ),
        (
            "access_url",
            Box::new(|s| {
                let data = json!({"access_url": format!("http://a/?sign={s}")});
                reply("500 E", "", &json!({"code": 0, "data": data}).to_string())
            }),
        ),
    ]
}

#[test]
fn a_signature_that_comes_back_is_not_told() {
    let mut wrong = Vec::new();
    for (what, echo) in echoes() {
        let log = Log::default();
        let answer = move |raw: &Raw| echo(raw.header("authorization").unwrap());
        let server = RawServer::start(answer);
        // Made by hand, so that every sign that JSON and HTML may write in another way is surely in it.
        let config = Config::for_endpoint(&server.endpoint())
            .text(
                "AUTHORIZATION",
                "sIg/nA+tUrE/tHaT/nObOdY/mAy/sEe/aNd/aS+lOnG/aS/tHe/rEaL/oNeS/0123456789/abcdefghijklmnopqrstuvwxyz/ABCDEFGHIJKLMNOPQRSTUVWXYZ==",
            )
            .number("RETRIES", 1)
            .number("IO_TIMEOUT_MS", 500)
            .logger(&log);
        let upload = config.upload("/x");
        upload.buffer(b"x").expect_err(what);
        let seen = server.seen();
        assert!(!seen.is_empty(), "{what}");
        let signatures: Vec<String> = seen
            .iter()
            .map(|raw| raw.header("authorization").unwrap().to_owned())
            .collect();
        let texts = told(&upload, &log);
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        if let Err(why) = find_secret(&texts, &signatures, &[]) {
            wrong.push(format!("{what}: {why}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_ready_made_signature_is_not_told() {
    let log = Log::default();
    let server = Server::start();
    let signature = "c2lnbmF0dXJlIHRoYXQgbm9ib2R5IG1heSBzZWU=";
    let config = server
        .config()
        .text("AUTHORIZATION", signature)
        .logger(&log);
    let upload = config.upload("/x");
    assert_eq!(upload.buffer(b"x").unwrap_err().name(), "E_AUTH");
    keeps_quiet("AUTHORIZATION", &upload, &log, &[signature.into()]);
}

#[test]
fn what_a_signer_returns_is_not_told() {
    for bad in [
        "two\nlines",
        "\u{e9}accent",
        &"x".repeat(20_000),
        "ends in nul\u{1}",
        "fine-but-wrong-signature-of-mine",
    ] {
        let log = Log::default();
        let server = Server::start();
        let made = bad.to_owned();
        let config = server
            .config()
            .logger(&log)
            .signer(move |_| Some(made.clone()));
        let upload = config.upload("/x");
        let failure = upload.buffer(b"x").unwrap_err();
        assert_eq!(failure.name(), "E_AUTH", "{bad:.20}: {failure:?}");
        let texts = told(&upload, &log).join("\n");
        assert!(!texts.contains(&bad[..bad.len().min(24)]), "{texts}");
    }
}

#[test]
fn the_password_of_a_proxy_is_not_told() {
    let password = "pAsSwOrD-oF-tHe-PrOxY";
    let basic = {
        use base64::Engine as _;
        base64::prelude::BASE64_STANDARD.encode(format!("somebody:{password}"))
    };
    let server = Server::start();
    let right = ConnectProxy::start(&format!("somebody:{password}"));
    let wrong = ConnectProxy::start("somebody:else");
    for (what, port) in [
        ("right", right.port()),
        ("wrong", wrong.port()),
        ("dead", closed_port()),
        ("no proxy", server.port()),
    ] {
        let log = Log::default();
        let url = format!("http://somebody:{password}@127.0.0.1:{port}");
        let config = server
            .config()
            .text("PROXY", &url)
            .number("CONNECT_TIMEOUT_MS", 500)
            .number("RETRIES", 1)
            .logger(&log);
        let upload = config.upload(&format!("/{what}"));
        let outcome = upload.buffer(b"x");
        assert_eq!(outcome.is_ok(), what == "right", "{what}: {outcome:?}");
        let texts = told(&upload, &log).join("\n");
        for secret in [password, &basic] {
            assert!(!texts.contains(secret), "{what}: {texts}");
        }
        keeps_quiet(what, &upload, &log, &signatures_of(&server));
    }
}

#[test]
fn refused_options_are_not_repeated() {
    let secret = "bad\u{7f}sEcReT\nvalue";
    for name in [
        "SECRET_KEY",
        "AUTHORIZATION",
        "RESUME_TOKEN",
        "PROXY",
        "CA_PEM",
        "USER_AGENT",
        "SECRET_ID",
        "ENDPOINT",
    ] {
        let config = Config::new();
        let option = cosslice::config::TABLE
            .iter()
            .find(|s| s.name == name)
            .unwrap();
        let value = std::ffi::CString::new(secret).unwrap();
        let status = config.set_raw(option.opt as u32, &value);
        assert_eq!(status, -1, "{name} takes anything");
        let message = config.message();
        assert!(
            message.contains(name) && !message.contains("sEcReT"),
            "{name}: {message}"
        );
    }
}

#[test]
fn the_search_finds_what_it_looks_for() {
    // The other tests are worth something only if this is so.
    let signature = "ab/cdefghijklmnopqrstuvwxyz0123456789==".to_owned();
    for text in [
        format!("x {signature} y"),
        format!("x {} y", &signature[..30]),
        signature.replace('/', "\\/"),
        format!("key {SECRET_KEY}"),
    ] {
        assert!(
            find_secret(&[&text], std::slice::from_ref(&signature), &[]).is_err(),
            "{text}"
        );
    }
    let token = format!("cst1.{}", "T0kEn".repeat(20));
    assert!(find_secret(&[&token], &[], std::slice::from_ref(&token)).is_err());
    assert!(find_secret(&["nothing here"], &[signature], &[token]).is_ok());
}
