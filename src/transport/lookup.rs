//! Host names to addresses, and other system calls that cannot be interrupted.

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use ureq::http::Uri;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

use super::wait::{STEP, Stop, connect_deadline, pulse_current};
use crate::error::describe_io;

/// Runs an operating system call that nothing can interrupt on a thread of its own, and stops waiting for it when the
/// interrupt or the deadline says so; the thread then ends by itself, unheard.
pub fn aside<T: Send + 'static>(
    deadline: Instant,
    call: impl FnOnce() -> T + Send + 'static,
) -> Result<Option<T>, Stop> {
    let (tell, hear) = mpsc::sync_channel(1);
    let thread = std::thread::Builder::new()
        .name("cosslice-lookup".into())
        .stack_size(256 << 10)
        .spawn(move || {
            // Nobody listens any more: nothing to do about it.
            let _ = tell.send(call());
        });
    if thread.is_err() {
        return Ok(None);
    }
    loop {
        match hear.recv_timeout(STEP) {
            Ok(value) => return Ok(Some(value)),
            Err(mpsc::RecvTimeoutError::Disconnected) => return Ok(None),
            Err(mpsc::RecvTimeoutError::Timeout) => pulse_current()?,
        }
        if Instant::now() >= deadline {
            return Ok(None);
        }
    }
}

/// Host names to addresses.
#[derive(Debug)]
pub struct Lookup;

impl Resolver for Lookup {
    fn resolve(
        &self,
        uri: &Uri,
        config: &ureq::config::Config,
        _: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let host = uri.host().unwrap_or_default();
        let default = if uri.scheme_str() == Some("https") {
            443
        } else {
            80
        };
        let port = uri.port_u16().unwrap_or(default);
        let mut found = self.empty();
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        if let Ok(address) = bare.parse::<IpAddr>() {
            found.push(SocketAddr::new(address, port));
            return Ok(found);
        }
        let failed =
            |why: String| ureq::Error::Io(io::Error::from(Stop::Lookup(host.to_string(), why)));
        let limit = config.timeouts().connect.unwrap_or(Duration::from_secs(10));
        let deadline = connect_deadline(limit);
        let name = host.to_string();
        let answer = aside(deadline, move || {
            (name.as_str(), port)
                .to_socket_addrs()
                .map(Iterator::collect::<Vec<_>>)
        })
        .map_err(io::Error::from)?;
        match answer {
            Some(Ok(addresses)) => {
                for address in addresses.into_iter().take(16) {
                    found.push(address);
                }
            }
            Some(Err(cause)) => return Err(failed(describe_io(&cause))),
            None => return Err(failed("no answer in time".into())),
        }
        if found.is_empty() {
            return Err(failed("it has no address".into()));
        }
        Ok(found)
    }
}
