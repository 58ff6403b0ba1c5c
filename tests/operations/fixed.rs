//! What of a spec cannot change while its cluster lives.

use std::sync::Arc;

use jiff::Timestamp;
use keelson::execute::{Interrupt, ProviderSet, Silent};
use keelson::ops::{ApplyOptions, AutoApprove, DestroyOptions, OperationError, Session, SessionParts};
use keelson::spec;
use keelson_provider_api::Store;
use keelson_provider_simulated::{Like, MemoryStore, SimulatedOptions, SimulatedWorld, providers};

use super::block_on;

/// A session of a spec whose machines are like those of `like`, each in a world of its own, with `network` in it.
fn session(store: &Arc<MemoryStore>, like: Like, network: &str) -> Session {
    let text = format!(
        "apiVersion: keelson.dev/v1alpha1\nkind: Cluster\nmetadata: {{ name: prod }}\nspec:\n  provider: {{ simulated: {{ \
         like: {} }} }}\n  network: {{ {network} }}\n",
        like.name()
    );
    let options = SimulatedOptions {
        start: Timestamp::UNIX_EPOCH,
        ..SimulatedOptions::new(like, 0)
    };
    let world = SimulatedWorld::in_memory(options);
    Session::new(SessionParts::simulated(
        spec::load(text.as_bytes(), "test").unwrap(),
        ProviderSet::new(providers(&world)).unwrap(),
        store.clone(),
        world.clock(),
        "test",
    ))
}

async fn apply(session: &Session) -> Result<(), OperationError> {
    let options = ApplyOptions::default();
    let applied = session
        .apply(&options, &AutoApprove, &Silent, &Interrupt::new())
        .await;
    applied.map(drop)
}

async fn destroy(session: &Session) -> Result<(), OperationError> {
    let options = DestroyOptions::default();
    let destroyed = session
        .destroy(options, &AutoApprove, &Silent, &Interrupt::new())
        .await;
    destroyed.map(drop)
}

fn field<T: std::fmt::Debug>(result: Result<T, OperationError>) -> String {
    match result {
        Err(OperationError::Fixed { field, .. }) => field,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_cluster_is_not_looked_for_where_it_never_was() {
    block_on(async {
        let store = Arc::new(MemoryStore::new());
        let real = session(&store, Like::Aws, "");
        apply(&real).await.unwrap();
        let elsewhere = session(&store, Like::Digitalocean, "");
        assert_eq!(field(elsewhere.plan(&Silent).await), "spec.provider");
        assert_eq!(field(elsewhere.plan_destruction(&Silent).await), "spec.provider");
        assert_eq!(field(elsewhere.status(&Silent).await), "spec.provider");
        assert_eq!(field(apply(&elsewhere).await), "spec.provider");
        assert_eq!(field(destroy(&elsewhere).await), "spec.provider");
        assert!(store.read("prod/cluster.json").await.unwrap().is_some());
        destroy(&real).await.unwrap();
        // Its next life may be elsewhere.
        apply(&elsewhere).await.unwrap();
    });
}

#[test]
fn ranges_and_domain_stay_as_they_are() {
    block_on(async {
        let store = Arc::new(MemoryStore::new());
        let first = session(&store, Like::Aws, "");
        apply(&first).await.unwrap();
        for (network, name) in [
            ("podCIDR: 10.200.0.0/16", "spec.network.podCIDR"),
            ("serviceCIDR: 10.50.0.0/16", "spec.network.serviceCIDR"),
            ("dnsDomain: other.local", "spec.network.dnsDomain"),
        ] {
            let other = session(&store, Like::Aws, network);
            assert_eq!(field(other.plan(&Silent).await), name);
            assert_eq!(field(apply(&other).await), name);
        }
        let other = session(&store, Like::Aws, "podCIDR: 10.200.0.0/16");
        assert!(
            other.plan_destruction(&Silent).await.is_ok(),
            "to end it nothing has to fit"
        );
    });
}

#[test]
fn events_stay_in_the_etcd_in_which_they_began() {
    block_on(async {
        let store = Arc::new(MemoryStore::new());
        let shared = session(&store, Like::Aws, "podCIDR: 10.244.0.0/16");
        apply(&shared).await.unwrap();
        let network = "podCIDR: 10.244.0.0/16 }\n  etcd: { events: separate";
        let separate = session(&store, Like::Aws, network);
        assert_eq!(field(apply(&separate).await), "spec.etcd.events");
    });
}
