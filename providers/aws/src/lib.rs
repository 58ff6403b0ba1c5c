//! Amazon Web Services for keelson, and buckets of anybody else who speaks S3.
//!
//! | module | holds |
//! |---|---|
//! | [`s3`] | objects in a bucket: state with compare-and-swap, and backups of any size |
//! | [`places`] | networks, subnets, ways out, firewalls |
//! | [`edge`] | load balancers, their targets, and the names that lead to them |
//! | `marked` | what a cluster owns, by its marks |
//! | `looks` | looks that serve several kinds |
//! | `step` | what every change needs |
//! | `access` | who asks: what the environment says, as for every program of AWS |

mod access;
pub mod edge;
mod looks;
mod marked;
pub mod places;
pub mod s3;
mod step;

pub use access::AwsAccess;
pub use edge::{EdgeProvider, EdgeZone};
pub use places::PlacesProvider;
pub use s3::{AccessKey, S3Credentials, S3Settings, S3Store, SettingsError};
