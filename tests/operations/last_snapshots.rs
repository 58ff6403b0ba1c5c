//! What a status tells of how old the snapshots of each etcd are.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use keelson::backup::{Archive, BackupManifest};
use keelson::execute::{Interrupt, ProviderSet, Silent};
use keelson::ops::{
    ApplyOptions, AutoApprove, BackupParts, ClusterStatus, HostArchive, SaveRequest, Session, SessionParts,
};
use keelson::pki::Seal;
use keelson::spec;
use keelson::view::status_text;
use keelson_provider_api::etcd::INSTANCES;
use keelson_provider_api::{Clock, Progress, ProviderError, ScheduledRuns, ScheduledSnapshots};
use keelson_provider_simulated::{
    Like, MemoryStore, SimulatedMaintenance, SimulatedOptions, SimulatedWorld, providers,
};

use super::block_on;

const HOUR: Duration = Duration::from_secs(3600);

/// A machine that is to take snapshots of both etcds since then.
struct Since(Timestamp);

#[async_trait]
impl ScheduledSnapshots for Since {
    async fn runs(&self, _: &str) -> Result<Vec<ScheduledRuns>, ProviderError> {
        let run = |etcd: &str| ScheduledRuns {
            etcd_cluster: etcd.to_owned(),
            since: self.0,
            failure: None,
        };
        Ok(INSTANCES.map(|etcd| run(etcd.cluster)).into())
    }
}

struct Scene(Session);

impl Scene {
    /// A cluster that has been applied, with `etcd` in `spec.etcd`.
    async fn new(etcd: &str) -> Self {
        let text = format!(
            "apiVersion: keelson.dev/v1alpha1\nkind: Cluster\nmetadata: {{ name: prod }}\nspec:\n  \
             provider: {{ simulated: {{}} }}\n  etcd: {{ {etcd} }}\n"
        );
        let spec = spec::load(text.as_bytes(), "test").unwrap_or_else(|errors| panic!("{errors}"));
        let world = SimulatedWorld::in_memory(SimulatedOptions {
            start: "2026-11-28T03:43:33Z".parse().unwrap(),
            ..SimulatedOptions::new(Like::Aws, 7)
        });
        let store = Arc::new(MemoryStore::new());
        let archive = Archive::of_cluster(store.clone(), spec.name(), Arc::new(Seal::none()));
        let backups = BackupParts {
            hosts: vec![HostArchive {
                machine: "a".to_owned(),
                archive: Archive::whole_store(Arc::new(MemoryStore::new()), Arc::new(Seal::none())),
            }],
            scheduled: Some(Arc::new(Since(world.clock().now()))),
            ..super::backup_parts(archive, Arc::new(SimulatedMaintenance::of(&world)))
        };
        let all = ProviderSet::new(providers(&world)).unwrap();
        let session = Session::new(SessionParts {
            backups: Some(backups),
            ..SessionParts::simulated(spec, all, store, world.clock(), "test")
        });
        let (options, interrupt) = (ApplyOptions::default(), Interrupt::new());
        session
            .apply(&options, &AutoApprove, &Silent, &interrupt)
            .await
            .unwrap();
        Self(session)
    }

    async fn save(&self, etcd: &str) -> BackupManifest {
        let request = SaveRequest {
            etcd: Some(etcd.to_owned()),
            purpose: "by hand".to_owned(),
        };
        let saved = self.0.save_backups(&request, &Progress::default()).await;
        saved.unwrap().remove(0).manifest
    }

    async fn pass(&self, duration: Duration) {
        let clock = self.0.clock();
        clock.drive(clock.sleep(duration)).await;
    }

    async fn status(&self) -> ClusterStatus {
        self.0.status(&Silent).await.unwrap()
    }
}

/// What a person reads of the last snapshots.
fn read(status: &ClusterStatus) -> Vec<String> {
    let text = anstream::adapter::strip_str(&status_text::render(status)).to_string();
    let lines = text.lines().skip_while(|line| !line.starts_with("Last snapshot"));
    let lines = lines.take_while(|line| !line.starts_with("Drift"));
    lines.map(str::to_owned).collect()
}

#[test]
fn the_age_of_the_last_snapshot_is_shown() {
    block_on(async {
        let scene = Scene::new("").await;
        let status = scene.status().await;
        assert_eq!(read(&status), ["Last snapshot  none yet"]);
        let json = serde_json::to_value(&status).unwrap();
        assert_eq!(json["lastSnapshot"], serde_json::Value::Null);
        assert_eq!(json["lastSnapshots"], serde_json::json!({ "main": null }));
        let first = scene.save("main").await;
        scene.pass(HOUR).await;
        let second = scene.save("main").await;
        assert!(second.taken_at > first.taken_at);
        scene.pass(26 * HOUR).await;
        let status = scene.status().await;
        let taken = second.taken_at;
        assert_eq!(
            read(&status),
            [format!("Last snapshot  {taken:.0}, 1d 2h ago (by hand)")]
        );
        let json = serde_json::to_value(&status).unwrap();
        let last = serde_json::json!({ "name": second.name, "takenAt": taken, "purpose": "by hand" });
        assert_eq!(json["lastSnapshot"], last);
        assert_eq!(json["lastSnapshots"], serde_json::json!({ "main": last }));
        let observed: Timestamp = json["observedAt"].as_str().unwrap().parse().unwrap();
        let age = observed.duration_since(taken).as_secs();
        assert!((26 * 3600..27 * 3600).contains(&age), "{age}");
    });
}

#[test]
fn each_etcd_has_a_last_snapshot_of_its_own() {
    block_on(async {
        let scene = Scene::new("events: separate").await;
        assert_eq!(
            read(&scene.status().await),
            ["Last snapshot  events: none yet", "               main: none yet"]
        );
        let of_events = scene.save("events").await;
        let status = scene.status().await;
        assert_eq!(
            status.last_snapshot, None,
            "what programs have read so far is of main"
        );
        assert_eq!(read(&status)[1], "               main: none yet");
        scene.pass(2 * HOUR).await;
        let of_main = scene.save("main").await;
        scene.pass(HOUR).await;
        let status = scene.status().await;
        assert_eq!(
            read(&status),
            [
                format!(
                    "Last snapshot  events: {:.0}, 3h ago (by hand)",
                    of_events.taken_at
                ),
                format!("               main: {:.0}, 1h ago (by hand)", of_main.taken_at),
            ]
        );
        let json = serde_json::to_value(&status).unwrap();
        assert_eq!(json["lastSnapshot"]["name"], of_main.name.as_str());
        assert_eq!(json["lastSnapshots"]["main"], json["lastSnapshot"]);
        assert_eq!(json["lastSnapshots"]["events"]["name"], of_events.name.as_str());
    });
}

#[test]
fn snapshots_that_do_not_come_are_missed_of_each_etcd() {
    block_on(async {
        let scene = Scene::new("events: separate, snapshots: { schedule: hourly }").await;
        for missed in [None, Some("events"), Some("main"), None] {
            for etcd in ["main", "events"] {
                if missed != Some(etcd) {
                    scene.save(etcd).await;
                }
            }
            let warnings = scene.status().await.warnings;
            let found: Vec<&str> = ["main", "events"]
                .into_iter()
                .filter(|etcd| {
                    let last = format!("the last snapshot of etcd {etcd} is of ");
                    warnings.iter().any(|warning| warning.starts_with(&last))
                })
                .collect();
            assert_eq!(found, Vec::from_iter(missed), "{warnings:?}");
            assert_eq!(warnings.len(), found.len(), "{warnings:?}");
            scene.pass(2 * HOUR + HOUR / 4).await;
        }
    });
}
