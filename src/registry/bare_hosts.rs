//! What is asked about bare hosts without a session: single machines, and what is remembered of them.

use std::sync::Arc;

#[cfg(feature = "ssh")]
use keelson_provider_api::Store;

#[cfg(all(feature = "aws", feature = "ssh"))]
use super::aws;
use super::{ConnectError, ConnectOptions};
#[cfg(feature = "ssh")]
use super::{ssh, state_store};
#[cfg(feature = "ssh")]
use crate::ops::begun_restore;
use crate::ops::{BegunRestore, MachineAccess};
use crate::spec::{Provider, ValidSpec};

/// Forgets the host key that was remembered for the bare host `name`; the next connection goes by the user's own known
/// hosts.
///
/// # Errors
/// [`ConnectError`] when the spec has no bare hosts, or the state store cannot be written.
#[cfg_attr(
    not(feature = "ssh"),
    expect(clippy::unused_async, unused_variables, reason = "there is nothing to forget")
)]
pub async fn forget_host_key(
    spec: &ValidSpec,
    options: &ConnectOptions,
    name: &str,
) -> Result<(), ConnectError> {
    match &spec.spec().provider {
        #[cfg(feature = "ssh")]
        Provider::Ssh(_) => {
            let store: Arc<dyn Store> = state_store::open(spec, options).await?;
            ssh::forget_host_key(spec, &store, name).await
        }
        Provider::Simulated(_) => Err(ConnectError::NothingRemembered),
        #[cfg(all(feature = "aws", feature = "ssh"))]
        Provider::Aws(_) => Err(ConnectError::NotBare),
        other => Err(ConnectError::NoProvider(other.field())),
    }
}

/// Forgets the bare host `name`, which has left the spec and is gone for good: nothing waits for it any more, and nothing
/// is done on it. Gives the restore of the cluster that stands, if that can be read and one does: it comes before all else.
///
/// # Errors
/// [`ConnectError`] when the spec has no bare hosts, or still has this one; when nothing is remembered of it; when it
/// answers; or when the state store cannot be written.
#[cfg_attr(
    not(feature = "ssh"),
    expect(clippy::unused_async, unused_variables, reason = "there is nothing to forget")
)]
pub async fn forget_host(
    spec: &ValidSpec,
    options: &ConnectOptions,
    name: &str,
) -> Result<Option<BegunRestore>, ConnectError> {
    match &spec.spec().provider {
        #[cfg(feature = "ssh")]
        Provider::Ssh(_) => {
            let store: Arc<dyn Store> = state_store::open(spec, options).await?;
            ssh::forget_host(spec, options, &store, name).await?;
            Ok(begun_restore(&*store, spec.name()).await.ok().flatten())
        }
        Provider::Simulated(_) => Err(ConnectError::NothingRemembered),
        #[cfg(all(feature = "aws", feature = "ssh"))]
        Provider::Aws(_) => Err(ConnectError::NotBare),
        other => Err(ConnectError::NoProvider(other.field())),
    }
}

/// Makes sure that the bare hosts that `options` call gone do not answer as hosts of the cluster.
///
/// # Errors
/// [`ConnectError`] when the spec has no bare hosts, when the cluster has no such host, or when one answers and is the
/// cluster's.
#[cfg_attr(
    not(feature = "ssh"),
    expect(clippy::unused_async, unused_variables, reason = "there is no host to ask")
)]
pub async fn check_gone_hosts(spec: &ValidSpec, options: &ConnectOptions) -> Result<(), ConnectError> {
    match &spec.spec().provider {
        #[cfg(feature = "ssh")]
        Provider::Ssh(_) => {
            let store: Arc<dyn Store> = state_store::open(spec, options).await?;
            ssh::check_gone_hosts(spec, options, &store).await
        }
        Provider::Simulated(_) => Err(ConnectError::NothingGone),
        #[cfg(all(feature = "aws", feature = "ssh"))]
        Provider::Aws(_) => Err(ConnectError::NotBare),
        other => Err(ConnectError::NoProvider(other.field())),
    }
}

/// The bare hosts whose keys stay pinned in the state store.
///
/// # Errors
/// [`ConnectError`] when the state store cannot be read.
#[cfg_attr(
    not(feature = "ssh"),
    expect(clippy::unused_async, unused_variables, reason = "nobody pins a key")
)]
pub async fn pinned_hosts(spec: &ValidSpec, options: &ConnectOptions) -> Result<Vec<String>, ConnectError> {
    match &spec.spec().provider {
        #[cfg(feature = "ssh")]
        Provider::Ssh(_) => {
            let store: Arc<dyn Store> = state_store::open(spec, options).await?;
            ssh::pinned_hosts(spec, &store).await
        }
        _ => Ok(Vec::new()),
    }
}

/// The way to the machines of `spec`, without a look at anything else: whatever they run, and also before the first apply.
///
/// # Errors
/// [`ConnectError`] when the spec's machines are in memory, or this build lacks their provider or the state store.
#[cfg_attr(
    not(feature = "ssh"),
    expect(
        clippy::unused_async,
        unused_variables,
        reason = "there is no way to any machine"
    )
)]
pub async fn machine_access(
    spec: &ValidSpec,
    options: &ConnectOptions,
) -> Result<Arc<dyn MachineAccess>, ConnectError> {
    match &spec.spec().provider {
        #[cfg(feature = "ssh")]
        Provider::Ssh(_) => {
            let store: Arc<dyn Store> = state_store::open(spec, options).await?;
            ssh::machine_access(spec, options, &store).await
        }
        #[cfg(all(feature = "aws", feature = "ssh"))]
        Provider::Aws(aws) => {
            let store: Arc<dyn Store> = state_store::open(spec, options).await?;
            aws::machine_access(spec, aws, options, &store).await
        }
        Provider::Simulated(_) => Err(ConnectError::InMemory),
        other => Err(ConnectError::NoProvider(other.field())),
    }
}
