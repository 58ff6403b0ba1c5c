//! Machines: instances of EC2.
//!
//! | module | holds |
//! |---|---|
//! | `observe` | what there is of machines |
//! | `launch` | their start; `parts` and `images` say what they start from, `tags` what they say of themselves |
//! | `volume` | the volume that one gets |
//! | `end` | their end |
//! | `placed` | where they are |
//! | `preflight` | what would keep them from being started |
//!
//! What a cluster owns is found as places are ([`places`](crate::places)): by its mark. A machine is made by one call, with its
//! mark, its interface and what it runs when it first boots; the volume for its etcd data is attached when it runs, as
//! [`VOLUME_DEVICE`]. One whose volume is not attached, or that does not run yet, is seen as one behind another firewall than
//! it is to be, so that an update brings it to its end: nothing of it is lost.
//!
//! What one does at its first boot is asked for when it is started, and never again; what is kept for that goes before its end
//! ([`FirstBoot`]).
//!
//! All instances are alike in this: the service that tells them about themselves wants a session and answers no container
//! (version 2, a hop limit of 1), and their root volumes are gp3 and encrypted.

mod end;
pub(crate) mod images;
mod launch;
pub(crate) mod observe;
pub(crate) mod parts;
mod placed;
pub(crate) mod preflight;
mod tags;
mod volume;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use keelson_aws_calls::AwsCalls;
use keelson_aws_calls::ec2::{Ec2, Instance, InstanceState};
use keelson_aws_calls::iam::Iam;
use keelson_aws_calls::mark::Tags;
use keelson_provider_api::kinds::Machine;
use keelson_provider_api::{
    Action, Change, Clock, ClusterIdentity, ErrorClass, Finding, FirstBoot, Kind, KindObservation, Outcome,
    Provider, ProviderError, Resource, ResourceKey, StepContext,
};

use crate::kept::instance_profile_name;
use crate::marked::observation;
use crate::step::{Step, missing, refused};

pub(crate) use end::{not_ended, terminate};
pub(crate) use images::{ImageSource, image_source};
pub use placed::{PlacedMachine, PlacedMachines};
pub(crate) use tags::CHANGING as CHANGING_TAGS;
pub use volume::{VOLUME_DEVICE, volume_devices};

/// EC2 takes 5 calls that start instances in a burst, and then 2 a second; each waits for a minute after its call
/// (<https://docs.aws.amazon.com/AWSEC2/latest/APIReference/throttling.html>).
const CHANGES_AT_ONCE: usize = 32;

/// Machines of clusters in one region.
pub struct MachineProvider {
    ec2: Ec2,
    iam: Iam,
    clock: Arc<dyn Clock>,
    first_boot: Arc<dyn FirstBoot>,
}

impl MachineProvider {
    /// The machines in the region that `calls` are to, which run what `first_boot` says when they first boot.
    pub fn new(calls: &AwsCalls, first_boot: Arc<dyn FirstBoot>, clock: Arc<dyn Clock>) -> Self {
        Self {
            ec2: calls.ec2.clone(),
            iam: calls.iam.clone(),
            clock,
            first_boot,
        }
    }
}

/// One change of a machine, being carried out.
struct Machines<'a> {
    step: Step<'a>,
    iam: &'a Iam,
    first_boot: &'a dyn FirstBoot,
}

impl Machines<'_> {
    async fn create(&self, key: &ResourceKey, machine: &Machine) -> Result<(), Outcome> {
        let instance = match self.first(key).await? {
            Some(instance) => instance,
            None => Box::pin(self.start(key, machine)).await?,
        };
        let instance = self.until_settled(key, &instance.id).await?;
        if instance.state != InstanceState::Running {
            return Err(launch::gone(key, &instance, "does not run"));
        }
        self.bring(key, machine, &instance).await
    }

    async fn update(&self, key: &ResourceKey, machine: &Machine) -> Result<(), Outcome> {
        let instance = self.first(key).await?.ok_or_else(|| missing(key))?;
        let instance = self.until_settled(key, &instance.id).await?;
        self.bring(key, machine, &instance).await
    }

    /// Everything that changes while an instance lives is as it is to be, and there is one instance.
    async fn bring(&self, key: &ResourceKey, machine: &Machine, instance: &Instance) -> Result<(), Outcome> {
        let ec2 = self.step.ec2;
        if let Some(firewall) = machine
            .firewall
            .as_ref()
            .filter(|_| machine.network_interface.is_none())
        {
            let groups = [self.step.firewall_id(firewall).await?];
            if instance.groups != groups {
                let changed = ec2.change_instance_groups(&instance.id, &groups).await;
                changed.map_err(|error| refused(error, &format!("put {key} behind its firewall")))?;
            }
        }
        if let Some(role) = &machine.role {
            let name = instance_profile_name(&self.step.context.cluster, role);
            if !observe::is_profile(instance.instance_profile.as_deref(), &name) {
                let given = ec2.give_profile(&instance.id, &name).await;
                given.map_err(|error| refused(error, &format!("give {key} its role")))?;
            }
        }
        if let Some(name) = &machine.volume {
            volume::attach(&self.step, name, &instance.id).await?;
        }
        // What is said is true by now.
        let mut changed: Tags = tags::changing(machine);
        changed.retain(|tag, value| instance.tags.get(tag) != Some(value));
        let said = ec2
            .create_tags(std::slice::from_ref(&instance.id), &changed)
            .await;
        said.map_err(|error| refused(error, &format!("say what {key} is for")))?;
        self.end_doubles(key, &instance.id).await
    }

    /// Ends what a call whose answer was lost has started besides, and an earlier run did not see.
    async fn end_doubles(&self, key: &ResourceKey, id: &str) -> Result<(), Outcome> {
        let doubles = self.all(key).await?.into_iter().map(|instance| instance.id);
        let doubles: Vec<String> = doubles.filter(|double| double != id).collect();
        let ended = terminate(self.step.ec2, &doubles).await;
        ended.map_err(|error| refused(error, &format!("end what was started twice for {key}")))
    }

    async fn change(&self, change: &Change) -> Result<(), Outcome> {
        let key = &change.key;
        match &change.action {
            Action::Create { resource, .. } => self.create(key, machine(resource)?).await,
            Action::Update { resource, .. } => self.update(key, machine(resource)?).await,
            Action::Delete { existing } => {
                machine(&existing.resource)?;
                // First, since nobody asks for the end of a machine that is gone.
                let cluster = &self.step.context.cluster;
                let is_over = self.first_boot.is_over(cluster, key.name()).await;
                is_over.map_err(Outcome::Rejected)?;
                end::delete(&self.step, key, &existing.id).await
            }
        }
    }
}

fn machine(resource: &Resource) -> Result<&Machine, Outcome> {
    match resource {
        Resource::Machine(machine) => Ok(machine),
        other => Err(Outcome::Rejected(no_machine(other.kind()))),
    }
}

fn no_machine(kind: Kind) -> ProviderError {
    let problem = format!("a {kind} is no machine");
    ProviderError::new(ErrorClass::Permanent, problem)
}

#[async_trait]
impl Provider for MachineProvider {
    fn name(&self) -> &'static str {
        "aws-machines"
    }

    fn kinds(&self) -> &[Kind] {
        &[Kind::Machine]
    }

    fn concurrency_limit(&self) -> usize {
        CHANGES_AT_ONCE
    }

    /// An instance runs after half a minute, and has ended after a minute or less.
    fn typical_duration(&self, change: &Change) -> Duration {
        Duration::from_secs(match &change.action {
            Action::Create { .. } => 40,
            Action::Update { .. } => 5,
            Action::Delete { .. } => 50,
        })
    }

    async fn observe(
        &self,
        cluster: &ClusterIdentity,
        kind: Kind,
        _wanted: &BTreeSet<ResourceKey>,
    ) -> Result<KindObservation, ProviderError> {
        if kind != Kind::Machine {
            return Err(no_machine(kind));
        }
        let Some(uid) = &cluster.uid else {
            // Names of machines are the cluster's own, and there is none yet.
            return Ok(KindObservation::default());
        };
        let seen = observe::seen(&self.ec2, cluster, uid).await;
        let seen = seen.map_err(|error| error.told("look at the machines"))?;
        Ok(observation(cluster, kind, seen))
    }

    async fn preflight(&self, _cluster: &ClusterIdentity, changes: &[&Change]) -> Vec<Finding> {
        preflight::findings(&self.ec2, changes).await
    }

    async fn carry_out(&self, context: &StepContext<'_>, change: &Change) -> Outcome {
        let machines = Machines {
            step: Step::of(&self.ec2, &*self.clock, context, change),
            iam: &self.iam,
            first_boot: &*self.first_boot,
        };
        let done = Box::pin(machines.change(change)).await;
        done.map_or_else(|outcome| outcome, |()| Outcome::Done)
    }
}
