//! Certificate authorities: made by keelson, or brought by their owner.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use keelson_provider_api::values::{Digest, Secret};
use rcgen::{BasicConstraints, DnType, IsCa, KeyUsagePurpose, SanType};

use super::certificate::Certificate;
use super::error::PkiError;
use super::facts::Terms;
use super::issue::parameters;
use super::keys::PrivateKey;
use super::table::{AuthorityName, Usage};

/// A certificate authority: its certificate, those of the authorities above it, and its key if keelson has it.
#[derive(Clone)]
pub struct Authority {
    name: AuthorityName,
    certificate: Certificate,
    /// From the one that signed `certificate` upward; empty for one that signed itself.
    above: Vec<Certificate>,
    key: Option<Arc<PrivateKey>>,
}

impl Authority {
    /// Makes an authority that signs itself, as kubeadm does: its common name is also a DNS name of it, and it may
    /// encipher and sign like every certificate.
    ///
    /// # Errors
    /// When the system gives no random numbers.
    pub fn create(name: AuthorityName, terms: Terms, now: Timestamp) -> Result<Self, PkiError> {
        let what = format!("the {name} authority");
        let failed = |source| PkiError::Make {
            what: what.clone(),
            source,
        };
        let common_name = name.row().common_name;
        let key = PrivateKey::generate(terms.algorithm, &what)?;
        let mut parameters = parameters(&what, now, terms.validity, None)?;
        parameters.distinguished_name = rcgen::DistinguishedName::new();
        parameters
            .distinguished_name
            .push(DnType::CommonName, common_name);
        parameters.subject_alt_names = vec![SanType::DnsName(common_name.try_into().map_err(failed)?)];
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        parameters.key_usages.push(KeyUsagePurpose::KeyCertSign);
        let made = parameters.self_signed(key.pair()).map_err(failed)?;
        let certificate =
            Certificate::from_der(made.der().to_vec()).map_err(|problem| PkiError::Certificate {
                what: what.clone(),
                problem,
            })?;
        Ok(Self {
            name,
            certificate,
            above: Vec::new(),
            key: Some(Arc::new(key)),
        })
    }

    /// Takes an authority that someone else made.
    ///
    /// `certificate` is PEM: the authority's certificate and, if another signed it, those above it, each signed by
    /// the next. Without a key the authority is trusted, but nothing can be issued.
    ///
    /// # Errors
    /// When a certificate or the key cannot be read, when the two do not belong together, when one of the
    /// certificates is not an authority's or not signed by the next, or when the authority may not sign what it has
    /// to.
    pub fn load(
        name: AuthorityName,
        certificate: &str,
        key: Option<&Secret<String>>,
    ) -> Result<Self, PkiError> {
        let what = format!("the {name} authority");
        let mut chain = Certificate::all_from_pem(certificate, &what)?;
        check_chain(name, &chain)?;
        let key = key.map(|key| PrivateKey::from_pem(key, &what)).transpose()?;
        let certificate = chain.remove(0);
        if let Some(key) = &key
            && key.public_bits() != certificate.signing.public_bits
        {
            return Err(unsuitable(
                name,
                &certificate,
                "the private key is another certificate's; the authority's own certificate stands first in its file",
            ));
        }
        Ok(Self {
            name,
            certificate,
            above: chain,
            key: key.map(Arc::new),
        })
    }

    /// Which authority it is.
    pub fn name(&self) -> AuthorityName {
        self.name
    }

    /// Its certificate.
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// The SHA-256 digest of its public key with its algorithm, as kubeadm pins authorities.
    pub fn fingerprint(&self) -> Digest {
        self.certificate.fingerprint
    }

    /// What machines are to trust: the authority's own certificate, PEM, and not those above it. Whoever else was
    /// given a certificate by an authority above would otherwise be let in under any name.
    pub fn trust_pem(&self) -> String {
        self.certificate.pem()
    }

    /// All that was given: its certificate and those above it, PEM.
    pub(super) fn chain_pem(&self) -> String {
        let chain = std::iter::once(&self.certificate).chain(&self.above);
        chain.map(Certificate::pem).collect()
    }

    /// What stands behind the certificates that it issues, for clients that know only the topmost authority: itself
    /// and the authorities between. Empty for one that signed itself.
    pub(super) fn intermediates_pem(&self) -> String {
        let chain = std::iter::once(&self.certificate).chain(&self.above);
        chain
            .filter(|certificate| certificate.issuer != certificate.subject)
            .map(Certificate::pem)
            .collect()
    }

    /// Its key, PEM, if keelson has it. The controller manager signs with the one of Kubernetes.
    pub fn key_pem(&self) -> Option<&Secret<String>> {
        self.key.as_deref().map(PrivateKey::pem)
    }

    pub(super) fn key(&self) -> Option<&PrivateKey> {
        self.key.as_deref()
    }

    /// From when and until when it and all above it are valid.
    pub fn validity(&self) -> (Timestamp, Timestamp) {
        let first = (self.certificate.not_before, self.certificate.not_after);
        self.above.iter().fold(first, |(from, until), certificate| {
            (from.max(certificate.not_before), until.min(certificate.not_after))
        })
    }

    /// The same authority without its key.
    #[must_use]
    pub fn without_key(self) -> Self {
        Self { key: None, ..self }
    }
}

impl fmt::Debug for Authority {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Authority")
            .field("name", &self.name)
            .field("certificate", &self.certificate)
            .field("above", &self.above)
            .field("key", &self.key)
            .finish()
    }
}

impl fmt::Display for AuthorityName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Kubernetes => "kubernetes",
            Self::FrontProxy => "front-proxy",
            Self::Etcd => "etcd",
        })
    }
}

fn unsuitable(name: AuthorityName, certificate: &Certificate, problem: impl Into<String>) -> PkiError {
    PkiError::Unsuitable {
        authority: name,
        subject: certificate.subject.clone(),
        problem: problem.into(),
    }
}

/// RFC 5280 §6.1.4, as far as an authority of a cluster can break it.
fn check_chain(name: AuthorityName, chain: &[Certificate]) -> Result<(), PkiError> {
    for (index, certificate) in chain.iter().enumerate() {
        let signing = &certificate.signing;
        if !signing.is_authority {
            let problem = "its basic constraints do not say that it is an authority";
            return Err(unsuitable(name, certificate, problem));
        }
        if !signing.may_sign {
            let problem = "its key usage does not let it sign certificates";
            return Err(unsuitable(name, certificate, problem));
        }
        let below = u32::try_from(index).unwrap_or(u32::MAX);
        if let Some(limit) = signing.path_length.filter(|&limit| limit < below) {
            let problem = format!("it allows {limit} authorities below it, and {below} are");
            return Err(unsuitable(name, certificate, problem));
        }
        if let Some(missing) = missing_usage(name, certificate) {
            let problem = format!("its extended key usage does not let it sign certificates for {missing}");
            return Err(unsuitable(name, certificate, problem));
        }
        if let Some(next) = chain.get(index + 1)
            && !certificate.is_signed_by(next)
        {
            let problem = format!("the certificate behind it, `{}`, did not sign it", next.subject);
            return Err(unsuitable(name, certificate, problem));
        }
    }
    Ok(())
}

/// Go lets an authority sign only for the usages that its own certificate has, if that has any
/// (`crypto/x509`, `Certificate.Verify`).
fn missing_usage(name: AuthorityName, certificate: &Certificate) -> Option<&'static str> {
    let usages = certificate.usages.as_ref()?;
    let servers = name != AuthorityName::FrontProxy && !usages.contains(&Usage::Server);
    let clients = !usages.contains(&Usage::Client);
    servers.then_some("servers").or(clients.then_some("clients"))
}
