//! https with a certificate made for the occasion by the `openssl` command.
#![cfg(feature = "tls")]

mod common;

use common::{fetch_target, pattern, start_with};
use cosslice_emulator::TlsFiles;
use rustls::pki_types::{CertificateDer, ServerName, pem::PemObject};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::sync::Arc;

#[test]
fn an_object_comes_back_over_https() {
    let dir = tempfile::tempdir().unwrap();
    let (cert, key) = (dir.path().join("cert.pem"), dir.path().join("key.pem"));
    let made = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-days",
            "2",
        ])
        .args([
            "-subj",
            "/CN=emulator",
            "-addext",
            "subjectAltName=IP:127.0.0.1",
        ])
        .args(["-addext", "basicConstraints=critical,CA:FALSE", "-keyout"])
        .arg(&key)
        .arg("-out")
        .arg(&cert)
        .output()
        .expect("the openssl command");
    assert!(
        made.status.success(),
        "{}",
        String::from_utf8_lossy(&made.stderr)
    );
    let server = start_with(|c| {
        c.tls = Some(TlsFiles {
            cert: cert.clone(),
            key: key.clone(),
        })
    });
    assert!(server.emulator.endpoint().starts_with("https://127.0.0.1:"));

    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_file(&cert).unwrap())
        .unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("127.0.0.1").unwrap();
    let session = ClientConnection::new(Arc::new(config), name).unwrap();
    let socket = TcpStream::connect(("127.0.0.1", server.emulator.port())).unwrap();
    let mut stream = StreamOwned::new(session, socket);

    let data = pattern(3_000_000);
    let (head, body) = common::op_request(
        "/x",
        &[("op", b"upload"), ("filecontent", &data)],
        &common::multi(),
    );
    stream
        .write_all(format!("{head}\r\nContent-Length: {}\r\n\r\n", body.len()).as_bytes())
        .unwrap();
    stream.write_all(&body).unwrap();
    stream
        .write_all(
            format!(
                "GET {} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
                fetch_target("/x")
            )
            .as_bytes(),
        )
        .unwrap();
    let mut all = Vec::new();
    // An end without close_notify would be an error here.
    stream.read_to_end(&mut all).unwrap();
    let text = String::from_utf8_lossy(&all[..600]).into_owned();
    assert!(
        text.starts_with("HTTP/1.1 200 OK\r\n")
            && text.contains("\"access_url\":\"https://127.0.0.1:"),
        "{text}"
    );
    assert!(all.ends_with(&data));
}
