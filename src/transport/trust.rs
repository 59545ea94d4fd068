//! Whom to trust: the roots a caller brings, and why a server was not believed.

use std::io;

#[cfg(feature = "tls")]
use ureq::tls::{Certificate, PemItem, parse_pem};

/// The certificates in a text.
#[cfg(feature = "tls")]
pub fn parse_ca_pem(pem: &str) -> Result<Vec<Certificate<'static>>, String> {
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
    for root in &roots {
        // ureq would leave out silently what it cannot read.
        rustls::RootCertStore::empty()
            .add(root.der().to_vec().into())
            .map_err(|_| "holds a certificate that cannot be read".to_string())?;
    }
    Ok(roots)
}

/// Whether a text holds certificates.
#[cfg(feature = "tls")]
pub fn check_ca_pem(pem: &str) -> Result<(), String> {
    parse_ca_pem(pem).map(|_| ())
}

/// Without TLS nothing could be done with certificates.
#[cfg(not(feature = "tls"))]
pub fn check_ca_pem(_: &str) -> Result<(), String> {
    Err("is set, but this build of the library has no TLS".into())
}

/// Why an I/O error of the TLS layer is one of trust. `None` when it is not.
#[cfg(feature = "tls")]
pub fn reason(error: &io::Error) -> Option<String> {
    error
        .get_ref()?
        .downcast_ref::<rustls::Error>()
        .map(explain)
}

/// Without TLS no error is one of trust.
#[cfg(not(feature = "tls"))]
pub fn reason(_: &io::Error) -> Option<String> {
    None
}

/// Why a peer is not trusted, in a caller's words.
#[cfg(feature = "tls")]
pub fn explain(error: &rustls::Error) -> String {
    use rustls::CertificateError as Bad;
    match error {
        rustls::Error::InvalidCertificate(bad) => match bad {
            Bad::UnknownIssuer => {
                "its certificate was issued by an unknown authority (set CA_PEM for a private one)"
                    .into()
            }
            Bad::Expired | Bad::ExpiredContext { .. } => "its certificate has expired".into(),
            Bad::NotValidYet | Bad::NotValidYetContext { .. } => {
                "its certificate is not valid yet; check this machine's clock".into()
            }
            Bad::NotValidForName | Bad::NotValidForNameContext { .. } => {
                "its certificate is for another host name".into()
            }
            Bad::Revoked => "its certificate was revoked".into(),
            other => format!("its certificate is not acceptable ({other})"),
        },
        rustls::Error::InvalidMessage(_) => "the server does not speak TLS there".into(),
        other => other.to_string(),
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
