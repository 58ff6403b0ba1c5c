//! A cluster as tests see it: its API server, its machines, and the provider that looks after both.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use keelson::addons::{self, Object};
use keelson::cluster::{
    AddonObjects, ApiCredentials, ClusterParts, ClusterProvider, CredentialSource, Standing,
};
use keelson::pki::{ADMINISTRATORS_GROUP, BREAK_GLASS_GROUP, Requirement, Terms, issue};
use keelson_provider_api::clock::{BoxFuture, SystemClock};
use keelson_provider_api::kinds::Addon;
use keelson_provider_api::values::Digest;
use keelson_provider_api::{
    Action, Change, Clock, ClusterIdentity, ClusterUid, Disruption, ErrorClass, Existing, Kind, Observed,
    Outcome, Progress, Provider as _, ProviderError, Resource, ResourceKey, StepContext,
};

use super::api_server::ApiServer;
use super::machines::Machines;

/// How many times faster than the real one the clock of tests goes.
const HURRY: u32 = 200;

/// A clock that hurries: what waits a second waits five milliseconds.
pub(crate) struct HurriedClock {
    started: Timestamp,
}

impl Clock for HurriedClock {
    fn now(&self) -> Timestamp {
        let passed = Duration::try_from(SystemClock.now().duration_since(self.started)).unwrap();
        self.started + passed * HURRY
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'_, ()> {
        SystemClock.sleep(duration / HURRY)
    }
}

/// Issues from the authority of the API server, in real time, which TLS goes by.
struct Issuer {
    api: Arc<ApiServer>,
    clock: Arc<HurriedClock>,
    issued: Arc<Mutex<Vec<Standing>>>,
}

#[async_trait]
impl CredentialSource for Issuer {
    async fn issue(&self, _: &ClusterIdentity, standing: Standing) -> Result<ApiCredentials, ProviderError> {
        self.issued.lock().unwrap().push(standing);
        let group = match standing {
            Standing::Administrator => ADMINISTRATORS_GROUP,
            Standing::Founder => BREAK_GLASS_GROUP,
        };
        let requirement = Requirement::user("keelson", &[group], Terms::BREAK_GLASS);
        let issued = issue(&requirement, &self.api.authority, SystemClock.now()).unwrap();
        Ok(ApiCredentials {
            authority_pem: self.api.authority.trust_pem(),
            certificate_pem: issued.certificate_pem,
            key_pem: issued.key_pem,
            not_after: self.clock.now() + Duration::from_secs(1800),
        })
    }
}

/// Add-ons by name, as YAML.
#[derive(Default)]
struct Manifests(Mutex<BTreeMap<String, String>>);

#[async_trait]
impl AddonObjects for Manifests {
    async fn objects(
        &self,
        _: &ClusterIdentity,
        name: &str,
        wanted: &Addon,
    ) -> Result<Vec<Object>, ProviderError> {
        let text = self.0.lock().unwrap().get(name).cloned().unwrap_or_default();
        let permanent = |problem: String| ProviderError::new(ErrorClass::Permanent, problem);
        let objects = addons::parse(&text).map_err(|problem| permanent(problem.to_string()))?;
        if Digest::of_json(&objects) == wanted.digest {
            Ok(objects)
        } else {
            Err(permanent(format!("addon/{name} is not what was planned")))
        }
    }
}

/// A cluster as tests see it.
pub(crate) struct Scene {
    pub(crate) api: Arc<ApiServer>,
    pub(crate) machines: Arc<Machines>,
    pub(crate) identity: ClusterIdentity,
    pub(crate) fencing_generation: u64,
    pub(crate) clock: Arc<HurriedClock>,
    manifests: Arc<Manifests>,
    provider: Arc<ClusterProvider>,
    issued: Arc<Mutex<Vec<Standing>>>,
    told: Mutex<Vec<String>>,
}

/// The binding that administrators have their rights from.
pub(crate) const ACCESS: &str = "apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: { name: \"keelson:cluster-admins\" }
roleRef: { apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin }
subjects: [{ apiGroup: rbac.authorization.k8s.io, kind: Group, name: \"keelson:cluster-admins\" }]
";

impl Scene {
    /// A new cluster: its API server has nothing but namespaces.
    pub(crate) async fn new() -> Self {
        let api = ApiServer::start().await;
        let clock = Arc::new(HurriedClock {
            started: SystemClock.now(),
        });
        let machines = Machines::new(api.clone(), clock.clone());
        let manifests = Arc::new(Manifests::default());
        let issued = Arc::new(Mutex::new(Vec::new()));
        let credentials = Issuer {
            api: api.clone(),
            clock: clock.clone(),
            issued: issued.clone(),
        };
        let parts = ClusterParts {
            reach: machines.clone(),
            kubelets: machines.clone(),
            credentials: Arc::new(credentials),
            addons: manifests.clone(),
            clock: clock.clone(),
        };
        Self {
            api,
            machines,
            identity: ClusterIdentity {
                name: "prod".parse().unwrap(),
                uid: Some(ClusterUid::new("life-1")),
            },
            fencing_generation: 7,
            clock,
            manifests,
            provider: Arc::new(ClusterProvider::new(parts)),
            issued,
            told: Mutex::default(),
        }
    }

    /// A cluster whose administrators have their rights.
    pub(crate) async fn founded() -> Self {
        let scene = Self::new().await;
        scene.apply("cluster-access", ACCESS).await.unwrap();
        scene.api.mend();
        scene
    }

    pub(crate) fn provider(&self) -> &Arc<ClusterProvider> {
        &self.provider
    }

    /// The same cluster with the provider anew: whoever was at work before has crashed.
    pub(crate) fn restarted(self) -> Self {
        let machines = self.machines.clone();
        self.through(machines)
    }

    /// The same cluster, reached through other machines.
    pub(crate) fn through(self, machines: Arc<Machines>) -> Self {
        let credentials = Issuer {
            api: self.api.clone(),
            clock: self.clock.clone(),
            issued: self.issued.clone(),
        };
        let parts = ClusterParts {
            reach: machines.clone(),
            kubelets: machines.clone(),
            credentials: Arc::new(credentials),
            addons: self.manifests.clone(),
            clock: self.clock.clone(),
        };
        Self {
            machines,
            provider: Arc::new(ClusterProvider::new(parts)),
            ..self
        }
    }

    /// As whom keelson has spoken so far.
    pub(crate) fn standings(&self) -> Vec<Standing> {
        self.issued.lock().unwrap().clone()
    }

    /// What steps told since the last time.
    pub(crate) fn told(&self) -> Vec<String> {
        std::mem::take(&mut self.told.lock().unwrap())
    }

    /// What an add-on of that manifest is.
    pub(crate) fn wanted(&self, name: &str, manifest: &str) -> Addon {
        self.manifests
            .0
            .lock()
            .unwrap()
            .insert(name.to_owned(), manifest.to_owned());
        Addon {
            source: format!("./{name}.yaml"),
            digest: Digest::of_json(&addons::parse(manifest).unwrap()),
        }
    }

    /// Carries out one attempt at a change.
    pub(crate) async fn attempt(&self, name: &str, action: Action, kind: Kind) -> Outcome {
        let change = Change {
            key: ResourceKey::new(kind, name),
            action,
            reason: "a test wants it".to_owned(),
            disruption: Disruption::None,
            replacement: false,
        };
        let tell = |action: &str| self.told.lock().unwrap().push(action.to_owned());
        let context = StepContext {
            cluster: self.identity.clone(),
            fencing_generation: self.fencing_generation,
            attempt: 0,
            progress: Progress::to(&tell),
        };
        self.provider.carry_out(&context, &change).await
    }

    /// Creates or updates, as the planner would have it.
    pub(crate) async fn make(&self, name: &str, resource: impl Into<Resource>) -> Result<(), ProviderError> {
        let resource: Resource = resource.into();
        let kind = resource.kind();
        let action = match self.find(kind, name).await {
            Observed::Present(existing) => {
                let differences = existing.resource.differences(&resource);
                if differences.is_empty() {
                    return Ok(());
                }
                Action::Update {
                    id: existing.id,
                    resource: Box::new(resource),
                    differences,
                }
            }
            Observed::Absent => Action::Create {
                resource: Box::new(resource),
                generation: 3,
            },
            Observed::Unknown(why) => return Err(ProviderError::new(ErrorClass::Transient, why)),
        };
        ended(self.attempt(name, action, kind).await)
    }

    pub(crate) async fn apply(&self, name: &str, manifest: &str) -> Result<(), ProviderError> {
        let wanted = self.wanted(name, manifest);
        self.make(name, wanted).await
    }

    /// Deletes what is there.
    pub(crate) async fn remove(&self, kind: Kind, name: &str) -> Result<(), ProviderError> {
        let existing = match self.find(kind, name).await {
            Observed::Present(existing) => Box::new(existing),
            Observed::Absent => return Ok(()),
            Observed::Unknown(why) => return Err(ProviderError::new(ErrorClass::Transient, why)),
        };
        ended(self.attempt(name, Action::Delete { existing }, kind).await)
    }

    /// Deletes what was there when it was seen.
    pub(crate) async fn remove_seen(
        &self,
        kind: Kind,
        name: &str,
        seen: Existing,
    ) -> Result<(), ProviderError> {
        let existing = Box::new(seen);
        ended(self.attempt(name, Action::Delete { existing }, kind).await)
    }

    pub(crate) async fn find(&self, kind: Kind, name: &str) -> Observed<Existing> {
        let wanted = BTreeSet::from([ResourceKey::new(kind, name)]);
        self.find_all(kind, &wanted)
            .await
            .remove(&ResourceKey::new(kind, name))
            .unwrap_or(Observed::Absent)
    }

    pub(crate) async fn find_all(
        &self,
        kind: Kind,
        wanted: &BTreeSet<ResourceKey>,
    ) -> BTreeMap<ResourceKey, Observed<Existing>> {
        self.provider
            .observe(&self.identity, kind, wanted)
            .await
            .unwrap()
            .found
    }

    pub(crate) async fn present(&self, kind: Kind, name: &str) -> Existing {
        match self.find(kind, name).await {
            Observed::Present(existing) => existing,
            other => panic!("{kind}/{name}: {other:?}"),
        }
    }
}

fn ended(outcome: Outcome) -> Result<(), ProviderError> {
    match outcome {
        Outcome::Done => Ok(()),
        Outcome::Rejected(error) | Outcome::Indeterminate(error) => Err(error),
    }
}

/// Runs a test with everything that it needs of a runtime.
pub(crate) fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
        .block_on(work)
}
