//! Amazon Web Services for keelson, and buckets of anybody else who speaks S3.
//!
//! | module | holds |
//! |---|---|
//! | [`s3`] | objects in a bucket: state with compare-and-swap, and backups of any size |
//! | [`places`] | networks, subnets, ways out, firewalls |
//! | [`kept`] | what is kept while machines come and go: roles, volumes, network interfaces |
//! | [`machine`] | machines: instances of EC2 |
//! | [`groups`] | groups of machines that AWS keeps at their size: Auto Scaling groups |
//! | [`edge`] | load balancers, their targets, and the names that lead to them |
//! | [`leftovers`] | what the cluster's own controllers made, at its end |
//! | [`permissions`] | what whoever runs keelson must be allowed: the least policy for given changes |
//! | `marked` | what a cluster owns, by its marks |
//! | `own_name` | names that are given once, and say whose they are |
//! | `instances` | the instances that are machines |
//! | `in_the_way` | what keeps something from being deleted |
//! | `looks` | looks that serve several kinds |
//! | `step` | what every change of a thing needs; `public_address` what those do that have one |
//! | `access` | who asks: what the environment says, as for every program of AWS; `calls` in their name |

mod access;
mod calls;
pub mod edge;
pub mod groups;
mod in_the_way;
mod instances;
pub mod kept;
pub mod leftovers;
mod looks;
pub mod machine;
mod marked;
mod own_name;
pub mod permissions;
pub mod places;
mod public_address;
pub mod s3;
mod step;

pub use access::AwsAccess;
pub use calls::calls;
pub use edge::{EdgeProvider, EdgeZone, PrivateZone};
pub use groups::GroupProvider;
pub use keelson_aws_calls::AwsCalls;
pub use kept::{KeptProvider, instance_profile_name};
pub use leftovers::LeftoversProvider;
pub use machine::{MachineProvider, PlacedMachine, PlacedMachines};
pub use places::PlacesProvider;
pub use s3::{AccessKey, BUCKET_CHANGED, BUCKET_MISSING, S3Credentials, S3Settings, S3Store, SettingsError};
