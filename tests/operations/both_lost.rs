//! A cluster whose events have an etcd of their own, and that has lost the data of both: each is restored by itself.

use std::time::Duration;

use jiff::Timestamp;
use keelson::execute::{Interrupt, Silent};
use keelson::ops::{
    ApplyOptions, AutoApprove, OperationError, RestoreSource, RestoreTerms, SaveRequest, Session, WhichBackup,
};
use keelson::{registry, spec};
use keelson_provider_api::{ClusterIdentity, Kind, Progress};

use super::backup_scene::Scene;
use super::block_on;

const SPEC: &str = "apiVersion: keelson.dev/v1alpha1
kind: Cluster
metadata: { name: prod }
spec:
  provider: { simulated: {} }
  etcd: { events: separate }
";

async fn apply(session: &Session) -> Result<(), OperationError> {
    let (options, interrupt) = (ApplyOptions::default(), Interrupt::new());
    let applied = session.apply(&options, &AutoApprove, &Silent, &interrupt);
    applied.await.map(drop)
}

/// Restores the newest snapshot of `etcd`, and tells which etcds wait for data then.
async fn restore(session: &Session, etcd: &str) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let source = RestoreSource::Backup {
        which: WhichBackup::Newest(etcd.to_owned()),
        place: None,
    };
    let interrupt = Interrupt::new();
    let snapshot = session.unpack_snapshot(&source, folder.path(), &interrupt);
    let snapshot = snapshot.await.unwrap();
    let (terms, progress) = (RestoreTerms::default(), Progress::default());
    let restored = session.restore_etcd(&snapshot, terms, &progress, &Silent, &interrupt);
    restored.await.unwrap().waiting
}

#[test]
fn the_etcds_that_wait_for_data_are_named_after_a_restore() {
    block_on(async {
        for [first, second] in [["events", "main"], ["main", "events"]] {
            let spec = spec::load(SPEC.as_bytes(), "test").unwrap_or_else(|errors| panic!("{errors}"));
            let (session, world) = registry::connect_in_memory(spec, Timestamp::UNIX_EPOCH).unwrap();
            apply(&session).await.unwrap();
            let request = SaveRequest::default();
            let saved = session
                .save_backups(&request, &Progress::default())
                .await
                .unwrap();
            let manifest = &saved[0].manifest;
            let identity = ClusterIdentity {
                name: manifest.cluster_name.clone(),
                uid: Some(manifest.cluster_uid.clone()),
            };
            assert_eq!(restore(&session, first).await, [""; 0], "nothing is lost");
            for machine in session.status(&Silent).await.unwrap().machines {
                world.lose_machine(&identity, &machine.name).unwrap();
            }
            // Its machines come again, and wait for data.
            let waits = apply(&session).await;
            assert!(matches!(waits, Err(OperationError::Blocked(_))), "{waits:?}");
            assert_eq!(restore(&session, first).await, [second]);
            assert_eq!(restore(&session, second).await, [""; 0]);
            // No control plane comes before an apply: nobody is kept waiting for it.
            let began = session.clock().now();
            let (hour, interrupt) = (Duration::from_secs(3600), Interrupt::new());
            let status = session
                .status_after_restore(hour, &|_| (), &Silent, &interrupt)
                .await;
            let yet_to_come = status.unwrap().yet_to_come;
            assert!(
                yet_to_come.iter().any(|key| key.kind() == Kind::ControlPlane),
                "{yet_to_come:?}"
            );
            let waited = session.clock().now().duration_since(began);
            assert!(waited.as_secs() < 60, "{waited:?}");
            apply(&session).await.unwrap();
            let status = session.status(&Silent).await.unwrap();
            assert!(status.is_well(), "{status:?}");
        }
    });
}

/// Its disks came back empty, and its marks lie on others: to the planner its members are voters.
#[test]
fn one_of_which_machines_have_marks_alone_waits_too() {
    block_on(async {
        let scene = Scene::new().await;
        for (lost, expected) in [
            (None, vec![]),
            (Some("events"), vec![]),
            (Some("main"), vec!["main"]),
        ] {
            *scene.played.lost.lock().unwrap() = lost;
            assert_eq!(scene.restore().await.unwrap().waiting, expected, "{lost:?}");
        }
    });
}
