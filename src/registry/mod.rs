//! The only place that names concrete providers and stores: from a spec to a [`Session`] that can act on it.

mod assets;
#[cfg(all(feature = "aws", feature = "ssh"))]
mod aws;
mod bare_hosts;
#[cfg(feature = "ssh")]
mod bucket;
mod manifests;
#[cfg(feature = "ssh")]
mod on_machines;
mod policies;
mod processes;
mod references;
mod simulated;
#[cfg(feature = "ssh")]
mod ssh;
#[cfg(feature = "ssh")]
mod ssh_access;
mod state_store;

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use keelson_provider_api::clock::SystemClock;
use keelson_provider_api::values::Secret;
use keelson_provider_api::{Clock, ProviderError, StoreError, whole_file};
#[cfg(feature = "aws")]
pub use keelson_provider_aws::{AccessKey as AwsKey, AwsAccess};
use keelson_provider_simulated::WorldLogError;

use crate::assets::AssetError;
use crate::cluster::ClusterProvider;
use crate::execute::{ProviderSet, ProviderSetError};
use crate::node::AssetIndex;
use crate::ops::{
    Authorities, BackupParts, GoneHosts, LEASE_TIME_TO_LIVE, MachineAccess, Session, SessionParts,
};
use crate::pki::PkiError;
use crate::spec::{Provider, ValidSpec};

use self::processes::LocalProcesses;
pub use assets::{FoundAssets, find_assets, find_assets_offline, known_assets};
pub use bare_hosts::{check_gone_hosts, forget_host, forget_host_key, machine_access, pinned_hosts};
pub use manifests::Manifests;
pub use policies::{policy_of_life, policy_of_plan};
pub use references::resolve_references;
pub use simulated::connect_in_memory;

/// Where and as whom to connect.
#[derive(Debug, Clone, Default)]
pub struct ConnectOptions {
    /// Relative directories in the spec are relative to this one.
    pub base_directory: PathBuf,
    /// In whose name leases are taken, for people: user, machine, process.
    pub holder: String,
    /// Believes the key that a host shows when nobody knows it yet, and remembers it.
    pub accept_new_host_keys: bool,
    /// True for a session that installs nothing: release files are not looked for, and digests that are not known stay so.
    pub installs_nothing: bool,
    /// Bare hosts that are gone for good, though the spec or the state store names them: nobody waits for them.
    pub gone_hosts: BTreeSet<String>,
    /// A folder with etcd's programs, to restore snapshots for trial on this machine and not on one of the cluster's.
    pub drill_programs: Option<PathBuf>,
    /// What sudo asks for on hosts, where it asks.
    pub sudo_password: Option<Secret<String>>,
    /// What keys in the state store are encrypted with, where the spec asks for a passphrase.
    pub pki_passphrase: Option<Secret<String>>,
    /// The text of a file with age identities that open keys in the state store.
    pub pki_identities: Option<Secret<String>>,
    /// Who asks for a state store in S3, and in which region where the spec names none.
    #[cfg(feature = "aws")]
    pub aws: AwsAccess,
}

/// Why there is no session.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// This build has no such provider.
    #[error("this build of keelson has no provider `{0}`")]
    NoProvider(&'static str),
    /// The machines are simulated.
    #[error("the spec's machines are simulated: there is nothing to log in on")]
    InMemory,
    /// The machines are simulated, and what a build remembers of real ones is not there.
    #[error("the spec's machines are simulated: nothing is remembered of them that could be forgotten")]
    NothingRemembered,
    /// The machines are simulated, and none of them stands anywhere.
    #[error("the spec's machines are simulated: none of them can be gone for good")]
    NothingGone,
    /// The machines are keelson's own, and none of them is remembered or given up by name.
    #[error(
        "the spec's machines are made by keelson itself: none of them is remembered that could be forgotten"
    )]
    NotBare,
    /// This build has no such state store.
    #[error("this build of keelson cannot keep its state in `{0}`")]
    NoStore(String),
    /// The bucket with the state cannot be asked.
    #[error("stateStore in the spec cannot be used: {0}")]
    StateStore(String),
    /// A simulated world lies beside the state, and it is in files.
    #[error("a simulated world is kept in a directory, and cannot be in `{0}`")]
    WorldNeedsDirectory(String),
    /// Machines on AWS read what they are to run from the state store, and this one they cannot reach.
    #[error("a cluster on AWS keeps its state in a bucket of S3, and not in `{0}`")]
    NoBucket(String),
    /// AWS cannot be asked.
    #[error("AWS cannot be asked: {0}")]
    Aws(String),
    /// Nobody's policies say what may be done to the machines.
    #[error("no policy of IAM says what may be done to machines of the provider `{0}`")]
    NoPolicy(&'static str),
    /// The key to log in with cannot be handed to ssh.
    #[error("cannot make a file for the key that machines are logged in on with")]
    LoginFile(#[source] std::io::Error),
    /// The bucket of snapshots cannot be asked.
    #[error("etcd.snapshots.to in the spec cannot be used: {0}")]
    Bucket(String),
    /// The machine that keelson runs on has no address that pods could reach it under.
    #[error("cannot tell the address of the host that is `local`: {0}")]
    OwnAddress(String),
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
    /// The release files that machines need are not to be found.
    #[error("cannot find what machines are to install")]
    Assets(#[from] AssetError),
    /// The cluster's keys cannot be used.
    #[error("cannot use the cluster's keys")]
    Pki(#[from] PkiError),
    /// A file that the spec names cannot be read.
    #[error("cannot read {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// The manifest of an add-on cannot be used.
    #[error("{0}")]
    Manifest(ProviderError),
    /// The state store does not give what it keeps of hosts.
    #[error("cannot read what is known of the hosts")]
    Hosts(#[source] ProviderError),
    /// Something cannot be done about a host.
    #[error("{0}")]
    Host(ProviderError),
    /// What is kept in the state store cannot be used.
    #[error("the state store failed")]
    Store(#[from] StoreError),
    /// Two providers want the same kind: a defect of keelson.
    #[error("defect in keelson")]
    Providers(#[from] ProviderSetError),
}

/// The providers of this build, as a spec names them.
pub const PROVIDERS: &[&str] = &[
    "simulated",
    #[cfg(feature = "ssh")]
    "ssh",
    #[cfg(all(feature = "aws", feature = "ssh"))]
    "aws",
];

/// Connects to the providers and the state store that `spec` names.
///
/// # Errors
/// [`ConnectError`] when this build lacks one of them, or one cannot be opened.
pub async fn connect(spec: ValidSpec, options: &ConnectOptions) -> Result<Session, ConnectError> {
    // First of all: whoever has no such provider need not know what else is missing.
    let provider = spec.spec().provider.field();
    if !PROVIDERS.contains(&provider) {
        return Err(ConnectError::NoProvider(provider));
    }
    let store = state_store::open(&spec, options).await?;
    let spec = resolve_references(spec, &options.base_directory)?;
    if !options.installs_nothing {
        references::check_manifests(&spec, &options.base_directory)?;
    }
    let reached = match &spec.spec().provider {
        Provider::Simulated(simulated) => {
            simulated::reach(&spec, simulated, &options.base_directory, &store)?
        }
        #[cfg(feature = "ssh")]
        Provider::Ssh(_) => ssh::reach(&spec, options, &store).await?,
        #[cfg(all(feature = "aws", feature = "ssh"))]
        Provider::Aws(aws) => Box::pin(aws::reach(&spec, aws, options, &store)).await?,
        other => return Err(ConnectError::NoProvider(other.field())),
    };
    Ok(Session::new(SessionParts {
        spec,
        providers: ProviderSet::new(reached.providers)?,
        clock: reached.clock,
        assets: reached.assets,
        store,
        lease_clock: Arc::new(SystemClock),
        holder: options.holder.clone(),
        lease_time_to_live: LEASE_TIME_TO_LIVE,
        processes: Some(Arc::new(LocalProcesses)),
        authorities: reached.authorities,
        machine_access: reached.machine_access,
        node_access: reached.node_access,
        backups: Some(reached.backups),
        gone_hosts: reached.gone_hosts,
    }))
}

/// A world that was reached.
struct Reached {
    providers: Vec<Arc<dyn keelson_provider_api::Provider>>,
    clock: Arc<dyn Clock>,
    assets: AssetIndex,
    authorities: Option<Authorities>,
    machine_access: Option<Arc<dyn MachineAccess>>,
    node_access: Option<Arc<ClusterProvider>>,
    backups: BackupParts,
    gone_hosts: Option<Arc<dyn GoneHosts>>,
}

/// `path`, which is relative to `base`, as a person would write it: without parts that lead nowhere.
fn beside(base: &Path, path: impl AsRef<Path>) -> PathBuf {
    let joined = base.join(path);
    let parts = joined.components().filter(|part| *part != Component::CurDir);
    let plain: PathBuf = parts.collect();
    if plain.as_os_str().is_empty() {
        PathBuf::from(".")
    } else {
        plain
    }
}

fn read_text(base: &Path, file: &str) -> Result<String, ConnectError> {
    let path = beside(base, file);
    let read = whole_file::check_kind(&path).and_then(|()| std::fs::read_to_string(&path));
    read.map_err(|source| ConnectError::File { path, source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_beside_another_is_plain() {
        let plain = |base: &str, path: &str| beside(Path::new(base), path).display().to_string();
        assert_eq!(plain(".", "./.keelson"), ".keelson");
        assert_eq!(plain("./a/.", "././b"), "a/b");
        assert_eq!(plain("a", "../b"), "a/../b", "a may be a link");
        assert_eq!(plain("a", "/b"), "/b");
        assert_eq!(plain(".", "."), ".");
    }

    #[test]
    fn a_named_pipe_in_the_place_of_an_authority_s_file_is_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("ca.crt");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
        assert!(made.success());
        let read = read_text(folder.path(), "ca.crt");
        assert!(
            matches!(&read, Err(ConnectError::File { path, .. }) if *path == pipe),
            "{read:?}"
        );
    }
}
