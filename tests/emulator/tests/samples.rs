//! The example requests and replies of the two source documents.

mod common;

use common::{Client, now, pattern, start_with};
use cosslice_emulator::sign::sign;
use serde_json::json;

fn signature(appid: &str, bucket: &str) -> String {
    let t = now();
    sign(
        "examplesecretkey",
        &format!(
            "a={appid}&k=AKIDEXAMPLE&e={}&t={t}&r=1060345938&f=&b={bucket}",
            t + 180
        ),
    )
}

#[test]
fn finish() {
    let server = start_with(|c| {
        c.app_id = "10055004".into();
        c.bucket = "accesslog".into();
        c.region = "sh".into();
        let settings =
            json!({"urls": "documented", "vid": false, "omit_request_id": true, "session_len": 96});
        c.settings = c.settings.with(&settings).unwrap();
    });
    let mut client = Client::new(server.emulator.port());
    let boundary = "----------------------------2335c30f02ab";
    let send = |client: &mut Client, fields: &[(&str, &[u8])]| {
        let body = common::multipart(fields, boundary);
        let head = format!(
            "POST /files/v2/10055004/accesslog/testfolder/111.txt HTTP/1.1\r\nHost: sh.file.myqcloud.com\r\n\
             Authorization: {}\r\nContent-Type: multipart/form-data; boundary={boundary}",
            signature("10055004", "accesslog")
        );
        (client.request(&head, &body), body.len())
    };
    let data = pattern(36_864);
    let (init, _) = send(
        &mut client,
        &[
            ("op", b"upload_slice_init"),
            ("filesize", b"36864"),
            ("slice_size", b"1048576"),
        ],
    );
    let session = init.data()["session"].as_str().unwrap().to_owned();
    let ses: (&str, &[u8]) = ("session", session.as_bytes());
    send(
        &mut client,
        &[
            ("op", b"upload_slice_data"),
            ses,
            ("offset", b"0"),
            ("filecontent", &data),
        ],
    )
    .0
    .data();
    let (done, sent) = send(
        &mut client,
        &[("op", b"upload_slice_finish"), ses, ("filesize", b"36864")],
    );
    assert_eq!(sent, 450);
    assert_eq!(done.header("content-length"), Some("434"));
    assert_eq!(
        String::from_utf8(done.body).unwrap(),
        concat!(
            r#"{"code":0,"message":"SUCCESS","data":{"#,
            r#""access_url":"http://accesslog-10055004.file.myqcloud.com/testfolder/111.txt","#,
            r#""preview_url":"http://accesslog-10055004.preview.myqcloud.com/testfolder/111.txt?cmd=txt_preview","#,
            r#""resource_path":"/10055004/accesslog/testfolder/111.txt","#,
            r#""source_url":"http://accesslog-10055004.cossh.myqcloud.com/testfolder/111.txt","#,
            r#""url":"http://sh.file.myqcloud.com/files/v2/10055004/accesslog/testfolder/111.txt"}}"#
        )
    );
}

#[test]
fn init() {
    let server = start_with(|c| {
        c.app_id = "124566667".into();
        c.bucket = "xy2".into();
        c.region = "gz".into();
        c.settings = c.settings.with(&json!({"urls": "documented"})).unwrap();
    });
    let mut client = Client::new(server.emulator.port());
    let data = pattern(26_585);
    let sha = common::sha1(&data);
    let boundary = "9fd48fba-1ea2-4789-8e6e-64c40c243480";
    let parts = format!(r#"[{{"offset":0,"datalen":26585,"datasha":"{sha}"}}]"#);
    // Like the sample, with the sha that the sample says is 40 bytes long; the part lengths are as printed there.
    let fields = [
        ("op", "17", "upload_slice_init"),
        ("sha", "40", &sha),
        ("slice_size", "7", "1048576"),
        ("filesize", "5", "26585"),
        ("uploadparts", "83", &parts),
    ];
    let mut body = String::new();
    for (name, length, value) in fields {
        assert_eq!(length, value.len().to_string());
        body += &format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"\r\nContent-Length: {length}\r\n\r\n{value}\r\n"
        );
    }
    body += &format!("--{boundary}--\r\n");
    let head = |sign: &str| {
        format!(
            "POST /files/v2/124566667/xy2/uploader1500000000  HTTP/1.1\r\nHost: gz.file.myqcloud.com\r\n\
             Connection: keep-alive\r\nAccept-Encoding: gzip, deflate\r\nAccept: */*\r\n\
             User-Agent: cos-python-sdk-v4\r\nAuthorization: {sign}\r\n\
             Content-Type:  multipart/form-data; boundary={boundary}"
        )
        .replace("  HTTP/1.1", " HTTP/1.1")
    };
    let first = client.request(&head(&signature("124566667", "xy2")), body.as_bytes());
    let first = first.data();
    assert_eq!(
        (
            first["session"].as_str().unwrap().len(),
            &first["slice_size"]
        ),
        (56, &json!(1_048_576))
    );
    assert_eq!(first.as_object().unwrap().len(), 2);
    // The content arrives elsewhere; a second init then answers as in the sample, without a session.
    let stored = format!("{}\r\n", head(&signature("124566667", "xy2")))
        .replace("uploader1500000000", "other");
    let upload = common::multipart(&[("op", b"upload"), ("filecontent", &data)], boundary);
    client.request(stored.trim_end(), &upload).data();
    let gone = sign(
        "examplesecretkey",
        &format!(
            "a=124566667&k=AKIDEXAMPLE&e=0&t={}&r=1&f=/124566667/xy2/uploader1500000000&b=xy2",
            now()
        ),
    );
    client
        .request(
            &head(&gone),
            &common::multipart(&[("op", b"delete")], boundary),
        )
        .data();
    let second = client
        .request(&head(&signature("124566667", "xy2")), body.as_bytes())
        .data();
    assert_eq!(
        second["access_url"],
        "http://xy2-124566667.file.myqcloud.com/uploader1500000000"
    );
    assert_eq!(
        second["source_url"],
        "http://xy2-124566667.cosgz.myqcloud.com/uploader1500000000"
    );
    assert_eq!(
        second["url"],
        "http://gz.file.myqcloud.com/files/v2/124566667/xy2/uploader1500000000"
    );
    assert_eq!(
        second["vid"].as_str().unwrap().len(),
        "4396314caa204d61f5d070d45248d9981508497077".len()
    );
    assert!(second.get("session").is_none());
    // The sample's own signature is damaged: 194 characters are no base64.
    let damaged = concat!(
        "irCtRo2BYVMOxzSooigDrmtJ4G9hPTEyNTE2Njg1Nzcmaz1BS0lEem9RbXNrVG9oUHVJVVJUYW5uWDBEQXNLWllIcWxDelomZT0xNTA1M",
        "jAyMTA1JnQ9MTUwNTIwMTgwNSZy8xMjUxNjY4NTc3L2lhaW55dS9zYW1wbGVfYmlnZmlsZS50eHQmYj1pYWlueXU="
    );
    assert_eq!(
        client.request(&head(damaged), body.as_bytes()).outcome(),
        (403, -83)
    );
}
