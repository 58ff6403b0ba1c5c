//! What members of etcd say of themselves.

use std::collections::BTreeMap;

use jiff::Timestamp;
use keelson_provider_api::kinds::{EtcdMember, Kind, MemberPhase};
use keelson_provider_api::values::Digest;
use keelson_provider_api::{
    DatabaseSize, Defragmented, EtcdAnswer, EtcdInstance, EtcdMemberFacts, ProviderError, Resource,
    ResourceKey,
};

use super::{EtcdCluster, Holder, Thing, World, permanent, transient};
use crate::random::draw;

/// What etcd writes to its log while a cluster forms, before the first key.
const ENTRIES_OF_FORMING: u64 = 8;
/// So far behind is a learner that has just come.
const ENTRIES_BEHIND: u64 = 1_000;
/// An empty database has this size, and grows by whole pages.
const EMPTY_DATABASE_BYTES: u64 = 20_480;
const PAGE_BYTES: u64 = 4_096;
/// What a write of Kubernetes takes up, roughly.
const WRITE_BYTES: u64 = 1_024;
/// The slowest answer of a member that is well.
const LATENCY_LIMIT_MS: u64 = 5;

impl World {
    /// The facts of the member `thing`; of one that does not answer, what the others say.
    pub(super) fn etcd_facts(
        &self,
        thing: &Thing,
        member: &EtcdMember,
        now: Timestamp,
    ) -> BTreeMap<String, String> {
        let cluster = self.etcd_cluster(&thing.holder, &member.cluster);
        let Some(cluster) = cluster.filter(|cluster| cluster.restored == thing.restored) else {
            return BTreeMap::new();
        };
        let answers = member.phase != MemberPhase::Waiting && self.working(thing, now).is_ok();
        let facts = EtcdMemberFacts {
            id: Some(Digest::of_bytes(thing.id.as_bytes()).short(16)),
            client_url: self.client_url(thing, member),
            answer: answers.then(|| self.etcd_answer(thing, member, cluster, now)),
        };
        facts.to_facts()
    }

    /// What defragmenting the member on `machine` does to its database: no page of it stays free.
    pub(crate) fn defragment(
        &self,
        holder: &Holder,
        name: &str,
        machine: &str,
        now: Timestamp,
    ) -> Result<Defragmented, ProviderError> {
        let mut members = self.members(holder, name);
        let member = members.find(|(_, member)| member.machine == machine);
        let (Some((thing, member)), Some(cluster)) = (member, self.etcd_cluster(holder, name)) else {
            return Err(permanent(format!("etcd {name} has no member on {machine}")));
        };
        self.working(thing, now).map_err(transient)?;
        if !self.etcd_count(holder, name, now).has_quorum() {
            return Err(transient(format!("etcd {name} has no quorum")));
        }
        let answer = self.etcd_answer(thing, member, cluster, now);
        let size = |bytes| DatabaseSize {
            bytes,
            in_use_bytes: answer.database_in_use_bytes,
        };
        Ok(Defragmented {
            before: size(answer.database_bytes),
            after: size(answer.database_in_use_bytes),
        })
    }

    fn etcd_answer(
        &self,
        thing: &Thing,
        member: &EtcdMember,
        cluster: &EtcdCluster,
        now: Timestamp,
    ) -> EtcdAnswer {
        let revision = Self::revision(cluster, now);
        let behind = if thing.is_busy(now) { ENTRIES_BEHIND } else { 0 };
        // A restored member's log begins anew, and its revisions do not.
        let entries = Self::own_revisions(cluster, now).saturating_add(ENTRIES_OF_FORMING);
        let index = entries.saturating_sub(behind);
        let written = cluster.writes.saturating_mul(WRITE_BYTES);
        let in_use = EMPTY_DATABASE_BYTES.saturating_add(written);
        EtcdAnswer {
            version: self.etcd_version(thing, member),
            is_leader: self.etcd_leader(thing, member, now) == Some(thing.serial),
            database_bytes: in_use.div_ceil(PAGE_BYTES).saturating_mul(PAGE_BYTES),
            database_in_use_bytes: in_use,
            revision: revision.saturating_sub(behind),
            // The first election; the world does not play others.
            raft_term: 2,
            raft_index: index,
            raft_applied_index: index,
            alarms: Vec::new(),
            latency_ms: Some(1 + draw(self.seed, &["etcd answer", &thing.id]) % LATENCY_LIMIT_MS),
        }
    }

    pub(super) fn etcd_version(&self, thing: &Thing, member: &EtcdMember) -> String {
        let key = ResourceKey::new(Kind::NodeBundle, &*member.machine);
        let bundle = self.things.get(&thing.holder, &key);
        match bundle.map(|bundle| &bundle.resource) {
            Some(Resource::NodeBundle(bundle)) => bundle
                .etcd_version
                .map_or_else(String::new, |version| version.to_string()),
            _ => String::new(),
        }
    }

    /// The oldest voter that works, while there is a quorum.
    pub(super) fn etcd_leader(&self, thing: &Thing, member: &EtcdMember, now: Timestamp) -> Option<u64> {
        if !self.etcd_count(&thing.holder, &member.cluster, now).has_quorum() {
            return None;
        }
        self.members(&thing.holder, &member.cluster)
            .filter(|(other, member)| member.phase == MemberPhase::Voter && self.working(other, now).is_ok())
            .map(|(other, _)| other.serial)
            .min()
    }

    fn client_url(&self, thing: &Thing, member: &EtcdMember) -> Option<String> {
        let key = ResourceKey::new(Kind::Machine, &*member.machine);
        let machine = self.things.get(&thing.holder, &key)?;
        let address = machine.facts.get("address")?;
        let port = EtcdInstance::of_cluster(&member.cluster)?.client_port;
        Some(format!("https://{address}:{port}"))
    }
}
