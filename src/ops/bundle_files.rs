//! The files of a machine's bundle.

use std::collections::BTreeMap;

use keelson_provider_api::bundle::BundleRecord;
use keelson_provider_api::kinds::NodeBundle;
use keelson_provider_api::values::Digest;

use crate::model::{Blueprint, Classes, MachineBlueprint, MachineCertificates, host_identity};
use crate::node::RenderError;

/// The bundle's file with its [`BundleRecord`].
const RECORD_FILE: &str = "record.json";

/// What a machine's bundle consists of, without anything secret.
pub(super) struct BundleFiles {
    /// What the spec asks for.
    pub bundle: NodeBundle,
    /// The files, by their path in the bundle.
    pub files: BTreeMap<String, Vec<u8>>,
    /// The bundle's name.
    pub digest: Digest,
    /// The certificates and keys that come beside it.
    pub certificates: MachineCertificates,
}

/// The files of the bundle that the spec asks for on `machine`. Where the address that others reach it at is not known yet,
/// those with what is the machine's own are left out.
pub(super) fn bundle_files(
    blueprint: &Blueprint<'_>,
    classes: &mut Classes<'_>,
    machine: &MachineBlueprint<'_>,
) -> Result<BundleFiles, RenderError> {
    let bundle = classes.bundle(machine)?;
    let host = host_identity(machine);
    let class = classes.of(machine)?;
    let mut files = match &host {
        Some(host) => class.of_host(host)?,
        None => class.shared().clone(),
    };
    let class_digest = class.digest(host.as_ref());
    let certificates = MachineCertificates::of(blueprint, machine);
    let record = BundleRecord {
        bundle: bundle.clone(),
        certificates: certificates.certificate_paths(),
        keys: certificates.key_paths(),
    };
    // Texts, numbers and lists of them always have a JSON form.
    let record = serde_json::to_vec_pretty(&record).unwrap_or_default();
    // A record that differs makes another bundle, or the machine would go on with the one that it has.
    let digest = Digest::of_json(&(class_digest, Digest::of_bytes(&record)));
    files.insert(RECORD_FILE.to_owned(), record);
    Ok(BundleFiles {
        bundle,
        files,
        digest,
        certificates,
    })
}
