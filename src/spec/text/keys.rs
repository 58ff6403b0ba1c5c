//! Public keys, and the private ones that people take for them.

use keelson_provider_api::values::{InvalidText, clip};

use super::words::{LIMIT_CHARS, invalid};

pub(super) fn check_age_recipient(text: &str) -> Result<(), InvalidText> {
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

/// `authorized_keys` lines without options: sshd(8).
pub(super) fn check_public_key(text: &str) -> Result<(), InvalidText> {
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
