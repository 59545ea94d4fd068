//! Requests as each SDK frames them (protocol 2), by raw sockets.

mod common;

use common::{Client, MIB, multi, multipart, op_request, pattern, start, start_with, target};
use serde_json::json;
use std::fmt::Write as _;

fn head(path: &str, content_type: &str) -> String {
    format!(
        "POST {} HTTP/1.1\r\nHost: x\r\nAuthorization: {}\r\nContent-Type: {content_type}",
        target(path),
        multi()
    )
}

/// Sends init, the only slice and finish through `send`, which frames fields its own way.
fn upload(
    client: &mut Client,
    path: &str,
    send: impl Fn(&mut Client, &str, &[(&str, &[u8])]) -> common::Response,
) {
    let data = pattern(36_864);
    let init = send(
        client,
        path,
        &[
            ("op", b"upload_slice_init"),
            ("filesize", b"36864"),
            ("slice_size", b"1048576"),
            ("insertOnly", b""),
        ],
    );
    let session = init.data()["session"].as_str().unwrap().to_owned();
    let ses: (&str, &[u8]) = ("session", session.as_bytes());
    send(
        client,
        path,
        &[
            ("op", b"upload_slice_data"),
            ses,
            ("offset", b"0"),
            ("fileContent", &data),
        ],
    )
    .data();
    send(
        client,
        path,
        &[("op", b"upload_slice_finish"), ses, ("fileSize", b"36864")],
    )
    .data();
}

fn custom(
    fields: &[(&str, &[u8])],
    boundary: &str,
    part: impl Fn(&str, &[u8]) -> String,
) -> Vec<u8> {
    let mut body = Vec::new();
    for (name, value) in fields {
        body.extend_from_slice(format!("--{boundary}\r\n{}\r\n\r\n", part(name, value)).as_bytes());
        body.extend_from_slice(value);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    body
}

#[test]
fn python_puts_a_filename_on_every_part() {
    let server = start();
    let mut client = Client::new(server.emulator.port());
    upload(&mut client, "/x", |client, path, fields| {
        let boundary = "0123456789abcdef0123456789abcdef";
        let body = custom(fields, boundary, |name, _| {
            format!("Content-Disposition: form-data; name=\"{name}\"; filename=\"{name}\"")
        });
        client.request(
            &head(path, &format!("multipart/form-data; boundary={boundary}")),
            &body,
        )
    });
    assert_eq!(server.emulator.object_bytes("/x").unwrap(), pattern(36_864));
}

#[test]
fn java_has_part_headers_and_lists_in_json() {
    let server = start();
    let mut client = Client::new(server.emulator.port());
    upload(&mut client, "/x", |client, path, fields| {
        let body = custom(fields, "AbC_-123", |name, _| {
            let (kind, coding) = match name {
                "fileContent" => ("application/octet-stream", "binary"),
                _ => ("text/plain; charset=UTF-8", "8bit"),
            };
            format!(
                "Content-Disposition: form-data; name=\"{name}\"\r\nContent-Type: {kind}\r\nContent-Transfer-Encoding: {coding}"
            )
        });
        client.request(
            &head(
                path,
                "multipart/form-data; charset=UTF-8; boundary=AbC_-123",
            ),
            &body,
        )
    });
    client.init("/y", 5, &[]).data();
    let list = client
        .request(
            &head("/y", "application/json"),
            br#"{"op":"upload_slice_list"}"#,
        )
        .data();
    assert_eq!(list["filesize"], 5);
    let (head, _) = op_request("/x", &[], &common::once("/x"));
    let head = head.replace(
        "multipart/form-data; boundary=----boundary7",
        "application/json",
    );
    assert_eq!(client.request(&head, br#"{"op":"delete"}"#).body.len(), 30);
}

#[test]
fn js_signs_in_the_query_and_sends_fields_twice() {
    let server = start();
    let mut client = Client::new(server.emulator.port());
    upload(&mut client, "/x", |client, path, fields| {
        let sign = multi()
            .replace('+', "%2B")
            .replace('/', "%2F")
            .replace('=', "%3D");
        // The second set would fail if it counted.
        let mut twice = fields.to_vec();
        twice.extend(fields.iter().map(|(name, _)| (*name, &b"bogus"[..])));
        let boundary = "----WebKitFormBoundary7MA4YWxkTrZu0gW";
        let body = custom(&twice, boundary, |name, _| {
            match name {
            "fileContent" => "Content-Disposition: form-data; name=\"fileContent\"; filename=\"blob\"\r\nContent-Type: application/octet-stream".to_owned(),
            _ => format!("Content-Disposition: form-data; name=\"{name}\""),
        }
        });
        let head = format!(
            "POST {}?sign={sign} HTTP/1.1\r\nHost: x\r\nOrigin: http://page\r\nContent-Type: multipart/form-data; boundary={boundary}",
            target(path)
        );
        let response = client.request(&head, &body);
        assert_eq!(response.header("access-control-allow-origin"), Some("*"));
        response
    });
    let asked = client.request(
        &format!(
            "OPTIONS {} HTTP/1.1\r\nHost: x\r\nOrigin: http://page\r\nAccess-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: authorization",
            target("/x")
        ),
        b"",
    );
    assert_eq!(asked.status, 200);
    assert_eq!(asked.header("access-control-allow-origin"), Some("*"));
    assert_eq!(
        asked.header("access-control-allow-headers"),
        Some("authorization")
    );
}

#[test]
fn php_expects_to_be_asked() {
    let server = start();
    let mut client = Client::new(server.emulator.port());
    upload(&mut client, "/x", |client, path, fields| {
        let boundary = "---------------------d41d8cd98f00b204e9800998ecf8427e";
        let body = multipart(fields, boundary);
        let head = format!(
            "{}\r\nMethod:POST\r\nConnection: keep-alive\r\nExpect: 100-continue\r\nContent-Length: {}\r\n\r\n",
            head(path, &format!("multipart/form-data; boundary={boundary}")),
            body.len()
        );
        client.send(head.as_bytes());
        assert_eq!(client.receive(false).unwrap().status, 100);
        client.send(&body);
        client.receive(false).unwrap()
    });
}

#[test]
fn cpp_doubles_a_slash_and_net_starts_with_an_empty_line() {
    let server = start();
    let mut client = Client::new(server.emulator.port());
    upload(&mut client, "/d/x", |client, path, fields| {
        let head = head(path, "multipart/form-data; boundary=B7")
            .replace("/files/v2/", "/files/v2//")
            .replace("/d/", "/d//");
        let mut body = b"\r\n".to_vec();
        body.extend(custom(fields, "B7", |name, _| match name {
            "fileContent" => "Content-Disposition: form-data; name=\"fileContent\"; filename=\"文件;\\\"a\\\".bin\"\r\nContent-Type: application/octet-stream".to_owned(),
            _ => format!("Content-Disposition: form-data; name=\"{name}\""),
        }));
        client.request(&head, &body)
    });
    assert!(server.emulator.object_bytes("/d/x").is_some());
}

#[test]
fn android_counts_its_parts_and_proxies_see_the_absolute_form() {
    let server = start();
    let mut client = Client::new(server.emulator.port());
    upload(&mut client, "/x", |client, path, fields| {
        let boundary = "9fd48fba-1ea2-4789-8e6e-64c40c243480";
        let body = custom(fields, boundary, |name, value| {
            format!(
                "Content-Disposition: form-data; name=\"{name}\"\r\nContent-Length: {}",
                value.len()
            )
        });
        let head = head(path, &format!("multipart/form-data; boundary={boundary}"));
        client.request(
            &head.replace("POST ", "POST http://gz.file.myqcloud.com:80"),
            &body,
        )
    });
}

#[test]
fn urlencoded_chunked_and_odd_boundaries() {
    let server = start_with(|c| c.record = true);
    let mut client = Client::new(server.emulator.port());
    let urlencoded = "op=upload_slice_init&filesize=5&slice%5Fsize=1048576&biz_attr=a+b%26c";
    client
        .request(
            &head("/u", "application/x-www-form-urlencoded"),
            urlencoded.as_bytes(),
        )
        .data();
    assert_eq!(client.simple("/u", "stat").data()["biz_attr"], "a b&c");
    let json_body = br#"{"op":"upload_slice_init","filesize":5,"slice_size":"1048576","unknown":{"a":[1]},"none":null}"#;
    client
        .request(&head("/j", "application/json; charset=utf-8"), json_body)
        .data();
    // A quoted boundary, and none at all.
    let fields: [(&str, &[u8]); 3] = [
        ("op", b"upload_slice_init"),
        ("filesize", b"5"),
        ("slice_size", b"1048576"),
    ];
    client
        .request(
            &head("/q", "multipart/form-data; boundary=\"a b=c\""),
            &multipart(&fields, "a b=c"),
        )
        .data();
    client
        .request(&head("/n", "text/plain"), &multipart(&fields, "zz"))
        .data();
    // In chunks of 3 bytes, with an extension and a trailer.
    let body = multipart(&fields, "B");
    let mut wire = format!(
        "{}\r\nTransfer-Encoding: chunked\r\n\r\n",
        head("/c", "multipart/form-data; boundary=B")
    );
    for chunk in body.chunks(3) {
        write!(
            wire,
            "{:x};x=y\r\n{}\r\n",
            chunk.len(),
            std::str::from_utf8(chunk).unwrap()
        )
        .unwrap();
    }
    wire.push_str("0\r\nTrailer: x\r\n\r\n");
    client.send(wire.as_bytes());
    client.receive(false).unwrap().data();
    let last = server.emulator.requests().pop().unwrap();
    assert!(last.chunked && last.content_length.is_none());
    assert_eq!(last.body_read, body.len() as u64);
    // Everything in one write, twice: requests in a row on one connection.
    let (head, body) = op_request("/n", &[("op", b"stat")], &multi());
    let mut twice = format!("{head}\r\nContent-Length: {}\r\n\r\n", body.len()).into_bytes();
    twice.extend_from_slice(&body);
    twice.extend(twice.clone());
    client.send(&twice);
    assert_eq!(client.receive(false).unwrap().data()["filesize"], 5);
    assert_eq!(client.receive(false).unwrap().data()["filesize"], 5);
}

#[test]
fn queries_name_the_op_too() {
    let server = start();
    let mut client = Client::new(server.emulator.port());
    client.init("/x", 5, &[]).data();
    for op in ["stat", "upload_slice_list"] {
        let head = format!(
            "GET {}?op={op} HTTP/1.1\r\nHost: x\r\nAuthorization: {}",
            target("/x"),
            multi()
        );
        assert_eq!(client.request(&head, b"").data()["filesize"], 5);
    }
    // Private deployments have no /files/v2 in front.
    let head = format!(
        "POST /1250000000/bkt/x?op=stat HTTP/1.1\r\nHost: x\r\nAuthorization: {}",
        multi()
    );
    assert_eq!(client.request(&head, b"").data()["filesize"], 5);
    let head = format!(
        "PUT {} HTTP/1.1\r\nHost: x\r\nAuthorization: {}",
        target("/x"),
        multi()
    );
    assert_eq!(client.request(&head, b"").outcome(), (405, -5996));
}

#[test]
fn uploadparts_of_eight_mebibytes() {
    let server = start();
    let mut client = Client::new(server.emulator.port());
    let entry = |i: u64, last: bool| {
        let sha = if last { "ab" } else { "cd" }.repeat(20);
        format!(
            "{{\"offset\": {}, \"datalen\": 1048576, \"datasha\": \"{sha}\"}}",
            i << 20
        )
    };
    let list: Vec<String> = (0..65_536).map(|i| entry(i, i == 65_535)).collect();
    let parts = format!("[{}]", list.join(", ")) + &" ".repeat(2 << 20);
    assert!(parts.len() > 8 * MIB, "{}", parts.len());
    let sha = "ab".repeat(20);
    let size: usize = 64 << 30;
    let init = client.init(
        "/huge",
        size,
        &[("sha", sha.as_bytes()), ("uploadparts", parts.as_bytes())],
    );
    assert_eq!(init.data()["slice_size"], MIB);
    let on_disk = std::fs::read_dir(server.dir.path().join("data/data"))
        .unwrap()
        .next()
        .unwrap()
        .unwrap();
    assert_eq!(on_disk.metadata().unwrap().len(), size as u64);
}

#[test]
fn malformed_requests_get_an_answer() {
    let server = start();
    let mut client = Client::new(server.emulator.port());
    for (kind, body) in [
        ("multipart/form-data; boundary=B", "no boundary in sight"),
        (
            "multipart/form-data; boundary=B",
            "--B\r\nContent-Disposition: form-data; name=\"op\"\r\n\r\nstat",
        ),
        ("application/json", "{"),
        ("application/json", "[1]"),
    ] {
        assert_eq!(
            client.request(&head("/x", kind), body.as_bytes()).outcome(),
            (400, -5993),
            "{kind} {body}"
        );
    }
    assert_eq!(
        client
            .request(&head("/x", "multipart/form-data"), b"")
            .outcome(),
        (400, -5980)
    );
    assert_eq!(client.get("/nothing").status, 404);
    let mut broken = Client::new(server.emulator.port());
    broken.send(b"this is not HTTP\r\n\r\n");
    assert_eq!(broken.receive(false).unwrap().status, 400);
    assert!(broken.closed());
    // Far too long a body is refused without being read.
    let mut long = Client::new(server.emulator.port());
    long.send(
        format!(
            "{}\r\nContent-Length: 99999999999\r\n\r\n",
            head("/x", "text/plain")
        )
        .as_bytes(),
    );
    assert_eq!(long.receive(false).unwrap().status, 413);
}

#[test]
fn replies_are_framed_as_documented() {
    let server = start();
    let mut client = Client::new(server.emulator.port());
    let reply = client.init("/x", 5, &[]);
    assert_eq!(
        reply.header("content-type"),
        Some("application/json; charset=utf-8")
    );
    assert_eq!(reply.header("server"), Some("tencent-cos"));
    assert_eq!(reply.header("connection"), Some("keep-alive"));
    let date = reply.header("date").unwrap();
    assert!(date.ends_with(" GMT") && date.len() == 29, "{date}");
    let id = reply.header("x-cos-request-id").unwrap().to_owned();
    let text = String::from_utf8(reply.body.clone()).unwrap();
    assert!(
        text.starts_with(&format!(
            "{{\"code\":0,\"message\":\"SUCCESS\",\"request_id\":\"{id}\",\"data\":{{\""
        )),
        "{text}"
    );
    assert!(!text.contains(' ') && !text.contains('\n'));
    let fail = client.init("/x", 6, &[]);
    let keys = fail.json();
    assert!(keys.get("data").is_none() && keys["request_id"].is_string());
    server
        .emulator
        .settings(&json!({"omit_request_id": true}))
        .unwrap();
    assert!(client.init("/x", 6, &[]).json().get("request_id").is_none());
    // HTTP/1.0 and Connection: close end the connection.
    let mut old = Client::new(server.emulator.port());
    old.send(
        format!(
            "GET {}?op=stat HTTP/1.0\r\nAuthorization: {}\r\n\r\n",
            target("/x"),
            multi()
        )
        .as_bytes(),
    );
    assert_eq!(
        old.receive(false).unwrap().header("connection"),
        Some("close")
    );
    assert!(old.closed());
}
