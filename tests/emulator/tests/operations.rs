//! What each operation does (protocol 4 and 6.5).

mod common;

use common::{Client, MIB, fetch_target, multi, pattern, sha1, start, start_with, uploadparts};
use serde_json::json;

const URLS: [&str; 5] = [
    "access_url",
    "preview_url",
    "resource_path",
    "source_url",
    "url",
];

#[test]
fn a_sliced_upload_from_init_to_delete() {
    let server = start();
    let mut client = Client::new(server.emulator.port());
    let name = "/dir/a b+中.bin";
    let data = pattern(3 * MIB + 12_345);
    assert_eq!(
        client.simple(name, "upload_slice_list").outcome(),
        (404, -197)
    );
    let init = client.init(name, data.len(), &[]).data();
    assert_eq!(init["slice_size"], MIB);
    assert!(init.get("serial_upload").is_none());
    let session = init["session"].as_str().unwrap();
    client
        .slice(name, session, 2 * MIB, &data[2 * MIB..3 * MIB])
        .data();
    let list = client.simple(name, "upload_slice_list").data();
    assert_eq!(
        list,
        json!({"session": session, "filesize": data.len(), "slice_size": MIB,
               "listparts": [{"offset": 2 * MIB, "datalen": MIB}]})
    );
    let stat = client.simple(name, "stat").data();
    assert_eq!(
        (&stat["filelen"], &stat["filesize"]),
        (&json!(MIB), &json!(data.len()))
    );
    assert_eq!(client.get(&fetch_target(name)).outcome(), (404, -45062));
    client.slices(name, session, &data);
    let done = client.finish(name, session, data.len(), None).data();
    for key in URLS {
        assert!(done[key].is_string(), "{key}");
    }
    let vid = done["vid"].as_str().unwrap();
    assert!(
        vid.len() == 42 && vid[32..].parse::<i64>().unwrap() >= common::now() - 60,
        "{vid}"
    );
    assert!(
        done["url"]
            .as_str()
            .unwrap()
            .starts_with(&server.emulator.endpoint())
    );
    // Back, byte for byte.
    for key in ["access_url", "source_url", "preview_url"] {
        let url = done[key]
            .as_str()
            .unwrap()
            .strip_prefix(server.emulator.base())
            .unwrap();
        let got = client.get(url);
        assert_eq!((got.status, got.body == data), (200, true));
    }
    let head = client.request(
        &format!("HEAD {} HTTP/1.1\r\nHost: x", fetch_target(name)),
        b"",
    );
    assert_eq!(head.header("content-length"), Some("3158073"));
    let part = client.request(
        &format!(
            "GET {} HTTP/1.1\r\nHost: x\r\nRange: bytes=1048570-1048579",
            fetch_target(name)
        ),
        b"",
    );
    assert_eq!(
        (part.status, &part.body[..]),
        (206, &data[1_048_570..1_048_580])
    );
    assert_eq!(
        part.header("content-range"),
        Some("bytes 1048570-1048579/3158073")
    );
    assert_eq!(server.emulator.object_bytes(name).unwrap(), data);
    assert_eq!(server.emulator.object_sha1(name).unwrap(), sha1(&data));
    // The list of a complete object has URLs and no session.
    let list = client.simple(name, "upload_slice_list").data();
    assert!(list["access_url"].is_string() && list.get("session").is_none());
    let stat = client.simple(name, "stat").data();
    assert_eq!(
        (&stat["filelen"], &stat["sha"]),
        (&json!(data.len()), &json!(sha1(&data)))
    );
    // Gone.
    assert_eq!(
        client
            .signed(name, &[("op", b"delete")], &multi())
            .outcome(),
        (403, -73)
    );
    let gone = client.delete(name);
    assert_eq!(gone.body, br#"{"code":0,"message":"SUCCESS"}"#);
    assert_eq!(client.delete(name).outcome(), (404, -197));
    assert_eq!(client.get(&fetch_target(name)).outcome(), (404, -6101));
    assert_eq!(server.emulator.state()["objects"], json!([]));
}

#[test]
fn init_knows_what_is_there() {
    let server = start();
    let mut client = Client::new(server.emulator.port());
    let (data, other) = (pattern(MIB + 5), vec![7; MIB + 5]);
    let insert_over: [(&str, &[u8]); 1] = [("insertOnly", b"0")];
    client.put("/a", &data, true).data();
    // Complete: the same content is instant, other content is refused.
    let instant = client.init_with_sha("/a", &data, &[]).data();
    assert!(instant["access_url"].is_string() && instant.get("session").is_none());
    assert_eq!(
        client.init_with_sha("/a", &other, &[]).outcome(),
        (409, -177)
    );
    assert_eq!(client.init("/a", data.len(), &[]).outcome(), (409, -177));
    // Known content under another name.
    assert!(client.init_with_sha("/b", &data, &[]).data()["access_url"].is_string());
    assert_eq!(server.emulator.object_bytes("/b").unwrap(), data);
    client.delete("/a").data();
    assert_eq!(server.emulator.object_bytes("/b").unwrap(), data);
    // Content that was uploaded without a sha is known as well.
    client.put("/plain", &other, false).data();
    assert!(client.init_with_sha("/plain2", &other, &[]).data()["access_url"].is_string());
    assert_eq!(
        server.emulator.object_sha1("/plain2").unwrap(),
        sha1(&other)
    );
    // Open uploads.
    let third = vec![9; MIB + 5];
    client.init_with_sha("/open", &third, &[]).data();
    assert_eq!(
        client.init_with_sha("/open", &third, &[]).outcome(),
        (409, -4019)
    );
    assert_eq!(
        client
            .init_with_sha("/open", &third, &insert_over)
            .outcome(),
        (409, -4019)
    );
    assert_eq!(
        client.init_with_sha("/open", &other, &[]).outcome(),
        (409, -4020)
    );
    assert_eq!(
        client.init("/open", third.len(), &[]).outcome(),
        (409, -4020)
    );
    let list = client.simple("/open", "upload_slice_list").data();
    assert_eq!(
        (&list["sha"], &list["listparts"]),
        (&json!(sha1(&third)), &json!([]))
    );
    client.init("/open2", 5, &[]).data();
    assert_eq!(client.init("/open2", 5, &[]).outcome(), (409, -4019));
    assert_eq!(client.init("/open2", 6, &[]).outcome(), (409, -4020));
    assert_eq!(
        client.init_with_sha("/open2", b"12345", &[]).outcome(),
        (409, -4020)
    );
    // An open upload goes with delete.
    client.delete("/open2").data();
    client.init("/open2", 6, &[]).data();
}

#[test]
fn replacing_keeps_the_old_object_whole_until_the_end() {
    let server = start();
    let mut client = Client::new(server.emulator.port());
    let (old, new) = (pattern(2 * MIB), vec![1; 2 * MIB + 1]);
    client.put("/x", &old, false).data();
    let session = client.init("/x", new.len(), &[("insertOnly", b"0")]).data()["session"]
        .as_str()
        .unwrap()
        .to_owned();
    client.slices("/x", &session, &new);
    let stat = client.simple("/x", "stat").data();
    assert_eq!(
        (&stat["filelen"], &stat["filesize"]),
        (&json!(old.len()), &json!(old.len()))
    );
    assert_eq!(client.get(&fetch_target("/x")).body, old);
    client.finish("/x", &session, new.len(), None).data();
    assert_eq!(client.get(&fetch_target("/x")).body, new);
    let data_files = std::fs::read_dir(server.dir.path().join("data/data"))
        .unwrap()
        .count();
    assert_eq!(data_files, 1);
}

#[test]
fn init_refuses_what_it_must() {
    let server = start();
    let mut client = Client::new(server.emulator.port());
    let sha = sha1(b"abc");
    let init = |client: &mut Client, fields: &[(&str, &[u8])]| {
        let mut all: Vec<(&str, &[u8])> = vec![("op", b"upload_slice_init")];
        all.extend_from_slice(fields);
        client.op("/x", &all).outcome()
    };
    let size: (&str, &[u8]) = ("filesize", b"3");
    let slice: (&str, &[u8]) = ("slice_size", b"1048576");
    let sha: (&str, &[u8]) = ("sha", sha.as_bytes());
    assert_eq!(init(&mut client, &[slice]), (400, -5971));
    assert_eq!(
        init(&mut client, &[("filesize", b"x"), slice]),
        (400, -5995)
    );
    assert_eq!(
        init(&mut client, &[("filesize", b"0"), slice]),
        (400, -5995)
    );
    assert_eq!(
        init(&mut client, &[("filesize", b"68719476737"), slice]),
        (400, -285)
    );
    assert_eq!(init(&mut client, &[size]), (400, -5992));
    assert_eq!(
        init(&mut client, &[size, ("slice_size", b"524288")]),
        (400, -284)
    );
    assert_eq!(
        init(&mut client, &[size, slice, ("sha", b"1")]),
        (400, -168)
    );
    assert_eq!(init(&mut client, &[size, slice, sha]), (400, -5965));
    for bad in [
        "{",
        "{}",
        "[{}]",
        "[7]",
        r#"[{"offset":0,"datalen":3,"datasha":"1"}]"#,
    ] {
        assert_eq!(
            init(
                &mut client,
                &[size, slice, sha, ("uploadparts", bad.as_bytes())]
            ),
            (400, -5965),
            "{bad}"
        );
    }
    let parts = uploadparts(b"abcd", MIB);
    assert_eq!(
        init(
            &mut client,
            &[size, slice, sha, ("uploadparts", parts.as_bytes())]
        ),
        (400, -5965)
    );
    let parts = uploadparts(b"abd", MIB);
    assert_eq!(
        init(
            &mut client,
            &[size, slice, sha, ("uploadparts", parts.as_bytes())]
        ),
        (409, -4016)
    );
    assert_eq!(server.emulator.state()["uploads"], json!([]));
    assert_eq!(client.simple("/x", "").outcome(), (400, -5980));
    assert_eq!(client.simple("/x", "upload_slice").outcome(), (400, -75));
}

#[test]
fn entries_off_the_grid_are_checked_at_the_end() {
    // Java cuts uploadparts at 1 MiB whatever the slice size.
    let server = start_with(|c| c.settings.slice_sizes = vec![2 * MIB as u64]);
    let mut client = Client::new(server.emulator.port());
    let data = pattern(5 * MIB + 1);
    let (size, sha, parts) = (data.len().to_string(), sha1(&data), uploadparts(&data, MIB));
    let fields: [(&str, &[u8]); 5] = [
        ("op", b"upload_slice_init"),
        ("filesize", size.as_bytes()),
        ("slice_size", b"2097152"),
        ("sha", sha.as_bytes()),
        ("uploadparts", parts.as_bytes()),
    ];
    for wrong in [true, false] {
        let session = client.op("/x", &fields).data()["session"]
            .as_str()
            .unwrap()
            .to_owned();
        for (i, bytes) in data.chunks(2 * MIB).enumerate() {
            let mut bytes = bytes.to_vec();
            bytes[0] ^= u8::from(wrong);
            client.slice("/x", &session, i * 2 * MIB, &bytes).data();
        }
        let end = client.finish("/x", &session, data.len(), Some(&sha));
        assert_eq!(end.outcome(), if wrong { (409, -4016) } else { (200, 0) });
        client.delete("/x").data();
    }
}

#[test]
fn data_refuses_what_it_must() {
    let server = start();
    let mut client = Client::new(server.emulator.port());
    let data = pattern(2 * MIB + 7);
    let session = client.init("/x", data.len(), &[]).data()["session"]
        .as_str()
        .unwrap()
        .to_owned();
    let bad_session = client.slice("/x", "0123", 0, &data[..MIB]).outcome();
    assert_eq!(bad_session, (400, -290));
    assert_eq!(
        client.slice("/y", &session, 0, &data[..MIB]).outcome(),
        (400, -290)
    );
    for (offset, len) in [
        (1, MIB),
        (0, MIB - 1),
        (0, MIB + 1),
        (2 * MIB, 8),
        (3 * MIB, 1),
        (MIB, 0),
    ] {
        let bytes = vec![0; len];
        assert_eq!(
            client.slice("/x", &session, offset, &bytes).outcome(),
            (400, -291),
            "{offset} {len}"
        );
    }
    let op: (&str, &[u8]) = ("op", b"upload_slice_data");
    let at: (&str, &[u8]) = ("offset", b"0");
    let ses: (&str, &[u8]) = ("session", session.as_bytes());
    let content: (&str, &[u8]) = ("filecontent", &data[..MIB]);
    assert_eq!(client.op("/x", &[op, at, content]).outcome(), (400, -95));
    assert_eq!(client.op("/x", &[op, ses, content]).outcome(), (400, -5992));
    assert_eq!(client.op("/x", &[op, ses, at]).outcome(), (400, -5990));
    assert_eq!(
        client
            .op("/x", &[op, ses, ("offset", b"-1"), content])
            .outcome(),
        (400, -291)
    );
    assert_eq!(server.emulator.state()["uploads"][0]["slices_stored"], 0);
    // The same again is fine, other bytes are not.
    client.slice("/x", &session, 0, &data[..MIB]).data();
    client.slice("/x", &session, 0, &data[..MIB]).data();
    assert_eq!(
        client.slice("/x", &session, 0, &data[1..=MIB]).outcome(),
        (409, -4015)
    );
    assert_eq!(server.emulator.state()["counters"]["slices_again"], 1);
    server
        .emulator
        .settings(&json!({"session_code": -5983}))
        .unwrap();
    assert_eq!(
        client.slice("/x", "no", 0, &data[..MIB]).outcome(),
        (400, -5983)
    );
}

#[test]
fn finish_refuses_what_it_must() {
    let server = start();
    let mut client = Client::new(server.emulator.port());
    let data = pattern(MIB + 7);
    let sha = sha1(&data);
    let session = client.init_with_sha("/x", &data, &[]).data()["session"]
        .as_str()
        .unwrap()
        .to_owned();
    client.slice("/x", &session, 0, &data[..MIB]).data();
    let mut finish = |session: &str, size: usize, sha: Option<&str>| {
        client.finish("/x", session, size, sha).outcome()
    };
    assert_eq!(finish(&session, data.len(), Some(&sha)), (400, -175));
    let mut second = Client::new(server.emulator.port());
    second.slice("/x", &session, MIB, &data[MIB..]).data();
    assert_eq!(finish("0123", data.len(), Some(&sha)), (400, -290));
    assert_eq!(finish(&session, data.len() + 1, Some(&sha)), (400, -175));
    assert_eq!(finish(&session, data.len(), None), (400, -29094));
    assert_eq!(
        finish(&session, data.len(), Some(&sha1(b"other"))),
        (409, -4016)
    );
    assert_eq!(
        finish(&session, data.len(), Some(&sha.to_uppercase())),
        (200, 0)
    );
    assert_eq!(finish(&session, data.len(), Some(&sha)), (400, -290));
    server
        .emulator
        .settings(&json!({"second_finish_code": -4021}))
        .unwrap();
    assert_eq!(finish(&session, data.len(), Some(&sha)), (400, -4021));
    server
        .emulator
        .settings(&json!({"second_finish_code": 0}))
        .unwrap();
    assert_eq!(finish(&session, data.len(), Some(&sha)), (200, 0));
    // A sha that only finish names is checked against the bytes.
    let session = client.init("/y", data.len(), &[]).data()["session"]
        .as_str()
        .unwrap()
        .to_owned();
    client.slices("/y", &session, &data);
    assert_eq!(
        client
            .finish("/y", &session, data.len(), Some(&sha1(b"z")))
            .outcome(),
        (409, -4016)
    );
    client.finish("/y", &session, data.len(), Some(&sha)).data();
}

#[test]
fn simple_uploads() {
    let server = start();
    let mut client = Client::new(server.emulator.port());
    let upload = |client: &mut Client, path: &str, data: &[u8], more: &[(&str, &[u8])]| {
        let mut fields: Vec<(&str, &[u8])> = vec![("op", b"upload"), ("filecontent", data)];
        fields.extend_from_slice(more);
        client.op(path, &fields)
    };
    let done = upload(&mut client, "/empty", b"", &[]).data();
    assert!(done["access_url"].is_string() && done["resource_path"].is_string());
    assert_eq!(server.emulator.object_bytes("/empty").unwrap(), b"");
    assert_eq!(client.get(&fetch_target("/empty")).body, b"");
    upload(
        &mut client,
        "/x",
        b"one",
        &[("sha", sha1(b"one").as_bytes()), ("biz_attr", b"attr")],
    )
    .data();
    assert_eq!(client.simple("/x", "stat").data()["biz_attr"], "attr");
    upload(&mut client, "/x", b"one", &[]).data();
    assert_eq!(
        upload(&mut client, "/x", b"two", &[]).outcome(),
        (409, -177)
    );
    upload(&mut client, "/x", b"two", &[("insertOnly", b"0")]).data();
    assert_eq!(server.emulator.object_bytes("/x").unwrap(), b"two");
    assert_eq!(
        upload(
            &mut client,
            "/y",
            b"two",
            &[("sha", sha1(b"one").as_bytes())]
        )
        .outcome(),
        (409, -4016)
    );
    assert_eq!(
        client.op("/y", &[("op", b"upload")]).outcome(),
        (400, -5990)
    );
    let limit = vec![5; 20 * MIB + 1];
    upload(&mut client, "/big", &limit[1..], &[]).data();
    assert_eq!(
        upload(&mut client, "/bigger", &limit, &[]).outcome(),
        (413, -285)
    );
    client.init("/open", 5, &[]).data();
    assert_eq!(
        upload(&mut client, "/open", b"12345", &[]).outcome(),
        (409, -4020)
    );
}

#[test]
fn directories() {
    let server = start_with(|c| c.settings.require_parent = true);
    let mut client = Client::new(server.emulator.port());
    assert_eq!(client.init("/d/x", 5, &[]).outcome(), (404, -197));
    assert_eq!(
        client
            .op("/d/x", &[("op", b"upload"), ("filecontent", b"1")])
            .outcome(),
        (404, -197)
    );
    let made = client
        .op("/d/", &[("op", b"create"), ("biz_attr", b"b")])
        .data();
    assert_eq!(made["resource_path"], "/1250000000/bkt/d/");
    assert!(made["ctime"].is_i64());
    assert_eq!(client.simple("/d/", "create").outcome(), (409, -178));
    assert_eq!(client.simple("/d/", "stat").data()["biz_attr"], "b");
    assert_eq!(client.simple("/e", "create").outcome(), (400, -161));
    client.init("/d/x", 5, &[]).data();
    client.init("/top", 5, &[]).data();
    assert_eq!(client.delete("/d/").outcome(), (409, -173));
    client.delete("/d/x").data();
    client.delete("/d/").data();
    assert_eq!(client.simple("/d/", "stat").outcome(), (404, -197));
}

#[test]
fn bad_names() {
    let server = start();
    let mut client = Client::new(server.emulator.port());
    let init = |client: &mut Client, raw: &str| {
        let (head, body) = common::op_request(
            "/NAME",
            &[
                ("op", b"upload_slice_init"),
                ("filesize", b"5"),
                ("slice_size", b"1048576"),
            ],
            &multi(),
        );
        client.request(&head.replace("/NAME", raw), &body).outcome()
    };
    for (raw, code) in [
        ("/%ff", -147),
        ("/", -160),
        ("", -160),
        ("/dir/", -162),
        ("/a%3Fb", -180),
        ("/a%2Ab", -180),
        ("/a%00b", -180),
        ("/a/../b", -180),
        ("/a/%20/b", -180),
    ] {
        assert_eq!(init(&mut client, raw), (400, code), "{raw}");
    }
    for good in [
        "/%e4%b8%ad",
        "/a%252Fb",
        "/a+b",
        "/~!'()=&,;@$#".trim_end_matches('#'),
        "/.hidden",
    ] {
        assert_eq!(init(&mut client, good), (200, 0), "{good}");
    }
    // The same name in another spelling.
    assert_eq!(init(&mut client, "/a%2Bb"), (409, -4019));
    // A very long name, and one that differs by case, are names of their own.
    let long = format!("/{}", "d".repeat(2000));
    assert_eq!(init(&mut client, &long), (200, 0));
    assert_eq!(init(&mut client, "/.HIDDEN"), (200, 0));
}

#[test]
fn serial_mode_wants_order() {
    let server = start_with(|c| c.settings.serial = true);
    let mut client = Client::new(server.emulator.port());
    let data = pattern(2 * MIB + 7);
    let init = client.init("/x", data.len(), &[]).data();
    assert_eq!(init["serial_upload"], 1);
    let session = init["session"].as_str().unwrap();
    assert_eq!(
        client
            .slice("/x", session, MIB, &data[MIB..2 * MIB])
            .outcome(),
        (409, -4024)
    );
    for (i, bytes) in data.chunks(MIB).enumerate() {
        assert_eq!(
            client.slice("/x", session, i * MIB, bytes).data()["serial_upload"],
            1
        );
        client.slice("/x", session, i * MIB, bytes).data();
    }
    client.finish("/x", session, data.len(), None).data();
}

#[test]
fn discarding() {
    let server = start_with(|c| c.discard = true);
    let mut client = Client::new(server.emulator.port());
    let data = pattern(2 * MIB + 7);
    client.put("/x", &data, true).data();
    client.put("/y", &data[1..], false).data();
    let stat = client.simple("/x", "stat").data();
    assert_eq!(
        (&stat["filelen"], &stat["sha"]),
        (&json!(data.len()), &json!(sha1(&data)))
    );
    assert_eq!(client.get(&fetch_target("/x")).outcome(), (404, -6101));
    assert!(client.init_with_sha("/z", &data, &[]).data()["access_url"].is_string());
    client.delete("/x").data();
    assert!(!server.dir.path().join("data").exists());
    assert!(server.emulator.object_bytes("/y").is_none());
}

#[test]
fn many_connections_on_one_upload() {
    let server = start();
    let port = server.emulator.port();
    let data = pattern(24 * MIB + 99);
    let mut client = Client::new(port);
    let session = client.init_with_sha("/x", &data, &[]).data()["session"]
        .as_str()
        .unwrap()
        .to_owned();
    std::thread::scope(|scope| {
        for worker in 0..4 {
            let (data, session) = (&data, &session);
            scope.spawn(move || {
                let mut client = Client::new(port);
                // Neighbours overlap: every slice is sent by two workers.
                for (i, bytes) in data.chunks(MIB).enumerate() {
                    if i % 4 == worker || (i + 1) % 4 == worker {
                        client.slice("/x", session, i * MIB, bytes).data();
                    }
                }
            });
        }
    });
    client
        .finish("/x", &session, data.len(), Some(&sha1(&data)))
        .data();
    assert_eq!(server.emulator.object_sha1("/x").unwrap(), sha1(&data));
    let counters = &server.emulator.state()["counters"];
    assert_eq!(
        (&counters["slices_stored"], &counters["slices_again"]),
        (&json!(25), &json!(25))
    );
    assert_eq!(counters["connections"], 5);
}

#[test]
fn the_page_shows_uploads_and_escapes_names() {
    let server = start();
    let mut client = Client::new(server.emulator.port());
    let data = pattern(3 * MIB);
    let session = client.init("/<b>&'x", 3, &[]);
    assert_eq!(session.outcome(), (400, -180));
    let session = client.init("/a&b'c", data.len(), &[]).data()["session"]
        .as_str()
        .unwrap()
        .to_owned();
    client
        .slice("/a&b'c", &session, MIB, &data[MIB..2 * MIB])
        .data();
    client
        .op("/done&", &[("op", b"upload"), ("filecontent", b"x")])
        .data();
    let page = client.get("/");
    assert_eq!(
        page.header("content-type"),
        Some("text/html; charset=utf-8")
    );
    let html = String::from_utf8(page.body).unwrap();
    assert!(html.contains("/a&amp;b&#39;c</b>") && !html.contains("/a&b"));
    assert!(!html.contains("/<b>&'x"));
    assert!(html.contains("<div class=map><i></i><i class=d></i><i></i></div>"));
    assert!(html.contains("<a href=\"/1250000000/bkt/done%26\">/done&amp;</a>"));
    assert!(!html.contains("src=") && !html.contains("http-equiv=\"refresh\" content=\"0"));
}

#[test]
fn reset_forgets_everything() {
    let server = start();
    let mut client = Client::new(server.emulator.port());
    client.put("/x", &pattern(5), true).data();
    client.init("/y", 5, &[]).data();
    client.simple("/d/", "create").data();
    assert_eq!(client.control("reset", &json!(null)).status, 200);
    let state = server.emulator.state();
    assert_eq!(
        (&state["objects"], &state["uploads"], &state["directories"]),
        (&json!([]), &json!([]), &json!([]))
    );
    for dir in ["data", "objects", "uploads", "dirs"] {
        assert_eq!(
            std::fs::read_dir(server.dir.path().join("data").join(dir))
                .unwrap()
                .count(),
            0,
            "{dir}"
        );
    }
    assert_eq!(client.simple("/x", "stat").outcome(), (404, -197));
}
