//! Instances of EC2 that boot: the emulator of AWS with a lab behind it.
//!
//! Where an instance is pending or runs, a host is on; where it is stopped the host is off and keeps its disk; where it has
//! ended nothing is left but volumes. [`machines`] brings that about, asked for by a thread that looks at the emulator five times a
//! second. [`metadata`] answers at 169.254.169.254, [`names`] are resolved at the machine's address, [`volumes`] are files and loop
//! devices.

mod instance;
mod machines;
mod metadata;
mod names;
mod volumes;
mod watcher;
mod worker;

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

pub use instance::Credentials;

use crate::wait::wait_for;
use crate::{Host, Lab, LabError, Moto, moto_python_or_skip, network, skip_without_root};
use metadata::Metadata;
use names::NameServer;
use watcher::{Shared, Watcher};

/// From the call that starts an instance to the first process of its host, on a busy machine.
const BEGIN_LIMIT: Duration = Duration::from_secs(60);
const LIFETIME_DEFAULT: Duration = Duration::from_secs(30 * 60);

/// What a cloud is to be like.
#[derive(Clone, Debug)]
pub struct CloudOptions {
    /// The name of its lab; one is made up when there is none.
    pub name: Option<String>,
    /// After this time it is taken down, whoever still uses it.
    pub lifetime: Duration,
    /// A bucket that is there from the start.
    pub bucket: String,
}

impl Default for CloudOptions {
    fn default() -> Self {
        Self {
            name: None,
            lifetime: LIFETIME_DEFAULT,
            bucket: "clusters".to_owned(),
        }
    }
}

/// AWS whose instances are hosts of a lab. Dropped by whoever made it, or when that is killed, nothing is left.
///
/// ```no_run
/// use keelson_test_hosts::{Cloud, CloudOptions, LabError};
///
/// fn main() -> Result<(), LabError> {
///     let Some(cloud) = Cloud::start_or_skip("my_test", &CloudOptions::default())? else {
///         return Ok(());
///     };
///     println!("make a VPC of {} at {}", cloud.network(), cloud.url());
///     let instance = "i-…"; // what RunInstances answered
///     let host = cloud.wait_for_user_data(instance)?;
///     host.run("systemctl is-system-running")?;
///     cloud.down()
/// }
/// ```
#[derive(Debug)]
pub struct Cloud {
    // In the order in which they go.
    watcher: Watcher,
    metadata: Metadata,
    names: NameServer,
    moto: Moto,
    lab: Lab,
    shared: Arc<Shared>,
}

impl Cloud {
    /// Starts it without an instance; nothing, after saying that `test` is skipped, without root, or where
    /// [`moto`](crate::moto()) was not made.
    ///
    /// # Errors
    ///
    /// When something cannot be made. Nothing is left then.
    pub fn start_or_skip(test: &str, options: &CloudOptions) -> Result<Option<Self>, LabError> {
        if skip_without_root(test) {
            return Ok(None);
        }
        let Some(python) = moto_python_or_skip(test) else {
            return Ok(None);
        };
        let lab = Lab::without_hosts(options.name.clone(), options.lifetime)?;
        network::add_metadata_service(lab.record())?;
        let moto = Moto::start(python, lab.gateway().into(), &options.bucket, &[])?;
        let network = serde_json::json!({ "network": lab.record().network() });
        moto.tell("POST", "settings", &network.to_string())?;
        let shared = Arc::new(Shared::default());
        let metadata = Metadata::start(lab.record(), Arc::clone(&shared))?;
        let names = NameServer::start(moto.address, lab.gateway())?;
        let watcher = Watcher::start(moto.address, lab.record(), Arc::clone(&shared));
        Ok(Some(Self {
            watcher,
            metadata,
            names,
            moto,
            lab,
            shared,
        }))
    }

    /// Where its API is, for this machine and for the hosts: `AWS_ENDPOINT_URL`.
    pub fn url(&self) -> String {
        format!("http://{}", self.moto.address)
    }

    /// The range that a VPC must have, such as `10.90.4.0/23`; another one is refused. Its subnets divide it.
    pub fn network(&self) -> String {
        self.lab.record().network()
    }

    /// The machine's own address in that network.
    pub fn gateway(&self) -> Ipv4Addr {
        self.lab.gateway()
    }

    /// The emulator, to make trouble and to see what was asked.
    pub fn moto(&self) -> &Moto {
        &self.moto
    }

    /// The lab: its name and its keys. Its own hosts are none; those of instances are [here](Self::hosts).
    pub fn lab(&self) -> &Lab {
        &self.lab
    }

    /// The hosts that there are, each with the id of its instance, which is its name too; also those that are off.
    pub fn hosts(&self) -> Vec<Host> {
        self.shared.lock().hosts.values().cloned().collect()
    }

    /// The credentials that the metadata service gives an instance; none when it has no role, or has ended.
    pub fn credentials(&self, instance: &str) -> Option<Credentials> {
        self.shared.lock().credentials.get(instance).cloned()
    }

    /// The host of an instance, once its sshd answers; the lab's [key](Lab::key) logs in.
    ///
    /// # Errors
    ///
    /// When the instance has no host within a minute, with why, or its sshd does not answer within two more.
    pub fn wait_for_host(&self, instance: &str) -> Result<Host, LabError> {
        let late = || {
            let trouble = self.shared.lock().trouble.clone();
            (
                format!("instance {instance} has no host"),
                trouble.unwrap_or_else(|| "see that the emulator has it, pending or running".to_owned()),
            )
        };
        let host = wait_for(BEGIN_LIMIT, late, || {
            let known = self.shared.lock();
            if let Some(problem) = known.problems.get(instance) {
                return Err(LabError::refused(
                    format!("instance {instance} is not as it should be"),
                    problem,
                ));
            }
            Ok(known.hosts.get(instance).filter(|host| host.is_on()).cloned())
        })?;
        host.wait_for_ssh()?;
        Ok(host)
    }

    /// The host of an instance, once cloud-init has done with its user data.
    ///
    /// # Errors
    ///
    /// As [`Self::wait_for_host`], and when the user data fails or takes more than two minutes, with the end of what it said.
    pub fn wait_for_user_data(&self, instance: &str) -> Result<Host, LabError> {
        let host = self.wait_for_host(instance)?;
        let done = host.run_as("root", "cloud-init status --wait --long")?;
        if done.success() {
            return Ok(host);
        }
        let said = "tail --lines 50 /var/log/cloud-init-output.log";
        Err(LabError::Command {
            command: format!("cloud-init of instance {instance}"),
            status: done.stdout.trim().to_owned(),
            stderr: host.run_as("root", said)?.stdout,
        })
    }

    /// Takes it down, and says whether that worked.
    ///
    /// # Errors
    ///
    /// When something of it is left, with what it is.
    pub fn down(self) -> Result<(), LabError> {
        let Self {
            watcher,
            metadata,
            names,
            moto,
            lab,
            shared: _,
        } = self;
        drop((watcher, metadata, names, moto));
        lab.down()
    }
}
