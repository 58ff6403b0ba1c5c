//! Network interfaces.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::{Catalogued, Effect, Field, Kind, Lifetime};
use crate::key::ResourceKey;

/// A network interface with an address that stays: it is attached to the machine of the moment, as the only one that this
/// machine has, and outlives it (<https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/using-eni.html>).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NetworkInterface {
    /// The name of the machine that it is kept for.
    pub machine: String,

    /// The subnet's name.
    pub subnet: String,

    /// The name of the firewall that its machine stands behind.
    pub firewall: String,

    /// Its address, one of the subnet's.
    pub address: IpAddr,

    /// True where it has a public address as well. A machine that is made with an interface is given none by its subnet
    /// (<https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/working-with-ip-addresses.html>).
    pub public: bool,
}

impl Catalogued for NetworkInterface {
    const SUMMARY: &'static str =
        "A network interface with an address that outlives the machine which has it.";
    const LIFETIME: Lifetime = Lifetime::Own;
    const FIELDS: &'static [Field] = &[
        Field::new("machine", Effect::Immutable),
        Field::new("subnet", Effect::Replace),
        Field::new("firewall", Effect::InPlace),
        Field::new("address", Effect::Replace),
        Field::new("public", Effect::InPlace),
    ];

    fn references(&self) -> Vec<ResourceKey> {
        vec![
            ResourceKey::new(Kind::Subnet, &*self.subnet),
            ResourceKey::new(Kind::Firewall, &*self.firewall),
        ]
    }

    fn kept_for(&self) -> Option<&str> {
        Some(&self.machine)
    }
}

#[cfg(test)]
impl NetworkInterface {
    pub(super) fn sample() -> Self {
        Self {
            machine: "a".to_owned(),
            subnet: "a-private".to_owned(),
            firewall: "control-plane".to_owned(),
            address: IpAddr::from([10, 0, 0, 4]),
            public: false,
        }
    }
}
