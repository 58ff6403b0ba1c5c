//! The machine that keelson runs on, without SSH.

use std::net::Ipv4Addr;
use std::os::unix::fs::MetadataExt;
use std::process::Stdio;
use std::sync::Arc;

use async_trait::async_trait;
use tokio::process::Command;
use tokio::sync::mpsc::Sender;

use crate::options::Access;
use crate::session::pump::{Ear, converse, while_wanted};
use crate::session::root::{self, Root, error, judge, no_root};
use crate::shell::{Forward, HostError, HostErrorKind, Job, OnLine, Output, Shell};
use crate::target::Target;

/// Runs scripts on this machine: as root, or with sudo that asks for nothing or for the password that was given.
pub(crate) struct LocalShell {
    target: Target,
    access: Arc<Access>,
}

impl LocalShell {
    pub(crate) fn new(target: Target, access: Arc<Access>) -> Self {
        Self { target, access }
    }

    /// How this process becomes root.
    fn root(&self) -> Result<Root, HostError> {
        // The owner of that folder is who runs this process.
        let own = std::fs::metadata("/proc/self").map_err(|cause| {
            error(
                &self.target,
                HostErrorKind::Denied,
                format!("cannot read /proc/self: {cause}"),
            )
        })?;
        Ok(match (own.uid(), &self.access.sudo_password) {
            (0, _) => Root::Already,
            (_, None) => Root::Sudo,
            (_, Some(_)) => Root::SudoWithPassword,
        })
    }

    /// Runs `job` within its time; what it writes to stdout is for `ear`.
    async fn attend(&self, job: &Job<'_>, ear: Ear<'_>) -> Result<Output, HostError> {
        let root = self.root()?;
        let limit = job.timeout.saturating_add(root::GRACE);
        tokio::select! {
            output = self.converse(job, root, ear) => output,
            () = self.access.clock.sleep(limit) => {
                Err(error(&self.target, HostErrorKind::Lost, format!("{} does not end", job.name)))
            }
        }
    }

    async fn converse(&self, job: &Job<'_>, root: Root, ear: Ear<'_>) -> Result<Output, HostError> {
        let words = root::command(job, root);
        let (program, arguments) = words
            .split_first()
            .map_or(("true", &[][..]), |(first, rest)| (first, rest));
        let spawned = Command::new(program)
            .args(arguments)
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        let mut child = spawned.map_err(|cause| {
            error(
                &self.target,
                HostErrorKind::Denied,
                format!("cannot run {program}: {cause}"),
            )
        })?;
        let preface = root::preface(root, self.access.sudo_password.as_ref());
        let said = converse(
            &[preface.expose(), &job.input],
            child.stdin.take(),
            child.stdout.take(),
            child.stderr.take(),
            ear,
        )
        .await;
        let status = child.wait().await.map_err(|cause| {
            error(
                &self.target,
                HostErrorKind::Lost,
                format!("{} cannot be waited for: {cause}", job.name),
            )
        })?;
        if !said.began && root != Root::Already {
            let given = self.access.sudo_password.is_some();
            return Err(no_root(&self.target, "the user", given, &said.stderr));
        }
        judge(&self.target, job, status.code().unwrap_or(137), said)
    }
}

#[async_trait]
impl Shell for LocalShell {
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

    /// Every port of this machine's own is here already.
    async fn forward(&self, port: u16) -> Result<Forward, HostError> {
        Ok(Forward::new((Ipv4Addr::LOCALHOST, port).into(), ()))
    }
}
