//! The bucket in which machines keep the snapshots of etcd that they take by a schedule.

use std::path::Path;
use std::sync::Arc;

use keelson_provider_api::values::Secret;
use keelson_provider_api::{BulkStore, Clock, with_causes};

use super::{ConnectError, read_text};
use crate::backup::Archive;
use crate::ops::{Authorities, BroughtFiles};
use crate::spec::{SnapshotBucket, ValidSpec};

/// The bucket of `spec`, if it has one that is not the state store's: what lies there is seen there.
fn beside_state_store(spec: &ValidSpec) -> Option<SnapshotBucket> {
    let is_beside = !spec.keeps_snapshots_in_state_store();
    spec.snapshot_bucket().filter(|_| is_beside)
}

/// What machines are given that write to it: the key, its id and its secret in a line each, and the authority of its server.
pub(super) fn brought_files(spec: &ValidSpec, base: &Path) -> Result<BroughtFiles, ConnectError> {
    let mut files = BroughtFiles::new();
    let Some(bucket) = spec.snapshot_bucket() else {
        return Ok(files);
    };
    if let Some(ca) = &bucket.ca {
        files.insert(ca.clone(), Secret::new(read_text(base, ca)?));
    }
    let key = format!("{}\n{}\n", bucket.access_key_id, secret(&bucket, base)?.expose());
    files.insert(bucket.secret_access_key, Secret::new(key));
    Ok(files)
}

fn secret(bucket: &SnapshotBucket, base: &Path) -> Result<Secret<String>, ConnectError> {
    let text = Secret::new(read_text(base, &bucket.secret_access_key)?);
    let secret = text.expose().trim();
    if secret.is_empty() || !secret.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(ConnectError::Bucket(format!(
            "{} is to have the secret of the access key in it, one word, and nothing else",
            bucket.secret_access_key
        )));
    }
    Ok(Secret::new(secret.to_owned()))
}

/// What lies in it of the cluster of `spec`, or why it cannot be read from here, which is no matter to whoever reads elsewhere;
/// nothing where there is none, or it is the state store's.
pub(super) fn archive(
    spec: &ValidSpec,
    base: &Path,
    authorities: &Authorities,
    clock: &Arc<dyn Clock>,
) -> Option<Result<Archive, String>> {
    let bucket = beside_state_store(spec)?;
    let store = open(&bucket, base, clock).map_err(|error| with_causes(&error));
    Some(store.map(|store| Archive::of_cluster(store, spec.name(), authorities.seal())))
}

#[cfg(feature = "aws")]
fn open(
    bucket: &SnapshotBucket,
    base: &Path,
    clock: &Arc<dyn Clock>,
) -> Result<Arc<dyn BulkStore>, ConnectError> {
    use keelson_provider_aws::{AccessKey, S3Credentials, S3Settings, S3Store};

    let settings = S3Settings {
        bucket: bucket.bucket.clone(),
        prefix: bucket.folder().to_owned(),
        endpoint: bucket.endpoint.as_ref().map(|_| bucket.server()),
        region: bucket.region.clone(),
        path_style: bucket.has_path_style(),
        credentials: S3Credentials::Key(AccessKey {
            access_key_id: bucket.access_key_id.clone(),
            secret_access_key: secret(bucket, base)?,
            session_token: None,
        }),
        authorities: bucket.ca.as_deref().map(|ca| read_text(base, ca)).transpose()?,
        answer_limit: S3Settings::ANSWER_LIMIT,
        data_limit: S3Settings::DATA_LIMIT,
    };
    let store = S3Store::new(&settings, clock.clone());
    Ok(Arc::new(
        store.map_err(|error| ConnectError::Bucket(error.to_string()))?,
    ))
}

/// Machines write to it all the same.
#[cfg(not(feature = "aws"))]
fn open(
    _bucket: &SnapshotBucket,
    _base: &Path,
    _clock: &Arc<dyn Clock>,
) -> Result<Arc<dyn BulkStore>, ConnectError> {
    Err(ConnectError::Bucket(
        "this build of keelson cannot read buckets".to_owned(),
    ))
}
