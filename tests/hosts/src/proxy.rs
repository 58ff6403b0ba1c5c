//! A proxy, for tests in which hosts reach nothing but through one.

use std::collections::BTreeMap;
use std::io::{BufReader, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::LabError;
use crate::listener::{Head, Listener};

const CONNECT_LIMIT: Duration = Duration::from_secs(10);
const PORT_OF_HTTP: &str = "80";

/// An HTTP proxy, `CONNECT` included, until it is dropped.
#[derive(Debug)]
pub struct Proxy {
    listener: Listener,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    hits: BTreeMap<String, usize>,
    routes: BTreeMap<String, SocketAddr>,
}

/// A proxy at an address of this machine, usually a lab's [gateway](crate::Lab::gateway), at a port that is free.
///
/// # Errors
///
/// When the address is none of this machine.
pub fn serve_proxy(address: impl Into<IpAddr>) -> Result<Proxy, LabError> {
    let state = Arc::new(Mutex::new(State::default()));
    let shared = Arc::clone(&state);
    let listener = Listener::new(address.into(), move |stream| {
        // Whoever hangs up in the middle is not of interest here.
        answer(stream, &shared).ok();
    })?;
    Ok(Proxy { listener, state })
}

impl Proxy {
    /// Its address, as `http_proxy` wants it.
    pub fn url(&self) -> String {
        format!("http://{}", self.listener.address())
    }

    /// Connects whoever asks for this name, at any port, with that address instead.
    pub fn route(&self, host: impl Into<String>, address: SocketAddr) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.routes.insert(host.into(), address);
    }

    /// How often this name was asked for.
    pub fn hits(&self, host: &str) -> usize {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.hits.get(host).copied().unwrap_or(0)
    }
}

fn answer(mut stream: TcpStream, state: &Mutex<State>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let Some(head) = Head::read(&mut reader) else {
        return write!(stream, "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n");
    };
    let tunnel = head.method == "CONNECT";
    let (authority, path) = if tunnel {
        (head.target.as_str(), "")
    } else {
        let rest = head.target.strip_prefix("http://").unwrap_or_default();
        rest.split_at(rest.find('/').unwrap_or(rest.len()))
    };
    let Ok(mut upstream) = connect(authority, state) else {
        return write!(stream, "HTTP/1.1 502 Bad Gateway\r\nConnection: close\r\n\r\n");
    };
    if tunnel {
        write!(stream, "HTTP/1.1 200 Connection established\r\n\r\n")?;
    } else {
        let path = if path.is_empty() { "/" } else { path };
        let mut request = format!("{} {path} HTTP/1.1\r\n", head.method);
        let of_connection = |line: &&String| {
            let line = line.to_ascii_lowercase();
            line.starts_with("proxy-") || line.starts_with("connection:")
        };
        for line in head.fields.iter().filter(|line| !of_connection(line)) {
            request.push_str(line);
            request.push_str("\r\n");
        }
        // One request a connection: the next one may be for another host.
        request.push_str("Connection: close\r\n\r\n");
        upstream.write_all(request.as_bytes())?;
    }
    // What the client has sent already stands in the reader.
    let mut to_upstream = upstream.try_clone()?;
    let upwards = std::thread::spawn(move || {
        std::io::copy(&mut reader, &mut to_upstream).ok();
        to_upstream.shutdown(Shutdown::Write).ok();
    });
    std::io::copy(&mut upstream, &mut stream).ok();
    stream.shutdown(Shutdown::Both).ok();
    upwards.join().ok();
    Ok(())
}

fn connect(authority: &str, state: &Mutex<State>) -> std::io::Result<TcpStream> {
    let (host, port) = authority.rsplit_once(':').unwrap_or((authority, PORT_OF_HTTP));
    let route = {
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        *state.hits.entry(host.to_owned()).or_default() += 1;
        state.routes.get(host).copied()
    };
    let address = match route {
        Some(address) => Some(address),
        None => format!("{host}:{port}").to_socket_addrs()?.next(),
    };
    let unknown = || std::io::Error::new(std::io::ErrorKind::NotFound, "no such host");
    let stream = TcpStream::connect_timeout(&address.ok_or_else(unknown)?, CONNECT_LIMIT)?;
    stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    Ok(stream)
}
