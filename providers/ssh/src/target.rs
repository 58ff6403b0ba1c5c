//! The hosts, and how each is reached.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// The address that stands for the machine that keelson runs on.
pub const LOCAL: &str = "local";

/// A host, and how it is reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Target {
    /// Its name in the spec, which is its machine's name.
    pub name: String,
    /// The IP address or DNS name to reach it by, or [`LOCAL`].
    pub address: String,
    /// The IP address under which the other hosts reach it.
    pub internal_address: IpAddr,
    /// The user to log in as; `None` for what the system's ssh would take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The port of its sshd; `None` for what the system's ssh would take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
}

impl Target {
    /// True for the machine that keelson runs on.
    pub fn is_local(&self) -> bool {
        self.address == LOCAL
    }
}
