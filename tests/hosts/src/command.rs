//! Running the machine's programs, never longer than said.

use std::ffi::OsStr;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::LabError;

/// The shell and systemd of Debian have their programs there; the caller's `PATH` may lack root's.
const SYSTEM_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// What `timeout` answers with when it had to end the program.
const STATUS_TOO_LATE: i32 = 124;
/// So much of what a failed program said is shown.
const SHOWN_LIMIT: usize = 2000;

/// How a program ended, and what it said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// Its exit code; -1 when a signal ended it.
    pub status: i32,
    /// What it wrote to standard output.
    pub stdout: String,
    /// What it wrote to standard error.
    pub stderr: String,
}

impl Output {
    /// Whether it ended with 0.
    pub fn success(&self) -> bool {
        self.status == 0
    }
}

/// A program of this machine, with a limit of time.
pub(crate) struct Tool {
    command: Command,
    shown: String,
    stdin: Vec<u8>,
}

/// The program `name`, which is killed after so many seconds.
pub(crate) fn tool(name: &str, seconds: u32) -> Tool {
    let mut command = Command::new("timeout");
    command.args(["--kill-after=2", &seconds.to_string(), name]);
    let path = match std::env::var("PATH") {
        Ok(path) => format!("{path}:{SYSTEM_PATH}"),
        Err(_) => SYSTEM_PATH.to_owned(),
    };
    command.env("PATH", path).env("LC_ALL", "C.UTF-8");
    Tool {
        command,
        shown: name.to_owned(),
        stdin: Vec::new(),
    }
}

impl Tool {
    pub(crate) fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        let argument = argument.as_ref();
        self.shown.push(' ');
        self.shown.push_str(&argument.to_string_lossy());
        self.command.arg(argument);
        self
    }

    pub(crate) fn args<I, S>(self, arguments: I) -> Self
    where
        I: IntoIterator<Item = S>,
        S: AsRef<OsStr>,
    {
        arguments.into_iter().fold(self, Self::arg)
    }

    /// A word, and more words, separated by blanks: for commands that are easier to read in one piece.
    pub(crate) fn words(self, words: &str) -> Self {
        self.args(words.split_ascii_whitespace())
    }

    pub(crate) fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = bytes.into();
        self
    }

    /// The program's bytes on standard output, once it has ended well.
    pub(crate) fn run_bytes(self) -> Result<Vec<u8>, LabError> {
        let shown = self.shown.clone();
        let output = self.output_bytes()?;
        if output.status.success() {
            return Ok(output.stdout);
        }
        let status = match output.status.code() {
            Some(STATUS_TOO_LATE) => "no end in time".to_owned(),
            _ => output.status.to_string(),
        };
        Err(LabError::Command {
            command: shown,
            status,
            stderr: end_of(&String::from_utf8_lossy(&output.stderr)),
        })
    }

    /// The same as text.
    pub(crate) fn run(self) -> Result<String, LabError> {
        let bytes = self.run_bytes()?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// What it said, however it ended; only a program that could not be started, or did not end in time, is an error.
    pub(crate) fn output(self) -> Result<Output, LabError> {
        let shown = self.shown.clone();
        let output = self.output_bytes()?;
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        match output.status.code() {
            Some(STATUS_TOO_LATE) => Err(LabError::Command {
                command: shown,
                status: "no end in time".to_owned(),
                stderr: end_of(&stderr),
            }),
            code => Ok(Output {
                status: code.unwrap_or(-1),
                stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
                stderr,
            }),
        }
    }

    fn output_bytes(mut self) -> Result<std::process::Output, LabError> {
        let failed = |source| LabError::File {
            what: "failed to run",
            path: Path::new(&self.shown).to_owned(),
            source,
        };
        self.command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = self.command.spawn().map_err(failed)?;
        if let Some(mut stdin) = child.stdin.take() {
            let bytes = std::mem::take(&mut self.stdin);
            // A thread of its own: a program may want to be read before it reads on. One that does not read all of
            // it says why by how it ends.
            std::thread::spawn(move || stdin.write_all(&bytes).ok());
        }
        child.wait_with_output().map_err(failed)
    }
}

/// The last part of a text that may be long.
pub(crate) fn end_of(text: &str) -> String {
    let text = text.trim();
    let start = text.len().saturating_sub(SHOWN_LIMIT);
    let start = (start..=text.len())
        .find(|&index| text.is_char_boundary(index))
        .unwrap_or(0);
    text[start..].to_owned()
}
