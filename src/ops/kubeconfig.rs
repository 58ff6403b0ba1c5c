//! Credentials for `kubectl`.

use serde_json::json;

use super::endpoint::endpoint;
use super::error::OperationError;
use super::session::Session;
use crate::execute::Silent;
use crate::spec::Provider;

/// A kubeconfig, and what a user should know about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kubeconfig {
    /// The file's content, YAML.
    pub yaml: String,
    /// Why it will not work as it is, if it will not.
    pub caveat: Option<String>,
}

impl Session {
    /// Makes a kubeconfig for the cluster's administrator.
    ///
    /// A simulated cluster has no API server and no certificates: its kubeconfig has the right form and names the
    /// right endpoint, and says that nothing answers there.
    ///
    /// # Errors
    /// [`OperationError::NoCluster`] when the cluster has not been applied, [`OperationError::NoEndpoint`] when its API
    /// has no address yet, [`OperationError::NoKubernetes`] for a cluster of etcd alone.
    pub async fn kubeconfig(&self) -> Result<Kubeconfig, OperationError> {
        let name = self.spec().name();
        self.existing_identity().await?;
        if self.spec().is_etcd_alone() {
            return Err(OperationError::NoKubernetes(name.clone()));
        }
        let seen = self.plan(&Silent).await?;
        let endpoint = endpoint(self.spec(), &seen.observation)
            .ok_or_else(|| OperationError::NoEndpoint(name.clone()))?;
        let caveat = match self.spec().spec().provider {
            Provider::Simulated(_) => "this cluster is simulated: no API server answers at its endpoint",
            _ => "this version of keelson has no certificate authority yet: the file holds no credentials",
        };
        let context = format!("admin@{name}");
        let config = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{ "name": name, "cluster": { "server": format!("https://{endpoint}") } }],
            "contexts": [{ "name": context, "context": { "cluster": name, "user": context } }],
            "current-context": context,
            "users": [{ "name": context, "user": {} }],
        });
        let yaml = serde_saphyr::to_string(&config).unwrap_or_else(|_| config.to_string());
        Ok(Kubeconfig {
            yaml: format!("# {caveat}\n{yaml}"),
            caveat: Some(caveat.to_owned()),
        })
    }
}
