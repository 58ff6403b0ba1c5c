//! Names and addresses of machines, and of the registries on them.

use std::net::IpAddr;

use keelson_provider_api::values::{InvalidText, clip};

use super::location::check_authority;
use super::words::{check_alphabet, invalid};

const DNS_NAME_LIMIT_CHARS: usize = 253;

/// A DNS name (RFC 1123): labels joined by dots, at most 253 characters. Something that looks like an IPv4 address
/// must be one.
pub(super) fn check_host_name(text: &str) -> Result<(), InvalidText> {
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

pub(super) fn check_ip_address(text: &str) -> Result<(), InvalidText> {
    if text.parse::<IpAddr>().is_err() {
        return Err(InvalidText::new(format!("`{}` is not an IP address", clip(text))));
    }
    check_address(text)
}

pub(super) fn check_address(text: &str) -> Result<(), InvalidText> {
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

pub(super) fn check_subject_name(text: &str) -> Result<(), InvalidText> {
    check_address(text.strip_prefix("*.").unwrap_or(text))
}

pub(super) fn check_registry(text: &str) -> Result<(), InvalidText> {
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

#[cfg(test)]
mod tests {
    use super::*;

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
