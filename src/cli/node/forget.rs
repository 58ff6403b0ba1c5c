//! `keelson node forget`

use clap::Args;

use crate::cli::arguments::ClusterArgument;
use crate::cli::terminal::Terminal;
use crate::cli::{CommandResult, EXIT_DONE};
use crate::ops::BegunRestore;
use crate::registry;

/// Forget a bare host that has left the spec and is gone for good; nothing is done on it
#[derive(Debug, Args)]
pub(super) struct Forget {
    #[command(flatten)]
    spec: ClusterArgument,
    /// The name that the host had in the spec
    #[arg(value_name = "NAME")]
    name: String,
}

impl Forget {
    pub(super) async fn run(&self, terminal: &Terminal) -> CommandResult {
        let options = self.spec.options()?;
        let spec = self.spec.load(terminal)?;
        let begun = registry::forget_host(&spec, &options, &self.name).await?;
        terminal.note(&format!(
            "{} is forgotten; {}. Should it come back: it still runs what it ran, so install it anew, or take it into the spec again.",
            self.name,
            next(begun.as_ref(), &self.name, |command| self.spec.command(command))
        ));
        Ok(EXIT_DONE)
    }
}

/// What is next after the machine `name` was forgotten: where a restore stands, nothing is carried out before its end.
fn next(begun: Option<&BegunRestore>, name: &str, command: impl Fn(&str) -> String) -> String {
    let taken_away = format!(
        "`{}` takes away what the cluster still knows of it",
        command("apply")
    );
    let Some(begun) = begun else {
        return taken_away;
    };
    let etcd = &begun.etcd_cluster;
    let goes_on = if begun.founders.iter().any(|founder| founder == name) {
        format!(
            "`{}` begins anew without it",
            command("etcd restore --begin-anew")
        )
    } else {
        format!("`{}` goes on with it", command("etcd restore"))
    };
    format!("a restore of etcd {etcd} stands, and comes first: {goes_on}; then {taken_away}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::RestoreSource;

    #[test]
    fn a_restore_that_stands_comes_before_an_apply() {
        let begun = BegunRestore {
            etcd_cluster: "main".to_owned(),
            source: RestoreSource::File {
                file: "db".into(),
                etcd: "main".to_owned(),
            },
            words: "db".to_owned(),
            begun_at: jiff::Timestamp::UNIX_EPOCH,
            founders: vec!["a".to_owned(), "d".to_owned()],
        };
        let apply = "`keelson apply` takes away what the cluster still knows of it";
        let rows = [
            (None, "d", String::new()),
            (
                Some(&begun),
                "d",
                "a restore of etcd main stands, and comes first: `keelson etcd restore --begin-anew` begins anew without it; then "
                    .to_owned(),
            ),
            (
                Some(&begun),
                "c",
                "a restore of etcd main stands, and comes first: `keelson etcd restore` goes on with it; then ".to_owned(),
            ),
        ];
        for (begun, name, before) in rows {
            let said = next(begun, name, |command| format!("keelson {command}"));
            assert_eq!(said, format!("{before}{apply}"), "{name}");
        }
    }
}
