//! Peers that are no COS: a server that keeps the raw bytes of requests, a proxy, a port that never answers.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Raw {
    /// Counted from 1.
    pub connection: usize,
    /// Request line and headers, without the empty line.
    pub head: String,
    pub body: Vec<u8>,
}

impl Raw {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (known, value) = line.split_once(':')?;
            known.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

/// An HTTP/1.1 reply of a known length.
pub fn reply(status: &str, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\n\r\n{body}").into_bytes()
}

/// A listener whose connections each get a thread.
struct Listening {
    port: u16,
    stop: Arc<AtomicBool>,
}

impl Listening {
    fn start(serve: impl Fn(TcpStream, usize) -> io::Result<()> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, serve) = (Arc::clone(&stop), Arc::new(serve));
        thread::spawn(move || {
            for (number, stream) in listener.incoming().enumerate() {
                if stopped.load(Ordering::SeqCst) {
                    return;
                }
                let (Ok(stream), serve) = (stream, Arc::clone(&serve)) else {
                    return;
                };
                // The peer's going away is the usual end of a connection.
                thread::spawn(move || drop(serve(stream, number + 1)));
            }
        });
        Listening { port, stop }
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        drop(TcpStream::connect(("127.0.0.1", self.port)));
    }
}

/// Reads up to the empty line; the bytes behind it stay in the second part.
fn read_head(stream: &mut TcpStream, mut seen: Vec<u8>) -> io::Result<(String, Vec<u8>)> {
    let mut buffer = [0; 4096];
    loop {
        if let Some(end) = seen.windows(4).position(|w| w == b"\r\n\r\n") {
            let rest = seen.split_off(end + 4);
            seen.truncate(end);
            let head = String::from_utf8(seen).map_err(io::Error::other)?;
            return Ok((head, rest));
        }
        match stream.read(&mut buffer)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            n => seen.extend_from_slice(&buffer[..n]),
        }
    }
}

/// Answers each request with what a function says.
pub struct RawServer {
    listening: Listening,
    seen: Arc<Mutex<Vec<Raw>>>,
}

impl RawServer {
    pub fn start(answer: impl Fn(&Raw) -> Vec<u8> + Send + Sync + 'static) -> Self {
        let seen: Arc<Mutex<Vec<Raw>>> = Arc::default();
        let kept = Arc::clone(&seen);
        let listening = Listening::start(move |mut stream, connection| {
            let mut rest = Vec::new();
            loop {
                let (head, mut body) = read_head(&mut stream, rest)?;
                let mut raw = Raw {
                    connection,
                    head,
                    body: Vec::new(),
                };
                let length: usize = raw
                    .header("content-length")
                    .map_or(0, |n| n.parse().unwrap());
                let had = body.len().min(length);
                rest = body.split_off(had);
                body.resize(length, 0);
                stream.read_exact(&mut body[had..])?;
                raw.body = body;
                let answer = answer(&raw);
                kept.lock().unwrap().push(raw);
                stream.write_all(&answer)?;
            }
        });
        RawServer { listening, seen }
    }

    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}/files/v2", self.listening.port)
    }

    pub fn seen(&self) -> Vec<Raw> {
        self.seen.lock().unwrap().clone()
    }
}

/// A proxy that takes CONNECT from whoever knows the password.
pub struct ConnectProxy {
    listening: Listening,
    heads: Arc<Mutex<Vec<String>>>,
}

impl ConnectProxy {
    /// `credentials` is `user:password`.
    pub fn start(credentials: &str) -> Self {
        use base64::Engine as _;
        let basic = base64::prelude::BASE64_STANDARD.encode(credentials);
        let heads: Arc<Mutex<Vec<String>>> = Arc::default();
        let kept = Arc::clone(&heads);
        let listening = Listening::start(move |mut client, _| {
            let (head, rest) = read_head(&mut client, Vec::new())?;
            kept.lock().unwrap().push(head.clone());
            if !head.contains(&format!("Basic {basic}")) {
                // Some proxies quote what they were sent.
                let page = format!("<html>no entry for {head}</html>");
                return client.write_all(&reply("407 Proxy Authentication Required", "", &page));
            }
            let target = head.split(' ').nth(1).unwrap_or_default().to_owned();
            let mut server = TcpStream::connect(target)?;
            client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")?;
            server.write_all(&rest)?;
            let (mut from, mut to) = (server.try_clone()?, client.try_clone()?);
            thread::spawn(move || {
                drop(io::copy(&mut from, &mut to));
                drop(to.shutdown(Shutdown::Both));
            });
            drop(io::copy(&mut client, &mut server));
            server.shutdown(Shutdown::Both)
        });
        ConnectProxy { listening, heads }
    }

    pub fn port(&self) -> u16 {
        self.listening.port
    }

    pub fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }
}

/// A port whose queue of connections is full: connecting to it takes for ever.
pub struct FullPort {
    pub port: u16,
    _held: Vec<TcpStream>,
    _listener: TcpListener,
}

impl FullPort {
    pub fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        // Listening again changes the length of the queue.
        let fd = std::os::fd::AsRawFd::as_raw_fd(&listener);
        assert_eq!(unsafe { libc::listen(fd, 0) }, 0);
        let mut held = Vec::new();
        for _ in 0..16 {
            let wait = std::time::Duration::from_millis(200);
            match TcpStream::connect_timeout(&address, wait) {
                Ok(stream) => held.push(stream),
                Err(_) => {
                    return FullPort {
                        port: address.port(),
                        _held: held,
                        _listener: listener,
                    };
                }
            }
        }
        panic!("the queue of connections does not fill up");
    }
}

impl Default for FullPort {
    fn default() -> Self {
        FullPort::new()
    }
}

/// A port that nobody listens on.
pub fn closed_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}
