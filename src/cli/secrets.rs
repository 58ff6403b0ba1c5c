//! Secrets that the environment gives: never an argument, which everyone on the machine can read.

use std::path::PathBuf;

use keelson_provider_api::values::Secret;

use super::failure::Failure;
use crate::registry::ConnectOptions;

/// What sudo asks for on hosts.
const SUDO_PASSWORD: &str = "KEELSON_SUDO_PASSWORD";
/// What keys in the state store are encrypted with.
const PKI_PASSPHRASE: &str = "KEELSON_PKI_PASSPHRASE";
/// The path of a file with age identities that open keys in the state store.
const PKI_IDENTITIES: &str = "KEELSON_PKI_IDENTITIES";

/// Options with the secrets that the environment gives, and nothing else in them.
pub(super) fn from_environment() -> Result<ConnectOptions, Failure> {
    let identities = variable(PKI_IDENTITIES)?.map(PathBuf::from);
    let identities = identities
        .map(|path| {
            std::fs::read_to_string(&path).map_err(|error| {
                Failure::usage(format!("cannot read {}: {error}", path.display()))
                    .with_help(format!("{PKI_IDENTITIES} names a file of age identities"))
            })
        })
        .transpose()?;
    Ok(ConnectOptions {
        sudo_password: variable(SUDO_PASSWORD)?.map(Secret::new),
        pki_passphrase: variable(PKI_PASSPHRASE)?.map(Secret::new),
        pki_identities: identities.map(Secret::new),
        ..ConnectOptions::default()
    })
}

#[expect(
    clippy::disallowed_methods,
    reason = "the commands read the environment, the library does not"
)]
fn variable(name: &str) -> Result<Option<String>, Failure> {
    match std::env::var(name) {
        Ok(value) if value.is_empty() => Ok(None),
        Ok(value) => Ok(Some(value)),
        Err(std::env::VarError::NotPresent) => Ok(None),
        Err(std::env::VarError::NotUnicode(_)) => Err(Failure::usage(format!("{name} is no text"))),
    }
}
