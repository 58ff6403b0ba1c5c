//! The state store that a spec names.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use keelson_provider_api::BulkStore;

use super::{ConnectError, ConnectOptions, beside};
use crate::spec::{Provider, StateStore, ValidSpec};
use crate::store::DirectoryStore;

/// Opens the state store of `spec`. Nothing is asked of a bucket yet.
#[cfg_attr(
    not(feature = "aws"),
    expect(clippy::unused_async, reason = "a directory is there at once")
)]
pub(super) async fn open(
    spec: &ValidSpec,
    options: &ConnectOptions,
) -> Result<Arc<dyn BulkStore>, ConnectError> {
    match &spec.spec().state_store {
        #[cfg(feature = "aws")]
        StateStore::S3(bucket) if !is_simulated(spec) => {
            Ok(Arc::new(in_s3::open(spec, bucket, options).await?))
        }
        _ => {
            let directory = directory(spec, &options.base_directory)?;
            Ok(Arc::new(DirectoryStore::new(directory)))
        }
    }
}

fn is_simulated(spec: &ValidSpec) -> bool {
    matches!(spec.spec().provider, Provider::Simulated(_))
}

/// The directory that is the state store of `spec`; `base` is what relative ones are relative to.
pub(super) fn directory(spec: &ValidSpec, base: &Path) -> Result<PathBuf, ConnectError> {
    match &spec.spec().state_store {
        StateStore::Directory(directory) => Ok(beside(base, directory)),
        other if is_simulated(spec) => Err(ConnectError::WorldNeedsDirectory(other.to_string())),
        other => Err(ConnectError::NoStore(other.to_string())),
    }
}

#[cfg(feature = "aws")]
pub(super) use in_s3::region as bucket_region;

#[cfg(feature = "aws")]
mod in_s3 {
    use std::sync::Arc;

    use keelson_provider_api::clock::SystemClock;
    use keelson_provider_aws::{S3Credentials, S3Settings, S3Store};

    use crate::registry::{ConnectError, ConnectOptions, read_text};
    use crate::spec::{Bucket, HttpUrl, Provider, SnapshotBucket, ValidSpec};

    /// The objects below the prefix of `bucket`, asked for by whoever `options` say.
    pub(super) async fn open(
        spec: &ValidSpec,
        bucket: &Bucket,
        options: &ConnectOptions,
    ) -> Result<S3Store, ConnectError> {
        let authorities = bucket.ca.as_deref();
        let authorities = authorities.map(|ca| read_text(&options.base_directory, ca));
        let settings = S3Settings {
            bucket: bucket.name.clone(),
            prefix: bucket.prefix.clone(),
            endpoint: bucket.endpoint.as_ref().map(server),
            region: region(spec, bucket, options).await?,
            path_style: bucket.endpoint.is_some(),
            credentials: S3Credentials::Access(options.aws.clone()),
            authorities: authorities.transpose()?,
            answer_limit: S3Settings::STATE_ANSWER_LIMIT,
            data_limit: S3Settings::DATA_LIMIT,
        };
        let store = S3Store::new(&settings, Arc::new(SystemClock));
        let store = store.map_err(|error| ConnectError::StateStore(error.to_string()))?;
        Ok(if is_beside_machines(spec, bucket) {
            store.looking_after_bucket()
        } else {
            store
        })
    }

    /// Whether the bucket is where the machines are: on AWS, or on the server that stands for it.
    fn is_beside_machines(spec: &ValidSpec, bucket: &Bucket) -> bool {
        let Provider::Aws(aws) = &spec.spec().provider else {
            return false;
        };
        bucket.endpoint.as_ref().map(server) == aws.endpoint.as_ref().map(server)
    }

    fn server(endpoint: &HttpUrl) -> String {
        endpoint.as_str().trim_end_matches('/').to_owned()
    }

    /// The region of `bucket`: what the spec says of it, then where its machines are, then what the environment says.
    pub(in crate::registry) async fn region(
        spec: &ValidSpec,
        bucket: &Bucket,
        options: &ConnectOptions,
    ) -> Result<String, ConnectError> {
        let of_machines = match &spec.spec().provider {
            Provider::Aws(aws) => Some(&aws.region),
            _ => None,
        };
        if let Some(region) = bucket.region.as_ref().or(of_machines) {
            return Ok(region.clone());
        }
        match options.aws.region().await {
            Some(region) => Ok(region),
            None if bucket.endpoint.is_some() => Ok(SnapshotBucket::DEFAULT_REGION.to_owned()),
            None => Err(ConnectError::StateStore(format!(
                "nobody has said in which region the bucket {} is",
                bucket.name
            ))),
        }
    }
}
