//! What is written down about a lab, so that other processes can use it and any can take it down.

use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::LabError;
use crate::error::AboutFile;
use crate::options::{HostOptions, LabOptions};
use crate::places::RECORDS;
use crate::process::Identity;

/// How long the prefix of each subnet is: a VPC of a cluster on AWS takes no less.
pub(crate) const PREFIX: u8 = 23;
/// The machine's place in each subnet.
const GATEWAY: u8 = 1;
/// The first host's place; below it there is room for what a test adds to the machine's side.
const FIRST_HOST: u8 = 10;
const BYTES_PER_MEBIBYTE: u64 = 1 << 20;

/// A lab, as its record says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Record {
    pub(crate) name: String,
    /// The third number of its addresses.
    pub(crate) subnet: u8,
    /// Where its disks are.
    pub(crate) folder: PathBuf,
    pub(crate) root_filesystem: PathBuf,
    pub(crate) modules: PathBuf,
    pub(crate) lifetime_seconds: u64,
    pub(crate) hosts: Vec<HostRecord>,
}

/// A host, as its lab's record says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct HostRecord {
    pub(crate) name: String,
    pub(crate) hostname: String,
    pub(crate) address: Ipv4Addr,
    pub(crate) extra_addresses: Vec<Ipv4Addr>,
    pub(crate) disk_bytes: Option<u64>,
    pub(crate) memory_bytes: Option<u64>,
    /// What it has of an instance of EC2, when it plays one.
    #[serde(default)]
    pub(crate) instance: Option<InstanceRecord>,
}

/// What an instance of EC2 has, and other hosts have not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct InstanceRecord {
    /// The hardware address of its interface, as EC2 says.
    pub(crate) mac: String,
}

impl Record {
    pub(crate) fn new(options: &LabOptions, subnet: u8, places: Places) -> Self {
        let name = options.name.clone().unwrap_or_else(|| format!("lab-{subnet}"));
        let hosts = options.hosts.iter().zip(FIRST_HOST..);
        Self {
            folder: places.labs.join(&name),
            name,
            subnet,
            root_filesystem: places.root_filesystem,
            modules: places.modules,
            lifetime_seconds: options.lifetime.as_secs(),
            hosts: hosts
                .map(|(host, number)| HostRecord::new(host, address(subnet, number)))
                .collect(),
        }
    }

    /// The records of all labs that stand, by name. A record that cannot be read is left out: `clean` sees to it.
    pub(crate) fn all() -> Result<Vec<Self>, LabError> {
        let names = record_names()?;
        Ok(names.iter().filter_map(|name| Self::load(name).ok()).collect())
    }

    pub(crate) fn load(name: &str) -> Result<Self, LabError> {
        let path = Path::new(RECORDS).join(name).join("lab.json");
        if !path.exists() {
            return Err(LabError::refused(
                format!("there is no lab {name}"),
                "see which there are: test-hosts list",
            ));
        }
        let text = fs::read_to_string(&path).about("failed to read", &path)?;
        serde_json::from_str(&text)
            .map_err(std::io::Error::from)
            .about("failed to understand", &path)
    }

    pub(crate) fn save(&self) -> Result<(), LabError> {
        let path = self.path("lab.json");
        let text = serde_json::to_string_pretty(self)
            .map_err(std::io::Error::from)
            .about("failed to write", &path)?;
        // Others read it while hosts come and go.
        let unfinished = self.path("lab.json.new");
        fs::write(&unfinished, text).about("failed to write", &unfinished)?;
        fs::rename(&unfinished, &path).about("failed to write", &path)
    }

    /// The record's folder.
    pub(crate) fn root(&self) -> PathBuf {
        Path::new(RECORDS).join(&self.name)
    }

    /// A file of the record.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> Result<(), LabError> {
        let path = self.path(name);
        fs::write(&path, text).about("failed to write", &path)
    }

    pub(crate) fn gateway(&self) -> Ipv4Addr {
        address(self.subnet, GATEWAY)
    }

    /// Its network, as whoever makes a VPC of it writes that.
    pub(crate) fn network(&self) -> String {
        format!("{}/{PREFIX}", address(self.subnet, 0))
    }

    /// The interface of the machine in the lab's network.
    pub(crate) fn uplink(&self) -> String {
        uplink(self.subnet)
    }

    /// Whether somebody looks after the lab: its guard, or the process that is about to start one.
    pub(crate) fn is_guarded(folder: &Path) -> bool {
        let alive = |name| Identity::read(&folder.join(name)).is_some_and(Identity::is_alive);
        alive("guard") || (alive("owner") && !folder.join("guard").exists())
    }
}

impl HostRecord {
    fn new(options: &HostOptions, address: Ipv4Addr) -> Self {
        let bytes = |mebibytes: u32| u64::from(mebibytes) * BYTES_PER_MEBIBYTE;
        Self {
            name: options.name.clone(),
            hostname: options.hostname.clone().unwrap_or_else(|| options.name.clone()),
            address,
            extra_addresses: options.extra_addresses.clone(),
            disk_bytes: options.disk_mib.map(bytes),
            memory_bytes: options.memory_mib.map(bytes),
            instance: None,
        }
    }

    /// A host that plays an instance of EC2, with all that the machine has of disk and memory.
    pub(crate) fn of_instance(
        name: &str,
        hostname: String,
        address: Ipv4Addr,
        instance: InstanceRecord,
    ) -> Self {
        let mut options = HostOptions::named(name);
        options.hostname = Some(hostname);
        Self {
            instance: Some(instance),
            ..Self::new(&options, address)
        }
    }

    /// Its port of the switch.
    pub(crate) fn port(&self) -> String {
        let [_, _, subnet, number] = self.address.octets();
        format!("port-{subnet}-{number}")
    }

    /// Always the same for an address, so that nobody who knows the host has to learn anew after it was off.
    pub(crate) fn mac(&self) -> String {
        if let Some(instance) = &self.instance {
            return instance.mac.clone();
        }
        let [_, _, subnet, number] = self.address.octets();
        format!("02:6b:65:65:{subnet:02x}:{number:02x}")
    }
}

/// Folders that a lab takes over from the machine.
pub(crate) struct Places {
    pub(crate) labs: PathBuf,
    pub(crate) root_filesystem: PathBuf,
    pub(crate) modules: PathBuf,
}

pub(crate) fn address(subnet: u8, number: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 90, subnet, number)
}

pub(crate) fn uplink(subnet: u8) -> String {
    format!("keelson{subnet}")
}

/// The names of all labs that have a record, complete or not.
pub(crate) fn record_names() -> Result<Vec<String>, LabError> {
    let folder = Path::new(RECORDS);
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.about("failed to list", folder)?,
    };
    let mut names = Vec::new();
    for entry in entries {
        let path = entry.about("failed to list", folder)?.path();
        if path.is_dir()
            && let Some(name) = path.file_name().and_then(|name| name.to_str())
        {
            names.push(name.to_owned());
        }
    }
    names.sort();
    Ok(names)
}
