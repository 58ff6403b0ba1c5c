//! Names and ids of what exists in an account of AWS.

use keelson_provider_api::values::{InvalidText, clip};

use super::store;
use super::words::{check_alphabet, invalid};

/// An ARN is at most this long: <https://docs.aws.amazon.com/IAM/latest/APIReference/API_AttachRolePolicy.html>.
const ARN_LIMIT_CHARS: usize = 2048;
/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_InstanceProfile.html>
const PROFILE_NAME_LIMIT_CHARS: usize = 128;

/// Ids of EC2 are a word and 17 hexadecimal digits, those from before 2018 have 8:
/// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/resource-ids.html>.
fn check_id(text: &str, word: &str) -> Result<(), InvalidText> {
    let digits = text.strip_prefix(word).and_then(|rest| rest.strip_prefix('-'));
    if digits.is_some_and(|digits| matches!(digits.len(), 8 | 17) && is_lower_hexadecimal(digits)) {
        return Ok(());
    }
    invalid(format!(
        "`{}` is not an id that begins with `{word}-`",
        clip(text)
    ))
}

fn is_lower_hexadecimal(text: &str) -> bool {
    text.bytes()
        .all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

pub(super) fn check_vpc(text: &str) -> Result<(), InvalidText> {
    check_id(text, "vpc")
}

pub(super) fn check_subnet(text: &str) -> Result<(), InvalidText> {
    check_id(text, "subnet")
}

/// True for the id of an image.
pub(in crate::spec) fn is_image_id(text: &str) -> bool {
    check_id(text, "ami").is_ok()
}

/// The bucket's name is part of its server's name, whose certificate covers no further dots.
pub(super) fn check_bucket_name(text: &str) -> Result<(), InvalidText> {
    store::check_bucket_name(text)?;
    if text.contains('.') {
        return invalid(format!(
            "the bucket name `{}` has a dot in it, and no certificate of AWS covers such a name",
            clip(text)
        ));
    }
    Ok(())
}

pub(super) fn check_profile_name(text: &str) -> Result<(), InvalidText> {
    if text.starts_with("arn:") {
        return invalid(format!("`{}` is an ARN, not a name", clip(text)));
    }
    check_alphabet(text, is_of_a_name, PROFILE_NAME_LIMIT_CHARS)
}

/// What names in IAM are made of.
fn is_of_a_name(character: char) -> bool {
    character.is_ascii_alphanumeric() || "_+=,.@-".contains(character)
}

/// The parts of an ARN: `arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE`.
struct Arn<'a> {
    service: &'a str,
    region: &'a str,
    account: &'a str,
    resource: &'a str,
}

/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html>
fn parse_arn(text: &str) -> Option<Arn<'_>> {
    let mut parts = text.splitn(6, ':');
    let mut next = || parts.next();
    let (arn, partition) = (next()?, next()?);
    let is_of_aws = partition == "aws" || partition.starts_with("aws-");
    (arn == "arn" && is_of_aws).then_some(())?;
    Some(Arn {
        service: next()?,
        region: next()?,
        account: next()?,
        resource: next()?,
    })
}

fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

pub(super) fn check_policy(text: &str) -> Result<(), InvalidText> {
    let allowed = |character: char| is_of_a_name(character) || "/:".contains(character);
    check_alphabet(text, allowed, ARN_LIMIT_CHARS)?;
    let is_policy = |arn: Arn<'_>| {
        let names_one = arn
            .resource
            .strip_prefix("policy/")
            .is_some_and(|name| !name.is_empty() && !name.ends_with('/') && !name.contains(':'));
        let is_owned = is_account(arn.account) || arn.account == "aws";
        arn.service == "iam" && arn.region.is_empty() && is_owned && names_one
    };
    if parse_arn(text).is_some_and(is_policy) {
        return Ok(());
    }
    invalid(format!("`{}` is not the ARN of a policy", clip(text)))
}

/// An id of a key is a UUID; that of one for several regions is `mrk-` and 32 hexadecimal digits:
/// <https://docs.aws.amazon.com/kms/latest/developerguide/concepts.html#key-id-key-id>.
fn is_key_id(text: &str) -> bool {
    if let Some(digits) = text.strip_prefix("mrk-") {
        return digits.len() == 32 && is_lower_hexadecimal(digits);
    }
    let mut lengths = text.split('-').map(str::len);
    lengths.by_ref().eq([8, 4, 4, 4, 12]) && text.split('-').all(is_lower_hexadecimal)
}

pub(super) fn check_kms_key(text: &str) -> Result<(), InvalidText> {
    let is_key = |arn: Arn<'_>| {
        let id = arn.resource.strip_prefix("key/");
        let is_placed = !arn.region.is_empty() && is_region(arn.region) && is_account(arn.account);
        arn.service == "kms" && is_placed && id.is_some_and(is_key_id)
    };
    if is_key_id(text) || parse_arn(text).is_some_and(is_key) {
        return Ok(());
    }
    invalid(format!("`{}` is not a KMS key", clip(text)))
}

fn is_region(text: &str) -> bool {
    text.bytes()
        .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

/// The region of a KMS key that is given by its ARN.
pub(in crate::spec) fn region_of_key(text: &str) -> Option<&str> {
    parse_arn(text).map(|arn| arn.region)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_of_the_kind_that_is_asked_for() {
        for (text, is_valid) in [
            ("vpc-0a1b2c3d4e5f60718", true),
            ("vpc-0a1b2c3d", true),
            ("vpc-0a1b2c3", false),
            ("vpc-0A1B2C3D", false),
            ("vpc-", false),
            ("vpc", false),
            ("subnet-0a1b2c3d", false),
        ] {
            assert_eq!(check_vpc(text).is_ok(), is_valid, "{text}");
        }
        assert!(is_image_id("ami-0a1b2c3d4e5f60718") && !is_image_id("ubuntu-24.04"));
    }

    #[test]
    fn policies_are_those_of_aws_or_of_an_account() {
        for (text, is_valid) in [
            (
                "arn:aws:iam::aws:policy/service-role/AmazonEBSCSIDriverPolicy",
                true,
            ),
            ("arn:aws-cn:iam::123456789012:policy/a", true),
            ("arn:aws:iam::123456789012:policy/", false),
            ("arn:aws:iam::123456789012:role/a", false),
            ("arn:aws:iam:eu-west-1:123456789012:policy/a", false),
            ("arn:aws:iam::1234:policy/a", false),
            ("arn:gcp:iam::123456789012:policy/a", false),
            ("AdministratorAccess", false),
        ] {
            assert_eq!(check_policy(text).is_ok(), is_valid, "{text}");
        }
    }

    #[test]
    fn keys_are_ids_or_arns() {
        let arn = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab";
        assert_eq!(region_of_key(arn), Some("eu-west-1"));
        assert_eq!(region_of_key("1234abcd-12ab-34cd-56ef-1234567890ab"), None);
        for (text, is_valid) in [
            (arn, true),
            ("1234abcd-12ab-34cd-56ef-1234567890ab", true),
            ("mrk-1234abcd12ab34cd56ef1234567890ab", true),
            ("alias/aws/ebs", false),
            (
                "arn:aws:kms::123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab",
                false,
            ),
            ("arn:aws:kms:eu-west-1:123456789012:alias/a", false),
            ("1234abcd-12ab-34cd-56ef-1234567890ab-", false),
            ("1234", false),
        ] {
            assert_eq!(check_kms_key(text).is_ok(), is_valid, "{text}");
        }
    }

    #[test]
    fn buckets_with_dots_are_under_no_certificate() {
        assert!(check_bucket_name("example-issuer").is_ok());
        assert!(check_bucket_name("issuer.example.com").is_err());
        assert!(check_bucket_name("a").is_err());
    }
}
