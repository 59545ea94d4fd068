//! The only room that opens sockets: ureq over a socket of our own that can be interrupted.
//!
//! ureq's own sockets cannot be stopped one upload at a time (`Agent::shutdown` ends every clone, and nothing interrupts
//! a name lookup or a TCP connect), and a reply that comes before the request is out is lost with them. The socket here
//! waits in short steps, looks at the upload's [`Interrupt`] at each, and keeps reading when the peer stopped listening.
//! TLS, HTTP, proxies and pooling remain ureq's.

mod buffers;
mod lookup;
mod socket;
mod tls;
mod wait;

use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use once_cell::sync::OnceCell;
use ureq::unversioned::transport::{ConnectProxyConnector, Connector};
use ureq::{Agent, Proxy, SendBody};

use self::lookup::Lookup;
use self::socket::SocketConnector;
pub use self::tls::{IS_THERE as HAS_TLS, check_ca_pem};
use self::wait::Scope;
pub use self::wait::{Contact, Context, STEP, Stop, pause, pulse};
use crate::config::{Opt, Settings};
use crate::error::{Error, Status, describe_io};
use crate::protocol::{Reply, Request};
use crate::report::Interrupt;

/// Bytes of a connection's input buffer: replies are small.
const INPUT_BUFFER: usize = 16 << 10;
/// Bytes of its output buffer. Each write wakes the receiver, so few large ones are cheaper: half a slice and its form are
/// as fast as a whole one in half the memory (measured). TLS cuts into records of 16 KiB anyway.
const OUTPUT_BUFFER: usize = 516 << 10;
const OUTPUT_BUFFER_TLS: usize = 128 << 10;
/// Bytes of all output buffers of an upload: with many slices in flight, each gets a smaller one.
const OUTPUT_BUFFERS: usize = 12 << 20;
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
    output_buffer: usize,
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

    /// Whether bytes can go to the socket without being copied: nobody between has to look at them.
    pub fn takes_spans(&self) -> bool {
        self.options.endpoint.starts_with("http:") && self.options.proxy.is_empty()
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
        if contact.is_connected() {
            self.reached.store(true, Ordering::Relaxed);
        }
        result.map_err(|e| self.explain(e, &interrupt, contact.is_connected()))
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
        if let Some(why) = tls::refusal(&error) {
            return refuse_tls(endpoint, &why);
        }
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
                Some(Stop::Own(error)) => Failure {
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
            #[cfg(feature = "native-tls")]
            ureq::Error::NativeTls(cause) => retry(network(cause.to_string())),
            ureq::Error::HostNotFound => retry(network("the host name has no address".into())),
            ureq::Error::ConnectProxyFailed(why) => retry(network(why)),
            ureq::Error::BodyExceedsLimit(limit) => retry(Error::new(
                Status::Protocol,
                format!(
                    "the reply of {endpoint} is longer than the {limit} bytes that COS may send here"
                ),
            )),
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
        let endpoint = settings.endpoint();
        let most = if endpoint.starts_with("https:") {
            OUTPUT_BUFFER_TLS
        } else {
            OUTPUT_BUFFER
        };
        let width = usize::try_from(settings.number(Opt::InFlight)).unwrap_or(1);
        Options {
            endpoint,
            output_buffer: most.min(OUTPUT_BUFFERS / width.max(1)),
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
    #[cfg(any(feature = "tls", feature = "native-tls"))]
    let config = config.tls_config(
        tls::config(&options.ca_pem)
            .map_err(|why| Error::new(Status::InvalidArg, format!("CA_PEM {why}")))?,
    );
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
        .output_buffer_size(options.output_buffer)
        .max_idle_connections(IDLE_CONNECTIONS)
        .max_idle_connections_per_host(IDLE_CONNECTIONS)
        .build();
    let connector =
        ().chain(ConnectProxyConnector::default())
            .chain(SocketConnector {
                silence_limit: options.silence_limit,
            });
    #[cfg(any(feature = "tls", feature = "native-tls"))]
    let connector = connector.chain(tls::Layer::default());
    Ok(Agent::with_parts(config, connector, Lookup))
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
    fn proxies_are_checked_without_being_repeated() {
        assert!(check_proxy("http://user:geheim@127.0.0.1:8080").is_ok());
        for bad in ["socks5://user:geheim@h:1", "geheim", "http://"] {
            let why = check_proxy(bad).unwrap_err();
            assert!(!why.contains("geheim"), "{why}");
        }
    }
}
