//! Amazon Web Services for keelson, and buckets of anybody else who speaks S3.
//!
//! | module | holds |
//! |---|---|
//! | [`s3`] | objects in a bucket: state with compare-and-swap, and backups of any size |
//! | `access` | who asks: what the environment says, as for every program of AWS |

mod access;
pub mod s3;

pub use access::AwsAccess;
pub use s3::{AccessKey, S3Credentials, S3Settings, S3Store, SettingsError};
