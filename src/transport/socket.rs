//! A socket that can be interrupted, and that listens to a peer which stopped listening.

use std::io::{self, IoSlice, Read};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, Either, NextTimeout, Transport,
};

use super::buffers::SocketBuffers;
use super::wait::{STEP, Stop, connect_deadline, current, pulse_current};

/// Opens sockets that can be interrupted.
#[derive(Debug)]
pub struct SocketConnector {
    /// Longest silence of a peer.
    pub silence_limit: Duration,
}

impl<In: Transport> Connector<In> for SocketConnector {
    type Out = Either<In, Socket>;

    fn connect(
        &self,
        details: &ConnectionDetails,
        chained: Option<In>,
    ) -> Result<Option<Self::Out>, ureq::Error> {
        if let Some(tunnel) = chained {
            return Ok(Some(Either::A(tunnel)));
        }
        let limit = details
            .timeout
            .not_zero()
            .map_or(Duration::from_secs(10), |after| *after);
        let deadline = connect_deadline(limit);
        let mut last = None;
        let addresses: Vec<SocketAddr> = details.addrs.iter().copied().collect();
        for (tried, address) in addresses.iter().enumerate() {
            // Each address gets an equal share of what is left, so that a dead one cannot use up all of it.
            let left = deadline.saturating_duration_since(Instant::now());
            let share = left / u32::try_from(addresses.len() - tried).unwrap_or(1);
            match connect(*address, Instant::now() + share) {
                Ok(stream) => return Ok(Some(Either::B(self.adopt(stream, details)?))),
                Err(cause) if Stop::in_error(&cause).is_some() => return Err(cause.into()),
                Err(cause) => last = Some(cause),
            }
        }
        Err(ureq::Error::Io(last.unwrap_or_else(|| {
            io::Error::from(io::ErrorKind::AddrNotAvailable)
        })))
    }
}

impl SocketConnector {
    fn adopt(&self, stream: TcpStream, details: &ConnectionDetails) -> io::Result<Socket> {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(STEP))?;
        stream.set_write_timeout(Some(STEP))?;
        Ok(Socket {
            stream,
            buffers: SocketBuffers::new(
                details.config.input_buffer_size(),
                details.config.output_buffer_size(),
            )
            .map_err(Stop::Own)?,
            silence_limit: self.silence_limit,
            is_plain: !details.needs_tls(),
            deaf: None,
        })
    }
}

/// Connects within a deadline, looking at the interrupt at every step.
#[cfg(unix)]
fn connect(address: SocketAddr, deadline: Instant) -> io::Result<TcpStream> {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    use rustix::net::{AddressFamily, SocketType, sockopt};

    let family = match address {
        SocketAddr::V4(_) => AddressFamily::INET,
        SocketAddr::V6(_) => AddressFamily::INET6,
    };
    #[cfg(not(target_vendor = "apple"))]
    let socket = rustix::net::socket_with(
        family,
        SocketType::STREAM,
        rustix::net::SocketFlags::CLOEXEC,
        None,
    )?;
    #[cfg(target_vendor = "apple")]
    let socket = {
        let socket = rustix::net::socket(family, SocketType::STREAM, None)?;
        rustix::io::fcntl_setfd(&socket, rustix::io::FdFlags::CLOEXEC)?;
        // Elsewhere each write says so itself.
        rustix::net::sockopt::set_socket_nosigpipe(&socket, true)?;
        socket
    };
    rustix::io::ioctl_fionbio(&socket, true)?;
    match rustix::net::connect(&socket, &address) {
        Ok(()) => {}
        Err(rustix::io::Errno::INPROGRESS | rustix::io::Errno::INTR) => loop {
            let step = Timespec {
                tv_sec: 0,
                tv_nsec: STEP.subsec_nanos().into(),
            };
            let mut waiting = [PollFd::new(&socket, PollFlags::OUT)];
            match poll(&mut waiting, Some(&step)) {
                Ok(0) | Err(rustix::io::Errno::INTR) => {}
                Ok(_) => {
                    sockopt::socket_error(&socket)??;
                    break;
                }
                Err(cause) => return Err(cause.into()),
            }
            pulse_current()?;
            if Instant::now() >= deadline {
                return Err(io::Error::from(io::ErrorKind::TimedOut));
            }
        },
        Err(cause) => return Err(cause.into()),
    }
    rustix::io::ioctl_fionbio(&socket, false)?;
    Ok(TcpStream::from(socket))
}

/// Where a connect cannot be interrupted, it is waited for from aside.
#[cfg(not(unix))]
fn connect(address: SocketAddr, deadline: Instant) -> io::Result<TcpStream> {
    let left = deadline
        .saturating_duration_since(Instant::now())
        .max(Duration::from_millis(1));
    match super::lookup::aside(deadline, move || TcpStream::connect_timeout(&address, left))? {
        Some(result) => result,
        None => Err(io::Error::from(io::ErrorKind::TimedOut)),
    }
}

/// A connected socket whose waits are short.
pub struct Socket {
    stream: TcpStream,
    buffers: SocketBuffers,
    silence_limit: Duration,
    is_plain: bool,
    /// The peer takes no more of the request. It may have answered before it stopped listening.
    deaf: Option<io::Error>,
}

impl std::fmt::Debug for Socket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Socket").finish_non_exhaustive()
    }
}

/// One wait for the peer: ends by the peer, by the interrupt, by silence or by ureq's own limit.
struct Patience {
    since: Instant,
    silence_limit: Duration,
    limit: NextTimeout,
}

impl Patience {
    fn new(silence_limit: Duration, limit: NextTimeout) -> Self {
        Patience {
            since: Instant::now(),
            silence_limit,
            limit,
        }
    }

    fn check(&self) -> Result<(), ureq::Error> {
        pulse_current().map_err(io::Error::from)?;
        let waited = self.since.elapsed();
        if self.limit.not_zero().is_some_and(|after| waited >= *after) {
            return Err(ureq::Error::Timeout(self.limit.reason));
        }
        if waited >= self.silence_limit {
            return Err(io::Error::from(Stop::Silent(self.silence_limit)).into());
        }
        Ok(())
    }
}

/// Writes some bytes. `more` lets the kernel keep them back for a moment, for those that follow at once.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn write(stream: &TcpStream, pieces: &[IoSlice<'_>], more: bool) -> io::Result<usize> {
    use rustix::net::{SendAncillaryBuffer, SendFlags, sendmsg};
    // Not writev, which would raise SIGPIPE.
    let mut flags = SendFlags::NOSIGNAL;
    flags.set(SendFlags::MORE, more);
    Ok(sendmsg(
        stream,
        pieces,
        &mut SendAncillaryBuffer::default(),
        flags,
    )?)
}

/// Writes some bytes.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn write(mut stream: &TcpStream, pieces: &[IoSlice<'_>], _: bool) -> io::Result<usize> {
    let first = pieces.iter().find(|piece| !piece.is_empty());
    io::Write::write(&mut stream, first.map_or(&[], |piece| piece))
}

fn is_step(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted
    )
}

impl Socket {
    /// Whether a final reply has begun although the request is not out. Under TLS the bytes waiting may be anything.
    fn has_early_reply(&self) -> bool {
        let mut start = [0; 12];
        self.is_plain
            && matches!(self.peek(&mut start), Ok(n) if n >= 10)
            && start.starts_with(b"HTTP/1.")
            && start[9] != b'1'
    }

    #[cfg(unix)]
    fn peek(&self, out: &mut [u8]) -> io::Result<usize> {
        use rustix::net::RecvFlags;
        let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
        Ok(rustix::net::recv(&self.stream, out, flags)?.0)
    }

    #[cfg(not(unix))]
    fn peek(&self, out: &mut [u8]) -> io::Result<usize> {
        self.stream.set_nonblocking(true)?;
        let result = self.stream.peek(out);
        self.stream.set_nonblocking(false)?;
        result
    }

    fn stop_listening(&mut self, cause: io::Error) {
        self.deaf = Some(cause);
        if let Some(context) = current() {
            context.contact.set_deaf();
        }
    }
}

impl Transport for Socket {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), ureq::Error> {
        pulse_current().map_err(io::Error::from)?;
        // What goes out while connecting is a TLS or proxy handshake: the server was not reached yet.
        let mut more = false;
        let mut span = None;
        if timeout.reason != ureq::Timeout::Connect
            && let Some(context) = current()
        {
            context.contact.set_connected();
            more = context.contact.body_follows();
            span = context.contact.take_span();
        }
        let mut sent = 0;
        let mut patience = Patience::new(self.silence_limit, timeout);
        while sent < amount && self.deaf.is_none() {
            let output = &self.buffers.output()[..amount];
            let mut pieces = match &span {
                Some((at, span)) => {
                    let (before, rest) = output.split_at(*at);
                    let span = span.as_ref();
                    [before, span, &rest[span.len()..]]
                }
                None => [output, &[], &[]],
            }
            .map(IoSlice::new);
            let mut rest = &mut pieces[..];
            IoSlice::advance_slices(&mut rest, sent);
            match write(&self.stream, rest, more) {
                Ok(0) => self.stop_listening(io::ErrorKind::WriteZero.into()),
                Ok(n) => {
                    sent += n;
                    patience = Patience::new(self.silence_limit, timeout);
                }
                Err(cause) if is_step(&cause) => {
                    if self.has_early_reply() {
                        self.stop_listening(io::ErrorKind::BrokenPipe.into());
                    }
                    patience.check()?;
                }
                // The reply may be there all the same (a 403, then close): the reading decides.
                Err(cause) => self.stop_listening(cause),
            }
        }
        Ok(())
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, ureq::Error> {
        let patience = Patience::new(self.silence_limit, timeout);
        loop {
            let input = self.buffers.input_append_buf();
            match (&self.stream).read(input) {
                Ok(amount) => {
                    self.buffers.input_appended(amount);
                    if amount == 0
                        && let Some(cause) = self.deaf.take()
                    {
                        return Err(cause.into());
                    }
                    return Ok(amount > 0);
                }
                Err(cause) if is_step(&cause) => patience.check()?,
                Err(cause) => return Err(cause.into()),
            }
        }
    }

    fn is_open(&mut self) -> bool {
        // No bytes may be waiting: nobody asked for any.
        self.deaf.is_none()
            && matches!(self.peek(&mut [0]), Err(e) if e.kind() == io::ErrorKind::WouldBlock)
    }
}
