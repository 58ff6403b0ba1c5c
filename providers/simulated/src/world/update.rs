//! What an update does, and when it is refused.

use std::time::Duration;

use keelson_provider_api::kinds::{Effect as Price, Kind, MemberPhase, NodeGroup};
use keelson_provider_api::{Disruption, ProviderError, Resource, ResourceKey};

use super::{Call, Effect, Refusal, Rule, Thing, World, permanent, restart_time, transient};
use crate::random::later;

impl World {
    /// The thing of that id if the caller's cluster has it.
    pub(super) fn own<'a>(&'a self, call: &Call<'_>, id: &str) -> Result<Option<&'a Thing>, Refusal> {
        match self.things.by_id(id) {
            Some(thing) if thing.holder != call.holder => {
                let what = format!("{} was asked for on {id} of {}", call.change, thing.holder);
                Err(Refusal {
                    error: permanent(format!("{id} belongs to {}", thing.holder)),
                    noted: Self::violation(call, Rule::ForeignTouched, what)
                        .into_iter()
                        .collect(),
                })
            }
            found => Ok(found),
        }
    }

    /// What changing the thing `id` into `resource` does now.
    pub(crate) fn update(
        &self,
        call: &Call<'_>,
        id: &str,
        resource: &Resource,
    ) -> Result<Vec<Effect>, Refusal> {
        let Some(thing) = self.own(call, id)? else {
            // Platforms that are eventually consistent say this also of what is about to appear.
            return Err(transient(format!("{} ({id}) was not found", call.key())).into());
        };
        let differences = thing.resource.differences(resource);
        if let Some(fixed) = differences
            .iter()
            .find(|difference| difference.effect >= Price::Replace)
        {
            return Err(permanent(format!(
                "{} of {} cannot be changed in place",
                fixed.field, thing.key
            ))
            .into());
        }
        if differences.is_empty() {
            return Ok(Vec::new());
        }
        self.check_references(call, resource)?;
        if self.host_of(thing).is_err() {
            return Err(permanent(format!("the machine of {} is gone", thing.key)).into());
        }
        if let (Some(machine), true) = (thing.machine(), lives_on_disk(thing.key.kind())) {
            self.reachable(machine, call.now).map_err(transient)?;
        }
        let restarts = differences
            .iter()
            .any(|difference| difference.effect >= Price::Restart);
        let effects = self.alter(call, thing, resource, restarts)?;
        let broken = self.quorum_violations(call, &effects);
        Ok(effects.into_iter().chain(broken).collect())
    }

    fn alter(
        &self,
        call: &Call<'_>,
        thing: &Thing,
        resource: &Resource,
        restarts: bool,
    ) -> Result<Vec<Effect>, ProviderError> {
        let mut altered = thing.clone();
        altered.resource = resource.clone();
        match resource {
            Resource::NodeBundle(bundle) => {
                self.check_versions(call, bundle)?;
                if restarts {
                    let pause = restart_time(bundle.kubernetes_version.is_some());
                    altered.busy_until = Some(later(call.now, pause));
                }
                altered.facts = Self::facts_for(resource, &thing.id, thing.serial);
            }
            Resource::ControlPlane(_) => altered.busy_until = Some(later(call.now, restart_time(true))),
            Resource::EtcdMember(wanted) => {
                let Resource::EtcdMember(member) = &thing.resource else {
                    return Ok(Vec::new());
                };
                if wanted.phase < member.phase {
                    return Err(permanent(format!("{} cannot lose its vote and stay", thing.key)));
                }
                // Joining and promotion take their time: see `settled`.
                return if wanted.phase == MemberPhase::Voter {
                    Ok(Vec::new())
                } else {
                    Err(permanent("a member that waits becomes a voter and nothing else"))
                };
            }
            Resource::Node(_) | Resource::Addon(_) => {
                self.api_answers(&call.holder, call.now).map_err(transient)?;
            }
            Resource::EtcdSnapshot(_) => return Ok(Vec::new()),
            Resource::NodeGroup(wanted) => {
                let Resource::NodeGroup(group) = &thing.resource else {
                    return Ok(Vec::new());
                };
                altered.resource = NodeGroup {
                    replicas: wanted.replicas_from(group.replicas),
                    ..wanted.clone()
                }
                .into();
            }
            _ => {}
        }
        Ok(vec![Effect::Put(Box::new(altered))])
    }

    /// The effect of taking pods off the node that `call` is about to disturb; they go back when `pause` and the
    /// restart are over, for the bundle's own script makes the node schedulable again as its last act.
    pub(crate) fn cordon(&self, call: &Call<'_>, pause: Duration) -> Option<Effect> {
        if call.change.disruption != Disruption::Drain {
            return None;
        }
        let node = ResourceKey::new(Kind::Node, call.change.machine()?);
        let mut node = self.things.get(&call.holder, &node)?.clone();
        let away = pause.saturating_add(restart_time(true));
        node.busy_until = Some(later(call.now, away));
        Some(Effect::Put(Box::new(node)))
    }
}

/// True for kinds that are changed by going to the machine.
pub(super) fn lives_on_disk(kind: Kind) -> bool {
    matches!(kind, Kind::Machine | Kind::NodeBundle | Kind::ControlPlane)
}
