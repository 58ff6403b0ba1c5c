//! From a spec to the resources that it asks for.
//!
//! One builder a topic; each reads the [`Blueprint`] and adds its resources. The order of the calls below does not
//! matter: what waits for what is said by the resources themselves.
//!
//! | builder | adds |
//! |---|---|
//! | `network` | network, subnets, NAT gateways, ways out |
//! | `firewalls` | who may reach whom |
//! | `endpoint` | load balancer, its targets, DNS record, virtual address |
//! | `machines` | machines; `roles` adds what they may do in the cloud, [`stored`] says where what is theirs lies, `kept` the interfaces and volumes that outlive them |
//! | `groups` | node groups that the cloud keeps at their size |
//! | `bundles` | the configuration of each machine; `classes` says what each set of roles runs, `certificates` what is signed for it |
//! | `etcd` | members of the etcd clusters |
//! | `kubernetes` | control planes and nodes |
//! | `addons` | bindings, kube-proxy, CoreDNS, and what the user adds |

mod addons;
mod addresses;
mod blueprint;
mod bundles;
mod certificates;
mod classes;
mod endpoint;
mod etcd;
mod firewalls;
mod groups;
mod kept;
mod kubernetes;
mod machines;
mod network;
mod roles;
pub mod stored;

use crate::node::{AssetIndex, RenderError};
use crate::plan::{DesiredState, Rolling};
use crate::spec::ValidSpec;

pub use addons::{AddonBlueprint, AddonSource, addon_settings, addons};
pub use blueprint::{API_PORT, Blueprint, Endpoint, GroupBlueprint, MachineBlueprint, host_and_port};
pub use bundles::host_identity;
pub use certificates::{MachineCertificates, OtherSecret, terms};
pub use classes::{Classes, release_files};

/// Everything that `spec` asks for. `assets` has the release files that its machines need.
///
/// # Errors
/// When a value of the spec cannot stand where a template puts it.
pub fn desired_state(spec: &ValidSpec, assets: &AssetIndex) -> Result<DesiredState, RenderError> {
    let blueprint = Blueprint::of(spec);
    let mut desired = DesiredState::default();
    build_ground(&blueprint, &mut desired);
    groups::build(&blueprint, assets, &mut desired)?;
    bundles::build(&blueprint, assets, &mut desired)?;
    etcd::build(&blueprint, &mut desired);
    kubernetes::build(&blueprint, &mut desired);
    addons::build(spec, &blueprint, &mut desired)?;
    for group in &blueprint.spec.node_groups {
        let rolling = Rolling {
            max_unavailable: group.rolling.max_unavailable,
            max_surge: group.rolling.max_surge,
        };
        desired.rolling.insert(group.name.to_string(), rolling);
    }
    Ok(desired)
}

/// What of the desired state the cloud is asked for: everything but what runs on machines and in the cluster. Of what groups start
/// machines from, the digest of what they are to run is made up.
///
/// # Errors
/// When a value of the spec cannot stand where a template puts it.
pub fn ground(spec: &ValidSpec) -> Result<DesiredState, RenderError> {
    let blueprint = Blueprint::of(spec);
    let mut desired = DesiredState::default();
    build_ground(&blueprint, &mut desired);
    groups::build(&blueprint, &AssetIndex::Imagined, &mut desired)?;
    Ok(desired)
}

fn build_ground(blueprint: &Blueprint<'_>, desired: &mut DesiredState) {
    network::build(blueprint, desired);
    firewalls::build(blueprint, desired);
    roles::build(blueprint, desired);
    kept::build(blueprint, desired);
    endpoint::build(blueprint, desired);
    machines::build(blueprint, desired);
}
