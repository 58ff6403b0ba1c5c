//! A state store that fails while an operation goes on.

use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use keelson::execute::{Event, Interrupt, LeaseError, ProviderSet, Reporter, Silent};
use keelson::ops::{
    ApplyOptions, Approval, Approve, AutoApprove, GoneHosts, OperationError, Planned, Session, SessionParts,
};
use keelson::spec;
use keelson_provider_api::store::ObjectVersion;
use keelson_provider_api::{Precondition, Store, StoreError, Versioned};
use keelson_provider_simulated::{Like, MemoryStore, SimulatedOptions, SimulatedWorld, providers};

use super::block_on;

/// A store that takes no writes of some objects, from a moment on.
struct Refusing {
    store: MemoryStore,
    refuses: fn(&str) -> bool,
    has_begun: AtomicBool,
    kind: ErrorKind,
}

impl Refusing {
    /// On a disk that has room for everything but journals.
    fn journals() -> Self {
        Self {
            store: MemoryStore::new(),
            refuses: |path| path.contains("/journal/"),
            has_begun: AtomicBool::new(true),
            kind: ErrorKind::StorageFull,
        }
    }
}

#[async_trait]
impl Store for Refusing {
    fn location(&self) -> String {
        self.store.location()
    }

    async fn read(&self, path: &str) -> Result<Option<Versioned>, StoreError> {
        self.store.read(path).await
    }

    async fn write(
        &self,
        path: &str,
        content: &[u8],
        precondition: Precondition,
    ) -> Result<ObjectVersion, StoreError> {
        if self.has_begun.load(Relaxed) && (self.refuses)(path) {
            return Err(StoreError::Unavailable {
                verb: "write",
                path: path.to_owned(),
                location: self.location(),
                source: Box::new(std::io::Error::from(self.kind)),
            });
        }
        self.store.write(path, content, precondition).await
    }

    async fn delete(&self, path: &str, precondition: Precondition) -> Result<(), StoreError> {
        self.store.delete(path, precondition).await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<String>, StoreError> {
        self.store.list(prefix).await
    }
}

fn session(store: Arc<dyn Store>) -> Session {
    session_without(store, None)
}

/// A session that does without the hosts that `gone_hosts` tells of.
pub(super) fn session_without(store: Arc<dyn Store>, gone_hosts: Option<Arc<dyn GoneHosts>>) -> Session {
    let text = "apiVersion: keelson.dev/v1alpha1\nkind: Cluster\nmetadata: { name: prod }\nspec:\n  \
                provider: { simulated: {} }\n";
    let options = SimulatedOptions {
        start: Timestamp::UNIX_EPOCH,
        ..SimulatedOptions::new(Like::Aws, 0)
    };
    let world = SimulatedWorld::in_memory(options);
    Session::new(SessionParts {
        gone_hosts,
        ..SessionParts::simulated(
            spec::load(text.as_bytes(), "test").unwrap(),
            ProviderSet::new(providers(&world)).unwrap(),
            store,
            world.clock(),
            "test",
        )
    })
}

#[derive(Default)]
struct Listener(std::sync::Mutex<Vec<Event>>);

impl Reporter for Listener {
    fn report(&self, event: &Event) {
        self.0.lock().unwrap().push(event.clone());
    }
}

#[test]
fn nothing_new_is_started_once_the_journal_cannot_be_written_for_good() {
    block_on(async {
        let session = session(Arc::new(Refusing::journals()));
        let listener = Listener::default();
        let applied = session
            .apply(
                &ApplyOptions::default(),
                &AutoApprove,
                &listener,
                &Interrupt::new(),
            )
            .await;
        let Err(OperationError::Store(StoreError::Unavailable { path, .. })) = &applied else {
            panic!("{applied:?}")
        };
        assert!(path.contains("/journal/"), "{path}");
        let events = listener.0.into_inner().unwrap();
        let stopping = events.iter().position(
            |event| matches!(event, Event::Stopping { reason, .. } if reason == "the journal cannot be written"),
        );
        let later = &events[stopping.unwrap()..];
        let is_start = |event: &&Event| matches!(event, Event::StepStarted { .. });
        assert_eq!(later.iter().find(is_start), None);
        assert!(
            later.iter().any(|event| matches!(event, Event::StepDone { .. })),
            "{later:?}"
        );
    });
}

/// Says yes, and loses the lease meanwhile.
struct LosesTheLease<'a>(&'a dyn Store);

#[async_trait]
impl Approve for LosesTheLease<'_> {
    async fn approve(&self, _planned: &Planned) -> Approval {
        self.0.delete("prod/lease", Precondition::None).await.unwrap();
        Approval::Yes
    }
}

#[test]
fn a_lease_that_goes_while_it_is_held_is_damage_and_stays_away() {
    block_on(async {
        let store = Arc::new(MemoryStore::new());
        let session = session(store.clone());
        let loses = LosesTheLease(store.as_ref());
        let listener = Listener::default();
        let applied = session
            .apply(&ApplyOptions::default(), &loses, &listener, &Interrupt::new())
            .await;
        let events = listener.0.lock().unwrap().clone();
        assert!(!events.contains(&Event::LeaseReleased), "{events:?}");
        let Err(OperationError::Lease(LeaseError::Lost {
            source: Some(why), ..
        })) = &applied
        else {
            panic!("{applied:?}")
        };
        assert!(
            matches!(why.as_ref(), StoreError::Damaged { path, .. } if path == "prod/lease"),
            "{why:?}"
        );
        assert_eq!(store.read("prod/lease").await.unwrap(), None);
        let again = session
            .apply(&ApplyOptions::default(), &AutoApprove, &Silent, &Interrupt::new())
            .await;
        assert!(
            matches!(&again, Err(OperationError::Store(StoreError::Damaged { path, .. })) if path == "prod/lease"),
            "{again:?}"
        );
    });
}

/// Says yes an hour after the store has stopped taking renewals.
struct Sleeps<'a>(&'a Refusing, &'a Session);

#[async_trait]
impl Approve for Sleeps<'_> {
    async fn approve(&self, _planned: &Planned) -> Approval {
        self.0.has_begun.store(true, Relaxed);
        self.1.clock().sleep(Duration::from_secs(3600)).await;
        Approval::Yes
    }
}

#[test]
fn a_lease_that_cannot_be_renewed_is_not_said_to_be_somebody_else_s() {
    block_on(async {
        let store = Arc::new(Refusing {
            store: MemoryStore::new(),
            refuses: |path| path.ends_with("/lease"),
            has_begun: AtomicBool::new(false),
            kind: ErrorKind::TimedOut,
        });
        let session = session(store.clone());
        let sleeps = Sleeps(store.as_ref(), &session);
        let listener = Listener::default();
        let applied = session
            .apply(&ApplyOptions::default(), &sleeps, &listener, &Interrupt::new())
            .await;
        assert!(
            matches!(&applied, Err(OperationError::Lease(LeaseError::RanOut { .. }))),
            "{applied:?}"
        );
        let events = listener.0.lock().unwrap().clone();
        assert!(!events.contains(&Event::LeaseReleased), "{events:?}");
        let begun = store.read("prod/cluster.json").await.unwrap();
        assert!(begun.is_none(), "nothing begins without a lease");
    });
}

#[test]
fn nothing_begins_once_someone_asked_for_the_stop() {
    block_on(async {
        let store = Arc::new(MemoryStore::new());
        let session = session(store.clone());
        let interrupt = Interrupt::new();
        interrupt.stop();
        let applied = session
            .apply(&ApplyOptions::default(), &AutoApprove, &Silent, &interrupt)
            .await;
        assert!(
            matches!(&applied, Err(OperationError::Interrupted(None))),
            "{applied:?}"
        );
        assert!(store.read("prod/cluster.json").await.unwrap().is_none());
    });
}

/// A store that would let two runs hold the lease.
struct Unconditional(MemoryStore);

#[async_trait]
impl Store for Unconditional {
    fn location(&self) -> String {
        self.0.location()
    }

    async fn read(&self, path: &str) -> Result<Option<Versioned>, StoreError> {
        self.0.read(path).await
    }

    async fn write(&self, path: &str, content: &[u8], _: Precondition) -> Result<ObjectVersion, StoreError> {
        self.0.write(path, content, Precondition::None).await
    }

    async fn delete(&self, path: &str, _: Precondition) -> Result<(), StoreError> {
        self.0.delete(path, Precondition::None).await
    }

    async fn check_conditions(&self) -> Result<(), StoreError> {
        Err(StoreError::Damaged {
            path: "probe".to_owned(),
            location: self.location(),
            problem: "it keeps no conditions".to_owned(),
        })
    }

    async fn list(&self, prefix: &str) -> Result<Vec<String>, StoreError> {
        self.0.list(prefix).await
    }
}

#[test]
fn no_cluster_begins_in_a_store_that_keeps_no_conditions() {
    let store = Arc::new(Unconditional(MemoryStore::new()));
    let session = session(store.clone());
    block_on(async {
        let applied = session
            .apply(&ApplyOptions::default(), &AutoApprove, &Silent, &Interrupt::new())
            .await;
        assert!(
            matches!(&applied, Err(OperationError::Store(error)) if error.to_string().contains("keeps no conditions")),
            "{applied:?}"
        );
        assert_eq!(store.list("").await.unwrap(), Vec::<String>::new());
    });
}
