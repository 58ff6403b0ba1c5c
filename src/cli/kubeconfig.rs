//! `keelson kubeconfig`

use std::path::PathBuf;

use clap::Args;
use keelson_provider_api::values::Span;

use super::arguments::ClusterArgument;
use super::failure::Failure;
use super::terminal::Terminal;
use super::{CommandResult, EXIT_DONE, files};
use crate::ops::KubeconfigRequest;

/// Print short-lived credentials for kubectl: an administrator's, or those of a user in groups
#[derive(Debug, Args)]
pub(super) struct Kubeconfig {
    #[command(flatten)]
    spec: ClusterArgument,
    /// The name that the API server knows the user by; without it, `admin` in keelson's own group of administrators
    #[arg(long, value_name = "NAME", requires = "groups")]
    user: Option<String>,
    /// A group of the user; may stand more than once. What it may do is up to its bindings
    #[arg(long = "group", value_name = "NAME", requires = "user")]
    groups: Vec<String>,
    /// How long the credentials are valid: they cannot be taken back
    #[arg(
        long,
        value_name = "DURATION",
        default_value = "8h",
        conflicts_with = "break_glass"
    )]
    validity: Span,
    /// Credentials that may do everything whatever bindings say, valid for an hour: for repairs
    #[arg(long, conflicts_with_all = ["user", "groups"])]
    break_glass: bool,
    /// Write them to a file, readable by you alone, instead of stdout
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Overwrite the file
    #[arg(long, requires = "out")]
    force: bool,
}

impl Kubeconfig {
    pub(super) async fn run(&self, terminal: &Terminal) -> CommandResult {
        let request = self.request()?;
        let session = self.spec.connect(terminal).await?;
        let kubeconfig = session
            .kubeconfig(&request)
            .await
            .map_err(|error| Failure::of_operation(&error, &self.spec.command("kubeconfig")))?;
        match &self.out {
            Some(file) => files::write(file, kubeconfig.yaml.expose(), self.force)?,
            None => terminal.data(kubeconfig.yaml.expose())?,
        }
        if let Some(end) = kubeconfig.not_after {
            terminal.note(&format!("valid until {end}"));
        }
        if let Some(caveat) = kubeconfig.caveat {
            terminal.note(&format!("note: {caveat}"));
        }
        Ok(EXIT_DONE)
    }

    fn request(&self) -> Result<KubeconfigRequest, Failure> {
        if self.break_glass {
            return Ok(KubeconfigRequest::break_glass());
        }
        let request = match &self.user {
            Some(user) => KubeconfigRequest::new(user, &self.groups, self.validity),
            None => KubeconfigRequest::administrator().lasting(self.validity),
        };
        request.map_err(|problem| Failure::usage(problem.to_string()))
    }
}
