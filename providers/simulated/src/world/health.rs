//! How things are doing: derived at every look, never stored.

use jiff::Timestamp;
use keelson_provider_api::Health;
use keelson_provider_api::kinds::{Kind, MemberPhase};
use keelson_provider_api::{Resource, ResourceKey};

use super::{Holder, Thing, World};

impl World {
    /// The machine that `thing` lives on, or why it is not there any more.
    pub(super) fn host_of(&self, thing: &Thing) -> Result<Option<&Thing>, String> {
        let Some(name) = thing.machine() else {
            return Ok(None);
        };
        if matches!(thing.key.kind(), Kind::Machine | Kind::GroupMachine) {
            return Ok(self.things.by_serial(thing.serial));
        }
        self.things
            .get(&thing.holder, &ResourceKey::new(Kind::Machine, name))
            .or_else(|| self.group_machine(&thing.holder, name))
            .filter(|machine| Some(&machine.id) == thing.host_id.as_ref())
            .map(Some)
            .ok_or_else(|| format!("machine {name} is gone"))
    }

    /// Why the machine of that name cannot be reached, if so.
    pub(super) fn reachable(&self, machine: &str, now: Timestamp) -> Result<(), String> {
        match self.hosts.get(machine) {
            Some(host) if host.down_until.is_some_and(|until| now < until) && !self.like.is_cloud() => {
                Err(format!(
                    "unreachable: ssh: connect to host {} port 22: Connection timed out",
                    host.address
                ))
            }
            _ => Ok(()),
        }
    }

    /// Why what should run on `thing`'s machine does not, if so: the machine is gone, dark, or restarting it.
    pub(super) fn working(&self, thing: &Thing, now: Timestamp) -> Result<(), String> {
        let Some(machine) = self.host_of(thing)? else {
            return Ok(());
        };
        let name = machine.key.name();
        self.reachable(name, now)?;
        match self
            .things
            .get(&thing.holder, &ResourceKey::new(Kind::NodeBundle, name))
        {
            Some(bundle) if bundle.is_busy(now) => Err(format!("machine {name} restarts its components")),
            _ => Ok(()),
        }
    }

    /// Why the control plane does not answer, if so.
    pub(super) fn control_plane_answers(&self, thing: &Thing, now: Timestamp) -> Result<(), String> {
        self.working(thing, now)?;
        if thing.held {
            return Err("it is stopped until its etcd has been given other data".to_owned());
        }
        if thing.is_busy(now) {
            return Err("the API server is starting".to_owned());
        }
        self.etcd_ready(&thing.holder, now)
    }

    fn answering<'a>(&'a self, holder: &'a Holder, now: Timestamp) -> impl Iterator<Item = &'a Thing> {
        self.things
            .held(holder, Kind::ControlPlane)
            .filter(move |thing| self.control_plane_answers(thing, now).is_ok())
    }

    /// Why no control plane at all answers, if so.
    pub(super) fn api_answers(&self, holder: &Holder, now: Timestamp) -> Result<(), String> {
        if self.answering(holder, now).next().is_some() {
            return Ok(());
        }
        let why = self.things.held(holder, Kind::ControlPlane).next().map_or_else(
            || "there is no control plane".to_owned(),
            |thing| self.control_plane_answers(thing, now).err().unwrap_or_default(),
        );
        Err(format!("no API server answers: {why}"))
    }

    /// Why the API cannot be reached through its endpoint, if so.
    pub(super) fn endpoint_answers(&self, holder: &Holder, now: Timestamp) -> Result<(), String> {
        self.api_answers(holder, now)?;
        let balanced = self.things.held(holder, Kind::LoadBalancer).next().is_some();
        let target = |thing: &&Thing| match &thing.resource {
            Resource::LoadBalancerTarget(target) => self.serves(holder, &target.machine, now),
            _ => false,
        };
        if balanced
            && !self
                .things
                .held(holder, Kind::LoadBalancerTarget)
                .any(|thing| target(&thing))
        {
            return Err("no target of the load balancer is healthy".to_owned());
        }
        for thing in self.things.held(holder, Kind::VirtualAddress) {
            if let Resource::VirtualAddress(address) = &thing.resource
                && !address
                    .machines
                    .iter()
                    .any(|machine| self.serves(holder, machine, now))
            {
                return Err(format!("no healthy control plane holds {}", address.address));
            }
        }
        Ok(())
    }

    fn serves(&self, holder: &Holder, machine: &str, now: Timestamp) -> bool {
        self.things
            .get(holder, &ResourceKey::new(Kind::ControlPlane, machine))
            .is_some_and(|thing| self.control_plane_answers(thing, now).is_ok())
    }

    /// Why a member has nothing to do with the etcd that there is now, if so.
    fn is_of_another_etcd(&self, thing: &Thing) -> Option<String> {
        let Resource::EtcdMember(member) = &thing.resource else {
            return None;
        };
        let cluster = self.etcd_cluster(&thing.holder, &member.cluster)?;
        (cluster.restored != thing.restored)
            .then(|| format!("etcd {} was restored without it", member.cluster))
    }

    /// How `thing` is doing.
    pub(super) fn health(&self, thing: &Thing, now: Timestamp) -> Health {
        if let Resource::EtcdMember(member) = &thing.resource
            && member.phase == MemberPhase::Voter
            && self.working(thing, now).is_ok()
            && !self.etcd_count(&thing.holder, &member.cluster, now).has_quorum()
        {
            return Health::Stalled(format!("etcd {} has no quorum", member.cluster));
        }
        if let Some(why) = self.is_of_another_etcd(thing) {
            return Health::Stalled(why);
        }
        if let Resource::NodeGroup(group) = &thing.resource {
            return self.group_health(thing, group, now);
        }
        let well = match &thing.resource {
            Resource::EtcdMember(member) => self.working(thing, now).and_then(|()| match member.phase {
                MemberPhase::Voter => Ok(()),
                MemberPhase::Learner => Err("it is a learner".to_owned()),
                MemberPhase::Waiting => Err("it waits for the other initial members".to_owned()),
            }),
            Resource::ControlPlane(_) => self.control_plane_answers(thing, now),
            Resource::LoadBalancerTarget(target) if !self.serves(&thing.holder, &target.machine, now) => {
                Err("the control plane does not answer its health check".to_owned())
            }
            Resource::VirtualAddress(address)
                if !address
                    .machines
                    .iter()
                    .any(|machine| self.serves(&thing.holder, machine, now)) =>
            {
                Err("no healthy control plane holds it".to_owned())
            }
            Resource::Node(_) => self.working(thing, now).and_then(|()| {
                if thing.is_busy(now) {
                    Err("it is being drained".to_owned())
                } else {
                    Ok(())
                }
            }),
            Resource::Addon(_) => self.api_answers(&thing.holder, now),
            Resource::NodeBundle(_) => self.working(thing, now),
            _ => Ok(()),
        };
        match well {
            Ok(()) => Health::Healthy,
            Err(reason) => Health::Unhealthy(reason),
        }
    }
}
