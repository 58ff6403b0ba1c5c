//! What runs inside a cluster: the built-in add-ons, rendered by pure code from `templates/addons/`, and manifests that
//! others wrote, read into the same objects.
//!
//! | module | holds |
//! |---|---|
//! | `object` | one Kubernetes object as it is applied, and what it is called |
//! | `manifest` | YAML of any number of objects |
//! | `render` | the built-in add-ons |
//! | `settings` | what they are rendered from |
//! | `templates` | their templates |

mod manifest;
mod object;
mod render;
mod settings;
mod templates;

pub use manifest::{ManifestError, parse};
pub use object::{Object, ObjectId};
pub use render::{BUILT_IN, digest, images, is_built_in, render};
pub use settings::{AddonSettings, BOOTSTRAP_GROUP, JOINING_GROUP};

/// The add-on with the bindings that everything else stands on: administrators, kubelets, API servers, routes.
pub const CLUSTER_ACCESS: &str = "cluster-access";
/// The add-on that implements Services.
pub const KUBE_PROXY: &str = "kube-proxy";
/// The add-on that resolves names inside the cluster.
pub const COREDNS: &str = "coredns";
/// The add-on that tells what nodes and pods use.
pub const METRICS_SERVER: &str = "metrics-server";

#[cfg(test)]
mod tests;
