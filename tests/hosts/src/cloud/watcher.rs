//! The thread that looks at the emulator and has the hosts follow, and what others learn from it.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::instance::{Credentials, Instance, World};
use super::machines::Machines;
use super::worker::Worker;
use crate::record::Record;
use crate::{Host, LabError, moto};

/// So soon a host follows what becomes of its instance.
const EVERY: Duration = Duration::from_millis(200);

/// What the thread knows.
#[derive(Debug, Default)]
pub(super) struct Shared {
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
pub(super) struct Known {
    /// By the ids of their instances, as everything here.
    pub(super) hosts: BTreeMap<String, Host>,
    /// Why an instance has no host, or not all that it should.
    pub(super) problems: BTreeMap<String, String>,
    pub(super) credentials: BTreeMap<String, Credentials>,
    /// Instances that have an interface, by its address.
    pub(super) instances: BTreeMap<Ipv4Addr, Arc<Instance>>,
    /// Why nothing new is known.
    pub(super) trouble: Option<String>,
}

impl Shared {
    pub(super) fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Looks until it is dropped.
#[derive(Debug)]
pub(super) struct Watcher {
    _worker: Worker,
}

impl Watcher {
    /// Looks at the emulator at `address`, for a lab whose hosts are all its own.
    pub(super) fn start(address: SocketAddr, record: &Record, shared: Arc<Shared>) -> Self {
        let root = record.root();
        let mut machines = Machines::new(record.clone(), Arc::clone(&shared));
        let worker = Worker::start(move || {
            // Its guard has taken it down, and nobody would take down what was made now.
            if !root.is_dir() {
                let gone = "the time of its lab was up: give it a longer lifetime";
                shared.lock().trouble = Some(gone.to_owned());
                return ControlFlow::Break(());
            }
            let world: Result<World, LabError> = moto::ask(address, "instances");
            let followed = world.and_then(|world| machines.follow(&world));
            shared.lock().trouble = followed.err().map(|error| error.to_string());
            std::thread::sleep(EVERY);
            ControlFlow::Continue(())
        });
        Self { _worker: worker }
    }
}
