//! What stands in a certificate.

use std::collections::BTreeSet;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use jiff::Timestamp;
use keelson_provider_api::values::Digest;
use serde::Serialize;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::prelude::FromDer;
use x509_parser::public_key::PublicKey;
use x509_parser::x509::{SubjectPublicKeyInfo, X509Name};

use super::error::PkiError;
use super::facts::SubjectName;
use super::table::Usage;

/// A certificate that was found somewhere, or made.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Certificate {
    /// Its subject, as `O=system:masters, CN=admin`.
    pub subject: String,
    /// The subject's common name.
    pub common_name: String,
    /// The subject's organisations.
    pub organizations: BTreeSet<String>,
    /// Its issuer's subject.
    pub issuer: String,
    /// The names and addresses that it is for. Other kinds, such as URIs, mean nothing to Kubernetes or etcd.
    pub names: BTreeSet<SubjectName>,
    /// What it is for; `None` when it does not say, which allows everything.
    pub usages: Option<BTreeSet<Usage>>,
    /// From when it is valid.
    pub not_before: Timestamp,
    /// Until when it is valid.
    pub not_after: Timestamp,
    /// Its key's algorithm, named like [`KeyAlgorithm`](keelson_provider_api::values::KeyAlgorithm).
    pub algorithm: String,
    /// The SHA-256 digest of its public key with its algorithm (`SubjectPublicKeyInfo`): what kubeadm's
    /// `--discovery-token-ca-cert-hash` pins.
    pub fingerprint: Digest,
    /// What it may sign, if it is an authority's.
    #[serde(skip)]
    pub(super) signing: Signing,
    #[serde(skip)]
    der: Vec<u8>,
}

/// What an authority's certificate allows (RFC 5280 §4.2.1.3 and §4.2.1.9).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Signing {
    pub(super) is_authority: bool,
    pub(super) may_sign: bool,
    /// How many authorities may stand between it and a leaf.
    pub(super) path_length: Option<u32>,
    /// What leaves name their signer by.
    pub(super) key_identifier: Option<Vec<u8>>,
    pub(super) public_bits: Vec<u8>,
    pub(super) raw_subject: Vec<u8>,
}

impl Certificate {
    /// Reads the first certificate in `pem`. `what` is what messages call it.
    ///
    /// # Errors
    /// [`PkiError::Certificate`] when there is none, or none that makes sense.
    pub fn from_pem(pem: &str, what: &str) -> Result<Self, PkiError> {
        let mut all = Self::all_from_pem(pem, what)?;
        Ok(all.swap_remove(0))
    }

    /// Reads every certificate in `pem`: at least one.
    pub(super) fn all_from_pem(pem: &str, what: &str) -> Result<Vec<Self>, PkiError> {
        let unreadable = |problem: String| PkiError::Certificate {
            what: what.to_owned(),
            problem,
        };
        let blocks = pem::parse_many(pem).map_err(|problem| unreadable(problem.to_string()))?;
        let all: Vec<Self> = blocks
            .into_iter()
            .filter(|block| block.tag() == "CERTIFICATE")
            .map(|block| Self::from_der(block.into_contents()).map_err(unreadable))
            .collect::<Result<_, _>>()?;
        if all.is_empty() {
            return Err(unreadable("there is no `CERTIFICATE` in PEM".to_owned()));
        }
        Ok(all)
    }

    /// Reads a certificate, or says what is wrong with it.
    pub(super) fn from_der(der: Vec<u8>) -> Result<Self, String> {
        let parsed = parse(&der)?;
        let extensions = Extensions::of(&parsed)?;
        let key = parsed.public_key();
        let mut organizations = BTreeSet::new();
        for organization in parsed.subject().iter_organization() {
            organizations.insert(text(organization.as_str())?);
        }
        let common_name = parsed.subject().iter_common_name().next();
        Ok(Self {
            subject: readable(parsed.subject()),
            common_name: common_name.map_or(Ok(String::new()), |name| text(name.as_str()))?,
            organizations,
            issuer: readable(parsed.issuer()),
            names: extensions.names,
            usages: extensions.usages,
            not_before: timestamp(parsed.validity().not_before.timestamp()),
            not_after: timestamp(parsed.validity().not_after.timestamp()),
            algorithm: algorithm(key),
            fingerprint: Digest::of_bytes(key.raw),
            signing: Signing {
                public_bits: key.subject_public_key.data.to_vec(),
                raw_subject: parsed.subject().as_raw().to_vec(),
                ..extensions.signing
            },
            der,
        })
    }

    /// The certificate, PEM.
    pub fn pem(&self) -> String {
        let block = pem::Pem::new("CERTIFICATE", self.der.clone());
        pem::encode_config(
            &block,
            pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF),
        )
    }

    /// True when `issuer` signed it: the name is the issuer's, and so is the signature.
    pub(super) fn is_signed_by(&self, issuer: &Self) -> bool {
        let (Ok(own), Ok(issuer)) = (parse(&self.der), parse(&issuer.der)) else {
            return false;
        };
        own.issuer().as_raw() == issuer.subject().as_raw()
            && own.verify_signature(Some(issuer.public_key())).is_ok()
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Certificate({}, {})", self.subject, self.fingerprint)
    }
}

/// What the extensions say.
struct Extensions {
    names: BTreeSet<SubjectName>,
    usages: Option<BTreeSet<Usage>>,
    signing: Signing,
}

impl Extensions {
    fn of(certificate: &X509Certificate<'_>) -> Result<Self, String> {
        let constraints = certificate
            .basic_constraints()
            .map_err(|problem| problem.to_string())?;
        let key_usage = certificate.key_usage().map_err(|problem| problem.to_string())?;
        let extended = certificate
            .extended_key_usage()
            .map_err(|problem| problem.to_string())?;
        let names = certificate
            .subject_alternative_name()
            .map_err(|problem| problem.to_string())?;
        let usages = extended.map(|extension| {
            let value = extension.value;
            let server = (value.server_auth || value.any).then_some(Usage::Server);
            let client = (value.client_auth || value.any).then_some(Usage::Client);
            server.into_iter().chain(client).collect()
        });
        let key_identifier = certificate.iter_extensions().find_map(|extension| {
            let ParsedExtension::SubjectKeyIdentifier(identifier) = extension.parsed_extension() else {
                return None;
            };
            Some(identifier.0.to_vec())
        });
        Ok(Self {
            names: names
                .iter()
                .flat_map(|extension| &extension.value.general_names)
                .filter_map(subject_name)
                .collect(),
            usages,
            signing: Signing {
                is_authority: constraints.as_ref().is_some_and(|extension| extension.value.ca),
                may_sign: key_usage.is_none_or(|extension| extension.value.key_cert_sign()),
                path_length: constraints.and_then(|extension| extension.value.path_len_constraint),
                key_identifier,
                ..Signing::default()
            },
        })
    }
}

fn parse(der: &[u8]) -> Result<X509Certificate<'_>, String> {
    match X509Certificate::from_der(der) {
        Ok(([], certificate)) => Ok(certificate),
        Ok(_) => Err("there is something behind its end".to_owned()),
        Err(problem) => Err(problem.to_string()),
    }
}

fn text(value: Result<&str, x509_parser::error::X509Error>) -> Result<String, String> {
    value
        .map(str::to_owned)
        .map_err(|problem| format!("its subject has no text: {problem}"))
}

fn readable(name: &X509Name<'_>) -> String {
    name.to_string().chars().flat_map(char::escape_debug).collect()
}

fn subject_name(name: &GeneralName<'_>) -> Option<SubjectName> {
    match name {
        GeneralName::DNSName(name) => Some(SubjectName::Dns(name.to_ascii_lowercase())),
        GeneralName::IPAddress(bytes) => {
            let four = <[u8; 4]>::try_from(*bytes).map(|bytes| IpAddr::V4(Ipv4Addr::from(bytes)));
            let sixteen = <[u8; 16]>::try_from(*bytes).map(|bytes| IpAddr::V6(Ipv6Addr::from(bytes)));
            four.or(sixteen).ok().map(SubjectName::Ip)
        }
        _ => None,
    }
}

/// The time of a certificate. RFC 5280 §4.1.2.5 writes "never ends" as the last second of the year 9999, which is a
/// little more than a timestamp holds.
fn timestamp(seconds: i64) -> Timestamp {
    let limit = if seconds < 0 {
        Timestamp::MIN
    } else {
        Timestamp::MAX
    };
    Timestamp::from_second(seconds).unwrap_or(limit)
}

/// Named curves: RFC 5480 §2.1.1.1; Ed25519: RFC 8410 §3.
fn algorithm(key: &SubjectPublicKeyInfo<'_>) -> String {
    let curve = key
        .algorithm
        .parameters
        .as_ref()
        .and_then(|parameters| parameters.as_oid().ok());
    match (key.parsed(), curve) {
        (Ok(PublicKey::RSA(key)), _) => format!("rsa-{}", key.key_size()),
        (_, Some(curve)) => match curve.to_id_string().as_str() {
            "1.2.840.10045.3.1.7" => "ecdsa-p256".to_owned(),
            "1.3.132.0.34" => "ecdsa-p384".to_owned(),
            "1.3.132.0.35" => "ecdsa-p521".to_owned(),
            other => other.to_owned(),
        },
        (_, None) => match key.algorithm.algorithm.to_id_string().as_str() {
            "1.3.101.112" => "ed25519".to_owned(),
            other => other.to_owned(),
        },
    }
}
