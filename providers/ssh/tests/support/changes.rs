//! Changes as a plan would have them.

use std::collections::BTreeSet;

use jiff::Timestamp;
use keelson_provider_api::kinds::{Kind, Machine, MachineRole};
use keelson_provider_api::{Action, Change, Disruption, Existing, Health, Owner, Resource, ResourceKey};

pub(crate) fn machine(roles: &[MachineRole]) -> Machine {
    Machine {
        group: "etcd".to_owned(),
        roles: roles.iter().copied().collect::<BTreeSet<_>>(),
        machine_type: None,
        image: None,
        root_volume: None,
        spot: false,
        zone: None,
        subnet: None,
        firewall: None,
        address: Some("10.0.0.1".to_owned()),
        volume: None,
        network_interface: None,
        role: None,
    }
}

fn change(kind: Kind, name: &str, action: Action) -> Change {
    Change {
        key: ResourceKey::new(kind, name),
        action,
        reason: "a test wants it".to_owned(),
        disruption: Disruption::None,
        replacement: false,
    }
}

pub(crate) fn create(name: &str, resource: impl Into<Resource>) -> Change {
    let resource = resource.into();
    let action = Action::Create {
        resource: Box::new(resource.clone()),
        generation: 2,
    };
    change(resource.kind(), name, action)
}

pub(crate) fn update(name: &str, resource: impl Into<Resource>) -> Change {
    let resource = resource.into();
    let action = Action::Update {
        id: String::new(),
        resource: Box::new(resource.clone()),
        differences: Vec::new(),
    };
    change(resource.kind(), name, action)
}

pub(crate) fn delete(name: &str, resource: impl Into<Resource>) -> Change {
    let resource = resource.into();
    let kind = resource.kind();
    let existing = Existing {
        resource,
        id: String::new(),
        owner: Owner::ThisCluster,
        health: Health::Healthy,
        created_at: Timestamp::UNIX_EPOCH,
        generation: 0,
        host_id: None,
        facts: std::collections::BTreeMap::new(),
    };
    change(
        kind,
        name,
        Action::Delete {
            existing: Box::new(existing),
        },
    )
}
