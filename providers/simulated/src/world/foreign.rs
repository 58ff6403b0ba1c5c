//! Things that were there before, and blows that nobody asked for.

use std::time::Duration;

use jiff::Timestamp;
use keelson_provider_api::kinds::{Kind, MemberPhase};
use keelson_provider_api::values::Digest;
use keelson_provider_api::{Resource, ResourceKey};

use super::{Effect, Holder, Host, Thing, World};
use crate::random::later;

impl World {
    /// The effect that puts a host there, if none of that name stands there yet.
    pub(crate) fn stand(&self, name: &str, address: &str) -> Vec<Effect> {
        if self.hosts.get(name).is_some_and(|host| host.address == address) {
            return Vec::new();
        }
        vec![Effect::Host(Host {
            name: name.to_owned(),
            address: address.to_owned(),
            down_until: None,
        })]
    }

    /// The effect that puts something of somebody else's there.
    pub(crate) fn plant(
        &self,
        holder: Holder,
        key: ResourceKey,
        resource: Resource,
        now: Timestamp,
    ) -> Effect {
        let serial = self.next_serial;
        let id = self.id_for(&key, serial);
        Effect::Put(Box::new(Thing {
            serial,
            token: Digest::of_bytes(id.as_bytes()).short(32),
            facts: Self::facts_for(&resource, &id, serial),
            host_id: self.host_id_for(&holder, &key, &resource),
            key,
            holder,
            resource,
            id,
            generation: 0,
            created_at: now,
            busy_until: None,
            restored: None,
            held: false,
        }))
    }

    /// The effects of a machine's death: on clouds it is gone for good; a bare machine is dark for `pause`.
    pub(crate) fn strike(&self, machine: &Thing, now: Timestamp, pause: Duration) -> Vec<Effect> {
        if self.like.is_cloud() {
            return self.without_machine(machine);
        }
        let mut effects = Vec::new();
        if let Some(host) = self.hosts.get(machine.key.name()) {
            effects.push(Effect::Host(Host {
                down_until: Some(later(now, pause)),
                ..host.clone()
            }));
        }
        effects
    }

    pub(crate) fn note_strike(&mut self, now: Timestamp) {
        self.last_strike = Some(now);
    }

    /// The machines that a fault may take now: never so that an etcd cluster could lose its quorum, also with
    /// something else on the way; never a second one while one is missing.
    pub(crate) fn mortal(&self, now: Timestamp) -> Vec<&Thing> {
        let machines = self.things.of_kind(Kind::Machine);
        machines
            .chain(self.things.of_kind(Kind::GroupMachine))
            .filter(|machine| matches!(machine.holder, Holder::Cluster { .. }))
            .filter(|machine| self.spares(machine, now))
            .collect()
    }

    fn spares(&self, machine: &Thing, now: Timestamp) -> bool {
        let holder = &machine.holder;
        let Holder::Cluster { uid, .. } = holder else {
            return false;
        };
        let all_well = self.etcd_names(uid).all(|name| {
            let count = self.etcd_count(holder, name, now);
            count.voters == count.working && count.learners == 0
        });
        let none_dark = self
            .things
            .held(holder, Kind::Machine)
            .all(|other| self.reachable(other.key.name(), now).is_ok());
        let serves = self
            .things
            .residents(holder, machine.key.name())
            .any(|thing| matches!(thing.key.kind(), Kind::EtcdMember | Kind::ControlPlane));
        let members_left =
            self.things
                .residents(holder, machine.key.name())
                .all(|thing| match &thing.resource {
                    Resource::EtcdMember(member) => {
                        member.phase == MemberPhase::Voter
                            && self.etcd_count(holder, &member.cluster, now).voters >= 3
                    }
                    _ => true,
                });
        let control_planes = self.things.held(holder, Kind::ControlPlane).count();
        all_well && none_dark && members_left && (!serves || control_planes >= 3)
    }

    /// The machine of that name that `holder` has.
    pub(crate) fn machine(&self, holder: &Holder, name: &str) -> Option<&Thing> {
        self.things
            .get(holder, &ResourceKey::new(Kind::Machine, name))
            .or_else(|| self.group_machine(holder, name))
    }
}
