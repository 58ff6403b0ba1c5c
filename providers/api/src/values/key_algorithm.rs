//! Algorithms of private keys.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The algorithm of a private key. kubeadm calls these `ECDSA-P256`, `RSA-2048` and `RSA-4096`.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
pub enum KeyAlgorithm {
    /// ECDSA on the curve P-256: short, and quick to make and to use.
    #[default]
    #[serde(rename = "ecdsa-p256")]
    EcdsaP256,
    /// RSA with 2048 bits, for clients that know nothing else.
    #[serde(rename = "rsa-2048")]
    Rsa2048,
    /// RSA with 4096 bits, where a rule asks for it. A key takes a second or more to make.
    #[serde(rename = "rsa-4096")]
    Rsa4096,
}

impl KeyAlgorithm {
    /// The name in specs, and of what is found in certificates.
    pub const fn name(self) -> &'static str {
        match self {
            Self::EcdsaP256 => "ecdsa-p256",
            Self::Rsa2048 => "rsa-2048",
            Self::Rsa4096 => "rsa-4096",
        }
    }
}

impl fmt::Display for KeyAlgorithm {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}
