//! One etcd cluster as all machines show it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use futures_util::stream::{self, StreamExt};
use keelson_provider_api::kinds::{MemberPhase, MemberStart};
use keelson_provider_api::{ClusterUid, EtcdInstance};

use super::answers::{Id, Member, MemberList};
use super::look::{Seen, look};
use super::mark::Mark;
use super::reach::Reach;

/// How many machines are looked at at once.
const LOOKS_AT_ONCE: usize = 32;

/// What machines show of an etcd cluster.
#[derive(Debug, Clone)]
pub(super) struct Survey {
    /// The etcd cluster.
    pub instance: &'static EtcdInstance,
    /// What was seen on each machine, or why nothing was.
    pub machines: BTreeMap<String, Result<Seen, String>>,
    /// The address of each machine inside the cluster.
    pub addresses: BTreeMap<String, IpAddr>,
    /// The members, as a quorum has confirmed.
    pub list: Option<MemberList>,
    /// Why there is no saying which cluster is the cluster, if so.
    pub split: Option<String>,
}

/// Looks at the members of `instances` on `machines`, all at once; each waits for up to `patience` while its member is
/// starting.
pub(super) async fn survey(
    reach: &dyn Reach,
    uid: Option<&ClusterUid>,
    instances: &[&'static EtcdInstance],
    machines: impl IntoIterator<Item = String>,
    patience: Duration,
) -> Vec<Survey> {
    let machines: BTreeSet<String> = machines.into_iter().collect();
    let looks = machines.into_iter().map(|machine| async move {
        let seen = match reach.shell(&machine) {
            Some(shell) => look(shell.as_ref(), uid, instances, patience).await,
            None => Err("it is not among the cluster's machines".to_owned()),
        };
        (machine, seen)
    });
    let seen: Vec<_> = stream::iter(looks)
        .buffer_unordered(LOOKS_AT_ONCE)
        .collect()
        .await;
    let addresses: BTreeMap<String, IpAddr> = reach
        .machines()
        .into_iter()
        .chain(seen.iter().map(|(machine, _)| machine.clone()))
        .filter_map(|machine| {
            let address = reach.internal_address(&machine)?;
            Some((machine, address))
        })
        .collect();
    let of = |instance: &'static EtcdInstance| {
        let machines = seen.iter().map(|(machine, seen)| {
            let seen = match seen {
                Ok(all) => all
                    .get(instance.cluster)
                    .cloned()
                    .ok_or_else(|| "it was not looked at".to_owned()),
                Err(why) => Err(why.clone()),
            };
            (machine.clone(), seen)
        });
        Survey::of(instance, machines.collect(), addresses.clone())
    };
    instances.iter().map(|&instance| of(instance)).collect()
}

impl Survey {
    /// Puts together what was seen. Only members that carry this cluster's mark are believed.
    pub(super) fn of(
        instance: &'static EtcdInstance,
        machines: BTreeMap<String, Result<Seen, String>>,
        addresses: BTreeMap<String, IpAddr>,
    ) -> Self {
        let lists: Vec<&MemberList> = machines
            .values()
            .filter_map(|seen| seen.as_ref().ok())
            .filter(|seen| seen.mark.ours().is_some())
            .filter_map(|seen| seen.list.as_ref())
            .collect();
        let clusters: BTreeSet<Id> = lists.iter().map(|list| list.header.cluster_id).collect();
        let split = (clusters.len() > 1).then(|| {
            let ids: Vec<String> = clusters.iter().map(Id::to_string).collect();
            format!(
                "members of {} different clusters call themselves etcd {}: {}",
                ids.len(),
                instance.cluster,
                ids.join(", ")
            )
        });
        // The one of the latest term: the members have changed since one that is older.
        let list = lists
            .iter()
            .max_by_key(|list| list.header.raft_term)
            .map(|&list| list.clone());
        Self {
            instance,
            list: list.filter(|_| split.is_none()),
            machines,
            addresses,
            split,
        }
    }

    /// What was seen on `machine`; `None` when it could not be seen.
    pub(super) fn seen(&self, machine: &str) -> Option<&Seen> {
        self.machines.get(machine)?.as_ref().ok()
    }

    /// This cluster's mark on `machine`.
    pub(super) fn mark(&self, machine: &str) -> Option<&Mark> {
        self.seen(machine)?.mark.ours()
    }

    /// Every mark of this cluster.
    pub(super) fn marks(&self) -> impl Iterator<Item = (&str, &Mark)> {
        self.machines
            .keys()
            .filter_map(|machine| Some((machine.as_str(), self.mark(machine)?)))
    }

    /// The URL under which other members reach the one on `machine`.
    pub(super) fn peer_url(&self, machine: &str) -> Option<String> {
        let address = self.addresses.get(machine)?;
        Some(self.instance.peer_url(*address))
    }

    /// What the list of members says of `machine`: by the URL for peers, which tells members apart, and by name.
    pub(super) fn entry(&self, machine: &str) -> Option<&Member> {
        let members = &self.list.as_ref()?.members;
        let url = self.peer_url(machine);
        members
            .iter()
            .find(|member| url.as_ref().is_some_and(|url| member.peer_urls.contains(url)))
            .or_else(|| members.iter().find(|member| member.name == machine))
    }

    /// The machine of a member in the list; a member that has neither a machine of ours nor a name goes by its id.
    pub(super) fn machine_of(&self, member: &Member) -> String {
        self.addresses
            .keys()
            .find(|machine| {
                self.peer_url(machine)
                    .is_some_and(|url| member.peer_urls.contains(&url))
            })
            .cloned()
            .unwrap_or_else(|| match member.name.as_str() {
                "" => member.id.to_string(),
                name => name.to_owned(),
            })
    }

    /// Every machine with a member in the list.
    pub(super) fn listed_machines(&self) -> BTreeSet<String> {
        let members = self.list.iter().flat_map(|list| &list.members);
        members.map(|member| self.machine_of(member)).collect()
    }

    /// True when the cluster has had a quorum once, as far as anyone can tell who is seen.
    pub(super) fn has_formed(&self) -> bool {
        self.list.is_some()
            || self.marks().any(|(machine, mark)| {
                mark.voted || self.seen(machine).is_some_and(|seen| seen.status.is_some())
            })
    }

    /// True when `machine` has a voting member that answers with a quorum behind it.
    pub(super) fn votes_and_answers(&self, machine: &str) -> bool {
        let Some(seen) = self.seen(machine).filter(|seen| seen.mark.ours().is_some()) else {
            return false;
        };
        let own = seen.status.as_ref().map(|status| status.header.member_id);
        let is_voter = |member: &Member| !member.is_learner && Some(member.id) == own;
        seen.list.is_some() && self.entry(machine).is_some_and(is_voter)
    }

    /// The machines with voting members that answer, without `machine`: followers first.
    pub(super) fn other_voters(&self, machine: &str) -> Vec<String> {
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
    pub(super) fn leads(&self, machine: &str) -> bool {
        self.seen(machine)
            .and_then(|seen| seen.status.as_ref())
            .is_some_and(|status| status.leader.0 != 0 && status.leader == status.header.member_id)
    }

    /// How far the member on `machine`, which carries our mark, is on its way to voting.
    ///
    /// A member that is in no list any more waits as well: whatever it once was, it has to come in anew.
    pub(super) fn phase(&self, machine: &str) -> MemberPhase {
        let (Some(seen), Some(mark)) = (self.seen(machine), self.mark(machine)) else {
            return MemberPhase::Waiting;
        };
        let phase_of = |is_learner: bool| {
            if is_learner {
                MemberPhase::Learner
            } else {
                MemberPhase::Voter
            }
        };
        if self.list.is_some() {
            return self
                .entry(machine)
                .map_or(MemberPhase::Waiting, |entry| phase_of(entry.is_learner));
        }
        if let Some(status) = &seen.status {
            return phase_of(status.is_learner);
        }
        match mark.start {
            _ if mark.voted => MemberPhase::Voter,
            MemberStart::Join => MemberPhase::Learner,
            MemberStart::Initial if self.has_formed() => MemberPhase::Voter,
            MemberStart::Initial => MemberPhase::Waiting,
        }
    }

    /// How many vote, and how many of them answer, once the member `without` is gone.
    pub(super) fn voters_without(&self, without: Option<Id>) -> (usize, usize) {
        let voters = || {
            let members = self.list.iter().flat_map(|list| &list.members);
            members.filter(move |member| !member.is_learner && Some(member.id) != without)
        };
        let answering = voters().filter(|member| self.votes_and_answers(&self.machine_of(member)));
        (voters().count(), answering.count())
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::etcd::answers::{Header, Status};
    use crate::etcd::look::tests::nothing;
    use crate::etcd::mark::MarkSeen;
    use crate::etcd::mark::tests::mark;
    use MemberPhase::{Learner, Voter, Waiting};
    use keelson_provider_api::etcd::MAIN;

    /// Surveys as tests write them: a machine a word, with what is on it after a colon.
    ///
    /// `v` a voter that answers, `l` a learner, `d` a voter that does not answer, `w` one that waits, `u` in the list
    /// and never started, `x` not in the list with a mark and data, `n` nothing, `f` someone else's, `o` data without
    /// a mark, `?` not seen and in the list, `!` not seen and not in the list.
    pub(in crate::etcd) fn picture(text: &str) -> Survey {
        let (mut machines, mut addresses, mut members) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
        for (index, word) in text.split(' ').enumerate() {
            let (name, what) = word.split_once(':').unwrap();
            let number = u8::try_from(index + 1).unwrap();
            let address = IpAddr::from([10, 0, 0, number]);
            addresses.insert(name.to_owned(), address);
            let url = MAIN.peer_url(address);
            if "vld?u".contains(what) {
                members.push(Member {
                    id: Id(u64::from(number)),
                    name: if what == "u" {
                        String::new()
                    } else {
                        name.to_owned()
                    },
                    peer_urls: vec![url],
                    client_urls: if what == "u" {
                        Vec::new()
                    } else {
                        vec!["https://x".to_owned()]
                    },
                    is_learner: what == "l",
                });
            }
            machines.insert(name.to_owned(), machine(name, what, number));
        }
        let header = Header {
            cluster_id: Id(99),
            member_id: Id(1),
            revision: 7,
            raft_term: 2,
        };
        let list = MemberList { header, members };
        for seen in machines.values_mut().flatten() {
            let answers = seen.status.as_ref().is_some_and(|status| !status.is_learner);
            seen.list = (answers && seen.mark.ours().is_some()).then(|| list.clone());
        }
        Survey::of(&MAIN, machines, addresses)
    }

    fn machine(name: &str, what: &str, number: u8) -> Result<Seen, String> {
        let status = |is_learner| Status {
            header: Header {
                cluster_id: Id(99),
                member_id: Id(u64::from(number)),
                revision: 7,
                raft_term: 2,
            },
            version: "3.6.8".to_owned(),
            db_size: 4096,
            db_size_in_use: 2048,
            leader: Id(1),
            raft_index: 100 - u64::from(number),
            raft_applied_index: 100 - u64::from(number),
            is_learner,
            errors: Vec::new(),
        };
        let marked = |voted| Seen {
            mark: MarkSeen::Ours(Box::new(Mark { voted, ..mark(name) })),
            has_data: true,
            has_log: true,
            unit: "active".to_owned(),
            free_kib: Some(1 << 20),
            ..nothing()
        };
        Ok(match what {
            "v" => Seen {
                status: Some(status(false)),
                ..marked(true)
            },
            "l" => Seen {
                status: Some(status(true)),
                ..marked(false)
            },
            "d" | "x" => Seen {
                unit: "activating".to_owned(),
                ..marked(true)
            },
            "w" => Seen {
                unit: "activating".to_owned(),
                ..marked(false)
            },
            "f" => Seen {
                mark: MarkSeen::Other("the cluster other".to_owned()),
                has_data: true,
                ..nothing()
            },
            "o" => Seen {
                has_data: true,
                ..nothing()
            },
            "?" | "!" => return Err("connection timed out".to_owned()),
            _ => nothing(),
        })
    }

    #[test]
    fn voters_are_counted_by_the_list_and_by_who_answers() {
        let survey = picture("a:v b:v c:d d:l e:u");
        assert_eq!(survey.voters_without(None), (4, 2));
        assert_eq!(survey.voters_without(Some(Id(3))), (3, 2));
        assert_eq!(survey.other_voters("a"), ["b"]);
        assert_eq!(survey.other_voters("c"), ["b", "a"], "the leader comes last");
        assert_eq!(survey.listed_machines().len(), 5);
    }

    #[test]
    fn the_phase_comes_from_the_list_and_without_one_from_the_marks() {
        let phases = |text: &str| -> Vec<MemberPhase> {
            let survey = picture(text);
            survey
                .machines
                .keys()
                .map(|machine| survey.phase(machine))
                .collect()
        };
        assert_eq!(phases("a:v b:l c:x"), [Voter, Learner, Waiting]);
        assert_eq!(phases("a:w b:w"), [Waiting, Waiting]);
        assert_eq!(
            phases("a:d b:w"),
            [Voter, Voter],
            "a founder votes from when the cluster has formed"
        );
    }

    #[test]
    fn someone_elses_members_are_not_believed() {
        let mut survey = picture("a:v b:v");
        let list = survey.list.clone().unwrap();
        let mut other = list.clone();
        other.header.cluster_id = Id(1);
        survey.machines.get_mut("b").unwrap().as_mut().unwrap().list = Some(other);
        let split = Survey::of(survey.instance, survey.machines.clone(), survey.addresses.clone());
        assert!(split.split.is_some() && split.list.is_none());
        survey.machines.get_mut("b").unwrap().as_mut().unwrap().mark = MarkSeen::Other("x".to_owned());
        let survey = Survey::of(survey.instance, survey.machines, survey.addresses);
        assert_eq!((survey.split, survey.list), (None, Some(list)));
    }
}
