//! Running scripts over SSH: one connection a host, opened when it is needed, and again after it was lost.

mod forward;
pub(crate) mod login;
mod master;
mod pins;
mod published;
pub(crate) mod pump;
pub(crate) mod root;
mod trouble;
mod way;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use keelson_provider_api::with_causes;
use openssh::{Error, Stdio};
use tokio::sync::mpsc::Sender;
use tokio::sync::{Mutex, Semaphore};

use crate::exit_status;
use crate::options::Access;
use crate::records::Records;
use crate::shell::{Forward, HostError, HostErrorKind, Job, OnLine, Output, Shell};
use crate::target::Target;
use master::Master;
use pump::{Ear, converse, while_wanted};
use root::{GRACE, error, judge};

/// sshd lets 10 commands run at once on a connection (`MaxSessions` in `sshd_config(5)`).
const COMMANDS_AT_ONCE: usize = 8;
/// So often a command is asked for again that sshd did not let begin.
const REFUSALS_LIMIT: u32 = 6;
/// The pause before the second attempt; each one after it is longer by as much.
const REFUSAL_PAUSE: Duration = Duration::from_millis(250);
/// As long as ssh on this machine may take to say that a connection stands.
const CHECK_LIMIT: Duration = Duration::from_secs(5);
/// What a shell says when it does not know a command.
const STATUS_NOT_FOUND: i32 = 127;

/// Runs scripts on a host over SSH.
pub(crate) struct SshShell {
    target: Target,
    access: Arc<Access>,
    records: Records,
    connection: Mutex<Connection>,
    /// How often a connection was tried so far.
    attempts: AtomicU64,
    commands: Semaphore,
}

#[derive(Default)]
struct Connection {
    master: Option<Arc<Master>>,
    failure: Option<HostError>,
}

impl SshShell {
    pub(crate) fn new(target: Target, access: Arc<Access>, records: Records) -> Self {
        Self {
            target,
            access,
            records,
            connection: Mutex::default(),
            attempts: AtomicU64::new(0),
            commands: Semaphore::new(COMMANDS_AT_ONCE),
        }
    }

    /// The connection. Who waited while someone else tried in vain takes that answer for its own, so that a host that
    /// does not answer is waited for once.
    async fn connect(&self) -> Result<Arc<Master>, HostError> {
        let seen = self.attempts.load(Ordering::SeqCst);
        let mut connection = self.connection.lock().await;
        if let Some(master) = &connection.master
            && self.stands(master).await
        {
            return Ok(Arc::clone(master));
        }
        connection.master = None;
        if self.attempts.load(Ordering::SeqCst) != seen
            && let Some(failure) = &connection.failure
        {
            return Err(failure.clone());
        }
        let opened = Master::open(&self.target, &self.access, &self.records).await;
        self.attempts.fetch_add(1, Ordering::SeqCst);
        match opened {
            Ok(master) => {
                let master = Arc::new(master);
                connection.failure = None;
                connection.master = Some(Arc::clone(&master));
                Ok(master)
            }
            Err(failure) => {
                connection.failure = Some(failure.clone());
                Err(failure)
            }
        }
    }

    /// Runs `job` within its time; what it writes to stdout is for `ear`.
    async fn attend(&self, job: &Job<'_>, ear: Ear<'_>) -> Result<Output, HostError> {
        let _turn = self.commands.acquire().await;
        let master = self.connect().await?;
        let limit = job.timeout.saturating_add(GRACE);
        tokio::select! {
            output = self.converse(&master, job, ear) => output,
            () = self.access.clock.sleep(limit) => {
                let late = format!("{} did not end within {} s", job.name, limit.as_secs());
                Err(error(&self.target, HostErrorKind::Lost, late)
                    .with_help(format!("see what {} is busy with; it ends the script by itself", self.target.name)))
            }
        }
    }

    async fn stands(&self, master: &Master) -> bool {
        tokio::select! {
            checked = master.session.check() => checked.is_ok(),
            () = self.access.clock.sleep(CHECK_LIMIT) => false,
        }
    }

    async fn converse(&self, master: &Master, job: &Job<'_>, ear: Ear<'_>) -> Result<Output, HostError> {
        let begun = self.access.clock.now();
        let words = root::command(job, master.root);
        let (program, arguments) = words
            .split_first()
            .map_or(("true", &[][..]), |(first, rest)| (first, rest));
        let mut refusals = 0;
        let mut child = loop {
            let spawned = master
                .session
                .command(program)
                .args(arguments)
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .await;
            match spawned {
                Ok(child) => break child,
                Err(cause) if refusals < REFUSALS_LIMIT && was_refused(&cause) => {
                    refusals += 1;
                    self.access.clock.sleep(REFUSAL_PAUSE * refusals).await;
                }
                Err(cause) => return Err(self.lost(master, job, &cause)),
            }
        };
        let preface = root::preface(master.root, self.access.sudo_password.as_ref());
        let (stdin, stdout, stderr) = (child.stdin().take(), child.stdout().take(), child.stderr().take());
        let said = converse(&[preface.expose(), &job.input], stdin, stdout, stderr, ear).await;
        let status = match child.wait().await {
            Ok(status) => status.code(),
            Err(Error::Remote(_)) => Some(STATUS_NOT_FOUND),
            // A signal ended it, or the connection is gone. `timeout` kills itself together with what it kills.
            Err(Error::RemoteProcessTerminated) if self.is_over(job, begun) && self.stands(master).await => {
                Some(exit_status::KILLED)
            }
            Err(cause) => return Err(self.lost(master, job, &cause)),
        };
        match status {
            Some(status) => judge(&self.target, job, status, said),
            None => Err(self.lost(master, job, &Error::RemoteProcessTerminated)),
        }
    }

    fn is_over(&self, job: &Job<'_>, begun: Timestamp) -> bool {
        let taken = Duration::try_from(self.access.clock.now().duration_since(begun));
        taken.is_ok_and(|taken| taken >= job.timeout)
    }

    fn lost(&self, master: &Master, job: &Job<'_>, cause: &Error) -> HostError {
        let words = master.last_words().unwrap_or_else(|| cause.to_string());
        error(
            &self.target,
            HostErrorKind::Lost,
            format!("the connection ended while it was to {}: {words}", job.name),
        )
        .with_help(format!(
            "see whether {} is up and answers: ssh {}",
            self.target.name, self.target.address
        ))
    }
}

/// True when sshd did not let a command begin, surely without effect: it counts those that have just ended for a moment
/// longer than ssh does (`mux_session_confirm` in OpenSSH's mux.c).
fn was_refused(cause: &Error) -> bool {
    with_causes(cause).contains("refused by peer")
}

#[async_trait]
impl Shell for SshShell {
    fn host(&self) -> &str {
        &self.target.name
    }

    async fn run(&self, job: &Job<'_>, on_line: &OnLine<'_>) -> Result<Output, HostError> {
        self.attend(job, Ear::Lines(on_line)).await
    }

    async fn stream(&self, job: &Job<'_>, pieces: Sender<Vec<u8>>) -> Result<Output, HostError> {
        let work = self.attend(job, Ear::Pieces(&pieces));
        while_wanted(&pieces, &*self.access.clock, work).await
    }

    async fn forward(&self, port: u16) -> Result<Forward, HostError> {
        let master = self.connect().await?;
        let opened = forward::forward(&master, &*self.access.clock, port).await;
        opened.map_err(|problem| {
            error(
                &self.target,
                HostErrorKind::Denied,
                format!("its port {port} cannot be reached through ssh: {problem}"),
            )
            .with_help(format!(
                "see that sshd on {} has AllowTcpForwarding yes, or local",
                self.target.name
            ))
        })
    }
}
