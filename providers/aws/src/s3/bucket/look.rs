//! How a bucket is.

use aws_sdk_s3::types::{BucketVersioningStatus, Grant, ObjectOwnership};

use super::MADE;
use crate::s3::failure::Failure;
use crate::s3::store::S3Store;

/// Everybody, and everybody with an account of AWS
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/acl-overview.html#specifying-grantee-predefined-groups>).
const EVERYBODY: [&str; 2] = [
    "http://acs.amazonaws.com/groups/global/AllUsers",
    "http://acs.amazonaws.com/groups/global/AuthenticatedUsers",
];

/// Whose a bucket is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whose {
    /// There is none of the name.
    Nobodys,
    /// keelson made it.
    Keelsons,
    /// Somebody made it by themselves.
    Others,
}

/// What is wanted of a bucket with state in it, and whether it is so.
#[expect(clippy::struct_excessive_bools, reason = "each is a setting of its own")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Settings {
    /// Nobody can let the public in, by a policy or a list of grants.
    pub(super) blocks_public_access: bool,
    /// All objects are the account's own, whoever wrote them.
    pub(super) owns_objects: bool,
    /// What is written over or deleted is kept as an old version.
    pub(super) keeps_versions: bool,
    /// Objects are encrypted where nobody says otherwise.
    pub(super) encrypts: bool,
}

/// Whom the public access block keeps out.
#[derive(Debug, Clone, Copy, Default)]
struct Blocks {
    grants: bool,
    policies: bool,
    all: bool,
}

impl S3Store {
    pub(super) async fn whose(&self) -> Result<Whose, Failure> {
        let asked = self.small().get_bucket_tagging().bucket(self.bucket_name());
        match asked.send().await.map_err(Failure::from) {
            Ok(found) => {
                let mut tags = found.tag_set().iter();
                let is_made = tags.any(|tag| (tag.key(), tag.value()) == MADE);
                Ok(if is_made { Whose::Keelsons } else { Whose::Others })
            }
            Err(failure) if failure.has_code("NoSuchTagSet") => Ok(Whose::Others),
            Err(failure) if failure.is_no_bucket() => Ok(Whose::Nobodys),
            Err(failure) => Err(failure),
        }
    }

    pub(super) async fn bucket_settings(&self) -> Result<Settings, Failure> {
        let (client, bucket) = (self.small(), self.bucket_name());
        let versions = client.get_bucket_versioning().bucket(bucket).send().await?;
        let encryption = client.get_bucket_encryption().bucket(bucket).send().await;
        let encryption = set(encryption, "ServerSideEncryptionConfigurationNotFoundError")?;
        let encryption = encryption.and_then(|answer| answer.server_side_encryption_configuration);
        let ownership = client.get_bucket_ownership_controls().bucket(bucket).send().await;
        let ownership = set(ownership, "OwnershipControlsNotFoundError")?;
        let rules = ownership.and_then(|answer| answer.ownership_controls);
        let rules = rules.map(|controls| controls.rules).unwrap_or_default();
        Ok(Settings {
            blocks_public_access: self.blocks().await?.all,
            owns_objects: rules
                .iter()
                .any(|rule| rule.object_ownership == ObjectOwnership::BucketOwnerEnforced),
            keeps_versions: versions.status == Some(BucketVersioningStatus::Enabled),
            encrypts: encryption.is_some_and(|configuration| !configuration.rules.is_empty()),
        })
    }

    async fn blocks(&self) -> Result<Blocks, Failure> {
        let asked = self.small().get_public_access_block().bucket(self.bucket_name());
        let found = set(asked.send().await, "NoSuchPublicAccessBlockConfiguration")?;
        let found = found.and_then(|answer| answer.public_access_block_configuration);
        let Some(found) = found else {
            return Ok(Blocks::default());
        };
        let is_on = |value: Option<bool>| value == Some(true);
        let (grants, policies) = (
            is_on(found.ignore_public_acls),
            is_on(found.restrict_public_buckets),
        );
        let new = is_on(found.block_public_acls) && is_on(found.block_public_policy);
        Ok(Blocks {
            grants,
            policies,
            all: grants && policies && new,
        })
    }

    /// By what the public is let in now, if it is.
    pub(super) async fn lets_public_in(&self) -> Result<Option<&'static str>, Failure> {
        let blocks = self.blocks().await?;
        let (client, bucket) = (self.small(), self.bucket_name());
        if !blocks.policies {
            let status = client.get_bucket_policy_status().bucket(bucket).send().await;
            let status = set(status, "NoSuchBucketPolicy")?.and_then(|answer| answer.policy_status);
            if status.is_some_and(|status| status.is_public == Some(true)) {
                return Ok(Some("its policy"));
            }
        }
        if !blocks.grants {
            let grants = client.get_bucket_acl().bucket(bucket).send().await?;
            if grants.grants().iter().any(is_for_everybody) {
                return Ok(Some("its access control list"));
            }
        }
        Ok(None)
    }
}

fn is_for_everybody(grant: &Grant) -> bool {
    let group = grant.grantee().and_then(|grantee| grantee.uri());
    group.is_some_and(|group| EVERYBODY.contains(&group))
}

/// An answer about a setting; nothing where it was never set, which S3 says by an error of this code.
fn set<T, E>(answer: Result<T, E>, unset: &str) -> Result<Option<T>, Failure>
where
    Failure: From<E>,
{
    match answer.map_err(Failure::from) {
        Ok(found) => Ok(Some(found)),
        Err(failure) if failure.has_code(unset) => Ok(None),
        Err(failure) => Err(failure),
    }
}
