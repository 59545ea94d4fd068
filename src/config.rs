//! The options: ONE table from which types, ranges, defaults and checks follow.

use zeroize::Zeroizing;

use crate::error::{Error, Status};
use crate::resume::Token;

/// Options by the numbers of the C interface, which never change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
#[allow(missing_docs)] // the table below says what each one is
pub enum Opt {
    AppId = 1,
    Bucket = 2,
    Region = 3,
    Endpoint = 4,
    SecretId = 5,
    SecretKey = 6,
    Authorization = 7,
    BizAttr = 8,
    ResumeToken = 9,
    CaPem = 10,
    Proxy = 11,
    UserAgent = 12,
    SliceSize = 101,
    InFlight = 102,
    Retries = 103,
    ConnectTimeoutMs = 104,
    IoTimeoutMs = 105,
    SignTtlS = 106,
    Overwrite = 107,
    Resume = 108,
    Hash = 109,
    Verify = 110,
    SingleMax = 111,
    Bandwidth = 112,
}

/// What values an option takes.
#[derive(Clone, Copy)]
pub enum Kind {
    /// UTF-8 text that passes the check; the empty text means the default.
    Text(fn(&str) -> Result<(), String>),
    /// A number between two bounds, both included.
    Number {
        /// The smallest value.
        min: u64,
        /// The largest value.
        max: u64,
        /// The value when nothing was set.
        default: u64,
    },
}

/// One line of the table.
pub struct Spec {
    /// Which option.
    pub opt: Opt,
    /// Its name in messages and in the header (behind `COSSLICE_OPT_`).
    pub name: &'static str,
    /// Its values.
    pub kind: Kind,
}

const fn text(opt: Opt, name: &'static str, check: fn(&str) -> Result<(), String>) -> Spec {
    Spec {
        opt,
        name,
        kind: Kind::Text(check),
    }
}

const fn number(opt: Opt, name: &'static str, min: u64, max: u64, default: u64) -> Spec {
    Spec {
        opt,
        name,
        kind: Kind::Number { min, max, default },
    }
}

/// The largest object that one `upload` request may carry (protocol 4.1).
pub const SINGLE_LIMIT: u64 = 20 << 20;
/// The slice size that every COS v4 server takes (protocol 6.3).
pub const DEFAULT_SLICE_SIZE: u64 = 1 << 20;
/// Slices above this size are refused, whoever asks for them: each may need a buffer.
pub const MAX_SLICE_SIZE: u64 = 64 << 20;

/// The most slices a content may have: COS takes 64 GiB, this is 64 TiB in slices of 1 MiB, and a set of them takes 8 MiB.
pub const MAX_SLICES: u64 = 1 << 26;

/// All options.
pub const TABLE: &[Spec] = &[
    text(Opt::AppId, "APP_ID", check_app_id),
    text(Opt::Bucket, "BUCKET", check_bucket),
    text(Opt::Region, "REGION", check_region),
    text(Opt::Endpoint, "ENDPOINT", check_endpoint),
    text(Opt::SecretId, "SECRET_ID", check_secret_id),
    text(Opt::SecretKey, "SECRET_KEY", check_printable),
    text(Opt::Authorization, "AUTHORIZATION", check_printable),
    text(Opt::BizAttr, "BIZ_ATTR", check_biz_attr),
    text(Opt::ResumeToken, "RESUME_TOKEN", check_token),
    text(Opt::CaPem, "CA_PEM", crate::transport::check_ca_pem),
    text(Opt::Proxy, "PROXY", crate::transport::check_proxy),
    text(Opt::UserAgent, "USER_AGENT", check_printable),
    number(
        Opt::SliceSize,
        "SLICE_SIZE",
        64 << 10,
        MAX_SLICE_SIZE,
        DEFAULT_SLICE_SIZE,
    ),
    number(Opt::InFlight, "IN_FLIGHT", 1, 64, 4),
    number(Opt::Retries, "RETRIES", 0, 100, 5),
    number(
        Opt::ConnectTimeoutMs,
        "CONNECT_TIMEOUT_MS",
        100,
        600_000,
        10_000,
    ),
    number(Opt::IoTimeoutMs, "IO_TIMEOUT_MS", 100, 3_600_000, 60_000),
    number(Opt::SignTtlS, "SIGN_TTL_S", 60, 7_776_000, 900),
    number(Opt::Overwrite, "OVERWRITE", 0, 2, 0),
    number(Opt::Resume, "RESUME", 0, 1, 1),
    number(Opt::Hash, "HASH", 0, 1, 1),
    number(Opt::Verify, "VERIFY", 0, 1, 1),
    number(
        Opt::SingleMax,
        "SINGLE_MAX",
        0,
        SINGLE_LIMIT,
        DEFAULT_SLICE_SIZE,
    ),
    number(Opt::Bandwidth, "BANDWIDTH", 0, 1 << 40, 0),
];

fn row(number: u32) -> Result<(usize, &'static Spec), Error> {
    TABLE
        .iter()
        .enumerate()
        .find(|(_, spec)| spec.opt as u32 == number)
        .ok_or_else(|| {
            Error::new(
                Status::UnknownOption,
                format!("there is no option {number}"),
            )
        })
}

#[derive(Clone)]
enum Value {
    Default,
    Text(Zeroizing<String>),
    Number(u64),
}

/// The values of all options. Texts are wiped when they are dropped: some are secrets.
#[derive(Clone)]
pub struct Settings {
    values: Vec<Value>,
}

impl Settings {
    /// Everything at its default.
    pub fn new() -> Self {
        Settings {
            values: vec![Value::Default; TABLE.len()],
        }
    }

    /// Sets a text option by its number. The empty text takes the option back to its default.
    pub fn set_text(&mut self, option: u32, value: &str) -> Result<(), Error> {
        let (index, spec) = row(option)?;
        let Kind::Text(check) = spec.kind else {
            return Err(Error::new(
                Status::InvalidArg,
                format!(
                    "{} is a number: set it with cosslice_config_set_u64",
                    spec.name
                ),
            ));
        };
        if value.is_empty() {
            self.values[index] = Value::Default;
            return Ok(());
        }
        // The message never repeats the value: it may be a secret.
        check(value)
            .map_err(|why| Error::new(Status::InvalidArg, format!("{} {why}", spec.name)))?;
        self.values[index] = Value::Text(Zeroizing::new(value.to_string()));
        Ok(())
    }

    /// Sets a number option by its number.
    pub fn set_number(&mut self, option: u32, value: u64) -> Result<(), Error> {
        let (index, spec) = row(option)?;
        let Kind::Number { min, max, .. } = spec.kind else {
            return Err(Error::new(
                Status::InvalidArg,
                format!("{} is text: set it with cosslice_config_set_str", spec.name),
            ));
        };
        if !(min..=max).contains(&value) {
            return Err(Error::new(
                Status::InvalidArg,
                format!("{} is {value}; it must be {min} to {max}", spec.name),
            ));
        }
        self.values[index] = Value::Number(value);
        Ok(())
    }

    /// A text option; empty when it was not set.
    pub fn text(&self, opt: Opt) -> &str {
        match self.value(opt) {
            Some((Value::Text(text), _)) => text,
            _ => "",
        }
    }

    /// A number option.
    pub fn number(&self, opt: Opt) -> u64 {
        match self.value(opt) {
            Some((Value::Number(number), _)) => *number,
            Some((_, Kind::Number { default, .. })) => default,
            _ => 0,
        }
    }

    /// A number option that is a switch.
    pub fn is_on(&self, opt: Opt) -> bool {
        self.number(opt) != 0
    }

    fn value(&self, opt: Opt) -> Option<(&Value, Kind)> {
        let (index, spec) = row(opt as u32).ok()?;
        Some((self.values.get(index)?, spec.kind))
    }

    /// The base URL of all requests, without a slash at its end.
    pub fn endpoint(&self) -> String {
        match self.text(Opt::Endpoint) {
            "" => format!(
                "https://{}.file.myqcloud.com/files/v2",
                self.text(Opt::Region)
            ),
            endpoint => endpoint.trim_end_matches('/').to_string(),
        }
    }

    /// Whether everything that an upload cannot do without is there. `signer` tells whether a signer callback is set.
    pub fn check_complete(&self, signer: bool) -> Result<(), Error> {
        let missing = |name: &str| {
            Err(Error::new(
                Status::InvalidArg,
                format!("{name} is not set on the config"),
            ))
        };
        if self.text(Opt::AppId).is_empty() {
            return missing("APP_ID");
        }
        if self.text(Opt::Bucket).is_empty() {
            return missing("BUCKET");
        }
        if self.text(Opt::Region).is_empty() && self.text(Opt::Endpoint).is_empty() {
            return Err(Error::new(
                Status::InvalidArg,
                "neither REGION nor ENDPOINT is set on the config",
            ));
        }
        let keys = !self.text(Opt::SecretId).is_empty() && !self.text(Opt::SecretKey).is_empty();
        if !signer && !keys && self.text(Opt::Authorization).is_empty() {
            return Err(Error::new(
                Status::InvalidArg,
                "nothing can sign: set SECRET_ID and SECRET_KEY, or AUTHORIZATION, or a signer",
            ));
        }
        Ok(())
    }
}

impl Default for Settings {
    fn default() -> Self {
        Settings::new()
    }
}

fn check_app_id(value: &str) -> Result<(), String> {
    if value.len() <= 20 && value.bytes().all(|b| b.is_ascii_digit()) {
        return Ok(());
    }
    Err("must be decimal digits, such as 1250000000".into())
}

fn check_bucket(value: &str) -> Result<(), String> {
    let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    if value.len() <= 128 && value.bytes().all(fits) && !matches!(value, "." | "..") {
        return Ok(());
    }
    Err("must be the short bucket name: letters, digits, '-', '_', '.'".into())
}

fn check_region(value: &str) -> Result<(), String> {
    if value.len() <= 63
        && value
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-')
    {
        return Ok(());
    }
    Err("must be a region such as gz, sh, tj, sgp: letters, digits, '-'".into())
}

fn check_endpoint(value: &str) -> Result<(), String> {
    let form = "must be a base URL such as https://<region>.file.myqcloud.com/files/v2";
    let Ok(uri) = value.parse::<ureq::http::Uri>() else {
        return Err(form.into());
    };
    let scheme = uri.scheme_str().unwrap_or_default();
    if !matches!(scheme, "http" | "https") || uri.host().unwrap_or_default().is_empty() {
        return Err(form.into());
    }
    if scheme == "https" && !crate::transport::HAS_TLS {
        return Err("is https, but this build of the library has no TLS".into());
    }
    if uri.query().is_some() || value.contains(['#', '@']) {
        return Err("must have neither user name nor query nor fragment".into());
    }
    Ok(())
}

fn check_secret_id(value: &str) -> Result<(), String> {
    let fits = |b: u8| b.is_ascii_graphic() && !matches!(b, b'&' | b'=');
    if value.len() <= 256 && value.bytes().all(fits) {
        return Ok(());
    }
    Err("must be at most 256 characters of printable ASCII without '&', '=' and spaces".into())
}

fn check_printable(value: &str) -> Result<(), String> {
    if value.len() <= 4096 && value.bytes().all(|b| matches!(b, b' '..=b'~')) {
        return Ok(());
    }
    Err("must be at most 4096 characters of printable ASCII, on one line".into())
}

fn check_biz_attr(value: &str) -> Result<(), String> {
    if value.len() <= 64 << 10 {
        return Ok(());
    }
    Err("must be at most 65536 bytes".into())
}

fn check_token(value: &str) -> Result<(), String> {
    Token::decode(value).map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_option_refuses_what_it_does_not_take() {
        let mut settings = Settings::new();
        for spec in TABLE {
            let id = spec.opt as u32;
            match spec.kind {
                Kind::Number { min, max, default } => {
                    assert_eq!(settings.number(spec.opt), default);
                    assert!((min..=max).contains(&default));
                    assert!(settings.set_number(id, min).is_ok());
                    assert!(settings.set_number(id, max).is_ok());
                    let above = settings.set_number(id, max + 1).unwrap_err();
                    assert_eq!(above.status, Status::InvalidArg);
                    assert!(above.message.starts_with(spec.name), "{}", above.message);
                    if min > 0 {
                        assert!(settings.set_number(id, min - 1).is_err());
                    }
                    assert_eq!(settings.number(spec.opt), max, "a refusal changes nothing");
                    assert!(settings.set_text(id, "1").is_err());
                }
                Kind::Text(_) => {
                    assert!(settings.set_text(id, "").is_ok());
                    assert!(settings.set_number(id, 1).is_err());
                    let long = "\n".repeat(70_000);
                    let error = settings.set_text(id, &long).unwrap_err();
                    assert_eq!(error.status, Status::InvalidArg, "{}", spec.name);
                }
            }
        }
        assert_eq!(
            settings.set_number(999, 1).unwrap_err().status,
            Status::UnknownOption
        );
    }

    #[test]
    fn endpoints_are_base_urls() {
        let mut settings = Settings::new();
        for bad in [
            "gz.file.myqcloud.com",
            "ftp://x/",
            "http://",
            "http://h/?a=b",
            "http://u@h/",
        ] {
            assert!(
                settings.set_text(Opt::Endpoint as u32, bad).is_err(),
                "{bad}"
            );
        }
        settings.set_text(Opt::Region as u32, "gz").unwrap();
        assert_eq!(settings.endpoint(), "https://gz.file.myqcloud.com/files/v2");
        settings
            .set_text(Opt::Endpoint as u32, "http://127.0.0.1:9/files/v2/")
            .unwrap();
        assert_eq!(settings.endpoint(), "http://127.0.0.1:9/files/v2");
    }

    #[test]
    fn what_is_missing_is_named() {
        let mut settings = Settings::new();
        let why = |s: &Settings| s.check_complete(false).unwrap_err().message;
        assert!(why(&settings).contains("APP_ID"));
        settings.set_text(Opt::AppId as u32, "1250000000").unwrap();
        assert!(why(&settings).contains("BUCKET"));
        settings.set_text(Opt::Bucket as u32, "bkt").unwrap();
        assert!(why(&settings).contains("REGION"));
        settings.set_text(Opt::Region as u32, "gz").unwrap();
        assert!(why(&settings).contains("SECRET_KEY"));
        assert!(settings.check_complete(true).is_ok());
    }
}
