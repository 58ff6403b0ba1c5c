//! The way to a host: which keys of it are believed, with which key to log in, and where it is.
//!
//! Hosts that stand somewhere are reached as the user's own ssh would reach them. Machines that keelson makes are reached as
//! whoever makes them says ([`Whereabouts`](crate::Whereabouts)), and nothing of the user's has a say in it.

use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::process::Stdio;

use tempfile::TempDir;
use tokio::process::Command;

use super::root::error;
use super::{pins, published, trouble};
use crate::options::Access;
use crate::records::Records;
use crate::shell::{HostError, HostErrorKind};
use crate::target::Target;

/// A control socket's path may have about 80 characters, so it is in no folder of the user's choice.
const SOCKETS: &str = "/tmp";
/// ssh's own defaults for a user's known hosts (`UserKnownHostsFile` in `ssh_config(5)`).
const KNOWN_HOSTS: &str = "~/.ssh/known_hosts ~/.ssh/known_hosts2";
/// The file with pinned keys, in the folder of a connection.
pub(super) const PINS_FILE: &str = "known_hosts";

/// The way to one host.
pub(super) struct Way {
    /// The connection's own folder.
    pub(super) folder: TempDir,
    /// The user that ssh logs in as; nothing where it did not say.
    pub(super) user: Option<String>,
    /// True when a key of the host is known beforehand.
    pub(super) is_pinned: bool,
    /// The arguments that say which keys of the host are believed, and with which key to log in.
    pub(super) trust: Vec<OsString>,
    /// The arguments that say which host is meant.
    pub(super) destination: Vec<OsString>,
    /// True when a key that ssh believed is to be remembered.
    learns: bool,
}

impl Way {
    /// The way to `target` now.
    pub(super) async fn to(target: &Target, access: &Access, records: &Records) -> Result<Self, HostError> {
        if let Some(whereabouts) = &access.whereabouts {
            let folder = folder(target)?;
            let user = published::write(target, access, &**whereabouts, folder.path()).await?;
            return Ok(Self {
                destination: published::destination(folder.path()),
                folder,
                user: Some(user),
                is_pinned: true,
                trust: connect_timeout(access),
                learns: false,
            });
        }
        let effective = effective(target, access).await?;
        let pinned = pins::known(target, records).await?;
        let folder = folder(target)?;
        // The file is read for this host alone, whatever it is called on the way.
        pins::write(&folder.path().join(PINS_FILE), &pinned).map_err(|cause| unprepared(target, &cause))?;
        Ok(Self {
            trust: trust(access, folder.path(), &effective),
            destination: destination(target, access),
            folder,
            user: effective.user,
            is_pinned: !pinned.is_empty(),
            learns: access.accept_new_host_keys,
        })
    }

    /// Remembers the keys that ssh wrote down, where the user allows it.
    pub(super) async fn learn(&self, target: &Target, records: &Records) -> Result<(), HostError> {
        if !self.learns {
            return Ok(());
        }
        let seen = fs::read_to_string(self.folder.path().join(PINS_FILE)).map_err(|cause| {
            error(
                target,
                HostErrorKind::HostKey,
                format!("the host key that ssh wrote down cannot be read: {cause}"),
            )
        })?;
        pins::remember(target, records, &seen).await
    }
}

fn folder(target: &Target) -> Result<TempDir, HostError> {
    let made = tempfile::Builder::new().prefix("keelson-").tempdir_in(SOCKETS);
    made.map_err(|cause| unprepared(target, &cause))
}

pub(super) fn unprepared(target: &Target, cause: &std::io::Error) -> HostError {
    let problem = format!("cannot prepare a connection in {SOCKETS}: {cause}");
    error(target, HostErrorKind::Unreachable, problem)
}

fn connect_timeout(access: &Access) -> Vec<OsString> {
    let option = format!("ConnectTimeout={}", access.connect_limit.as_secs().max(1));
    vec!["-o".into(), option.into()]
}

/// What ssh makes of its configuration for one host: the output of `ssh -G`.
struct Effective {
    user: Option<String>,
    known_hosts: String,
}

/// The arguments that say which host is meant.
fn destination(target: &Target, access: &Access) -> Vec<OsString> {
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
fn trust(access: &Access, folder: &Path, effective: &Effective) -> Vec<OsString> {
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
        format!("StrictHostKeyChecking={checking}"),
        files,
        "UpdateHostKeys=no".to_owned(),
    ];
    if access.identity.is_some() {
        options.push("IdentitiesOnly=yes".to_owned());
    }
    let options = options.into_iter();
    let mut arguments = connect_timeout(access);
    arguments.extend(options.flat_map(|option| [OsString::from("-o"), option.into()]));
    if let Some(identity) = &access.identity {
        arguments.extend([OsString::from("-i"), identity.into()]);
    }
    arguments
}

async fn effective(target: &Target, access: &Access) -> Result<Effective, HostError> {
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
