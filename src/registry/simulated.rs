//! The simulated world: kept beside the clusters' state, or in memory.

use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use keelson_provider_api::clock::SystemClock;
use keelson_provider_api::{BulkStore, Clock};
use keelson_provider_simulated::{
    Like, MemoryStore, SimulatedMaintenance, SimulatedOptions, SimulatedRestore, SimulatedWorld, providers,
};

use super::{ConnectError, Reached, state_store};
use crate::backup::Archive;
use crate::execute::ProviderSet;
use crate::node::AssetIndex;
use crate::ops::{BackupParts, Session, SessionParts};
use crate::pki::Seal;
use crate::spec::{Family, Provider, SimulatedProvider, ValidSpec};

/// The simulated world's folder beside the clusters' in a state directory. Clusters' names hold no underscore.
const WORLD_FOLDER: &str = "simulated_world";

/// The world that is kept in the state directory; worlds of different platforms live side by side.
pub(super) fn reach(
    spec: &ValidSpec,
    simulated: &SimulatedProvider,
    base: &Path,
    store: &Arc<dyn BulkStore>,
) -> Result<Reached, ConnectError> {
    let directory = state_store::directory(spec, base)?;
    let folder = directory.join(WORLD_FOLDER).join(like(simulated.like).name());
    let options = options(simulated, SystemClock.now());
    let world = SimulatedWorld::open(&folder, options).map_err(|source| ConnectError::World {
        directory: folder,
        source: Box::new(source),
    })?;
    add_hosts(&world, simulated)?;
    Ok(Reached {
        providers: providers(&world),
        clock: world.clock(),
        assets: AssetIndex::Imagined,
        authorities: None,
        machine_access: None,
        node_access: None,
        backups: backups(spec, &world, store.clone()),
        gone_hosts: None,
    })
}

/// A session in memory: a simulated world and a state store that nobody else sees and that end with it. For trying
/// keelson out, and for tests of programs that embed it.
///
/// # Errors
/// [`ConnectError::NoProvider`] when the spec's provider is not `simulated`.
pub fn connect_in_memory(
    spec: ValidSpec,
    start: Timestamp,
) -> Result<(Session, SimulatedWorld), ConnectError> {
    let Provider::Simulated(simulated) = &spec.spec().provider else {
        return Err(ConnectError::NoProvider(spec.spec().provider.field()));
    };
    let world = SimulatedWorld::in_memory(options(simulated, start));
    add_hosts(&world, simulated)?;
    let providers = ProviderSet::new(providers(&world))?;
    let store = Arc::new(MemoryStore::new());
    let backups = backups(&spec, &world, store.clone());
    let parts = SessionParts::simulated(spec, providers, store, world.clock(), "in memory");
    let session = Session::new(SessionParts {
        backups: Some(backups),
        ..parts
    });
    Ok((session, world))
}

/// Backups of a world that holds nothing secret.
fn backups(spec: &ValidSpec, world: &SimulatedWorld, store: Arc<dyn BulkStore>) -> BackupParts {
    BackupParts {
        archive: Archive::of_cluster(store, spec.name(), Arc::new(Seal::none())),
        hosts: Vec::new(),
        bucket: None,
        scheduled: None,
        maintenance: Arc::new(SimulatedMaintenance::of(world)),
        restore: Some(Arc::new(SimulatedRestore::of(world))),
        drill: None,
    }
}

fn options(simulated: &SimulatedProvider, start: Timestamp) -> SimulatedOptions {
    SimulatedOptions {
        like: like(simulated.like),
        seed: simulated.seed,
        fault_percent: simulated.faults,
        speed: simulated.speed,
        start,
    }
}

fn add_hosts(world: &SimulatedWorld, simulated: &SimulatedProvider) -> Result<(), ConnectError> {
    for host in &simulated.hosts {
        world
            .add_host(host.name.as_str(), &host.address)
            .map_err(ConnectError::WorldWrite)?;
    }
    Ok(())
}

fn like(family: Family) -> Like {
    match family {
        Family::Aws => Like::Aws,
        Family::Digitalocean => Like::Digitalocean,
        Family::Ssh => Like::Ssh,
    }
}
