//! Clusters of any size, and the world as it is when they stand.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use jiff::Timestamp;
use keelson::model::desired_state;
use keelson::node::AssetIndex;
use keelson::plan::{DesiredState, plan};
use keelson::spec::{self, ValidSpec};
use keelson_provider_api::{
    ClusterIdentity, ClusterUid, Existing, Health, Kind, KindObservation, Observation, Observed, Owner,
    ResourceKey,
};

/// The sizes, in nodes, that are measured.
pub(crate) const SIZES: [u32; 4] = [10, 100, 1_000, 5_000];

/// Three control planes and so many workers, each of them a machine of its own.
pub(crate) fn cluster_of(workers: u32) -> String {
    format!(
        "apiVersion: keelson.dev/v1alpha1\nkind: Cluster\nmetadata: {{ name: large.example.com }}\nspec:\n  \
         kubernetesVersion: 1.36.2\n  provider: {{ simulated: {{ like: digitalocean }} }}\n  controlPlane: {{ replicas: 3 }}\n  \
         network: {{ podCIDR: 10.128.0.0/11 }}\n  nodeGroups:\n    - {{ name: workers, replicas: {workers} }}\n"
    )
}

/// A spec of so many hosts, each with a line of its own.
pub(crate) fn hosts(count: u32) -> String {
    let mut text = "apiVersion: keelson.dev/v1alpha1\nkind: Cluster\nmetadata: { name: hosts.example.com }\nspec:\n  \
         network: { podCIDR: 10.128.0.0/11 }\n  provider:\n    simulated:\n      like: ssh\n      hosts:\n        \
         - { name: control-1, address: 10.9.0.1, roles: [control-plane] }\n"
        .to_owned();
    for number in 0..count {
        let (high, low) = (number / 250, number % 250 + 1);
        let _ = writeln!(
            text,
            "        - {{ name: worker-{number}, address: 10.10.{high}.{low}, roles: [worker] }}"
        );
    }
    text
}

pub(crate) fn load(text: &str) -> ValidSpec {
    spec::load(text.as_bytes(), "generated").unwrap_or_else(|errors| panic!("{errors}"))
}

pub(crate) fn desired(workers: u32) -> DesiredState {
    desired_state(&load(&cluster_of(workers)), &AssetIndex::Imagined).unwrap()
}

pub(crate) fn identity() -> ClusterIdentity {
    ClusterIdentity {
        name: "large.example.com".parse().unwrap(),
        uid: Some(ClusterUid::new("bench")),
    }
}

/// The world in which everything that is wanted is there and well.
pub(crate) fn fulfilled(desired: &DesiredState) -> Observation {
    let mut observation = Observation::of_nothing(Timestamp::UNIX_EPOCH);
    for (key, wanted) in &desired.resources {
        let host = wanted
            .resource
            .machine(key)
            .filter(|_| key.kind() != Kind::Machine);
        let existing = Existing {
            resource: wanted.resource.clone(),
            id: format!("id-{key}"),
            owner: Owner::ThisCluster,
            health: Health::Healthy,
            created_at: Timestamp::UNIX_EPOCH,
            generation: 0,
            host_id: host.map(|host| format!("id-{}", ResourceKey::new(Kind::Machine, host))),
            facts: BTreeMap::new(),
        };
        let found = [(key.clone(), Observed::Present(existing))].into();
        let seen = KindObservation {
            found,
            ..Default::default()
        };
        observation.record(key.kind(), seen);
    }
    let (plan, report) = plan(&identity(), desired, &observation, Timestamp::UNIX_EPOCH).unwrap();
    let steps = plan.steps();
    assert!(
        steps.is_empty(),
        "something is left to do: {:?}",
        steps[0].change()
    );
    assert!(!report.is_blocked(), "something is blocked: {report:?}");
    observation
}

/// The same cluster, one minor version newer.
pub(crate) fn upgraded(workers: u32) -> DesiredState {
    desired_state(
        &load(&cluster_of(workers).replace("1.36.2", "1.37.0")),
        &AssetIndex::Imagined,
    )
    .unwrap()
}
