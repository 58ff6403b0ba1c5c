//! Groups that keep their size by themselves, and the machines that they make.
//!
//! Nobody tells them to. What has happened by itself up to a moment is worked out, and done, before anyone looks at the world or
//! changes it: a group starts machines and ends them until it holds as many as it is to; a machine that has booted joins as
//! a node when the API answers.

use std::collections::BTreeMap;

use jiff::Timestamp;
use keelson_provider_api::kinds::{GroupMachine, Kind, Node, NodeGroup};
use keelson_provider_api::values::Digest;
use keelson_provider_api::{Action, Health, Resource, ResourceKey};

use super::{Call, Effect, Holder, Thing, World};
use crate::latency::JOIN;
use crate::random::{between, draw, later};

impl World {
    /// What groups and their machines have done by `now`.
    pub(crate) fn by_itself(&self, now: Timestamp) -> Vec<Effect> {
        let mut effects = Vec::new();
        let mut serial = self.next_serial;
        for thing in self.things.of_kind(Kind::NodeGroup) {
            let Resource::NodeGroup(group) = &thing.resource else {
                continue;
            };
            let attached = self.attached(thing);
            let wanted = usize::try_from(group.replicas).unwrap_or(usize::MAX);
            for _ in attached.len()..wanted {
                effects.push(self.started(thing, group, serial, now));
                serial += 1;
            }
            let (ended, kept) = surplus(attached, group, wanted);
            for (machine, _) in ended {
                effects.extend(self.without_group_machine(machine));
            }
            for (machine, of_group) in kept {
                let joined = self.joined(thing, group, machine, of_group, serial, now);
                serial += u64::from(joined.is_some());
                effects.extend(joined);
            }
        }
        effects.extend(self.made_by_controllers(serial, now));
        effects
    }

    /// The machines that a group holds.
    fn attached<'a>(&'a self, group: &'a Thing) -> Vec<Attached<'a>> {
        let machines = self.things.referrers(&group.holder, &group.key);
        let machines = machines.filter_map(|thing| Some((thing, group_machine(&thing.resource)?)));
        machines.filter(|(_, machine)| !machine.detached).collect()
    }

    fn started(&self, group: &Thing, wanted: &NodeGroup, serial: u64, now: Timestamp) -> Effect {
        let kind = Kind::GroupMachine;
        let id = self.id_for(&ResourceKey::new(kind, group.key.name()), serial);
        let number = draw(self.seed, &[&id, "boot"]);
        let boot = between(JOIN.mul_f64(0.7), JOIN.mul_f64(1.3), number);
        let machine = GroupMachine {
            group: group.key.name().to_owned(),
            template: wanted.template(),
            node: id.clone(),
            detached: false,
        };
        let thing = self.of_its_own(group, ResourceKey::new(kind, &*id), machine.into(), serial, now);
        Effect::Put(Box::new(Thing {
            id,
            busy_until: Some(later(now, boot)),
            ..thing
        }))
    }

    /// A machine that has booted joins, when the API answers.
    fn joined(
        &self,
        group: &Thing,
        wanted: &NodeGroup,
        machine: &Thing,
        of_group: &GroupMachine,
        serial: u64,
        now: Timestamp,
    ) -> Option<Effect> {
        let key = ResourceKey::new(Kind::Node, &*of_group.node);
        let has_joined = self.things.get(&group.holder, &key).is_some();
        if machine.is_busy(now) || has_joined || self.endpoint_answers(&group.holder, now).is_err() {
            return None;
        }
        let node = Node {
            machine: of_group.node.clone(),
            group: of_group.group.clone(),
            labels: wanted.labels.clone(),
            taints: wanted.taints.clone(),
        };
        let thing = self.of_its_own(group, key, node.into(), serial, now);
        let version = ("kubernetes".to_owned(), wanted.kubernetes_version.to_string());
        Some(Effect::Put(Box::new(Thing {
            host_id: Some(machine.id.clone()),
            facts: BTreeMap::from([version]),
            ..thing
        })))
    }

    /// A thing that nobody asked for by its name, of the cluster that `group` is of.
    pub(super) fn of_its_own(
        &self,
        group: &Thing,
        key: ResourceKey,
        resource: Resource,
        serial: u64,
        now: Timestamp,
    ) -> Thing {
        let id = self.id_for(&key, serial);
        Thing {
            serial,
            token: Digest::of_bytes(id.as_bytes()).short(32),
            facts: Self::facts_for(&resource, &id, serial),
            key,
            holder: group.holder.clone(),
            resource,
            id,
            generation: 0,
            created_at: now,
            host_id: None,
            busy_until: None,
            restored: None,
            held: false,
        }
    }

    /// The machine of a group by the name of its node.
    pub(super) fn group_machine(&self, holder: &Holder, node: &str) -> Option<&Thing> {
        // Here a node bears the name of its machine.
        self.things
            .get(holder, &ResourceKey::new(Kind::GroupMachine, node))
    }

    /// The effects of the orderly end of a machine: its node goes with it.
    pub(super) fn without_group_machine(&self, machine: &Thing) -> Vec<Effect> {
        let node = group_machine(&machine.resource).and_then(|of_group| {
            let key = ResourceKey::new(Kind::Node, &*of_group.node);
            self.things.get(&machine.holder, &key)
        });
        let serials = [Some(machine), node].into_iter().flatten();
        serials
            .map(|thing| Effect::Remove { serial: thing.serial })
            .collect()
    }

    /// The effects of the end of a group, with all that it holds.
    pub(super) fn without_group(&self, group: &Thing) -> Vec<Effect> {
        let attached = self.attached(group).into_iter();
        let mut effects: Vec<Effect> = attached
            .flat_map(|(machine, _)| self.without_group_machine(machine))
            .collect();
        effects.push(Effect::Remove { serial: group.serial });
        effects
    }

    fn group_of(&self, holder: &Holder, machine: &GroupMachine) -> Option<(&Thing, &NodeGroup)> {
        let key = ResourceKey::new(Kind::NodeGroup, &*machine.group);
        let thing = self.things.get(holder, &key)?;
        match &thing.resource {
            Resource::NodeGroup(group) => Some((thing, group)),
            _ => None,
        }
    }

    /// Why the group of the machine that `call` lets go or removes does not hold what it is to, if so.
    pub(crate) fn others_have_come(&self, call: &Call<'_>) -> Result<(), String> {
        let Some(machine) = group_machine(call.change.resource()) else {
            return Ok(());
        };
        let group = self.group_of(&call.holder, machine);
        group.map_or(Ok(()), |(thing, group)| self.is_full(thing, group, call.now))
    }

    /// Why a group does not hold as many machines as it is to, or one that is up to date has not joined yet, if so.
    pub(super) fn is_full(&self, thing: &Thing, group: &NodeGroup, now: Timestamp) -> Result<(), String> {
        let attached = self.attached(thing);
        let (wanted, name) = (group.replicas, thing.key.name());
        if usize::try_from(wanted).ok() != Some(attached.len()) {
            return Err(format!(
                "{} of {wanted} machines of {name} are there",
                attached.len()
            ));
        }
        let template = group.template();
        let mut new = attached
            .iter()
            .filter(|(_, machine)| machine.template == template);
        match new.find(|(_, machine)| !self.node_serves(thing, machine, now)) {
            Some((machine, _)) => Err(format!("the node of {} is not Ready", machine.id)),
            None => Ok(()),
        }
    }

    fn node_serves(&self, group: &Thing, machine: &GroupMachine, now: Timestamp) -> bool {
        let key = ResourceKey::new(Kind::Node, &*machine.node);
        let node = self.things.get(&group.holder, &key);
        node.is_some_and(|node| !node.is_busy(now) && self.working(node, now).is_ok())
    }

    /// How a group is doing.
    pub(super) fn group_health(&self, thing: &Thing, group: &NodeGroup, now: Timestamp) -> Health {
        let wanted = usize::try_from(group.replicas).unwrap_or(usize::MAX);
        let attached = self.attached(thing).into_iter();
        let ready = attached
            .filter(|(_, machine)| self.node_serves(thing, machine, now))
            .count();
        let why = || format!("{ready} of {wanted} nodes are Ready");
        match ready {
            _ if ready >= wanted => Health::Healthy,
            0 => Health::Unhealthy(why()),
            _ => Health::Impaired(why()),
        }
    }

    /// The nodes of the group that `call` takes a machine of which are away at this moment, with the group's name.
    pub(super) fn away_from_group(&self, call: &Call<'_>) -> Option<(String, usize)> {
        let Action::Delete { existing } = &call.change.action else {
            return None;
        };
        let machine = group_machine(&existing.resource)?;
        let (_, group) = self.group_of(&call.holder, machine)?;
        let serving = self.things.held(&call.holder, Kind::Node).filter(|node| {
            matches!(&node.resource, Resource::Node(of) if of.group == machine.group)
                && !node.is_busy(call.now)
                && self.working(node, call.now).is_ok()
        });
        let wanted = usize::try_from(group.replicas).unwrap_or(usize::MAX);
        Some((machine.group.clone(), wanted.saturating_sub(serving.count())))
    }
}

fn group_machine(resource: &Resource) -> Option<&GroupMachine> {
    match resource {
        Resource::GroupMachine(machine) => Some(machine),
        _ => None,
    }
}

/// A machine with what it is in its group.
type Attached<'a> = (&'a Thing, &'a GroupMachine);

/// The machines that a group ends when it holds too many, and those that it keeps: the outdated ones go first, then the oldest
/// (<https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-termination-policies.html>).
fn surplus<'a>(
    mut attached: Vec<Attached<'a>>,
    group: &NodeGroup,
    wanted: usize,
) -> (Vec<Attached<'a>>, Vec<Attached<'a>>) {
    let count = attached.len().saturating_sub(wanted);
    if count == 0 {
        return (Vec::new(), attached);
    }
    let template = group.template();
    attached.sort_by_key(|(thing, machine)| (machine.template == template, thing.serial));
    let kept = attached.split_off(count);
    (attached, kept)
}
