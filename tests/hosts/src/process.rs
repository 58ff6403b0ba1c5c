//! Processes, told apart from others that get their number later.

use std::fs;
use std::path::Path;

use rustix::process::{Pid, Signal};

/// Where the start time stands in `/proc/PID/stat`, counted from the field after the name.
const FIELD_START: usize = 19;

/// A process: its number, and when it started, in ticks since the machine did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) pid: i32,
    start: u64,
}

impl Identity {
    /// This process.
    pub(crate) fn own() -> Option<Self> {
        Self::of(i32::try_from(std::process::id()).ok()?)
    }

    /// What a script wrote down: number and start time.
    pub(crate) fn read(path: &Path) -> Option<Self> {
        let text = fs::read_to_string(path).ok()?;
        let (pid, start) = text.trim().split_once(' ')?;
        Some(Self {
            pid: pid.parse().ok()?,
            start: start.parse().ok()?,
        })
    }

    /// Whether it still runs. One that has ended and was not waited for does not.
    pub(crate) fn is_alive(self) -> bool {
        Self::of(self.pid) == Some(self)
    }

    /// Ends it at once. It may have ended before.
    pub(crate) fn kill(self) {
        if let Some(pid) = Pid::from_raw(self.pid)
            && self.is_alive()
        {
            rustix::process::kill_process(pid, Signal::KILL).ok();
        }
    }

    pub(crate) fn line(self) -> String {
        format!("{} {}\n", self.pid, self.start)
    }

    fn of(pid: i32) -> Option<Self> {
        let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name before it stands in brackets and may contain anything.
        let (_, fields) = text.rsplit_once(") ")?;
        let fields: Vec<_> = fields.split(' ').collect();
        let ended = matches!(fields.first(), Some(&("Z" | "X")));
        let start = fields.get(FIELD_START)?.parse().ok()?;
        (!ended).then_some(Self { pid, start })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_alive_and_its_number_alone_is_not_enough() {
        let own = Identity::own().unwrap();
        assert!(own.is_alive());
        let earlier = Identity {
            start: own.start + 1,
            ..own
        };
        assert!(!earlier.is_alive());
    }
}
