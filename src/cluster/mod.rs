//! What lives in a running cluster: nodes and add-ons, looked after through the Kubernetes API.
//!
//! [`ClusterProvider`] is the provider of both kinds, wherever machines come from. Its parts are traits: how to reach an
//! API server and what kubelets do on their machines ([`keelson_provider_api::joining`]), whose certificate is shown
//! ([`CredentialSource`]), and what an add-on is made of ([`AddonObjects`]).
//!
//! | module | holds |
//! |---|---|
//! | `provider` | which change goes where |
//! | `connection` | one connection to an API server, kept and opened anew when lost |
//! | `credentials` | in whose name keelson speaks |
//! | `trouble` | what an API server answers when it does not do what was asked, in words |
//! | `api` | single calls: bounded, and told apart by whether they may have had an effect |
//! | `at_once` | several calls at once, bounded |
//! | `discovery` | which path a kind of object has |
//! | `addon` | inventories, applying, pruning, health |
//! | `node` | from a machine that has joined to a node that is Ready, and back |
//! | `drain` | moving a node's pods elsewhere |
//! | `drains_first` | nodes that are emptied before what their machines run is exchanged |
//! | `groups` | nodes of machines that groups make by themselves: their token, waiting for them, emptying them |
//! | `ready` | how a node is, in the words of its conditions |
//! | `step` | one change while it is carried out: what it speaks to, and whether it may have had an effect |

mod addon;
mod api;
mod at_once;
mod connection;
mod credentials;
mod discovery;
mod drain;
mod drains_first;
mod groups;
mod node;
mod provider;
mod ready;
mod step;
mod trouble;

pub use addon::{AddonObjects, PART_OF_LABEL};
pub use credentials::{ApiCredentials, CredentialSource, Standing};
pub use drain::{DrainOptions, Drained};
pub use drains_first::DrainsFirst;
pub use groups::{GroupsJoin, JoiningTokens};
pub use provider::{ClusterParts, ClusterProvider};
