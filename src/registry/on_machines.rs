//! What runs on machines that answer to SSH, wherever they come from: bundles, etcd, control planes, nodes.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use keelson_provider_api::clock::SystemClock;
use keelson_provider_api::kinds::MachineRole;
use keelson_provider_api::values::Secret;
use keelson_provider_api::{BulkStore, Clock, Provider, Store};
use keelson_provider_ssh::etcd::{DrillHere, EtcdProvider};
use keelson_provider_ssh::{ControlPlaneProvider, Hosts};

use super::assets::{fetcher, known_files};
use super::bucket;
use super::manifests::Manifests;
use super::ssh_access::HostAccess;
use super::{ConnectError, ConnectOptions, Reached, find_assets, read_text};
use crate::backup::Archive;
use crate::cluster::{DrainsFirst, GroupsJoin};
use crate::model::Blueprint;
use crate::node::AssetIndex;
use crate::ops::{
    Authorities, AuthorityCredentials, BackupParts, BroughtFiles, HostArchive, SpecBundles, cluster_provider,
    pinned_assets,
};
use crate::pki::{Authority, AuthorityName, Seal, Terms};
use crate::spec::{AuthorityFiles, EtcdPlacement, KeyEncryption, ValidSpec};

/// What looks after the machines of a cluster.
pub(super) struct Machines {
    /// How those are reached that have names.
    pub(super) hosts: Arc<Hosts>,
    /// Who makes them, and what they stand on, and brings them their bundles.
    pub(super) providers: Vec<Arc<dyn Provider>>,
    /// Who keeps groups whose machines join by themselves, where there are such.
    pub(super) groups: Option<Arc<dyn Provider>>,
}

/// What is the same for machines of any provider.
pub(super) struct Common {
    pub(super) assets: AssetIndex,
    pub(super) authorities: Authorities,
    pub(super) bundles: Arc<SpecBundles>,
    pub(super) clock: Arc<dyn Clock>,
}

impl Common {
    /// What machines of `spec` are to install is looked for here, so that every plan knows it.
    pub(super) async fn of(
        spec: &ValidSpec,
        options: &ConnectOptions,
        store: &Arc<dyn Store>,
    ) -> Result<Self, ConnectError> {
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
        Ok(Self {
            assets,
            authorities,
            bundles,
            clock,
        })
    }

    /// A world of `machines`.
    pub(super) fn reach(
        self,
        spec: &ValidSpec,
        options: &ConnectOptions,
        bulk_store: &Arc<dyn BulkStore>,
        machines: Machines,
    ) -> Result<Reached, ConnectError> {
        let Self {
            assets,
            authorities,
            clock,
            ..
        } = self;
        let Machines {
            hosts,
            mut providers,
            groups,
        } = machines;
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
        let mut others: Vec<Arc<dyn Provider>> = vec![etcd];
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
            let drained = providers.into_iter().map(|provider| {
                let first = DrainsFirst::new(provider, cluster.clone());
                Arc::new(first) as Arc<dyn Provider>
            });
            providers = drained.collect();
            let tokens = Arc::new(AuthorityCredentials::new(authorities.clone()));
            let groups = groups.map(|groups| GroupsJoin::new(groups, cluster.clone(), tokens));
            providers.extend(groups.map(|groups| Arc::new(groups) as Arc<dyn Provider>));
            others.extend([control_planes as Arc<dyn Provider>, cluster]);
        }
        providers.extend(others);
        Ok(Reached {
            providers,
            clock,
            assets,
            authorities: Some(authorities),
            machine_access: Some(Arc::new(HostAccess(hosts))),
            node_access,
            backups,
            gone_hosts: None,
        })
    }
}

/// What the machines keep that have members of etcd.
fn host_archives(spec: &ValidSpec, etcd: &EtcdProvider, authorities: &Authorities) -> Vec<HostArchive> {
    let blueprint = Blueprint::of(spec);
    let members = blueprint.with_role(MachineRole::Etcd);
    members
        .map(|machine| HostArchive {
            machine: machine.name.clone(),
            archive: Archive::whole_store(etcd.backups(&machine.name), authorities.seal()),
        })
        .collect()
}

/// The cluster's authorities and keys, as `options` open them.
pub(super) fn authorities(
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
