//! What a destroy leaves in the state store.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use keelson::execute::{Interrupt, LeaseRecord, Silent};
use keelson::ops::{ApplyOptions, AutoApprove, DestroyOptions, GoneHosts, OperationError};
use keelson::pki::{AuthorityName, Seal};
use keelson_provider_api::{ErrorClass, Precondition, ProviderError, Store};
use keelson_provider_simulated::MemoryStore;

use super::block_on;
use super::broken_stores::session_without;
use super::etcd_alone::Scene;

const OPTIONS: DestroyOptions = DestroyOptions {
    override_protection: true,
};

#[test]
fn a_destroy_leaves_no_key_and_the_next_cluster_of_the_name_has_authorities_of_its_own() {
    let scene = Scene::new(&["a", "b", "c"], "", Seal::none());
    let (store, authorities) = (&scene.store, &scene.authorities);
    block_on(async {
        let mut fingerprints = Vec::new();
        // The second time it was cut short before: something is gone already.
        for is_cut_short in [false, true] {
            scene.begin().await;
            let authority = authorities.establish(AuthorityName::Etcd).await.unwrap();
            fingerprints.push(authority.fingerprint());
            authorities.service_account_key().await.unwrap();
            authorities.encryption_key().await.unwrap();
            for path in ["assets.json", "backups/etcd/1/snapshot", "journal/1"] {
                let path = format!("db.example.com/{path}");
                store.write(&path, b"{}", Precondition::None).await.unwrap();
            }
            if is_cut_short {
                let path = "db.example.com/pki/etcd";
                store.delete(path, Precondition::None).await.unwrap();
            }
            let destroyed = scene
                .session
                .destroy(OPTIONS, &AutoApprove, &Silent, &Interrupt::new())
                .await;
            destroyed.unwrap();
            let stays = ["backups/", "journal/", "lease"];
            let left = store.list("db.example.com/").await.unwrap();
            let may_stay = |path: &String| {
                let path = path.trim_start_matches("db.example.com/");
                stays.iter().any(|stays| path.starts_with(stays))
            };
            assert!(left.iter().all(may_stay), "{left:?}");
            assert!(left.iter().any(|path| path.contains("backups/")), "{left:?}");
        }
        assert_ne!(fingerprints[0], fingerprints[1]);
    });
}

/// Hosts that are called gone, and what the store held when they were forgotten.
struct CalledGone {
    store: Arc<MemoryStore>,
    answer: AtomicBool,
    forgotten: Mutex<Vec<bool>>,
}

#[async_trait]
impl GoneHosts for CalledGone {
    async fn check(&self) -> Result<(), ProviderError> {
        let lease = self.store.read("prod/lease").await.unwrap().unwrap();
        let lease: LeaseRecord = serde_json::from_slice(&lease.content).unwrap();
        assert!(!lease.released, "who holds no lease may be told anything");
        if self.answer.load(Ordering::Relaxed) {
            return Err(ProviderError::new(ErrorClass::Permanent, "a answers"));
        }
        Ok(())
    }

    async fn forget(&self) -> Result<(), ProviderError> {
        let record = self.store.read("prod/cluster.json").await.unwrap();
        self.forgotten.lock().unwrap().push(record.is_some());
        Ok(())
    }
}

#[test]
fn hosts_that_are_called_gone_are_asked_under_the_lease_and_forgotten_before_the_end() {
    let store = Arc::new(MemoryStore::new());
    let gone = Arc::new(CalledGone {
        store: store.clone(),
        answer: AtomicBool::new(true),
        forgotten: Mutex::default(),
    });
    let session = session_without(store.clone(), Some(gone.clone()));
    block_on(async {
        let options = ApplyOptions::default();
        let applied = session
            .apply(&options, &AutoApprove, &Silent, &Interrupt::new())
            .await;
        applied.unwrap();
        let interrupt = Interrupt::new();
        let destroy = || session.destroy(OPTIONS, &AutoApprove, &Silent, &interrupt);
        let refused = destroy().await;
        assert!(matches!(refused, Err(OperationError::Machine(_))), "{refused:?}");
        let planned = session.plan(&Silent).await.unwrap();
        assert!(planned.plan.is_empty(), "nothing was taken away");
        assert!(gone.forgotten.lock().unwrap().is_empty());
        gone.answer.store(false, Ordering::Relaxed);
        destroy().await.unwrap();
        assert_eq!(*gone.forgotten.lock().unwrap(), [true]);
    });
}
