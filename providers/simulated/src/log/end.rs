//! How far a log goes, kept in `world.end` beside it: a log that lost its last lines, or is gone altogether, would
//! otherwise look like a shorter past.
//!
//! It is written after the log has reached the disk, so after a crash it may be behind the log, but never ahead of it.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use keelson_provider_api::whole_file;
use serde::{Deserialize, Serialize};

use super::error::{WorldLogError, unavailable};
use super::files::put_in_place;

/// The format that this version reads and writes.
const FORMAT: u32 = 1;

/// The last line of a log, as far as it is known to be on disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct End {
    format: u32,
    pub epoch: u64,
    pub lines: usize,
    /// The check of the last of those lines.
    pub check: String,
}

impl End {
    pub(super) fn new(epoch: u64, lines: usize, check: &str) -> Self {
        Self {
            format: FORMAT,
            epoch,
            lines,
            check: check.to_owned(),
        }
    }

    /// True when it goes further than `other`.
    pub(super) fn is_after(&self, other: &Self) -> bool {
        (self.epoch, self.lines) > (other.epoch, other.lines)
    }
}

/// Where the end of the log at `log` is kept.
pub(super) fn path(log: &Path) -> PathBuf {
    log.with_extension("end")
}

/// Reads the end of the log at `log`; none for a log that is older than ends are, and for one that is just being made.
pub(super) fn read(log: &Path) -> Result<Option<End>, WorldLogError> {
    let path = path(log);
    let damaged = |problem: String| WorldLogError::EndDamaged {
        path: path.clone(),
        problem,
    };
    let text = match whole_file::check_kind(&path).and_then(|()| std::fs::read(&path)) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return match path.symlink_metadata() {
                Ok(_) => Err(damaged("it is a link that leads nowhere".to_owned())),
                Err(_) => Ok(None),
            };
        }
        Err(error) => return Err(unavailable("read", &path)(error)),
    };
    let end: End = serde_json::from_slice(&text).map_err(|problem| damaged(problem.to_string()))?;
    if end.format != FORMAT {
        return Err(damaged(format!(
            "its format is {}, and this version reads {FORMAT}",
            end.format
        )));
    }
    Ok(Some(end))
}

/// Writes the end of the log at `log`, which has reached the disk so far.
pub(super) fn write(log: &Path, end: &End) -> Result<(), WorldLogError> {
    // Numbers and a text always have a JSON form.
    let mut text = serde_json::to_vec(end).unwrap_or_default();
    text.push(b'\n');
    put_in_place(&path(log), &text)
}
