//! What an emulator is started with, and the command line for it.

use crate::fault::Fault;
use crate::settings::Settings;
use crate::sign::Account;
use crate::stream::TlsFiles;
use std::ffi::OsString;
use std::path::PathBuf;

#[derive(Debug, Clone)]
pub struct Config {
    /// Where state is kept.
    pub data: PathBuf,
    /// 0 picks a free one.
    pub port: u16,
    /// Gets the port number and a newline, atomically, once it listens.
    pub port_file: Option<PathBuf>,
    pub app_id: String,
    pub bucket: String,
    pub secret_id: String,
    pub secret_key: String,
    pub region: String,
    /// Count bytes and drop them.
    pub discard: bool,
    /// Of the faults' probabilities.
    pub seed: u64,
    pub faults: Vec<Fault>,
    pub settings: Settings,
    /// Record requests from the start.
    pub record: bool,
    /// Speak https with this certificate (feature `tls`).
    pub tls: Option<TlsFiles>,
}

impl Config {
    pub fn new(data: impl Into<PathBuf>) -> Self {
        Self {
            data: data.into(),
            port: 0,
            port_file: None,
            app_id: "1250000000".into(),
            bucket: "bkt".into(),
            secret_id: "AKIDEXAMPLE".into(),
            secret_key: "examplesecretkey".into(),
            region: "local".into(),
            discard: false,
            seed: 0,
            faults: Vec::new(),
            settings: Settings::default(),
            record: false,
            tls: None,
        }
    }

    pub fn account(&self) -> Account {
        Account {
            app_id: self.app_id.clone(),
            bucket: self.bucket.clone(),
            secret_id: self.secret_id.clone(),
            secret_key: self.secret_key.clone(),
        }
    }
}

pub const HELP: &str = "\
cosslice-emulator: a local Tencent COS v4 server (JSON slice API), bound to 127.0.0.1

  --data DIR          where objects and open uploads are kept (required; made if absent)
  --port N            port; 0, the default, picks a free one
  --port-file FILE    gets the port number once the server listens
  --app-id A          default 1250000000
  --bucket B          default bkt
  --secret-id I       default AKIDEXAMPLE
  --secret-key K      default examplesecretkey
  --region R          default local; only seen in URLs
  --discard           count the bytes and drop them: no disk, no hashing
  --slice-sizes LIST  slice sizes that init takes, comma separated; default 1048576
  --require-parent    refuse files whose directory was not created
  --serial            serial mode: slices one after the other, in order
  --settings JSON     any settings, see README.md
  --seed N            seed of the faults' probabilities; default 0
  --fault JSON        a fault rule, see README.md; may be repeated
  --record            record requests from the start (GET /_emulator/requests)
  --tls-cert FILE     speak https with this PEM certificate chain (needs the feature `tls`)
  --tls-key FILE      and this PEM key
  --help              this text
";

/// What the command line asks for.
pub enum Asked {
    Run(Box<Config>),
    Help,
}

pub fn from_args(args: impl IntoIterator<Item = OsString>) -> Result<Asked, String> {
    let mut config = Config::new("");
    let (mut cert, mut key): (Option<PathBuf>, Option<PathBuf>) = (None, None);
    let mut args = args.into_iter();
    while let Some(arg) = args.next() {
        let arg = arg.to_string_lossy().into_owned();
        let (flag, inline) = match arg.split_once('=') {
            Some((flag, value)) if flag.starts_with("--") => {
                (flag.to_owned(), Some(OsString::from(value)))
            }
            _ => (arg, None),
        };
        let mut raw = || {
            inline
                .clone()
                .or_else(|| args.next())
                .ok_or_else(|| format!("{flag} needs a value"))
        };
        let text = |value: OsString| {
            value
                .into_string()
                .map_err(|_| format!("{flag}: not UTF-8"))
        };
        let number = |value: &str| {
            value
                .trim()
                .parse::<u64>()
                .map_err(|e| format!("{flag} {value}: {e}"))
        };
        let json =
            |value: &str| serde_json::from_str(value).map_err(|e| format!("{flag} {value}: {e}"));
        match flag.as_str() {
            "--help" | "-h" => return Ok(Asked::Help),
            "--data" => config.data = raw()?.into(),
            "--port-file" => config.port_file = Some(raw()?.into()),
            "--port" => {
                let value = number(&text(raw()?)?)?;
                config.port = u16::try_from(value).map_err(|e| format!("{flag} {value}: {e}"))?;
            }
            "--app-id" => config.app_id = text(raw()?)?,
            "--bucket" => config.bucket = text(raw()?)?,
            "--secret-id" => config.secret_id = text(raw()?)?,
            "--secret-key" => config.secret_key = text(raw()?)?,
            "--region" => config.region = text(raw()?)?,
            "--discard" => config.discard = true,
            "--tls-cert" => cert = Some(raw()?.into()),
            "--tls-key" => key = Some(raw()?.into()),
            "--record" => config.record = true,
            "--require-parent" => config.settings.require_parent = true,
            "--serial" => config.settings.serial = true,
            "--slice-sizes" => {
                let sizes: Result<Vec<u64>, _> = text(raw()?)?.split(',').map(number).collect();
                config.settings = config
                    .settings
                    .with(&serde_json::json!({"slice_sizes": sizes?}))?;
            }
            "--settings" => config.settings = config.settings.with(&json(&text(raw()?)?)?)?,
            "--seed" => config.seed = number(&text(raw()?)?)?,
            "--fault" => config
                .faults
                .extend(Fault::list_from_json(&json(&text(raw()?)?)?)?),
            _ => return Err(format!("unknown flag {flag}; see --help")),
        }
    }
    config.tls = match (cert, key) {
        (None, None) => None,
        (Some(cert), Some(key)) => Some(TlsFiles { cert, key }),
        _ => return Err("--tls-cert and --tls-key go together".into()),
    };
    if config.data.as_os_str().is_empty() {
        return Err("--data DIR is missing; see --help".into());
    }
    Ok(Asked::Run(Box::new(config)))
}
