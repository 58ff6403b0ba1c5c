//! Operations of the library, as a program that embeds keelson calls them.

mod authorities;
mod backup_places;
mod backup_scene;
mod begun_anew;
mod both_lost;
mod broken_stores;
mod brought;
mod certificates;
mod credentials;
mod endings;
mod etcd_alone;
mod first_boots;
mod fixed;
#[cfg(feature = "aws")]
mod in_s3;
mod last_snapshots;
mod manifests;
mod memory;
mod moved_away;
mod newest;
mod other_keys;
mod prunes;
mod restores;
mod statuses;
mod store_contract;
mod stores;
mod troubled;
mod upkeep;
mod ways_out;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use keelson::backup::Archive;
use keelson::execute::{Event, Interrupt, Journal, Reporter, Silent};
use keelson::ops::{
    ApplyOptions, Approval, Approve, AutoApprove, BackupParts, Condition, OperationError, Planned, Session,
};
use keelson::{registry, spec};
use keelson_provider_api::clock::SystemClock;
use keelson_provider_api::{EtcdMaintenance, Kind, Precondition, ResourceKey, Store};
use keelson_provider_simulated::{Like, MemoryStore, SimulatedOptions, SimulatedWorld};

fn session() -> (Session, SimulatedWorld) {
    let text = "apiVersion: keelson.dev/v1alpha1\nkind: Cluster\nmetadata: { name: prod }\nspec:\n  \
                provider: { simulated: {} }\n";
    let spec = spec::load(text.as_bytes(), "test").unwrap();
    registry::connect_in_memory(spec, Timestamp::UNIX_EPOCH).unwrap()
}

/// The world that those clusters are in whose backups are looked at.
fn world() -> SimulatedWorld {
    SimulatedWorld::in_memory(SimulatedOptions {
        start: Timestamp::UNIX_EPOCH,
        ..SimulatedOptions::new(Like::Aws, 7)
    })
}

/// Backups in `archive` alone, of members that `maintenance` looks after.
fn backup_parts(archive: Archive, maintenance: Arc<dyn EtcdMaintenance>) -> BackupParts {
    BackupParts {
        archive,
        hosts: Vec::new(),
        bucket: None,
        scheduled: None,
        maintenance,
        restore: None,
        drill: None,
    }
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(work)
}

struct Declines;

#[async_trait]
impl Approve for Declines {
    async fn approve(&self, _planned: &Planned) -> Approval {
        Approval::No
    }
}

#[test]
fn a_declined_apply_begins_no_cluster() {
    let (session, _) = session();
    block_on(async {
        let declined = session
            .apply(&ApplyOptions::default(), &Declines, &Silent, &Interrupt::new())
            .await;
        assert!(matches!(declined, Err(OperationError::Declined)), "{declined:?}");
        let status = session.status(&Silent).await.unwrap();
        assert!(
            !status.exists && status.condition == Condition::Absent,
            "{status:?}"
        );
    });
}

#[test]
fn a_lost_record_is_damage_and_no_new_beginning() {
    let text = "apiVersion: keelson.dev/v1alpha1\nkind: Cluster\nmetadata: { name: prod }\nspec:\n  \
                provider: { simulated: {} }\n";
    let directory = tempfile::tempdir().unwrap();
    let options = registry::ConnectOptions {
        base_directory: directory.path().to_owned(),
        holder: "test".to_owned(),
        ..registry::ConnectOptions::default()
    };
    let connect = async || {
        let spec = spec::load(text.as_bytes(), "test").unwrap();
        registry::connect(spec, &options).await.unwrap()
    };
    block_on(async {
        connect()
            .await
            .apply(&ApplyOptions::default(), &AutoApprove, &Silent, &Interrupt::new())
            .await
            .unwrap();
        std::fs::remove_file(directory.path().join(".keelson/prod/cluster.json")).unwrap();
        let planned = connect().await.plan(&Silent).await;
        assert!(matches!(planned, Err(OperationError::Store(_))), "{planned:?}");
        let applied = connect()
            .await
            .apply(&ApplyOptions::default(), &AutoApprove, &Silent, &Interrupt::new())
            .await;
        assert!(matches!(applied, Err(OperationError::Store(_))), "{applied:?}");
    });
}

#[test]
fn a_damaged_spec_is_not_written_over() {
    let (session, _) = session();
    block_on(async {
        let apply = || async {
            session
                .apply(&ApplyOptions::default(), &AutoApprove, &Silent, &Interrupt::new())
                .await
        };
        apply().await.unwrap();
        apply().await.unwrap();
        session
            .store()
            .write("prod/spec.yaml", b"rubbish", Precondition::None)
            .await
            .unwrap();
        let refused = apply().await;
        assert!(matches!(refused, Err(OperationError::Store(_))), "{refused:?}");
        assert_eq!(
            session
                .store()
                .read("prod/spec.yaml")
                .await
                .unwrap()
                .unwrap()
                .content,
            b"rubbish"
        );
    });
}

#[test]
fn waiting_for_health_ends_in_the_providers_time() {
    let (session, world) = session();
    block_on(async {
        session
            .apply(&ApplyOptions::default(), &AutoApprove, &Silent, &Interrupt::new())
            .await
            .unwrap();
        let hour = Duration::from_secs(3600);
        let status = session
            .wait_until_healthy(hour, &|_| (), &Silent, &Interrupt::new())
            .await
            .unwrap();
        assert_eq!(status.condition, Condition::Healthy);
        let identity = session.plan(&Silent).await.unwrap().plan.cluster().clone();
        world
            .kill_machine(&identity, "control-plane-1", 3 * hour)
            .unwrap();
        // Whoever wants to know what is waited for is told, and of the same things once.
        let told = std::sync::Mutex::new(Vec::new());
        let tell = |status: &keelson::ops::ClusterStatus| told.lock().unwrap().push(status.problems.clone());
        let began = session.clock().now();
        let last = session
            .wait_until_healthy(hour, &tell, &Silent, &Interrupt::new())
            .await
            .unwrap();
        assert!(!last.is_well());
        assert!(session.clock().now() >= began + hour);
        let of_waiting = std::mem::take(&mut *told.lock().unwrap());
        assert_eq!(of_waiting.last(), Some(&last.problems));
        assert!(of_waiting.is_sorted_by(|one, next| one != next), "{of_waiting:?}");
        let last = session
            .status_after_restore(hour, &tell, &Silent, &Interrupt::new())
            .await;
        let last = last.unwrap();
        // The machine is gone, and nobody but an apply brings another: that is not waited for.
        assert!(told.into_inner().unwrap().is_empty());
        let machine = ResourceKey::new(Kind::Machine, "control-plane-1");
        assert!(last.yet_to_come.contains(&machine), "{:?}", last.yet_to_come);
        assert!(!last.is_well());
        let told: Vec<String> = last
            .problems
            .iter()
            .filter_map(|problem| Some(problem.resource.as_ref()?.to_string()))
            .collect();
        for named in ["etcd-member/main:control-plane-1", "node/control-plane-1"] {
            assert!(told.iter().any(|told| told == named), "{named}: {told:?}");
        }
    });
}

#[test]
fn a_journal_loses_no_line_to_a_store_that_fails() {
    let store = Arc::new(MemoryStore::with_faults(3, 50));
    let name = "prod".parse().unwrap();
    let journal = Journal::new(store.clone(), Arc::new(SystemClock), &name, 1);
    block_on(async {
        let mut written = 0;
        for part in [300, 700, 1, 523] {
            (0..part).for_each(|_| journal.report(&Event::Observing));
            written += part;
            let mut attempts = 0;
            while journal.save().await.is_err() {
                attempts += 1;
                assert!(attempts < 100);
            }
        }
        let mut lines = 0;
        for part in 0..4 {
            let path_ends = format!("-1/{part:04}.jsonl");
            let paths = patient(|| store.list("prod/journal/")).await;
            let Some(path) = paths.iter().find(|path| path.ends_with(&path_ends)) else {
                continue;
            };
            let object = patient(|| store.read(path)).await.unwrap();
            lines += String::from_utf8(object.content).unwrap().lines().count();
        }
        assert_eq!(lines, written);
    });
}

/// Tries again where the store fails; it never does more than twice in a row.
async fn patient<T, E, F: Future<Output = Result<T, E>>>(mut attempt: impl FnMut() -> F) -> T {
    loop {
        if let Ok(value) = attempt().await {
            return value;
        }
    }
}

#[test]
fn a_plan_tells_of_a_cluster_that_does_not_work() {
    let text = include_str!("../../examples/simulated-ssh.yaml");
    let spec = spec::load(text.as_bytes(), "test").unwrap();
    let (session, world) = registry::connect_in_memory(spec, Timestamp::UNIX_EPOCH).unwrap();
    block_on(async {
        let options = ApplyOptions::default();
        let applied = session
            .apply(&options, &AutoApprove, &Silent, &Interrupt::new())
            .await
            .unwrap();
        for machine in ["a", "b"] {
            let hour = Duration::from_secs(3600);
            world.kill_machine(&applied.identity, machine, hour).unwrap();
        }
        let planned = session.plan(&Silent).await.unwrap();
        assert!(planned.plan.is_empty(), "{planned:?}");
        let problems: Vec<_> = planned
            .report
            .problems
            .iter()
            .map(|problem| {
                let key = problem.resource.as_ref().map(ToString::to_string);
                (key.unwrap_or_default(), problem.problem.as_str())
            })
            .collect();
        assert!(
            problems[0]
                .1
                .starts_with("etcd cluster `main` has lost its quorum"),
            "{problems:?}"
        );
        assert!(
            problems
                .iter()
                .all(|(key, _)| !key.ends_with("/a") && !key.ends_with(":a")),
            "the machine is blocked, which says it all: {problems:?}"
        );
        let again = session
            .apply(&options, &AutoApprove, &Silent, &Interrupt::new())
            .await;
        assert!(matches!(again, Err(OperationError::Blocked(_))), "{again:?}");
    });
}
