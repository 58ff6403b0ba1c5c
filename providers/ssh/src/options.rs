//! What it takes to reach hosts.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use keelson_provider_api::values::{ClusterName, Secret};
use keelson_provider_api::{Clock, Store};

use crate::target::Target;
use crate::whereabouts::Whereabouts;

/// As long as a host may take to let keelson in, jump hosts included.
const CONNECT_LIMIT: Duration = Duration::from_secs(15);

/// What it takes to reach hosts. Whatever is not said here is up to the system's ssh and its own configuration:
/// users, keys, agents, jump hosts.
pub struct SshOptions {
    /// The cluster whose hosts these are; it says where in the store they are remembered.
    pub cluster: ClusterName,
    /// The hosts of the spec.
    pub targets: Vec<Target>,
    /// Hosts that are gone for good, though the spec or the store names them: nobody waits for them.
    pub gone: BTreeSet<String>,
    /// True when the user allows that a host whose key nobody knows is believed once; the key is remembered.
    pub accept_new_host_keys: bool,
    /// What sudo asks for, where it asks.
    pub sudo_password: Option<Secret<String>>,
    /// A configuration file for ssh in place of the user's own.
    pub config_file: Option<PathBuf>,
    /// The one private key to log in with, in place of the agent's and the user's.
    pub identity: Option<PathBuf>,
    /// Who says where the machines are, where keelson makes them: the targets' addresses and users and the user's configuration
    /// are then not asked.
    pub whereabouts: Option<Arc<dyn Whereabouts>>,
    /// The machine that all others are reached through, one of those that the whereabouts know.
    pub jump: Option<String>,
    /// As long as a host may take to let keelson in.
    pub connect_limit: Duration,
    /// Where hosts and their keys are remembered.
    pub store: Arc<dyn Store>,
    /// Where the time comes from.
    pub clock: Arc<dyn Clock>,
}

impl SshOptions {
    /// The hosts of a cluster, everything else as the system's ssh has it.
    pub fn new(
        cluster: ClusterName,
        targets: Vec<Target>,
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            cluster,
            targets,
            gone: BTreeSet::new(),
            accept_new_host_keys: false,
            sudo_password: None,
            config_file: None,
            identity: None,
            whereabouts: None,
            jump: None,
            connect_limit: CONNECT_LIMIT,
            store,
            clock,
        }
    }
}

/// How hosts are logged in to: the part of the options that every session needs.
pub(crate) struct Access {
    pub(crate) accept_new_host_keys: bool,
    pub(crate) sudo_password: Option<Secret<String>>,
    pub(crate) config_file: Option<PathBuf>,
    pub(crate) identity: Option<PathBuf>,
    pub(crate) whereabouts: Option<Arc<dyn Whereabouts>>,
    pub(crate) jump: Option<String>,
    pub(crate) connect_limit: Duration,
    pub(crate) clock: Arc<dyn Clock>,
}
