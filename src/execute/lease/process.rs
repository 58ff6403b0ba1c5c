//! Which process holds a lease, so that one that has ended need not be waited for.

use serde::{Deserialize, Serialize};

/// A process, told from every other on any machine, before and after any boot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HolderProcess {
    /// The id of the boot in which it runs: another one for each machine and each boot.
    pub boot_id: String,
    /// The namespaces in which its number and its time count: each container has its own.
    pub namespaces: String,
    /// Its number.
    pub pid: u32,
    /// When it began, in ticks since the boot: numbers are given out again.
    pub started: u64,
}

/// Knows the processes of the machine that keelson runs on.
pub trait Processes: Send + Sync {
    /// The process that asks; nothing where it cannot be told from every other.
    fn own(&self) -> Option<HolderProcess>;

    /// True only where it is certain that `process` has ended.
    fn has_ended(&self, process: &HolderProcess) -> bool;
}
