//! Kubernetes on bare machines, as far as the machines themselves have a say: the kinds `control-plane` and
//! `virtual-address`, the ways to an API server, and kubelets.
//!
//! What machines run comes with their node bundles: programs, units, manifests, certificates. Here it is started, watched and
//! stopped. A machine knows by a mark in `/var/lib/keelson` what it is: `control-plane.json`, `virtual-address.json`,
//! `node.json`. Nothing here waits for another machine, so all control planes come up at the same time.
//!
//! | module | holds |
//! |---|---|
//! | `provider` | which change goes where |
//! | `mark` | the marks |
//! | `begin` | writing a mark and starting what serves it |
//! | `look` | what one machine shows |
//! | `observe` | what the planner is told of control planes |
//! | `start` | bringing a control plane up, and waiting until it answers |
//! | `settle` | waiting until a machine is well with a new bundle |
//! | `words` | why it does not, in the node's own words |
//! | `virtual_address` | the address that moves between control planes: made, observed, judged |
//! | `preflight` | what stands in the way of them |
//! | `reach` | the ways to an API server |
//! | `kubelets` | nodes as their machines know them |
//! | `wipe` | what is left when a machine is given back: nothing |

pub(crate) mod settle;
pub(crate) mod wipe;

mod begin;
mod kubelets;
mod look;
mod mark;
mod observe;
mod preflight;
mod provider;
mod reach;
mod start;
mod virtual_address;
mod words;

pub use provider::ControlPlaneProvider;
