//! One connection: an ssh of the system that others share.
//!
//! ssh is started as its manual page says under `ControlMaster`, so the user's own configuration, agent, keys and jump
//! hosts are in force. It goes to the background once the user is let in, and ends by itself after [`IDLE_SECONDS`]
//! without a command, also when keelson was killed.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::Stdio;

use openssh::Session;
use tokio::process::Command;

use super::forward::Forwards;
use super::root::{Root, error, no_root, one_line, user};
use super::way::Way;
use super::{pump, trouble};
use crate::options::Access;
use crate::records::Records;
use crate::shell::{HostError, HostErrorKind};
use crate::target::Target;

const PROBE: &str = include_str!("../scripts/probe.sh");
const IDLE_SECONDS: u32 = 120;
/// What ssh says, in the folder of a connection.
const LOG_FILE: &str = "log";
/// What a connection for scripts needs.
const OPTIONS: [&str; 8] = [
    "BatchMode=yes",
    "ConnectionAttempts=1",
    // A host that is gone is noticed after 15 to 20 seconds.
    "ServerAliveInterval=5",
    "ServerAliveCountMax=3",
    "LogLevel=INFO",
    // Commands of the user's configuration that belong to a session of its own.
    "RemoteCommand=none",
    "ClearAllForwardings=yes",
    "PermitLocalCommand=no",
];

/// A connection that stands, or stood.
pub(super) struct Master {
    pub(super) session: Session,
    pub(super) root: Root,
    pub(super) forwards: Forwards,
    log: PathBuf,
}

impl Master {
    /// Connects to `target` and finds out how to become root there.
    pub(super) async fn open(target: &Target, access: &Access, records: &Records) -> Result<Self, HostError> {
        tokio::select! {
            opened = connect(target, access, records) => opened,
            () = access.clock.sleep(access.connect_limit.saturating_mul(2)) => {
                Err(trouble::too_late(target, access.connect_limit.saturating_mul(2)))
            }
        }
    }

    /// Why the connection ended, as ssh wrote it down.
    pub(super) fn last_words(&self) -> Option<String> {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let last = log.lines().rev().map(str::trim).find(|line| !line.is_empty());
        last.map(one_line)
    }
}

async fn connect(target: &Target, access: &Access, records: &Records) -> Result<Master, HostError> {
    let way = Way::to(target, access, records).await?;
    launch(target, &way).await?;
    way.learn(target, records).await?;
    let log = way.folder.path().join(LOG_FILE);
    let session = Session::new_native_mux(way.folder);
    let root = match way.user.as_deref() {
        Some("root") => Root::Already,
        user => find_root(&session, target, access, user).await?,
    };
    Ok(Master {
        session,
        root,
        forwards: Forwards::default(),
        log,
    })
}

/// Starts ssh, which returns as soon as the host has let it in.
async fn launch(target: &Target, way: &Way) -> Result<(), HostError> {
    let file = |name: &str| way.folder.path().join(name);
    // What a jump host's ssh says does not go to the log.
    let errors = File::create(file("errors")).map_err(|cause| trouble::no_ssh(target, &cause))?;
    let mut command = Command::new("ssh");
    command
        .arg("-E")
        .arg(file(LOG_FILE))
        .arg("-S")
        .arg(file("master"));
    command.args(["-M", "-f", "-N", "-T", "-x", "-a"]);
    for option in OPTIONS {
        command.args(["-o", option]);
    }
    command.args(["-o", &format!("ControlPersist={IDLE_SECONDS}s")]);
    command.args(&way.trust).args(&way.destination);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(errors)
        .kill_on_drop(true);
    let status = command
        .status()
        .await
        .map_err(|cause| trouble::no_ssh(target, &cause))?;
    if status.success() {
        return Ok(());
    }
    let read = |name: &str| {
        let bytes = fs::read(file(name)).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    };
    Err(trouble::interpret(
        target,
        &format!("{}\n{}", read("errors"), read(LOG_FILE)),
        way.is_pinned,
    ))
}

/// Finds out how the user becomes root, once a connection.
async fn find_root(
    session: &Session,
    target: &Target,
    access: &Access,
    name: Option<&str>,
) -> Result<Root, HostError> {
    let name = name.unwrap_or_else(|| user(target));
    let said = ask(session, target, &["sh", "-c", PROBE], &[]).await?;
    if said.stdout.contains("keelson-root") {
        return Ok(Root::Already);
    }
    if said.stdout.contains("keelson-sudo") {
        return Ok(Root::Sudo);
    }
    let Some(password) = &access.sudo_password else {
        return Err(no_root(target, name, false, &said.stderr));
    };
    let words = [
        "sudo",
        "-k",
        "-S",
        "-p",
        "",
        "--",
        "sh",
        "-c",
        "echo keelson-sudo",
    ];
    let said = ask(session, target, &words, &[password.expose().as_bytes(), b"\n"]).await?;
    if said.stdout.contains("keelson-sudo") {
        return Ok(Root::SudoWithPassword);
    }
    Err(no_root(target, name, true, &said.stderr))
}

async fn ask(
    session: &Session,
    target: &Target,
    words: &[&str],
    input: &[&[u8]],
) -> Result<pump::Said, HostError> {
    let failed = |cause: openssh::Error| {
        error(
            target,
            HostErrorKind::Unreachable,
            format!("the connection ended at once: {cause}"),
        )
    };
    let (program, arguments) = words
        .split_first()
        .map_or(("true", &[][..]), |(first, rest)| (*first, rest));
    let mut command = session.command(program);
    command.args(arguments).stdin(openssh::Stdio::piped());
    command
        .stdout(openssh::Stdio::piped())
        .stderr(openssh::Stdio::piped());
    let mut child = command.spawn().await.map_err(failed)?;
    let (stdin, stdout, stderr) = (child.stdin().take(), child.stdout().take(), child.stderr().take());
    Ok(pump::converse(input, stdin, stdout, stderr, pump::Ear::Nobody).await)
}
