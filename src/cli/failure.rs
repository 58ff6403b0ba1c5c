//! Failures as the user sees them: what happened, the chain of causes, what to do, and the exit code.

use std::error::Error;

use keelson_provider_api::{StoreError, advice, causes};
use serde_json::{Value, json};

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
            other => match help(other, again) {
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
        | OperationError::StalePlan(_) => EXIT_BLOCKED,
        OperationError::Interrupted(_) | OperationError::DrainStopped(_) => EXIT_INTERRUPTED,
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

fn help(error: &OperationError, again: &str) -> Option<String> {
    Some(match error {
        OperationError::Lease(error) => lease_help(error, again),
        OperationError::Store(error) => store_help(error),
        OperationError::Protected(_) => "set `deletionProtection: false` and apply that first, or pass \
                                         --override-deletion-protection"
            .to_owned(),
        OperationError::Fixed { field, .. } if field == "spec.provider" => {
            "nothing was touched; use the spec that it was made with; to rehearse it elsewhere, name another `stateStore`"
                .to_owned()
        }
        OperationError::Fixed { .. } => {
            "nothing was touched; put the old value back: it cannot change while the cluster lives".to_owned()
        }
        OperationError::StalePlan(_) => {
            "nothing was changed; make and review a new plan with `keelson plan --out FILE`".to_owned()
        }
        OperationError::DeclinedRest => {
            format!("what was carried out stays; `{again}` shows what is left, asks and goes on")
        }
        OperationError::NoCluster { .. } => {
            "it was never applied, or is destroyed already; if it should be there, check its name, `stateStore` \
             and the directory you are in"
                .to_owned()
        }
        OperationError::ExternalEtcd(_) => {
            "ask whoever runs it; `spec.etcd.placement.external` names its endpoints".to_owned()
        }
        OperationError::NoAuthority { .. } => "`keelson apply` makes it".to_owned(),
        OperationError::Pki(error) => return pki_help(error),
        OperationError::Simulated { .. } => {
            "`provider: { ssh: … }` names real machines; examples/etcd-alone.yaml is a spec like that".to_owned()
        }
        OperationError::UnknownMachine { known, .. } if !known.is_empty() => {
            format!("its machines are: {}", known.join(", "))
        }
        OperationError::StillWanted(_) => {
            "take it out of the spec first (a host out of `hosts`; of machines that keelson makes, the last of a group go \
             when `replicas` is lowered), or the next apply brings it back"
                .to_owned()
        }
        OperationError::NoneLeaving { leaving, .. } if !leaving.is_empty() => {
            format!("those that have are: {}", leaving.join(", "))
        }
        OperationError::NoneLeaving { .. } => "`keelson node list` shows the machines".to_owned(),
        OperationError::Machine(error) => return error.help.clone(),
        OperationError::NoEndpoint(_) => "`keelson apply` builds what is missing".to_owned(),
        OperationError::Interrupted(None) => "nothing was changed".to_owned(),
        OperationError::DrainStopped(name) => format!(
            "`{again}` goes on; or `keelson node uncordon {name}` lets new pods come to it again"
        ),
        OperationError::NotConverged(_) | OperationError::MovedAway => {
            format!("`{again}` tries again; `keelson plan` shows what is left")
        }
        OperationError::Unproven(_) => format!("`{again}` looks again"),
        OperationError::Down(_) | OperationError::Degraded(_) => {
            "`keelson status` shows what each machine says of it; `keelson etcd status` has more of etcd".to_owned()
        }
        OperationError::TimedOut(_) => "`keelson status` shows what is unwell".to_owned(),
        OperationError::Defect(_) | OperationError::ClockStopped | OperationError::Render(_) => {
            REPORT.to_owned()
        }
        OperationError::NoKubernetes(_) => {
            "`keelson etcd credentials` gives its users their credentials".to_owned()
        }
        _ => return None,
    })
}

fn lease_help(error: &LeaseError, again: &str) -> String {
    match error {
        LeaseError::Held { record, .. } => format!(
            "wait for it to end; if it was killed, the lease runs out at {:.0} and `{again}` takes over",
            record.expires_at
        ),
        LeaseError::Lost {
            source: Some(source), ..
        } if matches!(**source, StoreError::Damaged { .. }) => store_help(source),
        LeaseError::Lost { .. } => {
            format!("someone else is changing the cluster; when they are done, `{again}` goes on")
        }
        LeaseError::RanOut { source, .. } | LeaseError::Store { source, .. } => store_help(source),
    }
}

fn pki_help(error: &PkiError) -> Option<String> {
    Some(match error {
        PkiError::NoKey { authority, .. } => format!(
            "where keelson is to issue certificates, name the file with the key in the spec, under \
             `pki.authorities`, beside the certificate of the {authority} authority"
        ),
        PkiError::Certificate { .. } | PkiError::Key { .. } => {
            "see that it is PEM and whole: where the spec names it, the file under `pki.authorities`; where keelson keeps it, \
             what the state store has in its folder `pki`"
                .to_owned()
        }
        PkiError::Unsuitable { authority, .. } => format!(
            "name another certificate of the {authority} authority under `pki.authorities`; where the cluster does not live \
             yet, leave it out and keelson makes one"
        ),
        PkiError::Locked { .. } | PkiError::WrongKey { .. } => {
            "set KEELSON_PKI_PASSPHRASE, or KEELSON_PKI_IDENTITIES to a file of age identities".to_owned()
        }
        PkiError::OtherAuthority { authority, .. } | PkiError::NotNamed { authority, .. } => format!(
            "nothing was touched; name the files of the {authority} authority that the cluster began with again, under \
             `pki.authorities`: it cannot change while the cluster lives"
        ),
        PkiError::NothingOpens { with_passphrase, .. } => {
            let variable = if *with_passphrase {
                "KEELSON_PKI_PASSPHRASE"
            } else {
                "KEELSON_PKI_IDENTITIES to a file with an age identity of one of the recipients"
            };
            format!("nothing was touched; set {variable}, now and whenever keelson runs")
        }
        PkiError::Identity { .. } => {
            "KEELSON_PKI_IDENTITIES names the file; each line of it is an identity, `AGE-SECRET-KEY-1…`, a comment or empty"
                .to_owned()
        }
        PkiError::StaysEncrypted { path, location } => format!(
            "nothing was touched; put `pki.encryption` back; or, where it is to go, decrypt each file in {}: `(umask 077; age -d \
             -o NEW FILE && mv NEW FILE)`, with `-i IDENTITIES` after `-d` where it is for recipients",
            folder(location, path)
        ),
        PkiError::NotEncrypted { path, location } => format!(
            "nothing was touched; to encrypt each file in {}: `age -p -o NEW FILE && mv NEW FILE` with a passphrase, `age -r \
             RECIPIENT -o NEW FILE && mv NEW FILE` to recipients",
            folder(location, path)
        ),
        PkiError::Store(error) => store_help(error),
        _ => return None,
    })
}

/// The folder of an object in a state store.
fn folder(location: &str, path: &str) -> String {
    let (folder, _) = path.rsplit_once('/').unwrap_or(("", path));
    format!("{location}/{folder}")
}

/// What to do about a state store that fails. What is damaged must not simply be moved away: each object is there
/// for a reason.
fn store_help(error: &StoreError) -> String {
    let StoreError::Damaged { path, .. } = error else {
        let advice = advice(error).unwrap_or("see to what is named above");
        return format!("nothing was lost; {advice}, then try again");
    };
    match path.rsplit('/').next() {
        Some("cluster.json") => {
            "it was left as it is; restore it from a backup: without it keelson does not know what belongs to \
             this cluster, and would build another one beside it"
        }
        Some("lease") => {
            "it was left as it is; while no keelson works on the cluster, put it back from a backup or write it anew, with a \
             `generation` higher than that of any run before: the names in the folder `journal` beside it end with theirs; \
             docs/state-store.md has the form"
        }
        Some("spec.yaml") => {
            "it was left as it is; put it back from a backup, or, where it is still there, move it away: `keelson apply` \
             writes it anew; `keelson destroy --override-deletion-protection` goes without it"
        }
        _ if path.contains("/pki/") => {
            "nothing was changed; put it back from a copy of the state store: no other can take its place while the \
             cluster lives, since its machines believe only this one"
        }
        _ => "it was left as it is; restore it from a backup",
    }
    .to_owned()
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
            ConnectError::Pki(problem) => match pki_help(&problem) {
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
            ConnectError::InMemory => failure
                .with_help("`keelson node list` shows them; `provider: { ssh: … }` names real machines"),
            ConnectError::OwnAddress(_) => failure.with_help(
                "write the address that pods are to reach this machine at into its `privateAddress`",
            ),
            ConnectError::NoStore(_) => failure.with_help("name a directory in `stateStore`"),
            ConnectError::Store(error) => failure.with_help(store_help(&error)),
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
