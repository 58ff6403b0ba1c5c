//! What a restore begins with, or goes on with.

use keelson_provider_api::kinds::EtcdMember;
use keelson_provider_api::store::ObjectVersion;
use keelson_provider_api::values::Digest;
use keelson_provider_api::{
    ClusterIdentity, EtcdInstance, Kind, Observed, Precondition, Progress, ResourceKey, StoreError,
};

use super::intent::{self, RestoreIntent, Standing};
use super::unpacked::UnpackedSnapshot;
use crate::execute::Silent;
use crate::execute::observe::observe;
use crate::ops::error::OperationError;
use crate::ops::identity;
use crate::ops::session::Session;

/// More revisions than are given between a snapshot and its restore, or between two restores: so far above all that is known
/// does a restore begin (<https://etcd.io/docs/v3.6/op-guide/recovery/#restoring-with-revision-bump>).
const MORE_THAN_GIVEN: u64 = 1_000_000_000;

/// What a restore may do that it does not do by itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RestoreTerms {
    /// It takes a snapshot of which it is not known that it is this cluster's.
    pub of_another_cluster: bool,
    /// It takes the place of one that has begun and did not come to its end. Members that have that one's data are ended like
    /// all others, and what they hold is moved aside.
    pub begins_anew: bool,
}

/// What is to be done, and whether it stands in the state store by now.
pub(super) struct Beginning {
    pub(super) intent: RestoreIntent,
    /// The one that it takes the place of.
    pub(super) replaced: Option<RestoreIntent>,
    written: Written,
}

enum Written {
    /// It has this version there.
    Yes(ObjectVersion),
    /// The store has to be like this when it is written down.
    NotYet(Precondition),
}

impl Session {
    /// The restore of `etcd` from `snapshot` as it has begun, or as it will begin. One that goes on asks no machine anything.
    ///
    /// # Errors
    /// [`OperationError::RestoreUnderWay`] when another has begun and this one may not take its place;
    /// [`OperationError::OtherCluster`].
    pub(super) async fn begun_or_new(
        &self,
        snapshot: &UnpackedSnapshot,
        etcd: &'static EtcdInstance,
        terms: RestoreTerms,
        identity: &ClusterIdentity,
        progress: &Progress<'_>,
    ) -> Result<Beginning, OperationError> {
        let standing = intent::read(self.store(), self.spec().name()).await?;
        let wanted = self.founders_of(etcd)?;
        let (founders, precondition, replaced) = match standing {
            None => (wanted, Precondition::Absent, None),
            Some(Standing { intent, version }) => {
                let is_of_etcd = intent.etcd_cluster == etcd.cluster;
                if is_of_etcd && terms.begins_anew {
                    let founders = self.those_there(identity, wanted, progress).await?;
                    (founders, Precondition::Version(version), Some(intent))
                } else if is_of_etcd && intent.sha256 == snapshot.sum.sha256 {
                    return Ok(Beginning {
                        intent,
                        replaced: None,
                        written: Written::Yes(version),
                    });
                } else {
                    return Err(intent::under_way(intent));
                }
            }
        };
        check_cluster(snapshot, identity, terms)?;
        self.check_encryption_key(snapshot, terms.of_another_cluster)
            .await?;
        let intent = self
            .new_intent(snapshot, etcd, founders, replaced.as_ref())
            .await?;
        Ok(Beginning {
            intent,
            replaced,
            written: Written::NotYet(precondition),
        })
    }

    async fn new_intent(
        &self,
        snapshot: &UnpackedSnapshot,
        etcd: &'static EtcdInstance,
        founders: Vec<String>,
        replaced: Option<&RestoreIntent>,
    ) -> Result<RestoreIntent, OperationError> {
        let begun_at = self.clock().now();
        let (before, given) = replaced.map_or(("", 0), |intent| (intent.id.as_str(), intent.begins_after));
        let id = format!(
            "{before}\n{}\n{}\n{}",
            snapshot.sum.sha256,
            begun_at.as_nanosecond(),
            self.parts.holder
        );
        let newest = self.newest_given(snapshot, etcd).await?.max(given);
        let begins_after = newest.saturating_add(MORE_THAN_GIVEN);
        Ok(RestoreIntent {
            form: RestoreIntent::FORM,
            id: Digest::of_bytes(id.as_bytes()).short(24),
            etcd_cluster: etcd.cluster.to_owned(),
            source: snapshot.source.clone(),
            origin: snapshot.origin.clone(),
            sha256: snapshot.sum.sha256.clone(),
            begun_at,
            founders,
            bump_revision: begins_after - snapshot.revision(),
            begins_after,
        })
    }

    /// The newest revision of which anybody tells: those of the members that answer, that of the restore before, and that of
    /// the snapshot. None may be given twice: whoever watches would otherwise wait for one that is long past.
    async fn newest_given(
        &self,
        snapshot: &UnpackedSnapshot,
        etcd: &EtcdInstance,
    ) -> Result<u64, OperationError> {
        let record = self.living().await?;
        let restored = record.and_then(|record| record.restored_revisions.get(etcd.cluster).copied());
        let seen = self.newest_revision(etcd).await?;
        Ok(restored
            .unwrap_or(0)
            .max(seen.unwrap_or(0))
            .max(snapshot.revision()))
    }

    /// The newest revision that a member of `etcd` tells of, if one answers.
    async fn newest_revision(&self, etcd: &EtcdInstance) -> Result<Option<u64>, OperationError> {
        let report = self.look_at_etcd(&Silent).await?;
        let members = report
            .clusters
            .get(etcd.cluster)
            .into_iter()
            .flat_map(|cluster| &cluster.members);
        Ok(members.filter_map(|member| member.revision).max())
    }

    /// Writes down which revision a restore began at, also where no member answers just now.
    pub(super) async fn note_revision(
        &self,
        etcd: &EtcdInstance,
        begun: &RestoreIntent,
    ) -> Result<(), OperationError> {
        let seen = self.newest_revision(etcd).await?.unwrap_or(0);
        identity::amend(self.store(), self.spec().name(), |record| {
            let noted = record
                .restored_revisions
                .entry(etcd.cluster.to_owned())
                .or_default();
            *noted = seen.max(begun.begins_after).max(*noted);
        })
        .await?;
        Ok(())
    }

    /// The machines that the spec gives members of `etcd`.
    fn founders_of(&self, etcd: &EtcdInstance) -> Result<Vec<String>, OperationError> {
        let desired = self.desired_state()?;
        let members = desired
            .resources
            .keys()
            .filter(|key| key.kind() == Kind::EtcdMember);
        let members = members.filter_map(|key| EtcdMember::parse_name(key.name()));
        let of_etcd = members.filter(|(cluster, _)| *cluster == etcd.cluster);
        Ok(of_etcd.map(|(_, machine)| machine.to_owned()).collect())
    }

    /// Those of `machines` that are there with what they run. No apply makes the others while a restore is under way, and the
    /// next one after it gives them their members. One that does not answer may be there.
    async fn those_there(
        &self,
        identity: &ClusterIdentity,
        machines: Vec<String>,
        progress: &Progress<'_>,
    ) -> Result<Vec<String>, OperationError> {
        const KINDS: [Kind; 2] = [Kind::Machine, Kind::NodeBundle];
        let desired = self.desired_state()?;
        let wanted = desired.resources.keys();
        let observation = observe(self.providers(), self.clock(), identity, &KINDS, wanted).await;
        let lacks = |machine: &str| {
            let key = |kind| ResourceKey::new(kind, machine);
            KINDS
                .into_iter()
                .any(|kind| matches!(observation.get(&key(kind)), Observed::Absent))
        };
        let (absent, there): (Vec<String>, Vec<String>) =
            machines.into_iter().partition(|machine| lacks(machine));
        if !absent.is_empty() {
            progress.tell(&format!(
                "leave out what is not there, or has no etcd: {}; `keelson apply` brings it afterwards",
                absent.join(", ")
            ));
        }
        Ok(there)
    }
}

impl Beginning {
    /// What stands in the state store before it is written down: itself, where it has begun, or what it takes the place of.
    pub(super) const fn standing(&self) -> Option<&RestoreIntent> {
        match &self.written {
            Written::Yes(_) => Some(&self.intent),
            Written::NotYet(_) => self.replaced.as_ref(),
        }
    }

    /// True where it has begun.
    pub(super) const fn is_written(&self) -> bool {
        matches!(self.written, Written::Yes(_))
    }

    /// Writes it down, unless it is, and gives the version that it has there.
    ///
    /// # Errors
    /// As a conflict, when somebody else has changed it meanwhile.
    pub(super) async fn write(&self, session: &Session) -> Result<ObjectVersion, StoreError> {
        match &self.written {
            Written::Yes(version) => Ok(version.clone()),
            Written::NotYet(precondition) => {
                let name = session.spec().name();
                intent::write(session.store(), name, &self.intent, precondition.clone()).await
            }
        }
    }
}

fn check_cluster(
    snapshot: &UnpackedSnapshot,
    identity: &ClusterIdentity,
    terms: RestoreTerms,
) -> Result<(), OperationError> {
    let other = match &snapshot.of_cluster {
        _ if terms.of_another_cluster => return Ok(()),
        Some((_, uid)) if Some(uid) == identity.uid.as_ref() => return Ok(()),
        Some((name, uid)) => format!("the cluster {name} with the uid {uid}"),
        None => "a cluster that the file does not name".to_owned(),
    };
    Err(OperationError::OtherCluster {
        source_words: snapshot.source.clone(),
        other,
    })
}
