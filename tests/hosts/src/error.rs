//! What can go wrong with a lab.

use std::path::{Path, PathBuf};
use std::time::Duration;

/// Why a lab, or one of its hosts, did not do what it was asked to.
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    /// Namespaces, mounts and interfaces are made by root alone. Tests take this one for a reason to be skipped.
    #[error("test hosts need root: namespaces, mounts and network interfaces; run this as root")]
    NeedsRoot,
    /// Programs of this machine that are not installed.
    #[error("test hosts need {}; on Debian: apt-get install {}", programs.join(", "), packages.join(" "))]
    NeedsPrograms {
        /// What was looked for in `PATH` and not found.
        programs: Vec<&'static str>,
        /// The packages of Debian that bring them.
        packages: Vec<&'static str>,
    },
    /// Options that cannot be, or a request that does not fit the host.
    #[error("{what}; {hint}")]
    Refused {
        /// What was asked for, and why it cannot be.
        what: String,
        /// What to do instead.
        hint: String,
    },
    /// A file could not be read or written.
    #[error("{what} {}: {source}", path.display())]
    File {
        /// What was tried, in words that stand before the path.
        what: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A program failed.
    #[error("`{command}` failed with {status}: {stderr}")]
    Command {
        /// The program and its arguments.
        command: String,
        /// How it ended.
        status: String,
        /// The end of what it said.
        stderr: String,
    },
    /// Something did not come about in time.
    #[error("{what} after {} s; {hint}", after.as_secs_f32())]
    TooLate {
        /// What did not come about.
        what: String,
        /// How long it was waited for.
        after: Duration,
        /// Where to look.
        hint: String,
    },
    /// The host is off, or went off while it was waited for.
    #[error("host {host} is off; the end of its console:\n{console}")]
    HostOff {
        /// The host's name.
        host: String,
        /// The last lines that its boot wrote.
        console: String,
    },
}

impl LabError {
    /// Whether a test has reason to be skipped rather than to fail: the machine is not one for test hosts.
    pub fn is_reason_to_skip(&self) -> bool {
        matches!(self, Self::NeedsRoot)
    }

    /// The same failure of a command, under a name that is shorter than the whole command.
    pub(crate) fn of_command(self, name: &str) -> Self {
        match self {
            Self::Command { status, stderr, .. } => Self::Command {
                command: name.to_owned(),
                status,
                stderr,
            },
            other => other,
        }
    }

    pub(crate) fn refused(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Refused {
            what: what.into(),
            hint: hint.into(),
        }
    }
}

/// Names the file that an operation was about.
pub(crate) trait AboutFile<T> {
    fn about(self, what: &'static str, path: &Path) -> Result<T, LabError>;
}

impl<T> AboutFile<T> for Result<T, std::io::Error> {
    fn about(self, what: &'static str, path: &Path) -> Result<T, LabError> {
        self.map_err(|source| LabError::File {
            what,
            path: path.to_owned(),
            source,
        })
    }
}
