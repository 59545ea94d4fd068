//! TLS by rustls, with Mozilla's roots built in: the same on every machine.

use rustls::{CertificateError as Bad, Error, RootCertStore};
use ureq::tls::{RootCerts, TlsProvider};
pub use ureq::unversioned::transport::RustlsConnector as Layer;

use super::with as words;

/// Which of ureq's libraries this is.
pub const PROVIDER: TlsProvider = TlsProvider::Rustls;
/// The roots when a caller brings none.
pub const BUILT_IN: RootCerts = RootCerts::WebPki;

/// Whether a root can be used.
pub fn is_certificate(der: &[u8]) -> bool {
    RootCertStore::empty().add(der.to_vec().into()).is_ok()
}

/// Why a server is not trusted. `None` for an error of another kind.
pub fn refusal(error: &ureq::Error) -> Option<String> {
    match error {
        ureq::Error::Rustls(cause) => Some(explain(cause)),
        ureq::Error::Io(cause) => cause.get_ref()?.downcast_ref::<Error>().map(explain),
        _ => None,
    }
}

fn explain(error: &Error) -> String {
    match error {
        Error::InvalidCertificate(bad) => match bad {
            Bad::UnknownIssuer => words::UNKNOWN_AUTHORITY.into(),
            Bad::Expired | Bad::ExpiredContext { .. } => words::EXPIRED.into(),
            Bad::NotValidYet | Bad::NotValidYetContext { .. } => words::NOT_VALID_YET.into(),
            Bad::NotValidForName | Bad::NotValidForNameContext { .. } => words::OTHER_HOST.into(),
            Bad::Revoked => "its certificate was revoked".into(),
            other => format!("its certificate is not acceptable ({other})"),
        },
        Error::InvalidMessage(_) => words::NO_TLS_THERE.into(),
        other => other.to_string(),
    }
}
