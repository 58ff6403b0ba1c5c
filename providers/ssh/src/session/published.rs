//! The way to a machine that keelson makes: whoever makes it says where it is, and which keys it has published.
//!
//! It is all in one file of configuration, so that the ssh which goes through a jump host reads the same.

use std::ffi::OsString;
use std::fs;
use std::path::Path;

use super::pins;
use super::root::error;
use super::way::{PINS_FILE, unprepared};
use crate::options::Access;
use crate::shell::{HostError, HostErrorKind};
use crate::target::Target;
use crate::whereabouts::{Whereabout, Whereabouts};

/// The file of configuration, in the folder of a connection.
const CONFIG_FILE: &str = "config";
/// The file with the keys of the jump host.
const JUMP_PINS_FILE: &str = "jump_hosts";
/// What the two are called in the file, whatever their names are: those may be patterns to ssh.
const HOST: &str = "keelson-host";
const JUMP: &str = "keelson-jump";

/// Writes into `folder` what ssh has to know of `target`, and gives the user that it logs in as.
pub(super) async fn write(
    target: &Target,
    access: &Access,
    whereabouts: &dyn Whereabouts,
    folder: &Path,
) -> Result<String, HostError> {
    let found = whereabouts.all().await.map_err(|cause| {
        let problem = format!("nobody can say where it is: {cause}");
        error(target, HostErrorKind::Unreachable, problem)
    })?;
    let host = place(target, &target.name, found.get(&target.name))?;
    let jump = match &access.jump {
        // The jump host itself is reached directly.
        Some(name) if *name != target.name => Some(place(target, name, found.get(name))?),
        _ => None,
    };
    let mut config = section(HOST, host, &folder.join(PINS_FILE), access);
    let mut files = vec![(PINS_FILE, host)];
    if let Some(jump) = jump {
        config.extend(["    ProxyJump ", JUMP, "\n"]);
        config.push_str(&section(JUMP, jump, &folder.join(JUMP_PINS_FILE), access));
        files.push((JUMP_PINS_FILE, jump));
    }
    for (file, place) in files {
        pins::write(&folder.join(file), &place.host_keys).map_err(|cause| unprepared(target, &cause))?;
    }
    fs::write(folder.join(CONFIG_FILE), config).map_err(|cause| unprepared(target, &cause))?;
    Ok(host.user.clone())
}

/// The arguments that say which host is meant.
pub(super) fn destination(folder: &Path) -> Vec<OsString> {
    vec![
        "-F".into(),
        folder.join(CONFIG_FILE).into(),
        "--".into(),
        HOST.into(),
    ]
}

fn place<'a>(
    target: &Target,
    name: &str,
    found: Option<&'a Whereabout>,
) -> Result<&'a Whereabout, HostError> {
    let place = found.ok_or_else(|| {
        let problem = format!("the machine {name} is not there");
        error(target, HostErrorKind::Unreachable, problem)
    })?;
    if place.boots_for_the_first_time() {
        let problem = format!("the machine {name} has published no keys yet: it boots for the first time");
        return Err(error(target, HostErrorKind::Unreachable, problem));
    }
    Ok(place)
}

fn section(name: &str, place: &Whereabout, pins: &Path, access: &Access) -> String {
    let mut lines = vec![
        format!("Host {name}"),
        format!("HostName {}", place.address),
        format!("User {}", place.user),
        format!("UserKnownHostsFile \"{}\"", pins.display()),
        "GlobalKnownHostsFile none".to_owned(),
        "StrictHostKeyChecking yes".to_owned(),
        "UpdateHostKeys no".to_owned(),
        "ForwardAgent no".to_owned(),
        "BatchMode yes".to_owned(),
    ];
    if let Some(identity) = &access.identity {
        lines.push(format!("IdentityFile \"{}\"", identity.display()));
        lines.push("IdentitiesOnly yes".to_owned());
    }
    format!("{}\n", lines.join("\n    "))
}
