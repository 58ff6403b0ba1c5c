//! Why an operation did not do what was asked.

use jiff::Timestamp;
use keelson_provider_api::values::ClusterName;
use keelson_provider_api::{ProviderError, ResourceKey, StoreError};

use super::backups::{BackupPlace, PassedOver};
use crate::backup::{BackupError, BackupName};
use crate::execute::{Executed, LeaseError};
use crate::node::RenderError;
use crate::pki::{AuthorityName, PkiError};
use crate::plan::{Held, PlanDefect, PlanReport, Problem};

/// Why an operation did not do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OperationError {
    /// Someone else is changing the cluster, or has taken over.
    #[error(transparent)]
    Lease(#[from] LeaseError),
    /// The state store did not do its part.
    #[error("the state store failed")]
    Store(#[from] StoreError),
    /// Steps failed, or were never started because of one that did.
    #[error("{} of {} steps failed", .0.failures.len(), .0.failures.len() + .0.done + .0.not_started)]
    StepsFailed(Box<Executed>),
    /// The run was asked to stop. With nothing, before anything was changed.
    #[error("stopped before the end")]
    Interrupted(Option<Box<Executed>>),
    /// The run was asked to stop while pods were moved off this node.
    #[error("stopped before the end: `{0}` takes no new pods, and some of its pods may have been moved")]
    DrainStopped(String),
    /// The run was asked to stop in the middle of something that can be gone on with.
    #[error("stopped before the end: {0}")]
    StoppedAmid(String),
    /// Something stands in the way of beginning; nothing was touched.
    #[error("{}", refused(.0))]
    Refused(Box<PlanReport>),
    /// Something may not be touched; everything else has been done.
    #[error("{}", blocked(.0))]
    Blocked(Box<PlanReport>),
    /// What is left waits for changes of other machines, and one machine alone is seen to.
    #[error("{} for other machines, which are not seen to here", count(.0.len(), "change waits", "changes wait"))]
    Waits(Vec<Held>),
    /// The spec forbids it.
    #[error("cluster {0} is protected from deletion")]
    Protected(ClusterName),
    /// The spec differs in something that stays as it is for as long as the cluster lives.
    #[error("cluster {name} was made with `{field}` {made_with}, and the spec says {wanted}")]
    Fixed {
        /// The cluster.
        name: ClusterName,
        /// The field, for example `spec.network.podCIDR`.
        field: String,
        /// What it was made with.
        made_with: String,
        /// What the spec at hand says.
        wanted: String,
    },
    /// A saved plan does not fit any more.
    #[error("the saved plan does not fit: {0}")]
    StalePlan(String),
    /// The plan was not empty after so many rounds.
    #[error("the cluster still differs from the spec after {0} rounds")]
    NotConverged(u32),
    /// Nothing was left to do, and a later look found that something is.
    #[error("the cluster was as the spec says, and has moved away from it while it was waited for to work")]
    MovedAway,
    /// The user said no.
    #[error("nothing was changed")]
    Declined,
    /// The user said no to more than had been approved.
    #[error("the world asked for more than the plan that was approved; the rest was not carried out")]
    DeclinedRest,
    /// There is no such cluster.
    #[error("there is no cluster {name} in {location}")]
    NoCluster {
        /// The name in the spec.
        name: ClusterName,
        /// The state store.
        location: String,
    },
    /// The cluster is there, but not yet the load balancer that gives its API an address.
    #[error("the API of cluster {0} has no address yet: its load balancer is not there")]
    NoEndpoint(ClusterName),
    /// The cluster is etcd alone.
    #[error("cluster {0} is etcd alone: it has no Kubernetes API")]
    NoKubernetes(ClusterName),
    /// Someone else runs the cluster's etcd.
    #[error("the etcd of cluster {0} is external: someone else runs it")]
    ExternalEtcd(ClusterName),
    /// The cluster has no such authority yet.
    #[error("the cluster has no {authority} authority yet")]
    NoAuthority {
        /// The authority.
        authority: AuthorityName,
    },
    /// The cluster's keys or certificates cannot be used.
    #[error("cannot use the cluster's keys")]
    Pki(#[from] PkiError),
    /// The cluster has no such etcd.
    #[error("the cluster has no etcd `{}`", name.escape_debug())]
    UnknownEtcd {
        /// The name that was asked for.
        name: String,
        /// Those that it has.
        known: Vec<String>,
    },
    /// A member cannot be spared just now.
    #[error(
        "etcd {etcd} has {healthy} of {voters} voting members: it would lose its quorum while {machine} answers nobody"
    )]
    NoQuorumWithout {
        /// The etcd.
        etcd: String,
        /// The member's machine.
        machine: String,
        /// How many voters are well.
        healthy: usize,
        /// How many there are.
        voters: usize,
    },
    /// A snapshot cannot be read, written or used as a file.
    #[error("cannot use {}", file.display())]
    SnapshotFile {
        /// The file.
        file: std::path::PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// A file is a snapshot as backups are kept, and not as etcd takes it.
    #[error("cannot use {}: it is {packing}", file.display())]
    PackedSnapshot {
        /// The file.
        file: std::path::PathBuf,
        /// By what it is packed, in words.
        packing: &'static str,
    },
    /// A snapshot is not, or not known to be, the cluster's.
    #[error("{source_words} is of {other}")]
    OtherCluster {
        /// The backup or the file.
        source_words: String,
        /// Whose it is.
        other: String,
    },
    /// A snapshot is the cluster's own, and its Secrets were encrypted with another key than the one that the cluster has.
    #[error(
        "the Secrets in {source_words} were encrypted with another key than the one that the cluster has"
    )]
    OtherEncryptionKey {
        /// The backup.
        source_words: String,
    },
    /// A restore has begun and did not come to its end.
    #[error(
        "etcd {etcd} is being restored from {source_words} since {begun_at:.0}, and that has not come to its end"
    )]
    RestoreUnderWay {
        /// The etcd.
        etcd: String,
        /// The backup or the file.
        source_words: String,
        /// When it began.
        begun_at: Timestamp,
    },
    /// A restore was begun anew, and none of the machines is there that the spec gives members of this etcd. What others had of
    /// it is moved aside, and the restore is given up.
    #[error("none of the machines is there that the spec gives members of etcd {0}: its restore is given up")]
    NoFounder(String),
    /// Something about backups did not work.
    #[error(transparent)]
    Backup(#[from] BackupError),
    /// What may be the newest backup could not be read, and an older one is not taken in its place.
    #[error("what may be the newest snapshot cannot be read: {}", unread(.0))]
    NewerUnread(Vec<PassedOver>),
    /// The newest backup is damaged, as was seen only when it was read, and there is one before it.
    #[error("the newest snapshot cannot be taken")]
    NewestDamaged {
        /// What is wrong with it.
        #[source]
        error: Box<BackupError>,
        /// The one before it, which is listed as whole.
        older: BackupName,
        /// Where that lies.
        place: BackupPlace,
    },
    /// Several places have a backup of that name.
    #[error("there is a snapshot {name} in several places: {}", places.join(", "))]
    AmbiguousBackup {
        /// The name.
        name: BackupName,
        /// The places.
        places: Vec<String>,
    },
    /// No backups of the cluster lie there.
    #[error("no snapshots of the cluster lie in `{}`", name.escape_debug())]
    UnknownPlace {
        /// The place that was asked for.
        name: String,
        /// Those that there are.
        known: Vec<String>,
    },
    /// What lies there cannot be read from here.
    #[error("{place} cannot be read: {problem}")]
    UnreadablePlace {
        /// The place.
        place: BackupPlace,
        /// Why.
        problem: String,
    },
    /// The cluster is in memory.
    #[error("cluster {name} is simulated: it has no {lacks}")]
    Simulated {
        /// The cluster.
        name: ClusterName,
        /// What a real one has.
        lacks: &'static str,
    },
    /// The spec has no such machine.
    #[error("the spec has no machine `{}`", name.escape_debug())]
    UnknownMachine {
        /// The name that was asked for.
        name: String,
        /// Those that it has.
        known: Vec<String>,
    },
    /// The machine is still wanted.
    #[error("the spec still has `{}`", .0.escape_debug())]
    StillWanted(String),
    /// The cluster has no such machine that has left the spec.
    #[error("the cluster has no machine `{}` that has left the spec", name.escape_debug())]
    NoneLeaving {
        /// The name that was asked for.
        name: String,
        /// Those that have left the spec and are still there.
        leaving: Vec<String>,
    },
    /// A machine cannot be reached, or does not do what it is asked.
    #[error("{0}")]
    Machine(Box<ProviderError>),
    /// The cluster is as the spec says, and does not work.
    #[error("the cluster is as the spec says, but does not work: {}", each(.0))]
    Down(Vec<Problem>),
    /// The cluster is as the spec says and works, and a member of etcd or a control plane of it is not well.
    #[error("the cluster is as the spec says, but not well: {}", each(.0))]
    Degraded(Vec<Problem>),
    /// After a destroy something was left.
    #[error("{} left", count(.0.len(), "resource is", "resources are"))]
    LeftOver(Vec<ResourceKey>),
    /// After a destroy it could not be seen whether something was left.
    #[error("cannot prove that nothing is left: {0}")]
    Unproven(String),
    /// What machines run could not be rendered.
    #[error("cannot render what machines run")]
    Render(#[from] RenderError),
    /// A defect of keelson.
    #[error("defect in keelson")]
    Defect(#[from] PlanDefect),
    /// A clock gave up on the work it was to drive.
    #[error("the clock stopped before the work was done")]
    ClockStopped,
}

fn count(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

fn each(problems: &[Problem]) -> String {
    let words: Vec<String> = problems.iter().map(Problem::to_string).collect();
    words.join("; ")
}

/// So many of them are named: where none can be read there may be hundreds.
const UNREAD_SHOWN: usize = 3;

fn unread(newer: &[PassedOver]) -> String {
    let words = newer.iter().map(|newer| {
        let PassedOver {
            name, place, problem, ..
        } = newer;
        format!("{name}{}: {problem}", place.words())
    });
    let mut words: Vec<String> = words.take(UNREAD_SHOWN).collect();
    if newer.len() > UNREAD_SHOWN {
        words.push(format!("and {} more", newer.len() - UNREAD_SHOWN));
    }
    words.join("; ")
}

fn refused(report: &PlanReport) -> String {
    let blocked = report.blocked.iter().filter(|blocked| blocked.follows.is_none());
    let troubles = report.findings.len() + blocked.count();
    let troubles = count(troubles, "thing stands", "things stand");
    format!("{troubles} in the way; nothing was touched")
}

fn blocked(report: &PlanReport) -> String {
    match report.blocked.len() {
        0 => "part of the world could not be looked at".to_owned(),
        blocked => format!("{} blocked", count(blocked, "resource is", "resources are")),
    }
}
