//! One connection: an ssh of the system that others share.
//!
//! ssh is started as its manual page says under `ControlMaster`, so the user's own configuration, agent, keys and jump
//! hosts are in force. It goes to the background once the user is let in, and ends by itself after [`IDLE_SECONDS`]
//! without a command, also when keelson was killed.

use std::ffi::OsString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use openssh::Session;
use tempfile::TempDir;
use tokio::process::Command;

use super::forward::Forwards;
use super::root::{Root, error, no_root, one_line, user};
use super::{pins, pump, trouble};
use crate::options::Access;
use crate::records::Records;
use crate::shell::{HostError, HostErrorKind};
use crate::target::Target;

const PROBE: &str = include_str!("../scripts/probe.sh");
const IDLE_SECONDS: u32 = 120;
/// A control socket's path may have about 80 characters, so it is in no folder of the user's choice.
const SOCKETS: &str = "/tmp";
/// ssh's own defaults for a user's known hosts (`UserKnownHostsFile` in `ssh_config(5)`).
const KNOWN_HOSTS: &str = "~/.ssh/known_hosts ~/.ssh/known_hosts2";
/// The file with pinned keys, in the folder of a connection.
const PINS_FILE: &str = "known_hosts";

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

/// What ssh makes of its configuration for one host: the output of `ssh -G`.
pub(super) struct Effective {
    user: Option<String>,
    known_hosts: String,
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

/// A folder for one connection, with the keys that are pinned for its host, and how many those are.
pub(super) async fn prepare(target: &Target, records: &Records) -> Result<(TempDir, usize), HostError> {
    let here = |cause: std::io::Error| {
        error(
            target,
            HostErrorKind::Unreachable,
            format!("cannot prepare a connection in {SOCKETS}: {cause}"),
        )
    };
    let pinned = pins::known(target, records).await?;
    let folder = tempfile::Builder::new()
        .prefix("keelson-")
        .tempdir_in(SOCKETS)
        .map_err(here)?;
    // The file is read for this host alone, whatever it is called on the way.
    let lines: Vec<_> = pinned.iter().map(|key| format!("* {key}\n")).collect();
    fs::write(folder.path().join(PINS_FILE), lines.concat()).map_err(here)?;
    Ok((folder, pinned.len()))
}

/// Remembers the keys that ssh wrote down in `folder`, where the user allows it.
pub(super) async fn learn(
    target: &Target,
    access: &Access,
    records: &Records,
    folder: &Path,
) -> Result<(), HostError> {
    if !access.accept_new_host_keys {
        return Ok(());
    }
    let seen = fs::read_to_string(folder.join(PINS_FILE)).map_err(|cause| {
        error(
            target,
            HostErrorKind::HostKey,
            format!("the host key that ssh wrote down cannot be read: {cause}"),
        )
    })?;
    pins::remember(target, records, &seen).await
}

async fn connect(target: &Target, access: &Access, records: &Records) -> Result<Master, HostError> {
    let effective = effective(target, access).await?;
    let (folder, pinned) = prepare(target, records).await?;
    launch(target, access, &folder, &effective, pinned > 0).await?;
    let log = folder.path().join("log");
    learn(target, access, records, folder.path()).await?;
    let session = Session::new_native_mux(folder);
    let root = match effective.user.as_deref() {
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

/// The arguments that say which host is meant.
pub(super) fn destination(target: &Target, access: &Access) -> Vec<OsString> {
    let mut arguments = Vec::new();
    if let Some(file) = &access.config_file {
        arguments.extend([OsString::from("-F"), file.into()]);
    }
    if let Some(user) = &target.user {
        arguments.extend(["-l", user].map(OsString::from));
    }
    if let Some(port) = target.port {
        arguments.extend(["-p".into(), port.to_string().into()]);
    }
    arguments.extend(["--", &target.address].map(OsString::from));
    arguments
}

/// The arguments that say which keys of the host are believed, and with which key to log in.
pub(super) fn trust(access: &Access, folder: &Path, effective: &Effective) -> Vec<OsString> {
    let checking = if access.accept_new_host_keys {
        "accept-new"
    } else {
        "yes"
    };
    // The first file is the one that a new key is written to.
    let files = format!(
        "UserKnownHostsFile=\"{}\" {}",
        folder.join(PINS_FILE).display(),
        effective.known_hosts
    );
    let mut options = vec![
        format!("ConnectTimeout={}", access.connect_limit.as_secs().max(1)),
        format!("StrictHostKeyChecking={checking}"),
        files,
        "UpdateHostKeys=no".to_owned(),
    ];
    if access.identity.is_some() {
        options.push("IdentitiesOnly=yes".to_owned());
    }
    let options = options.into_iter();
    let mut arguments: Vec<OsString> = options.flat_map(|option| ["-o".into(), option.into()]).collect();
    if let Some(identity) = &access.identity {
        arguments.extend([OsString::from("-i"), identity.into()]);
    }
    arguments
}

pub(super) async fn effective(target: &Target, access: &Access) -> Result<Effective, HostError> {
    let mut command = Command::new("ssh");
    command.arg("-G").stdin(Stdio::null()).kill_on_drop(true);
    command.args(destination(target, access));
    let output = command
        .output()
        .await
        .map_err(|cause| trouble::no_ssh(target, &cause))?;
    if !output.status.success() {
        return Err(trouble::interpret(
            target,
            &String::from_utf8_lossy(&output.stderr),
            false,
        ));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let value = |name: &str| {
        let mut lines = text.lines().filter_map(|line| line.split_once(' '));
        lines
            .find(|(key, _)| *key == name)
            .map(|(_, value)| value.to_owned())
    };
    Ok(Effective {
        user: value("user"),
        known_hosts: match value("userknownhostsfile").as_deref() {
            // It may stand in no list.
            Some("none") => String::new(),
            Some(files) => files.to_owned(),
            None => KNOWN_HOSTS.to_owned(),
        },
    })
}

/// Starts ssh, which returns as soon as the host has let it in.
async fn launch(
    target: &Target,
    access: &Access,
    folder: &TempDir,
    effective: &Effective,
    pinned: bool,
) -> Result<(), HostError> {
    let file = |name: &str| folder.path().join(name);
    // What a jump host's ssh says does not go to the log.
    let errors = File::create(file("errors")).map_err(|cause| trouble::no_ssh(target, &cause))?;
    let mut command = Command::new("ssh");
    command.arg("-E").arg(file("log")).arg("-S").arg(file("master"));
    command.args(["-M", "-f", "-N", "-T", "-x", "-a"]);
    for option in OPTIONS {
        command.args(["-o", option]);
    }
    command.args(["-o", &format!("ControlPersist={IDLE_SECONDS}s")]);
    command.args(trust(access, folder.path(), effective));
    command.args(destination(target, access));
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
        &format!("{}\n{}", read("errors"), read("log")),
        pinned,
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
