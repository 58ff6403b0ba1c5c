//! Machines that are played: they lead to the API server, and their kubelets do what tests ask for.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use keelson_provider_api::Clock as _;
use keelson_provider_api::kinds::Node;
use keelson_provider_api::{
    ApiPath, ClusterIdentity, ErrorClass, Health, Joined, Kubelets, Observed, Outcome, Owner, ProviderError,
    ReachApi, Registration, StepContext,
};

use super::api_server::{ApiServer, Stage};
use super::scene::HurriedClock;

/// Machines that are played.
pub(crate) struct Machines {
    api: Arc<ApiServer>,
    clock: Arc<HurriedClock>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    joined: BTreeMap<String, Joined>,
    /// Machines that do not answer.
    dark: BTreeSet<String>,
    /// Machines that nobody knows any more.
    forgotten: BTreeSet<String>,
    has_no_control_plane: bool,
    /// No API server answers.
    is_silent: bool,
    /// What a node goes through once its kubelet is started.
    stages: BTreeMap<String, Vec<Stage>>,
    last_words: BTreeMap<String, String>,
    /// What was asked of machines.
    deeds: Vec<String>,
    ways: usize,
}

impl Machines {
    pub(crate) fn new(api: Arc<ApiServer>, clock: Arc<HurriedClock>) -> Arc<Self> {
        Arc::new(Self {
            api,
            clock,
            state: Mutex::default(),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub(crate) fn without_control_plane(&self) {
        self.state().has_no_control_plane = true;
    }

    pub(crate) fn silence_api(&self, is_silent: bool) {
        self.state().is_silent = is_silent;
    }

    pub(crate) fn darken(&self, machine: &str) {
        self.state().dark.insert(machine.to_owned());
    }

    pub(crate) fn forget(&self, machine: &str) {
        let mut state = self.state();
        state.forgotten.insert(machine.to_owned());
        state.joined.remove(machine);
    }

    pub(crate) fn lose_certificate(&self, machine: &str) {
        self.state().joined.get_mut(machine).unwrap().has_certificate = false;
    }

    pub(crate) fn play(&self, machine: &str, stages: &[Stage]) {
        self.state().stages.insert(machine.to_owned(), stages.to_vec());
    }

    pub(crate) fn say(&self, machine: &str, words: &str) {
        self.state()
            .last_words
            .insert(machine.to_owned(), words.to_owned());
    }

    /// What was asked of machines since the last time, in order.
    pub(crate) fn deeds(&self) -> Vec<String> {
        std::mem::take(&mut self.state().deeds)
    }

    /// How many ways to an API server were opened.
    pub(crate) fn ways(&self) -> usize {
        self.state().ways
    }

    /// True when a Secret in the API holds `token`.
    fn is_known(&self, token: &str) -> bool {
        let (id, secret) = token.split_once('.').unwrap();
        self.api.with(|world| {
            let name = format!("bootstrap-token-{id}");
            let Some(object) = world.get("v1", "Secret", "kube-system", &name) else {
                return false;
            };
            let text = |field: &str| {
                use base64::Engine as _;
                let bytes = base64::prelude::BASE64_STANDARD.decode(object["data"][field].as_str().unwrap());
                String::from_utf8(bytes.unwrap()).unwrap()
            };
            assert_eq!(object["type"], "bootstrap.kubernetes.io/token");
            assert_eq!(text("usage-bootstrap-authentication"), "true");
            assert_eq!(text("usage-bootstrap-signing"), "false");
            assert_eq!(text("auth-extra-groups"), "system:bootstrappers:keelson:nodes");
            let expiration: Timestamp = text("expiration").parse().unwrap();
            // Of the clock of tests minutes may have passed since, in a second.
            let left = expiration.duration_since(self.clock.now());
            assert!(left <= SignedDuration::from_mins(15), "{left:?}");
            text("token-id") == id && text("token-secret") == secret
        })
    }

    fn refuse_dark(&self, machine: &str) -> Result<(), Outcome> {
        if !self.state().dark.contains(machine) {
            return Ok(());
        }
        let message = format!("{machine} does not answer");
        Err(Outcome::Rejected(ProviderError::new(
            ErrorClass::Transient,
            message,
        )))
    }
}

#[async_trait]
impl ReachApi for Machines {
    async fn reach(&self, _cluster: &ClusterIdentity) -> Result<ApiPath, ProviderError> {
        let mut state = self.state();
        if state.is_silent {
            let message = "no API server answers: a: connection refused";
            return Err(ProviderError::new(ErrorClass::Transient, message));
        }
        state.ways += 1;
        Ok(ApiPath::new(self.api.address, Some("a".to_owned()), ()))
    }

    async fn has_control_plane(&self, _cluster: &ClusterIdentity) -> Result<bool, ProviderError> {
        Ok(!self.state().has_no_control_plane)
    }
}

#[async_trait]
impl Kubelets for Machines {
    async fn joined(
        &self,
        _cluster: &ClusterIdentity,
        wanted: &BTreeSet<String>,
    ) -> BTreeMap<String, Observed<Joined>> {
        let state = self.state();
        let names = wanted.iter().chain(state.joined.keys()).chain(&state.dark);
        let look = |name: &String| {
            if state.dark.contains(name) {
                return Observed::Unknown(format!("{name} does not answer"));
            }
            state
                .joined
                .get(name)
                .cloned()
                .map_or(Observed::Absent, Observed::Present)
        };
        names.map(|name| (name.clone(), look(name))).collect()
    }

    async fn join(
        &self,
        _context: &StepContext<'_>,
        node: &Node,
        generation: u32,
        registration: Registration<'_>,
    ) -> Result<(), Outcome> {
        let machine = &node.machine;
        self.refuse_dark(machine)?;
        let token = registration.bootstrap_token;
        let is_let_in = match token {
            None => true,
            Some(token) => self.is_known(token.expose()),
        };
        let stages = {
            let mut state = self.state();
            let with = if token.is_some() { "with" } else { "without" };
            let due = if registration.is_due { ", to register" } else { "" };
            state.deeds.push(format!("join {machine} {with} a token{due}"));
            let joined = Joined {
                node: node.clone(),
                owner: Owner::ThisCluster,
                joined_at: Timestamp::UNIX_EPOCH,
                generation,
                machine_id: format!("id-of-{machine}"),
                kubelet: Health::Healthy,
                has_certificate: is_let_in,
            };
            state.joined.insert(machine.clone(), joined);
            let played = state.stages.get(machine).cloned();
            played.unwrap_or_else(|| {
                // One look each while it is waited for, labelled, and waited for again.
                let not_ready = Stage::NotReady("cni plugin not initialized");
                vec![
                    Stage::Missing,
                    not_ready.clone(),
                    not_ready.clone(),
                    not_ready,
                    Stage::Ready,
                ]
            })
        };
        if is_let_in {
            self.api
                .with(|world| world.stages.insert(machine.clone(), VecDeque::from(stages)));
        }
        Ok(())
    }

    fn knows(&self, machine: &str) -> bool {
        !self.state().forgotten.contains(machine)
    }

    async fn rewrite(&self, _context: &StepContext<'_>, node: &Node) -> Result<(), Outcome> {
        self.refuse_dark(&node.machine)?;
        let mut state = self.state();
        state.deeds.push(format!("rewrite {}", node.machine));
        state.joined.get_mut(&node.machine).unwrap().node = node.clone();
        Ok(())
    }

    async fn leave(&self, _context: &StepContext<'_>, machine: &str) -> Result<(), Outcome> {
        self.refuse_dark(machine)?;
        let mut state = self.state();
        assert!(
            !state.forgotten.contains(machine),
            "nobody knows the way to {machine}"
        );
        state.deeds.push(format!("leave {machine}"));
        state.joined.remove(machine);
        Ok(())
    }

    async fn last_words(&self, machine: &str) -> Option<String> {
        self.state().last_words.get(machine).cloned()
    }
}
