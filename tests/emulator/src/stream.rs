//! A connection's bytes: plain, or TLS with a certificate of the tester's own (feature `tls`).

use std::fs::File;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::path::PathBuf;

/// Certificate chain and key, as PEM files.
#[derive(Debug, Clone)]
pub struct TlsFiles {
    pub cert: PathBuf,
    pub key: PathBuf,
}

pub enum Stream {
    Plain(TcpStream),
    #[cfg(feature = "tls")]
    Tls(Box<rustls::StreamOwned<rustls::ServerConnection, TcpStream>>),
}

/// Makes streams of accepted sockets.
pub enum Acceptor {
    Plain,
    #[cfg(feature = "tls")]
    Tls(std::sync::Arc<rustls::ServerConfig>),
}

impl Acceptor {
    #[cfg(not(feature = "tls"))]
    pub fn new(files: Option<&TlsFiles>) -> io::Result<Self> {
        match files {
            None => Ok(Self::Plain),
            Some(_) => Err(io::Error::other("built without the feature `tls`")),
        }
    }

    #[cfg(feature = "tls")]
    pub fn new(files: Option<&TlsFiles>) -> io::Result<Self> {
        use rustls::pki_types::pem::PemObject;
        use rustls::pki_types::{CertificateDer, PrivateKeyDer};
        let Some(files) = files else {
            return Ok(Self::Plain);
        };
        let chain = CertificateDer::pem_file_iter(&files.cert)
            .and_then(|certs| certs.collect::<Result<Vec<_>, _>>())
            .map_err(io::Error::other)?;
        let key = PrivateKeyDer::from_pem_file(&files.key).map_err(io::Error::other)?;
        let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
            .map_err(io::Error::other)?;
        Ok(Self::Tls(std::sync::Arc::new(config)))
    }

    pub fn scheme(&self) -> &'static str {
        match self {
            Self::Plain => "http",
            #[cfg(feature = "tls")]
            Self::Tls(_) => "https",
        }
    }

    /// The handshake happens with the first read.
    pub fn wrap(&self, socket: TcpStream) -> io::Result<Stream> {
        match self {
            Self::Plain => Ok(Stream::Plain(socket)),
            #[cfg(feature = "tls")]
            Self::Tls(config) => {
                let session =
                    rustls::ServerConnection::new(config.clone()).map_err(io::Error::other)?;
                Ok(Stream::Tls(Box::new(rustls::StreamOwned::new(
                    session, socket,
                ))))
            }
        }
    }
}

impl Stream {
    pub fn socket(&self) -> &TcpStream {
        match self {
            Self::Plain(socket) => socket,
            #[cfg(feature = "tls")]
            Self::Tls(stream) => &stream.sock,
        }
    }

    /// Says that there is nothing more to come.
    pub fn finish(&mut self) -> io::Result<()> {
        #[cfg(feature = "tls")]
        if let Self::Tls(stream) = self {
            stream.conn.send_close_notify();
            stream.flush()?;
        }
        self.socket().shutdown(Shutdown::Write)
    }

    /// Sends part of a file; std keeps that in the kernel where it can.
    pub fn send_file(&mut self, file: File, len: u64) -> io::Result<u64> {
        match self {
            Self::Plain(socket) => io::copy(&mut file.take(len), socket),
            #[cfg(feature = "tls")]
            Self::Tls(stream) => io::copy(&mut file.take(len), stream),
        }
    }
}

impl Read for Stream {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.read(out),
            #[cfg(feature = "tls")]
            Self::Tls(stream) => stream.read(out),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.write(bytes),
            #[cfg(feature = "tls")]
            Self::Tls(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(socket) => socket.flush(),
            #[cfg(feature = "tls")]
            Self::Tls(stream) => stream.flush(),
        }
    }
}
