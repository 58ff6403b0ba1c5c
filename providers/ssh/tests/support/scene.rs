//! A lab, and keelson's view of it.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use keelson_provider_api::clock::SystemClock;
use keelson_provider_api::kinds::Kind;
use keelson_provider_api::{
    ClusterIdentity, ClusterUid, Existing, Observed, Progress, Provider, ResourceKey, StepContext,
};
use keelson_provider_ssh::{Hosts, Job, SshOptions, SshProvider, Target};
use keelson_test_hosts::{Host, Lab, LabOptions, skip_without_root};

use super::{Bundles, MemoryStore};

const LATER: Duration = Duration::from_secs(60);

/// A lab, an empty store, and a configuration of ssh that knows the lab and nobody else.
pub(crate) struct Scene {
    pub(crate) lab: Lab,
    pub(crate) store: Arc<MemoryStore>,
    pub(crate) bundles: Arc<Bundles>,
    folder: tempfile::TempDir,
}

pub(crate) fn quiet(_line: &str) {}

pub(crate) fn job(script: &str) -> Job<'_> {
    Job {
        name: "test",
        script,
        arguments: Vec::new(),
        input: Vec::new(),
        timeout: LATER,
    }
}

/// What `provider` sees of one thing.
pub(crate) async fn look(provider: &dyn Provider, uid: &str, kind: Kind, name: &str) -> Observed<Existing> {
    let key = ResourceKey::new(kind, name);
    let wanted = [key.clone()].into();
    let seen = provider
        .observe(&Scene::cluster(uid), kind, &wanted)
        .await
        .unwrap();
    seen.found.get(&key).cloned().unwrap_or(Observed::Absent)
}

impl Scene {
    /// Nothing on a machine without root.
    pub(crate) fn new(test: &str, options: &LabOptions) -> Option<Self> {
        if skip_without_root(test) {
            return None;
        }
        Some(Self {
            lab: Lab::new(options).unwrap(),
            store: Arc::default(),
            bundles: Arc::default(),
            folder: tempfile::tempdir().unwrap(),
        })
    }

    pub(crate) fn of_hosts(test: &str, count: usize) -> Option<Self> {
        Self::new(test, &LabOptions::with_hosts(count))
    }

    pub(crate) fn host(&self, index: usize) -> &Host {
        &self.lab.hosts()[index]
    }

    pub(crate) fn target(&self, index: usize, user: &str) -> Target {
        let host = self.host(index);
        Target {
            name: host.name().to_owned(),
            address: host.address().to_string(),
            internal_address: host.address().into(),
            user: Some(user.to_owned()),
            port: None,
        }
    }

    pub(crate) fn targets(&self, user: &str) -> Vec<Target> {
        (0..self.lab.hosts().len())
            .map(|index| self.target(index, user))
            .collect()
    }

    /// The user's configuration of ssh, whose known hosts are in `known_hosts`.
    pub(crate) fn configuration(&self, known_hosts: &std::path::Path) -> PathBuf {
        let text = format!(
            "Host *\n  UserKnownHostsFile {}\n  GlobalKnownHostsFile /dev/null\n  IdentityFile {}\n  IdentitiesOnly yes\n  \
             IdentityAgent none\n",
            known_hosts.display(),
            self.lab.key().display()
        );
        let name = known_hosts.file_name().unwrap().to_string_lossy().into_owned();
        let path = self.folder.path().join(format!("config-{name}"));
        fs::write(&path, text).unwrap();
        path
    }

    pub(crate) fn options(&self, targets: Vec<Target>) -> SshOptions {
        let store = Arc::clone(&self.store);
        SshOptions {
            config_file: Some(self.configuration(&self.lab.known_hosts())),
            ..SshOptions::new(
                "prod.example.com".parse().unwrap(),
                targets,
                store,
                Arc::new(SystemClock),
            )
        }
    }

    /// Options under which no host's key is known.
    pub(crate) fn options_of_a_stranger(&self, targets: Vec<Target>) -> SshOptions {
        SshOptions {
            config_file: Some(self.configuration(&self.folder.path().join("nobody"))),
            ..self.options(targets)
        }
    }

    pub(crate) async fn hosts(&self, user: &str) -> Arc<Hosts> {
        Hosts::open(self.options(self.targets(user))).await.unwrap()
    }

    /// A new run of keelson, whose spec names `targets`.
    pub(crate) async fn provider(&self, targets: Vec<Target>) -> SshProvider {
        let hosts = Hosts::open(self.options(targets)).await.unwrap();
        SshProvider::new(hosts, Arc::clone(&self.bundles) as _)
    }

    /// What a new run of keelson with all hosts in its spec sees.
    pub(crate) async fn look(&self, uid: &str, kind: Kind, name: &str) -> Observed<Existing> {
        let provider = self.provider(self.targets("root")).await;
        look(&provider, uid, kind, name).await
    }

    pub(crate) fn cluster(uid: &str) -> ClusterIdentity {
        ClusterIdentity {
            name: "prod.example.com".parse().unwrap(),
            uid: Some(ClusterUid::new(uid)),
        }
    }

    pub(crate) fn context(uid: &str, fencing_generation: u64) -> StepContext<'static> {
        StepContext {
            cluster: Self::cluster(uid),
            fencing_generation,
            attempt: 0,
            progress: Progress::default(),
        }
    }
}
