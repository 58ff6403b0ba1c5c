//! etcd on bare machines: the kinds `etcd-member` and `etcd-snapshot`.
//!
//! Everything is asked of etcd by `etcdctl` on the machines themselves, over loopback and with the certificate for
//! health checks, so no port of etcd's needs to be reachable from where keelson runs. Facts about etcd are from its
//! documentation (<https://etcd.io/docs/v3.6/op-guide/>) and, where a file is named, from its source.
//!
//! | module | holds |
//! |---|---|
//! | [`reach`] | what is needed of the machines |
//! | `mark` | the file on a machine that says whose its member is |
//! | `provider` | which change goes where |
//! | `look`, `unseen`, `survey` | what one machine shows, or why nothing, and what all show together |
//! | `answers`, `refusal` | what etcdctl answers, and why etcd refuses something |
//! | `observe` | what the planner is told of that, and what counts as what |
//! | `step` | one change while it is carried out, and what is known to have had an effect |
//! | `meaning` | what it means that a script has ended as it did |
//! | `begin` | writing down who a member is and how it comes in |
//! | `found`, `join`, `remove` | how a member comes and goes: look, decide, do one thing, look again |
//! | `writing`, `told` | having a member write a snapshot, and what scripts tell of it |
//! | `names`, `room` | names of snapshots, which become names of files, and the room that they need |
//! | `upgrade_snapshots` | snapshots that an upgrade takes first and that stay on machines; no backups |
//! | `backups`, `schedule` | snapshots that machines take by themselves and keep, and how that goes |
//! | `maintenance` | what is done to a running etcd: snapshots that go elsewhere, space given back |
//! | `restoring` | giving members the data of a snapshot |
//! | `drill` | restoring a snapshot for trial |
//! | [`wipe`] | what is left when a machine is given back: nothing |

pub mod reach;
pub mod wipe;

mod answers;
mod backups;
mod begin;
mod drill;
mod found;
mod join;
mod look;
mod maintenance;
mod mark;
mod meaning;
mod names;
mod observe;
mod provider;
mod refusal;
mod remove;
mod restoring;
mod room;
mod schedule;
mod step;
mod survey;
mod told;
mod unseen;
mod upgrade_snapshots;
mod writing;

pub use drill::DrillHere;
pub use provider::EtcdProvider;
pub use reach::Reach;
