//! `keelson version`

use clap::Args;
use serde_json::json;

use super::arguments::Format;
use super::terminal::Terminal;
use super::{CommandResult, EXIT_DONE};
use crate::registry::PROVIDERS;
use crate::spec::versions;

/// Print keelson's version and the Kubernetes versions it supports
#[derive(Debug, Args)]
pub(super) struct Version {
    /// How the version is printed
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    output: Format,
}

impl Version {
    pub(super) fn run(&self, terminal: &Terminal) -> CommandResult {
        let document = json!({
            "version": env!("CARGO_PKG_VERSION"),
            "kubernetes": versions::supported_minors(),
            "newestKubernetes": versions::newest_kubernetes(),
            "providers": PROVIDERS,
        });
        self.output.print(terminal, &document, |_| {
            format!(
                "keelson {}\nKubernetes {} (newest: {})\nproviders {}\n",
                env!("CARGO_PKG_VERSION"),
                versions::supported_minors(),
                versions::newest_kubernetes(),
                PROVIDERS.join(", ")
            )
        })?;
        Ok(EXIT_DONE)
    }
}
