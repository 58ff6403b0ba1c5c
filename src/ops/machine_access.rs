//! What operations ask of single machines, beside what a plan observes of them.

use async_trait::async_trait;
use keelson_provider_api::{CertificatePaths, ClusterIdentity, FoundOnMachine, ProviderError};

/// The way to a cluster's machines, where they are real.
#[async_trait]
pub trait MachineAccess: Send + Sync {
    /// The certificates that lie on `machine` at `paths` and where its bundle in force has them, and the keys that it lacks of
    /// those; `None` for a machine that the cluster has not taken yet.
    ///
    /// # Errors
    /// When the machine does not answer, or belongs to someone else.
    async fn certificates(
        &self,
        cluster: &ClusterIdentity,
        machine: &str,
        paths: &CertificatePaths,
    ) -> Result<Option<FoundOnMachine>, ProviderError>;

    /// Gets ready for someone to log in on `machine`. Nothing is connected yet.
    ///
    /// # Errors
    /// When nobody knows how to reach it.
    async fn login(&self, machine: &str, request: &LoginRequest) -> Result<Box<dyn Login>, ProviderError>;
}

/// What someone logs in for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoginRequest {
    /// The command to run instead of a shell; the machine's shell reads the words joined by blanks, as with ssh.
    pub words: Vec<String>,
    /// True to have a terminal there also for a command.
    pub with_terminal: bool,
    /// The shell on the machine that keelson runs on, where that is the one to log in on.
    pub local_shell: String,
}

/// A program that logs someone in. Whoever has the terminal runs it.
#[async_trait]
pub trait Login: Send + Sync {
    /// The program.
    fn program(&self) -> &str;

    /// Its arguments.
    fn arguments(&self) -> &[std::ffi::OsString];

    /// To be called when it has ended: what it learnt, such as a new host key that the user allowed, is remembered.
    ///
    /// # Errors
    /// When the state store cannot be written.
    async fn ended(self: Box<Self>) -> Result<(), ProviderError>;
}
