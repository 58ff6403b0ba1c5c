//! Bare machines: the hosts, the bundles that they are given, and the release files in those.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use keelson_provider_api::clock::SystemClock;
use keelson_provider_api::etcd::{EVENTS, MAIN};
use keelson_provider_api::values::Secret;
use keelson_provider_api::{BulkStore, Clock, ProviderError, Store};
use keelson_provider_ssh::etcd::{DrillHere, EtcdProvider};
use keelson_provider_ssh::preflight::HostNeeds;
use keelson_provider_ssh::{ControlPlaneProvider, Hosts, SshOptions, SshProvider, Target};

use super::assets::{fetcher, known_files};
use super::bucket;
use super::manifests::Manifests;
use super::ssh_access::HostAccess;
use super::{ConnectError, ConnectOptions, Reached, find_assets, read_text};
use crate::backup::Archive;
use crate::cluster::DrainsFirst;
use crate::ops::{
    Authorities, BackupParts, BroughtFiles, GoneHosts, HostArchive, MachineAccess, SpecBundles,
    cluster_provider, pinned_assets,
};
use crate::pki::{Authority, AuthorityName, Seal, Terms};
use crate::spec::{
    ApiAddress, AuthorityFiles, ContainerdSource, EtcdPlacement, EventsPlacement, HostRole, KeyEncryption,
    Plugin, Provider, ValidSpec,
};

/// The hosts of `spec`. What they are to install is looked for here, so that every plan knows it.
pub(super) async fn reach(
    spec: &ValidSpec,
    options: &ConnectOptions,
    bulk_store: &Arc<dyn BulkStore>,
) -> Result<Reached, ConnectError> {
    let store: &Arc<dyn Store> = &(bulk_store.clone() as Arc<dyn Store>);
    // Digests that an earlier apply found stay as they were.
    let known = pinned_assets(store.as_ref(), spec.name()).await?;
    let assets = if options.installs_nothing {
        known_files(spec, &options.base_directory, &known)
    } else {
        find_assets(spec, &options.base_directory, &known).await?.index
    };
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let authorities = authorities(spec, options, store, &clock)?;
    let brought = match brought_files(spec, &options.base_directory) {
        // Whoever only looks compares what there is, and a restore goes on without.
        Err(_) if options.installs_nothing => BroughtFiles::new(),
        brought => brought?,
    };
    let bundles = Arc::new(SpecBundles::new(
        spec.clone(),
        assets.clone(),
        authorities.clone(),
        brought,
    ));
    let hosts = open(spec, options, store).await?;
    let mut machines: Arc<dyn keelson_provider_api::Provider> =
        Arc::new(SshProvider::new(hosts.clone(), bundles).with_host_needs(host_needs(spec)));
    let etcd = Arc::new(EtcdProvider::new(hosts.clone(), clock.clone()));
    let backups = BackupParts {
        archive: Archive::of_cluster(bulk_store.clone(), spec.name(), authorities.seal()),
        hosts: host_archives(spec, &etcd, &authorities),
        bucket: bucket::archive(spec, &options.base_directory, &authorities, &clock),
        scheduled: Some(etcd.clone()),
        maintenance: etcd.clone(),
        restore: Some(etcd.clone()),
        drill: Some(match &options.drill_programs {
            Some(programs) => Arc::new(DrillHere::new(programs)),
            None => etcd.clone(),
        }),
    };
    let mut providers: Vec<Arc<dyn keelson_provider_api::Provider>> = vec![etcd];
    let mut node_access = None;
    if !spec.is_etcd_alone() {
        let control_planes = Arc::new(ControlPlaneProvider::new(hosts.clone()));
        let manifests = Manifests::new(&options.base_directory, fetcher(spec)?);
        let cluster = Arc::new(cluster_provider(
            spec.clone(),
            authorities.clone(),
            Arc::new(manifests),
            control_planes.clone(),
            control_planes.clone(),
            clock.clone(),
        ));
        node_access = Some(cluster.clone());
        machines = Arc::new(DrainsFirst::new(machines, cluster.clone()));
        providers.extend([control_planes as Arc<dyn keelson_provider_api::Provider>, cluster]);
    }
    providers.insert(0, machines);
    Ok(Reached {
        providers,
        clock,
        assets,
        authorities: Some(authorities),
        machine_access: Some(Arc::new(HostAccess(hosts))),
        node_access,
        backups,
        gone_hosts: (!options.gone_hosts.is_empty())
            .then(|| Arc::new(CalledGone::of(spec, options, store)) as Arc<dyn GoneHosts>),
    })
}

/// What the hosts keep that have members of etcd.
fn host_archives(spec: &ValidSpec, etcd: &EtcdProvider, authorities: &Authorities) -> Vec<HostArchive> {
    let role = match spec.etcd.placement {
        EtcdPlacement::Stacked => HostRole::ControlPlane,
        EtcdPlacement::Dedicated(_) => HostRole::Etcd,
        EtcdPlacement::External(_) => return Vec::new(),
    };
    let hosts = spec.spec().provider.hosts().iter();
    hosts
        .filter(|host| host.roles.contains(&role))
        .map(|host| HostArchive {
            machine: host.name.to_string(),
            archive: Archive::whole_store(etcd.backups(host.name.as_str()), authorities.seal()),
        })
        .collect()
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

fn authorities(
    spec: &ValidSpec,
    options: &ConnectOptions,
    store: &Arc<dyn Store>,
    clock: &Arc<dyn Clock>,
) -> Result<Authorities, ConnectError> {
    let pki = &spec.spec().pki;
    let seal = match &pki.encryption {
        KeyEncryption::None => Seal::none(),
        KeyEncryption::Passphrase => Seal::with_passphrase(),
        KeyEncryption::Recipients(recipients) => Seal::to_recipients(recipients)?,
    };
    // What was closed before the spec said otherwise is opened all the same.
    let seal = seal.and_passphrase(options.pki_passphrase.clone());
    let seal = match &options.pki_identities {
        Some(identities) => seal.with_identities(identities)?,
        None => seal,
    };
    let brought = BTreeMap::from([
        (AuthorityName::Kubernetes, &pki.authorities.kubernetes),
        (AuthorityName::FrontProxy, &pki.authorities.front_proxy),
        (AuthorityName::Etcd, &pki.authorities.etcd),
    ]);
    let brought = brought
        .into_iter()
        .filter_map(|(name, files)| Some((name, files.as_ref()?)))
        .map(|(name, files)| read_authority(name, files, &options.base_directory))
        .collect::<Result<Vec<Authority>, ConnectError>>()?;
    let terms = Terms {
        algorithm: pki.key_algorithm,
        validity: pki.authority_validity,
    };
    Ok(Authorities::new(
        store.clone(),
        spec.name().clone(),
        seal,
        clock.clone(),
        terms,
        brought,
    ))
}

fn read_authority(
    name: AuthorityName,
    files: &AuthorityFiles,
    base: &Path,
) -> Result<Authority, ConnectError> {
    let certificate = read_text(base, &files.certificate)?;
    let key = files.key.as_deref().map(|file| read_text(base, file));
    let key = key.transpose()?.map(Secret::new);
    Ok(Authority::load(name, &certificate, key.as_ref())?)
}

/// What control planes show and trust where someone else runs etcd, and what opens the bucket of snapshots.
fn brought_files(spec: &ValidSpec, base: &Path) -> Result<BroughtFiles, ConnectError> {
    let EtcdPlacement::External(external) = &spec.spec().etcd.placement else {
        return bucket::brought_files(spec, base);
    };
    let files = [&external.ca, &external.certificate, &external.key];
    let read = |file: &String| Ok((file.clone(), Secret::new(read_text(base, file)?)));
    files.into_iter().map(read).collect()
}
