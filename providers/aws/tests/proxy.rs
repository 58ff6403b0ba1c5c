//! A proxy between a client and the emulator: it checks every signature, which the emulator does not, and makes trouble
//! on demand.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::signature;

/// Whoever says nothing for so long is let go.
const IDLE_LIMIT: Duration = Duration::from_secs(60);

/// What is done to a request that a rule is about.
#[derive(Debug, Clone)]
pub(crate) enum Trouble {
    /// It is answered here: status, fields, body.
    Answer(u16, &'static str, String),
    /// It is carried out, and nobody hears of it.
    LoseAnswer,
    /// So many bytes of the answer's body come, then the connection breaks.
    CutAfter(usize),
    /// Nobody ever answers.
    Silence,
    /// It loses a field on its way.
    WithoutField(&'static str),
    /// In the answer one text stands for another one of the same length.
    Rewrite(&'static str, String),
}

/// A request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Request {
    /// The value of a field.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        let mut fields = self.fields.iter();
        let found = fields.find(|(field, _)| field.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }
}

struct Rule {
    method: &'static str,
    part_of_target: String,
    left: usize,
    trouble: Trouble,
}

#[derive(Default)]
struct State {
    rules: Vec<Rule>,
    seen: Vec<String>,
}

/// Takes connections until it is dropped.
pub(crate) struct Proxy {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    stopped: Arc<AtomicBool>,
}

impl Proxy {
    pub(crate) fn new(upstream: SocketAddr) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(Mutex::new(State::default()));
        let stopped = Arc::new(AtomicBool::new(false));
        let (shared, stop) = (Arc::clone(&state), Arc::clone(&stopped));
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if stop.load(Ordering::Relaxed) {
                    break;
                }
                let shared = Arc::clone(&shared);
                // Whoever hangs up in the middle is not of interest here.
                std::thread::spawn(move || serve(stream, upstream, &shared).ok());
            }
        });
        Self {
            address,
            state,
            stopped,
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// From now on, the next `times` requests of that method with that text in their target get this trouble.
    pub(crate) fn trouble(&self, method: &'static str, part: &str, times: usize, trouble: Trouble) {
        self.state.lock().unwrap().rules.push(Rule {
            method,
            part_of_target: part.to_owned(),
            left: times,
            trouble,
        });
    }

    /// No more trouble.
    pub(crate) fn forgive(&self) {
        self.state.lock().unwrap().rules.clear();
    }

    /// The requests since this was asked last: method and target each.
    pub(crate) fn seen(&self) -> Vec<String> {
        std::mem::take(&mut self.state.lock().unwrap().seen)
    }

    /// How many requests of that method, with that text in their target, came since the last [`seen`](Self::seen).
    pub(crate) fn count(&self, method: &str, part: &str) -> usize {
        let state = self.state.lock().unwrap();
        let is_one = |seen: &&String| seen.starts_with(&format!("{method} ")) && seen.contains(part);
        state.seen.iter().filter(is_one).count()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Relaxed);
        // It waits for a connection, and this is one.
        TcpStream::connect(self.address).ok();
    }
}

fn serve(mut stream: TcpStream, upstream: SocketAddr, state: &Mutex<State>) -> std::io::Result<()> {
    stream.set_read_timeout(Some(IDLE_LIMIT))?;
    let Some(mut request) = read_request(&mut stream)? else {
        return Ok(());
    };
    let trouble = {
        let mut state = state.lock().unwrap();
        state.seen.push(format!("{} {}", request.method, request.target));
        let fits = |rule: &&mut Rule| {
            rule.left > 0 && rule.method == request.method && request.target.contains(&rule.part_of_target)
        };
        state.rules.iter_mut().find(fits).map(|rule| {
            rule.left -= 1;
            rule.trouble.clone()
        })
    };
    if let Err(problem) = signature::verify(&request) {
        let problem = problem.replace('&', "&amp;").replace('<', "&lt;");
        let body = format!("<Error><Code>SignatureDoesNotMatch</Code><Message>{problem}</Message></Error>");
        return answer(&mut stream, &request.method, 403, "", body.as_bytes());
    }
    match &trouble {
        Some(Trouble::Answer(status, fields, body)) => {
            return answer(&mut stream, &request.method, *status, fields, body.as_bytes());
        }
        Some(Trouble::Silence) => {
            // Until the client has had enough.
            stream.read_exact(&mut [0]).ok();
            return Ok(());
        }
        Some(Trouble::WithoutField(name)) => {
            request
                .fields
                .retain(|(field, _)| !field.eq_ignore_ascii_case(name));
        }
        _ => {}
    }
    let (head, mut body) = forward(upstream, &request)?;
    let mut end = body.len();
    match trouble {
        Some(Trouble::LoseAnswer) => return stream.shutdown(Shutdown::Both),
        Some(Trouble::CutAfter(bytes)) => end = end.min(bytes),
        Some(Trouble::Rewrite(from, to)) => {
            assert_eq!(from.len(), to.len());
            body = String::from_utf8_lossy(&body).replace(from, &to).into_bytes();
        }
        _ => {}
    }
    stream.write_all(head.as_bytes())?;
    stream.write_all(&body[..end])?;
    stream.shutdown(Shutdown::Both)
}

/// Reads a whole request.
fn read_request(stream: &mut TcpStream) -> std::io::Result<Option<Request>> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        lines.push(line.to_owned());
    }
    let mut words = lines[0].split(' ').map(str::to_owned);
    let (method, target) = (words.next().unwrap(), words.next().unwrap());
    let fields = lines[1..].iter().filter_map(|line| line.split_once(':'));
    let fields = fields.map(|(name, value)| (name.to_owned(), value.trim().to_owned()));
    let mut request = Request {
        method,
        target,
        fields: fields.collect(),
        body: Vec::new(),
    };
    assert_eq!(request.field("transfer-encoding"), None, "{request:?}");
    if request.field("expect").is_some() {
        stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
    }
    let length = request
        .field("content-length")
        .map_or(0, |length| length.parse().unwrap());
    request.body = vec![0; length];
    reader.read_exact(&mut request.body)?;
    Ok(Some(request))
}

/// The answer's head, which ends the connection, and its body.
fn forward(upstream: SocketAddr, request: &Request) -> std::io::Result<(String, Vec<u8>)> {
    let mut stream = TcpStream::connect(upstream)?;
    stream.set_read_timeout(Some(IDLE_LIMIT))?;
    let mut head = format!(
        "{} {} HTTP/1.1\r\nConnection: close\r\n",
        request.method, request.target
    );
    for (name, value) in &request.fields {
        if !["expect", "connection"].contains(&name.to_ascii_lowercase().as_str()) {
            head.extend([name.as_str(), ": ", value, "\r\n"]);
        }
    }
    stream.write_all(format!("{head}\r\n").as_bytes())?;
    stream.write_all(&request.body)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n");
    let body = answer.split_off(end.expect("moto answers by HTTP") + 4);
    let head = String::from_utf8_lossy(&answer).into_owned();
    Ok((head, body))
}

fn answer(
    stream: &mut TcpStream,
    method: &str,
    status: u16,
    fields: &str,
    body: &[u8],
) -> std::io::Result<()> {
    let length = body.len();
    write!(
        stream,
        "HTTP/1.1 {status} x\r\n{fields}Content-Type: application/xml\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    )?;
    if method != "HEAD" {
        stream.write_all(body)?;
    }
    stream.shutdown(Shutdown::Both)
}
