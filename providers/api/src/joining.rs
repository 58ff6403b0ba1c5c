//! What machines do for whoever looks after a running cluster through its API: they let one reach an API server, and
//! they start and stop kubelets.
//!
//! Nodes and add-ons are the same wherever machines come from, so one provider looks after them through the API. What it
//! needs of the machines themselves is here, and whoever brings the machines implements it.

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::SocketAddr;

use async_trait::async_trait;
use jiff::Timestamp;

use crate::identity::{ClusterIdentity, Owner};
use crate::kinds::Node;
use crate::observed::{Health, Observed};
use crate::provider::{Outcome, ProviderError, StepContext};
use crate::values::Secret;

/// The name that every API server's certificate bears, whatever address it is reached at
/// (<https://kubernetes.io/docs/setup/best-practices/certificates/>).
pub const API_SERVER_NAME: &str = "kubernetes";

/// The label of a node with its group.
pub const NODE_GROUP: &str = "keelson.dev/group";

/// The annotation of a node with the uid of its cluster; the label with it, on a node whose kubelet has registered it as one of a
/// group that grows by itself.
pub const NODE_CLUSTER: &str = "keelson.dev/cluster-uid";

/// A way to an API server, open for as long as the value lives.
pub struct ApiPath {
    /// Where to connect to. TLS with [`API_SERVER_NAME`] is spoken there.
    pub address: SocketAddr,
    /// The machine whose API server answers, where it is a certain one.
    pub machine: Option<String>,
    /// What keeps the way open.
    guard: Box<dyn Any + Send + Sync>,
}

impl ApiPath {
    /// A way to `address` that `guard` keeps open.
    pub fn new(address: SocketAddr, machine: Option<String>, guard: impl Any + Send + Sync) -> Self {
        Self {
            address,
            machine,
            guard: Box::new(guard),
        }
    }
}

impl fmt::Debug for ApiPath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The guard is there to be dropped.
        let _ = &self.guard;
        formatter
            .debug_struct("ApiPath")
            .field("address", &self.address)
            .field("machine", &self.machine)
            .finish_non_exhaustive()
    }
}

/// Reaches the API servers of a cluster.
#[async_trait]
pub trait ReachApi: Send + Sync {
    /// A way to an API server that answered just now.
    ///
    /// # Errors
    /// [`ErrorClass::Transient`](crate::ErrorClass::Transient) when none answers, with the reason of each control plane;
    /// there may be none yet.
    async fn reach(&self, cluster: &ClusterIdentity) -> Result<ApiPath, ProviderError>;

    /// True when a control plane of this cluster has been made, though it be unwell. While none has, nothing can be in
    /// the API. False takes the word of every machine that could be one: a machine that does not answer is no machine
    /// without a control plane.
    ///
    /// # Errors
    /// When none is known and a machine that could be one does not say: then nobody knows what is in the API.
    async fn has_control_plane(&self, cluster: &ClusterIdentity) -> Result<bool, ProviderError>;
}

/// What a machine knows of the node that it is.
#[derive(Debug, Clone, PartialEq)]
pub struct Joined {
    /// The node as it was asked for.
    pub node: Node,
    /// Whose it is.
    pub owner: Owner,
    /// When it was made a node.
    pub joined_at: Timestamp,
    /// Which incarnation of the node it is.
    pub generation: u32,
    /// The provider's id of the machine.
    pub machine_id: String,
    /// How its kubelet is, as systemd has it.
    pub kubelet: Health,
    /// True where its kubelet has a certificate to show to the API.
    pub has_certificate: bool,
}

/// What a kubelet needs to come into the API.
#[derive(Debug, Clone, Copy)]
pub struct Registration<'a> {
    /// What it asks for a certificate with; `None` where it has one, or gets one with its bundle.
    pub bootstrap_token: Option<&'a Secret<String>>,
    /// True where the API has no Node of its name. A kubelet makes it when it starts and never again (`registerWithAPIServer`
    /// in Kubernetes' `pkg/kubelet/kubelet_node_status.go`), so that one that has run for a while has to start anew.
    pub is_due: bool,
}

/// Starts and stops kubelets.
#[async_trait]
pub trait Kubelets: Send + Sync {
    /// What the machines know of the nodes that they are: of `wanted`, and of every other machine that the cluster owns.
    async fn joined(
        &self,
        cluster: &ClusterIdentity,
        wanted: &BTreeSet<String>,
    ) -> BTreeMap<String, Observed<Joined>>;

    /// Makes the machine a node: writes down that it is one, and starts its kubelet, which brings itself in as
    /// `registration` says. Doing it again changes nothing, but for the token and a registration that is still due.
    ///
    /// # Errors
    /// How the step ended, when it did not end well.
    async fn join(
        &self,
        context: &StepContext<'_>,
        node: &Node,
        generation: u32,
        registration: Registration<'_>,
    ) -> Result<(), Outcome>;

    /// Writes down what the node is to be now.
    ///
    /// # Errors
    /// How the step ended, when it did not end well.
    async fn rewrite(&self, context: &StepContext<'_>, node: &Node) -> Result<(), Outcome>;

    /// Stops the machine's kubelet and its pods, and forgets that it was a node, together with its certificates.
    ///
    /// # Errors
    /// How the step ended, when it did not end well.
    async fn leave(&self, context: &StepContext<'_>, machine: &str) -> Result<(), Outcome>;

    /// True where somebody knows how to reach the machine. One that nobody knows was given back, or forgotten because it is gone for
    /// good.
    fn knows(&self, machine: &str) -> bool;

    /// What the machine itself has to say of why its node is not ready: the last words of its kubelet and of its container
    /// runtime, for messages. Nothing where it says nothing.
    async fn last_words(&self, machine: &str) -> Option<String>;
}
