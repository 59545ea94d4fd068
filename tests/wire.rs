//! What leaves the library, recorded off the wire, against protocol.md: fields, heads, signatures, connections.
#![allow(
    missing_docs,
    unsafe_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::undocumented_unsafe_blocks
)]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use common::peer::{ConnectProxy, Raw, RawServer, reply};
use common::wire::{self, Signed, sign_fields};
use common::{Log, MIB, Server, content, sha1};
use cosslice_emulator::{Recorded, digest};
use serde_json::{Value, json};

/// Leaves an upload of `bytes` behind that lacks its last slice.
fn leave_unfinished(server: &Server, path: &str, bytes: &[u8]) {
    let last = bytes.len().div_ceil(MIB);
    let rule = json!([{"op": "upload_slice_data", "nth": last, "do": "code", "code": -5999, "status": 400}]);
    server.faults(rule);
    let config = server.config().number("IN_FLIGHT", 1);
    config.upload(path).buffer(bytes).unwrap_err();
    server.faults(json!([]));
}

/// Makes the library send every kind of request, with and without a digest.
fn every_kind_of_request(server: &Server) {
    let bytes = content(1, 2 * MIB + 5);
    let small = &bytes[..5000];
    let config = server.config();
    config.upload("/small").buffer(small).unwrap();
    config.upload("/hashed").buffer(&bytes).unwrap();
    config.upload("/instant").buffer(&bytes).unwrap();
    let config = server
        .config()
        .number("HASH", 0)
        .text("BIZ_ATTR", "a=\"b\"");
    config.upload("/small unhashed").buffer(small).unwrap();
    config.upload("/unhashed").buffer(&bytes).unwrap();
    let upload = server.config().upload("/fed");
    upload.init(bytes.len() as u64).unwrap();
    bytes.chunks(100_001).for_each(|p| upload.feed(p).unwrap());
    upload.finish().unwrap();
    let other = content(2, 2 * MIB + 5);
    leave_unfinished(server, "/continued", &other);
    server.config().upload("/continued").buffer(&other).unwrap();
    let third = content(3, 2 * MIB + 5);
    leave_unfinished(server, "/discarded", &third[..2 * MIB]);
    let config = server.config().number("OVERWRITE", 2);
    config.upload("/discarded").buffer(&third).unwrap();
}

#[test]
fn every_request_is_as_documented() {
    let server = Server::start();
    every_kind_of_request(&server);
    let requests = server.requests();
    wire::check(&requests, Some(&Signed::default()))
        .unwrap_or_else(|why| panic!("{why}\n{}", server.request_log()));
    // Nothing was left out of the look.
    let seen: BTreeSet<(&str, bool)> = requests
        .iter()
        .map(|r| (r.op.as_str(), r.field("sha").is_some()))
        .collect();
    let both = [
        "upload",
        "upload_slice_init",
        "upload_slice_data",
        "upload_slice_finish",
    ];
    for op in both {
        assert!(seen.contains(&(op, true)), "{op} with sha");
        assert!(seen.contains(&(op, false)), "{op} without sha");
    }
    for op in ["upload_slice_list", "stat", "delete"] {
        assert!(seen.contains(&(op, false)), "{op}");
    }
    assert_eq!(seen.len(), 11, "{seen:?}");
}

#[test]
fn values_are_those_of_the_content() {
    let server = Server::start();
    every_kind_of_request(&server);
    for r in server.requests() {
        let bytes = match r.path.as_str() {
            "/small" | "/small unhashed" => content(1, 5000),
            "/continued" => content(2, 2 * MIB + 5),
            "/discarded" => continue,
            _ => content(1, 2 * MIB + 5),
        };
        let whole = sha1(&bytes);
        for (name, value) in [
            ("filesize", bytes.len().to_string()),
            ("sha", whole),
            ("slice_size", MIB.to_string()),
            ("insertOnly", "1".into()),
            ("biz_attr", "a=\"b\"".into()),
        ] {
            assert!(
                r.field(name).is_none_or(|sent| sent == value),
                "{} of {}: {:?}",
                name,
                r.op,
                r.field(name)
            );
        }
        if let Some(parts) = r.field("uploadparts") {
            assert_eq!(parts, uploadparts(&bytes), "{}", r.op);
        }
    }
}

/// The list of protocol 5 by the emulator's own arithmetic, compact and in the order offset, datalen, datasha.
fn uploadparts(bytes: &[u8]) -> String {
    let shas = digest::datashas(bytes, MIB);
    let entries: Vec<String> = shas
        .iter()
        .enumerate()
        .map(|(index, sha)| {
            let offset = index * MIB;
            let len = MIB.min(bytes.len() - offset);
            let sha = digest::hex(sha);
            format!(r#"{{"offset":{offset},"datalen":{len},"datasha":"{sha}"}}"#)
        })
        .collect();
    format!("[{}]", entries.join(","))
}

#[test]
fn uploadparts_are_json_and_fit_the_content() {
    for size in [1, 36864, MIB - 1, MIB, MIB + 1, 2 * MIB, 3 * MIB + 77] {
        let server = Server::start();
        let bytes = content(size as u64, size);
        let config = server.config().number("SINGLE_MAX", 0);
        config.upload("/x").buffer(&bytes).unwrap();
        let requests = server.requests();
        let init = &requests[0];
        let text = init.field("uploadparts").unwrap();
        assert_eq!(text, uploadparts(&bytes), "{size} bytes");
        let parts: Vec<Value> = serde_json::from_str(text).unwrap();
        assert_eq!(parts.len(), size.div_ceil(MIB), "{size} bytes");
        let last = parts.last().unwrap();
        assert_eq!(
            last["datasha"].as_str(),
            init.field("sha"),
            "the last entry is the digest of all"
        );
    }
}

#[test]
fn slices_are_the_content_each_once() {
    for in_flight in [1, 4] {
        let server = Server::start();
        let bytes = content(9, 7 * MIB + 123);
        let config = server.config().number("IN_FLIGHT", in_flight);
        config.upload("/x").buffer(&bytes).unwrap();
        let mut sent = BTreeMap::new();
        for r in server
            .requests()
            .iter()
            .filter(|r| r.op == "upload_slice_data")
        {
            let offset: usize = r.field("offset").unwrap().parse().unwrap();
            let part = r.fields.iter().find(|f| f.name == "filecontent").unwrap();
            let slice = &bytes[offset..bytes.len().min(offset + MIB)];
            assert_eq!(part.length, slice.len() as u64, "at {offset}");
            assert_eq!(part.sha1, Some(sha1(slice)), "at {offset}");
            assert!(sent.insert(offset, ()).is_none(), "{offset} was sent twice");
        }
        assert_eq!(sent.len(), 8);
    }
}

/// What a server has to say to let an upload pass.
fn agree(raw: &Raw) -> Vec<u8> {
    let body = String::from_utf8_lossy(&raw.body[..raw.body.len().min(4096)]).into_owned();
    let offset = body
        .split("name=\"offset\"\r\n\r\n")
        .nth(1)
        .and_then(|rest| rest.split("\r\n").next())
        .and_then(|n| n.parse::<u64>().ok());
    let data = json!({"session": "s", "slice_size": MIB, "offset": offset.unwrap_or(0), "access_url": "http://a"});
    reply("200 OK", "", &json!({"code": 0, "data": data}).to_string())
}

#[test]
fn the_bytes_of_a_small_upload() {
    let server = RawServer::start(agree);
    let config = common::Config::for_endpoint(&server.endpoint());
    config.upload("/a b+中.txt").buffer(b"five!").unwrap();
    let seen = server.seen();
    let raw = &seen[0];
    let mut lines = raw.head.split("\r\n");
    assert_eq!(
        lines.next(),
        Some("POST /files/v2/1250000000/bkt/a%20b%2B%E4%B8%AD.txt HTTP/1.1")
    );
    let names: BTreeSet<String> = lines
        .clone()
        .map(|line| line.split(':').next().unwrap().to_ascii_lowercase())
        .collect();
    assert_eq!(names.len(), lines.count(), "no header twice: {}", raw.head);
    let allowed = [
        "accept",
        "accept-encoding",
        "authorization",
        "content-length",
        "content-type",
        "host",
        "user-agent",
    ];
    let extra: Vec<&String> = names
        .iter()
        .filter(|n| !allowed.contains(&n.as_str()))
        .collect();
    assert!(extra.is_empty(), "{extra:?}");
    let host = server
        .endpoint()
        .replace("http://", "")
        .replace("/files/v2", "");
    assert_eq!(raw.header("host"), Some(host.as_str()));
    let agent = raw.header("user-agent").unwrap();
    assert_eq!(agent, concat!("libcosslice/", env!("CARGO_PKG_VERSION")));

    let boundary = raw
        .header("content-type")
        .and_then(|kind| kind.strip_prefix("multipart/form-data; boundary="))
        .unwrap();
    assert!(!boundary.contains(['"', ' ', ';']), "{boundary}");
    let part = |head: &str, value: &str| {
        format!("--{boundary}\r\nContent-Disposition: form-data; {head}\r\n\r\n{value}\r\n")
    };
    let expected = [
        part("name=\"op\"", "upload"),
        part("name=\"sha\"", &sha1(b"five!")),
        part("name=\"insertOnly\"", "1"),
        part(
            "name=\"filecontent\"; filename=\"data\"\r\nContent-Type: application/octet-stream",
            "five!",
        ),
        format!("--{boundary}--\r\n"),
    ]
    .concat();
    assert_eq!(String::from_utf8_lossy(&raw.body), expected);
    assert_eq!(
        raw.header("content-length"),
        Some(expected.len().to_string().as_str())
    );
}

#[test]
fn the_boundary_is_another_one_each_time() {
    let server = Server::start();
    let config = server.config();
    for index in 0..8 {
        config.upload(&format!("/{index}")).buffer(b"x").unwrap();
    }
    let boundaries: BTreeSet<_> = server
        .requests()
        .iter()
        .map(|r| r.boundary.clone())
        .collect();
    assert_eq!(boundaries.len(), 8);
}

#[test]
fn a_user_agent_of_the_callers_own() {
    let server = Server::start();
    let config = server.config().text("USER_AGENT", "backup/7 (night)");
    config.upload("/x").buffer(&content(1, 2 * MIB)).unwrap();
    for r in server.requests() {
        assert_eq!(r.header("user-agent"), Some("backup/7 (night)"), "{}", r.op);
    }
}

/// Paths as the caller writes them and as they stand in URL and signature (protocol 1.5).
const PATHS: &[(&str, &str)] = &[
    ("/plain", "/plain"),
    (
        "/dir/a b+c~d(e)!'&=%41,;@$#.txt",
        "/dir/a%20b%2Bc~d%28e%29%21%27%26%3D%2541%2C%3B%40%24%23.txt",
    ),
    ("/中é.txt", "/%E4%B8%AD%C3%A9.txt"),
    ("/😀", "/%F0%9F%98%80"),
    ("/-_.~", "/-_.~"),
    ("/a%2Fb", "/a%252Fb"),
    ("/[x]{y}^`", "/%5Bx%5D%7By%7D%5E%60"),
];

#[test]
fn the_path_is_the_same_in_url_and_signature() {
    let server = Server::start();
    let config = server.config();
    for (path, encoded) in PATHS {
        config.upload(path).buffer(path.as_bytes()).unwrap();
        assert_eq!(server.object_bytes(path).as_deref(), Some(path.as_bytes()));
        let requests = server.requests();
        let last = requests.last().unwrap();
        assert_eq!(last.target, format!("/files/v2/1250000000/bkt{encoded}"));
        let plaintext = last.sign_plaintext.clone().unwrap();
        assert_eq!(
            sign_fields(&plaintext)["f"],
            format!("/1250000000/bkt{encoded}")
        );
    }
}

#[test]
fn names_that_the_server_refuses_cause_no_traffic() {
    let server = Server::start();
    let config = server.config();
    for (path, why) in [
        ("", "begin"),
        ("x", "begin"),
        ("/", ""),
        ("/x/", "end"),
        ("/a//b", "empty"),
        ("/a/./b", ""),
        ("/..", ""),
        ("/a/../b", ""),
        ("/a?b", "?"),
        ("/a*b", "*"),
        ("/a:b", ":"),
        ("/a|b", "|"),
        ("/a\\b", "\\"),
        ("/a<b", "<"),
        ("/a>b", ">"),
        ("/a\"b", ""),
        ("/a\nb", ""),
        ("/a\u{7f}b", ""),
        ("/a/ /b", ""),
    ] {
        let (status, message) = config
            .try_upload(path)
            .err()
            .unwrap_or_else(|| panic!("{path:?} is taken"));
        assert_eq!(status, -1, "{path:?}");
        assert!(
            message.len() > 10 && message.contains(why),
            "{path:?}: {message}"
        );
    }
    assert_eq!(server.requests().len(), 0);
}

#[test]
fn signatures_last_as_long_as_they_should() {
    for ttl in [60, 900, 7_776_000] {
        let server = Server::start();
        let config = server.config().number("SIGN_TTL_S", ttl);
        config.upload("/x").buffer(&content(1, 2 * MIB)).unwrap();
        let signed = Signed {
            ttl_s: ttl,
            ..Signed::default()
        };
        wire::check(&server.requests(), Some(&signed)).unwrap();
    }
}

#[test]
fn every_try_has_a_signature_of_its_own() {
    let server = Server::start();
    server.faults(json!([{"op": "upload_slice_data", "count": 3, "do": "drop_before_commit"}]));
    let config = server.config().number("IN_FLIGHT", 1);
    config.upload("/x").buffer(&content(1, 2 * MIB)).unwrap();
    let requests = server.requests();
    wire::check(&requests, Some(&Signed::default())).unwrap();
    let random: BTreeSet<String> = requests
        .iter()
        .map(|r| sign_fields(&wire::plaintext_of(r).unwrap())["r"].to_owned())
        .collect();
    assert!(requests.len() >= 4 + 3, "{}", requests.len());
    assert_eq!(random.len(), requests.len());
}

#[test]
fn the_clock_is_learned_once_for_all_uploads_of_a_config() {
    let server = Server::start();
    server.settings(&json!({"clock_skew_s": 100_000})).unwrap();
    let config = server.config();
    let bytes = content(1, 2 * MIB);
    for (path, retries) in [("/a", 1), ("/b", 0), ("/c", 0)] {
        let upload = config.upload(path);
        upload.buffer(&bytes).unwrap();
        assert_eq!(upload.get("RETRIES"), retries, "{path}");
    }
    // The clock may be set right again.
    server.settings(&json!({"clock_skew_s": 200_000})).unwrap();
    let upload = config.upload("/d");
    upload.buffer(&bytes).unwrap();
    assert_eq!(upload.get("RETRIES"), 1);
    wire::check(&server.requests(), Some(&Signed::default())).unwrap();
}

fn connections(requests: &[Arc<Recorded>]) -> BTreeMap<u64, usize> {
    let mut uses = BTreeMap::new();
    for r in requests {
        *uses.entry(r.connection).or_default() += 1;
    }
    uses
}

#[test]
fn one_slice_at_a_time_takes_one_connection() {
    let server = Server::start();
    let config = server.config().number("IN_FLIGHT", 1);
    config.upload("/x").buffer(&content(1, 6 * MIB)).unwrap();
    let upload = config.upload("/y");
    let bytes = content(2, 3 * MIB);
    upload.init(bytes.len() as u64).unwrap();
    upload.feed(&bytes).unwrap();
    upload.finish().unwrap();
    assert_eq!(
        connections(&server.requests())
            .into_values()
            .collect::<Vec<_>>(),
        [8 + 6],
        "\n{}",
        server.request_log()
    );
    assert_eq!(server.counter("connections"), 1);
}

#[test]
fn four_at_a_time_take_no_more_connections_than_workers() {
    let server = Server::start();
    let config = server.config().number("IN_FLIGHT", 4);
    config.upload("/x").buffer(&content(1, 20 * MIB)).unwrap();
    let after_one = server.counter("connections");
    assert!((2..=5).contains(&after_one), "{after_one} connections");
    // A second upload of the same config uses the same ones.
    config.upload("/y").buffer(&content(2, 20 * MIB)).unwrap();
    let after_two = server.counter("connections");
    assert!(after_two <= 5, "{after_two} connections");
    assert_eq!(server.requests().len(), 2 * 22);
}

#[test]
fn a_thousand_small_objects_take_one_connection_and_one_request_each() {
    let server = Server::start();
    let config = server.config();
    for index in 0..1000u32 {
        let upload = config.upload(&format!("/{index}"));
        upload.buffer(&index.to_le_bytes()).unwrap();
    }
    assert_eq!(server.requests().len(), 1000);
    assert_eq!(server.counter("connections"), 1);
    assert_eq!(
        server.object_bytes("/999"),
        Some(999u32.to_le_bytes().to_vec())
    );
}

#[test]
fn a_closed_connection_is_replaced_without_a_retry_that_shows() {
    let server = Server::start();
    let config = server.config().number("RETRIES", 1);
    config.upload("/x").buffer(b"x").unwrap();
    // The server says that it closes: the connection must not be used again.
    server.faults(
        json!([{"op": "upload", "nth": 1, "do": "early_reply", "code": -71, "status": 503}]),
    );
    let upload = config.upload("/y");
    upload.buffer(b"y").unwrap();
    assert_eq!(upload.get("RETRIES"), 1);
    assert_eq!(server.object_bytes("/y").as_deref(), Some(&b"y"[..]));
}

#[test]
fn redirects_are_not_followed() {
    let elsewhere = RawServer::start(agree);
    let server = Server::start();
    for status in [301, 302, 303, 307, 308] {
        server.faults(json!([{"do": "redirect", "status": status, "to": elsewhere.endpoint()}]));
        let config = server.config().number("RETRIES", 0);
        let failure = config
            .upload("/x")
            .buffer(&content(1, 2 * MIB))
            .unwrap_err();
        assert_eq!(
            (failure.name(), failure.http_status),
            ("E_PROTOCOL", status)
        );
    }
    assert_eq!(elsewhere.seen().len(), 0, "the signature went elsewhere");
}

#[test]
fn a_proxy_is_used_and_its_password_is_not_told() {
    let server = Server::start();
    let proxy = ConnectProxy::start("somebody:pAsS-wOrD");
    let log = Log::default();
    let url = format!("http://somebody:pAsS-wOrD@127.0.0.1:{}", proxy.port());
    let config = server.config().text("PROXY", &url).logger(&log);
    let bytes = content(1, 3 * MIB + 1);
    config.upload("/x").buffer(&bytes).unwrap();
    assert_eq!(server.object_bytes("/x"), Some(bytes));
    wire::check(&server.requests(), Some(&Signed::default())).unwrap();
    let heads = proxy.heads();
    let target = server.base().replace("http://", "");
    assert!(!heads.is_empty() && heads.len() <= 5, "{heads:?}");
    for head in &heads {
        assert!(
            head.starts_with(&format!("CONNECT {target} HTTP/1.1\r\n")),
            "{head}"
        );
        assert!(
            !head.contains("uthorization: A") && !head.contains("upload"),
            "{head}"
        );
    }
    assert!(!log.all().contains("pAsS-wOrD"), "{}", log.all());
    for r in server.requests() {
        assert!(
            r.header("proxy-authorization").is_none(),
            "the server saw the proxy's password"
        );
    }
}

#[test]
fn a_proxy_that_refuses_is_told_plainly() {
    let server = Server::start();
    let proxy = ConnectProxy::start("somebody:right");
    let log = Log::default();
    let url = format!("http://somebody:wRoNg-PaSs@127.0.0.1:{}", proxy.port());
    let config = server
        .config()
        .text("PROXY", &url)
        .number("RETRIES", 0)
        .logger(&log);
    let failure = config.upload("/x").buffer(b"x").unwrap_err();
    assert_eq!(failure.name(), "E_NETWORK", "{failure:?}");
    let said = format!("{failure:?}{}", log.all());
    assert!(
        said.contains("407") || said.to_lowercase().contains("proxy"),
        "{said}"
    );
    assert!(!said.contains("wRoNg-PaSs"), "{said}");
    assert_eq!(server.requests().len(), 0);
}
