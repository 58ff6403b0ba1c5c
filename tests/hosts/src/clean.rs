//! Taking down labs that nobody looks after any more.

use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::command::tool;
use crate::error::AboutFile;
use crate::lock::Lock;
use crate::process::Identity;
use crate::record::{Record, record_names};
use crate::wait::wait_for;
use crate::{LabError, machine, places};

pub(crate) const DOWN: &str = include_str!("../scripts/down.sh");

/// A lab of many hosts on a busy machine.
const DOWN_LIMIT_SECONDS: u32 = 120;
/// A guard whose owner is dead is at work, and gets this time before someone else does its work.
const GUARD_LIMIT: Duration = Duration::from_secs(20);
const LOCK_LIMIT: Duration = Duration::from_secs(60);

/// Takes down every lab whose owner is dead and whose guard does not do it, and removes disks that belong to no lab.
/// Labs that somebody looks after are left alone. Returns the names of what was removed.
///
/// # Errors
///
/// When something cannot be removed, with what it is.
pub fn clean() -> Result<Vec<String>, LabError> {
    machine::check_machine()?;
    let mut removed = Vec::new();
    let mut failure = Ok(());
    for name in record_names()? {
        let root = Path::new(places::RECORDS).join(&name);
        if is_looked_after(&root) {
            continue;
        }
        // One that cannot be taken down does not keep the others.
        match take_down(&root) {
            Ok(()) => removed.push(name),
            Err(error) => failure = Err(error),
        }
    }
    removed.extend(remove_stray_disks()?);
    failure.map(|()| removed)
}

/// Takes down one lab, with all that its record knows of.
pub(crate) fn take_down(root: &Path) -> Result<(), LabError> {
    // The script of this program, and not the record's: a record may be incomplete, or of another version.
    tool("bash", DOWN_LIMIT_SECONDS)
        .args(["-c", DOWN, "down.sh"])
        .arg(root)
        .run()
        .map(drop)
        .map_err(|error| error.of_command(&format!("down.sh {}", root.display())))
}

fn is_looked_after(root: &Path) -> bool {
    if !Record::is_guarded(root) {
        return false;
    }
    let owner = root.join("owner");
    let has_owner = !owner.exists() || Identity::read(&owner).is_some_and(Identity::is_alive);
    // Its guard has seen that the owner is dead, and is taking the lab down.
    has_owner
        || wait_for(
            GUARD_LIMIT,
            || (String::new(), String::new()),
            || Ok((!root.exists()).then_some(())),
        )
        .is_ok()
}

/// Disks without a record: the machine was restarted, for one.
fn remove_stray_disks() -> Result<Vec<String>, LabError> {
    let labs = places::labs()?;
    if !labs.is_dir() {
        return Ok(Vec::new());
    }
    // No lab is made meanwhile.
    let _lock = Lock::take(&Path::new(places::RECORDS).join("lock"), LOCK_LIMIT)?;
    let known = record_names()?;
    let mut removed = Vec::new();
    for entry in fs::read_dir(&labs).about("failed to list", &labs)? {
        let path = entry.about("failed to list", &labs)?.path();
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if !known.contains(&name) {
            tool("rm", DOWN_LIMIT_SECONDS)
                .words("--recursive --force --one-file-system --")
                .arg(&path)
                .run()?;
            removed.push(format!("disks of {name}"));
        }
    }
    Ok(removed)
}
