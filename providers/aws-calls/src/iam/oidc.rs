//! Providers of OpenID Connect: whose tokens take a role on.

use crate::failure::{CallError, Called as _};
use crate::mark::{CLUSTER, Tags};
use crate::whole::{deleted, if_there, promised};

use super::{Iam, read, written};

const CREATE: &str = "CreateOpenIDConnectProvider";
const GET: &str = "GetOpenIDConnectProvider";
const LIST: &str = "ListOpenIDConnectProviders";

/// A provider to create.
#[derive(Debug, Clone)]
pub struct NewOidcProvider {
    /// The issuer, with `https://`.
    pub url: String,
    /// For whom its tokens are, for example `sts.amazonaws.com`.
    pub audiences: Vec<String>,
    /// SHA-1 digests of the certificate that signed that of the issuer's server, in hexadecimal; without any, IAM gets it itself,
    /// and trusts well-known authorities anyway
    /// (<https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateOpenIDConnectProvider.html>).
    pub thumbprints: Vec<String>,
    /// Its mark.
    pub tags: Tags,
}

/// A provider that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OidcProvider {
    /// What calls name it by.
    pub arn: String,
    /// The issuer, without `https://`, as IAM answers it.
    pub url: String,
    /// For whom its tokens are.
    pub audiences: Vec<String>,
    /// The digests it was given.
    pub thumbprints: Vec<String>,
    /// Its tags.
    pub tags: Tags,
}

impl Iam {
    /// Creates a provider, and answers with its ARN. The call is sent once: IAM has no client token for it, and refuses an issuer
    /// that has one.
    ///
    /// # Errors
    ///
    /// When the issuer has one (`EntityAlreadyExists`), when it is refused, and when the answer is lost.
    pub async fn create_oidc_provider(&self, new: &NewOidcProvider) -> Result<String, CallError> {
        let answer = self
            .clients
            .once
            .create_open_id_connect_provider()
            .url(&new.url)
            .set_client_id_list(Some(new.audiences.clone()))
            .set_thumbprint_list((!new.thumbprints.is_empty()).then(|| new.thumbprints.clone()))
            .set_tags(written(CREATE, &new.tags)?)
            .send()
            .await
            .called(CREATE)?;
        promised(CREATE, "ARN", answer.open_id_connect_provider_arn)
    }

    /// The provider `arn`, if it is there.
    ///
    /// # Errors
    ///
    /// When IAM refuses or cannot be asked.
    pub async fn oidc_provider(&self, arn: &str) -> Result<Option<OidcProvider>, CallError> {
        let call = self.clients.patient.get_open_id_connect_provider();
        let answer = call.open_id_connect_provider_arn(arn).send().await;
        let Some(found) = if_there(answer.called(GET))? else {
            return Ok(None);
        };
        let url = promised(GET, "URL", found.url)?;
        Ok(Some(OidcProvider {
            arn: arn.to_owned(),
            url: url.strip_prefix("https://").unwrap_or(&url).to_owned(),
            audiences: found.client_id_list.unwrap_or_default(),
            thumbprints: found.thumbprint_list.unwrap_or_default(),
            tags: read(found.tags),
        }))
    }

    /// The providers that have the mark of the cluster `uid`: all of the account are looked at, which are a hundred at the most.
    ///
    /// # Errors
    ///
    /// When IAM refuses or cannot be asked.
    pub async fn owned_oidc_providers(&self, uid: &str) -> Result<Vec<OidcProvider>, CallError> {
        let call = self.clients.patient.list_open_id_connect_providers();
        let answer = call.send().await.called(LIST)?;
        let listed = answer.open_id_connect_provider_list.unwrap_or_default();
        let mut owned = Vec::new();
        for arn in listed.into_iter().filter_map(|one| one.arn) {
            if let Some(found) = self.oidc_provider(&arn).await?
                && found.tags.get(CLUSTER).is_some_and(|owner| owner == uid)
            {
                owned.push(found);
            }
        }
        Ok(owned)
    }

    /// Deletes a provider.
    ///
    /// # Errors
    ///
    /// When it is refused or cannot be asked for; not when it is gone.
    pub async fn delete_oidc_provider(&self, arn: &str) -> Result<(), CallError> {
        let call = self.clients.patient.delete_open_id_connect_provider();
        let answer = call.open_id_connect_provider_arn(arn).send().await;
        deleted(answer.called("DeleteOpenIDConnectProvider"))
    }
}
