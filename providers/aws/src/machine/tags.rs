//! What an instance says of itself besides its mark: what was asked for, where EC2 shows only what became of it.

use std::collections::BTreeSet;

use keelson_aws_calls::mark::Tags;
use keelson_provider_api::kinds::{Machine, MachineRole};
use keelson_provider_api::values::Quantity;

/// The group that the machine belongs to.
const GROUP: &str = "keelson.dev/group";
/// What it is for.
const ROLES: &str = "keelson.dev/roles";
/// The image as it was asked for: a newer one of the same name is no difference.
const IMAGE: &str = "keelson.dev/image";
/// The size of the root volume, where one was asked for.
const ROOT_VOLUME: &str = "keelson.dev/root-volume";
/// The name of the volume that is to be attached.
const VOLUME: &str = "keelson.dev/volume";
/// The name of the interface that it was started with, which it keeps for life.
const NETWORK_INTERFACE: &str = "keelson.dev/network-interface";
/// The name of the role that its instance profile gives it.
const ROLE: &str = "keelson.dev/role";

/// Of these, what changes while an instance lives.
pub(crate) const CHANGING: [&str; 3] = [GROUP, ROLE, ROLES];

/// What stands between roles.
const BETWEEN: &str = ",";

const ROLE_NAMES: &[(MachineRole, &str)] = &[
    (MachineRole::ControlPlane, "control-plane"),
    (MachineRole::Etcd, "etcd"),
    (MachineRole::Worker, "worker"),
    (MachineRole::Bastion, "bastion"),
];

/// What tags say of an instance.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) group: String,
    pub(super) roles: BTreeSet<MachineRole>,
    pub(super) image: Option<String>,
    pub(super) root_volume: Option<Quantity>,
    pub(super) volume: Option<String>,
    pub(super) network_interface: Option<String>,
    pub(super) role: Option<String>,
}

/// What an instance is given besides its mark when it is made for `machine`.
pub(super) fn of(machine: &Machine) -> Tags {
    let asked = [
        (IMAGE, machine.image.clone()),
        (ROOT_VOLUME, machine.root_volume.map(|size| size.to_string())),
        (VOLUME, machine.volume.clone()),
        (NETWORK_INTERFACE, machine.network_interface.clone()),
    ];
    let asked = asked
        .into_iter()
        .filter_map(|(key, value)| Some((key.to_owned(), value?)));
    let mut tags = changing(machine);
    tags.extend(asked);
    tags
}

/// Of these, what changes while an instance lives.
pub(super) fn changing(machine: &Machine) -> Tags {
    let is_role = |row: &&(MachineRole, &str)| machine.roles.contains(&row.0);
    let roles: Vec<&str> = ROLE_NAMES.iter().filter(is_role).map(|(_, name)| *name).collect();
    Tags::from([
        (GROUP.to_owned(), machine.group.clone()),
        (ROLES.to_owned(), roles.join(BETWEEN)),
        (ROLE.to_owned(), machine.role.clone().unwrap_or_default()),
    ])
}

/// What `tags` say. A role that nobody knows is none: the machine is then seen as one that is to be changed.
pub(super) fn read(tags: &Tags) -> Asked {
    let said = |key: &str| tags.get(key).filter(|value| !value.is_empty()).cloned();
    let roles = said(ROLES).unwrap_or_default();
    let of_name = |name: &str| ROLE_NAMES.iter().find(|(_, known)| *known == name);
    Asked {
        group: said(GROUP).unwrap_or_default(),
        roles: roles
            .split(BETWEEN)
            .filter_map(|name| Some(of_name(name)?.0))
            .collect(),
        image: said(IMAGE),
        root_volume: said(ROOT_VOLUME).and_then(|size| size.parse().ok()),
        volume: said(VOLUME),
        network_interface: said(NETWORK_INTERFACE),
        role: said(ROLE),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine() -> Machine {
        Machine {
            group: "control-plane".to_owned(),
            roles: ROLE_NAMES.iter().map(|(role, _)| *role).collect(),
            machine_type: Some("m6i.large".to_owned()),
            image: Some("ubuntu-24.04".to_owned()),
            root_volume: Some(Quantity::from_gibibytes(50)),
            spot: false,
            zone: Some("eu-west-1a".to_owned()),
            subnet: None,
            firewall: None,
            address: None,
            volume: Some("a".to_owned()),
            network_interface: Some("b".to_owned()),
            role: Some("control-plane".to_owned()),
        }
    }

    #[test]
    fn what_was_asked_for_is_read_as_it_was_written() {
        let machine = machine();
        let asked = read(&of(&machine));
        let expected = Asked {
            group: machine.group,
            roles: machine.roles,
            image: machine.image,
            root_volume: machine.root_volume,
            volume: machine.volume,
            network_interface: machine.network_interface,
            role: machine.role,
        };
        assert_eq!(asked, expected);
    }

    #[test]
    fn what_was_not_asked_for_is_not_told() {
        let machine = Machine {
            roles: BTreeSet::new(),
            image: None,
            root_volume: None,
            volume: None,
            network_interface: None,
            role: None,
            ..machine()
        };
        let asked = read(&of(&machine));
        let expected = Asked {
            group: "control-plane".to_owned(),
            ..Asked::default()
        };
        assert_eq!(asked, expected);
        assert_eq!(read(&Tags::new()), Asked::default());
        let odd = Tags::from([(ROLES.to_owned(), "etcd,king".to_owned())]);
        assert_eq!(read(&odd).roles, BTreeSet::from([MachineRole::Etcd]));
    }
}
