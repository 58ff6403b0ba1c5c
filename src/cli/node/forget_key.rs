//! `keelson node forget-key`

use clap::Args;

use crate::cli::arguments::ClusterArgument;
use crate::cli::failure::Failure;
use crate::cli::terminal::Terminal;
use crate::cli::{CommandResult, EXIT_DONE};
use crate::registry;
use crate::spec::Provider;

/// Forget the host key that was remembered for a bare host, as after it was installed anew
#[derive(Debug, Args)]
pub(super) struct ForgetKey {
    #[command(flatten)]
    spec: ClusterArgument,
    /// The host's name in the spec
    #[arg(value_name = "NAME")]
    name: String,
}

impl ForgetKey {
    pub(super) async fn run(&self, terminal: &Terminal) -> CommandResult {
        let spec = self.spec.load(terminal)?;
        let hosts = spec.provider.hosts();
        if matches!(spec.provider, Provider::Ssh(_))
            && !hosts.iter().any(|host| host.name.as_str() == self.name)
        {
            let names: Vec<&str> = hosts.iter().map(|host| host.name.as_str()).collect();
            let failure = Failure::usage(format!("the spec has no host `{}`", self.name));
            return Err(failure.with_help(format!("its hosts are: {}", names.join(", "))));
        }
        registry::forget_host_key(&spec, &self.spec.options()?, &self.name).await?;
        terminal.note(&format!(
            "forgotten; the next connection to {} goes by your own known hosts, or believes its key once with \
             --accept-new-host-keys",
            self.name
        ));
        Ok(EXIT_DONE)
    }
}
