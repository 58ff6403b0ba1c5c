//! What operators and users of etcd want of it: how it is, and a certificate to use it with.

mod credentials;
mod report;

pub use credentials::{EtcdCredentials, EtcdCredentialsRequest};
pub use report::{EtcdClusterReport, EtcdMemberReport, EtcdReport};
