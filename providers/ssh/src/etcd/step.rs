//! One change while it is carried out: what is done on machines, and what is known to have had an effect.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use keelson_provider_api::{
    Clock, ClusterUid, ErrorClass, EtcdInstance, Outcome, Patience, ProviderError, StepContext,
};

use super::answers::{self, MemberList};
use super::mark::{Mark, fragment};
use super::meaning::{data_of_nobody, no_programs, not_ours};
use super::reach::Reach;
use super::refusal::Refusal;
use super::survey::{Survey, survey_one};
use crate::exit_status;
use crate::fence;
use crate::shell::{Job, Output};

/// How long a script may take that does not wait for etcd's work, once it is let in.
const QUICK: Duration = Duration::from_secs(60);

/// What data that is moved aside is called by: when that was.
pub(super) const ASIDE_STAMP: &str = "%Y%m%dT%H%M%SZ";

/// What the scripts of this module end with when they have done nothing, and the first one past it.
const NOTHING_DONE: std::ops::Range<i32> = 20..30;

/// One change while it is carried out.
pub(super) struct Step<'a> {
    pub reach: &'a dyn Reach,
    pub clock: &'a dyn Clock,
    pub context: &'a StepContext<'a>,
    pub uid: ClusterUid,
    pub instance: &'static EtcdInstance,
    /// True once something may have been changed.
    touched: AtomicBool,
}

/// Something to run that changes something.
pub(super) struct Deed<'a> {
    pub name: &'static str,
    pub script: &'static str,
    pub arguments: Vec<String>,
    pub machine: &'a str,
    pub timeout: Duration,
}

impl<'a> Step<'a> {
    pub(super) fn new(
        reach: &'a dyn Reach,
        clock: &'a dyn Clock,
        context: &'a StepContext<'a>,
        instance: &'static EtcdInstance,
    ) -> Result<Self, ProviderError> {
        let Some(uid) = context.cluster.uid.clone() else {
            let message = format!(
                "cluster {} has no uid yet, so nothing can be its own",
                context.cluster.name
            );
            return Err(permanent(message));
        };
        Ok(Self {
            reach,
            clock,
            context,
            uid,
            instance,
            touched: AtomicBool::new(false),
        })
    }

    /// What the change came to.
    pub(super) fn outcome(&self, result: Result<(), ProviderError>) -> Outcome {
        match result {
            Ok(()) => Outcome::Done,
            Err(error) if self.touched.load(Ordering::Relaxed) => Outcome::Indeterminate(error),
            Err(error) => Outcome::Rejected(error),
        }
    }

    pub(super) fn tell(&self, action: &str) {
        self.context.progress.tell(action);
    }

    /// What stands in every mark of this cluster.
    pub(super) fn ours(&self) -> String {
        fragment(&self.uid)
    }

    /// How all machines are.
    pub(super) async fn survey(&self) -> Result<Survey, ProviderError> {
        self.survey_of(self.reach.machines(), Duration::ZERO).await
    }

    /// How `machines` are, each after waiting for up to `patience` while its member is starting. A machine waits by
    /// itself: that is one session instead of one for each look, and ends at once when the member is ready.
    pub(super) async fn survey_of(
        &self,
        machines: impl IntoIterator<Item = String>,
        patience: Duration,
    ) -> Result<Survey, ProviderError> {
        survey_one(self.reach, &self.uid, self.instance, machines, patience).await
    }

    /// Runs what changes something on a machine.
    pub(super) async fn run(&self, deed: Deed<'_>) -> Result<Output, ProviderError> {
        let machine = deed.machine;
        let Some(shell) = self.reach.shell(machine) else {
            return Err(permanent(format!(
                "{machine} is not among the cluster's machines"
            )));
        };
        let job = Job {
            name: deed.name,
            script: deed.script,
            arguments: deed.arguments,
            input: Vec::new(),
            timeout: deed.timeout,
        };
        let output = match fence::let_in(&*shell, self.context, job).await {
            Ok(output) => output,
            Err(Outcome::Rejected(error)) => return Err(error),
            Err(Outcome::Indeterminate(error)) => {
                self.touched.store(true, Ordering::Relaxed);
                return Err(error);
            }
            // No way to fail ends so.
            Err(Outcome::Done) => return Err(transient(format!("{machine} did not say how it ended"))),
        };
        if !NOTHING_DONE.contains(&output.status) {
            self.touched.store(true, Ordering::Relaxed);
        }
        Ok(output)
    }

    /// Runs a script of this module on `machine`, with what stands in our marks and the etcd cluster before its
    /// other arguments.
    pub(super) async fn script(
        &self,
        name: &'static str,
        script: &'static str,
        machine: &str,
        arguments: Vec<String>,
    ) -> Result<(), ProviderError> {
        let mut all = vec![self.ours(), self.instance.cluster.to_owned()];
        all.extend(arguments);
        let deed = Deed {
            name,
            script,
            arguments: all,
            machine,
            timeout: QUICK,
        };
        let output = self.run(deed).await?;
        let cluster = self.instance.cluster;
        match output.status {
            0 => Ok(()),
            exit_status::NOT_OURS => Err(not_ours(self.instance, machine)),
            exit_status::DATA_OF_NOBODY => Err(data_of_nobody(self.instance, machine)),
            exit_status::ANOTHER_MEMBER => Err(transient(format!(
                "another incarnation of etcd {cluster} has come to {machine} meanwhile"
            ))),
            exit_status::NO_PROGRAMS => Err(no_programs(
                machine,
                format!("node-bundle/{machine} has to be there before the member"),
            )),
            _ => Err(fence::failure(machine, name, &output)),
        }
    }

    /// Has the member on `machine` do something to its cluster, and gives the list of members that this leaves.
    pub(super) async fn etcdctl(
        &self,
        machine: &str,
        name: &'static str,
        words: &[&str],
    ) -> Result<Option<MemberList>, Refusal> {
        let answer = self.ask(machine, name, words).await?;
        Ok(answers::member_list(&answer))
    }

    /// Has the member on `machine` do something to its cluster, and gives its answer.
    pub(super) async fn ask(
        &self,
        machine: &str,
        name: &'static str,
        words: &[&str],
    ) -> Result<String, Refusal> {
        let mut arguments = vec![self.instance.client_port.to_string()];
        arguments.extend(words.iter().map(|&word| word.to_owned()));
        let script = concat!(
            include_str!("../scripts/etcdctl.sh"),
            include_str!("../scripts/etcd-ctl.sh")
        );
        let deed = Deed {
            name,
            script,
            arguments,
            machine,
            timeout: QUICK,
        };
        let output = self.run(deed).await.map_err(Refusal::of_machine)?;
        if output.status == 0 {
            return Ok(output.stdout);
        }
        let place = format!("etcd {} through {machine}", self.instance.cluster);
        Err(Refusal::read(
            &format!("failed to {name} of {place}"),
            &output.stderr,
        ))
    }

    /// Starts the member that was begun on `machine`, without waiting for it.
    pub(super) async fn start(&self, machine: &str) -> Result<(), ProviderError> {
        let unit = self.instance.unit;
        self.tell(&format!("start {unit}"));
        let script = include_str!("../scripts/etcd-start.sh");
        self.script("start the member", script, machine, vec![unit.to_owned()])
            .await
    }

    /// Writes down that the member on `machine`, which `survey` shows to vote, has voted.
    pub(super) async fn note_vote(&self, survey: &Survey, machine: &str) -> Result<(), ProviderError> {
        let (Some(mark), Some(entry)) = (survey.mark(machine), survey.entry(machine)) else {
            return Ok(());
        };
        let voted = Mark {
            voted: true,
            member_id: Some(entry.id.to_string()),
            ..mark.clone()
        };
        if *mark == voted {
            return Ok(());
        }
        let urls = entry.peer_urls.iter().map(|url| format!("{machine}={url}"));
        let itself = urls.collect::<Vec<_>>().join(",");
        let script = concat!(
            include_str!("../scripts/write.sh"),
            include_str!("../scripts/etcd-kept.sh"),
            include_str!("../scripts/etcd-mark.sh")
        );
        self.script("note the vote", script, machine, vec![voted.as_json(), itself])
            .await
    }

    /// Ends the member on `machine` and moves its data aside: for good, where the restore of that id does it.
    pub(super) async fn end(&self, machine: &str, restore: Option<&str>) -> Result<(), ProviderError> {
        let EtcdInstance {
            unit, data_folder, ..
        } = *self.instance;
        self.tell(&format!("stop {unit} and move {data_folder} aside"));
        let stamp = self.clock.now().strftime(ASIDE_STAMP).to_string();
        let script = concat!(
            include_str!("../scripts/alone.sh"),
            include_str!("../scripts/etcd-end.sh")
        );
        let restore = restore.unwrap_or("-").to_owned();
        let arguments = vec![unit.to_owned(), data_folder.to_owned(), stamp, restore];
        self.script("end the member", script, machine, arguments).await
    }

    /// Until when something may take that is given `limit`.
    pub(super) fn patience(&self, limit: Duration) -> Patience<'_> {
        Patience::of(self.clock, limit)
    }
}

/// An error that passes by itself.
pub(super) fn transient(message: impl Into<String>) -> ProviderError {
    ProviderError::new(ErrorClass::Transient, message)
}

/// An error of a machine that does not answer.
pub(super) fn unreachable_machine(message: impl Into<String>) -> ProviderError {
    ProviderError::new(ErrorClass::Unreachable, message)
}

/// An error that stays until someone does something.
pub(super) fn permanent(message: impl Into<String>) -> ProviderError {
    ProviderError::new(ErrorClass::Permanent, message)
}

#[cfg(test)]
mod tests;
