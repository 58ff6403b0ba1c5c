//! Bare machines: the hosts of a spec, and what is remembered of them.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use keelson_provider_api::clock::SystemClock;
use keelson_provider_api::etcd::{EVENTS, MAIN};
use keelson_provider_api::{BulkStore, Clock, ProviderError, Store};
use keelson_provider_ssh::preflight::HostNeeds;
use keelson_provider_ssh::{Hosts, SshOptions, SshProvider, Target};

use super::on_machines::{Common, Machines};
use super::ssh_access::HostAccess;
use super::{ConnectError, ConnectOptions, Reached};
use crate::ops::{GoneHosts, MachineAccess};
use crate::spec::{ApiAddress, ContainerdSource, EventsPlacement, Plugin, Provider, ValidSpec};

/// The hosts of `spec`. What they are to install is looked for here, so that every plan knows it.
pub(super) async fn reach(
    spec: &ValidSpec,
    options: &ConnectOptions,
    bulk_store: &Arc<dyn BulkStore>,
) -> Result<Reached, ConnectError> {
    let store = &(bulk_store.clone() as Arc<dyn Store>);
    let common = Common::of(spec, options, store).await?;
    let hosts = open(spec, options, store).await?;
    let machines = SshProvider::new(hosts.clone(), common.bundles.clone()).with_host_needs(host_needs(spec));
    let machines = Machines {
        hosts,
        providers: vec![Arc::new(machines)],
        groups: None,
    };
    let mut reached = common.reach(spec, options, bulk_store, machines)?;
    reached.gone_hosts = (!options.gone_hosts.is_empty())
        .then(|| Arc::new(CalledGone::of(spec, options, store)) as Arc<dyn GoneHosts>);
    Ok(reached)
}

/// What hosts are to have besides what keelson brings: the routed network sets rules with the machine's own `nft`; what
/// they must have free for the etcds, and what their firewalls are to let through.
fn host_needs(spec: &ValidSpec) -> HostNeeds {
    let spec = spec.spec();
    let is_routed = matches!(spec.network.plugin, Plugin::Routed);
    // Fields of a KubeletConfiguration.
    let bearable = [("failSwapOn", "swap"), ("failCgroupV1", "cgroup-v2")];
    let is_borne = |field: &str| spec.kubelet.config.get(field) == Some(&serde_json::Value::Bool(false));
    let routed = is_routed.then(|| "nft".to_owned());
    HostNeeds {
        node_programs: routed.into_iter().collect(),
        brings_containerd: spec.containerd.source == ContainerdSource::Upstream,
        etcds: match spec.etcd.events {
            EventsPlacement::Shared => vec![&MAIN],
            EventsPlacement::Separate => vec![&MAIN, &EVENTS],
        },
        routed_pods: is_routed.then_some(spec.network.pod_cidr),
        has_virtual_address: matches!(spec.provider.api_address(), Some(ApiAddress::Virtual(_))),
        borne_by_kubelets: bearable
            .into_iter()
            .filter(|(field, _)| is_borne(field))
            .map(|(_, finding)| finding)
            .collect(),
    }
}

/// The way to the hosts of `spec`, whatever runs on them.
pub(super) async fn machine_access(
    spec: &ValidSpec,
    options: &ConnectOptions,
    store: &Arc<dyn Store>,
) -> Result<Arc<dyn MachineAccess>, ConnectError> {
    Ok(Arc::new(HostAccess(open(spec, options, store).await?)))
}

async fn open(
    spec: &ValidSpec,
    options: &ConnectOptions,
    store: &Arc<dyn Store>,
) -> Result<Arc<Hosts>, ConnectError> {
    Hosts::open(host_options(spec, options, store))
        .await
        .map_err(ConnectError::Hosts)
}

fn host_options(spec: &ValidSpec, options: &ConnectOptions, store: &Arc<dyn Store>) -> SshOptions {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let mut ssh = SshOptions::new(spec.name().clone(), targets(spec), store.clone(), clock);
    ssh.accept_new_host_keys = options.accept_new_host_keys;
    ssh.sudo_password.clone_from(&options.sudo_password);
    ssh.gone.clone_from(&options.gone_hosts);
    ssh
}

/// Forgets the host `name`, which is gone for good.
pub(super) async fn forget_host(
    spec: &ValidSpec,
    options: &ConnectOptions,
    store: &Arc<dyn Store>,
    name: &str,
) -> Result<(), ConnectError> {
    let hosts = open(spec, options, store).await?;
    hosts.give_up(name).await.map_err(ConnectError::Host)
}

/// Makes sure that no host that is called gone answers as one of the cluster's.
pub(super) async fn check_gone_hosts(
    spec: &ValidSpec,
    options: &ConnectOptions,
    store: &Arc<dyn Store>,
) -> Result<(), ConnectError> {
    let gone = CalledGone::of(spec, options, store);
    gone.check().await.map_err(ConnectError::Host)
}

/// The hosts whose keys are pinned.
pub(super) async fn pinned_hosts(
    spec: &ValidSpec,
    store: &Arc<dyn Store>,
) -> Result<Vec<String>, ConnectError> {
    let hosts = open(spec, &ConnectOptions::default(), store).await?;
    hosts.pinned().await.map_err(ConnectError::Hosts)
}

/// The hosts that someone calls gone for good.
struct CalledGone {
    names: BTreeSet<String>,
    spec: ValidSpec,
    /// Each of them is asked: nobody is called gone here.
    options: ConnectOptions,
    store: Arc<dyn Store>,
}

impl CalledGone {
    fn of(spec: &ValidSpec, options: &ConnectOptions, store: &Arc<dyn Store>) -> Self {
        Self {
            names: options.gone_hosts.clone(),
            spec: spec.clone(),
            options: ConnectOptions {
                gone_hosts: BTreeSet::new(),
                ..options.clone()
            },
            store: store.clone(),
        }
    }

    async fn hosts(&self) -> Result<Arc<Hosts>, ProviderError> {
        Hosts::open(host_options(&self.spec, &self.options, &self.store)).await
    }
}

#[async_trait]
impl GoneHosts for CalledGone {
    async fn check(&self) -> Result<(), ProviderError> {
        let hosts = self.hosts().await?;
        for name in &self.names {
            hosts.check_gone(name).await?;
        }
        Ok(())
    }

    async fn forget(&self) -> Result<(), ProviderError> {
        let hosts = self.hosts().await?;
        for name in &self.names {
            hosts.forget(name).await?;
        }
        Ok(())
    }
}

/// Forgets the host key that was remembered for the host `name`.
pub(super) async fn forget_host_key(
    spec: &ValidSpec,
    store: &Arc<dyn Store>,
    name: &str,
) -> Result<(), ConnectError> {
    let hosts = open(spec, &ConnectOptions::default(), store).await?;
    hosts.forget_keys(name).await.map_err(ConnectError::Hosts)
}

fn targets(spec: &ValidSpec) -> Vec<Target> {
    let (user, port) = match &spec.spec().provider {
        Provider::Ssh(ssh) => (Some(ssh.user.clone()), Some(ssh.port)),
        _ => (None, None),
    };
    let hosts = spec.spec().provider.hosts().iter();
    hosts
        .filter_map(|host| {
            Some(Target {
                name: host.name.to_string(),
                address: host.address.clone(),
                internal_address: host.internal_address()?,
                user: user.clone(),
                port,
            })
        })
        .collect()
}
