//! A cluster of etcd alone whose machines are only told of: for operations that need no provider.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use jiff::Timestamp;
use keelson::execute::{LeaseRecord, ProviderSet};
use keelson::model::{Blueprint, MachineCertificates};
use keelson::ops::{Authorities, ClusterRecord, Login, LoginRequest, MachineAccess, Session, SessionParts};
use keelson::pki::{Authority, AuthorityName, Seal, Terms, issue};
use keelson::spec;
use keelson_provider_api::values::ClusterName;
use keelson_provider_api::{
    CertificatePaths, ClusterIdentity, ClusterUid, ErrorClass, FoundOnMachine, Precondition, ProviderError,
    Store,
};
use keelson_provider_simulated::{Like, MemoryStore, SimulatedOptions, SimulatedWorld};

/// A moment in 2026.
pub(super) const NOW: Timestamp = Timestamp::constant(1_780_000_000, 0);

/// The machines, and what lies on each.
#[derive(Default)]
pub(super) struct Told {
    pub(super) found: Mutex<BTreeMap<String, FoundOnMachine>>,
}

#[async_trait]
impl MachineAccess for Told {
    /// What was told of the machine; `gone` does not answer, and of others nobody has heard.
    async fn certificates(
        &self,
        _cluster: &ClusterIdentity,
        machine: &str,
        _paths: &CertificatePaths,
    ) -> Result<Option<FoundOnMachine>, ProviderError> {
        if machine == "gone" {
            let error = ProviderError::new(ErrorClass::Transient, "gone (10.0.0.9): connection timed out");
            return Err(error.with_help("see whether it is up"));
        }
        Ok(self.found.lock().unwrap().get(machine).cloned())
    }

    async fn login(&self, machine: &str, request: &LoginRequest) -> Result<Box<dyn Login>, ProviderError> {
        Ok(Box::new(Words(vec![
            machine.into(),
            request.words.join(" ").into(),
        ])))
    }
}

struct Words(Vec<std::ffi::OsString>);

#[async_trait]
impl Login for Words {
    fn program(&self) -> &'static str {
        "ssh"
    }

    fn arguments(&self) -> &[std::ffi::OsString] {
        &self.0
    }

    async fn ended(self: Box<Self>) -> Result<(), ProviderError> {
        Ok(())
    }
}

/// A session for etcd on machines of these names, with `more` lines below `spec`.
pub(super) struct Scene {
    pub(super) session: Session,
    pub(super) store: Arc<MemoryStore>,
    pub(super) told: Arc<Told>,
    pub(super) authorities: Authorities,
}

impl Scene {
    pub(super) fn new(names: &[&str], more: &str, seal: Seal) -> Self {
        Self::with_etcd(names, "", more, seal)
    }

    /// The same with `etcd` behind the other fields of `spec.etcd`.
    pub(super) fn with_etcd(names: &[&str], etcd: &str, more: &str, seal: Seal) -> Self {
        Self::with_store(names, etcd, more, seal, Arc::new(MemoryStore::new()))
    }

    pub(super) fn with_store(
        names: &[&str],
        etcd: &str,
        more: &str,
        seal: Seal,
        store: Arc<MemoryStore>,
    ) -> Self {
        let hosts = names
            .iter()
            .enumerate()
            .fold(String::new(), |hosts, (number, name)| {
                format!(
                    "{hosts}        - {{ name: {name}, address: 10.0.0.{}, roles: [etcd] }}\n",
                    number + 1
                )
            });
        let spec = format!(
            "  provider:\n    ssh:\n      hosts:\n{hosts}  \
             etcd: {{ version: 3.6.8, placement: {{ dedicated: {{}} }}{etcd} }}\n{more}"
        );
        Self::of(&spec, seal, store)
    }

    /// A session for Kubernetes on one machine, whose API has an address of its own.
    pub(super) fn of_kubernetes() -> Self {
        let spec = "  provider:\n    ssh:\n      apiAddress: 10.0.0.100\n      hosts:\n        \
                    - { name: a, address: 10.0.0.1, roles: [control-plane] }\n";
        Self::of(spec, Seal::none(), Arc::new(MemoryStore::new()))
    }

    /// A session for what the lines `spec` say.
    fn of(spec: &str, seal: Seal, store: Arc<MemoryStore>) -> Self {
        let text = format!(
            "apiVersion: keelson.dev/v1alpha1\nkind: Cluster\nmetadata: {{ name: db.example.com }}\nspec:\n{spec}"
        );
        let spec = spec::load(text.as_bytes(), "test").unwrap_or_else(|errors| panic!("{errors}"));
        let options = SimulatedOptions {
            start: NOW,
            ..SimulatedOptions::new(Like::Ssh, 1)
        };
        let clock = SimulatedWorld::in_memory(options).clock();
        let authorities = Authorities::new(
            store.clone(),
            spec.name().clone(),
            seal,
            clock.clone(),
            Terms::AUTHORITY,
            Vec::new(),
        );
        let told = Arc::new(Told::default());
        let providers = ProviderSet::new(Vec::new()).unwrap();
        let session = Session::new(SessionParts {
            authorities: Some(authorities.clone()),
            machine_access: Some(told.clone()),
            ..SessionParts::simulated(spec, providers, store.clone(), clock, "test")
        });
        Self {
            session,
            store,
            told,
            authorities,
        }
    }

    /// Lets the cluster have begun.
    pub(super) async fn begin(&self) {
        begin(self.store.as_ref(), self.session.spec().name()).await;
    }

    /// Puts on each of the machines what an apply would, issued by `authority`.
    pub(super) async fn equip(&self, names: &[&str]) {
        let authority = self.authorities.establish(AuthorityName::Etcd).await.unwrap();
        for name in names {
            let found = FoundOnMachine {
                certificates: self.issued(name, &authority),
                ..FoundOnMachine::default()
            };
            self.told.found.lock().unwrap().insert((*name).to_owned(), found);
        }
    }

    fn issued(&self, name: &str, authority: &Authority) -> BTreeMap<String, String> {
        let blueprint = Blueprint::of(self.session.spec());
        let machine = blueprint
            .machines
            .iter()
            .find(|machine| machine.name == name)
            .unwrap();
        let wanted = MachineCertificates::of(&blueprint, machine);
        let trusted = wanted.authorities.iter();
        let trusted = trusted.map(|(_, path, _)| (path.clone(), authority.trust_pem()));
        let issued = wanted.requirements.iter().map(|(requirement, _)| {
            let place = requirement.place.as_ref().unwrap();
            let issued = issue(requirement, authority, NOW).unwrap();
            (place.certificate_file.clone(), issued.certificate_pem)
        });
        trusted.chain(issued).collect()
    }

    /// Lets the key in `file` on a machine be gone.
    pub(super) fn lose_key(&self, machine: &str, file: &str) {
        let mut all = self.told.found.lock().unwrap();
        all.get_mut(machine).unwrap().missing_keys.insert(file.to_owned());
    }

    /// Changes what lies in a file on a machine; `None` takes it away.
    pub(super) fn change(&self, machine: &str, file: &str, content: Option<String>) {
        let mut all = self.told.found.lock().unwrap();
        let files = &mut all.get_mut(machine).unwrap().certificates;
        assert!(files.contains_key(file), "{files:?}");
        match content {
            Some(content) => files.insert(file.to_owned(), content),
            None => files.remove(file),
        };
    }
}

/// Lets the cluster `name` have begun.
pub(super) async fn begin(store: &MemoryStore, name: &ClusterName) {
    let record = ClusterRecord {
        name: name.clone(),
        uid: ClusterUid::new("uid"),
        created_at: NOW,
        spec_is_kept: false,
        keys: BTreeMap::new(),
        etcd_clusters: BTreeSet::new(),
        restored_revisions: BTreeMap::new(),
        fixed: BTreeMap::new(),
    };
    let lease = LeaseRecord {
        holder: "test".to_owned(),
        purpose: "begin".to_owned(),
        since: NOW,
        expires_at: NOW,
        generation: 1,
        released: true,
        process: None,
        life: None,
    };
    let content = serde_json::to_vec(&lease).unwrap();
    // One that is there from an earlier life stays.
    let _ = store
        .write(&format!("{name}/lease"), &content, Precondition::Absent)
        .await;
    let content = serde_json::to_vec(&record).unwrap();
    let path = format!("{name}/cluster.json");
    store.write(&path, &content, Precondition::Absent).await.unwrap();
}
