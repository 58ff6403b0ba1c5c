//! Every certificate of a cluster: in the state store, and on its machines.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::StreamExt;
use futures_util::stream;
use jiff::Timestamp;
use keelson_provider_api::values::{ClusterName, Span};
use keelson_provider_api::{
    CertificatePaths, ClusterIdentity, FoundOnMachine, Observed, ProviderError, with_causes,
};
use serde::Serialize;

use super::authorities::Authorities;
use super::error::OperationError;
use super::machine_access::MachineAccess;
use super::session::Session;
use crate::model::{Blueprint, MachineCertificates};
use crate::pki::{
    Authority, AuthorityName, CertificateRecord, LookedFor, PkiError, Renewal, Renewals, Requirement,
    Verdict, check_certificates,
};

/// Machines that are asked at the same time.
const MACHINES_AT_ONCE: usize = 32;
/// Where the authorities are kept.
const STATE_STORE: &str = "state store";
/// What is left of a certificate when it is time to do something, where the user says nothing else.
const WARNING: Span = Span::from_secs(30 * 24 * 60 * 60);
/// Of certificates that are made for less than three times that: a third of their life.
const WARNING_PARTS: u64 = 3;

/// Every certificate of a cluster.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CertificateReport {
    /// The cluster.
    pub name: ClusterName,
    /// When the certificates were looked at.
    pub checked_at: Timestamp,
    /// True when every certificate is good, and every machine of the cluster was asked.
    pub good: bool,
    /// The certificates: the state store's, then each machine's.
    pub certificates: Vec<CertificateRecord>,
    /// Keys in the state store that have no certificate, and those that certificates on machines lack.
    pub keys: Vec<KeyRecord>,
    /// Machines whose certificates could not be looked at.
    pub unseen: Vec<UnseenMachine>,
    /// Machines of the spec that have not been brought in yet, so that they have no certificates.
    pub not_yet: Vec<String>,
    /// Why this is not the whole truth, if it is not.
    pub caveat: Option<String>,
}

/// A key that has no certificate, and so no end; or one that a certificate on a machine lacks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct KeyRecord {
    /// What it is.
    pub key: String,
    /// Where it is.
    pub place: String,
    /// Why it cannot be used, if so.
    pub problem: Option<String>,
}

/// A machine that could not be asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UnseenMachine {
    /// The machine.
    pub machine: String,
    /// Why not.
    pub problem: String,
    /// What to do about it.
    pub help: Option<String>,
}

impl Session {
    /// Looks at every certificate of the cluster. One that ends within `warn_within` is not good; without it, one that
    /// ends within 30 days, or within a third of its life where that is less. Nothing is touched.
    ///
    /// # Errors
    /// [`OperationError::NoCluster`] before the first apply.
    pub async fn check_certificates(
        &self,
        warn_within: Option<Span>,
    ) -> Result<CertificateReport, OperationError> {
        let identity = self.existing_identity().await?;
        let mut report = CertificateReport {
            name: identity.name.clone(),
            checked_at: self.clock().now(),
            good: true,
            certificates: Vec::new(),
            keys: Vec::new(),
            unseen: Vec::new(),
            not_yet: Vec::new(),
            caveat: None,
        };
        let (Some(authorities), Some(access)) = (&self.parts.authorities, self.machine_access()) else {
            report.caveat = Some("the cluster is simulated: it has no certificates".to_owned());
            return Ok(report);
        };
        let blueprint = Blueprint::of(self.spec());
        let wanted = wanted(&blueprint);
        let kept = Kept::read(authorities, &signers(&wanted)).await;
        report.checked_at = authorities.clock().now();
        report.keys = kept_keys(authorities).await;
        let found = ask(access, &identity, &wanted).await;
        let mut rows = kept.rows();
        for (machine, certificates) in &wanted {
            match found.get(machine) {
                Some(Ok(Some(found))) => {
                    rows.extend(rows_of(machine, certificates, &found.certificates, &kept));
                    report.keys.extend(missing_keys(machine, certificates, found));
                }
                Some(Ok(None)) | None => report.not_yet.push(machine.clone()),
                Some(Err(error)) => report.unseen.push(UnseenMachine {
                    machine: machine.clone(),
                    problem: error.message.clone(),
                    help: error.help.clone(),
                }),
            }
        }
        let looked_for: Vec<LookedFor<'_>> = rows.iter().map(Row::looked_for).collect();
        let renewals = self.renewals(warn_within);
        report.certificates = check_certificates(&looked_for, &kept.known, renewals, report.checked_at);
        report.good = report.unseen.is_empty()
            && report.keys.iter().all(|key| key.problem.is_none())
            && report.certificates.iter().all(|row| row.verdict == Verdict::Good);
        Ok(report)
    }

    fn renewals(&self, warn_within: Option<Span>) -> Renewals {
        let pki = &self.spec().pki;
        let of = |validity: Span| {
            let third = Span::from_millis(validity.as_millis() / WARNING_PARTS);
            Renewal::TimeLeft(warn_within.unwrap_or(WARNING.min(third)))
        };
        Renewals {
            issued: of(pki.certificate_validity),
            authorities: of(pki.authority_validity),
        }
    }
}

/// The certificates of each machine that has any.
fn wanted(blueprint: &Blueprint<'_>) -> BTreeMap<String, MachineCertificates> {
    let machines = blueprint.machines.iter();
    machines
        .map(|machine| (machine.name.clone(), MachineCertificates::of(blueprint, machine)))
        .filter(|(_, certificates)| !certificates.requirements.is_empty())
        .collect()
}

fn signers(wanted: &BTreeMap<String, MachineCertificates>) -> BTreeSet<AuthorityName> {
    let requirements = wanted
        .values()
        .flat_map(|certificates| &certificates.requirements);
    let placed = wanted.values().flat_map(|certificates| &certificates.authorities);
    let signers = requirements.map(|(requirement, _)| requirement.signer);
    signers.chain(placed.map(|(name, _, _)| *name)).collect()
}

/// The authorities in the state store.
struct Kept {
    known: BTreeMap<AuthorityName, Authority>,
    seen: BTreeMap<AuthorityName, Observed<String>>,
}

impl Kept {
    /// Reads every authority; of one that is missing, only if it is `needed` there is something to say.
    async fn read(authorities: &Authorities, needed: &BTreeSet<AuthorityName>) -> Self {
        let (mut known, mut seen) = (BTreeMap::new(), BTreeMap::new());
        for name in AuthorityName::ALL {
            match authorities.existing(name).await {
                Ok(Some(authority)) => {
                    seen.insert(name, Observed::Present(authority.trust_pem()));
                    known.insert(name, authority);
                }
                Ok(None) if needed.contains(&name) => {
                    seen.insert(name, Observed::Absent);
                }
                Ok(None) => {}
                Err(error) => {
                    seen.insert(name, Observed::Unknown(with_causes(&error)));
                }
            }
        }
        Self { known, seen }
    }

    fn rows(&self) -> Vec<Row<'_>> {
        let row = |(name, seen): (&AuthorityName, &Observed<String>)| Row {
            what: What::Authority(*name, STATE_STORE.to_owned()),
            seen: seen.clone(),
        };
        self.seen.iter().map(row).collect()
    }

    /// What was found of a certificate of `signer`; where that cannot be read, nothing can be said of what it signed.
    fn judged(&self, signer: AuthorityName, found: Option<&String>) -> Observed<String> {
        match (self.seen.get(&signer), found) {
            (Some(Observed::Unknown(reason)), _) => {
                Observed::Unknown(format!("the {signer} authority cannot be read: {reason}"))
            }
            (_, Some(pem)) => Observed::Present(pem.clone()),
            (_, None) => Observed::Absent,
        }
    }
}

/// A certificate that is looked for, and what was seen of it.
struct Row<'a> {
    what: What<'a>,
    seen: Observed<String>,
}

enum What<'a> {
    Authority(AuthorityName, String),
    Issued(&'a Requirement),
}

impl Row<'_> {
    fn looked_for(&self) -> LookedFor<'_> {
        match &self.what {
            What::Authority(name, place) => LookedFor::Authority {
                name: *name,
                place,
                seen: &self.seen,
            },
            What::Issued(requirement) => LookedFor::Issued {
                requirement,
                seen: &self.seen,
            },
        }
    }
}

fn rows_of<'a>(
    machine: &str,
    certificates: &'a MachineCertificates,
    found: &BTreeMap<String, String>,
    kept: &Kept,
) -> Vec<Row<'a>> {
    let authorities = certificates.authorities.iter().map(|(name, path, _)| Row {
        what: What::Authority(*name, format!("{machine}:{path}")),
        seen: kept.judged(*name, found.get(path)),
    });
    let issued = certificates.requirements.iter().filter_map(|(requirement, _)| {
        let place = requirement.place.as_ref()?;
        Some(Row {
            what: What::Issued(requirement),
            seen: kept.judged(requirement.signer, found.get(&place.certificate_file)),
        })
    });
    authorities.chain(issued).collect()
}

/// The keys in the state store that have no certificate.
async fn kept_keys(authorities: &Authorities) -> Vec<KeyRecord> {
    let service_account = authorities.existing_service_account_key().await;
    let encryption = authorities.existing_encryption_key().await;
    let found = [
        ("service-account", service_account.map(|key| key.map(drop))),
        ("encryption", encryption.map(|key| key.map(drop))),
    ];
    let record = |(key, found): (&str, Result<Option<()>, PkiError>)| {
        let problem = match found {
            Ok(None) => return None,
            Ok(Some(())) => None,
            Err(error) => Some(with_causes(&error)),
        };
        Some(KeyRecord {
            key: key.to_owned(),
            place: STATE_STORE.to_owned(),
            problem,
        })
    };
    found.into_iter().filter_map(record).collect()
}

/// The keys of certificates on `machine` that are not there, or are empty. Where the certificate is not there either, that is
/// what is told.
fn missing_keys(machine: &str, certificates: &MachineCertificates, found: &FoundOnMachine) -> Vec<KeyRecord> {
    let places = certificates.requirements.iter();
    let has_certificate = |key: &&String| {
        let mut places = places
            .clone()
            .filter_map(|(requirement, _)| requirement.place.as_ref());
        let place = places.find(|place| place.key_file == **key);
        place.is_none_or(|place| found.certificates.contains_key(&place.certificate_file))
    };
    let missing = found.missing_keys.iter().filter(has_certificate);
    missing
        .map(|path| KeyRecord {
            key: path.clone(),
            place: machine.to_owned(),
            problem: Some("it is missing, so its certificate is of no use".to_owned()),
        })
        .collect()
}

type Found = Result<Option<FoundOnMachine>, ProviderError>;

async fn ask(
    access: &dyn MachineAccess,
    identity: &ClusterIdentity,
    wanted: &BTreeMap<String, MachineCertificates>,
) -> BTreeMap<String, Found> {
    let machines = wanted.iter();
    let asked: Vec<_> = machines
        .map(|(machine, certificates)| async move {
            let paths = CertificatePaths {
                certificates: certificates.certificate_paths(),
                keys: certificates.issued_key_paths(),
            };
            let found = access.certificates(identity, machine, &paths).await;
            (machine.clone(), found)
        })
        .collect();
    stream::iter(asked)
        .buffer_unordered(MACHINES_AT_ONCE)
        .collect()
        .await
}
