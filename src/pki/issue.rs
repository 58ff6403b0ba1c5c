//! Issuing certificates.

use jiff::{SignedDuration, Timestamp};
use keelson_provider_api::values::{Secret, Span};
use rcgen::{
    CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod, KeyUsagePurpose, SanType,
    SerialNumber,
};
use time::OffsetDateTime;

use super::authority::Authority;
use super::certificate::Certificate;
use super::der::{self, Unsigned};
use super::error::PkiError;
use super::facts::SubjectName;
use super::keys::PrivateKey;
use super::requirement::Requirement;
use super::table::Usage;

/// Clocks of a cluster's machines differ; kubeadm begins certificates so much earlier for it
/// (`CertificateBackdate`, `cmd/kubeadm/app/constants`).
const BACKDATE: SignedDuration = SignedDuration::from_mins(5);

/// A certificate that has just been issued, and its key.
#[derive(Debug, Clone)]
pub struct IssuedCertificate {
    /// The certificate, and those of authorities between it and the topmost one, PEM.
    pub certificate_pem: String,
    /// Its private key, PEM.
    pub key_pem: Secret<String>,
    /// Until when it is valid.
    pub not_after: Timestamp,
}

/// Issues a certificate with a new key. It does not last longer than its authority.
///
/// # Errors
/// [`PkiError::NoKey`] when the authority's key is not known, [`PkiError::Ends`] when its time is over, and
/// [`PkiError::Make`] when a name cannot stand in a certificate.
pub fn issue(
    requirement: &Requirement,
    authority: &Authority,
    now: Timestamp,
) -> Result<IssuedCertificate, PkiError> {
    check_can_issue(authority, std::slice::from_ref(requirement), now)?;
    let Some(signing_key) = authority.key() else {
        return Err(no_key(authority, std::slice::from_ref(requirement)));
    };
    let what = &requirement.certificate;
    let failed = |source| PkiError::Make {
        what: what.clone(),
        source,
    };
    let key = PrivateKey::generate(requirement.terms.algorithm, what)?;
    let (_, end) = authority.validity();
    let mut parameters = parameters(what, now, requirement.terms.validity, Some(end))?;
    parameters.is_ca = IsCa::ExplicitNoCa;
    parameters.extended_key_usages = requirement.usages.iter().map(|usage| usage.purpose()).collect();
    for name in &requirement.names {
        parameters.subject_alt_names.push(match name {
            SubjectName::Dns(name) => SanType::DnsName(name.as_str().try_into().map_err(failed)?),
            SubjectName::Ip(address) => SanType::IpAddress(*address),
        });
    }
    let key_identifier = authority.certificate().signing.key_identifier.clone();
    parameters.use_authority_key_identifier_extension = key_identifier.is_some();
    let mut above = CertificateParams::default();
    above.key_identifier_method = KeyIdMethod::PreSpecified(key_identifier.unwrap_or_default());
    let issuer = Issuer::new(above, Unsigned(signing_key.pair()));
    let unsigned = parameters.signed_by(key.pair(), &issuer).map_err(failed)?;
    let organizations = requirement.organizations.iter().map(String::as_str);
    let signed = der::signed(
        unsigned.der(),
        &authority.certificate().signing.raw_subject,
        &der::name(organizations, &requirement.common_name),
        signing_key.pair(),
    );
    let certificate =
        Certificate::from_der(signed.map_err(failed)?).map_err(|problem| PkiError::Certificate {
            what: what.clone(),
            problem,
        })?;
    Ok(IssuedCertificate {
        certificate_pem: certificate.pem() + &authority.intermediates_pem(),
        key_pem: key.pem().clone(),
        not_after: certificate.not_after,
    })
}

/// Makes sure that `authority` can issue all of these, before anything is begun.
///
/// # Errors
/// [`PkiError::NoKey`] with every certificate that its owner would have to issue, [`PkiError::Ends`] when its time
/// is over, [`PkiError::OtherSigner`] when another authority signs one of them.
pub fn check_can_issue(
    authority: &Authority,
    requirements: &[Requirement],
    now: Timestamp,
) -> Result<(), PkiError> {
    if let Some(other) = requirements
        .iter()
        .find(|requirement| requirement.signer != authority.name())
    {
        return Err(PkiError::OtherSigner {
            certificate: other.certificate.clone(),
            wanted: other.signer,
            given: authority.name(),
        });
    }
    if authority.key().is_none() && !requirements.is_empty() {
        return Err(no_key(authority, requirements));
    }
    let (_, end) = authority.validity();
    if end <= now {
        return Err(PkiError::Ends {
            authority: authority.name(),
            end,
        });
    }
    Ok(())
}

fn no_key(authority: &Authority, requirements: &[Requirement]) -> PkiError {
    PkiError::NoKey {
        authority: authority.name(),
        files: requirements.iter().map(Requirement::whereabouts).collect(),
    }
}

impl Usage {
    fn purpose(self) -> ExtendedKeyUsagePurpose {
        match self {
            Self::Server => ExtendedKeyUsagePurpose::ServerAuth,
            Self::Client => ExtendedKeyUsagePurpose::ClientAuth,
        }
    }
}

/// What all certificates have in common: times, a random serial number, and the key usage of kubeadm, which includes
/// `keyEncipherment` also for ECDSA.
pub(super) fn parameters(
    what: &str,
    now: Timestamp,
    validity: Span,
    end: Option<Timestamp>,
) -> Result<CertificateParams, PkiError> {
    let last = now.saturating_add(validity.as_duration());
    let last = last.unwrap_or(Timestamp::MAX);
    let first = now.saturating_sub(BACKDATE).unwrap_or(Timestamp::MIN);
    let mut parameters = CertificateParams::default();
    parameters.not_before = date(first);
    parameters.not_after = date(end.map_or(last, |end| end.min(last)));
    parameters.serial_number = Some(serial_number(what)?);
    parameters.key_usages = vec![
        KeyUsagePurpose::DigitalSignature,
        KeyUsagePurpose::KeyEncipherment,
    ];
    Ok(parameters)
}

/// Whole seconds: a certificate holds no more.
fn date(time: Timestamp) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(time.as_second()).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

/// Random, in kubeadm's range of [1, 2^63 - 2].
fn serial_number(what: &str) -> Result<SerialNumber, PkiError> {
    let mut bytes = [0; 8];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| PkiError::Random {
        what: what.to_owned(),
    })?;
    let number = u64::from_be_bytes(bytes) >> 1;
    Ok(SerialNumber::from(number.clamp(1, (1 << 63) - 2)))
}
