//! Giving the etcds of a simulated world what a snapshot holds: on all machines at the same time, each of which may be done, or
//! not, when keelson is gone.

use std::fs::File;
use std::io::Read;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::{join_all, try_join_all};
use jiff::Timestamp;
use keelson_provider_api::values::Digest;
use keelson_provider_api::{
    Clock, ErrorClass, EtcdRestore, ProviderError, Restoration, SetAside, StepContext, with_causes,
};

use crate::faults::CrashMoment;
use crate::latency::LOOK;
use crate::random::{between, draw, later};
use crate::simulated::{SimulatedWorld, holder_of};
use crate::world::{Effect, EtcdContents, Holder, World, contents_in, told_again};

/// A script on a machine, which stops something or starts it: an estimate.
const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(6);
/// How long founders wait for each other.
const PATIENCE: Duration = Duration::from_secs(300);
const PAUSE: Duration = Duration::from_secs(1);
/// No snapshot of a simulated world is larger.
const SNAPSHOT_LIMIT_BYTES: u64 = 1 << 20;

/// Gives the etcds of a world the data of snapshots that the same world, or another one, has written.
#[derive(Debug, Clone)]
pub struct SimulatedRestore(SimulatedWorld);

impl SimulatedRestore {
    /// For the etcds of `world`.
    pub fn of(world: &SimulatedWorld) -> Self {
        Self(world.clone())
    }

    async fn sleep(&self, duration: Duration) {
        self.0.clock().sleep(duration).await;
        self.0.alive().await;
    }

    /// One deed on one machine: it may be refused, its answer may be lost, and keelson may be gone before or after it.
    async fn deed(
        &self,
        context: &StepContext<'_>,
        subject: &str,
        decide: impl FnOnce(&World, &Holder, Timestamp) -> Result<Vec<Effect>, ProviderError> + Send,
    ) -> Result<(), ProviderError> {
        let world = &self.0;
        world.alive().await;
        let write = world.count_write();
        let (refused, lost) = {
            let faults = &mut world.lock().faults;
            let refused = faults.for_call(&format!("reach a machine: {subject}"));
            (refused, faults.for_call(subject))
        };
        let number = draw(world.options().seed, &["deed", subject]);
        self.sleep(between(SHORTEST, LONGEST, number)).await;
        if let Some(error) = refused {
            return Err(error);
        }
        world.crash_here(write, CrashMoment::BeforeEffect).await;
        world.deed(context, decide)?;
        world.crash_here(write, CrashMoment::AfterEffect).await;
        lost.map_or(Ok(()), Err)
    }

    async fn hold(&self, context: &StepContext<'_>, is_held: bool) -> Result<(), ProviderError> {
        let holder = holder_of(&context.cluster)?;
        let control_planes = self.0.look(|world, _| world.control_planes(&holder, !is_held))?;
        let verb = if is_held { "hold" } else { "release" };
        let deeds = control_planes.iter().map(|key| async move {
            self.deed(context, &format!("{verb} {key}"), |world, holder, now| {
                world.hold(holder, key, is_held, now)
            })
            .await
        });
        try_join_all(deeds).await.map(|_| ())
    }

    /// Waits until all founders vote.
    async fn wait(&self, context: &StepContext<'_>, restoration: &Restoration) -> Result<(), ProviderError> {
        let holder = holder_of(&context.cluster)?;
        let deadline = later(self.0.clock().now(), PATIENCE);
        loop {
            let (why, now) = self
                .0
                .look(|world, now| (world.restored_waits_for(&holder, restoration, now), now))?;
            match why {
                None => return Ok(()),
                Some(why) if now >= deadline => {
                    return Err(ProviderError::new(ErrorClass::Transient, why));
                }
                Some(_) => self.sleep(PAUSE).await,
            }
        }
    }
}

#[async_trait]
impl EtcdRestore for SimulatedRestore {
    async fn check(&self, context: &StepContext<'_>, restoration: &Restoration) -> Result<(), ProviderError> {
        let holder = holder_of(&context.cluster)?;
        self.0.alive().await;
        let fault = self.0.lock().faults.for_call("look before a restore");
        self.sleep(LOOK).await;
        fault.map_or(Ok(()), Err)?;
        contents_of(restoration)?;
        self.0
            .look(|world, now| world.check_restore(&holder, restoration, now))?
    }

    async fn bring_snapshot(
        &self,
        context: &StepContext<'_>,
        restoration: &Restoration,
    ) -> Result<(), ProviderError> {
        let holder = holder_of(&context.cluster)?;
        compare(restoration)?;
        let without = self
            .0
            .look(|world, _| world.founders_without(&holder, restoration))?;
        let deeds = without.iter().map(|machine| async move {
            let subject = format!("bring the snapshot to {machine}");
            self.deed(context, &subject, |world, holder, now| {
                world.bring(holder, restoration, machine, now)
            })
            .await
        });
        try_join_all(deeds).await.map(|_| ())
    }

    async fn forget_snapshot(&self, context: &StepContext<'_>, restoration: &Restoration) {
        let deeds = restoration.founders.iter().map(|machine| async move {
            let subject = format!("take the snapshot away from {machine}");
            self.deed(context, &subject, |world, holder, now| {
                world.forget(holder, restoration, machine, now)
            })
            .await
        });
        join_all(deeds).await;
    }

    async fn hold_control_planes(&self, context: &StepContext<'_>) -> Result<(), ProviderError> {
        self.hold(context, true).await
    }

    async fn release_control_planes(&self, context: &StepContext<'_>) -> Result<(), ProviderError> {
        self.hold(context, false).await
    }

    async fn end_members(
        &self,
        context: &StepContext<'_>,
        restoration: &Restoration,
    ) -> Result<(), ProviderError> {
        let holder = holder_of(&context.cluster)?;
        let former = self
            .0
            .look(|world, _| world.former_machines(&holder, restoration))?;
        let deeds = former.iter().map(|machine| async move {
            let subject = format!("end the member on {machine}");
            self.deed(context, &subject, |world, holder, now| {
                world.end_former(holder, restoration, machine, now)
            })
            .await
        });
        try_join_all(deeds).await.map(|_| ())
    }

    async fn place_data(
        &self,
        context: &StepContext<'_>,
        restoration: &Restoration,
    ) -> Result<(), ProviderError> {
        let contents = &contents_of(restoration)?;
        let deeds = restoration.founders.iter().map(|machine| async move {
            let subject = format!("put the data on {machine}");
            self.deed(context, &subject, |world, holder, now| {
                world.place(holder, restoration, machine, contents, now)
            })
            .await
        });
        try_join_all(deeds).await.map(|_| ())
    }

    async fn start_members(
        &self,
        context: &StepContext<'_>,
        restoration: &Restoration,
    ) -> Result<(), ProviderError> {
        let identity = &context.cluster;
        let deeds = restoration.founders.iter().map(|machine| async move {
            let subject = format!("start the member on {machine}");
            self.deed(context, &subject, |world, holder, now| {
                world.start_restored(identity, holder, restoration, machine, now)
            })
            .await
        });
        try_join_all(deeds).await?;
        self.wait(context, restoration).await?;
        if restoration.serves_kubernetes {
            // Nobody sees leases here; that they are taken away is one more moment to be gone at.
            let nothing = |_: &World, _: &Holder, _| Ok(Vec::new());
            self.deed(context, "take leases of API servers away", nothing)
                .await?;
        }
        Ok(())
    }

    async fn set_aside(
        &self,
        context: &StepContext<'_>,
        restoration: &Restoration,
    ) -> Result<Vec<SetAside>, ProviderError> {
        let holder = holder_of(&context.cluster)?;
        self.0.look(|world, _| world.set_aside(&holder, restoration))
    }
}

/// Compares what the snapshot holds with what was written down when it was taken.
fn compare(restoration: &Restoration) -> Result<(), ProviderError> {
    let Some(noted) = &restoration.noted else {
        return Ok(());
    };
    let bytes = read(restoration)?;
    let is = told_again(&contents_in(&bytes)?, &bytes);
    let differences = noted.differences(&is, &noted.etcd_version);
    if differences.is_empty() {
        return Ok(());
    }
    Err(unusable(
        restoration,
        &format!("it is not what was saved: {}", differences.join("; ")),
    ))
}

fn unusable(restoration: &Restoration, why: &str) -> ProviderError {
    let file = restoration.file.display();
    ProviderError::new(ErrorClass::Permanent, format!("{file} cannot be restored: {why}"))
}

/// What the snapshot holds, which lies on the machine that keelson runs on.
fn contents_of(restoration: &Restoration) -> Result<EtcdContents, ProviderError> {
    contents_in(&read(restoration)?)
}

/// The bytes of the snapshot, which are what they were when it was found whole.
fn read(restoration: &Restoration) -> Result<Vec<u8>, ProviderError> {
    if restoration.size_bytes > SNAPSHOT_LIMIT_BYTES {
        let words = format!(
            "it has {} bytes, and no simulated etcd has so many",
            restoration.size_bytes
        );
        return Err(unusable(restoration, &words));
    }
    let mut bytes = Vec::new();
    File::open(&restoration.file)
        .and_then(|file| file.take(SNAPSHOT_LIMIT_BYTES).read_to_end(&mut bytes))
        .map_err(|error| unusable(restoration, &with_causes(&error)))?;
    if Digest::of_bytes(&bytes).hexadecimal() != restoration.sha256 {
        return Err(unusable(
            restoration,
            "it is not what it was when it was read before",
        ));
    }
    Ok(bytes)
}
