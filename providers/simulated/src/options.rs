//! What a simulated world is like.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The platform that the world behaves like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Like {
    /// Amazon Web Services: instances, network load balancers, Route 53.
    Aws,
    /// DigitalOcean: droplets, load balancers, domains.
    Digitalocean,
    /// Bare machines that stand there and answer to SSH.
    Ssh,
}

impl Like {
    /// True where machines are made and thrown away, false where they stand and are claimed.
    pub fn is_cloud(self) -> bool {
        self != Self::Ssh
    }

    /// The platform's name as it stands in specs: `aws`, `digitalocean` or `ssh`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Aws => "aws",
            Self::Digitalocean => "digitalocean",
            Self::Ssh => "ssh",
        }
    }
}

impl fmt::Display for Like {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// How a simulated world begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SimulatedOptions {
    /// The platform that it behaves like.
    pub like: Like,
    /// Where all chance comes from: the same seed gives the same latencies and faults.
    pub seed: u64,
    /// How many calls in a hundred go wrong in some way; 0 for a world without faults.
    pub fault_percent: u8,
    /// Virtual seconds in a real second; 0 for a world that takes no real time.
    pub speed: u32,
    /// When the world begins.
    pub start: Timestamp,
}

impl SimulatedOptions {
    /// A world like `like` that begins at the epoch, without faults, that takes no real time.
    pub fn new(like: Like, seed: u64) -> Self {
        Self {
            like,
            seed,
            fault_percent: 0,
            speed: 0,
            start: Timestamp::UNIX_EPOCH,
        }
    }
}
