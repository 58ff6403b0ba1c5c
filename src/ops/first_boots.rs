//! What machines that are made in a cloud read at their first boot: each its bundle, kept in the state store as an archive with
//! the secrets that belong to it, until the bundle is in force.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::sync::Arc;

use async_trait::async_trait;
use flate2::read::GzDecoder;
use flate2::{Compression, GzBuilder};
use keelson_provider_api::archive::{archive, files};
use keelson_provider_api::bundle::{Bundle, BundleSource, FoundOnMachine};
use keelson_provider_api::kinds::MachineRole;
use keelson_provider_api::values::{Digest, Secret};
use keelson_provider_api::{
    AssetSource, ClusterIdentity, ClusterUid, ErrorClass, FirstBoot, NewGroup, NewMachine, Precondition,
    ProviderError, Store, StoreError, with_causes,
};

use super::bundles::{SpecBundles, permanent};
use crate::model::{Blueprint, MachineBlueprint, stored};
use crate::node::{Access, FirstBootArchive, FirstBootSettings, PlacedSecret};
use crate::spec::{Bucket, StateStore};

/// The folder of the archive with the files of the bundle.
const BUNDLE: &str = "bundle";
/// The folder of the archive with the secrets that come beside it.
const SECRETS: &str = "secrets";
/// A machine takes no more (`templates/first-boot/bundle.sh`).
const ARCHIVE_LIMIT_BYTES: u64 = 8 << 20;
/// The most that an archive has unpacked.
const UNPACKED_LIMIT_BYTES: u64 = 64 << 20;
/// How often it is looked anew at what somebody else has kept at the same time.
const ATTEMPTS: usize = 5;

/// How machines are reached by whoever made them, and where their bucket is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FirstBootTerms {
    /// The region of the bucket with the state.
    pub region: String,
    /// The user that keelson logs in as.
    pub login_user: String,
}

/// The first boots of the machines that a spec asks for.
pub struct FirstBoots {
    bundles: Arc<SpecBundles>,
    store: Arc<dyn Store>,
    terms: FirstBootTerms,
}

/// An archive that is kept for a first boot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredBundle {
    /// Where it lies in the state store.
    pub path: String,
    /// Its SHA-256.
    pub digest: Digest,
    /// The bundle in it.
    pub bundle: Digest,
}

impl FirstBoots {
    /// The first boots of machines that run `bundles`, which they read from `store`.
    pub fn new(bundles: Arc<SpecBundles>, store: Arc<dyn Store>, terms: FirstBootTerms) -> Self {
        Self {
            bundles,
            store,
            terms,
        }
    }

    /// Keeps the bundle for the first boot of the incarnation `generation` of the machine `name`, and lets go of those of others. What
    /// is kept already stays as long as its certificates are good, so that who asks again is told the same.
    ///
    /// # Errors
    /// When the spec does not ask for the machine any more, its bundle cannot be made, or the state store fails.
    pub async fn keep(
        &self,
        cluster: &ClusterIdentity,
        name: &str,
        generation: u32,
    ) -> Result<StoredBundle, ProviderError> {
        let files = self.bundles.digest_of(name)?;
        let path = self.with_machine(name, |blueprint, machine| {
            let uid = cluster.uid.as_ref().map(ClusterUid::as_str);
            let named = Digest::of_json(&(files, uid, generation));
            Ok(stored::bundle_path(blueprint.name, machine, named))
        })?;
        for _ in 0..ATTEMPTS {
            let kept = self.store.read(&path).await.map_err(|error| of_store(&error))?;
            let precondition = match kept {
                Some(kept) if self.is_good(name, &kept.content).await? => {
                    self.let_go(cluster, name, Some(&path)).await?;
                    return Ok(StoredBundle {
                        path,
                        digest: Digest::of_bytes(&kept.content),
                        bundle: files,
                    });
                }
                Some(kept) => Precondition::Version(kept.version),
                None => Precondition::Absent,
            };
            let bundle = self.bundles.for_first_boot(cluster, name).await?;
            let archive = pack(&bundle)?;
            match self.store.write(&path, archive.expose(), precondition).await {
                // It is read again: what counts is what the machine will find.
                Ok(_) | Err(StoreError::Conflict { .. }) => {}
                Err(error) => return Err(of_store(&error)),
            }
        }
        let message = format!("others keep writing {path} in {}", self.store.location());
        Err(ProviderError::new(ErrorClass::Transient, message))
    }

    /// Whether a machine that unpacks `archive` has everything, and certificates that are good.
    async fn is_good(&self, name: &str, archive: &[u8]) -> Result<bool, ProviderError> {
        let Some(files) = unpack(archive) else {
            return Ok(false);
        };
        let paths = self.bundles.paths(name);
        let secret = |path: &str| {
            let placed = PlacedSecret {
                path: path.to_owned(),
                access: Access::PUBLIC,
            };
            files.get(&format!("{SECRETS}/{}", placed.name()))
        };
        let text = |path: &String| {
            let text = String::from_utf8(secret(path)?.expose().clone()).ok()?;
            Some((path.clone(), text))
        };
        let found = FoundOnMachine {
            certificates: paths.certificates.iter().filter_map(text).collect(),
            missing_keys: paths
                .keys
                .into_iter()
                .filter(|path| secret(path).is_none())
                .collect(),
            architecture: String::new(),
        };
        Ok(self.bundles.faults(name, &found).await?.is_empty())
    }

    /// Deletes what is kept for first boots of the machine `name`, but `path`.
    async fn let_go(
        &self,
        cluster: &ClusterIdentity,
        name: &str,
        path: Option<&str>,
    ) -> Result<(), ProviderError> {
        // Whichever role it had when they were kept: the spec may give it another one now, or none.
        let all = stored::all_bundles(&cluster.name);
        let kept = self.store.list(&all).await.map_err(|error| of_store(&error))?;
        let is_of_machine = |kept: &str| kept.split('/').rev().nth(1) == Some(name);
        for old in kept
            .iter()
            .filter(|kept| is_of_machine(kept) && Some(kept.as_str()) != path)
        {
            let deleted = self.store.delete(old, Precondition::None).await;
            deleted.map_err(|error| of_store(&error))?;
        }
        Ok(())
    }

    fn with_machine<T>(
        &self,
        name: &str,
        work: impl FnOnce(&Blueprint<'_>, &MachineBlueprint<'_>) -> Result<T, ProviderError>,
    ) -> Result<T, ProviderError> {
        let blueprint = Blueprint::of(self.bundles.spec());
        let machine = super::bundles::machine(&blueprint, name)?;
        work(&blueprint, machine)
    }

    fn settings(
        &self,
        cluster: &ClusterIdentity,
        machine: &NewMachine<'_>,
        kept: Option<&StoredBundle>,
        login_key: String,
    ) -> Result<FirstBootSettings, ProviderError> {
        let spec = self.bundles.spec();
        let StateStore::S3(bucket) = &spec.spec().state_store else {
            let message = format!(
                "machines cannot read their bundles from {}",
                self.store.location()
            );
            return Err(ProviderError::new(ErrorClass::Permanent, message)
                .with_help("name a bucket of S3 in spec.stateStore"));
        };
        if bucket.ca.is_some() {
            let message = format!(
                "machines cannot read their bundles from {}: they do not know the authority of its certificate",
                self.store.location()
            );
            return Err(ProviderError::new(ErrorClass::Permanent, message)
                .with_help("name a bucket of S3 without `ca` in spec.stateStore"));
        }
        let Some(uid) = cluster.uid.clone() else {
            let message = format!("the cluster {} has not begun", cluster.name);
            return Err(ProviderError::new(ErrorClass::Permanent, message));
        };
        Ok(FirstBootSettings {
            endpoint: bucket.server(&self.terms.region),
            has_path_style: bucket.has_path_style(),
            bucket: bucket.name.clone(),
            region: self.terms.region.clone(),
            archive: kept.map(|kept| FirstBootArchive {
                key: key(bucket, &kept.path),
                digest: kept.digest,
                bundle: kept.bundle,
            }),
            host_keys_folder: key(bucket, &stored::host_keys_folder(&cluster.name)),
            uid,
            cluster: cluster.name.clone(),
            name: Some(machine.name.to_owned()),
            generation: machine.generation,
            machine: machine.machine.clone(),
            login_user: self.terms.login_user.clone(),
            login_key,
            public_keys: spec.spec().ssh.public_keys.clone(),
            volume_devices: machine.volume_devices.clone(),
            etcds: if machine.machine.roles.contains(&MachineRole::Etcd) {
                spec.spec().etcd.instances().to_vec()
            } else {
                Vec::new()
            },
        })
    }
}

#[async_trait]
impl FirstBoot for FirstBoots {
    async fn user_data(
        &self,
        cluster: &ClusterIdentity,
        machine: &NewMachine<'_>,
    ) -> Result<Vec<u8>, ProviderError> {
        // First, because machines are told which keys there are.
        let login_key = self.bundles.login_key().await?;
        // A bastion only leads to others: it has no bundle.
        let kept = if machine.machine.roles.contains(&MachineRole::Bastion) {
            None
        } else {
            Some(self.keep(cluster, machine.name, machine.generation).await?)
        };
        let settings = self.settings(cluster, machine, kept.as_ref(), login_key)?;
        let user_data = settings.render().map_err(|error| permanent(&error))?;
        Ok(user_data.into_bytes())
    }

    async fn is_over(&self, cluster: &ClusterIdentity, name: &str) -> Result<(), ProviderError> {
        self.let_go(cluster, name, None).await
    }

    async fn user_data_of_group(
        &self,
        _cluster: &ClusterIdentity,
        group: &NewGroup<'_>,
    ) -> Result<Vec<u8>, ProviderError> {
        let message = format!(
            "machines of the group {} cannot join by themselves yet",
            group.name
        );
        Err(ProviderError::new(ErrorClass::Permanent, message))
    }

    async fn group_starts_from(
        &self,
        _cluster: &ClusterIdentity,
        _name: &str,
        _template: Option<&Digest>,
    ) -> Result<(), ProviderError> {
        Ok(())
    }
}

fn key(bucket: &Bucket, path: &str) -> String {
    stored::key_in_bucket(bucket, path)
}

/// An error of the state store. What it says may pass, but what is damaged stays so.
fn of_store(error: &StoreError) -> ProviderError {
    let class = match error {
        StoreError::Damaged { .. } => ErrorClass::Permanent,
        StoreError::Conflict { .. } | StoreError::Unavailable { .. } => ErrorClass::Transient,
    };
    ProviderError::new(class, with_causes(error))
}

/// The archive of a bundle: a tar archive packed by gzip, which every machine can unpack. The same bundle is always the same
/// bytes.
fn pack(bundle: &Bundle) -> Result<Secret<Vec<u8>>, ProviderError> {
    if let Some(asset) = bundle
        .assets
        .iter()
        .find(|asset| matches!(asset.source, AssetSource::File(_)))
    {
        let message = format!(
            "a machine cannot get {} at its first boot: it lies here",
            asset.name
        );
        return Err(ProviderError::new(ErrorClass::Permanent, message)
            .with_help("name a mirror by its URL in spec.assets.files, or none"));
    }
    let of_bundle = bundle.files.iter();
    let of_bundle = of_bundle.map(|(path, content)| (format!("{BUNDLE}/{path}"), content.as_slice()));
    let secrets = bundle.secrets.iter();
    let secrets = secrets.map(|(name, secret)| (format!("{SECRETS}/{name}"), secret.expose().as_slice()));
    let files: BTreeMap<String, &[u8]> = of_bundle.chain(secrets).collect();
    let files = files.iter().map(|(path, content)| (path.as_str(), *content));
    let refused = |problem: String| ProviderError::new(ErrorClass::Permanent, problem);
    let plain = archive(files, 0o600).map_err(refused)?;
    let mut gzip = GzBuilder::new().mtime(0).write(Vec::new(), Compression::best());
    let packed = gzip.write_all(plain.expose()).and_then(|()| gzip.finish());
    let packed = packed.map_err(|error| permanent(&error))?;
    if packed.len() as u64 > ARCHIVE_LIMIT_BYTES {
        return Err(refused(format!(
            "the bundle has {} bytes packed, and a machine takes {ARCHIVE_LIMIT_BYTES}",
            packed.len()
        )));
    }
    Ok(Secret::new(packed))
}

/// The files of such an archive; nothing where it is none.
fn unpack(archive: &[u8]) -> Option<BTreeMap<String, Secret<Vec<u8>>>> {
    let mut plain = Vec::new();
    let mut decoder = GzDecoder::new(archive).take(UNPACKED_LIMIT_BYTES);
    decoder.read_to_end(&mut plain).ok()?;
    files(Secret::new(plain).expose()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bundle() -> Bundle {
        Bundle {
            digest: Digest::of_bytes(b"bundle"),
            files: BTreeMap::from([
                ("apply".to_owned(), b"#!/bin/sh\n".to_vec()),
                ("files/etc/x".to_owned(), vec![7; 3000]),
            ]),
            assets: Vec::new(),
            secrets: BTreeMap::from([("etc_x.key".to_owned(), Secret::new(b"key".to_vec()))]),
        }
    }

    #[test]
    fn the_same_bundle_is_the_same_bytes_and_comes_out_again() {
        let packed = pack(&bundle()).unwrap();
        assert_eq!(packed.expose(), pack(&bundle()).unwrap().expose());
        let files = unpack(packed.expose()).unwrap();
        let names: Vec<&String> = files.keys().collect();
        assert_eq!(names, ["bundle/apply", "bundle/files/etc/x", "secrets/etc_x.key"]);
        assert_eq!(files["secrets/etc_x.key"].expose(), b"key");
        for end in [0, 5, packed.expose().len() / 2, packed.expose().len() - 1] {
            assert!(unpack(&packed.expose()[..end]).is_none(), "{end}");
        }
    }

    #[test]
    fn what_lies_on_this_machine_cannot_be_had_at_a_first_boot() {
        let mut bundle = bundle();
        bundle.assets.push(keelson_provider_api::Asset {
            sha256: Digest::of_bytes(b"etcd"),
            name: "etcd".to_owned(),
            source: AssetSource::File("/mirror/etcd".into()),
        });
        let refused = pack(&bundle).unwrap_err();
        assert!(
            refused
                .help
                .is_some_and(|help| help.contains("spec.assets.files"))
        );
    }
}
