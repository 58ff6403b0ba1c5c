//! Worlds made by hand: what a spec asks for, as if it had been made.

use jiff::Timestamp;
use keelson::model::desired_state;
use keelson::node::AssetIndex;
use keelson::plan::{self, DesiredState, Plan, PlanReport};
use keelson::spec;
use keelson_provider_api::{
    ClusterIdentity, ClusterUid, Existing, Health, Kind, KindObservation, Observation, Observed, Owner,
    Resource, ResourceKey,
};

use crate::lint::lint;

/// A spec's `spec:` part with the provider and `fields` (lines of YAML, two spaces deep).
pub(super) fn desired(fields: &str) -> DesiredState {
    desired_like("like: digitalocean", fields)
}

/// The same with hosts: a name and its role each.
pub(super) fn desired_on_hosts(hosts: &[(&str, &str)], fields: &str) -> DesiredState {
    desired_on_hosts_at("apiAddress: 10.0.0.100", hosts, fields)
}

/// The same with what the provider says of the API's address. The hosts have addresses from 10.0.0.11 on.
pub(super) fn desired_on_hosts_at(api: &str, hosts: &[(&str, &str)], fields: &str) -> DesiredState {
    let host = |(number, (name, role)): (usize, &(&str, &str))| {
        format!(
            "{{ name: {name}, address: 10.0.0.{}, roles: [{role}] }}",
            number + 11
        )
    };
    let hosts: Vec<String> = hosts.iter().enumerate().map(host).collect();
    let hosts = hosts.join(", ");
    desired_like(&format!("like: ssh, {api}, hosts: [{hosts}]"), fields)
}

/// The same in a cloud, with a domain.
pub(super) fn desired_in_domain(domain: &str, fields: &str) -> DesiredState {
    desired_like(&format!("like: digitalocean, domain: {domain}"), fields)
}

/// The same in a cloud with three zones, where addresses and etcd data outlive machines; `settings` are the provider's.
pub(super) fn desired_in_zones(settings: &str, fields: &str) -> DesiredState {
    desired_like(&format!("like: aws{settings}"), fields)
}

fn desired_like(simulated: &str, fields: &str) -> DesiredState {
    let text = format!(
        "apiVersion: keelson.dev/v1alpha1\nkind: Cluster\nmetadata: {{ name: prod }}\nspec:\n  \
         provider: {{ simulated: {{ {simulated} }} }}\n{fields}\n"
    );
    let spec = spec::load(text.as_bytes(), "test").unwrap_or_else(|errors| panic!("{errors}"));
    desired_state(&spec, &AssetIndex::Imagined).unwrap()
}

pub(super) const THREE_AND_FOUR: &str = "  kubernetesVersion: 1.36.2\n  controlPlane: { replicas: 3 }\n  nodeGroups: [{ name: workers, replicas: 4 }]";

pub(super) fn now() -> Timestamp {
    "2026-11-01T12:00:00Z".parse().unwrap()
}

pub(super) fn cluster() -> ClusterIdentity {
    ClusterIdentity {
        name: "prod".parse().unwrap(),
        uid: Some(ClusterUid::new("life")),
    }
}

pub(super) fn key(text: &str) -> ResourceKey {
    text.parse().unwrap()
}

/// A world under construction.
#[derive(Clone)]
pub(super) struct World {
    entries: std::collections::BTreeMap<ResourceKey, Observed<Existing>>,
    unknown: Vec<(Kind, String)>,
}

impl World {
    pub(super) fn empty() -> Self {
        Self {
            entries: std::collections::BTreeMap::new(),
            unknown: Vec::new(),
        }
    }

    /// Everything that `desired` asks for is there, ours and healthy.
    pub(super) fn as_desired(desired: &DesiredState) -> Self {
        let mut world = Self::empty();
        for (key, wanted) in &desired.resources {
            world = world.there(&key.to_string(), wanted.resource.clone());
        }
        world
    }

    /// That is there as well, ours and healthy.
    pub(super) fn there(mut self, name: &str, resource: impl Into<Resource>) -> Self {
        let (key, resource) = (key(name), resource.into());
        let host_id = resource
            .machine(&key)
            .map(|machine| format!("machine/{machine}#0"));
        let existing = Existing {
            id: format!("{key}#0"),
            owner: Owner::ThisCluster,
            health: Health::Healthy,
            created_at: now(),
            generation: 0,
            host_id: host_id.filter(|_| key.kind() != Kind::Machine),
            facts: std::collections::BTreeMap::new(),
            resource,
        };
        self.entries.insert(key, Observed::Present(existing));
        self
    }

    pub(super) fn change(mut self, name: &str, change: impl FnOnce(&mut Existing)) -> Self {
        match self.entries.get_mut(&key(name)) {
            Some(Observed::Present(existing)) => change(existing),
            other => panic!("{name} is {other:?}"),
        }
        self
    }

    pub(super) fn sick(self, name: &str) -> Self {
        self.change(name, |existing| {
            existing.health = Health::Unhealthy("it does not answer".to_owned());
        })
    }

    /// A member of an etcd of which no machine has data.
    pub(super) fn lost(self, name: &str) -> Self {
        self.change(name, |existing| {
            existing.health = Health::Lost("it has no data".to_owned());
        })
    }

    /// What does its work, and wants mending.
    pub(super) fn impaired(self, name: &str) -> Self {
        self.change(name, |existing| {
            existing.health = Health::Impaired("its disk is almost full".to_owned());
        })
    }

    /// A member of etcd that runs and waits for the others.
    pub(super) fn stalled(self, name: &str) -> Self {
        self.change(name, |existing| {
            existing.health = Health::Stalled("it has no leader".to_owned());
        })
    }

    /// A member of etcd whose unit is stopped.
    pub(super) fn stopped(self, name: &str) -> Self {
        self.sick(name)
            .change(name, |existing| match &mut existing.resource {
                Resource::EtcdMember(member) => member.running = false,
                other => panic!("{other:?}"),
            })
    }

    pub(super) fn without(mut self, name: &str) -> Self {
        assert!(self.entries.remove(&key(name)).is_some(), "{name} is not there");
        self
    }

    /// The same thing under another key.
    pub(super) fn renamed(mut self, from: &str, to: &str) -> Self {
        let thing = self.entries.remove(&key(from));
        let thing = thing.unwrap_or_else(|| panic!("{from} is not there"));
        self.entries.insert(key(to), thing);
        self
    }

    /// The thing of that name as well, as it is in `other`.
    pub(super) fn with(mut self, name: &str, other: &Self) -> Self {
        let thing = other.entries.get(&key(name)).cloned();
        let thing = thing.unwrap_or_else(|| panic!("{name} is not there"));
        self.entries.insert(key(name), thing);
        self
    }

    pub(super) fn unknown(mut self, name: &str) -> Self {
        self.entries
            .insert(key(name), Observed::Unknown("unreachable".to_owned()));
        self
    }

    pub(super) fn unknown_kind(mut self, kind: Kind) -> Self {
        self.unknown.push((kind, "access denied".to_owned()));
        self
    }

    pub(super) fn observation(&self) -> Observation {
        let mut observation = Observation::of_nothing(now());
        for (key, observed) in &self.entries {
            let found = std::collections::BTreeMap::from([(key.clone(), observed.clone())]);
            observation.record(
                key.kind(),
                KindObservation {
                    found,
                    ..KindObservation::default()
                },
            );
        }
        for (kind, reason) in &self.unknown {
            observation.record_failure(*kind, reason.clone());
        }
        observation
    }

    pub(super) fn plan(&self, desired: &DesiredState) -> (Plan, PlanReport) {
        let observation = self.observation();
        let (plan, report) = plan::plan(&cluster(), desired, &observation, now()).unwrap();
        assert_eq!(lint(&plan, &observation), [], "{:?}", outline(&plan));
        (plan, report)
    }
}

/// The steps as `verb key`, in order.
pub(super) fn outline(plan: &Plan) -> Vec<String> {
    plan.steps()
        .iter()
        .map(|step| step.change().to_string())
        .collect()
}

/// True when `earlier` must be done before `later` may begin.
pub(super) fn comes_before(plan: &Plan, earlier: &str, later: &str) -> bool {
    let find = |wanted: &str| {
        let index = plan
            .steps()
            .iter()
            .position(|step| step.change().to_string() == wanted);
        index.unwrap_or_else(|| panic!("no step `{wanted}` in {:?}", outline(plan)))
    };
    let (earlier, mut queue) = (find(earlier), vec![find(later)]);
    let mut seen = std::collections::BTreeSet::new();
    while let Some(step) = queue.pop() {
        if step == earlier {
            return true;
        }
        if seen.insert(step) {
            queue.extend(plan.steps()[step].after());
        }
    }
    false
}

/// Asserts that each of `earlier` comes before each of `later`.
pub(super) fn assert_order(plan: &Plan, earlier: &[&str], later: &[&str]) {
    for earlier in earlier {
        for later in later {
            assert!(
                comes_before(plan, earlier, later),
                "{earlier} before {later}: {:?}",
                outline(plan)
            );
        }
    }
}
