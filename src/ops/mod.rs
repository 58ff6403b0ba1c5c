//! The operations: what a user can do with a cluster.
//!
//! Each is one file that reads from top to bottom: [`apply`](Session::apply), [`destroy`](Session::destroy),
//! [`plan`](Session::plan), [`status`](Session::status), [`kubeconfig`](Session::kubeconfig). They share a
//! [`Session`]: a spec, its providers, its state store.

mod addons;
mod apply;
mod assets;
mod authorities;
mod bundles;
mod credentials;
mod destroy;
mod endpoint;
mod error;
mod identity;
mod kubeconfig;
mod planning;
mod session;
mod status;

pub use addons::{ManifestReader, SpecAddons, cluster_provider};
pub use apply::{Applied, ApplyOptions, Approval, Approve, AutoApprove};
pub use assets::{pinned_assets, release_files};
pub use authorities::Authorities;
pub use bundles::{BroughtFiles, SpecBundles};
pub use credentials::AuthorityCredentials;
pub use destroy::{DestroyOptions, Destroyed};
pub use error::OperationError;
pub use identity::ClusterRecord;
pub use kubeconfig::Kubeconfig;
pub use planning::{Forecast, Planned};
pub use session::{Session, SessionParts};
pub use status::{
    ClusterStatus, Condition, ControlPlaneStatus, EtcdStatus, MachineStatus, MemberStatus, NodeStatus,
    Problem, SnapshotStatus,
};
