//! What operators and users of etcd want of it: how it is, that it keeps its space in order, and a certificate to use it with.

mod credentials;
mod report;
mod upkeep;

pub use credentials::{EtcdCredentials, EtcdCredentialsRequest};
pub use report::{EtcdClusterReport, EtcdMemberReport, EtcdReport};
pub use upkeep::{DefragmentRequest, DefragmentedMember, DisarmedEtcd};
pub(super) use upkeep::{of_machine, step_context};
