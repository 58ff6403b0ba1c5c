//! The calls to Amazon Web Services that keelson makes, one narrow function each.
//!
//! The SDKs are large and slow to compile, so nothing but this crate names them: whoever calls gets small types of this crate
//! back, and hears of failures in one way ([`CallError`]).
//!
//! | module | holds |
//! |---|---|
//! | `settings` | whom to call, in whose name, and how patiently |
//! | `failure` | what was answered instead, and what it means for whoever called |
//! | [`mark`] | the tags that say whose a thing is and what it is in the cluster |
//! | [`ec2`] | networks, addresses, volumes, interfaces, instances, images, launch templates |
//! | [`elb`] | network load balancers, their listeners and targets |
//! | [`dns`] | zones and records of Route 53 |
//! | [`iam`] | roles, instance profiles, policies, providers of OpenID Connect |
//! | [`scaling`] | Auto Scaling groups |
//! | [`account`] | in whose name is called |
//!
//! **What is sent again, and what is not.** Reading, and a write that has the same effect twice (it names what it changes, or
//! carries a client token), is sent again by the SDK when an answer passes. A create for which the API has no token is sent
//! once: when its answer is lost, only looking says whether it had an effect.

pub mod account;
pub mod dns;
pub mod ec2;
pub mod elb;
mod failure;
pub mod iam;
pub mod mark;
pub mod scaling;
mod settings;
mod whole;

pub use failure::{CallError, CallFailure};
pub use settings::{AwsCalls, CallSettings};
