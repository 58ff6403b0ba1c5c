//! The only place that names concrete providers and stores: from a spec to a [`Session`] that can act on it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use keelson_provider_api::clock::SystemClock;
use keelson_provider_api::{Clock, ProviderError, Store};
use keelson_provider_simulated::{Like, SimulatedOptions, SimulatedWorld, WorldLogError, providers};

use crate::execute::{ProviderSet, ProviderSetError};
use crate::node::AssetIndex;
use crate::ops::{Session, SessionParts};
use crate::spec::{Family, Provider, SimulatedProvider, StateStore, ValidSpec};
use crate::store::DirectoryStore;

/// How long a lease lasts without being renewed: after a crash the next run waits no longer than this.
const LEASE_TIME_TO_LIVE: Duration = Duration::from_secs(30);

/// The simulated world's folder beside the clusters' in a state directory. Clusters' names hold no underscore.
const WORLD_FOLDER: &str = "simulated_world";

/// Where and as whom to connect.
#[derive(Debug, Clone)]
pub struct ConnectOptions {
    /// Relative directories in the spec are relative to this one.
    pub base_directory: PathBuf,
    /// In whose name leases are taken, for people: user, machine, process.
    pub holder: String,
}

/// Why there is no session.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// This build has no such provider.
    #[error("this build of keelson has no provider `{0}`")]
    NoProvider(&'static str),
    /// This build has no such state store.
    #[error("this build of keelson cannot keep its state in `{0}`")]
    NoStore(String),
    /// The simulated world cannot be opened.
    #[error("cannot open the simulated world in {directory}")]
    World {
        /// Its folder.
        directory: PathBuf,
        /// The cause.
        source: Box<WorldLogError>,
    },
    /// The simulated world cannot be written.
    #[error("cannot write the simulated world")]
    WorldWrite(#[source] ProviderError),
    /// Two providers want the same kind: a defect of keelson.
    #[error("defect in keelson")]
    Providers(#[from] ProviderSetError),
}

/// Connects to the providers and the state store that `spec` names.
///
/// # Errors
/// [`ConnectError`] when this build lacks one of them, or one cannot be opened.
pub fn connect(spec: ValidSpec, options: &ConnectOptions) -> Result<Session, ConnectError> {
    let (directory, store) = open_store(&spec.spec().state_store, &options.base_directory)?;
    let world = match &spec.spec().provider {
        // Worlds of different platforms live side by side.
        Provider::Simulated(simulated) => {
            let folder = directory.join(WORLD_FOLDER).join(like(simulated.like).name());
            open_world(simulated, &folder)?
        }
        other => return Err(ConnectError::NoProvider(other.field())),
    };
    Ok(Session::new(SessionParts {
        spec,
        providers: ProviderSet::new(providers(&world))?,
        clock: world.clock(),
        assets: AssetIndex::Imagined,
        store,
        lease_clock: Arc::new(SystemClock),
        holder: options.holder.clone(),
        lease_time_to_live: LEASE_TIME_TO_LIVE,
    }))
}

fn open_store(store: &StateStore, base: &Path) -> Result<(PathBuf, Arc<dyn Store>), ConnectError> {
    match store {
        StateStore::Directory(directory) => {
            let directory = base.join(directory);
            Ok((directory.clone(), Arc::new(DirectoryStore::new(directory))))
        }
        other => Err(ConnectError::NoStore(other.to_string())),
    }
}

fn open_world(simulated: &SimulatedProvider, directory: &Path) -> Result<SimulatedWorld, ConnectError> {
    let options = SimulatedOptions {
        like: like(simulated.like),
        seed: simulated.seed,
        fault_percent: simulated.faults,
        speed: simulated.speed,
        start: SystemClock.now(),
    };
    let world = SimulatedWorld::open(directory, options).map_err(|source| ConnectError::World {
        directory: directory.to_owned(),
        source: Box::new(source),
    })?;
    for host in &simulated.hosts {
        world
            .add_host(host.name.as_str(), &host.address)
            .map_err(ConnectError::WorldWrite)?;
    }
    Ok(world)
}

fn like(family: Family) -> Like {
    match family {
        Family::Aws => Like::Aws,
        Family::Digitalocean => Like::Digitalocean,
        Family::Ssh => Like::Ssh,
    }
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
    let world = SimulatedWorld::in_memory(SimulatedOptions {
        like: like(simulated.like),
        seed: simulated.seed,
        fault_percent: simulated.faults,
        speed: simulated.speed,
        start,
    });
    for host in &simulated.hosts {
        world
            .add_host(host.name.as_str(), &host.address)
            .map_err(ConnectError::WorldWrite)?;
    }
    let session = Session::new(SessionParts {
        spec,
        providers: ProviderSet::new(providers(&world))?,
        clock: world.clock(),
        assets: AssetIndex::Imagined,
        store: Arc::new(keelson_provider_simulated::MemoryStore::new()),
        lease_clock: world.clock(),
        holder: "in memory".to_owned(),
        lease_time_to_live: LEASE_TIME_TO_LIVE,
    });
    Ok((session, world))
}
