//! Objects in a bucket of AWS, or of any server that speaks S3.
//!
//! | module | holds |
//! |---|---|
//! | `settings` | which bucket, where, and who asks |
//! | `client` | the SDK's client: TLS, time limits, retries |
//! | `bucket` | the bucket itself, where it is one of AWS: made, and looked at |
//! | `keys` | which key of the bucket an object has |
//! | `store` | small objects, with compare-and-swap |
//! | `requests` | what is asked of the server for one object, or for a list of them |
//! | `conditions` | whether the server keeps the promises that compare-and-swap stands on |
//! | `bulk` | large objects, and what killed writers left |
//! | `reader` | an object read piece by piece, over connections that break |
//! | `writer` | an object written part by part |
//! | `failure` | what the server said, and what to do about it |
//! | `nameless` | requests that nobody can sign, and what to do about that |
//!
//! # What the server has to keep
//!
//! A write to [`Absent`](keelson_provider_api::Precondition::Absent) is a `PutObject` with `If-None-Match: *`, one to a
//! version has `If-Match` with the object's `ETag`. AWS keeps them since 2024, and MinIO, and Ceph. A
//! server whose nodes do not agree, as those of Garage, cannot: there two writers may both win.
//! [`check_conditions`](keelson_provider_api::Store::check_conditions) finds those out that do not even try. Backups, which nobody writes twice under one
//! name, do without.
//!
//! `DeleteObject` with `If-Match` is kept by AWS since September 2025 (before, it answered 501), and by Ceph; the MinIO
//! that is free ignores it (minio/minio#21677). So a conditional delete first compares the `ETag` by itself and then
//! still sends the condition: where the server ignores it, a write between the two, some milliseconds, is deleted
//! unseen.
//!
//! # An answer that was lost
//!
//! A write whose answer does not arrive is sent again, and the second one finds the object of the first: for the
//! server that is a conflict. So every write carries a random mark in the object's metadata (`keelson-write`), and a
//! conflict is one only when the object there bears another mark.
//!
//! # Integrity and encryption
//!
//! What is sent is signed with its SHA-256, which the server checks. The CRC that the SDK adds of itself is left out,
//! since many servers refuse it; so is the one that it asks for when it reads: backups are checked by keelson's own
//! SHA-256, and state is parsed. No encryption is asked for: AWS encrypts everything (SSE-S3, or as the bucket says),
//! and other servers refuse the header when they have no keys.
//!
//! # What the key has to be allowed
//!
//! `s3:ListBucket` and `s3:ListBucketMultipartUploads` on the bucket, `s3:GetObject`, `s3:PutObject`, `s3:DeleteObject`
//! and `s3:AbortMultipartUpload` on its objects. Without `s3:ListBucket`, AWS answers 403 for what is not there. What a bucket that
//! keelson looks after takes besides is in [`permissions`](crate::permissions).

mod bucket;
mod bulk;
mod client;
mod conditions;
mod failure;
mod keys;
mod nameless;
mod reader;
mod requests;
mod settings;
mod store;
mod writer;

pub use bucket::{CHANGED as BUCKET_CHANGED, MISSING as BUCKET_MISSING};
pub(crate) use client::default_http_client;
pub use settings::{AccessKey, S3Credentials, S3Settings, SettingsError};
pub use store::S3Store;
