//! What machines would be given, for people and for review: every file, and nothing secret.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use keelson_provider_api::kinds::MachineRole;
use keelson_provider_api::values::{ClusterName, Digest, KeyAlgorithm, Span, Version};
use keelson_provider_api::{Asset, AssetSource};
use serde::Serialize;

use super::bundle_files::bundle_files;
use super::error::OperationError;
use super::session::Session;
use crate::model::{Blueprint, Classes, MachineBlueprint, MachineCertificates};
use crate::node::{Architecture, AssetIndex, UNKNOWN_DIGEST};
use crate::pki::{AuthorityName, SubjectName, Usage};
use crate::spec::ValidSpec;

/// What the machines of a cluster would be given.
#[derive(Debug, Clone, PartialEq)]
pub struct Rendered {
    /// The cluster.
    pub cluster: ClusterName,
    /// The machines, by name.
    pub machines: Vec<RenderedMachine>,
    /// Release files whose digests are not known, so that [`UNKNOWN_DIGEST`] stands for them.
    pub unresolved: BTreeSet<String>,
}

/// What one machine would be given.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RenderedMachine {
    /// Its name.
    pub name: String,
    /// Its group.
    pub group: String,
    /// What it is for.
    pub roles: BTreeSet<MachineRole>,
    /// Where keelson reaches it; nothing for one that is yet to be made.
    pub address: Option<String>,
    /// Where other machines reach it; nothing where that is not known yet, and then `host.env` is left out.
    pub internal_address: Option<IpAddr>,
    /// The name of the bundle; nothing while an address or a digest is missing.
    pub bundle: Option<Digest>,
    /// The release of Kubernetes.
    pub kubernetes_version: Option<Version>,
    /// The release of etcd.
    pub etcd_version: Option<Version>,
    /// What it installs.
    pub release_files: Vec<RenderedRelease>,
    /// The certificates that are issued for it.
    #[serde(skip)]
    pub certificates: Vec<RenderedCertificate>,
    /// The certificates of authorities that it trusts, by file.
    #[serde(skip)]
    pub authorities: BTreeMap<String, AuthorityName>,
    /// The files with keys and other secrets that come beside them.
    #[serde(skip)]
    pub other_secrets: BTreeSet<String>,
    /// The files of its bundle, by their path in it.
    #[serde(skip)]
    pub files: BTreeMap<String, Vec<u8>>,
}

/// A release file that a machine installs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RenderedRelease {
    /// What it is.
    pub name: String,
    /// Its SHA-256, if it is known.
    pub sha256: Option<String>,
    /// A URL, or a path on the machine that runs keelson.
    pub from: String,
}

/// A certificate that is issued for a machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RenderedCertificate {
    /// Its name.
    pub certificate: String,
    /// Its file.
    pub file: String,
    /// The file of its key.
    pub key_file: String,
    /// Who signs it.
    pub signer: AuthorityName,
    /// Its subject's common name.
    pub common_name: String,
    /// Its subject's organisations.
    pub organizations: BTreeSet<String>,
    /// What it is for.
    pub usages: BTreeSet<Usage>,
    /// The names and addresses that it is for.
    pub names: BTreeSet<SubjectName>,
    /// The algorithm of its key.
    pub key_algorithm: KeyAlgorithm,
    /// How long it is valid.
    pub validity: Span,
}

impl Session {
    /// What an apply would give each machine: the very files, and the certificates without their keys.
    ///
    /// # Errors
    /// As [`render`].
    pub fn render(&self) -> Result<Rendered, OperationError> {
        render(self.spec(), &self.parts.assets)
    }
}

/// What the machines of `spec` would be given, with release files from `assets`. Nothing is asked of anyone. A group that makes
/// its machines by itself stands for all of them, under its own name.
///
/// # Errors
/// [`OperationError::Render`] when a value of the spec cannot stand in what machines run.
pub fn render(spec: &ValidSpec, assets: &AssetIndex) -> Result<Rendered, OperationError> {
    let blueprint = Blueprint::of(spec);
    let mut classes = Classes::new(&blueprint, assets);
    let mut rendered = Rendered {
        cluster: spec.name().clone(),
        machines: Vec::new(),
        unresolved: BTreeSet::new(),
    };
    for machine in blueprint.machines_and_any_of_groups() {
        let files = bundle_files(&blueprint, &mut classes, machine)?;
        let class = classes.of(machine)?;
        let assets: Vec<Asset> = Architecture::ALL.map(|of| class.assets(of)).concat();
        let unknown = assets.iter().filter(|asset| asset.sha256 == UNKNOWN_DIGEST);
        let unknown: Vec<String> = unknown.map(|asset| asset.name.clone()).collect();
        let is_final = unknown.is_empty() && machine.internal_address.is_some();
        rendered.unresolved.extend(unknown);
        rendered.machines.push(RenderedMachine {
            bundle: is_final.then_some(files.digest),
            kubernetes_version: files.bundle.kubernetes_version,
            etcd_version: files.bundle.etcd_version,
            release_files: assets.iter().map(release).collect(),
            files: files.files,
            ..described(machine, &files.certificates)
        });
    }
    rendered
        .machines
        .sort_by(|left, right| left.name.cmp(&right.name));
    Ok(rendered)
}

/// A machine and its certificates, without files.
fn described(machine: &MachineBlueprint<'_>, certificates: &MachineCertificates) -> RenderedMachine {
    let authorities = certificates.authorities.iter();
    let requirements = certificates.requirements.iter();
    RenderedMachine {
        name: machine.name.clone(),
        group: machine.group.clone(),
        roles: machine.roles.clone(),
        address: machine.address.clone(),
        internal_address: machine.internal_address,
        bundle: None,
        kubernetes_version: None,
        etcd_version: None,
        release_files: Vec::new(),
        certificates: requirements
            .filter_map(|(requirement, _)| {
                let place = requirement.place.as_ref()?;
                Some(RenderedCertificate {
                    certificate: requirement.certificate.clone(),
                    file: place.certificate_file.clone(),
                    key_file: place.key_file.clone(),
                    signer: requirement.signer,
                    common_name: requirement.common_name.clone(),
                    organizations: requirement.organizations.clone(),
                    usages: requirement.usages.clone(),
                    names: requirement.names.clone(),
                    key_algorithm: requirement.terms.algorithm,
                    validity: requirement.terms.validity,
                })
            })
            .collect(),
        authorities: authorities.map(|(name, path, _)| (path.clone(), *name)).collect(),
        other_secrets: certificates
            .others
            .iter()
            .map(|(_, path, _)| path.clone())
            .collect(),
        files: BTreeMap::new(),
    }
}

fn release(asset: &Asset) -> RenderedRelease {
    RenderedRelease {
        name: asset.name.clone(),
        sha256: (asset.sha256 != UNKNOWN_DIGEST).then(|| asset.sha256.hexadecimal()),
        from: match &asset.source {
            AssetSource::Url(url) => url.clone(),
            AssetSource::File(path) => path.display().to_string(),
        },
    }
}
