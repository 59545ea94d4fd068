//! The only file that opens sockets: ureq over a socket of our own that can be interrupted.
//!
//! ureq's own sockets cannot be stopped one upload at a time (`Agent::shutdown` ends every clone, and nothing interrupts
//! a name lookup or a TCP connect), and a reply that comes before the request is out is lost with them. The socket here
//! waits in short steps, looks at the upload's [`Interrupt`] at each, and keeps reading when the peer stopped listening.
//! TLS, HTTP, proxies and pooling remain ureq's.

use std::cell::{Cell, RefCell};
use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use once_cell::sync::OnceCell;
use ureq::http::Uri;
#[cfg(feature = "tls")]
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{
    Buffers, ConnectProxyConnector, ConnectionDetails, Connector, Either, LazyBuffers, NextTimeout,
    Transport,
};
use ureq::{Agent, Proxy, SendBody};

use crate::config::{Opt, Settings};
use crate::error::{Error, Status, describe_io};
use crate::protocol::{Reply, Request};
use crate::report::{Interrupt, Reporter};

/// Longest sleep between two looks at the interrupt: well below the 250 ms that the C interface promises.
pub const STEP: Duration = Duration::from_millis(80);
/// Bytes of a connection's buffers. Reply bodies are small; requests go out in pieces of the second size.
const INPUT_BUFFER: usize = 16 << 10;
const OUTPUT_BUFFER: usize = 128 << 10;
/// Idle connections kept for later uploads of the same config.
const IDLE_CONNECTIONS: usize = 128;

/// Connections to one endpoint, shared by all uploads of a config.
pub struct Link {
    options: Options,
    agent: OnceCell<Agent>,
    reached: AtomicBool,
}

/// What distinguishes one link from another.
#[derive(Clone, PartialEq, Eq)]
struct Options {
    endpoint: String,
    proxy: String,
    ca_pem: String,
    user_agent: String,
    connect_limit: Duration,
    silence_limit: Duration,
}

/// A request that came to nothing.
#[derive(Debug)]
pub struct Failure {
    /// Why.
    pub error: Error,
    /// Whether another try may work.
    pub retry: bool,
    /// Whether the server may have carried it out.
    pub ambiguous: bool,
}

impl Link {
    /// Connections by a config's settings. Nothing is opened yet.
    pub fn new(settings: &Settings) -> Self {
        Link {
            options: Options::of(settings),
            agent: OnceCell::new(),
            reached: AtomicBool::new(false),
        }
    }

    /// Whether uploads with these settings can use these connections.
    pub fn fits(&self, settings: &Settings) -> bool {
        self.options == Options::of(settings)
    }

    /// How long a first contact may take in all, retries included.
    pub fn connect_limit(&self) -> Duration {
        self.options.connect_limit
    }

    /// Whether the server was ever reached.
    pub fn was_reached(&self) -> bool {
        self.reached.load(Ordering::Relaxed)
    }

    fn agent(&self) -> Result<&Agent, Failure> {
        self.agent
            .get_or_try_init(|| build_agent(&self.options))
            .map_err(|error| Failure {
                error,
                retry: false,
                ambiguous: false,
            })
    }

    /// Sends one request and reads its reply. Blocks; ends early when the context's interrupt says so.
    pub fn send(
        &self,
        request: &Request,
        authorization: &str,
        body: &mut dyn Read,
        context: Context,
    ) -> Result<Reply, Failure> {
        let agent = self.agent()?;
        let contact = Arc::clone(&context.contact);
        let interrupt = Arc::clone(&context.interrupt);
        let _scope = Scope::enter(context);
        let result = self.exchange(agent, request, authorization, body);
        if contact.connected.load(Ordering::Relaxed) {
            self.reached.store(true, Ordering::Relaxed);
        }
        result.map_err(|e| self.explain(e, &interrupt, contact.connected.load(Ordering::Relaxed)))
    }

    fn exchange(
        &self,
        agent: &Agent,
        request: &Request,
        authorization: &str,
        mut body: &mut dyn Read,
    ) -> Result<Reply, ureq::Error> {
        let url = format!("{}{}", self.options.endpoint, request.target);
        let mut response = if request.is_get {
            agent
                .get(url)
                .header("authorization", authorization)
                .call()?
        } else {
            agent
                .post(url)
                .header("authorization", authorization)
                .header("content-type", &request.content_type)
                .header("content-length", request.body_len().to_string())
                .send(SendBody::from_reader(&mut body))?
        };
        // The reply has begun: whatever else happens, this server was reached.
        let header = |name: &str| {
            let value = response.headers().get(name)?.to_str().ok()?;
            Some(value.to_string())
        };
        let request_id = header("x-cos-request-id").filter(|id| id.len() <= 256);
        let date = header("date");
        let status = response.status().as_u16();
        let body = response
            .body_mut()
            .with_config()
            .limit(request.reply_limit)
            .read_to_vec()?;
        Ok(Reply {
            status,
            request_id,
            date,
            body,
        })
    }

    /// Puts ureq's errors into the caller's terms.
    fn explain(&self, error: ureq::Error, interrupt: &Interrupt, connected: bool) -> Failure {
        if let Err(error) = interrupt.check() {
            return Failure {
                error,
                retry: false,
                ambiguous: connected,
            };
        }
        let endpoint = &self.options.endpoint;
        let retry = |error| Failure {
            error,
            retry: true,
            ambiguous: connected,
        };
        let network = |why: String| {
            Error::new(
                Status::Network,
                format!("the connection to {endpoint} failed: {why}"),
            )
        };
        match error {
            ureq::Error::Io(cause) => match Stop::in_error(&cause) {
                Some(Stop::Source(error)) => Failure {
                    error: error.clone(),
                    retry: false,
                    ambiguous: connected,
                },
                Some(Stop::Silent(limit)) => retry(Error::new(
                    Status::Timeout,
                    format!(
                        "{endpoint} was silent for {} ms (IO_TIMEOUT_MS)",
                        limit.as_millis()
                    ),
                )),
                Some(Stop::Lookup(host, why)) => retry(network(format!(
                    "the host name {host:?} cannot be looked up: {why}"
                ))),
                Some(Stop::Canceled) => Failure {
                    error: Error::canceled(),
                    retry: false,
                    ambiguous: connected,
                },
                None => {
                    if let Some(why) = tls_reason(&cause) {
                        return refuse_tls(endpoint, &why);
                    }
                    let mut error = network(describe_io(&cause));
                    error.os_error = cause.raw_os_error();
                    retry(error)
                }
            },
            ureq::Error::Timeout(kind) if !connected => retry(network(format!(
                "no connection within {} ms (CONNECT_TIMEOUT_MS, {kind})",
                self.options.connect_limit.as_millis()
            ))),
            ureq::Error::Timeout(kind) => retry(Error::new(
                Status::Timeout,
                format!("{endpoint} did not end its reply in time ({kind})"),
            )),
            ureq::Error::HostNotFound => retry(network("the host name has no address".into())),
            ureq::Error::ConnectProxyFailed(why) => retry(network(why)),
            ureq::Error::BodyExceedsLimit(limit) => retry(Error::new(
                Status::Protocol,
                format!(
                    "the reply of {endpoint} is longer than the {limit} bytes that COS may send here"
                ),
            )),
            #[cfg(feature = "tls")]
            ureq::Error::Rustls(cause) => refuse_tls(endpoint, &explain_rustls(&cause)),
            ureq::Error::Tls(why) => refuse_tls(endpoint, why),
            ureq::Error::TlsRequired => {
                refuse_tls(endpoint, "this build of the library has no TLS")
            }
            other => retry(Error::new(
                Status::Protocol,
                format!("{endpoint} did not answer in HTTP: {other}"),
            )),
        }
    }
}

impl Options {
    fn of(settings: &Settings) -> Self {
        let text = |opt| settings.text(opt).to_string();
        let millis = |opt| Duration::from_millis(settings.number(opt));
        Options {
            endpoint: settings.endpoint(),
            proxy: text(Opt::Proxy),
            ca_pem: text(Opt::CaPem),
            user_agent: match settings.text(Opt::UserAgent) {
                "" => concat!("libcosslice/", env!("CARGO_PKG_VERSION")).into(),
                name => name.into(),
            },
            connect_limit: millis(Opt::ConnectTimeoutMs),
            silence_limit: millis(Opt::IoTimeoutMs),
        }
    }
}

impl Drop for Options {
    fn drop(&mut self) {
        // The proxy's URL may hold a password.
        zeroize::Zeroize::zeroize(&mut self.proxy);
    }
}

fn refuse_tls(endpoint: &str, why: &str) -> Failure {
    Failure {
        error: Error::new(
            Status::Tls,
            format!("no safe connection to {endpoint}: {why}"),
        ),
        retry: false,
        ambiguous: false,
    }
}

fn build_agent(options: &Options) -> Result<Agent, Error> {
    let proxy = match options.proxy.as_str() {
        "" => None,
        url => Some(
            parse_proxy(url)
                .map_err(|why| Error::new(Status::InvalidArg, format!("PROXY {why}")))?,
        ),
    };
    let config = Agent::config_builder();
    #[cfg(feature = "tls")]
    let config = config.tls_config(tls_config(options)?);
    let config = config
        // A proxy from the environment would be a setting nobody made, and getenv races with setenv in C programs.
        .proxy(proxy)
        .user_agent(&options.user_agent)
        .accept("*/*")
        .accept_encoding("identity")
        .http_status_as_error(false)
        // A redirect would carry the Authorization to who knows whom: the 3xx itself is the answer.
        .max_redirects(0)
        .max_redirects_will_error(false)
        .timeout_connect(Some(options.connect_limit))
        // Against replies that trickle; silence is watched by the socket.
        .timeout_recv_response(Some(options.silence_limit * 2))
        .timeout_recv_body(Some(options.silence_limit * 10))
        .input_buffer_size(INPUT_BUFFER)
        .output_buffer_size(OUTPUT_BUFFER)
        .max_idle_connections(IDLE_CONNECTIONS)
        .max_idle_connections_per_host(IDLE_CONNECTIONS)
        .build();
    let connector =
        ().chain(ConnectProxyConnector::default())
            .chain(SocketConnector {
                silence_limit: options.silence_limit,
            });
    #[cfg(feature = "tls")]
    let connector = connector.chain(ureq::unversioned::transport::RustlsConnector::default());
    Ok(Agent::with_parts(config, connector, Lookup))
}

#[cfg(feature = "tls")]
fn tls_config(options: &Options) -> Result<TlsConfig, Error> {
    let mut tls = TlsConfig::builder();
    if !options.ca_pem.is_empty() {
        let roots = parse_ca_pem(&options.ca_pem)
            .map_err(|why| Error::new(Status::InvalidArg, format!("CA_PEM {why}")))?;
        tls = tls.root_certs(RootCerts::Specific(Arc::new(roots)));
    }
    Ok(tls.build())
}

fn parse_proxy(url: &str) -> Result<Proxy, String> {
    let form = "must be http://[user:password@]host:port";
    let scheme = url.split_once("://").map(|(scheme, _)| scheme);
    if scheme != Some("http") {
        return Err(form.into());
    }
    Proxy::new(url).map_err(|_| form.into())
}

/// Whether a text is a proxy's URL.
pub fn check_proxy(url: &str) -> Result<(), String> {
    parse_proxy(url).map(|_| ())
}

#[cfg(feature = "tls")]
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

/// Unix seconds of a Date header. Only the GMT form counts: a sample of the documentation shows local time in the other
/// (protocol 3.6).
pub fn parse_date(date: &str) -> Option<u64> {
    if !date.trim().ends_with("GMT") {
        return None;
    }
    let time = httpdate::parse_http_date(date.trim()).ok()?;
    let since = time.duration_since(std::time::UNIX_EPOCH).ok()?;
    Some(since.as_secs())
}

/// Why an I/O error of the TLS layer is one of trust. `None` when it is not.
#[cfg(feature = "tls")]
fn tls_reason(error: &io::Error) -> Option<String> {
    error
        .get_ref()?
        .downcast_ref::<rustls::Error>()
        .map(explain_rustls)
}

#[cfg(not(feature = "tls"))]
fn tls_reason(_: &io::Error) -> Option<String> {
    None
}

#[cfg(feature = "tls")]
fn explain_rustls(error: &rustls::Error) -> String {
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

/// Why the socket stopped on its own account. Travels through ureq inside an `io::Error`.
#[derive(Debug)]
pub enum Stop {
    /// The interrupt said so.
    Canceled,
    /// The peer was silent for this long.
    Silent(Duration),
    /// A host name has no address: the name, and why.
    Lookup(String, String),
    /// The content could not be read.
    Source(Error),
}

impl std::fmt::Display for Stop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self:?}")
    }
}

impl std::error::Error for Stop {}

impl From<Stop> for io::Error {
    fn from(stop: Stop) -> Self {
        io::Error::other(stop)
    }
}

impl Stop {
    fn in_error(error: &io::Error) -> Option<&Stop> {
        error.get_ref()?.downcast_ref()
    }
}

/// What the socket needs to know of the request that is under way on this thread.
#[derive(Clone)]
pub struct Context {
    /// Ends all waiting.
    pub interrupt: Arc<Interrupt>,
    /// Told about every step; only on the caller's own thread.
    pub reporter: Option<Arc<Reporter>>,
    /// A connection that is not there by then is given up.
    pub connect_by: Option<Instant>,
    /// What became of the connection.
    pub contact: Arc<Contact>,
}

/// What became of a request's connection.
#[derive(Debug, Default)]
pub struct Contact {
    connected: AtomicBool,
    deaf: AtomicBool,
}

impl Contact {
    /// The peer takes no more of this request: what is left of it need not be read.
    pub fn is_deaf(&self) -> bool {
        self.deaf.load(Ordering::Relaxed)
    }
}

thread_local! {
    // ureq calls the socket on the thread that made the request and passes nothing of ours along.
    static CURRENT: RefCell<Option<Context>> = const { RefCell::new(None) };
    static LAST_TICK: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// Makes a context the thread's own until it is dropped. They nest: a callback may run an upload of its own.
struct Scope(Option<Context>);

impl Scope {
    fn enter(context: Context) -> Self {
        Scope(CURRENT.replace(Some(context)))
    }
}

impl Drop for Scope {
    fn drop(&mut self) {
        CURRENT.set(self.0.take());
    }
}

fn current() -> Option<Context> {
    CURRENT.with_borrow(Clone::clone)
}

/// One look at the world while waiting: tells the caller's hooks and sees whether to go on.
pub fn pulse(interrupt: &Interrupt, reporter: Option<&Reporter>) -> Result<(), Stop> {
    if let Some(reporter) = reporter {
        let due = reporter.has_news()
            || LAST_TICK
                .get()
                .is_none_or(|last| last.elapsed() >= STEP / 2);
        if due {
            LAST_TICK.set(Some(Instant::now()));
            reporter.tick();
        }
    }
    interrupt.check().map_err(|_| Stop::Canceled)
}

fn pulse_current() -> Result<(), Stop> {
    match current() {
        Some(context) => pulse(&context.interrupt, context.reporter.as_deref()),
        None => Ok(()),
    }
}

/// Sleeps in steps that an interrupt ends.
pub fn pause(
    length: Duration,
    interrupt: &Interrupt,
    reporter: Option<&Reporter>,
) -> Result<(), Stop> {
    let end = Instant::now() + length;
    loop {
        pulse(interrupt, reporter)?;
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(());
        }
        std::thread::sleep(left.min(STEP));
    }
}

/// Runs an operating system call that nothing can interrupt on a thread of its own, and stops waiting for it when the
/// interrupt or the deadline says so; the thread then ends by itself, unheard.
fn aside<T: Send + 'static>(
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
struct Lookup;

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

/// When a connection must be there: after the limit, or when the first contact with the server has taken long enough.
fn connect_deadline(limit: Duration) -> Instant {
    let own = Instant::now() + limit;
    match current().and_then(|context| context.connect_by) {
        Some(by) => own.min(by),
        None => own,
    }
}

/// Opens sockets that can be interrupted.
#[derive(Debug)]
struct SocketConnector {
    silence_limit: Duration,
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
            buffers: LazyBuffers::new(
                details.config.input_buffer_size(),
                details.config.output_buffer_size(),
            ),
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
    match aside(deadline, move || TcpStream::connect_timeout(&address, left))? {
        Some(result) => result,
        None => Err(io::Error::from(io::ErrorKind::TimedOut)),
    }
}

/// A connected socket whose waits are short.
struct Socket {
    stream: TcpStream,
    buffers: LazyBuffers,
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
            context.contact.deaf.store(true, Ordering::Relaxed);
        }
    }
}

impl Transport for Socket {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), ureq::Error> {
        pulse_current().map_err(io::Error::from)?;
        if let Some(context) = current() {
            context.contact.connected.store(true, Ordering::Relaxed);
        }
        let mut sent = 0;
        let mut patience = Patience::new(self.silence_limit, timeout);
        while sent < amount && self.deaf.is_none() {
            let output = &self.buffers.output()[sent..amount];
            match (&self.stream).write(output) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_gmt_dates_are_believed() {
        assert_eq!(
            parse_date("Tue, 12 Sep 2017 07:36:45 GMT"),
            Some(1_505_201_805)
        );
        assert_eq!(parse_date("Wed Aug 31 20:46:41 2016"), None);
        assert_eq!(parse_date("soon, GMT"), None);
    }

    #[test]
    fn proxies_and_roots_are_checked_without_being_repeated() {
        assert!(check_proxy("http://user:geheim@127.0.0.1:8080").is_ok());
        for bad in ["socks5://user:geheim@h:1", "geheim", "http://"] {
            let why = check_proxy(bad).unwrap_err();
            assert!(!why.contains("geheim"), "{why}");
        }
        assert!(check_ca_pem("no pem at all").is_err());
        assert!(
            check_ca_pem("-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n").is_err()
        );
    }

    #[test]
    fn an_interrupt_ends_a_pause() {
        let interrupt = Interrupt::default();
        interrupt.cancel();
        assert!(matches!(
            pause(Duration::from_secs(3600), &interrupt, None),
            Err(Stop::Canceled)
        ));
    }
}
