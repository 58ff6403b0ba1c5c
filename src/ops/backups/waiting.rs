//! Which etcds have lost their data, and wait for a restore of their own.

use std::collections::BTreeSet;

use keelson_provider_api::kinds::{EtcdMember, MemberPhase};
use keelson_provider_api::{ClusterIdentity, EtcdInstance, Existing, Kind, Observation, Observed, Resource};

use crate::execute::observe::observe;
use crate::ops::error::OperationError;
use crate::ops::session::Session;

impl Session {
    /// The etcds of the spec that have had data, and of which no machine has any now.
    pub(super) async fn etcds_without_data(
        &self,
        identity: &ClusterIdentity,
    ) -> Result<Vec<String>, OperationError> {
        let had_data = self.living().await?.map(|record| record.etcd_clusters);
        let desired = self.desired_state()?;
        let (kinds, wanted) = ([Kind::EtcdMember], desired.resources.keys());
        let observation = observe(self.providers(), self.clock(), identity, &kinds, wanted).await;
        if observation.unknown_kinds().next().is_some() {
            return Ok(Vec::new());
        }
        let may_have_it = with_data(&observation);
        let instances = self.spec().etcd.instances().iter().copied();
        let had_data = had_data.unwrap_or_default();
        let mut waiting = Vec::new();
        for etcd in instances.filter(|etcd| had_data.contains(etcd.cluster)) {
            if !may_have_it.contains(etcd.cluster) || self.left_marks_alone(identity, etcd).await? {
                waiting.push(etcd.cluster.to_owned());
            }
        }
        Ok(waiting)
    }

    /// True where machines have marks of members of `etcd`, and no data: the disk of it came back empty. A member that has voted is
    /// a voter to the planner for good, with its data or without.
    async fn left_marks_alone(
        &self,
        identity: &ClusterIdentity,
        etcd: &'static EtcdInstance,
    ) -> Result<bool, OperationError> {
        let Some(restore) = &self.backup_parts()?.restore else {
            return Ok(false);
        };
        Ok(restore.has_lost_its_data(identity, etcd).await)
    }
}

/// The etcds of which a machine has data, or may have: who is not seen may.
fn with_data(observation: &Observation) -> BTreeSet<&str> {
    let waits = |existing: &Existing| matches!(&existing.resource, Resource::EtcdMember(member) if member.phase == MemberPhase::Waiting);
    let members = observation
        .entries()
        .filter(|(key, _)| key.kind() == Kind::EtcdMember);
    let have_it = members.filter(|(_, observed)| match observed {
        Observed::Present(existing) => !waits(existing),
        Observed::Unknown(_) => true,
        Observed::Absent => false,
    });
    have_it
        .filter_map(|(key, _)| Some(EtcdMember::parse_name(key.name())?.0))
        .collect()
}
