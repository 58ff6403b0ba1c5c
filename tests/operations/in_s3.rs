//! A cluster whose state is in a bucket, which an emulator has.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use keelson::backup::Archive;
use keelson::execute::{Interrupt, Lease, LeaseError, LeaseHolder, ProviderSet, Silent};
use keelson::ops::{
    ApplyOptions, AutoApprove, BackupParts, BackupPlace, Condition, DestroyOptions, OperationError, Planned,
    RestoreSource, RestoreTerms, SaveRequest, Session, SessionParts, WhichBackup,
};
use keelson::pki::Seal;
use keelson::registry::{self, AwsAccess, AwsKey, ConnectOptions};
use keelson::spec;
use keelson_provider_api::clock::SystemClock;
use keelson_provider_api::values::Secret;
use keelson_provider_api::{Progress, Store, with_causes};
use keelson_provider_aws::{BUCKET_MISSING, S3Credentials, S3Settings, S3Store};
use keelson_provider_simulated::{SimulatedMaintenance, SimulatedRestore, providers};
use keelson_test_hosts::Moto;

use super::{backup_parts, block_on, world};

const BUCKET: &str = "clusters";

fn key() -> AwsKey {
    AwsKey {
        access_key_id: "AKIAKEELSON".to_owned(),
        secret_access_key: Secret::new("secret".to_owned()),
        session_token: None,
    }
}

fn settings(moto: &Moto, prefix: &str) -> S3Settings {
    S3Settings {
        bucket: BUCKET.to_owned(),
        prefix: prefix.to_owned(),
        endpoint: Some(format!("http://{}", moto.address)),
        region: "us-east-1".to_owned(),
        path_style: true,
        credentials: S3Credentials::Key(key()),
        authorities: None,
        // The emulator may be slow to answer many at once.
        answer_limit: S3Settings::ANSWER_LIMIT,
        data_limit: S3Settings::DATA_LIMIT,
    }
}

fn store(moto: &Moto, prefix: &str) -> Arc<S3Store> {
    Arc::new(S3Store::new(&settings(moto, prefix), Arc::new(SystemClock)).unwrap())
}

fn moto_or_skip(test: &str) -> Option<Moto> {
    let test = format!("operations::in_s3::{test}");
    Moto::start_or_skip(&test, Ipv4Addr::LOCALHOST.into(), BUCKET, &[]).unwrap()
}

/// A simulated cluster of three control planes, with its state in `store`. What is written there takes real time, and the lease
/// goes by that.
fn session(store: &Arc<S3Store>) -> Session {
    let text = "apiVersion: keelson.dev/v1alpha1\nkind: Cluster\nmetadata: { name: prod }\nspec:\n  \
                provider: { simulated: {} }\n  controlPlane: { replicas: 3 }\n";
    let spec = spec::load(text.as_bytes(), "test").unwrap();
    let world = world();
    let backups = BackupParts {
        restore: Some(Arc::new(SimulatedRestore::of(&world))),
        ..backup_parts(
            Archive::of_cluster(store.clone(), spec.name(), Arc::new(Seal::none())),
            Arc::new(SimulatedMaintenance::of(&world)),
        )
    };
    let providers = ProviderSet::new(providers(&world)).unwrap();
    Session::new(SessionParts {
        backups: Some(backups),
        lease_clock: Arc::new(SystemClock),
        ..SessionParts::simulated(spec, providers, store.clone(), world.clock(), "test")
    })
}

async fn apply(session: &Session) -> Result<usize, OperationError> {
    let applied = session
        .apply(&ApplyOptions::default(), &AutoApprove, &Silent, &Interrupt::new())
        .await?;
    Ok(applied.steps_done())
}

#[test]
fn a_cluster_lives_from_its_first_apply_to_its_end() {
    let Some(moto) = moto_or_skip("a_cluster_lives_from_its_first_apply_to_its_end") else {
        return;
    };
    let store = store(&moto, "some/where");
    let session = session(&store);
    let folder = tempfile::tempdir().unwrap();
    block_on(async {
        assert!(apply(&session).await.unwrap() > 10);
        assert_eq!(
            apply(&session).await.unwrap(),
            0,
            "a second apply changes nothing"
        );
        let status = session.status(&Silent).await.unwrap();
        assert_eq!(status.condition, Condition::Healthy, "{status:?}");
        let saved = session
            .save_backups(&SaveRequest::default(), &Progress::default())
            .await
            .unwrap();
        let location = "s3://clusters/some/where/prod/backups/etcd";
        assert!(saved.iter().all(|saved| saved.location == location), "{saved:?}");
        let listed = session.backups().await.unwrap();
        assert_eq!(listed.locations, [location]);
        assert_eq!(listed.backups[0].place, BackupPlace::StateStore);
        let source = RestoreSource::Backup {
            which: WhichBackup::Newest("main".to_owned()),
            place: None,
        };
        let (progress, interrupt) = (Progress::default(), Interrupt::new());
        let snapshot = session
            .unpack_snapshot(&source, folder.path(), &interrupt)
            .await
            .unwrap();
        session
            .restore_etcd(&snapshot, RestoreTerms::default(), &progress, &Silent, &interrupt)
            .await
            .unwrap();
        assert_eq!(store.read("prod/restore.json").await.unwrap(), None);
        assert_eq!(
            apply(&session).await.unwrap(),
            0,
            "nothing is left to do after a restore"
        );
        let planned = session.plan_prune(None).await.unwrap();
        assert!(planned.report.deleted.is_empty(), "{:?}", planned.report);
        let options = DestroyOptions::default();
        session
            .destroy(options, &AutoApprove, &Silent, &interrupt)
            .await
            .unwrap();
        let left = store.list("").await.unwrap();
        let stays = ["prod/lease", "prod/journal/", "prod/backups/etcd/"];
        for path in &left {
            assert!(stays.iter().any(|stays| path.starts_with(stays)), "{left:?}");
        }
        assert!(
            stays
                .iter()
                .all(|stays| left.iter().any(|path| path.starts_with(stays))),
            "{left:?}"
        );
    });
}

#[test]
fn of_many_who_want_the_lease_at_once_one_has_it() {
    let Some(moto) = moto_or_skip("of_many_who_want_the_lease_at_once_one_has_it") else {
        return;
    };
    let name = "prod".parse().unwrap();
    block_on(async {
        // First where there is no lease yet, then where one was let go.
        for round in 1..=5 {
            let attempts = (0..8).map(|number| {
                let (store, name) = (store(&moto, "leases"), &name);
                async move {
                    let holder = LeaseHolder {
                        name: format!("number {number}"),
                        purpose: "apply".to_owned(),
                        time_to_live: Duration::from_secs(30),
                        processes: None,
                    };
                    Lease::take(store, Arc::new(SystemClock), name, &holder).await
                }
            });
            let (mut taken, mut refused) = (Vec::new(), Vec::new());
            for took in join_all(attempts).await {
                match took {
                    Ok(lease) => taken.push(lease),
                    Err(error) => refused.push(error),
                }
            }
            assert_eq!(taken.len(), 1, "{refused:?}");
            assert!(
                refused
                    .iter()
                    .all(|error| matches!(error, LeaseError::Held { .. })),
                "{refused:?}"
            );
            assert_eq!(taken[0].generation(), round);
            taken[0].confirm().await.unwrap();
            taken[0].release().await.unwrap();
        }
    });
}

/// Specs whose state store cannot be used, and what is said of it.
const REFUSED: &[(&str, &str, &str)] = &[
    (
        "simulated: {}",
        "s3://clusters?region=eu-west-1",
        "a simulated world is kept in a directory, and cannot be in `s3://clusters?region=eu-west-1`",
    ),
    (
        "ssh: { hosts: [{ name: a, address: 10.0.0.11, roles: [control-plane, worker] }], apiAddress: 10.0.0.100 }",
        "s3://clusters",
        "stateStore in the spec cannot be used: nobody has said in which region the bucket clusters is",
    ),
    (
        "ssh: { hosts: [{ name: a, address: 10.0.0.11, roles: [control-plane, worker] }], apiAddress: 10.0.0.100 }",
        "s3://clusters?region=eu-west-1&ca=./none.crt",
        "none.crt",
    ),
    (
        "ssh: { hosts: [{ name: a, address: 10.0.0.11, roles: [control-plane, worker] }], apiAddress: 10.0.0.100 }",
        "spaces://clusters",
        "this build of keelson cannot keep its state in `spaces://clusters`",
    ),
];

fn load(provider: &str, state_store: &str) -> spec::ValidSpec {
    let text = format!(
        "apiVersion: keelson.dev/v1alpha1\nkind: Cluster\nmetadata: {{ name: prod }}\nspec:\n  \
         stateStore: {state_store}\n  provider: {{ {provider} }}\n"
    );
    spec::load(text.as_bytes(), "test").unwrap_or_else(|errors| panic!("{errors}"))
}

#[test]
fn a_store_that_cannot_be_used_is_refused_before_anybody_is_asked() {
    let options = ConnectOptions {
        aws: AwsAccess::of_key(&key(), None),
        installs_nothing: true,
        ..ConnectOptions::default()
    };
    for (provider, state_store, words) in REFUSED {
        let connected = block_on(registry::connect(load(provider, state_store), &options));
        let told = with_causes(&connected.err().unwrap());
        assert!(told.contains(words), "{state_store}: {told}");
    }
    let nobody = ConnectOptions {
        aws: AwsAccess::default(),
        ..options
    };
    let connected = block_on(registry::connect(
        load(REFUSED[1].0, "s3://clusters?region=eu-west-1"),
        &nobody,
    ));
    let told = with_causes(&connected.err().unwrap());
    assert!(told.contains("nobody is named who asks for it"), "{told}");
}

#[test]
fn the_region_is_the_one_of_whoever_asks_where_the_spec_has_none() {
    let Some(moto) = moto_or_skip("the_region_is_the_one_of_whoever_asks_where_the_spec_has_none") else {
        return;
    };
    let endpoint = format!("s3://{BUCKET}/regions?endpoint=http://{}", moto.address);
    for region in [None, Some("eu-west-1".to_owned())] {
        let options = ConnectOptions {
            aws: AwsAccess::of_key(&key(), region),
            installs_nothing: true,
            ..ConnectOptions::default()
        };
        let connected = block_on(registry::connect(load(REFUSED[1].0, &endpoint), &options));
        let session = connected.unwrap_or_else(|error| panic!("{}", with_causes(&error)));
        assert_eq!(session.store().location(), "s3://clusters/regions");
    }
}

#[test]
fn a_bucket_that_is_not_there_is_planned_with_and_made_by_an_apply() {
    let Some(moto) = moto_or_skip("a_bucket_that_is_not_there_is_planned_with") else {
        return;
    };
    let settings = S3Settings {
        bucket: "not-there-yet".to_owned(),
        ..settings(&moto, "some/where")
    };
    let store = S3Store::new(&settings, Arc::new(SystemClock)).unwrap();
    let store = Arc::new(store.looking_after_bucket());
    let session = session(&store);
    let names = |planned: &Planned| -> Vec<String> {
        let warnings = planned.report.warnings.iter();
        let of_store = warnings.filter(|warning| warning.machine.is_empty());
        of_store.map(|warning| warning.name.clone()).collect()
    };
    block_on(async {
        for _ in 0..2 {
            let planned = session.plan(&Silent).await.unwrap();
            assert_eq!(names(&planned), [BUCKET_MISSING]);
            assert!(!planned.plan.is_empty());
        }
        assert!(apply(&session).await.unwrap() > 10);
        let planned = session.plan(&Silent).await.unwrap();
        assert_eq!(names(&planned), Vec::<String>::new());
        assert!(planned.plan.is_empty());
        let options = DestroyOptions::default();
        let interrupt = Interrupt::new();
        let destroyed = session.destroy(options, &AutoApprove, &Silent, &interrupt);
        destroyed.await.unwrap();
        // The bucket stays, with what a destroy leaves.
        assert!(!store.list("prod/").await.unwrap().is_empty());
    });
}
