//! What replies mean: those of the seeds, those of protocol.md section 4 in all their forms, and what is no reply of COS at all.
//! Pure: no socket anywhere.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

use std::sync::Arc;

use cosslice::error::Status;
use cosslice::hash::{Digest, Fingerprint, Tally};
use cosslice::protocol::v4::V4;
use cosslice::protocol::{Answer, Class, Content, Fault, Plan, Reply, Standing, Step, Wire};
use serde_json::{Value, json};

const SHA: &str = "da39a3ee5e6b4b0d3255bfef95601890afd80709";
const MIB: u64 = 1 << 20;

fn wire() -> V4 {
    V4::new("10055004", "accesslog", "/testfolder/111.txt", false, "").unwrap()
}

fn reply(status: u16, body: &str) -> Reply {
    Reply {
        status,
        request_id: None,
        date: None,
        body: body.as_bytes().to_vec(),
    }
}

/// A good reply with this `data`.
fn good(data: &Value) -> Reply {
    let body = json!({"code": 0, "message": "SUCCESS", "request_id": "id", "data": data});
    reply(200, &body.to_string())
}

fn content(size: u64, hashed: bool) -> Content {
    let fingerprint = hashed.then(|| {
        let mut tally = Tally::new(MIB);
        tally.update(&vec![7; usize::try_from(size).unwrap()]);
        Arc::new(tally.finish())
    });
    Content { size, fingerprint }
}

fn plan() -> Plan {
    Plan {
        session: "s".into(),
        size: 36864,
        slice_size: MIB,
        serial: false,
        declared: None,
    }
}

fn open(content: &Content, reply: &Reply) -> Result<Answer, Fault> {
    wire().read(&Step::Open(content, MIB), reply)
}

fn opened(data: &Value) -> Plan {
    match open(&content(36864, false), &good(data)) {
        Ok(Answer::Opened(plan)) => plan,
        other => panic!("{data}: {other:?}"),
    }
}

fn list(reply: &Reply) -> Result<Answer, Fault> {
    wire().read(&Step::List { expected: 4 }, reply)
}

fn standing(data: &Value) -> Standing {
    match list(&good(data)) {
        Ok(Answer::Standing(standing)) => standing,
        other => panic!("{data}: {other:?}"),
    }
}

fn commit(reply: &Reply) -> Result<Answer, Fault> {
    wire().read(&Step::Commit(&plan()), reply)
}

fn put(reply: &Reply) -> Result<Answer, Fault> {
    let plan = plan();
    let step = Step::Put {
        plan: &plan,
        offset: MIB,
        len: 13,
    };
    wire().read(&step, reply)
}

fn stat(data: &Value) -> cosslice::protocol::Facts {
    match wire().read(&Step::Inspect, &good(data)) {
        Ok(Answer::Facts(facts)) => facts,
        other => panic!("{data}: {other:?}"),
    }
}

// --- The seeds -----------------------------------------------------------------------------------------------------

const S0: &str = r#"{"code":0,"message":"SUCCESS","data":{"access_url":"http://accesslog-10055004.file.myqcloud.com/testfolder/111.txt","preview_url":"http://accesslog-10055004.preview.myqcloud.com/testfolder/111.txt?cmd=txt_preview","resource_path":"/10055004/accesslog/testfolder/111.txt","source_url":"http://accesslog-10055004.cossh.myqcloud.com/testfolder/111.txt","url":"http://sh.file.myqcloud.com/files/v2/10055004/accesslog/testfolder/111.txt"}}"#;

#[test]
fn the_finish_of_seed_s0() {
    assert_eq!(S0.len(), 434, "the sample's own Content-Length");
    let Ok(Answer::Stored(found)) = commit(&reply(200, S0)) else {
        panic!("not read as a finished object");
    };
    let host = "http://accesslog-10055004";
    assert_eq!(
        found.access_url,
        format!("{host}.file.myqcloud.com/testfolder/111.txt")
    );
    assert_eq!(
        found.preview_url,
        format!("{host}.preview.myqcloud.com/testfolder/111.txt?cmd=txt_preview")
    );
    assert_eq!(
        found.source_url,
        format!("{host}.cossh.myqcloud.com/testfolder/111.txt")
    );
    assert_eq!(
        found.resource_path,
        "/10055004/accesslog/testfolder/111.txt"
    );
    assert_eq!(
        found.url,
        "http://sh.file.myqcloud.com/files/v2/10055004/accesslog/testfolder/111.txt"
    );
    assert_eq!(found.vid, "");
}

#[test]
fn the_finish_of_seed_s0_as_printed() {
    let printed = S0
        .replace("{\"", "{\n    \"")
        .replace("\",\"", "\", \n        \"");
    assert!(matches!(
        commit(&reply(200, &printed)),
        Ok(Answer::Stored(found)) if found.resource_path.ends_with("/111.txt")
    ));
}

#[test]
fn the_session_of_seed_s1() {
    let body = "{\n    \"code\":0,\n     \"message\":\"SUCCESS\",\n     \"request_id\":\"NTliNzhlOGRfMTliMjk0MGFDg0N1diY2E=\",\n     \
                \"data\":{\n     \"session\":\"8ad1d23f1b1f3452a1bda9bfbf5f810a3dac6a73371c632e47baf12d\",\n     \
                \"slice_size\":1048576}\n }";
    let content = content(26585, true);
    let Ok(Answer::Opened(plan)) = open(&content, &reply(200, body)) else {
        panic!("not read as a session");
    };
    assert_eq!(
        plan.session,
        "8ad1d23f1b1f3452a1bda9bfbf5f810a3dac6a73371c632e47baf12d"
    );
    assert_eq!(
        (plan.size, plan.slice_size, plan.serial),
        (26585, MIB, false)
    );
    assert_eq!(plan.declared, content.fingerprint.map(|f| f.digest));
}

#[test]
fn the_instant_upload_of_seed_s1() {
    let body = r#"{
"code":0,
"message":"SUCCESS",
"request_id":"NTllOWQ2YjVfYzlhMzNiMGFfMTY0OV9jMzYwZTU=",
"data":
     {
         "access_url":"http://xy2-124566667.file.myqcloud.com/uploader1500000000",
    "resource_path":"/124566667/xy2/uploader1508497108630",
    "source_url":"http://xy2-124566667.cosgz.myqcloud.com/uploader1500000000",
    "url":"http://gz.file.myqcloud.com/files/v2/124566667/xy2/uploader1500000000",
    "vid":"4396314caa204d61f5d070d45248d9981508497077"
     }
}"#;
    let Ok(Answer::Instant(found)) = open(&content(26585, true), &reply(200, body)) else {
        panic!("not read as an instant upload");
    };
    assert_eq!(found.vid, "4396314caa204d61f5d070d45248d9981508497077");
    assert_eq!(found.resource_path, "/124566667/xy2/uploader1508497108630");
}

#[test]
fn the_request_of_seed_s1_has_its_list_of_slices() {
    // S1 shows 83 bytes for one slice of 26585 bytes.
    let digest = Digest::parse("e98c925a97a8ae4ffec264ae674e28b8f975eba3").unwrap();
    let print = Fingerprint {
        size: 26585,
        grid: MIB,
        states: Vec::new(),
        digest,
    };
    let list = cosslice::protocol::form::parts_entry(&print, 0);
    assert_eq!(
        list,
        r#"[{"offset":0,"datalen":26585,"datasha":"e98c925a97a8ae4ffec264ae674e28b8f975eba3"}]"#
    );
    assert_eq!(list.len(), 83);
    assert_eq!(cosslice::protocol::form::parts_len(&print), 83);
}

// --- Section 4 -----------------------------------------------------------------------------------------------------

#[test]
fn sessions_in_all_their_forms() {
    let plan = opened(&json!({"session": "58cc", "slice_size": 1048576}));
    assert_eq!(
        (plan.session.as_str(), plan.slice_size, plan.serial),
        ("58cc", MIB, false)
    );
    for (data, slice_size, serial) in [
        (
            json!({"session": "a", "slice_size": "4194304"}),
            4 * MIB,
            false,
        ),
        (
            json!({"session": "a", "slice_size": " 524288 "}),
            MIB / 2,
            false,
        ),
        (
            json!({"session": "a", "slice_size": 1048576, "serial_upload": 1}),
            MIB,
            true,
        ),
        (
            json!({"session": "a", "slice_size": 1048576, "serial_upload": "1"}),
            MIB,
            true,
        ),
        (
            json!({"session": "a", "slice_size": 1048576, "serial_upload": 0}),
            MIB,
            false,
        ),
        (
            json!({"session": "a", "slice_size": 1048576, "offset": 0, "new": [1]}),
            MIB,
            false,
        ),
        (json!({"session": "a"}), MIB, false),
        (json!({"session": "a", "slice_size": null}), MIB, false),
        // A session wins: access_url beside it tells nothing.
        (
            json!({"session": "a", "slice_size": 1048576, "access_url": "http://x"}),
            MIB,
            false,
        ),
    ] {
        let plan = opened(&data);
        assert_eq!(
            (plan.slice_size, plan.serial),
            (slice_size, serial),
            "{data}"
        );
        assert_eq!(plan.declared, None, "{data}");
    }
    let long = "f".repeat(4096);
    assert_eq!(opened(&json!({"session": long})).session.len(), 4096);
}

#[test]
fn openings_that_cannot_be() {
    for data in [
        json!({}),
        json!({"session": ""}),
        json!({"session": 7}),
        json!({"session": null, "slice_size": 1048576}),
        json!({"session": "a", "slice_size": 0}),
        json!({"session": "a", "slice_size": "0"}),
        json!({"session": "a", "slice_size": 67108865}),
        json!({"session": "a", "slice_size": u64::MAX}),
        json!(null),
        json!([]),
        json!("text"),
    ] {
        let fault = open(&content(36864, false), &good(&data)).unwrap_err();
        assert_eq!(fault.error.status, Status::Protocol, "{data}");
        assert!(
            fault.ambiguous,
            "{data}: the upload may have been opened all the same"
        );
    }
    let without = reply(200, r#"{"code":0,"message":"SUCCESS"}"#);
    assert_eq!(
        open(&content(1, false), &without).unwrap_err().error.status,
        Status::Protocol
    );
}

#[test]
fn the_digest_is_declared_on_its_own_grid_only() {
    let hashed = content(2 * MIB, true);
    let ours = hashed.fingerprint.as_ref().map(|f| f.digest);
    let answer = good(&json!({"session": "a", "slice_size": 524288}));
    // Asked for with 1 MiB, and answered with another size: it was declared all the same.
    let Ok(Answer::Opened(plan)) = open(&hashed, &answer) else {
        panic!()
    };
    assert_eq!(plan.declared, ours);
    let step = Step::Open(&hashed, MIB / 2);
    let Ok(Answer::Opened(plan)) = wire().read(&step, &answer) else {
        panic!()
    };
    assert_eq!(plan.declared, None);
}

#[test]
fn lists_in_all_their_forms() {
    let parts = [(0, MIB), (2 * MIB, 13)];
    let base = json!({
        "session": "s", "filesize": 2 * MIB + 13, "slice_size": MIB, "sha": SHA,
        "listparts": [{"offset": 0, "datalen": MIB}, {"offset": 2 * MIB, "datalen": 13}],
    });
    let with = |key: &str, value: Value| {
        let mut data = base.clone();
        data[key] = value;
        data
    };
    let as_text = base["listparts"].to_string();
    let strings =
        json!([{"offset": "0", "datalen": "1048576"}, {"offset": "2097152", "datalen": "13"}]);
    for data in [
        base.clone(),
        with("filesize", "2097165".into()),
        with("slice_size", "1048576".into()),
        with("listparts", as_text.into()),
        with("listparts", strings.clone()),
        with("listparts", strings.to_string().into()),
        with("sha", format!("{SHA}_1048576").into()),
        with("sha", SHA.to_uppercase().into()),
        with("datasha", "x".into()),
    ] {
        let found = standing(&data);
        assert_eq!(found.parts, parts, "{data}");
        assert_eq!(
            (found.plan.size, found.plan.slice_size),
            (2 * MIB + 13, MIB),
            "{data}"
        );
        assert_eq!(found.plan.declared, Digest::parse(SHA), "{data}");
        assert_eq!(found.plan.session, "s");
    }
    for none in [json!(null), json!([]), json!(""), json!(" "), json!("[]")] {
        assert!(
            standing(&with("listparts", none.clone())).parts.is_empty(),
            "{none}"
        );
    }
    let big = json!([{"offset": 5_368_709_120u64, "datalen": MIB}]);
    assert_eq!(
        standing(&with("listparts", big)).parts,
        [(5_368_709_120, MIB)],
        "64 bits"
    );
    assert!(
        standing(&with("serial_upload", json!("1"))).plan.serial,
        "serial mode holds for continued uploads too"
    );
    for damaged in ["", "short", "zz39a3ee5e6b4b0d3255bfef95601890afd80709"] {
        assert_eq!(
            standing(&with("sha", damaged.into())).plan.declared,
            None,
            "{damaged}"
        );
    }
}

#[test]
fn entries_that_cannot_be_read_count_as_not_stored() {
    let data = json!({
        "session": "s", "filesize": 10, "slice_size": 4,
        "listparts": [7, null, {"offset": -1, "datalen": 4}, {"offset": 0}, {"offset": 1.5, "datalen": 4},
                      {"offset": "four", "datalen": 4}, {"offset": 4, "datalen": 4}],
    });
    assert_eq!(standing(&data).parts, [(4, 4)]);
}

#[test]
fn lists_that_cannot_be() {
    for data in [
        json!({}),
        json!({"session": "s", "slice_size": 4}),
        json!({"session": "s", "filesize": "x", "slice_size": 4}),
        json!({"session": "s", "filesize": -1, "slice_size": 4}),
        json!({"session": "s", "filesize": 10}),
        json!({"session": "s", "filesize": 10, "slice_size": 0}),
        json!({"session": "s", "filesize": 10, "slice_size": 4, "listparts": 7}),
        json!({"session": "s", "filesize": 10, "slice_size": 4, "listparts": "no json"}),
        json!({"session": "s", "filesize": 10, "slice_size": 4, "listparts": "{}"}),
        json!({"session": "s", "filesize": 10, "slice_size": 4, "listparts": {}}),
    ] {
        let fault = list(&good(&data)).unwrap_err();
        assert_eq!(
            (fault.error.status, fault.class),
            (Status::Protocol, Class::Retry),
            "{data}"
        );
    }
}

#[test]
fn a_list_of_a_finished_object() {
    let data = json!({"access_url": "http://a", "url": "http://u", "source_url": "http://s"});
    let Ok(Answer::Complete(found)) = list(&good(&data)) else {
        panic!()
    };
    assert_eq!(
        (
            found.access_url.as_str(),
            found.url.as_str(),
            found.source_url.as_str()
        ),
        ("http://a", "http://u", "http://s")
    );
    // The object's id does not depend on the server.
    assert_eq!(
        found.resource_path,
        "/10055004/accesslog/testfolder/111.txt"
    );
}

#[test]
fn a_slice_reply_is_held_against_its_slice() {
    for data in [
        json!({"session": "s", "offset": MIB, "datalen": 13}),
        json!({"offset": "1048576"}),
        json!({"offset": MIB, "datalen": "13", "datamd5": "8f29"}),
    ] {
        assert!(
            matches!(put(&good(&data)), Ok(Answer::Accepted { serial: false })),
            "{data}"
        );
    }
    for data in [
        json!({"session": "s"}),
        json!({"offset": 0}),
        json!({"offset": 2 * MIB}),
        json!({"offset": MIB, "datalen": 12}),
        json!({"offset": "x"}),
        json!({"offset": [MIB]}),
        json!(null),
    ] {
        let fault = put(&good(&data)).unwrap_err();
        assert_eq!(
            (fault.error.status, fault.class),
            (Status::Protocol, Class::Retry),
            "{data}"
        );
    }
    let serial = good(&json!({"offset": MIB, "serial_upload": 1}));
    assert!(matches!(
        put(&serial),
        Ok(Answer::Accepted { serial: true })
    ));
}

#[test]
fn stat_in_all_its_forms() {
    let facts = stat(&json!({"filesize": 5, "filelen": 5, "sha": SHA, "access_url": "http://a"}));
    assert_eq!((facts.size, facts.stored), (Some(5), Some(5)));
    assert_eq!(facts.digest, Digest::parse(SHA));
    assert!(facts.is_complete());
    let facts = stat(&json!({"filesize": "5", "filelen": "4", "sha": ""}));
    assert_eq!(
        (facts.size, facts.stored, facts.digest),
        (Some(5), Some(4), None)
    );
    assert!(
        !facts.is_complete(),
        "filelen other than filesize is an unfinished upload"
    );
    // A directory has neither.
    let facts = stat(&json!({"ctime": 1, "mtime": 1, "biz_attr": ""}));
    assert_eq!(
        (facts.size, facts.stored, facts.is_complete()),
        (None, None, false)
    );
}

#[test]
fn delete_has_no_data() {
    let body = r#"{"code":0,"message":"SUCCESS"}"#;
    assert_eq!(body.len(), 30);
    assert!(matches!(
        wire().read(&Step::Discard, &reply(200, body)),
        Ok(Answer::Discarded)
    ));
}

#[test]
fn a_finish_without_data_is_a_finish() {
    for body in [
        r#"{"code":0,"message":"SUCCESS"}"#,
        r#"{"code":0,"message":"SUCCESS","data":null}"#,
        r#"{"code":"0","message":"SUCCESS","data":{}}"#,
        r#"{"data":{"vid":7},"code":0}"#,
    ] {
        assert!(
            matches!(
                commit(&reply(200, body)),
                Ok(Answer::Stored(found)) if found.resource_path == "/10055004/accesslog/testfolder/111.txt"
            ),
            "{body}"
        );
    }
}

// --- Replies that are none -------------------------------------------------------------------------------------------

/// Every step takes such a reply for what it is.
fn every_step(reply: &Reply) -> Vec<Fault> {
    let (content, plan) = (content(5, true), plan());
    let steps = [
        Step::Single(&content),
        Step::Open(&content, MIB),
        Step::Put {
            plan: &plan,
            offset: 0,
            len: 5,
        },
        Step::List { expected: 1 },
        Step::Commit(&plan),
        Step::Inspect,
        Step::Discard,
    ];
    let read = |step| {
        wire()
            .read(step, reply)
            .expect_err("such a reply is no success")
    };
    steps.iter().map(read).collect()
}

#[test]
fn what_is_not_json_is_a_protocol_error_that_shows_it() {
    let html = "<html>\r\n<head><title>502 Bad Gateway</title></head></html>";
    let xml = "<?xml version='1.0' encoding='utf-8' ?>\n<Error>\n\t<Code>InvalidRequest</Code>\n\t<Message>m</Message>\n\
               \t<RequestId>NTliNzhl</RequestId>\n</Error>";
    for (status, body, class) in [
        (502, html, Class::Retry),
        (503, html, Class::Slow),
        (504, html, Class::Retry),
        (599, "", Class::Retry),
        (500, "", Class::Retry),
        (429, "slow down", Class::Slow),
        (408, "", Class::Retry),
        (200, html, Class::Retry),
        (200, "", Class::Retry),
        (204, "", Class::Retry),
        (302, "", Class::Retry),
        (307, "<a>moved</a>", Class::Retry),
        (400, xml, Class::Final),
        (400, "", Class::Final),
        (403, html, Class::Final),
        (401, "", Class::Final),
        (404, html, Class::Final),
        (409, html, Class::Final),
        (413, html, Class::Final),
        (631, "", Class::Final),
        (200, "null", Class::Retry),
        (200, "[]", Class::Retry),
        (200, "0", Class::Retry),
        (200, "\"code\"", Class::Retry),
        (200, "{}", Class::Retry),
        (200, r#"{"code":null}"#, Class::Retry),
        (200, r#"{"code":"x"}"#, Class::Retry),
        (200, r#"{"code":1.5}"#, Class::Retry),
        (200, r#"{"code":[0]}"#, Class::Retry),
        (200, r#"{"code":0,"message":"SUCC"#, Class::Retry),
        (200, r#"{"code":0} trailing"#, Class::Retry),
        (200, r#"{"code":99999999999999999999}"#, Class::Retry),
        (200, "\u{feff}{\"code\":0}", Class::Retry),
    ] {
        for fault in every_step(&reply(status, body)) {
            assert_eq!(fault.error.status, Status::Protocol, "{status} {body}");
            assert_eq!(fault.class, class, "{status} {body}");
            assert_eq!(fault.error.http_status, Some(status));
            assert_eq!(fault.error.server_code, None);
            let message = &fault.error.message;
            assert!(message.contains(&status.to_string()), "{message}");
            let start: String = body
                .chars()
                .take_while(|c| c.is_ascii_alphanumeric() || *c == '<')
                .collect();
            assert!(message.contains(&start), "{message}");
            assert!(!message.contains(['\r', '\n', '\t']), "{message:?}");
            assert!(message.len() < 600, "{message}");
        }
    }
    let fault = every_step(&reply(400, xml)).remove(0);
    assert_eq!(fault.error.server_message, "InvalidRequest");
    assert_eq!(fault.error.request_id, "NTliNzhl");
    let fault = every_step(&reply(502, &"x".repeat(1 << 20))).remove(0);
    assert!(fault.error.message.len() < 600);
    let fault = every_step(&Reply {
        body: vec![0xff, 0xfe, 0x80],
        ..reply(200, "")
    });
    assert_eq!(fault[0].error.status, Status::Protocol);
}

#[test]
fn success_in_words_and_failure_in_deeds_is_not_believed() {
    let body = r#"{"code":0,"message":"SUCCESS","data":{"session":"s","offset":0,"access_url":"http://a"}}"#;
    for status in [500, 503, 404, 400, 302, 199] {
        for fault in every_step(&reply(status, body)) {
            assert_eq!(
                (fault.error.status, fault.class),
                (Status::Protocol, Class::Retry),
                "{status}"
            );
            assert!(fault.ambiguous, "{status}");
        }
    }
}

#[test]
fn refusals_carry_all_their_details() {
    let body =
        r#"{"code":-4019,"message":"_ERROR_FILE_NOT_FINISH_UPLOAD","request_id":"from the body"}"#;
    let mut answer = reply(409, body);
    for fault in every_step(&answer) {
        assert_eq!(fault.class, Class::Unfinished);
        assert_eq!(fault.error.server_code, Some(-4019));
        assert_eq!(fault.error.server_message, "_ERROR_FILE_NOT_FINISH_UPLOAD");
        assert_eq!(fault.error.http_status, Some(409));
        assert_eq!(fault.error.request_id, "from the body");
        assert!(
            fault.error.message.contains("-4019"),
            "{}",
            fault.error.message
        );
    }
    answer.request_id = Some("from the header".into());
    assert_eq!(
        every_step(&answer)[0].error.request_id,
        "from the header",
        "the header comes first"
    );
    let text = reply(403, r#"{"code":"-97","message":17}"#);
    let fault = &every_step(&text)[0];
    assert_eq!(
        (fault.class, fault.error.server_code),
        (Class::Auth, Some(-97))
    );
    let long = json!({"code": -97, "message": "m\r\n".repeat(10_000)}).to_string();
    let fault = &every_step(&reply(403, &long))[0];
    assert!(fault.error.message.len() < 1200 && !fault.error.message.contains('\n'));
}

#[test]
fn any_cut_of_a_reply_is_no_success() {
    let whole = S0.as_bytes();
    for cut in 0..whole.len() {
        let mut answer = reply(200, "");
        answer.body = whole[..cut].to_vec();
        assert!(commit(&answer).is_err(), "cut at {cut}");
    }
}
