//! Node bundles.

use std::collections::BTreeSet;

use crate::values::{Digest, Version};
use serde::{Deserialize, Serialize};

use super::{Catalogued, Difference, Effect, Field, Kind, Lifetime};
use crate::key::ResourceKey;

/// The configuration that a machine runs: files, units and one apply script, named by their digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NodeBundle {
    /// The machine's name.
    pub machine: String,

    /// The version of kubelet and control plane; `None` on machines that only run etcd.
    pub kubernetes_version: Option<Version>,

    /// The version of etcd; `None` on machines that run none.
    pub etcd_version: Option<Version>,

    /// A digest of everything else in the bundle.
    pub settings: Digest,

    /// A digest of what the machine's certificates are to be; `None` where there are none. It is seen to differ as
    /// soon as one of them is missing, signed by someone else, about to end, or not the one that the spec brings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificates: Option<Digest>,

    /// A digest of the authorities that the machine is to trust; `None` where there are none. It is seen to differ as soon
    /// as the certificate of one is missing, or is another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authorities: Option<Digest>,

    /// The files of the bundle that are not on the machine as it left them: changed since, or removed. Nobody wants any.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub altered_files: BTreeSet<String>,

    /// The units that are to run on the machine from each boot on, and do not: stopped since, or given up by systemd. Nobody
    /// wants any. Those of etcd are no part of it: its members tell of them.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub stopped_units: BTreeSet<String>,
}

impl NodeBundle {
    /// What is to be done where a bundle differs in nothing but what was done to it on the machine.
    pub fn only_mends(differences: &[Difference]) -> Option<&'static str> {
        let mut fields: Vec<&str> = differences.iter().map(|one| one.field.as_str()).collect();
        fields.sort_unstable();
        match fields[..] {
            [ALTERED] => Some("its files were changed on the machine: put them back"),
            [STOPPED] => Some("it does not run on the machine: start it"),
            [ALTERED, STOPPED] => Some("it was changed and stopped on the machine: put it back and start it"),
            _ => None,
        }
    }

    /// True where nothing differs but that units do not run.
    pub fn only_starts(differences: &[Difference]) -> bool {
        matches!(differences, [only] if only.field == STOPPED)
    }
}

const ALTERED: &str = "alteredFiles";
const STOPPED: &str = "stoppedUnits";

impl Catalogued for NodeBundle {
    const SUMMARY: &'static str =
        "The configuration that a machine runs: files, units and one apply script, named by their digest.";
    const LIFETIME: Lifetime = Lifetime::Machine;
    const FIELDS: &'static [Field] = &[
        Field::new("machine", Effect::Immutable),
        Field::new("kubernetesVersion", Effect::Drain),
        Field::new("etcdVersion", Effect::Restart),
        Field::new("settings", Effect::Restart),
        // Who serves with a certificate reads it anew by itself.
        Field::new("certificates", Effect::InPlace),
        // Whom it trusts, etcd reads only when it starts (etcd's client/pkg/transport/listener.go).
        Field::new("authorities", Effect::Restart),
        Field::new(ALTERED, Effect::Restart),
        // What does not run loses nothing by being started.
        Field::new(STOPPED, Effect::InPlace),
    ];

    fn references(&self) -> Vec<ResourceKey> {
        vec![ResourceKey::new(Kind::Machine, &*self.machine)]
    }

    fn machine(&self) -> Option<&str> {
        Some(&self.machine)
    }
}

#[cfg(test)]
impl NodeBundle {
    pub(super) fn sample() -> Self {
        Self {
            machine: "a".to_owned(),
            kubernetes_version: Some(Version::new(1, 36, 2)),
            etcd_version: None,
            settings: Digest::of_bytes(b""),
            certificates: Some(Digest::of_bytes(b"")),
            authorities: Some(Digest::of_bytes(b"")),
            altered_files: BTreeSet::from(["/etc/etcd/etcd.conf".to_owned()]),
            stopped_units: BTreeSet::from(["kubelet.service".to_owned()]),
        }
    }
}
