//! The bucket of the state store.

use super::document::{Document, Grant};
use super::scope::Scope;

/// How the objects begin with which it is tried out, before a cluster's first write, whether the server keeps conditions.
const PROBE: &str = ".keelson-probe-";

/// What is asked of the bucket by every run: the lease is taken, state is read and written. Lists have no condition: with one, AWS
/// answers 403 for each object that is not there.
pub(super) fn allow(document: &mut Document, scope: &Scope<'_>) {
    let Some(folder) = &scope.state else { return };
    let bucket = format!("arn:{}:s3:::{}", scope.partition(), folder.bucket);
    let slash = if folder.prefix.is_empty() { "" } else { "/" };
    let below = format!("{bucket}/{}{slash}", folder.prefix);
    let texts = |all: &[&str]| all.iter().map(|&one| one.to_owned()).collect();
    document.allow(Grant {
        name: "ListState",
        actions: texts(&["s3:ListBucket", "s3:ListBucketMultipartUploads"]),
        resources: vec![bucket],
        conditions: Vec::new(),
    });
    document.allow(Grant {
        name: "KeepState",
        actions: texts(&[
            "s3:AbortMultipartUpload",
            "s3:DeleteObject",
            "s3:GetObject",
            "s3:PutObject",
        ]),
        resources: vec![
            format!("{below}{}/*", scope.cluster.name),
            format!("{below}{PROBE}*"),
        ],
        conditions: Vec::new(),
    });
}
