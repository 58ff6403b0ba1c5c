//! From what AWS shows to groups and their machines.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use keelson_aws_calls::ec2::{Instance, InstanceState, LaunchTemplate};
use keelson_aws_calls::scaling::Group;
use keelson_provider_api::kinds::{GroupMachine, NodeGroup};
use keelson_provider_api::{
    ClusterIdentity, Existing, Health, Kind, KindObservation, Observed, Owner, ResourceKey,
};

use super::look::Look;
use super::{full, tags, template};
use crate::machine::observe::{facts, reason};
use crate::marked::{Seen, key_of, key_of_tags, observation};

/// The facts that people are told.
const NAME: &str = "name";
const LAUNCH: &str = "launchTemplate";

/// The cluster's groups. A launch template without a group is one that was begun and not ended, or is about to be gone.
pub(super) fn groups(cluster: &ClusterIdentity, look: &Look) -> KindObservation {
    let mut seen: Vec<Seen> = look.groups.iter().map(|group| look.of_group(group)).collect();
    let there: BTreeSet<_> = look
        .groups
        .iter()
        .filter_map(|group| key_of_tags(&group.tags))
        .collect();
    let left = look.templates.iter().filter(|template| {
        let key = key_of_tags(&template.tags);
        key.is_none_or(|key| !there.contains(&key))
    });
    seen.extend(left.map(without_group));
    observation(cluster, Kind::NodeGroup, seen)
}

fn without_group(template: &LaunchTemplate) -> Seen {
    Seen {
        id: template.id.clone(),
        tags: template.tags.clone(),
        resource: Ok(tags::nothing().into()),
        health: Health::Unhealthy("its launch template has no Auto Scaling group".to_owned()),
        created_at: None,
        facts: BTreeMap::new(),
    }
}

impl Look {
    fn of_group(&self, group: &Group) -> Seen {
        let strange = self.strange(group);
        let failure = self.failures.get(&group.name).map(String::as_str);
        let health = match (&strange, full::is_full(group)) {
            (Some(why), _) => Health::Unhealthy(why.clone()),
            (None, true) => Health::Healthy,
            (None, false) => Health::Unhealthy(full::lacks(group, failure)),
        };
        let launch = group.launch.as_ref();
        let launch = launch.map(|launch| tags::launch(&launch.template, &launch.version));
        let told = [(NAME, Some(group.name.clone())), (LAUNCH, launch)];
        let told = told
            .into_iter()
            .filter_map(|(key, value)| Some((key.to_owned(), value?)));
        Seen {
            id: group.name.clone(),
            tags: group.tags.clone(),
            resource: Ok(self.node_group(group, strange.is_some()).into()),
            health,
            created_at: None,
            facts: told.collect(),
        }
    }

    fn node_group(&self, group: &Group, is_strange: bool) -> NodeGroup {
        let mut subnets: Vec<String> = (group.subnets.iter())
            .map(|id| self.names.name_of(Kind::Subnet, id))
            .collect();
        subnets.sort();
        let asked = tags::asked(&group.tags).unwrap_or_else(tags::nothing);
        let mut seen = NodeGroup {
            min: group.sizes.min,
            max: group.sizes.max,
            replicas: group.sizes.desired.unwrap_or_default(),
            subnets,
            ..asked
        };
        let mix = group.launch.as_ref().and_then(|launch| launch.mix.as_ref());
        if let Some(mix) = mix.filter(|mix| template::mix(&seen).as_ref() != Some(*mix)) {
            let mut types = mix.types.iter().cloned();
            seen.machine_type = types.next();
            seen.types = types.collect();
            seen.spot_share = u8::try_from(mix.spot_percent).ok();
        }
        if is_strange {
            // No machine is to start from this, so that it is seen that something is to be done.
            seen.settings = tags::unknown();
        }
        seen
    }

    /// Why a group is not one that keelson has brought to its end, if so.
    fn strange(&self, group: &Group) -> Option<String> {
        if group.is_going {
            return Some("it is being deleted".to_owned());
        }
        let Some(asked) = tags::asked(&group.tags) else {
            return Some("its tags do not say what was asked for".to_owned());
        };
        let Some(launch) = &group.launch else {
            return Some("it starts machines from no launch template".to_owned());
        };
        let now = tags::launch(&launch.template, &launch.version);
        let told = tags::told(&group.tags).unwrap_or_default();
        if now != told {
            return Some(format!(
                "it starts machines from {now}, and was told to from {told}"
            ));
        }
        if !self
            .templates
            .iter()
            .any(|template| template.id == launch.template)
        {
            return Some(format!("its launch template {} is gone", launch.template));
        }
        (launch.mix != template::mix(&asked))
            .then(|| "it mixes other machines than it was told to".to_owned())
    }
}

/// The machines of the cluster's groups, by the ids of their instances.
pub(super) fn machines(cluster: &ClusterIdentity, look: &Look) -> KindObservation {
    let members = look.groups.iter().flat_map(|group| &group.members);
    let attached: BTreeSet<&str> = members
        .filter(|member| !full::is_let_go(member))
        .map(|member| member.id.as_str())
        .collect();
    let mut observation = KindObservation::default();
    for instance in &look.instances {
        let group = key_of(cluster, &instance.tags).filter(|(key, _)| key.kind() == Kind::NodeGroup);
        let Some((group, generation)) = group else {
            continue;
        };
        let machine = GroupMachine {
            group: group.name().to_owned(),
            template: tags::template(&instance.tags),
            node: instance.id.clone(),
            detached: !attached.contains(instance.id.as_str()),
        };
        let existing = Existing {
            resource: machine.into(),
            id: instance.id.clone(),
            owner: Owner::ThisCluster,
            health: health(instance),
            created_at: instance.launched.unwrap_or(Timestamp::UNIX_EPOCH),
            generation,
            host_id: None,
            facts: facts(instance),
        };
        let key = ResourceKey::new(Kind::GroupMachine, &*instance.id);
        observation.found.insert(key, Observed::Present(existing));
    }
    observation
}

fn health(instance: &Instance) -> Health {
    match instance.state {
        InstanceState::Running => Health::Healthy,
        InstanceState::Pending => Health::Unhealthy("it does not run yet".to_owned()),
        _ => Health::Unhealthy(format!("it does not run; {}", reason(instance))),
    }
}
