//! The start of machines.

use std::time::Duration;

use keelson_aws_calls::CallError;
use keelson_aws_calls::ec2::{
    Filters, Instance, InstanceState, InterfaceState, Launch, LaunchInterface, RootVolume,
};
use keelson_provider_api::kinds::Machine;
use keelson_provider_api::{ErrorClass, Kind, NewMachine, Outcome, ProviderError, ResourceKey};

use super::Machines;
use super::observe::reason;
use super::parts::{self, PROFILE_LIMIT, ROOT, gibibytes, machine_type, never};
use super::{tags, volume};
use crate::instances;
use crate::step::{MOST_TOKENS, late, missing, refused};

/// An instance runs after a minute; those without an operating system between (`metal`) after many.
const RUN_LIMIT: Duration = Duration::from_secs(900);
/// Whoever had the interface before lets go of it when it is gone itself, and that can take minutes.
const FREE_LIMIT: Duration = Duration::from_secs(600);
/// What was just made shows in less.
const SHOWN_LIMIT: Duration = Duration::from_secs(15);
/// What EC2 says of a token whose instance has ended, and of one that was used for another instance
/// (<https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html>).
const ENDED: &str = "IdempotentInstanceTerminated";
const OTHER: &str = "IdempotentParameterMismatch";

/// What EC2 refuses to start, and what to do about it.
const ADVICE: &[(&str, &str)] = &[
    (
        "InsufficientInstanceCapacity",
        "apply again later, or choose another machine type or zone: AWS has none free there now",
    ),
    (
        "Unsupported",
        "choose another machine type or zone: AWS does not have this type there",
    ),
    (
        "VcpuLimitExceeded",
        "ask AWS for a higher quota of vCPUs of this family (Service Quotas, EC2), or choose smaller machines",
    ),
    (
        "InstanceLimitExceeded",
        "ask AWS for a higher quota of instances (Service Quotas, EC2)",
    ),
    (
        "MaxSpotInstanceCountExceeded",
        "ask AWS for a higher quota of spot instances (Service Quotas, EC2)",
    ),
    (
        "VolumeLimitExceeded",
        "ask AWS for a higher quota of volumes (Service Quotas, EBS)",
    ),
    (
        "InsufficientFreeAddressesInSubnet",
        "free addresses of the subnet, or take a larger one",
    ),
];

/// Where an instance is started.
enum Place {
    /// By this interface, in the subnet or with the interface of this id.
    Free(LaunchInterface, String),
    /// It has been.
    Started(Box<Instance>),
}

impl Machines<'_> {
    /// What the machine runs when it first boots.
    async fn user_data(&self, key: &ResourceKey, machine: &Machine) -> Result<Vec<u8>, Outcome> {
        let volume_devices = match &machine.volume {
            Some(name) => volume::devices(&self.step, name).await?,
            None => Vec::new(),
        };
        let new = NewMachine {
            name: key.name(),
            machine,
            generation: self.step.generation,
            volume_devices,
        };
        let cluster = &self.step.context.cluster;
        let user_data = self.first_boot.user_data(cluster, &new).await;
        parts::that_fits(key, user_data.map_err(Outcome::Rejected)?)
    }

    /// The instance of `key`, if there is one.
    pub(super) async fn first(&self, key: &ResourceKey) -> Result<Option<Instance>, Outcome> {
        Ok(self.all(key).await?.into_iter().next())
    }

    /// The instances with the mark of `key` that have not ended: first the one that counts.
    pub(super) async fn all(&self, key: &ResourceKey) -> Result<Vec<Instance>, Outcome> {
        instances::of_key(&self.step, key).await
    }

    /// Starts an instance; or says which one a call whose answer was lost has started.
    pub(super) async fn start(&self, key: &ResourceKey, machine: &Machine) -> Result<Instance, Outcome> {
        let machine_type = machine_type(key, machine.machine_type.as_deref())?;
        let image = parts::image(&self.step, key, machine_type, machine.image.as_deref()).await?;
        let profile = parts::profile(&self.step, self.iam, machine.role.as_deref()).await?;
        let (interface, place) = match self.place(key, machine).await? {
            Place::Free(interface, id) => (interface, id),
            Place::Started(instance) => return Ok(*instance),
        };
        let mut marks = self.step.mark(key);
        marks.extend(tags::of(machine));
        let launch = Launch {
            image: image.id,
            instance_type: machine_type.to_owned(),
            interface,
            root: RootVolume {
                device: image.root_device,
                size_gibibytes: gibibytes(key, machine.root_volume.unwrap_or(ROOT))?,
                encryption_key: None,
            },
            // Last, since something is kept for it.
            user_data: self.user_data(key, machine).await?,
            instance_profile: profile,
            key_pair: None,
            spot: machine.spot,
            protected: false,
            tags: marks,
        };
        for round in 0..MOST_TOKENS {
            let token = self.step.token(key, &format!("{place} {round}"));
            let error = match self.run(&launch, &token).await {
                Ok(instance) => return Ok(instance),
                Err(error) => error,
            };
            if error.is(&[OTHER]) {
                // An earlier run has started it with a token of before, and otherwise: from an older image for example.
                let shown = || self.first(key);
                if let Some(found) = self.step.until_found(SHOWN_LIMIT, shown).await? {
                    return Ok(found);
                }
            } else if !error.is(&[ENDED]) {
                return Err(not_started(error, key));
            }
        }
        Err(never(format!(
            "{key} was started {MOST_TOKENS} times and has ended each time: see in the console of EC2 why"
        )))
    }

    async fn run(&self, launch: &Launch, token: &str) -> Result<Instance, CallError> {
        let run = || self.step.ec2.run_instance(launch, token);
        if launch.instance_profile.is_none() {
            return run().await;
        }
        // EC2 has no other word for a profile that it does not know yet; one that is not there was found before.
        let again = self
            .step
            .again_while(&["InvalidParameterValue"], PROFILE_LIMIT, run);
        again.await
    }

    /// Where it is started.
    async fn place(&self, key: &ResourceKey, machine: &Machine) -> Result<Place, Outcome> {
        if let Some(name) = &machine.network_interface {
            return self.behind(key, name).await;
        }
        let (Some(subnet), Some(firewall)) = (&machine.subnet, &machine.firewall) else {
            return Err(never(format!(
                "{key} is to be in no subnet, or behind no firewall"
            )));
        };
        let id = self.step.subnet_id(subnet).await?;
        let interface = LaunchInterface::New {
            subnet: Some(id.clone()),
            private_address: None,
            groups: vec![self.step.firewall_id(firewall).await?],
            public_address: parts::is_public(&self.step, subnet, &id).await?,
        };
        Ok(Place::Free(interface, id))
    }

    /// The interface `name`, as soon as nobody has it; or the instance that has it, where that is the one to be started.
    async fn behind(&self, key: &ResourceKey, name: &str) -> Result<Place, Outcome> {
        let wanted = ResourceKey::new(Kind::NetworkInterface, name);
        let look = || async {
            let found = self.step.ec2.list_interfaces(&self.step.marked(&wanted)).await;
            let mut found = found.map_err(|error| refused(error, "look for the interface"))?;
            found.sort_by(|one, other| one.id.cmp(&other.id));
            Ok::<_, Outcome>(found.into_iter().next())
        };
        let Some(found) = look().await? else {
            return Err(missing(&wanted));
        };
        let free = || async {
            let found = look().await?;
            match found.filter(|one| one.state == InterfaceState::Available && one.attachment.is_none()) {
                Some(free) => {
                    let interface = LaunchInterface::Existing { id: free.id.clone() };
                    Ok(Some(Place::Free(interface, free.id)))
                }
                // An earlier call has started it, and it shows only now.
                None => Ok(self.first(key).await?.map(|one| Place::Started(Box::new(one)))),
            }
        };
        if let Some(place) = self.step.until_found(FREE_LIMIT, free).await? {
            return Ok(place);
        }
        let holder = found.attachment.and_then(|attachment| attachment.instance);
        let holder = holder.unwrap_or_else(|| "nobody, and is not available".to_owned());
        Err(late(format!("{wanted}, {}, is attached to {holder}", found.id)))
    }

    /// Waits until an instance is no longer about to run: it runs, or is stopped.
    pub(super) async fn until_settled(&self, key: &ResourceKey, id: &str) -> Result<Instance, Outcome> {
        let itself = Filters::default().with("instance-id", [id]);
        let settled = || async {
            let found = self.step.ec2.list_instances(&itself).await;
            let found = found.map_err(|error| refused(error, "look at the instance"))?;
            // One that was just started may not show yet.
            let found = found.into_iter().next();
            Ok::<_, Outcome>(found.filter(|instance| instance.state != InstanceState::Pending))
        };
        let Some(found) = self.step.until_found(RUN_LIMIT, settled).await? else {
            return Err(late(format!("{key}, {id}, does not come to run")));
        };
        if found.is_alive() {
            return Ok(found);
        }
        Err(gone(key, &found, "has ended at once"))
    }
}

/// An instance that does not run, and why.
pub(super) fn gone(key: &ResourceKey, instance: &Instance, how: &str) -> Outcome {
    let problem = format!("{key}, {}, {how}; {}", instance.id, reason(instance));
    // What is AWS's own trouble passes, and the account's does not
    // (https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_StateReason.html).
    let is_of_aws = instance
        .state_reason
        .as_ref()
        .and_then(|code| code.split_once('.'));
    let class = match is_of_aws {
        Some(("Server", _)) => ErrorClass::Transient,
        _ => ErrorClass::Permanent,
    };
    Outcome::Indeterminate(ProviderError::new(class, problem))
}

fn not_started(error: CallError, key: &ResourceKey) -> Outcome {
    let advice = ADVICE.iter().find(|(code, _)| error.is(&[code]));
    let advised = |error: ProviderError| match advice {
        Some((_, help)) => error.with_help(*help),
        None => error,
    };
    match refused(error, &format!("start {key}")) {
        Outcome::Rejected(error) => Outcome::Rejected(advised(error)),
        Outcome::Indeterminate(error) => Outcome::Indeterminate(advised(error)),
        Outcome::Done => Outcome::Done,
    }
}
