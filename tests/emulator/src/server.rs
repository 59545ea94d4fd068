//! The emulator itself: listens, gives each connection a thread, and stops without leaving any behind.

use crate::config::Config;
use crate::connection;
use crate::control;
use crate::digest;
use crate::fault::{Fault, Faults, Subject};
use crate::record::{Recorded, Recorder};
use crate::settings::Settings;
use crate::sign::{Account, Replays};
use crate::store::Store;
use crate::stream::Acceptor;
use crate::upload::lock;
use serde_json::Value;
use std::collections::HashMap;
use std::io::{self, Read};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Tells every waiting thread that it is over.
#[derive(Default)]
pub struct Stop {
    stopped: Mutex<bool>,
    changed: Condvar,
}

impl Stop {
    pub fn now(&self) {
        *lock(&self.stopped) = true;
        self.changed.notify_all();
    }

    pub fn is_set(&self) -> bool {
        *lock(&self.stopped)
    }

    /// Waits that long; `true` if the server stopped meanwhile.
    pub fn wait(&self, time: Duration) -> bool {
        let end = Instant::now() + time;
        let mut stopped = lock(&self.stopped);
        while !*stopped {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            stopped = self
                .changed
                .wait_timeout(stopped, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
        true
    }

    /// Waits for the end.
    pub fn wait_for_ever(&self) {
        let mut stopped = lock(&self.stopped);
        while !*stopped {
            stopped = self
                .changed
                .wait(stopped)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// What all connections share.
pub struct Shared {
    pub account: Account,
    pub region: String,
    pub discard: bool,
    /// `http://127.0.0.1:port`
    pub base: String,
    pub acceptor: Acceptor,
    pub store: Store,
    pub settings: Mutex<Arc<Settings>>,
    pub faults: Mutex<Faults>,
    pub replays: Replays,
    pub recorder: Recorder,
    pub stop: Stop,
    sockets: Mutex<HashMap<u64, TcpStream>>,
    ended: Condvar,
}

impl Shared {
    pub fn settings(&self) -> Arc<Settings> {
        lock(&self.settings).clone()
    }
}

/// A running server; dropping it stops it and closes its connections.
pub struct Emulator {
    shared: Arc<Shared>,
    port: u16,
    acceptor: Option<JoinHandle<()>>,
}

impl Emulator {
    pub fn start(config: Config) -> io::Result<Self> {
        let store = Store::open(&config.data, config.discard)?;
        let acceptor = Acceptor::new(config.tls.as_ref())?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, config.port))?;
        let port = listener.local_addr()?.port();
        let shared = Arc::new(Shared {
            account: config.account(),
            region: config.region,
            discard: config.discard,
            base: format!("{}://127.0.0.1:{port}", acceptor.scheme()),
            acceptor,
            store,
            settings: Mutex::new(Arc::new(config.settings)),
            faults: Mutex::new(Faults::new(config.seed, config.faults)),
            replays: Replays::default(),
            recorder: Recorder::default(),
            stop: Stop::default(),
            sockets: Mutex::default(),
            ended: Condvar::new(),
        });
        shared.recorder.switch(config.record);
        if let Some(file) = &config.port_file {
            let beside = file.with_extension(format!("tmp{}", std::process::id()));
            std::fs::write(&beside, format!("{port}\n"))?;
            std::fs::rename(beside, file)?;
        }
        let for_accept = shared.clone();
        let acceptor = thread::Builder::new()
            .name("accept".into())
            .spawn(move || accept(&listener, &for_accept))?;
        Ok(Self {
            shared,
            port,
            acceptor: Some(acceptor),
        })
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// `http://127.0.0.1:port`
    pub fn base(&self) -> &str {
        &self.shared.base
    }

    /// What a client is configured with: `http://127.0.0.1:port/files/v2`.
    pub fn endpoint(&self) -> String {
        format!("{}/files/v2", self.shared.base)
    }

    /// Forgets recorded requests, and records from now on or not.
    pub fn record(&self, on: bool) {
        self.shared.recorder.switch(on);
    }

    /// The recorded requests, in the order in which their heads arrived.
    pub fn requests(&self) -> Vec<Arc<Recorded>> {
        self.shared.recorder.requests()
    }

    /// Replaces the rules; their counts begin anew.
    pub fn set_faults(&self, faults: Vec<Fault>) {
        lock(&self.shared.faults).replace(faults);
    }

    /// The same from JSON: an array of rules or one.
    pub fn set_faults_json(&self, rules: &Value) -> Result<(), String> {
        self.set_faults(Fault::list_from_json(rules)?);
        Ok(())
    }

    /// Changes the named settings and gives back all of them.
    pub fn settings(&self, changes: &Value) -> Result<Settings, String> {
        control::change_settings(&self.shared, changes)
    }

    /// Objects, open uploads and counters.
    pub fn state(&self) -> Value {
        control::state(&self.shared)
    }

    /// Drops all objects, uploads and directories, and forgets one-time signatures.
    pub fn reset(&self) -> io::Result<()> {
        control::reset(&self.shared)
    }

    /// The bytes of a complete object, by its decoded name; `None` if there is none or its data was discarded.
    pub fn object_bytes(&self, path: &str) -> Option<Vec<u8>> {
        let object = self.shared.store.object(path)?;
        let mut bytes = Vec::new();
        self.shared
            .store
            .open_data(&object)
            .ok()??
            .read_to_end(&mut bytes)
            .ok()?;
        Some(bytes)
    }

    /// The SHA-1 of a complete object, in lower-case hex, from the bytes that are stored.
    pub fn object_sha1(&self, path: &str) -> Option<String> {
        let object = self.shared.store.object(path)?;
        let file = self.shared.store.open_data(&object).ok()??;
        Some(digest::hex(&digest::sha1_of_file(&file).ok()?))
    }

    /// Signs a plaintext with the server's key.
    pub fn sign(&self, plaintext: &str) -> String {
        crate::sign::sign(&self.shared.account.secret_key, plaintext)
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        self.shared.stop.now();
        // Wakes accept.
        drop(TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)));
        if let Some(acceptor) = self.acceptor.take() {
            drop(acceptor.join());
        }
        let mut sockets = lock(&self.shared.sockets);
        for socket in sockets.values() {
            drop(socket.shutdown(Shutdown::Both));
        }
        // Threads end by themselves now; one that hashes a huge file is not waited for.
        let end = Instant::now() + Duration::from_secs(5);
        while !sockets.is_empty() && Instant::now() < end {
            let left = end.saturating_duration_since(Instant::now());
            sockets = self
                .shared
                .ended
                .wait_timeout(sockets, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    let mut number = 0;
    for stream in listener.incoming() {
        if shared.stop.is_set() {
            return;
        }
        // An error here is of one connection, or of too many open files: neither ends the server.
        let Ok(stream) = stream else { continue };
        number += 1;
        if let Err(e) = open(stream, number, shared) {
            eprintln!("cosslice-emulator: connection {number}: {e}");
        }
    }
}

fn open(stream: TcpStream, number: u64, shared: &Arc<Shared>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let picked = lock(&shared.faults).pick(&Subject {
        op: "connect",
        path: None,
        offset: None,
    });
    lock(&shared.sockets).insert(number, stream.try_clone()?);
    {
        let mut counters = lock(&shared.recorder.counters);
        counters.connections += 1;
        counters.open_connections += 1;
    }
    let owned = shared.clone();
    let serve = move || {
        connection::serve(stream, number, &owned, &picked);
        lock(&owned.sockets).remove(&number);
        lock(&owned.recorder.counters).open_connections -= 1;
        owned.ended.notify_all();
    };
    let started = thread::Builder::new()
        .name(format!("conn {number}"))
        .stack_size(512 << 10)
        .spawn(serve);
    if started.is_err() {
        lock(&shared.sockets).remove(&number);
        lock(&shared.recorder.counters).open_connections -= 1;
    }
    started.map(drop)
}
