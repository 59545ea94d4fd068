//! The program: flags, signals, and state that survives kill -9.

mod common;

use common::{Client, MIB, pattern, sha1};
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};

struct Program {
    child: Child,
    port: u16,
    printed: Vec<String>,
}

impl Program {
    fn start(data: &Path, more: &[&str]) -> Self {
        let port_file = data.with_extension("port");
        let mut child = Command::new(env!("CARGO_BIN_EXE_cosslice-emulator"))
            .arg("--data")
            .arg(data)
            .arg("--port-file")
            .arg(&port_file)
            .args(more)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let printed: Vec<String> = out.lines().map(Result::unwrap).take(8).collect();
        // It listens before it prints, and the port file is there before that.
        let port = std::fs::read_to_string(&port_file).unwrap();
        assert!(port.ends_with('\n'));
        Self {
            child,
            port: port.trim().parse().unwrap(),
            printed,
        }
    }

    fn signal(&mut self, name: &str) -> Option<i32> {
        let pid = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args([name, &pid])
                .status()
                .unwrap()
                .success()
        );
        self.child.wait().unwrap().code()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[test]
fn an_open_upload_survives_kill_9() {
    let dir = tempfile::tempdir().unwrap();
    let data_dir = dir.path().join("data");
    let data = pattern(4 * MIB + 77);
    let sha = sha1(&data);
    let name = "/odd/名 name+%";

    let mut program = Program::start(&data_dir, &[]);
    let mut client = Client::new(program.port);
    client.put("/done", b"complete", false).data();
    client.simple("/d/", "create").data();
    let replaced: [(&str, &[u8]); 1] = [("insertOnly", b"0")];
    client.init("/done", 5, &replaced).data();
    let session = client.init_with_sha(name, &data, &[]).data()["session"]
        .as_str()
        .unwrap()
        .to_owned();
    for i in [4, 1] {
        client
            .slice(
                name,
                &session,
                i * MIB,
                &data[i * MIB..data.len().min((i + 1) * MIB)],
            )
            .data();
    }
    assert_eq!(program.signal("-KILL"), None);
    // A journal entry that was being written when the power went.
    let journals: Vec<_> = std::fs::read_dir(data_dir.join("uploads"))
        .unwrap()
        .map(|e| e.unwrap().path())
        .filter(|p| p.extension().is_some_and(|e| e == "journal"))
        .collect();
    assert_eq!(journals.len(), 2);
    for journal in journals {
        let mut bytes = std::fs::read(&journal).unwrap();
        bytes.extend_from_slice(&[0, 0, 0]);
        std::fs::write(&journal, bytes).unwrap();
    }
    std::fs::write(data_dir.join("data/orphan"), b"left behind").unwrap();

    let mut program = Program::start(&data_dir, &[]);
    let mut client = Client::new(program.port);
    assert!(!data_dir.join("data/orphan").exists());
    assert_eq!(client.get(&common::fetch_target("/done")).body, b"complete");
    assert_eq!(client.simple("/d/", "create").outcome(), (409, -178));
    assert_eq!(client.init("/done", 5, &replaced).outcome(), (409, -4019));
    assert_eq!(
        client.init_with_sha(name, &data, &[]).outcome(),
        (409, -4019)
    );
    let list = client.simple(name, "upload_slice_list").data();
    assert_eq!(
        (
            list["session"].as_str().unwrap(),
            list["sha"].as_str().unwrap()
        ),
        (&*session, &*sha)
    );
    let offsets: Vec<u64> = list["listparts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|p| p["offset"].as_u64().unwrap())
        .collect();
    assert_eq!(offsets, [MIB as u64, 4 * MIB as u64]);
    // Slices are still checked, and the stored ones are still known byte by byte.
    assert_eq!(
        client.slice(name, &session, 0, &data[1..=MIB]).outcome(),
        (409, -4016)
    );
    assert_eq!(
        client.slice(name, &session, MIB, &data[..MIB]).outcome(),
        (409, -4015)
    );
    client
        .slice(name, &session, 3 * MIB, &data[3 * MIB..4 * MIB])
        .data();
    assert_eq!(program.signal("-KILL"), None);

    let mut program = Program::start(&data_dir, &[]);
    let mut client = Client::new(program.port);
    for i in [0, 2] {
        client
            .slice(name, &session, i * MIB, &data[i * MIB..(i + 1) * MIB])
            .data();
    }
    client.finish(name, &session, data.len(), Some(&sha)).data();
    assert_eq!(program.signal("-KILL"), None);

    // Complete, and known for instant upload.
    let mut program = Program::start(&data_dir, &[]);
    let mut client = Client::new(program.port);
    assert_eq!(client.get(&common::fetch_target(name)).body, data);
    assert!(client.init_with_sha("/copy", &data, &[]).data()["access_url"].is_string());
    assert_eq!(program.signal("-TERM"), Some(0));
}

#[test]
fn flags_and_signals() {
    let dir = tempfile::tempdir().unwrap();
    let flags = [
        "--app-id=77",
        "--bucket",
        "b2",
        "--secret-id",
        "AK2",
        "--secret-key",
        "k2",
        "--region",
        "sh",
        "--seed",
        "3",
        "--require-parent",
        "--slice-sizes",
        "1048576,524288",
        "--record",
        "--discard",
        "--settings",
        r#"{"vid":false}"#,
        "--fault",
        r#"{"op":"stat","do":"code","code":-71}"#,
    ];
    let mut program = Program::start(&dir.path().join("data"), &flags);
    let text = program.printed.join("\n");
    for part in [
        "AK2",
        "k2",
        "77",
        "b2",
        "discarded",
        &format!("http://127.0.0.1:{}/files/v2", program.port),
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    let t = common::now();
    let sign =
        cosslice_emulator::sign::sign("k2", &format!("a=77&k=AK2&e={}&t={t}&r=1&f=&b=b2", t + 60));
    let mut client = Client::new(program.port);
    let mut ask = |op: &str, more: &str| {
        let head = format!(
            "POST /files/v2/77/b2/x?op={op}{more} HTTP/1.1\r\nHost: x\r\nAuthorization: {sign}"
        );
        client.request(&head, b"")
    };
    assert_eq!(ask("stat", "").code(), -71);
    ask("upload_slice_init", "&filesize=5&slice_size=524288").data();
    assert_eq!(
        client
            .get("/_emulator/requests")
            .json()
            .as_array()
            .unwrap()
            .len(),
        2
    );
    assert_eq!(program.signal("-INT"), Some(0));

    for (args, status, word) in [
        (&["--help"][..], 0, "--port-file"),
        (&["--bogus"], 2, ""),
        (&[], 2, ""),
    ] {
        let mut child = Command::new(env!("CARGO_BIN_EXE_cosslice-emulator"))
            .args(args)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut text = String::new();
        child
            .stdout
            .take()
            .unwrap()
            .read_to_string(&mut text)
            .unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(status));
        assert!(text.contains(word), "{text}");
    }
}
