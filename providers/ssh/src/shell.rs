//! Running something as root on a host, however it is reached.

use std::any::Any;
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use async_trait::async_trait;
use keelson_provider_api::{ErrorClass, ProviderError};
use tokio::sync::mpsc::Sender;

/// Something to run as root on a host.
#[derive(Clone)]
pub struct Job<'a> {
    /// What it does, for messages: `read facts`.
    pub name: &'static str,
    /// A POSIX shell script. It is the same for every host: what differs comes as arguments.
    pub script: &'a str,
    /// Its arguments, `$1` and on.
    pub arguments: Vec<String>,
    /// What it reads from stdin.
    pub input: Vec<u8>,
    /// After how long it is given up.
    pub timeout: Duration,
}

impl fmt::Debug for Job<'_> {
    /// Without the input, which may be secret.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Job")
            .field("name", &self.name)
            .field("arguments", &self.arguments)
            .field("input_bytes", &self.input.len())
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

/// What a script said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// Its exit status.
    pub status: i32,
    /// What it wrote to stdout; the end of it where it wrote more than a bound.
    pub stdout: String,
    /// What it wrote to stderr; the end of it where it wrote more than a bound.
    pub stderr: String,
}

/// Why nothing, or nothing whole, is known of what a script did.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{host} ({address}): {problem}")]
pub struct HostError {
    /// The host's name in the spec.
    pub host: String,
    /// The address that was tried.
    pub address: String,
    /// What kind of trouble it is.
    pub kind: HostErrorKind,
    /// What happened, in ssh's own words where there are any.
    pub problem: String,
    /// What to do about it.
    pub help: Option<String>,
}

/// What kind of trouble a host makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HostErrorKind {
    /// It does not answer. Surely nothing was done.
    Unreachable,
    /// Its key is not known, or another one than before. Surely nothing was done.
    HostKey,
    /// It does not let this user in, or does not let this user become root. Surely nothing was done.
    Denied,
    /// The connection ended, or the time ran out, while the script ran: it may have done anything.
    Lost,
}

/// Who hears the lines that a script writes to stdout. (A name of its own, because `async_trait` would give the `&str` of a
/// `Fn(&str)` in a signature one lifetime for all calls.)
pub type OnLine<'a> = dyn Fn(&str) + Send + Sync + 'a;

/// A way to run scripts on one host.
#[async_trait]
pub trait Shell: Send + Sync {
    /// The host's name in the spec.
    fn host(&self) -> &str;

    /// Runs `job` and gives what it said. Each line that it writes to stdout is told to `on_line` as it comes.
    ///
    /// # Errors
    /// [`HostError`]; a script that ran and failed is no error but an [`Output`] with its status.
    async fn run(&self, job: &Job<'_>, on_line: &OnLine<'_>) -> Result<Output, HostError>;

    /// Runs `job` and sends what it writes to stdout to `pieces`, byte for byte, in pieces of at most
    /// [`PIECE_BYTES`](keelson_provider_api::bulk::PIECE_BYTES): never more of it is in memory than one piece and those in the
    /// channel. The script waits while nobody takes them; that counts as its time. What it gives in the end has no stdout.
    ///
    /// Whoever wants no more drops the other end. The script then ends by what it writes next, or when its time is over; that
    /// is waited for a few seconds, and the status says nothing.
    ///
    /// # Errors
    /// [`HostError`]; what was sent before is what the script wrote. This is also the answer of those who only hear lines.
    async fn stream(&self, job: &Job<'_>, pieces: Sender<Vec<u8>>) -> Result<Output, HostError> {
        drop(pieces);
        Err(HostError {
            host: self.host().to_owned(),
            address: self.host().to_owned(),
            kind: HostErrorKind::Denied,
            problem: format!("there is no way to {} piece by piece", job.name),
            help: None,
        })
    }

    /// Opens a way from this machine to a TCP port on the host's own loopback.
    ///
    /// # Errors
    /// [`HostError`] when the host cannot be reached, or lets nobody through; this is also the answer of those who have no
    /// such ways.
    async fn forward(&self, port: u16) -> Result<Forward, HostError> {
        Err(HostError {
            host: self.host().to_owned(),
            address: self.host().to_owned(),
            kind: HostErrorKind::Denied,
            problem: format!("there is no way to its port {port}"),
            help: None,
        })
    }
}

/// A way to a port of a host, open for as long as the value lives and the connection stands.
pub struct Forward {
    /// Where to connect to on this machine.
    pub address: SocketAddr,
    /// What keeps it open.
    guard: Box<dyn Any + Send + Sync>,
}

impl Forward {
    /// A way at `address` that `guard` keeps open.
    pub fn new(address: SocketAddr, guard: impl Any + Send + Sync) -> Self {
        Self {
            address,
            guard: Box::new(guard),
        }
    }
}

impl fmt::Debug for Forward {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The guard is there to be dropped.
        let _ = &self.guard;
        formatter
            .debug_struct("Forward")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

impl From<HostError> for ProviderError {
    fn from(error: HostError) -> Self {
        let class = match error.kind {
            HostErrorKind::Unreachable => ErrorClass::Unreachable,
            // It answered: the next call tells whether it still does.
            HostErrorKind::Lost => ErrorClass::Transient,
            HostErrorKind::HostKey | HostErrorKind::Denied => ErrorClass::Permanent,
        };
        let help = error.help.clone();
        Self {
            help,
            ..Self::new(class, error.to_string())
        }
    }
}
