//! What the planner is told of control planes.
//!
//! - One that has been begun and never answered is not there yet where it is wanted: the create that is planned goes on with
//!   it. Where it is not wanted it is there, so that it is deleted.
//! - A machine that does not answer leaves its control plane unknown where it is wanted. Elsewhere nothing is said: whether
//!   the machine is needed is told by its own kind.

use std::collections::{BTreeMap, BTreeSet};

use keelson_provider_api::kinds::ControlPlane;
use keelson_provider_api::{
    ClusterIdentity, Existing, Health, Kind, KindObservation, Observed, Owner, ResourceKey,
};

use super::look::{Look, LookError, look};
use super::start::{KIND, lacking};
use crate::hosts::Hosts;
use crate::machine;

/// Looks at every host that is known, all at the same time.
pub(super) async fn observe(
    hosts: &Hosts,
    cluster: &ClusterIdentity,
    wanted: &BTreeSet<ResourceKey>,
) -> KindObservation {
    let names = machine::names(hosts, wanted.iter().map(ResourceKey::name));
    let found = hosts
        .each(names, |name| {
            Box::pin(async move {
                let shell = hosts.shell(&name)?;
                Some(look::<ControlPlane>(&*shell, KIND, std::time::Duration::ZERO).await)
            })
        })
        .await;
    let mut observation = KindObservation::default();
    for (name, seen) in found {
        let key = ResourceKey::new(Kind::ControlPlane, name.as_str());
        let is_wanted = wanted.contains(&key);
        if let Some(observed) = seen.and_then(|seen| observed(&name, cluster, is_wanted, seen)) {
            observation.found.insert(key, observed);
        }
    }
    observation
}

fn observed(
    name: &str,
    cluster: &ClusterIdentity,
    is_wanted: bool,
    seen: Result<Look<ControlPlane>, LookError>,
) -> Option<Observed<Existing>> {
    let seen = match seen {
        Ok(seen) => seen,
        Err(error) => return is_wanted.then(|| Observed::Unknown(error.to_string())),
    };
    let mark = match seen.mark.as_ref()? {
        Ok(mark) => mark,
        Err(problem) => {
            return Some(Observed::Unknown(format!(
                "the mark on {name}, /var/lib/keelson/{KIND}.json, is damaged: {problem}; remove the file to have the \
                 control plane made again"
            )));
        }
    };
    let owner = mark.owner(cluster);
    if mark.answered_at.is_none() && is_wanted && owner == Owner::ThisCluster {
        return None;
    }
    Some(Observed::Present(Existing {
        resource: mark.resource.clone().into(),
        id: format!("{name}:{}", mark.generation),
        owner,
        health: health(&seen),
        created_at: mark.created_at,
        generation: mark.generation,
        host_id: Some(seen.machine_id.clone()),
        facts: BTreeMap::from([("kubelet".to_owned(), seen.unit("kubelet").to_owned())]),
    }))
}

fn health(seen: &Look<ControlPlane>) -> Health {
    let mut told: Vec<String> = lacking(seen)
        .map(|(name, why)| format!("{name} does not answer: {why}"))
        .collect();
    for unit in ["containerd", "kubelet"] {
        if seen.unit(unit) != "active" {
            told.push(format!("{unit}.service is {}", seen.unit(unit)));
        }
    }
    if told.is_empty() {
        Health::Healthy
    } else {
        Health::Unhealthy(told.join("; "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control_plane::look::{read, tests::text};
    use crate::control_plane::mark::tests::control_plane;
    use crate::shell::{HostError, HostErrorKind};
    use jiff::Timestamp;
    use keelson_provider_api::ClusterUid;

    const WELL: &str = "unit\tcontainerd active\nunit\tkubelet active\nhealth\tkube-apiserver ok\n\
        health\tkube-controller-manager ok\nhealth\tkube-scheduler ok\n";

    fn cluster(uid: &str) -> ClusterIdentity {
        ClusterIdentity {
            name: "prod.example.com".parse().unwrap(),
            uid: Some(ClusterUid::new(uid)),
        }
    }

    fn seen(has_answered: bool, rest: &str) -> Look<ControlPlane> {
        let mut mark = control_plane();
        mark.answered_at = has_answered.then_some(Timestamp::UNIX_EPOCH);
        read(&text(&mark.line().unwrap(), rest)).unwrap()
    }

    fn present(observed: Option<Observed<Existing>>) -> Existing {
        match observed {
            Some(Observed::Present(existing)) => existing,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_never_answered_is_made_where_it_is_wanted_and_deleted_where_it_is_not() {
        assert_eq!(observed("a", &cluster("u1"), true, Ok(seen(false, WELL))), None);
        let begun = present(observed("a", &cluster("u1"), false, Ok(seen(false, WELL))));
        assert_eq!(begun.owner, Owner::ThisCluster);
        let made = present(observed("a", &cluster("u1"), true, Ok(seen(true, WELL))));
        assert_eq!((made.health, made.generation), (Health::Healthy, 2));
        assert_eq!(made.host_id.as_deref(), Some("0123"));
        let other = present(observed("a", &cluster("u2"), true, Ok(seen(false, WELL))));
        assert!(matches!(other.owner, Owner::Other(_)), "{other:?}");
    }

    #[test]
    fn what_is_wrong_is_told_in_words() {
        let rest = "unit\tcontainerd active\nunit\tkubelet failed\nhealth\tkube-apiserver ok\n\
            health\tkube-controller-manager Connection refused\nhealth\tkube-scheduler ok\n";
        let unwell = present(observed("a", &cluster("u1"), true, Ok(seen(true, rest))));
        assert_eq!(
            unwell.health,
            Health::Unhealthy(
                "kube-controller-manager does not answer: Connection refused; kubelet.service is failed"
                    .to_owned()
            )
        );
    }

    #[test]
    fn what_cannot_be_seen_is_unknown_and_never_absent() {
        let gone = || {
            Err(LookError::Host(HostError {
                host: "a".to_owned(),
                address: "10.0.0.1".to_owned(),
                kind: HostErrorKind::Unreachable,
                problem: "nothing answers".to_owned(),
                help: None,
            }))
        };
        assert!(matches!(
            observed("a", &cluster("u1"), true, gone()),
            Some(Observed::Unknown(_))
        ));
        assert_eq!(observed("a", &cluster("u1"), false, gone()), None);
        let damaged = Ok(read(&text("{", "")).unwrap());
        assert!(matches!(
            observed("a", &cluster("u1"), false, damaged),
            Some(Observed::Unknown(_))
        ));
        let nothing = Ok(read("machine-id\t1\nend\tend\n").unwrap());
        assert_eq!(observed("a", &cluster("u1"), true, nothing), None);
    }
}
