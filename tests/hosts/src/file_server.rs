//! A server of files, for tests in which a host downloads something, and for those in which that goes wrong.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::LabError;
use crate::listener::{Head, Listener};

const CHUNK_BYTES: usize = 16 << 10;

/// How requests are answered wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// With this status and no content: 404, 500.
    Status(u16),
    /// The connection ends after so many bytes of the content.
    CutAfter {
        /// So many are sent.
        bytes: u64,
    },
    /// So many bytes of the content in a second.
    Slow {
        /// So many, about.
        bytes_per_second: u64,
    },
    /// Every byte of the content is another one.
    Garbled,
    /// The connection ends without an answer, as when whoever served is gone.
    HungUp,
}

/// Which requests meet a fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disturbance {
    /// Those whose path ends with this; with an empty one all of them.
    pub path_end: String,
    /// How often; without it until [`FileServer::heal`].
    pub times: Option<u32>,
    /// What goes wrong.
    pub fault: Fault,
}

/// Serves a folder over HTTP until it is dropped.
#[derive(Debug)]
pub struct FileServer {
    listener: Listener,
    state: Arc<Mutex<State>>,
}

/// What a server has been asked for, and what goes wrong with it.
#[derive(Debug, Default)]
pub(crate) struct State {
    hits: BTreeMap<String, usize>,
    disturbance: Option<Disturbance>,
}

/// Serves a folder at an address of this machine, usually a lab's [gateway](crate::Lab::gateway), at a port that is free.
///
/// # Errors
///
/// When the address is none of this machine.
pub fn serve_directory(
    folder: impl Into<PathBuf>,
    address: impl Into<IpAddr>,
) -> Result<FileServer, LabError> {
    let folder = folder.into();
    let state = Arc::new(Mutex::new(State::default()));
    let shared = Arc::clone(&state);
    let listener = Listener::new(address.into(), move |stream| {
        // Whoever hangs up in the middle is not of interest here.
        answer(stream, &folder, &shared).ok();
    })?;
    Ok(FileServer { listener, state })
}

impl FileServer {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.listener.address()
    }

    /// The address of the folder, without a slash at its end.
    pub fn url(&self) -> String {
        format!("http://{}", self.address())
    }

    /// How many requests there were whose path ends with this, whatever became of them.
    pub fn hits(&self, path_end: &str) -> usize {
        State::of(&self.state).hits(path_end)
    }

    /// Answers wrong from now on, in this way and no other.
    pub fn disturb(&self, disturbance: Disturbance) {
        State::of(&self.state).disturb(Some(disturbance));
    }

    /// Answers right again.
    pub fn heal(&self) {
        State::of(&self.state).disturb(None);
    }
}

impl State {
    /// The state, also after a thread that had it ended badly.
    pub(crate) fn of(shared: &Mutex<Self>) -> MutexGuard<'_, Self> {
        shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn hits(&self, path_end: &str) -> usize {
        let hits = self.hits.iter().filter(|(path, _)| path.ends_with(path_end));
        hits.map(|(_, count)| count).sum()
    }

    pub(crate) fn disturb(&mut self, disturbance: Option<Disturbance>) {
        self.disturbance = disturbance;
    }

    /// Counts a request, and says what goes wrong with it.
    pub(crate) fn meet(&mut self, path: &str) -> Option<Fault> {
        *self.hits.entry(path.to_owned()).or_default() += 1;
        let disturbance = self.disturbance.as_mut()?;
        if !path.ends_with(&disturbance.path_end) {
            return None;
        }
        if let Some(times) = &mut disturbance.times {
            *times = times.checked_sub(1)?;
        }
        Some(disturbance.fault)
    }
}

fn answer(stream: TcpStream, folder: &Path, state: &Mutex<State>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let Some(head) = Head::read(&mut reader) else {
        return refuse(stream, 400);
    };
    let path = head.target.split('?').next().unwrap_or_default().to_owned();
    let fault = State::of(state).meet(&path);
    match fault {
        Some(Fault::Status(status)) => return refuse(stream, status),
        Some(Fault::HungUp) => return Ok(()),
        _ => {}
    }
    if head.method != "GET" && head.method != "HEAD" {
        return refuse(stream, 405);
    }
    let relative = Path::new(path.trim_start_matches('/'));
    let stays_inside = relative
        .components()
        .all(|part| matches!(part, Component::Normal(_)));
    let file = folder.join(relative);
    if !stays_inside || !file.is_file() {
        return refuse(stream, 404);
    }
    let file = File::open(file)?;
    let length = file.metadata()?.len();
    let content = Content {
        file,
        offset: 0,
        length,
        fields: String::new(),
    };
    send(stream, &head, content, fault)
}

/// What is sent: a part of a file.
pub(crate) struct Content {
    pub(crate) file: File,
    pub(crate) offset: u64,
    pub(crate) length: u64,
    /// More fields of the answer's head, each with its line's end.
    pub(crate) fields: String,
}

pub(crate) fn refuse(mut stream: TcpStream, status: u16) -> std::io::Result<()> {
    write!(
        stream,
        "HTTP/1.1 {status} {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    )
}

pub(crate) fn send(
    mut stream: TcpStream,
    head: &Head,
    content: Content,
    fault: Option<Fault>,
) -> std::io::Result<()> {
    let Content {
        mut file,
        offset,
        length,
        fields,
    } = content;
    // The one form that a download uses to go on where it was interrupted: bytes=FROM-
    let range = head.field("range").and_then(|range| range.strip_prefix("bytes="));
    let from = range.and_then(|range| range.strip_suffix('-')?.parse::<u64>().ok());
    match from {
        Some(from) if from >= length => return refuse(stream, 416),
        Some(from) => {
            write!(
                stream,
                "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes {from}-{}/{length}\r\n",
                length - 1
            )?;
        }
        None => write!(stream, "HTTP/1.1 200 OK\r\n")?,
    }
    let from = from.unwrap_or(0);
    let remaining = length - from;
    file.seek(SeekFrom::Start(offset + from))?;
    write!(
        stream,
        "{fields}Content-Length: {remaining}\r\nAccept-Ranges: bytes\r\nConnection: close\r\n\r\n"
    )?;
    if head.method == "HEAD" {
        return Ok(());
    }
    send_content(&mut stream, &mut file, remaining, fault)
}

fn send_content(
    stream: &mut TcpStream,
    file: &mut File,
    length: u64,
    fault: Option<Fault>,
) -> std::io::Result<()> {
    let limit = match fault {
        Some(Fault::CutAfter { bytes }) => bytes.min(length),
        _ => length,
    };
    let mut content = file.take(limit);
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        let count = content.read(&mut chunk)?;
        if count == 0 {
            return Ok(());
        }
        match fault {
            Some(Fault::Garbled) => chunk[..count].iter_mut().for_each(|byte| *byte = !*byte),
            Some(Fault::Slow { bytes_per_second }) => {
                let bytes = u64::try_from(count).unwrap_or(u64::MAX);
                let milliseconds = bytes.saturating_mul(1000) / bytes_per_second.max(1);
                std::thread::sleep(Duration::from_millis(milliseconds));
            }
            _ => {}
        }
        stream.write_all(&chunk[..count])?;
    }
}
