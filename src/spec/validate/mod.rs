//! How fields go together: rules that no single field can check.
//!
//! Every rule is one small function that looks at the completed spec and notes what it finds; [`CHECKS`] lists them
//! all. Rules are independent: one never hides another. Because they see defaults filled in, a rule about a field that
//! makes no sense somewhere compares it with its default, so that a completed spec passes again.

mod addons;
mod api;
mod api_address;
mod arguments;
mod aws;
mod aws_machines;
mod clouds;
mod counts;
mod etcd;
mod groups;
mod host_groups;
mod hosts;
mod labels;
mod network;
mod node;
mod pki;
mod releases;
mod state_store;

use std::collections::HashMap;

use super::errors::Finding;
use super::types::{Cluster, ClusterSpec};

/// What the checks found.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// What keeps the spec from being used.
    pub(crate) errors: Vec<Finding>,
    /// What is probably not meant.
    pub(crate) warnings: Vec<Finding>,
}

impl Found {
    fn error(&mut self, finding: Finding) {
        self.errors.push(finding);
    }

    fn warn(&mut self, finding: Finding) {
        self.warnings.push(finding);
    }
}

type Check = fn(&ClusterSpec, &mut Found);

/// Every rule, in the order of the spec's fields.
const CHECKS: &[Check] = &[
    releases::kubernetes_is_supported,
    releases::etcd_is_supported,
    state_store::way_there,
    clouds::regions_and_zones,
    clouds::simulation_fits_its_model,
    clouds::machines_fit_the_provider,
    clouds::access_fits_the_provider,
    clouds::life_and_death,
    aws::ways_out,
    aws::existing_subnets,
    aws::record,
    aws::bastion,
    aws::roles,
    aws::issuer,
    aws::endpoint,
    hosts::identities,
    hosts::addresses,
    hosts::internal_addresses,
    hosts::roles,
    host_groups::of_known_groups,
    host_groups::of_each_group,
    host_groups::of_each_role,
    api_address::api_address,
    api_address::keepalived,
    counts::control_planes,
    counts::dedicated_etcd,
    counts::scaling,
    counts::workloads_have_a_place,
    groups::names,
    groups::labels_and_taints,
    groups::spot,
    aws_machines::groups,
    network::ranges_are_apart,
    network::ranges_are_of_one_family,
    network::ranges_are_usable,
    network::ranges_are_large_enough,
    network::plugin_is_pinned,
    etcd::timing,
    etcd::quota,
    aws_machines::etcd_volume,
    etcd::snapshots,
    etcd::external,
    api::sign_in,
    api::ports,
    arguments::of_components,
    api::lists,
    pki::validity,
    pki::authorities,
    pki::recipients,
    node::feature_gates,
    node::free_form_fields,
    addons::names,
    addons::manifests_are_pinned,
    addons::mirrors,
];

/// Runs every check on a completed spec.
pub(crate) fn validate(cluster: &Cluster) -> Found {
    let mut found = Found::default();
    for check in CHECKS {
        check(&cluster.spec, &mut found);
    }
    found
}

/// Calls `report` for every item that an earlier one equals, with the index of both.
fn for_each_repetition<T: Eq + std::hash::Hash>(items: &[T], mut report: impl FnMut(usize, usize)) {
    let mut first_of = HashMap::with_capacity(items.len());
    for (index, item) in items.iter().enumerate() {
        if let Some(first) = first_of.get(item) {
            report(index, *first);
        } else {
            first_of.insert(item, index);
        }
    }
}
