//! The marks by which a machine knows what it is of its cluster.

use jiff::Timestamp;
use keelson_provider_api::values::ClusterName;
use keelson_provider_api::{
    ClusterIdentity, ClusterUid, ErrorClass, Outcome, Owner, ProviderError, StepContext,
};
use serde::{Deserialize, Serialize};

/// What is written down at `/var/lib/keelson/<kind>.json`: one line. What it was made as comes before when, because
/// `scripts/kubernetes-begin.sh` compares two marks without their times.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Mark<T> {
    /// The life of the cluster.
    pub uid: ClusterUid,
    /// The cluster.
    pub cluster: ClusterName,
    /// The resource's name among its kind.
    pub name: String,
    /// Which incarnation of that name it is.
    pub generation: u32,
    /// What it was made as.
    pub resource: T,
    /// When it was begun.
    pub created_at: Timestamp,
    /// When it did its work for the first time. Until then it is still being made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answered_at: Option<Timestamp>,
}

impl<T: Serialize> Mark<T> {
    /// A mark of what begins now.
    pub(super) fn new(
        context: &StepContext<'_>,
        name: &str,
        generation: u32,
        resource: T,
        now: Timestamp,
    ) -> Result<Self, Outcome> {
        let Some(uid) = context.cluster.uid.clone() else {
            let problem = format!("cluster {} has no uid to mark a host with", context.cluster.name);
            return Err(Outcome::Rejected(ProviderError::new(
                ErrorClass::Permanent,
                problem,
            )));
        };
        Ok(Self {
            uid,
            cluster: context.cluster.name.clone(),
            name: name.to_owned(),
            generation,
            resource,
            created_at: now,
            answered_at: None,
        })
    }

    /// The mark as its file holds it.
    pub(super) fn line(&self) -> Result<String, Outcome> {
        serde_json::to_string(self)
            .map_err(|error| Outcome::Rejected(ProviderError::new(ErrorClass::Permanent, error.to_string())))
    }
}

impl<T> Mark<T> {
    /// Whose it is in the eyes of `cluster`.
    pub(super) fn owner(&self, cluster: &ClusterIdentity) -> Owner {
        if cluster.uid.as_ref() == Some(&self.uid) {
            return Owner::ThisCluster;
        }
        Owner::Other(format!("cluster {} (uid {})", self.cluster, self.uid))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use keelson_provider_api::kinds::ControlPlane;

    pub(in crate::control_plane) fn control_plane() -> Mark<ControlPlane> {
        Mark {
            uid: ClusterUid::new("u1"),
            cluster: "prod.example.com".parse().unwrap(),
            name: "a".to_owned(),
            generation: 2,
            resource: ControlPlane {
                machine: "a".to_owned(),
                endpoint: "10.0.0.100:6443".to_owned(),
            },
            created_at: Timestamp::UNIX_EPOCH,
            answered_at: None,
        }
    }

    #[test]
    fn times_come_last_for_a_shell_to_cut_off() {
        let mut mark = control_plane();
        let body = |mark: &Mark<ControlPlane>| {
            let line = mark.line().unwrap();
            line.rsplit_once(",\"createdAt\":").unwrap().0.to_owned()
        };
        let before = body(&mark);
        mark.created_at = Timestamp::MAX;
        mark.answered_at = Some(Timestamp::MAX);
        assert_eq!(body(&mark), before);
        mark.generation = 3;
        assert_ne!(body(&mark), before);
        assert_eq!(
            serde_json::from_str::<Mark<ControlPlane>>(&mark.line().unwrap()).unwrap(),
            mark
        );
    }

    #[test]
    fn an_address_stands_where_a_shell_looks_for_it() {
        let mark = Mark {
            uid: ClusterUid::new("u1"),
            cluster: "prod.example.com".parse().unwrap(),
            name: "api".to_owned(),
            generation: 0,
            resource: keelson_provider_api::kinds::VirtualAddress {
                address: "fd00::64".to_owned(),
                machines: vec!["a".to_owned()],
            },
            created_at: Timestamp::UNIX_EPOCH,
            answered_at: None,
        };
        let line = mark.line().unwrap();
        assert!(line.contains("\"resource\":{\"address\":\"fd00::64\""), "{line}");
    }
}
