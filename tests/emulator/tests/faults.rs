//! Every fault does what the README says, to the request it names and to no other.

mod common;

use common::{
    Client, MIB, Server, fetch_target, multi, op_request, pattern, sha1, start, start_with, target,
};
use cosslice_emulator::{Action, Fault};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

fn with_faults(rules: &Value) -> (Server, Client) {
    let server = start();
    server.emulator.record(true);
    server.emulator.set_faults_json(rules).unwrap();
    let client = Client::new(server.emulator.port());
    (server, client)
}

/// Sends a request of a slice without waiting for the answer.
fn send_slice(client: &mut Client, session: &str, bytes: &[u8]) {
    let fields: [(&str, &[u8]); 4] = [
        ("op", b"upload_slice_data"),
        ("session", session.as_bytes()),
        ("offset", b"0"),
        ("filecontent", bytes),
    ];
    let (head, body) = op_request("/x", &fields, &multi());
    let mut bytes = format!("{head}\r\nContent-Length: {}\r\n\r\n", body.len()).into_bytes();
    bytes.extend(body);
    // The peer may close while this is under way: that is the point.
    drop(std::io::Write::write_all(&mut client.stream, &bytes));
}

fn open_upload(server: &Server, data: &[u8]) -> String {
    let mut client = Client::new(server.emulator.port());
    client.init("/x", data.len(), &[]).data()["session"]
        .as_str()
        .unwrap()
        .to_owned()
}

fn stored(server: &Server) -> Value {
    server.emulator.state()["uploads"][0]["slices_stored"].clone()
}

#[test]
fn dropped_connections() {
    let data = pattern(2 * MIB);
    for (action, at, kept) in [
        ("drop_before_body", None, 0),
        ("drop_in_body", Some(300_000), 0),
        ("drop_before_commit", None, 0),
        ("drop_after_commit", None, 1),
    ] {
        let (server, mut client) = with_faults(&json!([]));
        let session = open_upload(&server, &data);
        let mut rule = json!({"op": "upload_slice_data", "nth": 1, "do": action});
        if let Some(at) = at {
            rule["at"] = at.into();
        }
        server.emulator.set_faults_json(&json!([rule])).unwrap();
        send_slice(&mut client, &session, &data[..MIB]);
        assert!(client.closed(), "{action}");
        assert_eq!(stored(&server), kept, "{action}");
        let record = server.emulator.requests().pop().unwrap();
        assert_eq!((record.status, record.code), (0, None));
        assert_eq!(record.faults.len(), 1);
        match action {
            "drop_before_body" => assert!(record.body_read < 100_000, "{}", record.body_read),
            "drop_in_body" => assert_eq!(record.body_read, 300_000),
            _ => assert_eq!(Some(record.body_read), record.content_length),
        }
        // Only the first was meant.
        let mut again = Client::new(server.emulator.port());
        again.slice("/x", &session, 0, &data[..MIB]).data();
        assert_eq!(stored(&server), 1);
    }
}

#[test]
fn a_reply_before_the_body_is_read() {
    let (server, mut client) = with_faults(&json!([
        {"op": "upload_slice_data", "do": "early_reply", "status": 403, "code": -97, "count": 1},
        {"op": "upload_slice_data", "do": "early_reply", "status": 413, "body": "html"}
    ]));
    let data = pattern(2 * MIB);
    let session = open_upload(&server, &data);
    // Only the head of the request and the fields before the data are sent.
    for (status, code) in [(403, Some(-97)), (413, None)] {
        let (head, body) = op_request(
            "/x",
            &[
                ("op", b"upload_slice_data"),
                ("session", session.as_bytes()),
            ],
            &multi(),
        );
        client.send(format!("{head}\r\nContent-Length: 5000000\r\n\r\n").as_bytes());
        client.send(&body[..body.len() - 20]);
        let reply = client.receive(false).unwrap();
        assert_eq!(reply.status, status);
        assert_eq!(reply.header("connection"), Some("close"));
        match code {
            Some(code) => assert_eq!(reply.code(), code),
            None => assert!(reply.body.starts_with(b"<html>")),
        }
        assert!(client.closed());
        client = Client::new(server.emulator.port());
    }
    assert_eq!(stored(&server), 0);
}

#[test]
fn made_up_replies() {
    let (server, mut client) = with_faults(&json!([
        {"op": "stat", "nth": 1, "do": "code", "code": -71, "status": 503},
        {"op": "stat", "nth": 2, "do": "code", "code": -96, "status": 403, "message": "ERROR_PROXY_AUTH_EXPIRED"},
        {"op": "stat", "nth": 3, "do": "status", "status": 502, "body": "html"},
        {"op": "stat", "nth": 4, "do": "status", "status": 400, "body": "xml"},
        {"op": "stat", "nth": 5, "do": "status", "status": 500, "body": "empty"},
        {"op": "stat", "nth": 6, "do": "status", "status": 504, "body": "by hand"},
        {"op": "stat", "nth": 7, "do": "redirect", "to": "http://127.0.0.1:1/elsewhere"},
        {"op": "stat", "nth": 8, "do": "garbage"},
        {"op": "stat", "nth": 9, "do": "chunked", "bytes": 5},
        {"op": "stat", "nth": 10, "do": "huge", "bytes": 3_000_000},
        {"op": "stat", "nth": 11, "do": "wrong_types"}
    ]));
    client.init("/x", 5, &[]).data();
    let mut stat = || client.simple("/x", "stat");
    assert_eq!(stat().outcome(), (503, -71));
    assert_eq!(stat().json()["message"], "ERROR_PROXY_AUTH_EXPIRED");
    let html = stat();
    assert_eq!(
        (html.status, html.header("content-type")),
        (502, Some("text/html"))
    );
    let xml = stat();
    assert_eq!(
        (xml.status, xml.header("content-type")),
        (400, Some("application/xml"))
    );
    assert!(String::from_utf8_lossy(&xml.body).contains("<Code>InvalidRequest</Code>"));
    let empty = stat();
    assert_eq!(
        (empty.status, empty.body.len(), empty.header("content-type")),
        (500, 0, None)
    );
    assert_eq!(stat().body, b"by hand");
    let moved = stat();
    assert_eq!(
        (moved.status, moved.header("location")),
        (302, Some("http://127.0.0.1:1/elsewhere"))
    );
    let garbage = stat();
    assert!(garbage.status == 200 && serde_json::from_slice::<Value>(&garbage.body).is_err());
    let chunked = stat();
    assert_eq!(chunked.header("transfer-encoding"), Some("chunked"));
    assert_eq!(chunked.data()["filesize"], 5);
    let huge = stat();
    assert!(huge.body.len() > 3_000_000);
    assert_eq!(huge.data()["filesize"], 5);
    let odd = stat();
    assert_eq!(odd.outcome(), (200, 0));
    assert_eq!(odd.json()["data"]["filesize"], "seven");
    assert_eq!(stat().data()["filesize"], 5);
    let seen: Vec<usize> = server
        .emulator
        .requests()
        .iter()
        .map(|r| r.faults.len())
        .collect();
    assert_eq!(seen, [vec![0], vec![1; 11], vec![0]].concat());
}

#[test]
fn commit_before_the_failure() {
    let (server, mut client) = with_faults(&json!([
        {"op": "upload_slice_finish", "nth": 1, "do": "status", "status": 504, "commit": true}
    ]));
    let data = pattern(5);
    assert_eq!(client.put("/x", &data, true).status, 504);
    assert_eq!(client.simple("/x", "stat").data()["filelen"], 5);
    assert_eq!(server.emulator.object_bytes("/x").unwrap(), data);
    // Without commit nothing happens.
    server.emulator.set_faults(vec![Fault {
        status: Some(504),
        ..Fault::new("upload_slice_finish", Action::Status)
    }]);
    assert_eq!(client.put("/y", &data[1..], true).status, 504);
    assert!(server.emulator.object_bytes("/y").is_none());
}

#[test]
fn cut_replies() {
    let (_server, mut client) = with_faults(&json!([{"op": "stat", "do": "cut", "at": 10}]));
    client.init("/x", 5, &[]).data();
    let (head, body) = op_request("/x", &[("op", b"stat")], &multi());
    client.send_request(&head, &body);
    assert!(client.receive(false).is_none());
}

#[test]
fn stalls_hold_until_the_server_ends() {
    for action in ["stall", "stall_before_body"] {
        let (server, mut client) = with_faults(&json!([{"op": "stat", "do": action}]));
        let (head, body) = op_request("/x", &[("op", b"stat")], &multi());
        client.send_request(&head, &body);
        client
            .stream
            .set_read_timeout(Some(Duration::from_millis(200)))
            .unwrap();
        let mut byte = [0];
        let waited = std::io::Read::read(&mut client.stream, &mut byte);
        assert!(waited.is_err(), "{action}");
        client
            .stream
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        // Dropping the server neither hangs nor leaves the connection open.
        let begin = Instant::now();
        drop(server);
        assert!(begin.elapsed() < Duration::from_secs(4));
        assert!(client.closed());
    }
}

#[test]
fn slow_replies_and_slow_reading() {
    let (server, mut client) =
        with_faults(&json!([{"op": "stat", "do": "delay", "ms": 150, "count": 1}]));
    client.init("/x", 5, &[]).data();
    let begin = Instant::now();
    client.simple("/x", "stat").data();
    assert!(begin.elapsed() >= Duration::from_millis(150));
    server
        .emulator
        .set_faults_json(&json!({"op": "upload", "do": "bandwidth", "bytes_per_s": 1_000_000}))
        .unwrap();
    let begin = Instant::now();
    client
        .op(
            "/y",
            &[("op", b"upload"), ("filecontent", &vec![1; 300_000])],
        )
        .data();
    assert!(
        begin.elapsed() >= Duration::from_millis(200),
        "{:?}",
        begin.elapsed()
    );
    // Together with another fault.
    server
        .emulator
        .set_faults_json(&json!([{"op": "stat", "do": "delay", "ms": 100}, {"op": "stat", "do": "code", "code": -300}]))
        .unwrap();
    let begin = Instant::now();
    assert_eq!(client.simple("/x", "stat").code(), -300);
    assert!(begin.elapsed() >= Duration::from_millis(100));
}

#[test]
fn one_request_under_other_settings() {
    let data = pattern(3 * MIB);
    let (server, mut client) = with_faults(&json!([]));
    let sha = sha1(&data);
    let session = client.init_with_sha("/x", &data, &[]).data()["session"]
        .as_str()
        .unwrap()
        .to_owned();
    client.slices("/x", &session, &data);
    let with = |client: &mut Client, settings: Value| {
        server
            .emulator
            .set_faults_json(
                &json!([{"op": "upload_slice_list", "nth": 1, "do": "with", "settings": settings}]),
            )
            .unwrap();
        client.simple("/x", "upload_slice_list").data()
    };
    let full = with(&mut client, json!({}));
    let offsets = |list: &Value| {
        list["listparts"]
            .as_array()
            .unwrap()
            .iter()
            .map(|p| p["offset"].as_u64().unwrap() as usize)
            .collect::<Vec<_>>()
    };
    assert_eq!(offsets(&full), [0, MIB, 2 * MIB]);
    let text = with(&mut client, json!({"listparts_as_string": true}));
    assert_eq!(text["listparts"], full["listparts"].to_string());
    let words = with(&mut client, json!({"numbers_as_strings": true}));
    assert_eq!(
        (&words["filesize"], &words["listparts"][1]["offset"]),
        (&json!("3145728"), &json!("1048576"))
    );
    assert_eq!(
        with(&mut client, json!({"sha_suffix": "_3145728"}))["sha"],
        format!("{sha}_3145728")
    );
    assert_eq!(
        offsets(&with(&mut client, json!({"listparts_order": "reversed"}))),
        [2 * MIB, MIB, 0]
    );
    let mut shuffled = offsets(&with(&mut client, json!({"listparts_order": "shuffled"})));
    shuffled.sort_unstable();
    assert_eq!(shuffled, [0, MIB, 2 * MIB]);
    assert_eq!(
        offsets(&with(&mut client, json!({"listparts_hide": [MIB]}))),
        [0, 2 * MIB]
    );
    let odd = with(
        &mut client,
        json!({"listparts_hide": [0], "listparts_extra": [{"offset": 5, "datalen": 7}, "x"]}),
    );
    assert_eq!(odd["listparts"][2], json!({"offset": 5, "datalen": 7}));
    assert_eq!(odd["listparts"][3], "x");
    let changed = with(
        &mut client,
        json!({"data_set": {"slice_size": 3}, "data_omit": ["session"]}),
    );
    assert!(changed["slice_size"] == 3 && changed.get("session").is_none());
    assert_eq!(client.simple("/x", "upload_slice_list").data(), full);
    // Serial mode and another slice size, for one init only.
    server
        .emulator
        .set_faults_json(
            &json!([{"op": "upload_slice_init", "path": "/serial", "do": "with",
                                 "settings": {"serial": true, "slice_size": 524_288}}]),
        )
        .unwrap();
    let init = client.init("/serial", MIB, &[]).data();
    assert_eq!(
        (&init["serial_upload"], &init["slice_size"]),
        (&json!(1), &json!(524_288))
    );
    let session = init["session"].as_str().unwrap();
    assert_eq!(
        client
            .slice("/serial", session, 524_288, &data[524_288..MIB])
            .code(),
        -4024
    );
    client.slice("/serial", session, 0, &data[..524_288]).data();
    client
        .slice("/serial", session, 524_288, &data[524_288..MIB])
        .data();
    client.finish("/serial", session, MIB, None).data();
    assert_eq!(client.init("/plain", 5, &[]).data()["slice_size"], MIB);
    server
        .emulator
        .settings(&json!({"xml_errors": true}))
        .unwrap();
    assert!(client.simple("/absent", "stat").body.starts_with(b"<?xml"));
}

#[test]
fn a_lost_session() {
    let (server, mut client) = with_faults(&json!([
        {"op": "upload_slice_data", "offset": MIB, "nth": 1, "do": "expire_session"}
    ]));
    let data = pattern(2 * MIB);
    let session = open_upload(&server, &data);
    client.slice("/x", &session, 0, &data[..MIB]).data();
    assert_eq!(
        client.slice("/x", &session, MIB, &data[MIB..]).outcome(),
        (400, -290)
    );
    let list = client.simple("/x", "upload_slice_list").data();
    let fresh = list["session"].as_str().unwrap();
    assert_ne!(fresh, session);
    assert_eq!(list["listparts"].as_array().unwrap().len(), 1);
    client.slice("/x", fresh, MIB, &data[MIB..]).data();
    client.finish("/x", fresh, data.len(), None).data();
    assert_eq!(server.emulator.object_bytes("/x").unwrap(), data);
}

#[test]
fn a_skewed_clock_shows_in_the_date() {
    let server = start_with(|c| c.settings.clock_skew_s = 3600);
    let mut client = Client::new(server.emulator.port());
    let reply = client.simple("/x", "stat");
    assert_eq!(reply.outcome(), (403, -59));
    let date = httpdate::parse_http_date(reply.header("date").unwrap()).unwrap();
    let ahead = date
        .duration_since(std::time::SystemTime::now())
        .unwrap()
        .as_secs();
    assert!((3500..=3600).contains(&ahead), "{ahead}");
}

#[test]
fn downloads_and_connections_fail_too() {
    let (server, mut client) = with_faults(&json!([
        {"op": "fetch", "nth": 1, "do": "status", "status": 500},
        {"op": "fetch", "nth": 2, "do": "cut", "at": 3}
    ]));
    client
        .op("/x", &[("op", b"upload"), ("filecontent", b"12345")])
        .data();
    assert_eq!(client.get(&fetch_target("/x")).status, 500);
    client.send_request(
        &format!("GET {} HTTP/1.1\r\nHost: x", fetch_target("/x")),
        b"",
    );
    assert!(client.receive(false).is_none());
    let mut client = Client::new(server.emulator.port());
    assert_eq!(client.get(&fetch_target("/x")).body, b"12345");
    server
        .emulator
        .set_faults_json(&json!([{"op": "connect", "nth": 1, "do": "drop_connect"}]))
        .unwrap();
    assert!(Client::new(server.emulator.port()).closed());
    assert_eq!(
        Client::new(server.emulator.port())
            .get(&fetch_target("/x"))
            .body,
        b"12345"
    );
}

#[test]
fn the_same_seed_fails_the_same_requests() {
    let run = |seed: u64| {
        let server = start_with(|c| {
            c.seed = seed;
            c.faults = Fault::list_from_json(
                &json!([{"op": "stat", "p": 0.3, "do": "code", "code": -71}]),
            )
            .unwrap();
        });
        let mut client = Client::new(server.emulator.port());
        (0..60)
            .map(|_| client.simple("/x", "stat").code() == -71)
            .collect::<Vec<_>>()
    };
    let first = run(1);
    assert_eq!(first, run(1));
    assert_ne!(first, run(2));
    let failed = first.iter().filter(|f| **f).count();
    assert!((5..35).contains(&failed), "{failed}");
}

#[test]
fn control_and_records() {
    let server = start();
    let mut client = Client::new(server.emulator.port());
    assert_eq!(
        client.control("record", &json!({"on": true})).json()["on"],
        true
    );
    let rules = client
        .control(
            "faults",
            &json!([{"op": "stat", "do": "code", "code": -71, "status": 503}]),
        )
        .json();
    assert_eq!(rules[0]["used"], 0);
    assert_eq!(
        client
            .control("faults", &json!([{"do": "nonsense"}]))
            .status,
        400
    );
    assert_eq!(
        client.control("settings", &json!({"nonsense": 1})).status,
        400
    );
    assert_eq!(
        client.control("settings", &json!({"serial": true})).json()["serial"],
        true
    );
    assert_eq!(client.control("nonsense", &json!(1)).status, 404);
    let data = pattern(100_000);
    let init = client.init_with_sha("/a b", &data, &[]).data();
    let session = init["session"].as_str().unwrap();
    client.slice("/a b", session, 0, &data).data();
    assert_eq!(client.simple("/a b", "stat").outcome(), (503, -71));
    let mut other = Client::new(server.emulator.port());
    other.get(&fetch_target("/none"));
    let rules = client.get("/_emulator/faults").json();
    assert_eq!(
        (&rules[0]["seen"], &rules[0]["used"]),
        (&json!(1), &json!(1))
    );

    let requests = client.get("/_emulator/requests").json();
    let requests = requests.as_array().unwrap();
    assert_eq!(requests.len(), 4);
    let slice = &requests[1];
    assert_eq!(
        (&slice["seq"], &slice["connection"], &slice["method"]),
        (&json!(2), &json!(1), &json!("POST"))
    );
    assert_eq!(slice["target"], target("/a b"));
    assert_eq!(
        (&slice["path"], &slice["op"]),
        (&json!("/a b"), &json!("upload_slice_data"))
    );
    assert_eq!(slice["headers"][1][0], "Authorization");
    assert_eq!(slice["boundary"], "----boundary7");
    assert_eq!(slice["content_length"], slice["body_read"]);
    assert_eq!(
        (&slice["status"], &slice["code"], &slice["chunked"]),
        (&json!(200), &json!(0), &json!(false))
    );
    let fields = slice["fields"].as_array().unwrap();
    let names: Vec<&str> = fields.iter().map(|f| f["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["op", "session", "offset", "filecontent"]);
    assert_eq!(
        (&fields[2]["value"], &fields[2]["length"]),
        (&json!("0"), &json!(1))
    );
    assert_eq!(
        (&fields[3]["sha1"], &fields[3]["value"]),
        (&json!(sha1(&data)), &Value::Null)
    );
    assert_eq!(
        fields[3]["headers"],
        json!([["Content-Disposition", "form-data; name=\"filecontent\""]])
    );
    assert!(
        slice["sign_plaintext"]
            .as_str()
            .unwrap()
            .starts_with("a=1250000000&k=AKIDEXAMPLE&e=")
    );
    assert!(
        slice["reply"]
            .as_str()
            .unwrap()
            .contains("\"datalen\":100000")
    );
    let head_len = usize::try_from(slice["head_len"].as_u64().unwrap()).unwrap();
    let (head, body) = op_request("/a b", &[], &multi());
    assert!(
        head_len > head.len() && head_len < head.len() + 60,
        "{head_len} {} {}",
        head.len(),
        body.len()
    );
    assert_eq!(requests[2]["faults"], json!(["code"]));
    assert_eq!(
        (&requests[3]["op"], &requests[3]["connection"]),
        (&json!("fetch"), &json!(2))
    );

    let state = client.get("/_emulator/state").json();
    let upload = &state["uploads"][0];
    assert_eq!(
        (
            &upload["slices"],
            &upload["slices_stored"],
            &upload["bytes_stored"]
        ),
        (&json!(1), &json!(1), &json!(100_000))
    );
    assert_eq!(upload["checked"], "chained");
    let counters = &state["counters"];
    assert_eq!(
        (&counters["connections"], &counters["requests"]),
        (&json!(2), &json!(4))
    );
    assert_eq!(counters["by_op"]["upload_slice_data"], 1);
    assert_eq!(counters["by_code"]["-71"], 1);
    client.control("record", &json!({"on": false}));
    client.simple("/a b", "upload_slice_list").data();
    assert_eq!(client.get("/_emulator/requests").json(), json!([]));
}

#[test]
fn early_faults_find_an_op_that_comes_late() {
    let (server, _) = with_faults(&json!([{"op": "stat", "do": "drop_before_body"}]));
    let send = |kind: &str, body: &[u8]| {
        let mut client = Client::new(server.emulator.port());
        let head = format!(
            "POST {} HTTP/1.1\r\nHost: x\r\nAuthorization: {}\r\nContent-Type: {kind}",
            target("/x"),
            multi()
        );
        client.send_request(&head, body);
        client
    };
    assert!(send("application/x-www-form-urlencoded", b"op=stat").closed());
    assert!(send("application/json", br#"{"op":"stat"}"#).closed());
    let padding = vec![b'x'; 300_000];
    let late = common::multipart(&[("padding", &padding), ("op", b"stat")], "B");
    assert!(send("multipart/form-data; boundary=B", &late).closed());
    let mut fine = send("application/json", br#"{"op":"upload_slice_list"}"#);
    assert_eq!(fine.receive(false).unwrap().outcome(), (404, -197));
    let all: Vec<_> = server
        .emulator
        .requests()
        .iter()
        .map(|r| r.faults.len())
        .collect();
    assert_eq!(all, [1, 1, 1, 0]);
}
