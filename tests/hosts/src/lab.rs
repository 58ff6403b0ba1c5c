//! A lab: hosts on a network of their own, from nothing to nothing.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Write;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use crate::command::end_of;
use crate::error::AboutFile;
use crate::lock::Lock;
use crate::process::Identity;
use crate::record::{Places, Record, address, uplink};
use crate::wait::wait_for;
use crate::{Host, LabError, LabOptions, clean, keys, machine, network, places, root_filesystem};

const SCRIPTS: &[(&str, &str)] = &[
    ("host.sh", include_str!("../scripts/host.sh")),
    ("init.sh", include_str!("../scripts/init.sh")),
    ("volume.sh", include_str!("../scripts/volume.sh")),
    ("guard.sh", include_str!("../scripts/guard.sh")),
    ("down.sh", clean::DOWN),
];

/// As long as another process may take to find a subnet.
const LOCK_LIMIT: Duration = Duration::from_secs(60);
/// As long as taking down may take.
const DOWN_LIMIT: Duration = Duration::from_secs(60);
/// The first place in the subnet that no host has, for virtual addresses.
const FIRST_FREE: u8 = 200;
/// So many places are left for them.
const FREE_LIMIT: u8 = 50;

/// A lab. Dropped by whoever made it, it is taken down, and nothing is left.
#[derive(Debug)]
pub struct Lab {
    record: Arc<Record>,
    hosts: Vec<Host>,
    /// None for a lab that someone else holds, or nobody.
    leash: Option<Leash>,
}

/// The guard. It waits at the other end of its standard input, and takes the lab down when that ends: when this value
/// is dropped, and also when this process is killed.
#[derive(Debug)]
struct Leash {
    guard: Child,
}

impl Lab {
    /// Makes a lab, and waits until the sshd of every host answers.
    ///
    /// # Errors
    ///
    /// [`LabError::NeedsRoot`] without root; otherwise when something cannot be made. Nothing is left then.
    pub fn new(options: &LabOptions) -> Result<Self, LabError> {
        options.check()?;
        Self::build(options)
    }

    /// A lab whose hosts come later, and are its own business.
    pub(crate) fn without_hosts(name: Option<String>, lifetime: Duration) -> Result<Self, LabError> {
        let options = LabOptions {
            name,
            lifetime,
            ..LabOptions::with_hosts(0)
        };
        options.check_name()?;
        Self::build(&options)
    }

    fn build(options: &LabOptions) -> Result<Self, LabError> {
        machine::check_machine()?;
        let root_filesystem = root_filesystem()?;
        let modules = machine::modules(&places::cache()?.join("modules"))?;
        let places = Places {
            labs: places::labs()?,
            root_filesystem,
            modules,
        };
        let record = claim(options, places)?;
        let guard = spawn_guard(&record).inspect_err(|_| {
            clean::take_down(&record.root()).ok();
        })?;
        let mut lab = Self::with_leash(record, Some(Leash { guard }));
        // From here on dropping the lab takes down what there is of it.
        lab.make()?;
        if options.detached
            && let Some(leash) = lab.leash.take()
        {
            leash.detach(&lab.record)?;
        }
        Ok(lab)
    }

    /// A lab that stands already. Dropping it changes nothing.
    ///
    /// # Errors
    ///
    /// When there is none of this name.
    pub fn open(name: &str) -> Result<Self, LabError> {
        Ok(Self::with_leash(Record::load(name)?, None))
    }

    /// Every lab that stands on this machine, by name.
    ///
    /// # Errors
    ///
    /// When the records cannot be listed.
    pub fn all() -> Result<Vec<Self>, LabError> {
        let records = Record::all()?.into_iter();
        Ok(records.map(|record| Self::with_leash(record, None)).collect())
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.record.name
    }

    pub(crate) fn record(&self) -> &Record {
        &self.record
    }

    /// Its hosts, in the order of their addresses.
    pub fn hosts(&self) -> &[Host] {
        &self.hosts
    }

    /// The host of this name.
    ///
    /// # Errors
    ///
    /// When there is none.
    pub fn host(&self, name: &str) -> Result<&Host, LabError> {
        let names = || self.hosts.iter().map(Host::name).collect::<Vec<_>>().join(", ");
        self.hosts.iter().find(|host| host.name() == name).ok_or_else(|| {
            LabError::refused(
                format!("lab {} has no host {name}", self.name()),
                format!("it has {}", names()),
            )
        })
    }

    /// The machine's own address in the lab's network: what listens there is seen by every host.
    pub fn gateway(&self) -> Ipv4Addr {
        self.record.gateway()
    }

    /// An address of the subnet that no host has, for example for one that moves between hosts; `number` from 0 to 49.
    ///
    /// # Errors
    ///
    /// When the number is too large.
    pub fn free_address(&self, number: u8) -> Result<Ipv4Addr, LabError> {
        if number >= FREE_LIMIT {
            return Err(LabError::refused(
                format!("a lab has {FREE_LIMIT} free addresses and no number {number}"),
                "count from 0",
            ));
        }
        Ok(address(self.record.subnet, FIRST_FREE + number))
    }

    /// The private key that logs in as root, operator, limited and careful on every host.
    pub fn key(&self) -> PathBuf {
        self.record.path("id_ed25519")
    }

    /// The host keys of all hosts, as ssh wants them.
    pub fn known_hosts(&self) -> PathBuf {
        self.record.path("known_hosts")
    }

    /// Takes the lab down, whoever made it, and says whether that worked.
    ///
    /// # Errors
    ///
    /// When something of it is left, with what it is.
    pub fn down(mut self) -> Result<(), LabError> {
        if let Some(leash) = self.leash.take() {
            leash.release(&self.record)?;
        }
        let root = self.record.root();
        if root.exists() {
            return clean::take_down(&root);
        }
        Ok(())
    }

    fn with_leash(record: Record, leash: Option<Leash>) -> Self {
        let record = Arc::new(record);
        let hosts = (0..record.hosts.len()).map(|index| Host::new(Arc::clone(&record), index));
        Self {
            hosts: hosts.collect(),
            record,
            leash,
        }
    }

    fn make(&self) -> Result<(), LabError> {
        let folder = &self.record.folder;
        fs::create_dir_all(folder).about("failed to make", folder)?;
        keys::generate(&self.key(), &self.record.name)?;
        network::make(&self.record)?;
        for host in &self.hosts {
            host.prepare()?;
            host.start()?;
        }
        keys::write_known_hosts(&self.record)?;
        self.hosts.iter().try_for_each(Host::wait_for_ssh)
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        let Some(leash) = self.leash.take() else {
            return;
        };
        if let Err(error) = leash.release(&self.record) {
            #[expect(
                clippy::print_stderr,
                reason = "a value that is dropped has nobody to return an error to"
            )]
            {
                eprintln!("lab {}: {error}", self.record.name);
            }
        }
    }
}

impl Leash {
    /// Tells the guard that the lab has no owner from now on. When that fails, the guard takes the lab down.
    fn detach(mut self, record: &Record) -> Result<(), LabError> {
        let told = self
            .guard
            .stdin
            .as_mut()
            .map(|stdin| stdin.write_all(b"detached\n"));
        told.transpose().about("failed to tell", Path::new("guard.sh"))?;
        let owner = record.path("owner");
        fs::remove_file(&owner).about("failed to remove", &owner)
    }

    /// Lets go, and waits until the guard is done.
    fn release(mut self, record: &Record) -> Result<(), LabError> {
        drop(self.guard.stdin.take());
        let late = || {
            (
                format!("lab {} is still being taken down", record.name),
                "see what is left: test-hosts list".to_owned(),
            )
        };
        let status = wait_for(DOWN_LIMIT, late, || {
            self.guard
                .try_wait()
                .about("failed to wait for", Path::new("guard.sh"))
        })?;
        if status.success() {
            return Ok(());
        }
        let log = record.path("guard.log");
        Err(LabError::Command {
            command: "guard.sh".to_owned(),
            status: status.to_string(),
            stderr: end_of(&fs::read_to_string(log).unwrap_or_default()),
        })
    }
}

/// Takes a subnet that no other lab has, and writes down what the lab will be: all that it takes to take it down.
fn claim(options: &LabOptions, places: Places) -> Result<Record, LabError> {
    let hierarchies = machine::hierarchies()?;
    let _lock = Lock::take(&Path::new(places::RECORDS).join("lock"), LOCK_LIMIT)?;
    let subnet = free_subnet()?;
    let record = Record::new(options, subnet, places);
    let root = record.root();
    match fs::create_dir(&root) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            return Err(LabError::refused(
                format!("there is a lab {} already", record.name),
                format!(
                    "take it down (test-hosts down {}) or choose another name",
                    record.name
                ),
            ));
        }
        made => made.about("failed to make", &root)?,
    }
    if let Some(own) = Identity::own() {
        record.write("owner", &own.line())?;
    }
    record.write("folder", &format!("{}\n", record.folder.display()))?;
    record.write("uplink", &format!("{}\n", record.uplink()))?;
    record.write("hierarchies", &machine::hierarchy_lines(&hierarchies))?;
    for (name, text) in SCRIPTS {
        record.write(name, text)?;
    }
    record.save()?;
    machine::raise_inotify_limit()?;
    Ok(record)
}

fn free_subnet() -> Result<u8, LabError> {
    let taken: BTreeSet<_> = Record::all()?.iter().map(|record| record.subnet).collect();
    let routes = Path::new("/proc/net/route");
    let routes = fs::read_to_string(routes).about("failed to read", routes)?;
    let has_route = |subnet: u8| {
        // The kernel prints addresses with the last byte first.
        let destination = u32::from_le_bytes(address(subnet, 0).octets());
        routes.contains(&format!("\t{destination:08X}\t"))
    };
    let is_free = |subnet: &u8| {
        !taken.contains(subnet)
            && !has_route(*subnet)
            && !Path::new("/sys/class/net").join(uplink(*subnet)).exists()
    };
    // Each takes its neighbour too.
    (0..=u8::MAX).step_by(2).find(is_free).ok_or_else(|| {
        LabError::refused(
            "every subnet of 10.90.0.0/16 is taken",
            "take labs down: test-hosts clean, test-hosts down",
        )
    })
}

/// Starts the guard before there is anything to guard.
fn spawn_guard(record: &Record) -> Result<Child, LabError> {
    let path = record.path("guard.log");
    let log = File::create(&path).about("failed to make", &path)?;
    let errors = log.try_clone().about("failed to open", &path)?;
    // The end of the pipe that stays here is closed when this process runs anything else.
    let guard = Command::new("setsid")
        .arg("bash")
        .arg(record.path("guard.sh"))
        .arg(record.root())
        .arg(record.lifetime_seconds.to_string())
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(log)
        .stderr(errors)
        .spawn()
        .about("failed to run", Path::new("setsid"))?;
    let late = || {
        (
            format!("the guard of lab {} does not come up", record.name),
            format!("see {}", path.display()),
        )
    };
    wait_for(Duration::from_secs(10), late, || {
        Ok(Identity::read(&record.path("guard")).map(drop))
    })?;
    Ok(guard)
}
