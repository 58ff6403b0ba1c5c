//! What someone should know of a bucket before a run.

use keelson_provider_api::{Finding, Severity, with_causes};

use super::look::{Settings, Whose};
use crate::s3::failure::Failure;
use crate::s3::store::S3Store;

/// The finding that there is no bucket yet, and an apply makes it.
pub const MISSING: &str = "state-bucket-missing";
/// The finding that a bucket of keelson's is not as it was made, and an apply puts it right.
pub const CHANGED: &str = "state-bucket-changed";

/// The public is let in: the one that stands in the way, and that nobody may ignore.
const OPEN: (&str, &str) = (
    "state-bucket-public",
    "whoever reads it can administer the cluster: block all public access to it, aws s3api put-public-access-block",
);
const UNBLOCKED: (&str, &str) = (
    "state-bucket-public-access",
    "aws s3api put-public-access-block, with all four of its settings",
);
const UNVERSIONED: (&str, &str) = (
    "state-bucket-versions",
    "aws s3api put-bucket-versioning: old versions are the copy that a state store has to have",
);
const UNENCRYPTED: (&str, &str) = (
    "state-bucket-encryption",
    "aws s3api put-bucket-encryption, with AES256 or a key of KMS",
);
const UNASKED: (&str, &str) = (
    "state-bucket-checks",
    "let keelson call what is named (`keelson plan --iam-policy`), or ignore this: state is kept there all the same",
);

impl S3Store {
    /// What someone should know of the bucket.
    pub(in crate::s3) async fn bucket_findings(&self) -> Vec<Finding> {
        match self.look_at_bucket().await {
            Ok(findings) => findings,
            Err(failure) => {
                let told = with_causes(&self.unavailable("look at", "the bucket", failure));
                vec![warning(UNASKED, told)]
            }
        }
    }

    async fn look_at_bucket(&self) -> Result<Vec<Finding>, Failure> {
        let bucket = self.bucket_name();
        match self.whose().await? {
            Whose::Nobodys => {
                let problem = format!(
                    "there is no bucket {bucket} yet: an apply first makes it in {}, private, encrypted and with versions",
                    self.region()
                );
                Ok(vec![warning((MISSING, "nothing is to be done for it"), problem)])
            }
            Whose::Keelsons => {
                let now = self.bucket_settings().await?;
                let wrong = wrong(now);
                if wrong.is_empty() {
                    return Ok(Vec::new());
                }
                let problem = format!(
                    "keelson made the bucket {bucket} otherwise, and an apply puts it right: {}",
                    wrong.join(", ")
                );
                Ok(vec![warning((CHANGED, "nothing is to be done for it"), problem)])
            }
            Whose::Others => self.look_at_others().await,
        }
    }

    async fn look_at_others(&self) -> Result<Vec<Finding>, Failure> {
        let bucket = self.bucket_name();
        if let Some(by) = self.lets_public_in().await? {
            let problem = format!("the bucket {bucket} is open to the public by {by}");
            return Ok(vec![Finding {
                severity: Severity::Error,
                can_be_ignored: false,
                ..warning(OPEN, problem)
            }]);
        }
        let now = self.bucket_settings().await?;
        let checks = [
            (
                now.blocks_public_access,
                UNBLOCKED,
                "does not block public access: a policy or a grant could open it",
            ),
            (
                now.keeps_versions,
                UNVERSIONED,
                "keeps no versions: what is deleted or written over is lost",
            ),
            (now.encrypts, UNENCRYPTED, "does not encrypt by default"),
        ];
        let wrong = checks.into_iter().filter(|(is_right, ..)| !is_right);
        Ok(wrong
            .map(|(_, kind, words)| warning(kind, format!("the bucket {bucket} {words}")))
            .collect())
    }
}

/// What differs from a bucket as keelson makes it.
fn wrong(now: Settings) -> Vec<&'static str> {
    let all = [
        (now.blocks_public_access, "it does not block public access"),
        (now.owns_objects, "objects may belong to other accounts"),
        (now.encrypts, "it does not encrypt by default"),
        (now.keeps_versions, "it keeps no versions"),
    ];
    let wrong = all.into_iter().filter(|(is_right, _)| !is_right);
    wrong.map(|(_, words)| words).collect()
}

fn warning((name, help): (&str, &str), problem: String) -> Finding {
    Finding {
        machine: String::new(),
        name: name.to_owned(),
        severity: Severity::Warning,
        problem,
        help: Some(help.to_owned()),
        can_be_ignored: true,
    }
}
