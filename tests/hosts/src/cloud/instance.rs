//! Instances as the emulator tells of them: `scripts/aws/machines.py`.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use serde::Deserialize;

/// All that the emulator has.
#[derive(Debug, Deserialize)]
pub(super) struct World {
    pub(super) instances: Vec<Instance>,
    /// The ids of all volumes, attached or not.
    pub(super) volumes: BTreeSet<String>,
}

/// An instance, as far as a host needs it.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Instance {
    pub(super) id: String,
    state: String,
    pub(super) private_address: Option<Ipv4Addr>,
    pub(super) mac: Option<String>,
    pub(super) metadata_options: MetadataOptions,
    /// Those that it can use, without its root.
    pub(super) volumes: Vec<AttachedVolume>,
    pub(super) credentials: Option<Credentials>,
    /// Paths without their version, and their texts, in which each character stands for a byte.
    pub(super) metadata: BTreeMap<String, String>,
}

/// How an instance's metadata can be asked for (EC2 API reference, `InstanceMetadataOptionsResponse`).
#[derive(Clone, Copy, Debug, Deserialize)]
pub(super) struct MetadataOptions {
    pub(super) tokens_required: bool,
    pub(super) hop_limit: u32,
    pub(super) enabled: bool,
}

/// A volume at an instance.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct AttachedVolume {
    pub(super) id: String,
    pub(super) gibibytes: u64,
}

/// What an instance signs its calls with. The emulator takes any signature, and its journal says whose key it was.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Credentials {
    /// `ASIA…`.
    #[serde(rename = "AccessKeyId")]
    pub access_key_id: String,
    /// The secret of the key.
    #[serde(rename = "SecretAccessKey")]
    pub secret_access_key: String,
    /// The session that they belong to.
    #[serde(rename = "Token")]
    pub token: String,
    /// Until when they are good, as in `2026-11-29T09:00:00Z`.
    #[serde(rename = "Expiration")]
    pub expiration: String,
}

/// What becomes of an instance's host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Power {
    On,
    Off,
    /// With its disk, but not its volumes.
    Gone,
}

impl Instance {
    pub(super) fn power(&self) -> Power {
        match self.state.as_str() {
            "pending" | "running" => Power::On,
            "stopping" | "stopped" => Power::Off,
            _ => Power::Gone,
        }
    }
}
