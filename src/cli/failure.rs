//! Failures as the user sees them: what happened, the chain of causes, what to do, and the exit code.

use std::error::Error;

use keelson_provider_api::{StoreError, causes};
use serde_json::{Value, json};

use super::advice;
use super::assets::asset_help;
use super::files;
use super::terminal::{Terminal, labels};
use crate::execute::LeaseError;
use crate::ops::OperationError;
use crate::pki::PkiError;
use crate::registry::ConnectError;
use crate::spec::SpecErrors;
use crate::view::{printable, summary};

/// It failed.
pub const EXIT_FAILED: u8 = 1;
/// The command was used in a way that it is not meant for. clap, which finds most of these, ends with it.
pub const EXIT_USAGE: u8 = 2;
/// `plan` found changes: the same number, which terraform and others give it as well.
pub const EXIT_CHANGES: u8 = 2;
/// Something may not be touched.
pub const EXIT_BLOCKED: u8 = 3;
/// The spec is not valid.
pub const EXIT_INVALID_SPEC: u8 = 4;
/// Another run holds the lease.
pub const EXIT_LOCKED: u8 = 5;
/// It was interrupted.
pub const EXIT_INTERRUPTED: u8 = 130;

/// What to do about a defect.
pub(super) const REPORT: &str = "please report this with the spec that led to it";

/// A command that did not do what was asked.
#[derive(Debug)]
pub(super) struct Failure {
    code: u8,
    message: String,
    /// Text that follows the message as it is.
    details: String,
    help: Option<String>,
    /// What programs get to see instead of the details.
    facts: Box<Value>,
}

impl Failure {
    pub(super) fn failed(message: impl Into<String>) -> Self {
        Self::new(EXIT_FAILED, message)
    }

    pub(super) fn usage(message: impl Into<String>) -> Self {
        Self::new(EXIT_USAGE, message)
    }

    pub(super) fn new(code: u8, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            details: String::new(),
            help: None,
            facts: Box::default(),
        }
    }

    pub(super) fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The same failure with lines of text below its message.
    pub(super) fn with_details(mut self, details: impl Into<String>) -> Self {
        self.details = details.into();
        self
    }

    /// Says what went wrong, and gives the exit code.
    pub(super) fn show(&self, terminal: &Terminal) -> u8 {
        if terminal.speaks_to_programs() {
            let event = json!({
                "exitCode": self.code,
                // A spec's errors speak for themselves where they are shown as text.
                "message": if self.message.is_empty() { "the spec is not valid" } else { &self.message },
                "help": self.help,
                "details": self.facts,
            });
            terminal.event("error", event);
            return self.code;
        }
        if !self.message.is_empty() {
            terminal.error(&self.message);
        }
        terminal.text(&self.details);
        if let Some(help) = &self.help {
            terminal.help(help);
        }
        self.code
    }

    /// The failure of an operation; `again` is the command that goes on from here.
    pub(super) fn of_operation(error: &OperationError, again: &str) -> Self {
        let failure = Self::new(code(error), chain(error));
        match error {
            // What failed, step by step, has been told as events.
            OperationError::StepsFailed(executed) | OperationError::Interrupted(Some(executed)) => Self {
                details: summary::unfinished(executed, again),
                ..failure
            },
            OperationError::Refused(report) => Self {
                details: summary::blocked(report),
                facts: Box::new(json!({ "blocked": report.blocked, "findings": report.findings })),
                ..failure.with_help(format!("see to what is named above, then `{again}` begins"))
            },
            OperationError::Blocked(report) => Self {
                details: summary::blocked(report),
                facts: Box::new(json!({ "blocked": report.blocked })),
                ..failure.with_help("everything else has been done; what is blocked was not touched")
            },
            OperationError::Waits(held) => Self {
                details: summary::waiting(held),
                facts: Box::new(json!({ "held": held })),
                ..failure.with_help("`keelson apply` sees to all machines, each in its turn")
            },
            OperationError::LeftOver(keys) => Self {
                details: summary::left_over(keys),
                facts: Box::new(json!({ "left": keys })),
                ..failure.with_help(format!("`{again}` tries again"))
            },
            other => match advice::of_operation(other, again) {
                Some(help) => failure.with_help(help),
                None => failure,
            },
        }
    }
}

fn code(error: &OperationError) -> u8 {
    match error {
        OperationError::Lease(error) if damage(error).is_none() => match error {
            LeaseError::Held { .. } | LeaseError::Lost { .. } => EXIT_LOCKED,
            LeaseError::RanOut { .. } | LeaseError::Store { .. } => EXIT_FAILED,
        },
        OperationError::StepsFailed(executed) if executed.fenced => EXIT_LOCKED,
        OperationError::Refused(_)
        | OperationError::Blocked(_)
        | OperationError::Waits(_)
        | OperationError::Protected(_)
        | OperationError::Fixed { .. }
        | OperationError::Pki(
            PkiError::OtherAuthority { .. }
            | PkiError::NotNamed { .. }
            | PkiError::StaysEncrypted { .. }
            | PkiError::NotEncrypted { .. },
        )
        | OperationError::OtherCluster { .. }
        | OperationError::OtherEncryptionKey { .. }
        | OperationError::RestoreUnderWay { .. }
        | OperationError::StalePlan(_) => EXIT_BLOCKED,
        OperationError::Interrupted(_) | OperationError::DrainStopped(_) | OperationError::StoppedAmid(_) => {
            EXIT_INTERRUPTED
        }
        _ => EXIT_FAILED,
    }
}

/// What is damaged in the state store, where that is why there is no lease.
fn damage(error: &LeaseError) -> Option<&StoreError> {
    let cause = match error {
        LeaseError::Lost { source, .. } => source.as_deref(),
        LeaseError::RanOut { source, .. } | LeaseError::Store { source, .. } => Some(source.as_ref()),
        LeaseError::Held { .. } => None,
    };
    cause.filter(|cause| matches!(cause, StoreError::Damaged { .. }))
}

/// A message with all its causes.
pub(super) fn chain(error: &(dyn Error + 'static)) -> String {
    causes(error).fold(error.to_string(), |text, cause| {
        let message = cause.to_string();
        let message = printable(message.split(" (os error").next().unwrap_or_default());
        // Wrappers that are transparent say what their cause says.
        if text.ends_with(&message) {
            text
        } else {
            format!("{text}\n  because {message}")
        }
    })
}

impl From<ConnectError> for Failure {
    fn from(error: ConnectError) -> Self {
        let failure = Self::failed(chain(&error));
        match error {
            ConnectError::NoProvider(provider) => failure.with_help(format!(
                "`provider: {{ simulated: {{ like: {provider} }} }}` in its place plays the cluster in memory"
            )),
            ConnectError::Assets(problem) => failure.with_help(asset_help(&problem)),
            ConnectError::Pki(problem) => match advice::of_keys(&problem) {
                Some(help) => failure.with_help(help),
                None => failure,
            },
            ConnectError::Host(problem)
            | ConnectError::Manifest(problem)
            | ConnectError::WorldWrite(problem) => match problem.help {
                Some(help) => failure.with_help(help),
                None => failure,
            },
            ConnectError::NothingRemembered => failure.with_help(
                "`keelson apply` looks after those that have left the spec; `provider: { ssh: … }` names real machines",
            ),
            ConnectError::NothingGone => failure.with_help(
                "leave out --gone: `keelson destroy` takes simulated machines away, whatever state they are in",
            ),
            ConnectError::NotBare => {
                failure.with_help("`keelson apply` makes anew what is gone, and ends what has left the spec")
            }
            ConnectError::InMemory => failure
                .with_help("`keelson node list` shows them; `provider: { ssh: … }` names real machines"),
            ConnectError::OwnAddress(_) => failure.with_help(
                "write the address that pods are to reach this machine at into its `privateAddress`",
            ),
            ConnectError::WorldNeedsDirectory(_) => {
                failure.with_help("name a directory in `stateStore`: what is simulated need not be kept elsewhere")
            }
            ConnectError::StateStore(_) => failure.with_help(
                "write the region behind the bucket, `s3://BUCKET?region=eu-central-1`, or set AWS_REGION; `keelson explain \
                 stateStore` has the rest",
            ),
            ConnectError::NoBucket(_) => failure.with_help(
                "write `stateStore: s3://BUCKET`: the machines of a cluster on AWS read what they are to run there, each by its role",
            ),
            ConnectError::Aws(_) => failure.with_help("see to what is named above, then try again"),
            ConnectError::NoPolicy(_) => failure.with_help(
                "leave out --iam-policy: it is for `provider: { aws: … }`; what a state store in S3 needs is in docs/state-store.md",
            ),
            ConnectError::LoginFile(_) => {
                failure.with_help("see to it that this user can write files in the folder for temporary ones")
            }
            ConnectError::NoStore(_) => failure.with_help("name a directory in `stateStore`"),
            ConnectError::Store(error) => failure.with_help(advice::of_store(&error)),
            ConnectError::World { source, .. } => failure.with_help(source.help()),
            ConnectError::File { source, .. } => failure.with_help(files::help_on_reading(
                &source,
                "name a file that is there: a path in a spec is relative to the spec's folder",
            )),
            ConnectError::Hosts(problem) => failure.with_help(
                problem
                    .help
                    .unwrap_or_else(|| "see to what is named above, then try again".to_owned()),
            ),
            ConnectError::Bucket(_) => failure.with_help("put right what is named in the spec: `keelson explain etcd.snapshots.to`"),
            ConnectError::Providers(_) => failure.with_help(REPORT),
        }
    }
}

impl From<SpecErrors> for Failure {
    fn from(errors: SpecErrors) -> Self {
        Self {
            details: format!("{}\n", errors.labelled(&labels("error")).trim_end()),
            facts: Box::new(json!(errors)),
            ..Self::new(EXIT_INVALID_SPEC, String::new())
        }
    }
}
