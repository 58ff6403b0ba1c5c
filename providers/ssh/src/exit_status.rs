//! What the scripts on hosts end with when they do not end well.
//!
//! Each status means one thing, whichever script ends with it; whoever asks adds what it means for him, and what to do. A status
//! that is not here came from a program that a script has run.

/// What is there bears the mark of another cluster, or none.
pub(crate) const NOT_OURS: i32 = 20;
/// There is data that nobody's mark explains.
pub(crate) const DATA_OF_NOBODY: i32 = 21;
/// Another member has come meanwhile.
pub(crate) const ANOTHER_MEMBER: i32 = 22;
/// The programs or units that the node's bundle brings have not come.
pub(crate) const NO_PROGRAMS: i32 = 23;
/// There is too little room, and nothing was done.
pub(crate) const NO_ROOM: i32 = 24;
/// What was asked for is not there, or is being taken away.
pub(crate) const NOT_THERE: i32 = 25;
/// What was asked for is not as large as it was.
pub(crate) const OTHER_SIZE: i32 = 26;
/// The machine's first boot has not come to its end in time.
pub(crate) const NOT_BOOTED: i32 = 27;
/// The snapshot is damaged.
pub(crate) const DAMAGED: i32 = 40;
/// etcd does not take the snapshot.
pub(crate) const REFUSED: i32 = 41;
/// A member that was given the snapshot's data does not come to serve.
pub(crate) const DOES_NOT_SERVE: i32 = 42;
/// The folder that a member of its own was to have cannot be used.
pub(crate) const UNFIT_FOLDER: i32 = 43;
/// The member has died while it wrote; the next one is asked, as after everything that may pass.
#[cfg(test)]
const MEMBER_DIED: i32 = 44;
/// The host has seen a higher fencing generation than that of the run.
pub const FENCED: i32 = 75;
/// Scripts of the runs before do not end, or have released the host meanwhile.
pub(crate) const BUSY: i32 = 76;
/// The host bears the mark of another cluster.
pub(crate) const OTHER_CLUSTER: i32 = 77;
/// What came before was torn or damaged, and is taken away: it has to be sent anew.
pub(crate) const ANEW: i32 = 78;
/// `timeout` has ended it.
pub(crate) const TIMED_OUT: i32 = 124;
/// It was killed, by `timeout` too where it did not end in order.
pub(crate) const KILLED: i32 = 137;
/// It was told to end.
#[cfg(test)]
const TERMINATED: i32 = 143;

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};
    use std::fs;

    use super::*;

    const OF_SCRIPTS: [i32; 18] = [
        NOT_OURS,
        DATA_OF_NOBODY,
        ANOTHER_MEMBER,
        NO_PROGRAMS,
        NO_ROOM,
        NOT_THERE,
        OTHER_SIZE,
        NOT_BOOTED,
        DAMAGED,
        REFUSED,
        DOES_NOT_SERVE,
        UNFIT_FOLDER,
        MEMBER_DIED,
        FENCED,
        BUSY,
        OTHER_CLUSTER,
        ANEW,
        TERMINATED,
    ];

    /// The statuses that scripts end with by their own words, beyond 0 and 1, and which do.
    fn ends() -> BTreeMap<i32, BTreeSet<String>> {
        let mut ends: BTreeMap<i32, BTreeSet<String>> = BTreeMap::new();
        for entry in fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/src/scripts")).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            for line in fs::read_to_string(&path).unwrap().lines() {
                let code = line
                    .split_once("exit ")
                    .filter(|(before, _)| !before.contains('#'));
                let status = code.and_then(|(_, after)| {
                    let end = after.find(|letter: char| !letter.is_ascii_digit());
                    after.get(..end.unwrap_or(after.len()))?.parse().ok()
                });
                if let Some(status) = status.filter(|status| *status > 1) {
                    ends.entry(status).or_default().insert(name.clone());
                }
            }
        }
        ends
    }

    #[test]
    fn every_status_of_a_script_has_its_name_and_every_name_its_script() {
        let ends = ends();
        assert_eq!(
            ends.keys().copied().collect::<BTreeSet<i32>>(),
            BTreeSet::from(OF_SCRIPTS),
            "{ends:#?}"
        );
    }
}
