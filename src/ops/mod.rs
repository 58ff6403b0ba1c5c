//! The operations: what a user can do with a cluster.
//!
//! Each is one file that reads from top to bottom: [`apply`](Session::apply), [`destroy`](Session::destroy),
//! [`plan`](Session::plan), [`status`](Session::status), [`kubeconfig`](Session::kubeconfig),
//! [`render`](Session::render), [`nodes`](Session::nodes), [`login`](Session::login),
//! [`etcd_report`](Session::etcd_report), [`etcd_credentials`](Session::etcd_credentials),
//! [`check_certificates`](Session::check_certificates), [`save_backups`](Session::save_backups), [`backups`](Session::backups), [`verify_backups`](Session::verify_backups),
//! [`prune`](Session::prune), [`restore_etcd`](Session::restore_etcd), [`defragment_etcd`](Session::defragment_etcd). They share a [`Session`]: a spec, its providers, its state store.

mod addons;
mod apply;
mod approved;
mod assets;
mod authorities;
mod backups;
mod bundle_files;
mod bundles;
mod certificates;
mod client_terms;
mod credentials;
mod destroy;
mod endpoint;
mod error;
mod etcd;
mod first_boots;
mod fixed;
mod gone_hosts;
mod identity;
mod kept_spec;
mod kubeconfig;
mod login;
mod machine_access;
mod nodes;
mod one_node;
mod planning;
mod render;
mod rounds;
mod session;
mod status;

pub use crate::cluster::Drained;
pub use addons::{ManifestFile, ManifestReader, SpecAddons, cluster_provider, manifest_files};
pub use apply::{Applied, ApplyOptions, Approval, Approve, AutoApprove};
pub use assets::{pinned_assets, release_files};
pub use authorities::Authorities;
pub use backups::{
    BackupCondition, BackupEntry, BackupList, BackupParts, BackupPlace, BegunRestore, DrillReport,
    FoundBackup, GoneBackup, HostArchive, PassedOver, PlannedPrune, PruneReport, PrunedBackup, RestoreSource,
    RestoreTerms, RestoredEtcd, SaveRequest, SavedBackup, SilentPlace, UnpackedSnapshot, VerifiedBackup,
    VerifyReport, VerifyRequest, WhichBackup, begun_restore,
};
pub use bundles::{BroughtFiles, SpecBundles};
pub use certificates::{CertificateReport, KeyRecord, UnseenMachine};
pub use credentials::AuthorityCredentials;
pub use destroy::{DestroyOptions, Destroyed};
pub use error::OperationError;
pub use etcd::{
    DefragmentRequest, DefragmentedMember, DisarmedEtcd, EtcdClusterReport, EtcdCredentials,
    EtcdCredentialsRequest, EtcdMemberReport, EtcdReport,
};
pub use first_boots::{FirstBootTerms, FirstBoots, StoredBundle};
pub use gone_hosts::GoneHosts;
pub use identity::{ClusterRecord, begun_identity};
pub use kubeconfig::{Kubeconfig, KubeconfigRequest, NotAKubeconfig, merge_kubeconfig};
pub use login::login;
pub use machine_access::{Login, LoginRequest, MachineAccess};
pub use nodes::{BundleState, NodeEntry, NodeList, NodeState};
pub use one_node::DrainRequest;
pub use planning::{Forecast, Planned};
pub use render::{Rendered, RenderedCertificate, RenderedMachine, RenderedRelease, render};
pub use session::{LEASE_TIME_TO_LIVE, Session, SessionParts};
pub use status::{
    CertificatesStatus, ClusterStatus, Condition, ControlPlaneStatus, EtcdStatus, MachineStatus,
    MemberStatus, NodeStatus, SnapshotStatus,
};
