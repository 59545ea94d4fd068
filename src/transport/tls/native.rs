//! TLS by the platform's library (OpenSSL, Secure Transport, SChannel) with the roots of the system, for distributions.

use native_tls::{Certificate, Error};
use ureq::tls::{RootCerts, TlsProvider};
pub use ureq::unversioned::transport::NativeTlsConnector as Layer;

use super::with as words;

/// Which of ureq's libraries this is.
pub const PROVIDER: TlsProvider = TlsProvider::NativeTls;
/// The roots when a caller brings none.
pub const BUILT_IN: RootCerts = RootCerts::PlatformVerifier;

/// Whether a root can be used.
pub fn is_certificate(der: &[u8]) -> bool {
    Certificate::from_der(der).is_ok()
}

/// Why a server is not trusted. `None` for an error of another kind.
pub fn refusal(error: &ureq::Error) -> Option<String> {
    match error {
        ureq::Error::NativeTls(cause) => explain(cause),
        ureq::Error::Io(cause) => explain(cause.get_ref()?.downcast_ref()?),
        _ => None,
    }
}

/// These libraries say what was wrong in words only. OpenSSL's (X509_verify_cert_error_string) are looked for; those of
/// others are passed on.
fn explain(error: &Error) -> Option<String> {
    let text = error.to_string();
    let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
    if says(&["unexpected EOF", "connection closed"]) {
        // The connection broke, which says nothing about the server.
        return None;
    }
    Some(
        if says(&["local issuer certificate", "self-signed", "self signed"]) {
            words::UNKNOWN_AUTHORITY.into()
        } else if says(&["certificate has expired"]) {
            words::EXPIRED.into()
        } else if says(&["not yet valid"]) {
            words::NOT_VALID_YET.into()
        } else if says(&[
            "hostname mismatch",
            "Hostname mismatch",
            "IP address mismatch",
        ]) {
            words::OTHER_HOST.into()
        } else if says(&["wrong version number", "unknown protocol", "packet length"]) {
            words::NO_TLS_THERE.into()
        } else {
            text
        },
    )
}
