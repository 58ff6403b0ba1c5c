//! `keelson kubeconfig`

use std::path::{Path, PathBuf};

use clap::Args;
use keelson_provider_api::values::{Secret, Span};

use super::arguments::{ClusterArgument, lifetime};
use super::failure::Failure;
use super::files::{self, Permissions};
use super::terminal::Terminal;
use super::{CommandResult, EXIT_DONE};
use crate::ops::{KubeconfigRequest, merge_kubeconfig};

/// The largest kubeconfig: room for a thousand clusters.
const LIMIT_BYTES: usize = 16 << 20;

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
        value_parser = lifetime,
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
    /// Add them to the kubeconfig that kubectl reads, or to FILE, and make them the current context
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true, conflicts_with = "out")]
    #[expect(
        clippy::option_option,
        reason = "clap's form of a flag whose value may be left out"
    )]
    merge: Option<Option<PathBuf>>,
    /// Leave the current context as it is
    #[arg(long, requires = "merge")]
    keep_context: bool,
}

impl Kubeconfig {
    pub(super) async fn run(&self, terminal: &Terminal) -> CommandResult {
        let request = self.request()?;
        let session = self.spec.connect_to_look(terminal).await?;
        let kubeconfig = session
            .kubeconfig(&request)
            .await
            .map_err(|error| Failure::of_operation(&error, &self.spec.command("kubeconfig")))?;
        match (&self.out, &self.merge) {
            (Some(file), _) => files::put(
                file,
                kubeconfig.yaml.expose().as_bytes(),
                Permissions::Private,
                self.force,
            )?,
            (None, Some(file)) => {
                let file = match file {
                    Some(file) => file.clone(),
                    None => users_kubeconfig()?,
                };
                merge(&file, &kubeconfig.yaml, !self.keep_context)?;
                terminal.note(&format!("{} has them now", file.display()));
            }
            (None, None) => terminal.data(kubeconfig.yaml.expose())?,
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

/// The file that kubectl reads: the first that `KUBECONFIG` names, or the one in the home directory
/// (<https://kubernetes.io/docs/concepts/configuration/organize-cluster-access-kubeconfig/>).
fn users_kubeconfig() -> Result<PathBuf, Failure> {
    if let Some(list) = files::variable("KUBECONFIG")?
        && let Some(first) = list.split(':').find(|file| !file.is_empty())
    {
        return Ok(PathBuf::from(first));
    }
    match files::variable("HOME")? {
        Some(home) => Ok(Path::new(&home).join(".kube/config")),
        None => Err(
            Failure::usage("there is no home directory with a kubeconfig in it")
                .with_help("--merge=FILE names the file"),
        ),
    }
}

/// Adds credentials to a kubeconfig, which nobody else may change meanwhile: kubectl keeps away by the same lock.
fn merge(file: &Path, added: &Secret<String>, selects: bool) -> Result<(), Failure> {
    // What a link points at is changed, and the link left.
    let file = std::fs::canonicalize(file).unwrap_or_else(|_| file.to_owned());
    if let Some(folder) = file.parent().filter(|folder| *folder != Path::new("")) {
        files::make_private_folder(folder)?;
    }
    let _lock = files::lock(&file)?;
    let existing = match file.try_exists() {
        Ok(false) => Vec::new(),
        _ => files::read_bounded(&file, LIMIT_BYTES, "name another with --merge=FILE")?,
    };
    let cannot = |problem: String| {
        Failure::failed(format!("cannot add to {}: {problem}", file.display()))
            .with_help("it was left as it is; name another with --merge=FILE")
    };
    let existing = String::from_utf8(existing).map_err(|_| cannot("it is not text".to_owned()))?;
    let merged =
        merge_kubeconfig(&existing, added, selects).map_err(|problem| cannot(problem.to_string()))?;
    files::put(&file, merged.expose().as_bytes(), Permissions::Private, true)
}
