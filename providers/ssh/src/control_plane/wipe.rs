//! Taking Kubernetes off a machine.

use std::time::Duration;

use crate::shell::Job;

/// What undoes pods, mounts, networks and firewall rules; a script that uses it stands behind it.
macro_rules! undo {
    ($($script:literal),+) => {
        concat!(
            include_str!("../scripts/virtual-address.sh"),
            include_str!("../scripts/kubernetes-undo.sh"),
            $(include_str!(concat!("../scripts/", $script))),+
        )
    };
}

/// Ends a node.
pub(super) const LEAVE: &str = undo!("node-leave.sh");
/// Ends a control plane.
pub(super) const END: &str = undo!("control-plane-end.sh");
/// Takes the virtual address away.
pub(super) const END_ADDRESS: &str = undo!("virtual-address-end.sh");
/// Takes off a machine what it was of Kubernetes, while the programs for that are there.
const WIPE: &str = undo!("kubernetes-wipe.sh");
/// Takes the bundle away, what is left of a node without its programs, and all of keelson.
pub(crate) const RELEASE: &str = undo!(
    "bundle-incoming.sh",
    "bundle-remove.sh",
    "kubernetes-wipe-rest.sh",
    "release.sh"
);

/// Containers are given 10 s to end, pods two minutes to go.
pub(super) const LEAVE_TIMEOUT: Duration = Duration::from_secs(400);
/// The same, and their images.
const WIPE_TIMEOUT: Duration = Duration::from_secs(900);

/// The job that comes before [`RELEASE`]. Doing it twice is doing it once; on a machine that never was a node of this
/// cluster it does nothing.
pub(crate) fn job() -> Job<'static> {
    job_of("take Kubernetes off the host", WIPE, WIPE_TIMEOUT)
}

/// A job without arguments.
pub(super) fn job_of(name: &'static str, script: &'static str, timeout: Duration) -> Job<'static> {
    Job {
        name,
        script,
        arguments: Vec::new(),
        input: Vec::new(),
        timeout,
    }
}
