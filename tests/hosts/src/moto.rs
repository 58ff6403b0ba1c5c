//! An emulator of AWS, for tests that talk to one: moto behind `scripts/aws`, which says what it does.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde::de::DeserializeOwned;

use crate::{LabError, cached};

const PACKAGES: &str = include_str!("../scripts/moto.txt");
const RECIPE: &str = concat!(
    include_str!("../scripts/moto.txt"),
    include_str!("../scripts/moto.sh")
);
const SCRIPT: &str = include_str!("../scripts/moto.sh");
/// Python finds the module `aws` in it.
const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts");
const KIND: &str = "moto";
/// On a slow line; 40 seconds on a fast one.
const LIMIT_SECONDS: u32 = 15 * 60;
/// The emulator answers what it is told at once, but for the first time, when it reads all that it knows of AWS.
const TELL_LIMIT: Duration = Duration::from_secs(60);

/// A Python with moto in it; the first time this downloads 60 MB from wherever pip gets its packages.
///
/// # Errors
///
/// When there is no Python 3 with `venv`, or the packages cannot be had.
pub fn moto() -> Result<PathBuf, LabError> {
    let folder = cached::folder(KIND, RECIPE, |folder| {
        let made = crate::command::tool("bash", LIMIT_SECONDS).args(["-c", SCRIPT, "moto.sh"]);
        made.arg(folder).stdin(PACKAGES).run().map(drop)
    })?;
    Ok(python_in(&folder))
}

/// AWS as moto plays it, with one bucket. It is gone when this is dropped, and also when this process dies.
#[derive(Debug)]
pub struct Moto {
    process: Child,
    /// Where it listens.
    pub address: SocketAddr,
}

impl Moto {
    /// Starts it at `address`, with the bucket `bucket`, and with TLS where `files` has a certificate and its key; nothing, after
    /// saying that `test` is skipped, where [`moto`] was not made.
    ///
    /// # Errors
    ///
    /// When it does not come to listen.
    pub fn start_or_skip(
        test: &str,
        address: IpAddr,
        bucket: &str,
        files: &[&Path],
    ) -> Result<Option<Self>, LabError> {
        moto_python_or_skip(test)
            .map(|python| Self::start(python, address, bucket, files))
            .transpose()
    }

    /// Starts it by the Python that [`moto`] has made.
    pub(crate) fn start(
        mut python: Command,
        address: IpAddr,
        bucket: &str,
        files: &[&Path],
    ) -> Result<Self, LabError> {
        let path = PathBuf::from(python.get_program());
        let failed = |source| LabError::File {
            what: "start moto by",
            path: path.clone(),
            source,
        };
        let files: Vec<PathBuf> = files
            .iter()
            .map(std::path::absolute)
            .collect::<Result<_, _>>()
            .map_err(failed)?;
        let mut process = python
            .args(["-m", "aws", &address.to_string(), bucket])
            .args(files)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(failed)?;
        let mut port = String::new();
        if let Some(stdout) = process.stdout.take() {
            BufReader::new(stdout).read_line(&mut port).map_err(failed)?;
        }
        let mut moto = Self {
            process,
            address: SocketAddr::new(address, 0),
        };
        let port = port
            .trim()
            .parse()
            .map_err(|_| failed(std::io::Error::other("it did not say its port")))?;
        moto.address.set_port(port);
        Ok(moto)
    }

    /// Tells the emulator something, or asks it: `POST` of JSON to `faults` makes trouble, `GET` of `calls` says what was asked
    /// of it, `POST` to `settings` lets states take their time. Its answer is JSON. `scripts/aws/emulator.py` has all of it.
    ///
    /// # Errors
    ///
    /// When it does not take that, and when it cannot be reached: it has TLS, for one.
    pub fn tell(&self, method: &str, path: &str, given: &str) -> Result<String, LabError> {
        tell(self.address, method, path, given)
    }
}

/// What the emulator at `address` answers when it is asked for something.
pub(crate) fn ask<T: DeserializeOwned>(address: SocketAddr, path: &str) -> Result<T, LabError> {
    let told = tell(address, "GET", path, "")?;
    serde_json::from_str(&told).map_err(|error| {
        LabError::refused(
            format!("what the emulator tells of {path} is not understood: {error}"),
            format!("see what scripts/aws/emulator.py does for GET {path}, and who reads that in src/cloud"),
        )
    })
}

/// Tells the emulator at `address` something, as [`Moto::tell`] does.
pub(crate) fn tell(address: SocketAddr, method: &str, path: &str, given: &str) -> Result<String, LabError> {
    let failed = |source| LabError::File {
        what: "tell moto at",
        path: PathBuf::from(format!("http://{address}/_keelson/{path}")),
        source,
    };
    let mut stream = TcpStream::connect(address).map_err(failed)?;
    stream.set_read_timeout(Some(TELL_LIMIT)).map_err(failed)?;
    let length = given.len();
    let fields = format!("Host: localhost\r\nContent-Length: {length}\r\nConnection: close");
    let request = format!("{method} /_keelson/{path} HTTP/1.1\r\n{fields}\r\n\r\n{given}");
    stream.write_all(request.as_bytes()).map_err(failed)?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).map_err(failed)?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_default();
    if head.split(' ').nth(1) == Some("200") {
        return Ok(body.to_owned());
    }
    Err(LabError::Refused {
        what: format!("{method} {path} of {given}: {body}"),
        hint: "scripts/aws/emulator.py says what the emulator takes".to_owned(),
    })
}

impl Drop for Moto {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

/// The Python that [`moto`] has made, in the folder with the emulator; otherwise none, after saying that `test` is skipped.
#[must_use]
pub fn moto_python_or_skip(test: &str) -> Option<Command> {
    match cached::existing(KIND, RECIPE) {
        Ok(Some(folder)) => {
            let mut python = Command::new(python_in(&folder));
            // Otherwise it asks an address for credentials, and leaves files among the sources.
            python
                .current_dir(SCRIPTS)
                .env("AWS_EC2_METADATA_DISABLED", "true")
                .env("PYTHONDONTWRITEBYTECODE", "1");
            Some(python)
        }
        Ok(None) => {
            crate::skip(test, "there is no moto; `test-hosts moto` makes it");
            None
        }
        Err(error) => {
            crate::skip(test, error);
            None
        }
    }
}

fn python_in(folder: &Path) -> PathBuf {
    folder.join("bin/python")
}
