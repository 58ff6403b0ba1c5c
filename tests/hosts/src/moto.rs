//! An emulator of AWS, for tests that talk to one.

use std::io::{BufRead, BufReader};
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::{LabError, cached};

const PACKAGES: &str = include_str!("../scripts/moto.txt");
const RECIPE: &str = concat!(
    include_str!("../scripts/moto.txt"),
    include_str!("../scripts/moto.sh")
);
const SCRIPT: &str = include_str!("../scripts/moto.sh");
const SERVER: &str = include_str!("../scripts/moto.py");
const KIND: &str = "moto";
/// On a slow line; 40 seconds on a fast one.
const LIMIT_SECONDS: u32 = 15 * 60;

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

/// S3 as moto plays it, with one bucket. It is gone when this is dropped, and also when this process dies.
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
        let Some(python) = python_or_skip(test) else {
            return Ok(None);
        };
        let failed = |source| LabError::File {
            what: "start moto by",
            path: python.clone(),
            source,
        };
        let mut process = Command::new(&python)
            .args(["-c", SERVER, &address.to_string(), bucket])
            .args(files)
            .env("AWS_EC2_METADATA_DISABLED", "true")
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
        Ok(Some(moto))
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

/// The Python that [`moto`] has made; otherwise none, after saying that `test` is skipped.
fn python_or_skip(test: &str) -> Option<PathBuf> {
    match cached::existing(KIND, RECIPE) {
        Ok(Some(folder)) => Some(python_in(&folder)),
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
