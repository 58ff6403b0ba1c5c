//! Whether a certificate is the wanted one.

use std::collections::BTreeSet;
use std::fmt;

use jiff::{SignedDuration, Timestamp};
use keelson_provider_api::values::{Digest, Span};
use serde::Serialize;

use super::authority::Authority;
use super::certificate::Certificate;
use super::facts::{SubjectName, Terms};
use super::requirement::Requirement;
use super::table::Usage;

/// What a look at a certificate came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum Verdict {
    /// It is the wanted one.
    Good,
    /// There is none.
    Missing,
    /// It could not be looked at.
    Unknown {
        /// Why not.
        reason: String,
    },
    /// It cannot be read.
    Unreadable {
        /// What is wrong with it.
        problem: String,
    },
    /// Another authority signed it, or none at all.
    WrongSigner {
        /// Whom it names as its issuer.
        issuer: String,
    },
    /// It is the certificate of an authority that is not the cluster's.
    OtherAuthority {
        /// The digest of its key.
        fingerprint: Digest,
    },
    /// Its time is over.
    Expired {
        /// Since when.
        since: Timestamp,
    },
    /// Its time has not come.
    NotYetValid {
        /// When it comes.
        from: Timestamp,
    },
    /// It is someone else's, or has other groups.
    WrongSubject {
        /// Whose it is.
        found: String,
    },
    /// It is for other names and addresses.
    WrongNames {
        /// Those that it lacks.
        missing: BTreeSet<SubjectName>,
        /// Those that it should not have.
        unwanted: BTreeSet<SubjectName>,
    },
    /// It is for something else.
    WrongUsages {
        /// What it is for; `null` for everything.
        found: Option<BTreeSet<Usage>>,
    },
    /// Its key is of another kind.
    WrongAlgorithm {
        /// Of this one.
        found: String,
    },
    /// It is the wanted one, and its time is nearly over.
    ExpiresSoon {
        /// When it is over.
        end: Timestamp,
    },
}

impl fmt::Display for Verdict {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Good => formatter.write_str("good"),
            Self::Missing => formatter.write_str("there is no certificate"),
            Self::Unknown { reason } => write!(formatter, "could not be looked at: {reason}"),
            Self::OtherAuthority { fingerprint } => {
                write!(formatter, "belongs to another authority, {fingerprint}")
            }
            Self::Unreadable { problem } => write!(formatter, "cannot be read: {problem}"),
            Self::WrongSigner { issuer } => {
                write!(
                    formatter,
                    "not signed by the cluster's authority, but by `{issuer}`"
                )
            }
            Self::Expired { since } => write!(formatter, "expired at {since}"),
            Self::NotYetValid { from } => write!(formatter, "not valid before {from}"),
            Self::WrongSubject { found } => write!(formatter, "belongs to `{found}`"),
            Self::WrongNames { missing, unwanted } => {
                let list = |names: &BTreeSet<SubjectName>| {
                    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
                    names.join(", ")
                };
                match (missing.is_empty(), unwanted.is_empty()) {
                    (false, true) => write!(formatter, "lacks {}", list(missing)),
                    (true, _) => write!(formatter, "is also for {}", list(unwanted)),
                    (false, false) => {
                        write!(
                            formatter,
                            "lacks {} and is also for {}",
                            list(missing),
                            list(unwanted)
                        )
                    }
                }
            }
            Self::WrongUsages { found } => match found {
                None => formatter.write_str("may be used for everything"),
                Some(found) => {
                    let name = |usage: &Usage| match usage {
                        Usage::Server => "servers",
                        Usage::Client => "clients",
                    };
                    let found: Vec<&str> = found.iter().map(name).collect();
                    write!(
                        formatter,
                        "is for {}",
                        if found.is_empty() {
                            "neither".to_owned()
                        } else {
                            found.join(" and ")
                        }
                    )
                }
            },
            Self::WrongAlgorithm { found } => write!(formatter, "has a key of {found}"),
            Self::ExpiresSoon { end } => write!(formatter, "expires soon, at {end}"),
        }
    }
}

/// When a certificate is to be replaced, although it is still valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Renewal {
    /// When less than so many hundredths of its life are left.
    LifeLeft {
        /// The hundredths.
        percent: u32,
    },
    /// When less than this is left.
    TimeLeft(Span),
}

impl Renewal {
    /// Of certificates: a third of their life. It fits lives of hours and of years alike, where a number of days
    /// does not; cert-manager renews then too, ACME's clients mostly, and the kubelet earlier in the last third
    /// (`k8s.io/client-go/util/certificate`, 70 to 90 % of its life).
    pub const CERTIFICATE: Self = Self::LifeLeft { percent: 33 };
    /// Of authorities: the life of a certificate. From then on what they issue is shorter than it should be.
    pub const AUTHORITY: Self = Self::TimeLeft(Terms::CERTIFICATE.validity);

    /// True when it is to be replaced.
    pub(super) fn is_due(self, not_before: Timestamp, not_after: Timestamp, now: Timestamp) -> bool {
        let left = not_after.duration_since(now);
        match self {
            Self::LifeLeft { percent } => {
                let life = not_after.duration_since(not_before);
                left.as_secs().saturating_mul(100) < life.as_secs().saturating_mul(i64::from(percent))
            }
            Self::TimeLeft(least) => {
                SignedDuration::try_from(least.as_duration()).is_ok_and(|least| left < least)
            }
        }
    }
}

/// Compares the certificate that was found, PEM, with the wanted one.
pub fn judge(
    found: Option<&str>,
    requirement: &Requirement,
    authority: &Authority,
    renewal: Renewal,
    now: Timestamp,
) -> Verdict {
    let Some(pem) = found else {
        return Verdict::Missing;
    };
    match Certificate::from_pem(pem, &requirement.certificate) {
        Ok(found) => compare(&found, requirement, authority, renewal, now),
        Err(problem) => Verdict::Unreadable {
            problem: problem.to_string(),
        },
    }
}

/// The worst that is wrong comes first.
pub(super) fn compare(
    found: &Certificate,
    requirement: &Requirement,
    authority: &Authority,
    renewal: Renewal,
    now: Timestamp,
) -> Verdict {
    if !found.is_signed_by(authority.certificate()) {
        return Verdict::WrongSigner {
            issuer: found.issuer.clone(),
        };
    }
    if let Some(verdict) = out_of_time(found, now) {
        return verdict;
    }
    if found.common_name != requirement.common_name || found.organizations != requirement.organizations {
        return Verdict::WrongSubject {
            found: found.subject.clone(),
        };
    }
    if found.names != requirement.names {
        return Verdict::WrongNames {
            missing: requirement.names.difference(&found.names).cloned().collect(),
            unwanted: found.names.difference(&requirement.names).cloned().collect(),
        };
    }
    if found.usages.as_ref() != Some(&requirement.usages) {
        return Verdict::WrongUsages {
            found: found.usages.clone(),
        };
    }
    if found.algorithm != requirement.terms.algorithm.name() {
        return Verdict::WrongAlgorithm {
            found: found.algorithm.clone(),
        };
    }
    if renewal.is_due(found.not_before, found.not_after, now) {
        return Verdict::ExpiresSoon { end: found.not_after };
    }
    Verdict::Good
}

pub(super) fn out_of_time(found: &Certificate, now: Timestamp) -> Option<Verdict> {
    if found.not_after <= now {
        return Some(Verdict::Expired {
            since: found.not_after,
        });
    }
    (now < found.not_before).then_some(Verdict::NotYetValid {
        from: found.not_before,
    })
}
