//! Which members vote, which of them answer, and whose data is known to be wrong.

use super::Survey;
use crate::etcd::answers::{Id, Member};

impl Survey {
    /// True when `machine` has a voting member that answers with a quorum behind it.
    pub(in crate::etcd) fn votes_and_answers(&self, machine: &str) -> bool {
        let Some(seen) = self.seen(machine).filter(|seen| seen.mark.ours().is_some()) else {
            return false;
        };
        let own = seen.status.as_ref().map(|status| status.header.member_id);
        let is_voter = |member: &Member| !member.is_learner && Some(member.id) == own;
        seen.list.is_some() && self.entry(machine).is_some_and(is_voter)
    }

    /// True when the member on `machine` has raised the alarm that its data differs from that of the other members.
    pub(in crate::etcd) fn is_corrupt(&self, machine: &str) -> bool {
        let status = self.seen(machine).and_then(|seen| seen.status.as_ref());
        status.is_some_and(|status| status.alarms_of(status.header.member_id).contains(&"CORRUPT"))
    }

    /// True when `machine` has a voting member that runs and answers for itself, while no member answers with a quorum.
    pub(in crate::etcd) fn runs_without_quorum(&self, machine: &str) -> bool {
        let status = self.seen(machine).and_then(|seen| seen.status.as_ref());
        self.list.is_none() && status.is_some_and(|status| !status.is_learner)
    }

    /// The machines with voting members that answer, without `machine`: followers first.
    pub(in crate::etcd) fn other_voters(&self, machine: &str) -> Vec<String> {
        let mut others: Vec<String> = self
            .machines
            .keys()
            .filter(|other| other.as_str() != machine && self.votes_and_answers(other))
            .cloned()
            .collect();
        others.sort_by_key(|machine| self.leads(machine));
        others
    }

    /// True when the member on `machine` is the leader.
    pub(in crate::etcd) fn leads(&self, machine: &str) -> bool {
        self.seen(machine)
            .and_then(|seen| seen.status.as_ref())
            .is_some_and(|status| status.leader.0 != 0 && status.leader == status.header.member_id)
    }

    /// The voting members that do not answer with a quorum, by machine, without `machine`'s.
    pub(in crate::etcd) fn voters_down(&self, machine: &str) -> Vec<String> {
        let members = self.list.iter().flat_map(|list| &list.members);
        members
            .filter(|member| !member.is_learner)
            .map(|member| self.machine_of(member))
            .filter(|voter| voter != machine && !self.votes_and_answers(voter))
            .collect()
    }

    /// How many vote, and how many of them answer, once the member `without` is gone.
    pub(in crate::etcd) fn voters_without(&self, without: Option<Id>) -> (usize, usize) {
        let voters = || {
            let members = self.list.iter().flat_map(|list| &list.members);
            members.filter(move |member| !member.is_learner && Some(member.id) != without)
        };
        let answering = voters().filter(|member| self.votes_and_answers(&self.machine_of(member)));
        (voters().count(), answering.count())
    }
}
