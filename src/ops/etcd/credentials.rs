//! What a client of a cluster's etcd needs: a certificate of its own, whom to trust, and where etcd is.

use std::collections::BTreeMap;

use jiff::Timestamp;
use keelson_provider_api::EtcdInstance;
use keelson_provider_api::kinds::MachineRole;
use keelson_provider_api::values::{ClusterName, InvalidText, Secret, Span};

use crate::model::Blueprint;
use crate::ops::{OperationError, Session, client_terms};
use crate::pki::{AuthorityName, Requirement, Terms, issue};
use crate::spec::EtcdPlacement;

/// A client of etcd that asks for a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EtcdCredentialsRequest {
    name: String,
    validity: Span,
}

impl EtcdCredentialsRequest {
    /// As long as a certificate for a client may be valid: as long as those of machines. etcd cannot take one back.
    pub const VALIDITY_LIMIT: Span = client_terms::VALIDITY_LIMIT;

    /// A certificate with the common name `name`, valid for `validity` from now on.
    ///
    /// # Errors
    /// When a certificate cannot bear the name, or `validity` is shorter than ten minutes or longer than
    /// [`VALIDITY_LIMIT`](Self::VALIDITY_LIMIT).
    pub fn new(name: &str, validity: Span) -> Result<Self, InvalidText> {
        client_terms::check_name(name, "no name for a client")?;
        client_terms::check_validity(validity, "a client's certificate is")?;
        Ok(Self {
            name: name.to_owned(),
            validity,
        })
    }
}

/// What a client of etcd needs.
#[derive(Debug, Clone)]
pub struct EtcdCredentials {
    /// The cluster.
    pub cluster: ClusterName,
    /// The certificate's common name.
    pub name: String,
    /// Until when it is valid.
    pub not_after: Timestamp,
    /// The certificate of etcd's authority, by which the client knows etcd, PEM.
    pub authority_pem: String,
    /// The client's certificate, PEM.
    pub certificate_pem: String,
    /// Its private key, PEM.
    pub key_pem: Secret<String>,
    /// The URLs for clients, by etcd cluster: `main`, and `events` where events have their own.
    pub endpoints: BTreeMap<String, Vec<String>>,
}

impl Session {
    /// True when there is someone who would want [`etcd_credentials`](Self::etcd_credentials): the cluster is etcd alone,
    /// on real machines.
    pub fn offers_etcd_credentials(&self) -> bool {
        self.spec().is_etcd_alone() && self.parts.authorities.is_some()
    }

    /// Issues a certificate for a client of the cluster's etcd. Nothing is kept of it.
    ///
    /// # Errors
    /// [`OperationError::NoCluster`] and [`OperationError::NoAuthority`] before the first apply,
    /// [`OperationError::ExternalEtcd`] where someone else runs etcd, [`OperationError::Simulated`] where there is none,
    /// and [`OperationError::Pki`], also when the authority's key is not keelson's.
    pub async fn etcd_credentials(
        &self,
        request: &EtcdCredentialsRequest,
    ) -> Result<EtcdCredentials, OperationError> {
        let cluster = self.spec().name();
        if let EtcdPlacement::External(_) = self.spec().etcd.placement {
            return Err(OperationError::ExternalEtcd(cluster.clone()));
        }
        let authorities = self
            .parts
            .authorities
            .as_ref()
            .ok_or_else(|| OperationError::Simulated {
                name: cluster.clone(),
                lacks: "etcd that anyone could talk to",
            })?;
        self.existing_identity().await?;
        let name = AuthorityName::Etcd;
        let authority = authorities.existing(name).await?;
        let authority = authority.ok_or(OperationError::NoAuthority { authority: name })?;
        let terms = Terms {
            algorithm: self.spec().pki.key_algorithm,
            validity: request.validity,
        };
        let requirement = Requirement::etcd_client(&request.name, terms);
        let issued = issue(&requirement, &authority, authorities.clock().now())?;
        Ok(EtcdCredentials {
            cluster: cluster.clone(),
            name: request.name.clone(),
            not_after: issued.not_after,
            authority_pem: authority.trust_pem(),
            certificate_pem: issued.certificate_pem,
            key_pem: issued.key_pem,
            endpoints: endpoints(&Blueprint::of(self.spec())),
        })
    }
}

fn endpoints(blueprint: &Blueprint<'_>) -> BTreeMap<String, Vec<String>> {
    let of = |instance: &EtcdInstance| {
        let machines = blueprint.with_role(MachineRole::Etcd);
        let addresses = machines.filter_map(|machine| machine.internal_address);
        let urls = addresses.map(|address| instance.client_url(address));
        (instance.cluster.to_owned(), urls.collect())
    };
    let instances = blueprint.spec.etcd.instances();
    instances.iter().map(|instance| of(instance)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::client_terms::NAME_LIMIT_CHARS;

    #[test]
    fn names_and_validities_have_bounds() {
        let year = EtcdCredentialsRequest::VALIDITY_LIMIT;
        let long = "ö".repeat(NAME_LIMIT_CHARS);
        for (name, validity) in [("a", year), (&long, Span::from_secs(600)), ("two words", year)] {
            assert!(EtcdCredentialsRequest::new(name, validity).is_ok(), "{name}");
        }
        let too_long = format!("{long}x");
        for (name, validity) in [
            ("", year),
            (" ", year),
            ("a\nb", year),
            (&too_long, year),
            ("a", Span::from_millis(year.as_millis() + 1)),
            ("a", Span::from_secs(599)),
        ] {
            assert!(
                EtcdCredentialsRequest::new(name, validity).is_err(),
                "{name} {validity}"
            );
        }
    }
}
