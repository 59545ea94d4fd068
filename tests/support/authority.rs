//! A certificate authority made at test time, and an emulator that speaks https with its certificates.
#![allow(
    dead_code,
    missing_docs,
    unsafe_code,
    clippy::unwrap_used,
    clippy::expect_used
)]

use std::path::Path;

use cosslice_emulator::{Emulator, TlsFiles};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use tempfile::TempDir;

use crate::common::{APP_ID, BUCKET, Config, SECRET_ID, SECRET_KEY};

pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pub pem: String,
}

/// What is odd about a certificate.
#[derive(Clone, Debug)]
pub struct Leaf {
    /// Host names or addresses.
    pub names: Vec<String>,
    /// First and last year.
    pub years: (i32, i32),
}

impl Default for Leaf {
    fn default() -> Self {
        Leaf {
            names: vec!["127.0.0.1".into(), "localhost".into()],
            years: (2020, 2099),
        }
    }
}

impl Authority {
    pub fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2099, 1, 1);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Authority {
            issuer: Issuer::new(params, key),
            pem,
        }
    }

    /// Writes a certificate and its key into a folder.
    pub fn issue(&self, leaf: &Leaf, folder: &Path) -> TlsFiles {
        let mut params = CertificateParams::new(leaf.names.clone()).unwrap();
        params.not_before = date_time_ymd(leaf.years.0, 1, 1);
        params.not_after = date_time_ymd(leaf.years.1, 1, 1);
        let key = KeyPair::generate().unwrap();
        let cert = params.signed_by(&key, &self.issuer).unwrap();
        let files = TlsFiles {
            cert: folder.join("cert.pem"),
            key: folder.join("key.pem"),
        };
        std::fs::write(&files.cert, cert.pem()).unwrap();
        std::fs::write(&files.key, key.serialize_pem()).unwrap();
        files
    }
}

/// An emulator behind TLS.
pub struct TlsServer {
    pub emulator: Emulator,
    pub authority: Authority,
    // After the emulator: it is stopped before its folder goes.
    _folder: TempDir,
}

impl std::ops::Deref for TlsServer {
    type Target = Emulator;
    fn deref(&self) -> &Emulator {
        &self.emulator
    }
}

impl TlsServer {
    pub fn start(leaf: &Leaf) -> Self {
        let authority = Authority::new("an authority for tests");
        let folder = tempfile::tempdir().unwrap();
        let mut config = cosslice_emulator::Config::new(folder.path().join("data"));
        config.app_id = APP_ID.into();
        config.bucket = BUCKET.into();
        config.secret_id = SECRET_ID.into();
        config.secret_key = SECRET_KEY.into();
        config.record = true;
        config.tls = Some(authority.issue(leaf, folder.path()));
        TlsServer {
            emulator: Emulator::start(config).unwrap(),
            authority,
            _folder: folder,
        }
    }

    /// A config that trusts this server.
    pub fn config(&self) -> Config {
        self.stranger().text("CA_PEM", &self.authority.pem)
    }

    /// A config that does not.
    pub fn stranger(&self) -> Config {
        Config::for_endpoint(&self.endpoint())
    }

    pub fn counter(&self, name: &str) -> u64 {
        self.state()["counters"][name].as_u64().unwrap()
    }

    pub fn faults(&self, rules: serde_json::Value) {
        self.set_faults_json(&rules).unwrap();
    }
}
