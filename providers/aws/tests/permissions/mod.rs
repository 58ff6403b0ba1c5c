//! What whoever runs keelson must be allowed, compared with what it asks of the emulator of AWS: each change alone asks for nothing
//! that the policy for it does not allow, and over a whole life nothing that the policy for that allows is never asked for.

mod journal;
mod life;
mod state;
mod wanted;

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use keelson_aws_calls::AwsCalls;
use keelson_provider_api::values::Digest;
use keelson_provider_api::{
    Action, Change, ClusterIdentity, FirstBoot, Kind, NewGroup, NewMachine, Observation, Provider,
    ProviderError, Resource, ResourceKey,
};
use keelson_provider_aws::permissions::{Scope, policy_of_changes};
use keelson_provider_aws::{
    EdgeProvider, EdgeZone, GroupProvider, KeptProvider, LeftoversProvider, MachineProvider, PlacesProvider,
};
use keelson_test_hosts::Moto;
use serde_json::Value;

use self::journal::Allowed;
use crate::kept::EmulatorClock;
use crate::places::{Wanted, change, cluster, create, delete, futures};
use crate::scene::{self, REGION};

/// Whose calls are compared with policies.
const OPERATOR: &str = "AKIAOPERATOR";
/// Who changes things behind the operator's back.
const HANDS: &str = "AKIAHANDS";
const ZONE: &str = "example.com";

/// Machines that have nothing to do.
struct Idle;

#[async_trait]
impl FirstBoot for Idle {
    async fn user_data(
        &self,
        _cluster: &ClusterIdentity,
        _machine: &NewMachine<'_>,
    ) -> Result<Vec<u8>, ProviderError> {
        Ok(b"#!/bin/sh\ntrue\n".to_vec())
    }

    async fn is_over(&self, _cluster: &ClusterIdentity, _name: &str) -> Result<(), ProviderError> {
        Ok(())
    }

    async fn user_data_of_group(
        &self,
        _cluster: &ClusterIdentity,
        _group: &NewGroup<'_>,
    ) -> Result<Vec<u8>, ProviderError> {
        Ok(b"#!/bin/sh\ntrue\n".to_vec())
    }

    async fn group_starts_from(
        &self,
        _cluster: &ClusterIdentity,
        _name: &str,
        _template: Option<&Digest>,
    ) -> Result<(), ProviderError> {
        Ok(())
    }
}

/// An emulator, and all that a cluster has there.
struct Scene {
    moto: Arc<Moto>,
    hands: AwsCalls,
    providers: Vec<Box<dyn Provider>>,
    cluster: ClusterIdentity,
    zone: EdgeZone,
    wanted: BTreeMap<ResourceKey, Resource>,
}

impl Scene {
    fn start_or_skip(test: &str) -> Option<Self> {
        Self::with_names_in(EdgeZone::Public(ZONE.to_owned()), test)
    }

    fn with_names_in(zone: EdgeZone, test: &str) -> Option<Self> {
        let moto = Moto::start_or_skip(test, Ipv4Addr::LOCALHOST.into(), "clusters", &[]).unwrap()?;
        let moto = Arc::new(moto);
        let calls = scene::calls_of(&moto, OPERATOR, 5);
        let clock = Arc::new(EmulatorClock::of(moto.clone()));
        let scene = Self {
            providers: vec![
                Box::new(PlacesProvider::new(&calls, REGION, clock.clone())),
                Box::new(KeptProvider::new(&calls, REGION, clock.clone())),
                Box::new(EdgeProvider::new(&calls, Some(zone.clone()), clock.clone())),
                Box::new(LeftoversProvider::new(&calls, None, clock.clone())),
                Box::new(MachineProvider::new(&calls, Arc::new(Idle), clock.clone())),
                Box::new(GroupProvider::new(&calls, Arc::new(Idle), clock)),
            ],
            hands: scene::calls_of(&moto, HANDS, 5),
            moto,
            cluster: cluster("one"),
            zone,
            wanted: wanted::all().into_iter().collect(),
        };
        crate::edge::make_public_zone(scene.moto.address, ZONE, "a test");
        for name in wanted::POLICIES {
            crate::kept::make_policy(&scene.moto, name);
        }
        Some(scene)
    }

    fn scope(&self) -> Scope<'_> {
        Scope {
            cluster: &self.cluster,
            region: REGION,
            zone: Some(&self.zone),
            zone_id: None,
            state: None,
            ends: true,
            wanted: &self.wanted,
        }
    }

    fn provider(&self, kind: Kind) -> &dyn Provider {
        let found = self.providers.iter().find(|one| one.kinds().contains(&kind));
        found.unwrap().as_ref()
    }

    /// Looks at everything, as every run does; a look that serves several kinds is a new one.
    async fn look(&self) -> Observation {
        self.pass_time();
        let keys: BTreeSet<ResourceKey> = self.wanted.keys().cloned().collect();
        let mut observation = Observation::new(Timestamp::UNIX_EPOCH);
        for provider in &self.providers {
            for &kind in provider.kinds() {
                let seen = provider.observe(&self.cluster, kind, &keys).await;
                observation.record(kind, seen.unwrap());
            }
        }
        observation
    }

    fn pass_time(&self) {
        self.moto.tell("POST", "settings", r#"{"advance": 10}"#).unwrap();
    }

    /// Looks, and carries `changes` out together, by no more than the policy for them; gives what was asked.
    async fn apply(&self, changes: &[Change]) -> BTreeSet<String> {
        journal::forget(&self.moto);
        self.look().await;
        for provider in &self.providers {
            let of_it = changes
                .iter()
                .filter(|one| provider.kinds().contains(&one.key.kind()));
            let of_it: Vec<&Change> = of_it.collect();
            let findings = provider.preflight(&self.cluster, &of_it).await;
            assert_eq!(findings, []);
        }
        futures(changes.iter().map(|change| self.carry_out(change))).await;
        let policy = policy_of_changes(&self.scope(), changes);
        let all: Vec<String> = changes.iter().map(ToString::to_string).collect();
        journal::check(&self.moto, &Allowed::by(&policy), &all.join(", "))
    }

    async fn carry_out(&self, change: &Change) {
        scene::carry_out(self.provider(change.key.kind()), &self.cluster, change).await;
    }

    /// Makes what is not there, and changes what is otherwise, each by itself.
    async fn bring(&self, wanted: &Wanted) -> BTreeSet<String> {
        let mut asked = BTreeSet::new();
        for group in groups(wanted) {
            let observation = self.look().await;
            let changes = group.iter().filter_map(|(key, resource)| {
                let Some(existing) = observation.present(key) else {
                    return Some(create(key, resource, 0));
                };
                let differences = existing.resource.differences(resource);
                let update = Action::Update {
                    id: existing.id.clone(),
                    resource: Box::new(resource.clone()),
                    differences,
                };
                (existing.resource != *resource).then(|| change(key, update))
            });
            let changes: Vec<Change> = changes.collect();
            if !changes.is_empty() {
                asked.extend(self.apply(&changes).await);
            }
        }
        asked
    }

    /// Takes everything away, each by itself.
    async fn take_away(&self) -> BTreeSet<String> {
        let observation = self.look().await;
        let owned = observation.owned();
        let owned: Wanted = owned
            .map(|(key, one)| (key.clone(), one.resource.clone()))
            .collect();
        let mut asked = BTreeSet::new();
        for group in groups(&owned).into_iter().rev() {
            let present = group
                .iter()
                .filter_map(|(key, _)| Some((key, observation.present(key)?)));
            let changes: Vec<Change> = present.map(|(key, existing)| delete(key, existing)).collect();
            asked.extend(self.apply(&changes).await);
        }
        asked
    }
}

/// What is changed together: firewalls that let in each other, and each other thing alone; in the order of its making.
fn groups(wanted: &Wanted) -> Vec<Wanted> {
    let mut wanted = wanted.clone();
    wanted.sort_by_key(|(key, _)| wanted::rank(key));
    let mut groups: Vec<Wanted> = Vec::new();
    for one in wanted {
        match groups.last_mut() {
            Some(last) if one.0.kind() == Kind::Firewall && last[0].0.kind() == Kind::Firewall => {
                last.push(one);
            }
            _ => groups.push(vec![one]),
        }
    }
    groups
}

/// The actions that `policy` allows.
fn actions(policy: &Value) -> BTreeSet<String> {
    let statements = policy["Statement"].as_array().unwrap().iter();
    let actions = statements.flat_map(|statement| statement["Action"].as_array().unwrap());
    actions
        .map(|action| action.as_str().unwrap().to_owned())
        .collect()
}
