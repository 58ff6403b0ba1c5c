//! What `certs check` shows: a row a certificate.

use std::collections::BTreeMap;

use jiff::Timestamp;
use keelson_provider_api::Observed;
use serde::Serialize;

use super::authority::Authority;
use super::certificate::Certificate;
use super::requirement::Requirement;
use super::table::AuthorityName;
use super::verdict::{Renewal, Verdict, judge, out_of_time};

const DAY_SECS: i64 = 24 * 60 * 60;

/// A certificate that was looked for: a machine's, or an authority's in the state store or on a machine. What was seen
/// of it is PEM.
#[derive(Debug, Clone, Copy)]
pub enum LookedFor<'a> {
    /// One that an authority of the cluster issues.
    Issued {
        /// What it is to be.
        requirement: &'a Requirement,
        /// What was seen.
        seen: &'a Observed<String>,
    },
    /// That of an authority itself.
    Authority {
        /// The authority.
        name: AuthorityName,
        /// Where it was looked for: the state store, or a machine and its file.
        place: &'a str,
        /// What was seen.
        seen: &'a Observed<String>,
    },
}

/// When certificates are to be replaced although they are still valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Renewals {
    /// Those that authorities issue.
    pub issued: Renewal,
    /// Those of authorities.
    pub authorities: Renewal,
}

impl Default for Renewals {
    fn default() -> Self {
        Self {
            issued: Renewal::CERTIFICATE,
            authorities: Renewal::AUTHORITY,
        }
    }
}

/// A row of `certs check`. The columns are those of `kubeadm certs check-expiration`, and what is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CertificateRecord {
    /// The certificate.
    pub certificate: String,
    /// Where it is: a machine and its file, the state store, or nowhere for a user's.
    pub place: String,
    /// Whose it is, if it can be read: `O=system:nodes, CN=system:node:a`.
    pub subject: Option<String>,
    /// Whom it names as its issuer, if it can be read.
    pub issuer: Option<String>,
    /// Until when it is valid, if it can be read.
    pub expires: Option<Timestamp>,
    /// How long that is from now; negative when it is over.
    pub residual_secs: Option<i64>,
    /// The same in whole days, rounded down.
    pub residual_days: Option<i64>,
    /// The authority that signs it, or that it is the certificate of.
    pub authority: AuthorityName,
    /// True when that authority's key is not keelson's, so that keelson cannot renew it.
    pub externally_managed: bool,
    /// How it is.
    pub verdict: Verdict,
    /// The same in words.
    pub words: String,
}

/// Looks at every certificate that was looked for, in that order. `authorities` are those of the cluster.
pub fn check_certificates(
    looked_for: &[LookedFor<'_>],
    authorities: &BTreeMap<AuthorityName, Authority>,
    renewals: Renewals,
    now: Timestamp,
) -> Vec<CertificateRecord> {
    let rows = looked_for.iter();
    rows.map(|looked_for| record(*looked_for, authorities, renewals, now))
        .collect()
}

fn record(
    looked_for: LookedFor<'_>,
    authorities: &BTreeMap<AuthorityName, Authority>,
    renewals: Renewals,
    now: Timestamp,
) -> CertificateRecord {
    let (certificate, place, name, seen) = match looked_for {
        LookedFor::Issued { requirement, seen } => {
            let place = requirement.place.as_ref();
            let place = place.map(|place| format!("{}:{}", place.machine, place.certificate_file));
            let certificate = requirement.certificate.clone();
            (certificate, place.unwrap_or_default(), requirement.signer, seen)
        }
        LookedFor::Authority { name, place, seen } => {
            (name.row().common_name.to_owned(), place.to_owned(), name, seen)
        }
    };
    let authority = authorities.get(&name);
    let verdict = match (authority, seen) {
        (_, Observed::Unknown(reason)) => Verdict::Unknown {
            reason: reason.clone(),
        },
        (None, _) => Verdict::Unknown {
            reason: format!("the cluster has no {name} authority"),
        },
        (Some(_), Observed::Absent) => Verdict::Missing,
        (Some(authority), Observed::Present(pem)) => match looked_for {
            LookedFor::Issued { requirement, .. } => {
                judge(Some(pem), requirement, authority, renewals.issued, now)
            }
            LookedFor::Authority { .. } => judge_authority(pem, authority, renewals.authorities, now),
        },
    };
    let found = match seen {
        Observed::Present(pem) => Certificate::from_pem(pem, &certificate).ok(),
        Observed::Absent | Observed::Unknown(_) => None,
    };
    let expires = found.as_ref().map(|found| found.not_after);
    let residual_secs = expires.map(|expires| expires.duration_since(now).as_secs());
    CertificateRecord {
        certificate,
        place,
        subject: found.as_ref().map(|found| found.subject.clone()),
        issuer: found.map(|found| found.issuer),
        expires,
        residual_secs,
        residual_days: residual_secs.map(|seconds| seconds.div_euclid(DAY_SECS)),
        authority: name,
        externally_managed: authority.is_some_and(|authority| authority.key_pem().is_none()),
        words: verdict.to_string(),
        verdict,
    }
}

/// An authority is the key: with another certificate for the same key it is still the same.
fn judge_authority(pem: &str, authority: &Authority, renewal: Renewal, now: Timestamp) -> Verdict {
    let found = match Certificate::from_pem(pem, authority.name().row().common_name) {
        Ok(found) => found,
        Err(problem) => {
            return Verdict::Unreadable {
                problem: problem.to_string(),
            };
        }
    };
    if found.fingerprint != authority.fingerprint() {
        return Verdict::OtherAuthority {
            fingerprint: found.fingerprint,
        };
    }
    if let Some(verdict) = out_of_time(&found, now) {
        return verdict;
    }
    if renewal.is_due(found.not_before, found.not_after, now) {
        return Verdict::ExpiresSoon { end: found.not_after };
    }
    Verdict::Good
}
