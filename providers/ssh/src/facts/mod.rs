//! What a host is like: one script, one round trip.

mod parse;
mod systems;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use keelson_provider_api::etcd::INSTANCES;
use keelson_provider_api::{BundleRecord, Clock, ErrorClass, FoundOnMachine, ProviderError};

use crate::hearing::Hearing;
use crate::mark::Mark;
use crate::shell::{HostError, HostErrorKind, Job, Shell};
pub(crate) use parse::text_of;
pub use systems::{SYSTEMS, SystemRow, Verdict, verdict};

const SCRIPT: &str = include_str!("../scripts/facts.sh");
const TIMEOUT: Duration = Duration::from_secs(60);
/// More than any host has to say; what comes after it is not heard.
const ANSWER_BYTES: usize = 4 << 20;

/// Programs that keelson's scripts run on a host; `|` between those of which one is enough.
const PROGRAMS: &str = "systemctl tar gzip sha256sum flock curl|wget awk sed cmp stat df base64 readlink timeout useradd journalctl xargs";

/// kubelet's unit, which keelson brings to nodes.
pub(crate) const KUBELET_UNIT: &str = "kubelet.service";

/// How much is asked of a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// What keelson wrote there, and what it takes to know the host again.
    Marks,
    /// Everything, also what stands in the way of a cluster.
    All,
}

/// Why nothing is known of a host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FactsError {
    /// It could not be asked.
    #[error(transparent)]
    Host(#[from] HostError),
    /// Nobody knows how to reach it.
    #[error(transparent)]
    Unknown(ProviderError),
    /// It answered, with something else than facts.
    #[error("{host} answers with something else than facts: {problem}")]
    Rubbish {
        /// The host.
        host: String,
        /// What is wrong with the answer.
        problem: String,
    },
}

impl FactsError {
    /// What is wrong and what to do about it, for where there is room for one text.
    pub(crate) fn with_help(&self) -> String {
        let help = match self {
            Self::Host(error) => error.help.as_deref(),
            Self::Unknown(error) => error.help.as_deref(),
            Self::Rubbish { .. } => None,
        };
        match help {
            Some(help) => format!("{self}; {help}"),
            None => self.to_string(),
        }
    }
}

impl From<FactsError> for ProviderError {
    fn from(error: FactsError) -> Self {
        match error {
            FactsError::Host(error) => error.into(),
            FactsError::Unknown(error) => error,
            FactsError::Rubbish { .. } => Self::new(ErrorClass::Permanent, error.to_string()),
        }
    }
}

/// What a host is like. Numbers that it did not tell are 0, texts empty.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Facts {
    /// `/etc/machine-id`: the same as long as the host is not installed anew (machine-id(5)); on a machine of a cloud what that
    /// calls it.
    pub machine_id: String,
    /// Another one after each boot.
    pub boot_id: String,
    /// When it booted.
    pub boot_time: Option<Timestamp>,
    /// What it calls itself.
    pub hostname: String,
    /// The kernel's release.
    pub kernel: String,
    /// As `uname -m` says.
    pub architecture: String,
    /// `ID` of os-release(5).
    pub os_id: String,
    /// `ID_LIKE` of os-release(5), words.
    pub os_like: String,
    /// `VERSION_ID` of os-release(5).
    pub os_version: String,
    /// `PRETTY_NAME` of os-release(5).
    pub os_name: String,
    /// The name of its first process.
    pub init: String,
    /// How many CPUs it has.
    pub cpus: u32,
    /// Its memory.
    pub memory_kib: u64,
    /// Its swap.
    pub swap_kib: u64,
    /// True when it has the unified hierarchy of control groups.
    pub has_cgroup_v2: bool,
    /// Free space of `/var/lib`.
    pub disk_kib: u64,
    /// TCP ports that someone listens at, and who.
    pub listeners: BTreeMap<u16, String>,
    /// How far its clock is ahead of the one here, and how far that may be off.
    pub clock_ahead: Option<(SignedDuration, SignedDuration)>,
    /// Whether it says that its clock is set by a time server.
    pub is_synchronised: Option<bool>,
    /// What sets its clock.
    pub time_services: BTreeSet<String>,
    /// What closes its ports.
    pub firewalls: BTreeSet<String>,
    /// The families, `ip` and `ip6`, of which it drops what it is to forward where no rule of its administrators accepts it.
    pub drops_forwarded: BTreeSet<String>,
    /// Programs that it lacks.
    pub missing_programs: Vec<String>,
    /// Units and processes of someone else's Kubernetes, etcd or container runtime.
    pub running: BTreeSet<String>,
    /// Folders of someone else's Kubernetes.
    pub folders: BTreeSet<String>,
    /// The units of someone else's that have the names of those that keelson brings, and a file of each.
    pub foreign_units: BTreeMap<String, String>,
    /// The folders of etcd's data that are not empty.
    pub etcd_folders: BTreeSet<String>,
    /// keelson's mark: none, a readable one, or what is wrong with it.
    pub mark: Option<Result<Mark, String>>,
    /// The bundle in force: none, a readable record, or what is wrong with it.
    pub bundle: Option<Result<BundleRecord, String>>,
    /// The digest of the bundle's files, hexadecimal, as its folder is named.
    pub bundle_digest: Option<String>,
    /// When the bundle was put in force.
    pub bundle_time: Option<Timestamp>,
    /// True when there are things on the host that a bundle installed, also one that failed half-way.
    pub has_installed: bool,
    /// The certificates that the bundle's record names and that are there, by path, PEM.
    pub certificates: BTreeMap<String, String>,
    /// The files of the bundle that are not as it left them, or not there.
    pub altered_files: BTreeSet<String>,
    /// The units of the bundle that are to run from each boot on and do not, but for etcd's.
    pub stopped_units: BTreeSet<String>,
    /// The private keys that the bundle's record names and that are not there.
    pub missing_keys: BTreeSet<String>,
}

impl Facts {
    /// What the host has already of what a bundle brings.
    pub(crate) fn found(&self) -> FoundOnMachine {
        FoundOnMachine {
            certificates: self.certificates.clone(),
            missing_keys: self.missing_keys.clone(),
            architecture: self.architecture.clone(),
        }
    }
}

/// Asks a host. A connection that had ended unnoticed is opened anew: asking twice harms nobody.
pub(crate) async fn gather(shell: &dyn Shell, clock: &dyn Clock, scope: Scope) -> Result<Facts, FactsError> {
    match ask(shell, clock, scope).await {
        Err(FactsError::Host(error)) if error.kind == HostErrorKind::Lost => ask(shell, clock, scope).await,
        answer => answer,
    }
}

async fn ask(shell: &dyn Shell, clock: &dyn Clock, scope: Scope) -> Result<Facts, FactsError> {
    let scope = match scope {
        Scope::Marks => "marks",
        Scope::All => "all",
    };
    let folders = INSTANCES.iter().map(|instance| instance.data_folder);
    let units = INSTANCES.iter().map(|instance| instance.unit);
    let units: Vec<&str> = units.chain([KUBELET_UNIT]).collect();
    let units = units.join(" ");
    let arguments = [scope, PROGRAMS, &units].into_iter().chain(folders);
    let job = Job {
        name: "read facts",
        script: SCRIPT,
        arguments: arguments.map(str::to_owned).collect(),
        input: Vec::new(),
        timeout: TIMEOUT,
    };
    let hearing = Hearing::new(ANSWER_BYTES);
    let clock_read = OnceLock::new();
    let listen = |line: &str| {
        if line.starts_with("clock\t") {
            // A host says it once; whatever it says again came later.
            clock_read.get_or_init(|| clock.now());
        }
        hearing.hear(line);
    };
    let asked = clock.now();
    let output = shell.run(&job, &listen).await?;
    let read = clock_read.into_inner().unwrap_or(asked);
    parse::facts(&hearing.into_text(), asked, read).map_err(|problem| FactsError::Rubbish {
        host: shell.host().to_owned(),
        problem: format!(
            "{problem} {}",
            crate::session::root::one_line(output.stderr.trim())
        )
        .trim()
        .to_owned(),
    })
}
