//! One world, one state store, and the runs of keelson in it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use keelson::backup::Archive;
use keelson::execute::{Interrupt, ProviderSet, Reporter, Silent};
use keelson::ops::{
    ApplyOptions, Approval, Approve, BackupParts, DestroyOptions, OperationError, Planned, Session,
    SessionParts,
};
use keelson::pki::Seal;
use keelson::plan::Plan;
use keelson::spec::ValidSpec;
use keelson_provider_api::kinds::{DnsRecord, Leftover, LeftoverSort, Machine, Network};
use keelson_provider_api::{BulkStore, Clock, ClusterIdentity, ClusterUid, Existing, Kind, ResourceKey};
use keelson_provider_simulated::{
    CrashMoment, CrashPoint, FaultPlan, Like, MemoryStore, SimulatedMaintenance, SimulatedOptions,
    SimulatedRestore, SimulatedWorld, providers,
};

use super::specs::Shape;
use crate::lint::lint;

pub(super) const NAME: &str = "prod.example.com";

/// So many runs of keelson must do for one operation, whatever goes wrong.
const RUN_LIMIT: u32 = 300;

/// What is done to a cluster.
#[derive(Debug, Clone)]
pub(super) enum Operation {
    Apply(Shape),
    Destroy(Shape),
}

/// How one run of keelson ended.
#[derive(Debug)]
pub(super) enum Run {
    Done,
    Crashed,
    Failed(OperationError),
}

/// What was restarted last has begun again by then.
const SETTLED_WITHIN: Duration = Duration::from_secs(600);

fn steps(plan: &Plan) -> Vec<String> {
    let steps = plan.steps().iter();
    steps.map(|step| step.change().to_string()).collect()
}

/// Approves every plan after a second look at it.
struct Linted;

#[async_trait]
impl Approve for Linted {
    async fn approve(&self, planned: &Planned) -> Approval {
        let findings = lint(&planned.plan, &planned.observation);
        assert!(findings.is_empty(), "{findings:?} in {:?}", steps(&planned.plan));
        Approval::Yes
    }
}

/// A world with other people's things in it, a state store, and a cluster that is to live there.
pub(super) struct Life {
    pub seed: u64,
    pub world: SimulatedWorld,
    pub store: Arc<MemoryStore>,
    runs: u32,
    foreign: BTreeMap<String, Existing>,
}

impl Life {
    pub(super) fn new(seed: u64, shape: &Shape) -> Self {
        Self::with_store(seed, shape, Arc::new(MemoryStore::new()))
    }

    pub(super) fn with_store(seed: u64, shape: &Shape, store: Arc<MemoryStore>) -> Self {
        let like = match shape.like {
            "aws" => Like::Aws,
            "digitalocean" => Like::Digitalocean,
            _ => Like::Ssh,
        };
        let start: Timestamp = "2026-11-01T00:00:00Z".parse().unwrap();
        let world = SimulatedWorld::in_memory(SimulatedOptions {
            start,
            ..SimulatedOptions::new(like, seed)
        });
        plant_foreign_things(&world, like);
        let foreign = world.foreign(&nobody());
        Self {
            seed,
            world,
            store,
            runs: 0,
            foreign,
        }
    }

    /// A life that goes on from here by itself.
    pub(super) fn fork(&self) -> Self {
        Self {
            seed: self.seed,
            world: self.world.fork(),
            store: Arc::new(self.store.fork()),
            runs: self.runs,
            foreign: self.foreign.clone(),
        }
    }

    pub(super) fn session(&self, spec: ValidSpec) -> Session {
        self.session_on(self.store.clone(), spec)
    }

    pub(super) fn session_on(&self, store: Arc<dyn BulkStore>, spec: ValidSpec) -> Session {
        for host in spec.spec().provider.hosts() {
            self.world.add_host(host.name.as_str(), &host.address).unwrap();
        }
        let backups = BackupParts {
            archive: Archive::of_cluster(store.clone(), spec.name(), Arc::new(Seal::none())),
            hosts: Vec::new(),
            bucket: None,
            scheduled: None,
            maintenance: Arc::new(SimulatedMaintenance::of(&self.world)),
            restore: Some(Arc::new(SimulatedRestore::of(&self.world))),
            drill: None,
        };
        let parts = SessionParts::simulated(
            spec,
            ProviderSet::new(providers(&self.world)).unwrap(),
            store,
            self.world.clock(),
            format!("run {}", self.runs),
        );
        Session::new(SessionParts {
            backups: Some(backups),
            ..parts
        })
    }

    /// Lets time pass.
    pub(super) async fn pass(&self, duration: Duration) {
        let clock = self.world.clock();
        clock.drive(clock.sleep(duration)).await;
    }

    /// One run of keelson, to its end or to the crash that was asked for.
    pub(super) async fn run(&mut self, operation: &Operation, reporter: &dyn Reporter) -> Run {
        self.run_on(self.store.clone(), operation, reporter).await
    }

    /// The same with another way to the state store.
    pub(super) async fn run_on(
        &mut self,
        store: Arc<dyn BulkStore>,
        operation: &Operation,
        reporter: &dyn Reporter,
    ) -> Run {
        self.runs += 1;
        let interrupt = Interrupt::new();
        let (Operation::Apply(shape) | Operation::Destroy(shape)) = operation;
        let session = self.session_on(store, shape.spec(NAME, self.seed));
        let linted = Linted;
        let work = async {
            match operation {
                Operation::Apply(_) => session
                    .apply(&ApplyOptions::default(), &linted, reporter, &interrupt)
                    .await
                    .map(|_| ()),
                Operation::Destroy(_) => session
                    .destroy(DestroyOptions::default(), &linted, reporter, &interrupt)
                    .await
                    .map(|_| ()),
            }
        };
        tokio::select! {
            biased;
            result = work => match result {
                Ok(()) => Run::Done,
                // Destroyed by the run before, which crashed before it could say so.
                Err(OperationError::NoCluster { .. }) if matches!(operation, Operation::Destroy(_)) => Run::Done,
                Err(error) => Run::Failed(error),
            },
            () = self.world.crashed() => {
                self.world.restart();
                Run::Crashed
            }
        }
    }

    /// Runs keelson again and again until the operation is done; `before_run` may set a crash for each run.
    pub(super) async fn converge(
        &mut self,
        operation: &Operation,
        mut before_run: impl FnMut(&SimulatedWorld, u32),
    ) -> Result<u32, String> {
        let mut trouble = Vec::new();
        for run in 0..RUN_LIMIT {
            before_run(&self.world, run);
            match self.run(operation, &Silent).await {
                Run::Done => return Ok(run + 1),
                Run::Crashed => trouble.push("crashed".to_owned()),
                Run::Failed(error) => trouble.push(format!("{error:?}")),
            }
            // Whoever runs the command again waits for the lease of the run that crashed, and for hosts to come back.
            self.pass(Duration::from_secs(60)).await;
        }
        let last = trouble.split_off(trouble.len().saturating_sub(2)).join("\n");
        let stuck = self.describe(operation).await;
        Err(format!(
            "{operation:?} was not done after {RUN_LIMIT} runs; the last two: {last}\n{stuck}"
        ))
    }

    /// What is unwell and what would be done next, for the message of a failure.
    async fn describe(&self, operation: &Operation) -> String {
        let (Operation::Apply(shape) | Operation::Destroy(shape)) = operation;
        let session = self.session(shape.spec(NAME, self.seed));
        match patient(|| session.plan(&Silent)).await {
            Ok(planned) => {
                let unwell = planned
                    .observation
                    .owned()
                    .filter(|(_, existing)| !existing.health.is_healthy());
                let unwell: Vec<String> = unwell
                    .map(|(key, existing)| format!("{key}: {:?}", existing.health))
                    .collect();
                format!(
                    "unwell: {unwell:#?}\nnext: {:?}\n{:?}",
                    steps(&planned.plan),
                    planned.report
                )
            }
            Err(error) => format!("{error:?}"),
        }
    }

    /// What must hold after every operation, once nothing goes wrong any more.
    pub(super) async fn check(&mut self, operation: &Operation) -> Result<(), String> {
        let violations = self.world.violations();
        if !violations.is_empty() {
            return Err(format!("rules were broken during {operation:?}: {violations:#?}"));
        }
        if let Operation::Apply(shape) = operation {
            let session = self.session(shape.spec(NAME, self.seed));
            let planned = patient(|| session.plan(&Silent))
                .await
                .map_err(|error| format!("{error:?}"))?;
            if !planned.plan.is_empty() || planned.report.is_blocked() {
                return Err(format!(
                    "the plan after {operation:?} is not empty: {:?} {:?}",
                    steps(&planned.plan),
                    planned.report
                ));
            }
            let findings = lint(&planned.plan, &planned.observation);
            if !findings.is_empty() {
                return Err(format!("{findings:?}"));
            }
            let nobody_interrupts = Interrupt::new();
            let healthy =
                patient(|| session.wait_until_healthy(SETTLED_WITHIN, &|_| (), &Silent, &nobody_interrupts))
                    .await;
            healthy.map_err(|error| format!("it is not well after {operation:?}: {error:?}"))?;
        }
        Ok(())
    }

    /// The highest generation of any machine of the cluster: how often one was made anew.
    pub(super) async fn newest_generation(&self, shape: &Shape) -> u32 {
        let session = self.session(shape.spec(NAME, self.seed));
        let planned = patient(|| session.plan(&Silent)).await.unwrap();
        planned
            .observation
            .owned_of(Kind::Machine)
            .map(|(_, machine)| machine.generation)
            .max()
            .unwrap_or(0)
    }

    /// What must hold when the cluster is gone: the world is as it was found.
    pub(super) fn check_gone(&self) -> Result<(), String> {
        let now = self.world.foreign(&nobody());
        if now != self.foreign {
            let left: Vec<&String> = now.keys().filter(|id| !self.foreign.contains_key(*id)).collect();
            let lost: Vec<&String> = self.foreign.keys().filter(|id| !now.contains_key(*id)).collect();
            return Err(format!(
                "the world is not as it was found: left {left:?}, lost or changed {lost:?}"
            ));
        }
        Ok(())
    }

    pub(super) fn crash_at(&self, write_index: u64, moment: CrashMoment) {
        self.world.crash_at(Some(CrashPoint { write_index, moment }));
    }

    pub(super) fn set_faults(&self, percent: u8) {
        self.world.set_faults(FaultPlan::new(self.seed, percent));
    }
}

/// Tries again where the store did not answer: it never fails more than twice in a row.
async fn patient<T, F: Future<Output = Result<T, OperationError>>>(
    mut attempt: impl FnMut() -> F,
) -> Result<T, OperationError> {
    for _ in 0..8 {
        if let Ok(value) = attempt().await {
            return Ok(value);
        }
    }
    attempt().await
}

/// An identity that owns nothing, so that everything in a world is foreign to it.
fn nobody() -> ClusterIdentity {
    identity("nobody", "nobody")
}

fn identity(name: &str, uid: &str) -> ClusterIdentity {
    ClusterIdentity {
        name: name.parse().unwrap(),
        uid: Some(ClusterUid::new(uid)),
    }
}

/// Things of others, with names that are easily confused with ours.
fn plant_foreign_things(world: &SimulatedWorld, like: Like) {
    let network = || Network {
        region: "simulated".to_owned(),
        cidr: "10.0.0.0/16".parse().unwrap(),
        has_gateway: true,
    };
    let machine = || Machine {
        group: "workers".to_owned(),
        roles: std::collections::BTreeSet::new(),
        machine_type: None,
        image: None,
        root_volume: None,
        spot: false,
        zone: None,
        subnet: None,
        firewall: None,
        address: None,
        volume: None,
        network_interface: None,
        role: None,
    };
    for (name, uid) in [("prod.example.com-2", "a"), ("prod", "b"), ("prod.example", "c")] {
        let owner = identity(name, uid);
        if like != Like::Ssh {
            world
                .add_foreign(&owner, ResourceKey::new(Kind::Network, "main"), network().into())
                .unwrap();
            world
                .add_foreign(
                    &owner,
                    ResourceKey::new(Kind::Machine, "workers-1"),
                    machine().into(),
                )
                .unwrap();
            let volume = Leftover {
                sort: LeftoverSort::Volume,
                made_for: Some("PersistentVolumeClaim shop/orders".to_owned()),
                size: None,
            };
            let key = ResourceKey::new(Kind::Leftover, format!("vol-of-{name}"));
            world.add_foreign(&owner, key, volume.into()).unwrap();
        }
    }
    let record = DnsRecord {
        zone: "example.com".to_owned(),
        target: ResourceKey::new(Kind::LoadBalancer, "api"),
        ttl_seconds: 60,
    };
    let key = ResourceKey::new(Kind::DnsRecord, "www.example.com");
    world.add_unowned("someone by hand", key, record.into()).unwrap();
}

/// The operations of a whole life.
pub(super) fn operations(seed: u64) -> [Operation; 4] {
    let first = Shape::of_seed(seed);
    let edited = first.edited(seed);
    let scaled = edited.scaled(seed);
    [
        Operation::Apply(first),
        Operation::Apply(edited),
        Operation::Apply(scaled.clone()),
        Operation::Destroy(scaled),
    ]
}

/// Runs a test's future on a runtime of its own.
pub(super) fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(work)
}
