//! What machines run: rendered by pure code from templates into bundles (see [`keelson_provider_api::bundle`]).
//!
//! | module | holds |
//! |---|---|
//! | `class` | what machines of one class run, and what is a single machine's own |
//! | `etcd` | etcd: unit, settings, ports, paths |
//! | `etcd_snapshots` | snapshots that machines take by a timer |
//! | `first_boot` | the user data of machines that are made in a cloud |
//! | `kubernetes` | container runtime, kubelet, static pods |
//! | `assets` | release files and where upstream has them |
//! | `images` | names of container images |
//! | `action` | what an apply script does, a line an action |
//! | `merge` | settings of others' formats, and what a user says over them |
//! | `contents` | a bundle while it is put together |
//! | `templates` | the templates, and the helpers that quote |
//! | `quote` | values in shell, environment files, units and YAML |

mod action;
mod assets;
mod class;
mod contents;
mod etcd;
mod etcd_snapshots;
mod first_boot;
mod images;
pub mod kubernetes;
mod merge;
mod quote;
pub(crate) mod templates;

pub use action::{Access, Architecture, InvalidAction};
pub use assets::{
    AssetIndex, Packaging, ReleaseFile, ResolvedFile, ResolvedRelease, UNKNOWN_DIGEST, etcd as etcd_release,
};
pub use class::{HostIdentity, NodeClass, NodeFiles, PlacedSecret};
pub use contents::RenderError;
pub use etcd::{EtcdCertificates, EtcdSettings, USER as ETCD_USER};
pub use etcd_snapshots::{
    BUCKET_AUTHORITY, BUCKET_KEY, BucketSettings, SNAPSHOT_AUTHORITIES, SnapshotSettings,
};
pub use first_boot::{FirstBootArchive, FirstBootSettings, Registration};
pub use images::image;
pub use merge::merge;

#[cfg(test)]
pub(crate) mod tests;
