//! Secrets that the environment gives: never an argument, which everyone on the machine can read.

use std::path::Path;

use keelson_provider_api::values::Secret;

use super::failure::Failure;
use super::files::{self, variable};
#[cfg(feature = "aws")]
use crate::registry::AwsAccess;
use crate::registry::ConnectOptions;

/// What sudo asks for on hosts.
const SUDO_PASSWORD: &str = "KEELSON_SUDO_PASSWORD";
/// What keys in the state store are encrypted with.
const PKI_PASSPHRASE: &str = "KEELSON_PKI_PASSPHRASE";
/// The path of a file with age identities that open keys in the state store.
const PKI_IDENTITIES: &str = "KEELSON_PKI_IDENTITIES";

/// Room for hundreds of identities, of hardware tokens too.
const IDENTITIES_LIMIT_BYTES: usize = 1 << 20;

/// Options with the secrets that the environment gives, and with whoever asks AWS by what it says; nothing else in them.
pub(super) fn from_environment() -> Result<ConnectOptions, Failure> {
    let identities = variable(PKI_IDENTITIES)?
        .map(|path| read_identities(Path::new(&path)))
        .transpose()?;
    Ok(ConnectOptions {
        sudo_password: variable(SUDO_PASSWORD)?.map(Secret::new),
        pki_passphrase: variable(PKI_PASSPHRASE)?.map(Secret::new),
        pki_identities: identities.map(Secret::new),
        // Nothing of it is read before a spec keeps its state in S3.
        #[cfg(feature = "aws")]
        aws: AwsAccess::from_environment(),
        ..ConnectOptions::default()
    })
}

fn read_identities(file: &Path) -> Result<String, Failure> {
    let advice = format!("{PKI_IDENTITIES} names a file of age identities");
    let bytes = files::read_bounded(file, IDENTITIES_LIMIT_BYTES, &advice)?;
    String::from_utf8(bytes).map_err(|_| {
        Failure::failed(format!("cannot use {}: it is not text", files::shown(file))).with_help(advice)
    })
}
