//! A small server: a thread for each connection, all of them in this process.

use std::io::{BufRead, BufReader, Read};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::LabError;
use crate::error::AboutFile;
use crate::namespace::Namespace;

/// Whoever says nothing for so long is let go.
const IDLE_LIMIT: Duration = Duration::from_secs(30);
/// A head of a request is never longer.
const HEAD_LIMIT_BYTES: u64 = 16 << 10;

/// Takes connections until it is dropped.
#[derive(Debug)]
pub(crate) struct Listener {
    address: SocketAddr,
    stopped: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    namespace: Option<Namespace>,
}

impl Listener {
    /// Listens at any free port of an address of this machine.
    pub(crate) fn new(
        address: IpAddr,
        serve: impl Fn(TcpStream) + Clone + Send + 'static,
    ) -> Result<Self, LabError> {
        Self::inside(None, SocketAddr::new(address, 0), serve)
    }

    /// Listens at an address in a network namespace, or in that of this process.
    pub(crate) fn inside(
        namespace: Option<Namespace>,
        address: SocketAddr,
        serve: impl Fn(TcpStream) + Clone + Send + 'static,
    ) -> Result<Self, LabError> {
        let name = address.to_string();
        let bind = || TcpListener::bind(address);
        let listener = namespace
            .as_ref()
            .map_or_else(bind, |namespace| namespace.run(bind));
        let listener = listener.about("failed to listen at", Path::new(&name))?;
        let address = listener
            .local_addr()
            .about("failed to listen at", Path::new(&name))?;
        let stopped = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&stopped);
        let thread = std::thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                if stop.load(Ordering::Relaxed) {
                    break;
                }
                let limited = stream
                    .set_read_timeout(Some(IDLE_LIMIT))
                    .and_then(|()| stream.set_write_timeout(Some(IDLE_LIMIT)));
                if limited.is_ok() {
                    let serve = serve.clone();
                    std::thread::spawn(move || serve(stream));
                }
            }
        });
        Ok(Self {
            address,
            stopped,
            thread: Some(thread),
            namespace,
        })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Relaxed);
        // It waits for a connection, and this is one. When none can be made there is nothing left to wait for either.
        let connect = || TcpStream::connect_timeout(&self.address, Duration::from_secs(1));
        let connected = self
            .namespace
            .as_ref()
            .map_or_else(connect, |namespace| namespace.run(connect));
        if connected.is_ok()
            && let Some(thread) = self.thread.take()
        {
            thread.join().ok();
        }
    }
}

/// The head of a request: its first line and its fields, as far as they are of interest here.
pub(crate) struct Head {
    pub(crate) method: String,
    pub(crate) target: String,
    /// Every line after the first, as it came.
    pub(crate) fields: Vec<String>,
}

impl Head {
    /// Reads a head; nothing when it is none. What follows it stays in the reader.
    pub(crate) fn read(reader: &mut BufReader<TcpStream>) -> Option<Self> {
        let mut lines = Vec::new();
        let mut limited = reader.take(HEAD_LIMIT_BYTES);
        loop {
            let mut line = String::new();
            if limited.read_line(&mut line).ok()? == 0 {
                return None;
            }
            let line = line.trim_end();
            if line.is_empty() {
                break;
            }
            lines.push(line.to_owned());
        }
        let mut words = lines.first()?.split(' ');
        let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
        Some(Self {
            method,
            target,
            fields: lines.split_off(1),
        })
    }

    /// The value of a field.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        let fields = self.fields.iter().filter_map(|line| line.split_once(':'));
        let mut found = fields.filter(|(field, _)| field.eq_ignore_ascii_case(name));
        found.next().map(|(_, value)| value.trim())
    }
}
