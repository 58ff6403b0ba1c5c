//! Amazon Web Services for keelson, and buckets of anybody else who speaks S3.
//!
//! | module | holds |
//! |---|---|
//! | [`s3`] | objects in a bucket: state with compare-and-swap, and backups of any size |

pub mod s3;

pub use s3::{S3Credentials, S3Settings, S3Store, SettingsError};
