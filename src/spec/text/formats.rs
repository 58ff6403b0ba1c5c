//! Plain strings with a restricted alphabet: one row of `SPEC_FORMATS` each.
//!
//! The marker types (`Identifier`, `HostName`, …) exist for the schema only: a field that is a `String` in Rust
//! names one in `#[schemars(with = "…")]` and is checked by the row of the same name.

use std::borrow::Cow;

use keelson_provider_api::values::{InvalidText, TextFormat};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::aws::{
    check_bucket_name, check_kms_key, check_policy, check_profile_name, check_subnet, check_vpc,
};
use super::hosts::{check_address, check_host_name, check_ip_address, check_registry, check_subject_name};
use super::keys::{check_age_recipient, check_public_key};
use super::words::{
    check_argument_name, check_identifier, check_line, check_path, check_plugin_name, check_user_name,
};
use super::{HttpUrl, Location, OnCalendar, PortRange, StateStore};

/// Every text format of the spec that is no value shared with providers.
pub(crate) const SPEC_FORMATS: &[TextFormat] = &[
    TextFormat::of::<HttpUrl>(),
    TextFormat::of::<Location>(),
    TextFormat::of::<OnCalendar>(),
    TextFormat::of::<PortRange>(),
    TextFormat::of::<StateStore>(),
    ADDRESS,
    AGE_RECIPIENT,
    ARGUMENT_NAME,
    BUCKET_NAME,
    FILE_PATH,
    HOST_ADDRESS,
    HOST_NAME,
    IDENTIFIER,
    IP_ADDRESS,
    KMS_KEY,
    LINE,
    PLUGIN_NAME,
    POLICY_ARN,
    PROFILE_NAME,
    PUBLIC_KEY,
    REGISTRY,
    SUBJECT_NAME,
    SUBNET_ID,
    USER_NAME,
    VPC_ID,
];

const fn row(
    name: &'static str,
    expected: &'static str,
    example: &'static str,
    check: fn(&str) -> Result<(), InvalidText>,
) -> TextFormat {
    TextFormat {
        name,
        expected,
        example,
        check,
    }
}

const ADDRESS: TextFormat = row(
    "address",
    "an IP address or a DNS name",
    "10.0.0.100",
    check_address,
);
const AGE_RECIPIENT: TextFormat = row(
    "age-recipient",
    "a recipient of age, as age-keygen prints it: age1 and 58 letters and digits",
    "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p",
    check_age_recipient,
);
const ARGUMENT_NAME: TextFormat = row(
    "argument-name",
    "a flag's name without dashes in front",
    "event-ttl",
    check_argument_name,
);
const BUCKET_NAME: TextFormat = row(
    "bucket-name",
    "the name of a bucket: 3 to 63 of a-z, 0-9 and -",
    "example-issuer",
    check_bucket_name,
);
const FILE_PATH: TextFormat = row("file-path", "a path of a file", "./etcd-ca.crt", check_path);
const HOST_ADDRESS: TextFormat = row(
    "host-address",
    "an IP address, a DNS name, or `local` for this machine",
    "10.0.0.11",
    check_address,
);
const HOST_NAME: TextFormat = row("host-name", "a DNS name", "example.com", check_host_name);
const IDENTIFIER: TextFormat = row(
    "identifier",
    "a name of letters, digits and . _ - / :",
    "m6i.large",
    check_identifier,
);
const IP_ADDRESS: TextFormat = row("ip-address", "an IP address", "10.0.0.11", check_ip_address);
const KMS_KEY: TextFormat = row(
    "kms-key",
    "the id or the ARN of a KMS key",
    "1234abcd-12ab-34cd-56ef-1234567890ab",
    check_kms_key,
);
const LINE: TextFormat = row("line", "one line of printable text", "1h", check_line);
const PLUGIN_NAME: TextFormat = row(
    "plugin-name",
    "a name of letters and digits",
    "PodSecurity",
    check_plugin_name,
);
const POLICY_ARN: TextFormat = row(
    "policy-arn",
    "the ARN of an IAM policy",
    "arn:aws:iam::123456789012:policy/keelson-boundary",
    check_policy,
);
const PROFILE_NAME: TextFormat = row(
    "profile-name",
    "the name of an instance profile: letters, digits and _ + = , . @ -",
    "keelson-nodes",
    check_profile_name,
);
const PUBLIC_KEY: TextFormat = row(
    "public-key",
    "one line as in authorized_keys: TYPE BASE64 [COMMENT]",
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHQ2v8LrvO4fEXTmlQz0H5Jq5t1dQZf8a9Yw4Yc6i3bE operator",
    check_public_key,
);
const REGISTRY: TextFormat = row(
    "registry",
    "a registry HOST[:PORT][/PATH], without https://",
    "mirror.example.com:5000",
    check_registry,
);
const SUBJECT_NAME: TextFormat = row(
    "subject-name",
    "an IP address or a DNS name, which may begin with `*.`",
    "api.example.com",
    check_subject_name,
);
const SUBNET_ID: TextFormat = row(
    "subnet-id",
    "the id of a subnet: subnet- and 8 or 17 hexadecimal digits",
    "subnet-0a1b2c3d4e5f60718",
    check_subnet,
);
const USER_NAME: TextFormat = row(
    "user-name",
    "a user name of lower-case letters, digits, _ and -",
    "ubuntu",
    check_user_name,
);
const VPC_ID: TextFormat = row(
    "vpc-id",
    "the id of a VPC: vpc- and 8 or 17 hexadecimal digits",
    "vpc-0a1b2c3d4e5f60718",
    check_vpc,
);

/// Declares schema-only marker types, each naming its row of the table.
macro_rules! markers {
    ($($marker:ident = $row:ident),+ $(,)?) => {$(
        #[doc = concat!("In schemas: a text that the row `", stringify!($row), "` checks.")]
        #[derive(Debug)]
        pub(crate) enum $marker {}

        impl JsonSchema for $marker {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                $row.name.into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "format": $row.name, "examples": [$row.example] })
            }
        }
    )+};
}

markers!(
    Address = ADDRESS,
    AgeRecipient = AGE_RECIPIENT,
    ArgumentName = ARGUMENT_NAME,
    BucketName = BUCKET_NAME,
    FilePath = FILE_PATH,
    HostAddress = HOST_ADDRESS,
    IpAddress = IP_ADDRESS,
    HostName = HOST_NAME,
    Identifier = IDENTIFIER,
    KmsKey = KMS_KEY,
    Line = LINE,
    PluginName = PLUGIN_NAME,
    PolicyArn = POLICY_ARN,
    ProfileName = PROFILE_NAME,
    PublicKey = PUBLIC_KEY,
    Registry = REGISTRY,
    SubjectName = SUBJECT_NAME,
    SubnetId = SUBNET_ID,
    UserName = USER_NAME,
    VpcId = VPC_ID,
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_format_accepts_its_example_and_refuses_metacharacters() {
        for format in SPEC_FORMATS {
            assert_eq!((format.check)(format.example), Ok(()), "{}", format.name);
            for rubbish in ["", "\u{0}", "a\nb"] {
                assert!(
                    (format.check)(rubbish).is_err(),
                    "{} accepts {rubbish:?}",
                    format.name
                );
            }
            if format.name == "line" {
                continue;
            }
            for rubbish in [
                " ",
                "$(reboot)",
                "a b",
                "a;b",
                "a`b",
                "'",
                "\"",
                "a|b",
                "a&b",
                "{x}",
            ] {
                assert!(
                    (format.check)(rubbish).is_err(),
                    "{} accepts {rubbish:?}",
                    format.name
                );
            }
        }
    }
}
