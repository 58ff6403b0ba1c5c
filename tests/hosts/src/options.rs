//! What a lab is to be like.

use std::net::Ipv4Addr;
use std::time::Duration;

use crate::LabError;

/// More than anyone needs, and few enough for one subnet.
const HOSTS_LIMIT: usize = 50;
/// A lab takes itself down after this time, however busy its owner is.
const LIFETIME_DEFAULT: Duration = Duration::from_secs(30 * 60);
/// Below this a file system has no room for its own journal.
const DISK_MINIMUM_MIB: u32 = 64;

/// A lab: its hosts, and how long it may stand.
#[derive(Clone, Debug)]
pub struct LabOptions {
    /// Its name on this machine; one is made up when there is none.
    pub name: Option<String>,
    /// Its hosts, in the order of their addresses.
    pub hosts: Vec<HostOptions>,
    /// After this time the lab is taken down, whoever still uses it.
    pub lifetime: Duration,
    /// Whether the lab outlives the process that makes it, until it is taken down by name or its time is up.
    pub detached: bool,
}

impl LabOptions {
    /// So many hosts, named a, b, c …
    pub fn with_hosts(count: usize) -> Self {
        let letters = ('a'..='z').map(String::from);
        let numbers = (27..).map(|number| format!("host-{number}"));
        let names = letters.chain(numbers).take(count.min(HOSTS_LIMIT + 1));
        Self {
            name: None,
            hosts: names.map(HostOptions::named).collect(),
            lifetime: LIFETIME_DEFAULT,
            detached: false,
        }
    }

    /// Changes the options of the host at this place, counted from 0; nothing when there is none.
    #[must_use]
    pub fn host(mut self, index: usize, change: impl FnOnce(&mut HostOptions)) -> Self {
        if let Some(host) = self.hosts.get_mut(index) {
            change(host);
        }
        self
    }

    pub(crate) fn check_name(&self) -> Result<(), LabError> {
        self.name
            .as_ref()
            .map_or(Ok(()), |name| check_name("lab", name, 24))
    }

    pub(crate) fn check(&self) -> Result<(), LabError> {
        self.check_name()?;
        if self.hosts.is_empty() || self.hosts.len() > HOSTS_LIMIT {
            return Err(LabError::refused(
                format!("a lab of {} hosts cannot be", self.hosts.len()),
                format!("ask for 1 to {HOSTS_LIMIT}"),
            ));
        }
        for (index, host) in self.hosts.iter().enumerate() {
            check_name("host", &host.name, 32)?;
            if self.hosts[..index].iter().any(|other| other.name == host.name) {
                return Err(LabError::refused(
                    format!("two hosts are named {}", host.name),
                    "give each a name of its own; only `hostname` may be shared",
                ));
            }
            if host.disk_mib.is_some_and(|size| size < DISK_MINIMUM_MIB) {
                return Err(LabError::refused(
                    format!(
                        "the disk of host {} is smaller than {DISK_MINIMUM_MIB} MiB",
                        host.name
                    ),
                    "give it more, or no limit",
                ));
            }
        }
        Ok(())
    }
}

/// One host.
#[derive(Clone, Debug, Default)]
pub struct HostOptions {
    /// Its name in the lab.
    pub name: String,
    /// What it calls itself, when that is not its name.
    pub hostname: Option<String>,
    /// The size of its disk; without one it shares the machine's.
    pub disk_mib: Option<u32>,
    /// How much memory all its processes may use; without one as much as the machine has.
    pub memory_mib: Option<u32>,
    /// Addresses that it has besides its own, at every boot.
    pub extra_addresses: Vec<Ipv4Addr>,
}

impl HostOptions {
    /// A host with nothing special.
    pub fn named(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            ..Self::default()
        }
    }
}

/// Names become file names, interface names and host names.
fn check_name(what: &str, name: &str, length_limit: usize) -> Result<(), LabError> {
    let fits =
        |character: char| character.is_ascii_lowercase() || character.is_ascii_digit() || character == '-';
    if name.is_empty() || name.len() > length_limit || !name.chars().all(fits) || name.starts_with('-') {
        return Err(LabError::refused(
            format!("`{name}` is no name for a {what}"),
            format!("use up to {length_limit} of a-z, 0-9 and -"),
        ));
    }
    Ok(())
}
