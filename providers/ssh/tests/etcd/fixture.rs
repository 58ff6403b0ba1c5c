//! Hosts with everything that a node bundle brings for etcd, and a cluster's provider for them.

mod authority;
mod install;
mod picture;
mod sessions;

use std::fs;
use std::sync::{Arc, Mutex};

use keelson_provider_api::clock::SystemClock;
use keelson_provider_api::kinds::{EtcdMember, EtcdSnapshot, MemberPhase, MemberStart};
use keelson_provider_api::{
    Action, Change, ClusterIdentity, ClusterUid, Disruption, Existing, Kind, Outcome, Progress, Provider,
    Resource, ResourceKey, StepContext,
};
use keelson_provider_ssh::etcd::{EtcdProvider, Reach, wipe};
use keelson_test_hosts::{Lab, LabOptions, assets, newer_etcd_or_skip, skip_without_root};

use crate::session::TestReach;
use authority::Authority;
use install::install;
pub(crate) use sessions::whole;

/// A lab whose hosts are ready for etcd.
pub(crate) struct Fixture {
    pub(crate) lab: Lab,
    pub(crate) reach: Arc<TestReach>,
    pub(crate) provider: EtcdProvider,
    pub(crate) identity: ClusterIdentity,
    pub(crate) generation: u64,
    /// What was told of the work on it.
    pub(crate) told: Mutex<Vec<String>>,
}

/// A lab for `options`, or none without root. Databases may grow to `quota_mib`.
pub(crate) fn fixture(test: &str, options: &LabOptions, quota_mib: u64) -> Option<Fixture> {
    if skip_without_root(test) {
        return None;
    }
    let lab = Lab::new(options).unwrap();
    // The newest etcd that there is: that of whoever runs the tests, or Debian's.
    let newer = newer_etcd_or_skip(&format!("{test} with etcd 3.6")).unwrap();
    let assets = newer.unwrap_or_else(|| assets().unwrap());
    let version = assets.etcd_versions.last().unwrap();
    let name = format!("etcd-v{version}-linux-amd64");
    let release = format!("github.com/etcd-io/etcd/releases/download/v{version}/{name}.tar.gz");
    let release = fs::read(assets.folder.join(release)).unwrap();
    let authority = Authority::new(&lab);
    std::thread::scope(|scope| {
        for host in lab.hosts() {
            let (authority, release, name) = (&authority, &release, &name);
            scope.spawn(move || {
                host.write_file("/tmp/etcd.tar.gz", release).unwrap();
                install(host, name, !version.starts_with("3.5."), quota_mib);
                authority.issue(host);
            });
        }
    });
    let reach = Arc::new(TestReach::new(&lab));
    Some(Fixture {
        provider: EtcdProvider::new(Arc::<TestReach>::clone(&reach), Arc::new(SystemClock)),
        reach,
        lab,
        identity: identity("uid-1"),
        generation: 1,
        told: Mutex::default(),
    })
}

pub(crate) fn identity(uid: &str) -> ClusterIdentity {
    ClusterIdentity {
        name: "prod.example.com".parse().unwrap(),
        uid: Some(ClusterUid::new(uid)),
    }
}

/// The member of the etcd `cluster` on `machine` as a planner wants it.
pub(crate) fn member(cluster: &str, machine: &str, start: MemberStart, founders: &[&str]) -> Resource {
    EtcdMember {
        cluster: cluster.to_owned(),
        machine: machine.to_owned(),
        phase: MemberPhase::Voter,
        start,
        initial_members: founders.iter().map(|&name| name.to_owned()).collect(),
        running: true,
    }
    .into()
}

pub(crate) fn key(cluster: &str, machine: &str) -> ResourceKey {
    ResourceKey::new(Kind::EtcdMember, EtcdMember::name(cluster, machine))
}

fn change(key: ResourceKey, action: Action) -> Change {
    Change {
        key,
        action,
        reason: "a test".to_owned(),
        disruption: Disruption::None,
        replacement: false,
    }
}

impl Fixture {
    pub(crate) async fn carry_out(&self, change: &Change) -> Outcome {
        let tell = |action: &str| {
            self.told
                .lock()
                .unwrap()
                .push(format!("{}: {action}", change.key.name()));
        };
        let context = StepContext {
            cluster: self.identity.clone(),
            fencing_generation: self.generation,
            attempt: 0,
            progress: Progress::to(&tell),
        };
        self.provider.carry_out(&context, change).await
    }

    /// Makes `machine` one of the founders of `cluster`.
    pub(crate) async fn found(&self, cluster: &str, machine: &str, founders: &[&str]) -> Outcome {
        let resource = Box::new(member(cluster, machine, MemberStart::Initial, founders));
        self.carry_out(&change(
            key(cluster, machine),
            Action::Create {
                resource,
                generation: 0,
            },
        ))
        .await
    }

    /// Founds `cluster` on `founders`, all at once, as the executor does.
    pub(crate) async fn found_all(&self, cluster: &str, founders: &[&str]) {
        let all = founders
            .iter()
            .map(|machine| self.found(cluster, machine, founders));
        for (machine, outcome) in founders.iter().zip(futures_util::future::join_all(all).await) {
            assert_eq!(
                outcome,
                Outcome::Done,
                "{machine}: {:?}",
                self.told.lock().unwrap()
            );
        }
    }

    pub(crate) async fn join(&self, cluster: &str, machine: &str) -> Outcome {
        let resource = Box::new(member(cluster, machine, MemberStart::Join, &[]));
        self.carry_out(&change(
            key(cluster, machine),
            Action::Create {
                resource,
                generation: 1,
            },
        ))
        .await
    }

    pub(crate) async fn delete(&self, key: &ResourceKey, existing: Existing) -> Outcome {
        let existing = Box::new(existing);
        self.carry_out(&change(key.clone(), Action::Delete { existing }))
            .await
    }

    /// Removes the member of `cluster` on `machine`, as it is now.
    pub(crate) async fn remove(&self, cluster: &str, machine: &str) -> Outcome {
        let existing = self.existing(cluster, machine).await;
        self.delete(&key(cluster, machine), existing).await
    }

    pub(crate) async fn snapshot(&self, name: &str, cluster: &str) -> Outcome {
        let snapshot = EtcdSnapshot {
            cluster: cluster.to_owned(),
            purpose: "a test".to_owned(),
        };
        let resource = Box::new(Resource::from(snapshot));
        let key = ResourceKey::new(Kind::EtcdSnapshot, name);
        self.carry_out(&change(
            key,
            Action::Create {
                resource,
                generation: 0,
            },
        ))
        .await
    }

    /// Makes a voter of whatever the member of `cluster` on `machine` is now.
    pub(crate) async fn update(&self, cluster: &str, machine: &str) -> Outcome {
        let existing = self.existing(cluster, machine).await;
        let wanted = member(cluster, machine, MemberStart::Join, &[]);
        let differences = existing.resource.differences(&wanted);
        assert!(!differences.is_empty(), "{existing:?}");
        let action = Action::Update {
            id: existing.id,
            resource: Box::new(wanted),
            differences,
        };
        self.carry_out(&change(key(cluster, machine), action)).await
    }

    /// What whoever gives `machine` back has done for the cluster with that uid.
    pub(crate) async fn wipe(&self, machine: &str, uid: &str) {
        let shell = self.reach.shell(machine).unwrap();
        let output = shell
            .run(&wipe::job(&ClusterUid::new(uid)), &|_| ())
            .await
            .unwrap();
        assert_eq!(output.status, 0, "{}", output.stderr);
    }

    /// True when something was told of the work.
    pub(crate) fn was_told(&self, text: &str) -> bool {
        self.told.lock().unwrap().iter().any(|told| told.contains(text))
    }
}

/// etcdctl on a host, for a test's own work.
pub(crate) fn etcdctl(arguments: &str) -> String {
    format!(
        "ETCDCTL_API=3 /opt/keelson/bin/etcdctl --endpoints=https://127.0.0.1:2379 --cacert=/etc/etcd/pki/ca.crt \
         --cert=/etc/etcd/pki/healthcheck-client.crt --key=/etc/etcd/pki/healthcheck-client.key {arguments}"
    )
}
