//! TLS, by whichever library this build has: whom to trust, and why a server was not believed. The libraries differ in two
//! things only: how a root is read, and how their errors say what was wrong.

#[cfg(feature = "native-tls")]
mod native;
#[cfg(all(feature = "tls", not(feature = "native-tls")))]
mod rustls;

#[cfg(feature = "native-tls")]
use self::native as library;
#[cfg(all(feature = "tls", not(feature = "native-tls")))]
use self::rustls as library;

#[cfg(any(feature = "tls", feature = "native-tls"))]
pub use self::with::{Layer, check_ca_pem, config, refusal};
#[cfg(not(any(feature = "tls", feature = "native-tls")))]
pub use self::without::{check_ca_pem, refusal};

/// Whether this build can speak https.
pub const IS_THERE: bool = cfg!(any(feature = "tls", feature = "native-tls"));

#[cfg(any(feature = "tls", feature = "native-tls"))]
mod with {
    use std::sync::Arc;

    use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};

    use super::library;
    pub use super::library::Layer;

    pub const UNKNOWN_AUTHORITY: &str =
        "its certificate was issued by an unknown authority (set CA_PEM for a private one)";
    pub const EXPIRED: &str = "its certificate has expired";
    pub const NOT_VALID_YET: &str = "its certificate is not valid yet; check this machine's clock";
    pub const OTHER_HOST: &str = "its certificate is for another host name";
    pub const NO_TLS_THERE: &str = "the server does not speak TLS there";

    /// Verified TLS, with the roots of a text in place of the built-in ones if it is not empty.
    pub fn config(ca_pem: &str) -> Result<TlsConfig, String> {
        let roots = if ca_pem.is_empty() {
            library::BUILT_IN
        } else {
            RootCerts::Specific(Arc::new(parse_ca_pem(ca_pem)?))
        };
        Ok(TlsConfig::builder()
            .provider(library::PROVIDER)
            .root_certs(roots)
            .build())
    }

    /// The certificates in a text.
    fn parse_ca_pem(pem: &str) -> Result<Vec<Certificate<'static>>, String> {
        let mut roots = Vec::new();
        for item in parse_pem(pem.as_bytes()) {
            match item {
                Ok(PemItem::Certificate(certificate)) => roots.push(certificate),
                Ok(_) => {}
                Err(_) => return Err("is not PEM".into()),
            }
        }
        if roots.is_empty() {
            return Err("holds no certificate".into());
        }
        // ureq would leave out silently what it cannot read.
        if !roots.iter().all(|root| library::is_certificate(root.der())) {
            return Err("holds a certificate that cannot be read".into());
        }
        Ok(roots)
    }

    /// Whether a text holds certificates.
    pub fn check_ca_pem(pem: &str) -> Result<(), String> {
        parse_ca_pem(pem).map(|_| ())
    }

    /// Why a server is not trusted, in a caller's words. `None` for an error of another kind.
    pub fn refusal(error: &ureq::Error) -> Option<String> {
        match error {
            ureq::Error::Tls(why) => Some((*why).to_string()),
            other => library::refusal(other),
        }
    }
}

#[cfg(not(any(feature = "tls", feature = "native-tls")))]
mod without {
    /// Nothing could be done with certificates.
    pub fn check_ca_pem(_: &str) -> Result<(), String> {
        Err("is set, but this build of the library has no TLS".into())
    }

    /// No error is one of trust but the lack of TLS itself.
    pub fn refusal(error: &ureq::Error) -> Option<String> {
        matches!(error, ureq::Error::Tls(_) | ureq::Error::TlsRequired)
            .then(|| "this build of the library has no TLS".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_certificates_are_roots() {
        assert!(check_ca_pem("no pem at all").is_err());
        for inside in ["!", "AAAA"] {
            let pem = format!("-----BEGIN CERTIFICATE-----\n{inside}\n-----END CERTIFICATE-----\n");
            assert!(check_ca_pem(&pem).is_err(), "{inside}");
        }
    }
}
