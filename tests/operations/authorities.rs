//! The authorities and keys that a cluster began with, whatever becomes of them in the state store.

use std::sync::Arc;

use async_trait::async_trait;
use keelson::execute::{Interrupt, Silent};
use keelson::ops::{ApplyOptions, Authorities, AutoApprove, OperationError};
use keelson::pki::{Authority, AuthorityName, ClusterPki, PkiError, Seal, ServiceAccountKey, Terms};
use keelson_provider_api::store::ObjectVersion;
use keelson_provider_api::values::{KeyAlgorithm, Secret};
use keelson_provider_api::{Precondition, Store, StoreError, Versioned};
use keelson_provider_simulated::{Like, MemoryStore, SimulatedOptions, SimulatedWorld};

use super::block_on;
use super::etcd_alone::{NOW, Scene};

/// What a cluster with Kubernetes keeps.
const KEPT: [&str; 5] = [
    "kubernetes",
    "front-proxy",
    "etcd",
    "service-account",
    "encryption",
];

async fn establish_all(scene: &Scene) {
    for name in AuthorityName::ALL {
        scene.authorities.establish(name).await.unwrap();
    }
    scene.authorities.service_account_key().await.unwrap();
    scene.authorities.encryption_key().await.unwrap();
}

/// The same objects, of another cluster.
async fn others(scene: &Scene) -> MemoryStore {
    let store = MemoryStore::new();
    let seal = Seal::none();
    let pki = ClusterPki::new(&store, scene.session.spec().name(), &seal);
    for name in AuthorityName::ALL {
        pki.establish(name, Terms::AUTHORITY, NOW).await.unwrap();
    }
    pki.establish_service_account_key(KeyAlgorithm::EcdsaP256)
        .await
        .unwrap();
    pki.establish_encryption_key().await.unwrap();
    store
}

async fn establish_one(scene: &Scene, name: &str) -> Result<(), PkiError> {
    let authorities = &scene.authorities;
    match name {
        "service-account" => authorities.service_account_key().await.map(drop),
        "encryption" => authorities.encryption_key().await.map(drop),
        _ => {
            let mut all = AuthorityName::ALL.into_iter();
            let name = all.find(|authority| authority.to_string() == name).unwrap();
            authorities.establish(name).await.map(drop)
        }
    }
}

/// The object that is called damaged, and why.
fn damage(error: &PkiError) -> (&str, &str) {
    match error {
        PkiError::Store(StoreError::Damaged { path, problem, .. }) => (path, problem),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_a_cluster_began_with_is_never_made_anew() {
    for name in KEPT {
        for is_exchanged in [false, true] {
            block_on(async {
                let first = Scene::new(&["a", "b", "c"], "", Seal::none());
                first.begin().await;
                establish_all(&first).await;
                let path = format!("db.example.com/pki/{name}");
                first.store.delete(&path, Precondition::None).await.unwrap();
                if is_exchanged {
                    let others = others(&first).await;
                    let other = others.read(&path).await.unwrap().unwrap();
                    let written = first
                        .store
                        .write(&path, &other.content, Precondition::Absent)
                        .await;
                    written.unwrap();
                }
                let before = first.store.read(&path).await.unwrap();

                // In the same run and in another one.
                let second = Scene::with_store(&["a", "b", "c"], "", "", Seal::none(), first.store.clone());
                for scene in [&first, &second] {
                    let refused = establish_one(scene, name).await.unwrap_err();
                    let (damaged, problem) = damage(&refused);
                    assert_eq!(damaged, path);
                    let expected = if is_exchanged { "another one" } else { "missing" };
                    assert!(problem.contains(expected), "{problem}");
                }
                let session = &second.session;
                let planned = session.plan(&Silent).await.map(drop);
                let options = ApplyOptions::default();
                let interrupt = Interrupt::new();
                let applied = session.apply(&options, &AutoApprove, &Silent, &interrupt).await;
                for refused in [planned, applied.map(drop)] {
                    let Err(OperationError::Pki(refused)) = refused else {
                        panic!("{refused:?}");
                    };
                    assert_eq!(damage(&refused).0, path);
                }
                assert_eq!(
                    first.store.read(&path).await.unwrap(),
                    before,
                    "it is left as it is"
                );
                // How the cluster is doing can be seen all the same.
                session.status(&Silent).await.unwrap();
            });
        }
    }
}

#[test]
fn what_was_made_by_a_run_that_ended_there_is_taken_up() {
    let scene = Scene::new(&["a"], "", Seal::none());
    block_on(async {
        scene.begin().await;
        let name = scene.session.spec().name().clone();
        let seal = Seal::none();
        let pki = ClusterPki::new(scene.store.as_ref(), &name, &seal);
        let made = pki.establish(AuthorityName::Etcd, Terms::AUTHORITY, NOW).await;
        let made = made.unwrap().fingerprint();
        for _ in 0..2 {
            let taken = scene.authorities.establish(AuthorityName::Etcd).await.unwrap();
            assert_eq!(taken.fingerprint(), made);
        }
        let record = scene.store.read("db.example.com/cluster.json").await.unwrap();
        let record = String::from_utf8(record.unwrap().content).unwrap();
        assert!(record.contains(&made.to_string()), "{record}");
    });
}

#[test]
fn keys_without_the_clusters_record_are_no_new_beginning() {
    let scene = Scene::new(&["a"], "", Seal::none());
    block_on(async {
        scene.begin().await;
        establish_all(&scene).await;
        let path = "db.example.com/cluster.json";
        scene.store.delete(path, Precondition::None).await.unwrap();
        let planned = scene.session.plan(&Silent).await;
        let Err(OperationError::Pki(error)) = planned else {
            panic!("{planned:?}");
        };
        let (damaged, problem) = damage(&error);
        assert!(problem.contains("is missing"), "{problem}");
        assert_eq!(damaged, path);
    });
}

#[test]
fn no_secret_stands_in_the_record() {
    let scene = Scene::new(&["a"], "", Seal::none());
    block_on(async {
        scene.begin().await;
        establish_all(&scene).await;
        let key = scene.authorities.encryption_key().await.unwrap();
        let account: ServiceAccountKey = scene.authorities.service_account_key().await.unwrap();
        let authority: Authority = scene.authorities.establish(AuthorityName::Etcd).await.unwrap();
        assert!(authority.key_pem().is_some());
        let record = scene.store.read("db.example.com/cluster.json").await.unwrap();
        let record = String::from_utf8(record.unwrap().content).unwrap();
        assert!(
            !record.contains(key.expose().as_str()) && !record.contains("PRIVATE"),
            "{record}"
        );
        assert!(!record.contains(account.private_pem().expose().as_str()));
    });
}

/// The authorities of the scene's cluster, as another run has them that was given `seal` and `brought`.
fn run(scene: &Scene, seal: Seal, brought: Vec<Authority>) -> Authorities {
    of_store(scene, scene.store.clone(), seal, brought)
}

fn of_store(scene: &Scene, store: Arc<dyn Store>, seal: Seal, brought: Vec<Authority>) -> Authorities {
    let options = SimulatedOptions {
        start: NOW,
        ..SimulatedOptions::new(Like::Ssh, 1)
    };
    let clock = SimulatedWorld::in_memory(options).clock();
    let name = scene.session.spec().name().clone();
    Authorities::new(store, name, seal, clock, Terms::AUTHORITY, brought)
}

#[test]
fn an_authority_that_was_brought_stays() {
    let scene = Scene::new(&["a"], "", Seal::none());
    block_on(async {
        scene.begin().await;
        let one = Authority::create(AuthorityName::Etcd, Terms::AUTHORITY, NOW).unwrap();
        let other = Authority::create(AuthorityName::Etcd, Terms::AUTHORITY, NOW).unwrap();
        let with = |brought: &[&Authority]| {
            let brought = brought.iter().map(|&authority| authority.clone());
            run(&scene, Seal::none(), brought.collect())
        };
        with(&[&one]).establish(AuthorityName::Etcd).await.unwrap();
        with(&[&one]).check().await.unwrap();
        let without_key = one.clone().without_key();
        with(&[&without_key]).check().await.unwrap();
        let refused = with(&[&other]).check().await.unwrap_err();
        assert!(
            matches!(&refused, PkiError::OtherAuthority { authority, .. } if *authority == AuthorityName::Etcd),
            "{refused}"
        );
        let refused = with(&[]).check().await.unwrap_err();
        assert!(
            matches!(&refused, PkiError::NotNamed { authority, .. } if *authority == AuthorityName::Etcd),
            "{refused}"
        );
        let planned = scene.session.plan(&Silent).await.map(drop);
        assert!(
            matches!(planned, Err(OperationError::Pki(PkiError::NotNamed { .. }))),
            "{planned:?}"
        );
    });
}

#[test]
fn an_authority_that_keelson_made_is_not_replaced_by_one_that_is_brought() {
    let scene = Scene::new(&["a"], "", Seal::none());
    block_on(async {
        scene.begin().await;
        scene.authorities.establish(AuthorityName::Etcd).await.unwrap();
        let other = Authority::create(AuthorityName::Etcd, Terms::AUTHORITY, NOW).unwrap();
        let refused = run(&scene, Seal::none(), vec![other]).check().await.unwrap_err();
        assert!(matches!(refused, PkiError::OtherAuthority { .. }), "{refused}");
    });
}

#[test]
fn what_is_kept_encrypted_stays_so() {
    let scene = Scene::new(&["a"], "", Seal::none());
    let passphrase = || Some(Secret::new("secret".to_owned()));
    block_on(async {
        scene.begin().await;
        let sealed = run(
            &scene,
            Seal::with_passphrase().and_passphrase(passphrase()),
            Vec::new(),
        );
        sealed.establish(AuthorityName::Etcd).await.unwrap();
        sealed.check().await.unwrap();
        // Given what opens it, or not.
        for seal in [Seal::none(), Seal::none().and_passphrase(passphrase())] {
            let refused = run(&scene, seal, Vec::new()).check().await.unwrap_err();
            assert!(
                matches!(&refused, PkiError::StaysEncrypted { path, .. } if path == "db.example.com/pki/etcd"),
                "{refused}"
            );
        }
    });
}

#[test]
fn a_cluster_does_not_begin_with_keys_that_nothing_opens() {
    let scene = Scene::new(&["a"], "", Seal::none());
    let identity = "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX";
    let identity = Secret::new(identity.to_owned());
    let own = "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj".to_owned();
    let another = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p".to_owned();
    let to = |recipient: &String| Seal::to_recipients(std::slice::from_ref(recipient)).unwrap();
    block_on(async {
        for (seal, wanted) in [
            (Seal::with_passphrase(), Some(true)),
            (to(&own), Some(false)),
            (to(&another).with_identities(&identity).unwrap(), Some(false)),
            (to(&own).with_identities(&identity).unwrap(), None),
            (Seal::none(), None),
        ] {
            let refused = match run(&scene, seal, Vec::new()).check().await {
                Ok(()) => None,
                Err(PkiError::NothingOpens { with_passphrase, .. }) => Some(with_passphrase),
                Err(other) => panic!("{other}"),
            };
            assert_eq!(refused, wanted);
        }
        let sealed = Scene::new(&["a"], "", Seal::with_passphrase());
        let options = ApplyOptions::default();
        let session = &sealed.session;
        let applied = session
            .apply(&options, &AutoApprove, &Silent, &Interrupt::new())
            .await
            .map(drop);
        assert!(
            matches!(applied, Err(OperationError::Pki(PkiError::NothingOpens { .. }))),
            "{applied:?}"
        );
        let record = sealed.store.read("db.example.com/cluster.json").await.unwrap();
        assert!(record.is_none(), "nothing has begun");
    });
}

/// A store that lets somebody else make what is missing, at the moment when it was just seen to be.
struct Crowded {
    store: Arc<MemoryStore>,
    /// Who else is there; once.
    other: tokio::sync::Mutex<Option<Authorities>>,
}

#[async_trait]
impl Store for Crowded {
    fn location(&self) -> String {
        self.store.location()
    }

    async fn read(&self, path: &str) -> Result<Option<Versioned>, StoreError> {
        let found = self.store.read(path).await?;
        if path.ends_with("/pki/etcd")
            && let Some(other) = self.other.lock().await.take()
        {
            other.establish(AuthorityName::Etcd).await.unwrap();
        }
        Ok(found)
    }

    async fn write(
        &self,
        path: &str,
        content: &[u8],
        precondition: Precondition,
    ) -> Result<ObjectVersion, StoreError> {
        self.store.write(path, content, precondition).await
    }

    async fn delete(&self, path: &str, precondition: Precondition) -> Result<(), StoreError> {
        self.store.delete(path, precondition).await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<String>, StoreError> {
        self.store.list(prefix).await
    }
}

/// Machines that are made at the same time ask for the same authority.
#[test]
fn what_others_make_at_the_same_moment_is_not_missed() {
    block_on(async {
        let scene = Scene::new(&["a", "b", "c"], "", Seal::none());
        scene.begin().await;
        let crowded = Crowded {
            store: scene.store.clone(),
            other: tokio::sync::Mutex::new(Some(run(&scene, Seal::none(), Vec::new()))),
        };
        let own = of_store(&scene, Arc::new(crowded), Seal::none(), Vec::new());
        let established = own.establish(AuthorityName::Etcd).await.unwrap();
        let kept = scene
            .authorities
            .find(AuthorityName::Etcd)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(established.fingerprint(), kept.fingerprint());
    });
}
