//! The bucket of the state store.

use super::document::{Document, Grant};
use super::scope::Scope;

/// How the objects begin with which it is tried out, before a cluster's first write, whether the server keeps conditions.
const PROBE: &str = ".keelson-probe-";

/// What says whose a bucket is and how it is.
const LOOKS: &[&str] = &[
    "s3:GetBucketAcl",
    "s3:GetBucketOwnershipControls",
    "s3:GetBucketPolicyStatus",
    "s3:GetBucketPublicAccessBlock",
    "s3:GetBucketTagging",
    "s3:GetBucketVersioning",
    "s3:GetEncryptionConfiguration",
];

/// What makes one, and puts it right. It has its tag from the call on that makes it.
const MAKES: &[&str] = &[
    "s3:CreateBucket",
    "s3:PutBucketOwnershipControls",
    "s3:PutBucketPublicAccessBlock",
    "s3:PutBucketVersioning",
    "s3:PutEncryptionConfiguration",
    "s3:TagResource",
];

/// What is asked of the bucket by every run: the lease is taken, state is read and written. Lists have no condition: with one, AWS
/// answers 403 for each object that is not there.
pub(super) fn allow(document: &mut Document, scope: &Scope<'_>) {
    let Some(folder) = &scope.state else { return };
    let bucket = format!("arn:{}:s3:::{}", scope.partition(), folder.bucket);
    let slash = if folder.prefix.is_empty() { "" } else { "/" };
    let below = format!("{bucket}/{}{slash}", folder.prefix);
    let texts = |all: &[&str]| all.iter().map(|&one| one.to_owned()).collect();
    document.allow(Grant {
        name: "LookAtBucket",
        actions: texts(LOOKS),
        resources: vec![bucket.clone()],
        conditions: Vec::new(),
    });
    if folder.makes_bucket {
        document.allow(Grant {
            name: "MakeBucket",
            actions: texts(MAKES),
            resources: vec![bucket.clone()],
            conditions: Vec::new(),
        });
    }
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
