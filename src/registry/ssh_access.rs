//! Single bare machines, as operations ask for them.

use std::ffi::OsString;
use std::sync::Arc;

use async_trait::async_trait;
use keelson_provider_api::{CertificatePaths, ClusterIdentity, FoundOnMachine, ProviderError};
use keelson_provider_ssh::{Hosts, LoginOptions};

use crate::ops::{Login, LoginRequest, MachineAccess};

/// The hosts of a spec.
pub(super) struct HostAccess(pub(super) Arc<Hosts>);

struct SshLogin(keelson_provider_ssh::Login);

#[async_trait]
impl MachineAccess for HostAccess {
    async fn certificates(
        &self,
        cluster: &ClusterIdentity,
        machine: &str,
        paths: &CertificatePaths,
    ) -> Result<Option<FoundOnMachine>, ProviderError> {
        self.0.certificates(cluster, machine, paths).await
    }

    async fn login(&self, machine: &str, request: &LoginRequest) -> Result<Box<dyn Login>, ProviderError> {
        let options = LoginOptions {
            words: request.words.clone(),
            with_terminal: request.with_terminal,
            local_shell: request.local_shell.clone(),
        };
        Ok(Box::new(SshLogin(self.0.login(machine, &options).await?)))
    }
}

#[async_trait]
impl Login for SshLogin {
    fn program(&self) -> &str {
        self.0.program()
    }

    fn arguments(&self) -> &[OsString] {
        self.0.arguments()
    }

    async fn ended(self: Box<Self>) -> Result<(), ProviderError> {
        Ok(self.0.ended().await?)
    }
}
