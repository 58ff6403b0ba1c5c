//! What came of defragmenting members and of taking alarms back, for reading.

use std::fmt::Write as _;

use super::humane::{approximate_size, printable};
use super::styles::{GOOD, paint};
use crate::ops::{DefragmentedMember, DisarmedEtcd};

/// What each member's database was, and what it is.
pub fn defragmented(members: &[DefragmentedMember]) -> String {
    let mut text = String::new();
    for member in members {
        let (before, after) = (member.sizes.before, member.sizes.after);
        let _ = writeln!(
            text,
            "{} etcd {} on {}: {} before, {} now, {} of it in use",
            paint(GOOD, "Done:"),
            member.etcd_cluster,
            printable(&member.machine),
            approximate_size(before.bytes),
            approximate_size(after.bytes),
            approximate_size(after.in_use_bytes)
        );
    }
    text
}

/// Which alarms are gone.
pub fn disarmed(etcds: &[DisarmedEtcd]) -> String {
    let mut text = String::new();
    for etcd in etcds {
        let alarms = match etcd.alarms.as_slice() {
            [] => "no member had raised an alarm".to_owned(),
            alarms => format!("{} taken back", printable(&alarms.join(", "))),
        };
        let _ = writeln!(
            text,
            "{} etcd {}: {alarms}",
            paint(GOOD, "Done:"),
            etcd.etcd_cluster
        );
    }
    text
}
