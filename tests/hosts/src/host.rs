//! One host: its power. What can be done with it while it runs is in [`access`], what can be done to it in [`faults`].

mod access;
mod faults;

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use crate::command::end_of;
use crate::error::AboutFile;
use crate::process::Identity;
use crate::record::{HostRecord, PREFIX, Record};
use crate::wait::wait_for;
use crate::{LabError, seed};

/// From the power button to the first process; everything else happens in the host.
const POWER_LIMIT: Duration = Duration::from_secs(20);
/// An orderly end, with units that take their time.
const SHUTDOWN_LIMIT: Duration = Duration::from_secs(60);
/// From the first process to sshd, on a machine that is busy with many others. Alone it takes two seconds.
const BOOT_LIMIT: Duration = Duration::from_secs(120);
/// Where EC2 answers its instances.
pub(crate) const METADATA_ADDRESS: Ipv4Addr = Ipv4Addr::new(169, 254, 169, 254);
/// How long one attempt to reach sshd may take.
const CONNECT_LIMIT: Duration = Duration::from_secs(1);

/// A host of a lab. Clones are the same host.
#[derive(Clone, Debug)]
pub struct Host {
    lab: Arc<Record>,
    index: usize,
}

impl Host {
    pub(crate) fn new(lab: Arc<Record>, index: usize) -> Self {
        Self { lab, index }
    }

    /// Its name in the lab.
    pub fn name(&self) -> &str {
        &self.record().name
    }

    /// Its address.
    pub fn address(&self) -> Ipv4Addr {
        self.record().address
    }

    /// How often it has booted so far.
    pub fn boots(&self) -> u32 {
        let text = fs::read_to_string(self.path("boots")).unwrap_or_default();
        text.trim().parse().unwrap_or(0)
    }

    /// Whether it is on, which does not say that anything answers.
    pub fn is_on(&self) -> bool {
        self.init().is_some()
    }

    /// What it has written while it booted.
    pub fn console_log(&self) -> String {
        fs::read(self.path("console.log"))
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .unwrap_or_default()
    }

    /// Switches it on, and returns as soon as it has begun to boot: with the disk, address and keys that it had before.
    ///
    /// # Errors
    ///
    /// When it is on already, or cannot be switched on.
    pub fn start(&self) -> Result<(), LabError> {
        if self.is_on() {
            return Err(LabError::refused(
                format!("host {} is on already", self.name()),
                "to boot it again, reboot it or cut its power first",
            ));
        }
        let ended = self.path("ended");
        if ended.exists() {
            fs::remove_file(&ended).about("failed to remove", &ended)?;
        }
        self.spawn_supervisor()?;
        let late = || {
            (
                format!("host {} has not begun to boot", self.name()),
                format!("see {}", self.path("console.log").display()),
            )
        };
        wait_for(POWER_LIMIT, late, || {
            self.fail_if_ended()?;
            Ok(self.init().map(drop))
        })
    }

    /// Takes its power away: every process ends at once, and what was written stays. Nothing happens when it is off.
    ///
    /// # Errors
    ///
    /// When it does not go off.
    pub fn power_cut(&self) -> Result<(), LabError> {
        if let Some(init) = self.init() {
            init.kill();
        }
        self.wait_until_off(POWER_LIMIT)
    }

    /// Boots it again in order, and waits for its sshd.
    ///
    /// # Errors
    ///
    /// When it is off, does not end in time, or does not come back.
    pub fn reboot(&self) -> Result<(), LabError> {
        let before = self.boots();
        self.systemctl("reboot")?;
        let late = || {
            (
                format!("host {} has not rebooted", self.name()),
                "see its journal for a unit that does not stop".to_owned(),
            )
        };
        wait_for(SHUTDOWN_LIMIT, late, || {
            self.fail_if_ended()?;
            Ok((self.boots() > before).then_some(()))
        })?;
        self.wait_for_ssh()
    }

    /// Ends it in order; it stays off until it is started.
    ///
    /// # Errors
    ///
    /// When it is off already, or does not end in time.
    pub fn shut_down(&self) -> Result<(), LabError> {
        self.systemctl("poweroff")?;
        self.wait_until_off(SHUTDOWN_LIMIT)
    }

    /// Waits until its sshd answers.
    ///
    /// # Errors
    ///
    /// When it goes off meanwhile, or takes more than two minutes.
    pub fn wait_for_ssh(&self) -> Result<(), LabError> {
        let late = || {
            (
                format!(
                    "the sshd of host {} ({}) does not answer",
                    self.name(),
                    self.address()
                ),
                "see what its console and journal say; on a busy machine use fewer labs at once".to_owned(),
            )
        };
        wait_for(BOOT_LIMIT, late, || {
            self.fail_if_ended()?;
            Ok(self.ssh_answers().then_some(()))
        })
    }

    /// Whether its sshd answers now.
    pub fn ssh_answers(&self) -> bool {
        let address = SocketAddr::from((self.address(), 22));
        let Ok(stream) = TcpStream::connect_timeout(&address, CONNECT_LIMIT) else {
            return false;
        };
        let mut banner = String::new();
        stream.set_read_timeout(Some(CONNECT_LIMIT)).is_ok()
            && BufReader::new(stream).read_line(&mut banner).is_ok()
            && banner.starts_with("SSH-2.0-")
    }

    /// Prepares its disk and first files, before it boots for the first time.
    pub(crate) fn prepare(&self) -> Result<(), LabError> {
        let folder = self.path("");
        fs::create_dir_all(&folder).about("failed to make", &folder)?;
        seed::make_disk(&self.lab, self.record())
    }

    fn wait_until_off(&self, time: Duration) -> Result<(), LabError> {
        let late = || {
            (
                format!("host {} is still on", self.name()),
                format!("see {}", self.path("console.log").display()),
            )
        };
        wait_for(time, late, || Ok(self.path("ended").exists().then_some(())))
    }

    fn fail_if_ended(&self) -> Result<(), LabError> {
        if !self.path("ended").exists() {
            return Ok(());
        }
        Err(self.off())
    }

    fn off(&self) -> LabError {
        LabError::HostOff {
            host: self.name().to_owned(),
            console: end_of(&self.console_log()),
        }
    }

    /// The answer is lost when the host ends before it: what comes of the command is seen by what the host does.
    fn systemctl(&self, verb: &str) -> Result<(), LabError> {
        self.console(&format!("systemctl --no-block {verb}")).map(drop)
    }

    /// Its first process, while it runs.
    fn init(&self) -> Option<Identity> {
        Identity::read(&self.path("init")).filter(|init| init.is_alive())
    }

    fn record(&self) -> &HostRecord {
        &self.lab.hosts[self.index]
    }

    /// A file of its record.
    fn path(&self, name: &str) -> PathBuf {
        self.lab.path("hosts").join(self.name()).join(name)
    }

    /// The supervisor has a session of its own and nobody waits for it: it outlives this process, as machines do.
    fn spawn_supervisor(&self) -> Result<(), LabError> {
        let console = self.path("console.log");
        let log = File::options()
            .create(true)
            .append(true)
            .open(&console)
            .about("failed to open", &console)?;
        let errors = log.try_clone().about("failed to open", &console)?;
        let record = self.record();
        let memory = record.memory_bytes.map(|bytes| bytes.to_string());
        let metadata = record.instance.as_ref().map(|_| METADATA_ADDRESS.to_string());
        let addresses: Vec<_> = std::iter::once(&record.address)
            .chain(&record.extra_addresses)
            .map(|address| format!("{address}/{PREFIX}"))
            .collect();
        let status = Command::new("setsid")
            .args(["--fork", "env", "--default-signal", "bash"])
            .arg(self.lab.path("host.sh"))
            .env("LAB_RECORD", self.lab.root())
            .env("LAB_NAME", &self.lab.name)
            .env("LAB_ROOT", &self.lab.root_filesystem)
            .env("LAB_MODULES", &self.lab.modules)
            .env("HOST_NAME", &record.name)
            .env("HOST_RECORD", self.lab.path("hosts").join(&record.name))
            .env("HOST_FOLDER", self.lab.folder.join(&record.name))
            .env("HOST_HOSTNAME", &record.hostname)
            .env("HOST_PORT", record.port())
            .env("HOST_MAC", record.mac())
            .env("HOST_ADDRESSES", addresses.join(" "))
            .env("HOST_GATEWAY", self.lab.gateway().to_string())
            .env("HOST_METADATA", metadata.unwrap_or_default())
            .env("HOST_MEMORY", memory.unwrap_or_default())
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(errors)
            .status()
            .about("failed to run", Path::new("setsid"))?;
        if status.success() {
            return Ok(());
        }
        Err(LabError::Command {
            command: "setsid --fork host.sh".to_owned(),
            status: status.to_string(),
            stderr: end_of(&self.console_log()),
        })
    }
}
