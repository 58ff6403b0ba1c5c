//! What a delete takes away, and when it is refused.

use std::collections::BTreeSet;

use keelson_provider_api::kinds::{Kind, Lifetime};
use keelson_provider_api::{Existing, Resource};

use super::etcd::etcd_effect;
use super::update::lives_on_disk;
use super::{Call, Effect, Holder, Refusal, Thing, World, permanent, transient};

impl World {
    /// What deleting `existing` does now.
    pub(crate) fn delete(&self, call: &Call<'_>, existing: &Existing) -> Result<Vec<Effect>, Refusal> {
        let Some(thing) = self.own(call, &existing.id)? else {
            return Ok(Vec::new());
        };
        let is_machine = thing.key.kind() == Kind::Machine;
        let standing = self
            .things
            .referrers(&call.holder, &thing.key)
            .filter(|other| !goes_with_its_group(other))
            .find(|other| self.still_needs(other, thing) && !(is_machine && lives_with(other, thing)));
        if let Some(other) = standing {
            return Err(permanent(format!(
                "dependency violation: {} is used by {}",
                thing.key, other.key
            ))
            .with_help(format!("{} has to go before {}", other.key, thing.key))
            .into());
        }
        self.check_leftovers(thing)?;
        let gone = self.host_of(thing).is_err();
        if let (Some(machine), true, false) = (thing.machine(), lives_on_disk(thing.key.kind()), gone) {
            self.reachable(machine, call.now).map_err(transient)?;
        }
        let broken = self.data_lost(call, thing);
        let effects = match &thing.resource {
            Resource::Machine(_) => self.without_machine(thing),
            Resource::NodeGroup(_) => self.without_group(thing),
            Resource::GroupMachine(_) => self.without_group_machine(thing),
            Resource::EtcdMember(member) => {
                self.check_removal(call, thing, member)?;
                let left = self.left_by(thing, member, self.next_serial, call.now);
                let aside = left.map(|data| self.move_aside(data, None, call.now));
                let mut effects = vec![Effect::Remove { serial: thing.serial }];
                effects.extend(aside.into_iter().flatten());
                effects
            }
            Resource::Node(_) | Resource::Addon(_) => {
                if let Some(why) = self.delete_waits_for(call) {
                    return Err(transient(why).into());
                }
                vec![Effect::Remove { serial: thing.serial }]
            }
            _ => vec![Effect::Remove { serial: thing.serial }],
        };
        let broken = broken.into_iter().chain(self.quorum_violations(call, &effects));
        Ok(effects.iter().cloned().chain(broken).collect())
    }

    /// Why a delete has to wait before it can have its effect, if so. Without any control plane left nobody serves
    /// the object, and it goes with the machines.
    pub(crate) fn delete_waits_for(&self, call: &Call<'_>) -> Option<String> {
        let served = matches!(call.key().kind(), Kind::Node | Kind::Addon)
            && self
                .things
                .held(&call.holder, Kind::ControlPlane)
                .next()
                .is_some();
        served
            .then(|| self.api_answers(&call.holder, call.now).err())
            .flatten()
    }

    /// What is left of a machine that is gone does not need anything any more; and another thing under the same
    /// key can take the place of a double.
    fn still_needs(&self, other: &Thing, thing: &Thing) -> bool {
        let doubled = self
            .things
            .under(&thing.key)
            .any(|double| double.holder == thing.holder && double.serial != thing.serial);
        !doubled && self.host_of(other).is_ok()
    }

    /// The effects of a machine's going: by a delete or by a fault. Of a group's machine that is gone by itself the node is left.
    pub(crate) fn without_machine(&self, machine: &Thing) -> Vec<Effect> {
        if machine.key.kind() == Kind::GroupMachine {
            return vec![Effect::Remove {
                serial: machine.serial,
            }];
        }
        let holder = &machine.holder;
        let mut gone = BTreeSet::from([machine.serial]);
        let others_left = self
            .things
            .held(holder, Kind::Machine)
            .any(|other| other.serial != machine.serial);
        if !others_left {
            gone.extend(
                self.things
                    .all()
                    .filter(|thing| thing.holder == *holder)
                    .filter(|thing| {
                        matches!(
                            thing.key.kind().info().lifetime,
                            Lifetime::Machine | Lifetime::Cluster
                        )
                    })
                    .map(|thing| thing.serial),
            );
        }
        let ended = self.etcd_that_ends_with(holder, machine);
        for thing in self.things.residents(holder, machine.key.name()) {
            let outlives = match &thing.resource {
                Resource::EtcdMember(member) => {
                    self.etcd_cluster(holder, &member.cluster).is_some() && !ended.contains(&member.cluster)
                }
                Resource::Node(_) => others_left && !ended.contains("main"),
                _ => false,
            };
            if thing.host_id.as_ref() == Some(&machine.id) && !outlives {
                gone.insert(thing.serial);
            }
        }
        for name in &ended {
            gone.extend(self.members_of_any(holder, name).map(|(thing, _)| thing.serial));
        }
        if ended.contains("main") {
            // Kubernetes' objects were kept there.
            let objects = [Kind::Node, Kind::Addon];
            gone.extend(
                objects
                    .iter()
                    .flat_map(|&kind| self.things.held(holder, kind))
                    .map(|thing| thing.serial),
            );
        }
        let ends = ended.iter().filter_map(|name| etcd_effect(holder, name, None));
        gone.into_iter()
            .map(|serial| Effect::Remove { serial })
            .chain(ends)
            .collect()
    }

    /// The etcd clusters that have no machine left without `machine`.
    fn etcd_that_ends_with(&self, holder: &Holder, machine: &Thing) -> BTreeSet<String> {
        let Holder::Cluster { uid, .. } = holder else {
            return BTreeSet::new();
        };
        let others = self.things.held(holder, Kind::Machine);
        let is_last = others.filter(|other| other.serial != machine.serial).count() == 0;
        let is_here = |thing: &Thing| thing.host_id.as_ref() == Some(&machine.id);
        self.etcd_names(uid)
            .filter(|name| {
                let mut members = self.members_of_any(holder, name);
                // One whose members were ended waits for other data, and ends with the last machine.
                is_last || members.any(|(thing, _)| is_here(thing))
            })
            .filter(|name| {
                !self
                    .members_of_any(holder, name)
                    .any(|(thing, _)| !is_here(thing) && self.host_of(thing).is_ok())
            })
            .map(str::to_owned)
            .collect()
    }
}

/// True for a machine that its group holds, and ends when it ends itself.
fn goes_with_its_group(thing: &Thing) -> bool {
    matches!(&thing.resource, Resource::GroupMachine(machine) if !machine.detached)
}

fn lives_with(thing: &Thing, machine: &Thing) -> bool {
    thing.host_id.as_ref() == Some(&machine.id)
}
