//! What happens after an effect: who becomes ready when, and what a change still has to wait for.

use jiff::Timestamp;
use keelson_provider_api::kinds::{EtcdMember, Kind, MemberPhase};
use keelson_provider_api::{Action, Resource, ResourceKey};

use super::etcd::promoted;
use super::{Call, Effect, Thing, World};

/// How far a change is after its effect.
#[derive(Debug, PartialEq)]
pub(crate) enum Settled {
    /// What was asked for is there and works.
    Done,
    /// It is on its way, for this reason.
    Waiting(String),
    /// It needs one more effect.
    Next(Vec<Effect>),
    /// It will never be, for this reason.
    Lost(String),
}

impl World {
    /// How far `call` is after its effect.
    pub(crate) fn settled(&self, call: &Call<'_>) -> Settled {
        if matches!(call.change.action, Action::Delete { .. }) {
            let come = self.others_have_come(call);
            return come.map_or_else(Settled::Waiting, |()| Settled::Done);
        }
        let Some(thing) = self.things.get(&call.holder, call.key()) else {
            return Settled::Lost(format!("{} is gone again", call.key()));
        };
        if let Err(why) = self.host_of(thing) {
            return Settled::Lost(why);
        }
        let now = call.now;
        let waiting = match &thing.resource {
            Resource::EtcdMember(member) => return self.settled_member(call, thing, member),
            Resource::NodeBundle(bundle) => self
                .working(thing, now)
                .and_then(|()| self.back(thing, &bundle.machine, now)),
            Resource::ControlPlane(_) => self.control_plane_answers(thing, now),
            Resource::LoadBalancerTarget(target) => {
                let control_plane = ResourceKey::new(Kind::ControlPlane, &*target.machine);
                match self.things.get(&call.holder, &control_plane) {
                    Some(control_plane) => self.control_plane_answers(control_plane, now),
                    None => Err(format!("{control_plane} is gone")),
                }
            }
            Resource::Node(_) => self.working(thing, now),
            Resource::NodeGroup(group) => self.is_full(thing, group, now),
            Resource::GroupMachine(_) => self.others_have_come(call),
            _ => Ok(()),
        };
        waiting.map_or_else(Settled::Waiting, |()| Settled::Done)
    }

    /// Why what a machine ran before its bundle changed is not back yet, if so.
    fn back(&self, bundle: &Thing, machine: &str, now: Timestamp) -> Result<(), String> {
        for thing in self.things.residents(&bundle.holder, machine) {
            if thing.host_id != bundle.host_id {
                continue;
            }
            if thing.key.kind() == Kind::ControlPlane {
                self.control_plane_answers(thing, now)?;
            }
        }
        Ok(())
    }

    fn settled_member(&self, call: &Call<'_>, thing: &Thing, member: &EtcdMember) -> Settled {
        let now = call.now;
        if let Err(why) = self.working(thing, now) {
            return Settled::Waiting(why);
        }
        let count = self.etcd_count(&thing.holder, &member.cluster, now);
        match member.phase {
            MemberPhase::Voter if count.has_quorum() => Settled::Done,
            MemberPhase::Waiting => {
                let effects = self.stop_waiting(call, thing, member);
                if effects.is_empty() {
                    Settled::Waiting(format!(
                        "etcd {} waits for its other initial members",
                        member.cluster
                    ))
                } else {
                    Settled::Next(effects)
                }
            }
            MemberPhase::Learner if thing.is_busy(now) => {
                // etcd's own words for a promotion that comes too early.
                Settled::Waiting(
                    "etcdserver: can only promote a learner member which is in sync with leader".to_owned(),
                )
            }
            MemberPhase::Learner if count.has_quorum() => Settled::Next(vec![promoted(thing, member)]),
            MemberPhase::Voter | MemberPhase::Learner => Settled::Waiting(format!(
                "etcd {} has {} of {} voters",
                member.cluster, count.working, count.voters
            )),
        }
    }
}
