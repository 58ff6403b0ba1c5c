//! Making a bucket, and putting right what keelson made.

use std::time::Duration;

use aws_sdk_s3::error::BuildError;
use aws_sdk_s3::types::{
    BucketLocationConstraint, BucketVersioningStatus, CreateBucketConfiguration, ObjectOwnership,
    OwnershipControls, OwnershipControlsRule, PublicAccessBlockConfiguration, ServerSideEncryption,
    ServerSideEncryptionByDefault, ServerSideEncryptionConfiguration, ServerSideEncryptionRule, Tag,
    VersioningConfiguration,
};
use keelson_provider_api::StoreError;

use super::MADE;
use super::look::Whose;
use crate::s3::failure::Failure;
use crate::s3::store::S3Store;

/// The region that is never named when a bucket is made, since it is meant then
/// (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucketConfiguration.html>).
const UNNAMED_REGION: &str = "us-east-1";
/// How often it is gone on with where S3 is at work on the bucket itself, or does not know it everywhere yet, and how long it
/// is waited for.
const ROUNDS: u32 = 20;
const PAUSE: Duration = Duration::from_secs(3);

impl S3Store {
    /// Makes the bucket if it is not there, and puts it right if keelson made it; a run that ended between is gone on with.
    pub(in crate::s3) async fn prepare_bucket(&self) -> Result<(), StoreError> {
        let mut round = 0;
        loop {
            round += 1;
            match self.bring_bucket().await {
                Ok(()) => return Ok(()),
                Err(failure) if is_passing(&failure) && round < ROUNDS => {
                    self.shared.clock.sleep(PAUSE).await;
                }
                Err(failure) => return Err(self.unavailable("make or set up", "the bucket", failure)),
            }
        }
    }

    async fn bring_bucket(&self) -> Result<(), Failure> {
        let mut whose = match self.whose().await {
            // Whoever may not ask whose it is may keep state in it all the same.
            Err(failure) if failure.is_forbidden() => return Ok(()),
            whose => whose?,
        };
        if whose == Whose::Nobodys {
            self.make_bucket().await?;
            // Where somebody else has made it meanwhile, it is theirs.
            whose = self.whose().await?;
        }
        match whose {
            Whose::Keelsons => self.put_right().await,
            Whose::Others => Ok(()),
            Whose::Nobodys => Err(Failure::no_bucket()),
        }
    }

    async fn make_bucket(&self) -> Result<(), Failure> {
        let region = self.region();
        let constraint = (region != UNNAMED_REGION).then(|| BucketLocationConstraint::from(region));
        let tag = Tag::builder().key(MADE.0).value(MADE.1).build();
        let configuration = CreateBucketConfiguration::builder()
            .set_location_constraint(constraint)
            .tags(tag.map_err(incomplete)?)
            .build();
        let asked = self.small().create_bucket().bucket(self.bucket_name());
        let asked = asked.create_bucket_configuration(configuration);
        match asked.send().await.map_err(Failure::from) {
            Err(failure) if failure.has_code("BucketAlreadyOwnedByYou") => Ok(()),
            answer => answer.map(drop),
        }
    }

    /// Changes what is not as it is wanted: who gets in first of all.
    async fn put_right(&self) -> Result<(), Failure> {
        let now = self.bucket_settings().await?;
        let (client, bucket) = (self.small(), self.bucket_name());
        if !now.blocks_public_access {
            let block = PublicAccessBlockConfiguration::builder()
                .block_public_acls(true)
                .ignore_public_acls(true)
                .block_public_policy(true)
                .restrict_public_buckets(true)
                .build();
            let asked = client.put_public_access_block().bucket(bucket);
            asked.public_access_block_configuration(block).send().await?;
        }
        if !now.owns_objects {
            let rule =
                OwnershipControlsRule::builder().object_ownership(ObjectOwnership::BucketOwnerEnforced);
            let controls = OwnershipControls::builder().rules(rule.build().map_err(incomplete)?);
            let asked = client.put_bucket_ownership_controls().bucket(bucket);
            let asked = asked.ownership_controls(controls.build().map_err(incomplete)?);
            asked.send().await?;
        }
        if !now.encrypts {
            let by_default =
                ServerSideEncryptionByDefault::builder().sse_algorithm(ServerSideEncryption::Aes256);
            let rule = ServerSideEncryptionRule::builder()
                .apply_server_side_encryption_by_default(by_default.build().map_err(incomplete)?);
            let rules = ServerSideEncryptionConfiguration::builder().rules(rule.build());
            let asked = client.put_bucket_encryption().bucket(bucket);
            let asked = asked.server_side_encryption_configuration(rules.build().map_err(incomplete)?);
            asked.send().await?;
        }
        if !now.keeps_versions {
            let versions = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled);
            let asked = client.put_bucket_versioning().bucket(bucket);
            asked.versioning_configuration(versions.build()).send().await?;
        }
        Ok(())
    }
}

/// True while S3 itself is at work on a bucket of the name.
fn is_passing(failure: &Failure) -> bool {
    failure.has_code("OperationAborted") || failure.is_no_bucket()
}

fn incomplete(error: BuildError) -> Failure {
    Failure::strange(error)
}
