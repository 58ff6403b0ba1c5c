//! The bundles that machines are given: rendered from the spec, with the certificates that they lack.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use async_trait::async_trait;
use keelson_provider_api::bundle::{Bundle, BundleRecord, BundleSource, CertificatePaths, FoundOnMachine};
use keelson_provider_api::kinds::NodeBundle;
use keelson_provider_api::values::{Digest, Secret};
use keelson_provider_api::{Asset, ClusterIdentity, ErrorClass, ProviderError, with_causes};

use super::authorities::Authorities;
use super::bundle_files::{BundleFiles, bundle_files};
use crate::model::{Blueprint, Classes, MachineBlueprint, MachineCertificates, OtherSecret, host_identity};
use crate::node::kubernetes::encryption_configuration;
use crate::node::{Access, Architecture, AssetIndex, PlacedSecret, UNKNOWN_DIGEST};
use crate::pki::{Authority, AuthorityName, PkiError, Renewal, Verdict, issue, judge};
use crate::spec::ValidSpec;

/// The bundles of the machines that a spec asks for.
pub struct SpecBundles {
    spec: ValidSpec,
    assets: AssetIndex,
    authorities: Authorities,
    brought: BroughtFiles,
}

/// The contents of files on the operator's machine that a spec names and machines get, by the path in the spec.
pub type BroughtFiles = BTreeMap<String, Secret<String>>;

/// Private keys and certificates on their way to a machine, by their name on the way.
type Secrets = BTreeMap<String, Secret<Vec<u8>>>;

impl SpecBundles {
    /// The bundles of `spec`, with release files from `assets`, certificates from `authorities`, and files that the spec
    /// names from `brought`.
    pub fn new(spec: ValidSpec, assets: AssetIndex, authorities: Authorities, brought: BroughtFiles) -> Self {
        Self {
            spec,
            assets,
            authorities,
            brought,
        }
    }

    /// The spec.
    pub(super) fn spec(&self) -> &ValidSpec {
        &self.spec
    }

    /// The public half of the key that keelson logs in with, as a line of `authorized_keys`; made when there is none yet.
    pub(super) async fn login_key(&self) -> Result<String, ProviderError> {
        let key = self.authorities.login_key().await;
        Ok(key.map_err(|error| permanent(&error))?.authorized_key())
    }

    /// The digest of the bundle that the spec asks for on the machine `name`: its name, wherever it is.
    pub(super) fn digest_of(&self, name: &str) -> Result<Digest, ProviderError> {
        let blueprint = Blueprint::of(&self.spec);
        let machine = machine(&blueprint, name)?;
        check_address(machine)?;
        let mut classes = Classes::new(&blueprint, &self.assets);
        let files = bundle_files(&blueprint, &mut classes, machine).map_err(|error| permanent(&error))?;
        Ok(files.digest)
    }

    /// The bundle for a machine that is yet to be made: with all of its certificates, and what machines of each architecture
    /// install.
    pub(super) async fn for_first_boot(
        &self,
        cluster: &ClusterIdentity,
        name: &str,
    ) -> Result<Bundle, ProviderError> {
        let (wanted, assets) = {
            let blueprint = Blueprint::of(&self.spec);
            let machine = machine(&blueprint, name)?;
            let mut classes = Classes::new(&blueprint, &self.assets);
            let wanted = classes.bundle(machine).map_err(|error| permanent(&error))?;
            let class = classes.of(machine).map_err(|error| permanent(&error))?;
            (wanted, Architecture::ALL.map(|of| class.assets(of)).concat())
        };
        check_known(&assets)?;
        let found = FoundOnMachine::default();
        let bundle = self.bundle(cluster, &wanted, &found).await?;
        Ok(Bundle { assets, ..bundle })
    }

    /// What is wrong with the certificates and keys in `found` of the machine `name`.
    pub(super) async fn faults(
        &self,
        name: &str,
        found: &FoundOnMachine,
    ) -> Result<Vec<String>, ProviderError> {
        let wanted = {
            let blueprint = Blueprint::of(&self.spec);
            MachineCertificates::of(&blueprint, machine(&blueprint, name)?)
        };
        let mut faults = self.strangers(&wanted, found).await?;
        faults.extend(self.troubles(&wanted, found).await?);
        Ok(faults)
    }

    /// Certificates and keys for those of `found` that are not good or have lost their keys, and the authorities'
    /// certificates that differ.
    async fn secrets(
        &self,
        certificates: &MachineCertificates,
        found: &FoundOnMachine,
    ) -> Result<Secrets, ProviderError> {
        let mut secrets = Secrets::new();
        let mut put = |path: &str, content: &str| {
            let secret = PlacedSecret {
                path: path.to_owned(),
                access: Access::PUBLIC,
            };
            secrets.insert(secret.name(), Secret::new(content.as_bytes().to_vec()));
        };
        for (name, path, _) in &certificates.authorities {
            let authority = self.establish(*name).await?;
            let trusted = authority.trust_pem();
            if !holds(found, path, &trusted) {
                put(path, &trusted);
            }
        }
        let now = self.authorities.clock().now();
        for (requirement, _) in &certificates.requirements {
            let Some(place) = &requirement.place else {
                continue;
            };
            let authority = self.establish(requirement.signer).await?;
            let has_key = !found.missing_keys.contains(&place.key_file);
            let certificate = found
                .certificates
                .get(&place.certificate_file)
                .map(String::as_str);
            let verdict = judge(certificate, requirement, &authority, Renewal::CERTIFICATE, now);
            if verdict == Verdict::Good && has_key {
                continue;
            }
            let issued = issue(requirement, &authority, now).map_err(|error| permanent(&error))?;
            put(&place.certificate_file, &issued.certificate_pem);
            put(&place.key_file, issued.key_pem.expose());
        }
        // Keys are the same for the cluster's whole life, but not all that stands around them: how Secrets are encrypted, or
        // a file that the spec brings. So they are always sent; the apply script writes only what differs.
        for (what, path, _) in &certificates.others {
            put(path, self.other(what).await?.expose());
        }
        Ok(secrets)
    }

    async fn other(&self, what: &OtherSecret) -> Result<Secret<String>, ProviderError> {
        let authorities = &self.authorities;
        let lacking =
            |what: String, help: &str| ProviderError::new(ErrorClass::Permanent, what).with_help(help);
        match what {
            OtherSecret::AuthorityKey(name) => {
                let authority = self.establish(*name).await?;
                authority.key_pem().cloned().ok_or_else(|| {
                    let what = format!("the key of the authority {name} is not here");
                    lacking(what, "name its file in spec.pki.authorities")
                })
            }
            OtherSecret::ServiceAccountKey => {
                let key = authorities.service_account_key().await;
                Ok(key.map_err(|error| permanent(&error))?.private_pem().clone())
            }
            OtherSecret::ServiceAccountPublicKey => {
                let key = authorities.service_account_key().await;
                Ok(Secret::new(key.map_err(|error| permanent(&error))?.public_pem()))
            }
            OtherSecret::Encryption(provider) => {
                let key = authorities
                    .encryption_key()
                    .await
                    .map_err(|error| permanent(&error))?;
                encryption_configuration(*provider, &key).map_err(|error| permanent(&error))
            }
            OtherSecret::JoiningToken => {
                let token = authorities.joining_token().await;
                Ok(token.map_err(|error| permanent(&error))?.text().clone())
            }
            OtherSecret::KeyDigests { of_etcd_alone } => {
                let digests = authorities
                    .digests(*of_etcd_alone)
                    .await
                    .map_err(|error| permanent(&error))?;
                let digests: BTreeMap<String, String> = digests
                    .into_iter()
                    .map(|(name, digest)| (name, digest.to_string()))
                    .collect();
                let line = serde_json::to_string(&digests).map_err(|error| permanent(&error))?;
                Ok(Secret::new(format!("{line}\n")))
            }
            OtherSecret::BroughtCertificate(path) | OtherSecret::BroughtKey(path) => {
                self.brought.get(path).cloned().ok_or_else(|| {
                    lacking(
                        format!("{path}, which the spec names, was not read"),
                        "run the command again",
                    )
                })
            }
        }
    }

    /// The authority as the spec brings it or the store keeps it, if the cluster has one yet. One that the spec brings in
    /// another's place is refused when something is to be signed; until then the kept one counts.
    async fn known(&self, name: AuthorityName) -> Result<Option<Authority>, ProviderError> {
        let known = match self.authorities.existing(name).await {
            Err(PkiError::OtherAuthority { .. }) => self.authorities.find(name).await,
            known => known,
        };
        known.map_err(|error| permanent(&error))
    }

    /// The files that should hold an authority's certificate and hold another, or none.
    async fn strangers(
        &self,
        wanted: &MachineCertificates,
        found: &FoundOnMachine,
    ) -> Result<Vec<String>, ProviderError> {
        let mut strangers = Vec::new();
        for (name, path, _) in &wanted.authorities {
            let trusted = self.known(*name).await?.map(|authority| authority.trust_pem());
            if trusted.is_none_or(|trusted| !holds(found, path, &trusted)) {
                strangers.push(format!("{path} is not the certificate of the authority {name}"));
            }
        }
        Ok(strangers)
    }

    /// What is wrong with the certificates and keys that a machine has of its own.
    async fn troubles(
        &self,
        wanted: &MachineCertificates,
        found: &FoundOnMachine,
    ) -> Result<Vec<String>, ProviderError> {
        let now = self.authorities.clock().now();
        let mut troubles = Vec::new();
        for (_, path, _) in &wanted.others {
            if found.missing_keys.contains(path) {
                troubles.push(format!("{path} is missing"));
            }
        }
        for (source, path) in wanted.brought() {
            // A key is no matter here: it is renewed with its certificate.
            if let Some(brought) = self.brought.get(source)
                && !holds(found, path, brought.expose())
            {
                troubles.push(format!("{path} is not what {source} holds"));
            }
        }
        // Each is read once, however much it has signed.
        let mut signers = BTreeMap::new();
        for (requirement, _) in &wanted.requirements {
            let Some(place) = &requirement.place else {
                continue;
            };
            let certificate = found
                .certificates
                .get(&place.certificate_file)
                .map(String::as_str);
            let authority = match signers.entry(requirement.signer) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(missing) => missing.insert(self.known(requirement.signer).await?),
            };
            let Some(authority) = authority else {
                troubles.push(format!("{}: its authority is not kept", requirement.certificate));
                continue;
            };
            let verdict = judge(certificate, requirement, authority, Renewal::CERTIFICATE, now);
            if verdict != Verdict::Good {
                troubles.push(format!("{}: {verdict}", requirement.certificate));
            } else if found.missing_keys.contains(&place.key_file) {
                troubles.push(format!("{}: its key is missing", requirement.certificate));
            }
        }
        Ok(troubles)
    }

    async fn establish(&self, name: AuthorityName) -> Result<Authority, ProviderError> {
        let authority = self.authorities.establish(name).await;
        authority.map_err(|error| permanent(&error))
    }
}

#[async_trait]
impl BundleSource for SpecBundles {
    fn paths(&self, name: &str) -> CertificatePaths {
        let blueprint = Blueprint::of(&self.spec);
        let Ok(machine) = machine(&blueprint, name) else {
            return CertificatePaths::default();
        };
        let wanted = MachineCertificates::of(&blueprint, machine);
        CertificatePaths {
            certificates: wanted.certificate_paths(),
            keys: wanted.key_paths(),
        }
    }

    async fn lacking(&self, name: &str, found: &FoundOnMachine) -> Vec<String> {
        let blueprint = Blueprint::of(&self.spec);
        let Ok(machine) = machine(&blueprint, name) else {
            return Vec::new();
        };
        let now = self.authorities.clock().now();
        let mut lacking = Vec::new();
        for (requirement, _) in MachineCertificates::of(&blueprint, machine).requirements {
            let brought = self.authorities.brought(requirement.signer);
            let keyless = brought.filter(|authority| authority.key_pem().is_none());
            let (Some(authority), Some(place)) = (keyless, &requirement.place) else {
                continue;
            };
            let file = &place.certificate_file;
            let certificate = found.certificates.get(file).map(String::as_str);
            let verdict = judge(certificate, &requirement, authority, Renewal::CERTIFICATE, now);
            if verdict != Verdict::Good {
                lacking.push(format!("{file}: {verdict}"));
            } else if found.missing_keys.contains(&place.key_file) {
                lacking.push(format!("{}: there is no key", place.key_file));
            }
        }
        lacking
    }

    async fn bundle(
        &self,
        _cluster: &ClusterIdentity,
        wanted: &NodeBundle,
        found: &FoundOnMachine,
    ) -> Result<Bundle, ProviderError> {
        let blueprint = Blueprint::of(&self.spec);
        let (files, assets) = {
            let machine = machine(&blueprint, &wanted.machine)?;
            check_address(machine)?;
            let mut classes = Classes::new(&blueprint, &self.assets);
            let files = bundle_files(&blueprint, &mut classes, machine).map_err(|error| permanent(&error))?;
            check_wanted(wanted, &files.bundle)?;
            let class = classes.of(machine).map_err(|error| permanent(&error))?;
            // An architecture that keelson does not know gets none, and the apply script says so.
            let architecture = Architecture::of_machine(&found.architecture);
            let assets = architecture.map(|architecture| class.assets(architecture));
            (files, assets.unwrap_or_default())
        };
        check_known(&assets)?;
        let BundleFiles {
            files,
            digest,
            certificates,
            ..
        } = files;
        let secrets = self.secrets(&certificates, found).await?;
        Ok(Bundle {
            digest,
            files,
            assets,
            secrets,
        })
    }

    async fn judge(
        &self,
        record: &BundleRecord,
        found: &FoundOnMachine,
    ) -> Result<NodeBundle, ProviderError> {
        let mut bundle = record.bundle.clone();
        let blueprint = Blueprint::of(&self.spec);
        // The certificates of a machine that is to go need no renewal.
        let Ok(machine) = machine(&blueprint, &bundle.machine) else {
            return Ok(bundle);
        };
        let wanted = MachineCertificates::of(&blueprint, machine);
        let strangers = self.strangers(&wanted, found).await?;
        if bundle.authorities.is_some() && !strangers.is_empty() {
            bundle.authorities = Some(Digest::of_json(&strangers));
        }
        let troubles = self.troubles(&wanted, found).await?;
        if bundle.certificates.is_some() && !troubles.is_empty() {
            bundle.certificates = Some(Digest::of_json(&troubles));
        }
        Ok(bundle)
    }
}

fn holds(found: &FoundOnMachine, path: &str, text: &str) -> bool {
    found.certificates.get(path).map(|found| found.trim()) == Some(text.trim())
}

/// The machine of that name in the spec; or any machine of the group of that name, of those that keep their size by themselves.
pub(super) fn machine<'a, 'b>(
    blueprint: &'b Blueprint<'a>,
    name: &str,
) -> Result<&'b MachineBlueprint<'a>, ProviderError> {
    let mut machines = blueprint.machines_and_any_of_groups();
    let found = machines.find(|machine| machine.name == name);
    found.ok_or_else(|| {
        ProviderError::new(
            ErrorClass::Permanent,
            format!("the spec has no machine {name} any more"),
        )
    })
}

/// Refuses a machine whose files cannot be made yet.
fn check_address(machine: &MachineBlueprint<'_>) -> Result<(), ProviderError> {
    // One that joins by itself finds it out.
    if machine.joins_by_itself || host_identity(machine).is_some() {
        return Ok(());
    }
    let message = format!("the address of {} among the others is not known", machine.name);
    Err(ProviderError::new(ErrorClass::Permanent, message))
}

/// Refuses release files whose digests were not looked up: the session was made only to look.
fn check_known(assets: &[Asset]) -> Result<(), ProviderError> {
    let Some(unknown) = assets.iter().find(|asset| asset.sha256 == UNKNOWN_DIGEST) else {
        return Ok(());
    };
    let message = format!(
        "the digest of {} was not looked up, so it cannot be installed",
        unknown.name
    );
    Err(ProviderError::new(ErrorClass::Permanent, message)
        .with_help("connect without `installs_nothing` to apply"))
}

/// Refuses a bundle that the spec does not ask for: a plan that was made from another one.
fn check_wanted(wanted: &NodeBundle, asked: &NodeBundle) -> Result<(), ProviderError> {
    if asked == wanted {
        return Ok(());
    }
    let message = format!(
        "node-bundle/{} is not what the spec asks for any more",
        wanted.machine
    );
    Err(ProviderError::new(ErrorClass::Permanent, message)
        .with_help("plan again: the spec or a release file has changed since"))
}

/// An error with all its causes, which trying again does not mend.
pub(super) fn permanent(error: &(dyn std::error::Error + 'static)) -> ProviderError {
    ProviderError::new(ErrorClass::Permanent, with_causes(error))
}
