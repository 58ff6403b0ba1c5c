//! Plain strings with a restricted alphabet: one row of `SPEC_FORMATS` each.
//!
//! The marker types (`Identifier`, `HostName`, …) exist for the schema only: a field that is a `String` in Rust
//! names one in `#[schemars(with = "…")]` and is checked by the row of the same name.

use std::borrow::Cow;
use std::net::IpAddr;

use keelson_provider_api::values::{InvalidText, TextFormat, clip};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::location::check_authority;
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
    FILE_PATH,
    HOST_ADDRESS,
    HOST_NAME,
    IDENTIFIER,
    IP_ADDRESS,
    LINE,
    PLUGIN_NAME,
    PUBLIC_KEY,
    REGISTRY,
    SUBJECT_NAME,
    USER_NAME,
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
const LINE: TextFormat = row("line", "one line of printable text", "1h", check_line);
const PLUGIN_NAME: TextFormat = row(
    "plugin-name",
    "a name of letters and digits",
    "PodSecurity",
    check_plugin_name,
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
const USER_NAME: TextFormat = row(
    "user-name",
    "a user name of lower-case letters, digits, _ and -",
    "ubuntu",
    check_user_name,
);

/// The longest path, URL or identifier that makes sense anywhere.
const LIMIT_CHARS: usize = 1024;
const IDENTIFIER_LIMIT_CHARS: usize = 255;
const DNS_NAME_LIMIT_CHARS: usize = 253;

fn invalid(problem: String) -> Result<(), InvalidText> {
    Err(InvalidText::new(problem))
}

/// Names the first character that is not allowed.
fn check_alphabet(text: &str, allowed: fn(char) -> bool, limit: usize) -> Result<(), InvalidText> {
    if text.is_empty() {
        return invalid("it is empty".to_owned());
    }
    if text.len() > limit {
        return invalid(format!("`{}` is longer than {limit} characters", clip(text)));
    }
    match text.chars().find(|&character| !allowed(character)) {
        Some(wrong) => invalid(format!("`{}` contains `{}`", clip(text), wrong.escape_debug())),
        None => Ok(()),
    }
}

/// A path of letters, digits and `. _ - / + @ ,` `~` or blanks inside; no control or shell characters.
pub(crate) fn check_path(text: &str) -> Result<(), InvalidText> {
    let allowed = |character: char| character.is_alphanumeric() || "._-/+@,~=".contains(character);
    check_alphabet(text, allowed, LIMIT_CHARS)?;
    if !text.contains(char::is_alphanumeric) && text != "." {
        return invalid(format!("`{}` names no file", clip(text)));
    }
    if text.starts_with('-') {
        return invalid(format!("`{0}` begins with a dash; write `./{0}`", clip(text)));
    }
    Ok(())
}

fn check_age_recipient(text: &str) -> Result<(), InvalidText> {
    // Not repeated here: messages end up in logs that more people read than the spec.
    if text.to_ascii_uppercase().starts_with("AGE-SECRET-KEY-") {
        return invalid(
            "it is a secret key, which anyone who reads the spec now has; make a new one".to_owned(),
        );
    }
    match text.parse::<age::x25519::Recipient>() {
        Ok(_) => Ok(()),
        Err(_) => invalid(format!("`{}` is not a recipient of age", clip(text))),
    }
}

/// A DNS name (RFC 1123): labels joined by dots, at most 253 characters. Something that looks like an IPv4 address
/// must be one.
pub(crate) fn check_host_name(text: &str) -> Result<(), InvalidText> {
    if text.contains("://") {
        return invalid(format!("`{}` is a URL", clip(text)));
    }
    let allowed = |character: char| character.is_ascii_alphanumeric() || "-.".contains(character);
    check_alphabet(text, allowed, DNS_NAME_LIMIT_CHARS)?;
    let label_is_valid =
        |label: &str| (1..=63).contains(&label.len()) && !label.starts_with('-') && !label.ends_with('-');
    if !text.split('.').all(label_is_valid) {
        return invalid(format!("`{}` is not a DNS name", clip(text)));
    }
    let last_is_number = text
        .rsplit('.')
        .next()
        .is_some_and(|label| label.bytes().all(|byte| byte.is_ascii_digit()));
    if last_is_number && text.parse::<IpAddr>().is_err() {
        return invalid(format!(
            "`{}` is neither an IP address nor a DNS name",
            clip(text)
        ));
    }
    Ok(())
}

fn check_ip_address(text: &str) -> Result<(), InvalidText> {
    if text.parse::<IpAddr>().is_err() {
        return Err(InvalidText::new(format!("`{}` is not an IP address", clip(text))));
    }
    check_address(text)
}

fn check_address(text: &str) -> Result<(), InvalidText> {
    if let Ok(address) = text.parse::<IpAddr>() {
        if address.is_unspecified() || address.is_multicast() {
            return invalid(format!("`{address}` is not an address of one machine"));
        }
        return Ok(());
    }
    if text.matches(':').count() == 1 && !text.contains("://") {
        return invalid(format!("`{}` has a port", clip(text)));
    }
    if text.contains('@') {
        return invalid(format!(
            "`{}` has a user name; the user has a field of its own",
            clip(text)
        ));
    }
    check_host_name(text)
}

fn check_subject_name(text: &str) -> Result<(), InvalidText> {
    check_address(text.strip_prefix("*.").unwrap_or(text))
}

fn check_identifier(text: &str) -> Result<(), InvalidText> {
    let allowed = |character: char| character.is_ascii_alphanumeric() || "._-/:".contains(character);
    check_alphabet(text, allowed, IDENTIFIER_LIMIT_CHARS)?;
    if !text.starts_with(|character: char| character.is_ascii_alphanumeric()) {
        return invalid(format!(
            "`{}` does not begin with a letter or a digit",
            clip(text)
        ));
    }
    Ok(())
}

fn check_argument_name(text: &str) -> Result<(), InvalidText> {
    let bare = text.trim_start_matches('-');
    if bare.len() != text.len() {
        return invalid(format!(
            "`{}` begins with dashes; write `{}`",
            clip(text),
            clip(bare)
        ));
    }
    if let Some((name, _)) = text.split_once('=') {
        return invalid(format!(
            "`{}` has a value in it; the value has a field of its own beside `name: {}`",
            clip(text),
            clip(name)
        ));
    }
    let allowed =
        |character: char| character.is_ascii_lowercase() || character.is_ascii_digit() || character == '-';
    check_alphabet(text, allowed, IDENTIFIER_LIMIT_CHARS)
}

fn check_line(text: &str) -> Result<(), InvalidText> {
    check_alphabet(text, |character| !character.is_control(), 4096)
}

fn check_plugin_name(text: &str) -> Result<(), InvalidText> {
    check_alphabet(
        text,
        |character| character.is_ascii_alphanumeric(),
        IDENTIFIER_LIMIT_CHARS,
    )
}

/// `authorized_keys` lines without options: sshd(8).
fn check_public_key(text: &str) -> Result<(), InvalidText> {
    const TYPES: &[&str] = &[
        "ssh-ed25519",
        "ssh-rsa",
        "ecdsa-sha2-nistp256",
        "ecdsa-sha2-nistp384",
        "ecdsa-sha2-nistp521",
        "sk-ssh-ed25519@openssh.com",
        "sk-ecdsa-sha2-nistp256@openssh.com",
    ];
    if text.contains("PRIVATE KEY") {
        return invalid(
            "it is a private key; a spec needs the public one, from the file that ends in .pub".to_owned(),
        );
    }
    if let Some(wrong) = text.chars().find(|character| character.is_control()) {
        return invalid(format!(
            "it contains `{}`; a key is one line",
            wrong.escape_debug()
        ));
    }
    let mut words = text.split(' ');
    let kind = words.next().unwrap_or_default();
    if !TYPES.contains(&kind) {
        return invalid(format!("`{}` is not a type of public key", clip(kind)));
    }
    let key = words.next().unwrap_or_default();
    let base64 = |byte: u8| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte);
    // The shortest key there is, Ed25519, has 68 characters; every key begins with its type's length and name.
    if key.len() < 68 || !key.starts_with("AAAA") || !key.bytes().all(base64) {
        return invalid(format!("`{}` is not a key in base64", clip(key)));
    }
    if text.len() > 16 * LIMIT_CHARS {
        return invalid("it is longer than any public key".to_owned());
    }
    Ok(())
}

fn check_registry(text: &str) -> Result<(), InvalidText> {
    if let Some((scheme, rest)) = text.split_once("://") {
        return invalid(format!(
            "`{}` begins with `{}://`; write `{}`",
            clip(text),
            clip(scheme),
            clip(rest.trim_end_matches('/'))
        ));
    }
    let (authority, path) = text.split_once('/').unwrap_or((text, ""));
    check_authority(authority)?;
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-/".contains(&byte);
    let tidy = !path.ends_with('/') && !path.contains("//");
    if !path.bytes().all(allowed) || !tidy || (path.is_empty() && text.contains('/')) {
        return invalid(format!("`{}` is not a path in a registry", clip(path)));
    }
    Ok(())
}

/// The portable alphabet of `useradd(8)`.
fn check_user_name(text: &str) -> Result<(), InvalidText> {
    let allowed = |character: char| {
        character.is_ascii_lowercase() || character.is_ascii_digit() || "_-".contains(character)
    };
    check_alphabet(text, allowed, 32)?;
    if !text.starts_with(|character: char| character.is_ascii_lowercase() || character == '_') {
        return invalid(format!("`{}` does not begin with a letter", clip(text)));
    }
    Ok(())
}

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
    FilePath = FILE_PATH,
    HostAddress = HOST_ADDRESS,
    IpAddress = IP_ADDRESS,
    HostName = HOST_NAME,
    Identifier = IDENTIFIER,
    Line = LINE,
    PluginName = PLUGIN_NAME,
    PublicKey = PUBLIC_KEY,
    Registry = REGISTRY,
    SubjectName = SUBJECT_NAME,
    UserName = USER_NAME,
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

    #[test]
    fn addresses_are_of_one_machine() {
        for (text, valid) in [
            ("10.0.0.1", true),
            ("fd00::1", true),
            ("local", true),
            ("host-1.example.com", true),
            ("10.0.0.256", false),
            ("10.0.0", false),
            ("0.0.0.0", false),
            ("224.0.0.1", false),
            ("10.0.0.1:22", false),
            ("root@10.0.0.1", false),
            ("https://x", false),
            ("-host", false),
            ("a..b", false),
        ] {
            assert_eq!(check_address(text).is_ok(), valid, "{text}");
        }
    }
}
