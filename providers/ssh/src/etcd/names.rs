//! Names of snapshots, which become names of files on machines.

use keelson_provider_api::ProviderError;

use super::step::permanent;

/// Refuses a name that would not stay in its folder.
pub(super) fn check_name(name: &str) -> Result<(), ProviderError> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b':' | b'-' | b'_' | b'.');
    if !name.is_empty() && name.len() <= 200 && !name.starts_with(['.', '-']) && name.bytes().all(fits) {
        return Ok(());
    }
    Err(permanent(format!(
        "`{}` cannot be the name of a snapshot's file",
        name.escape_debug()
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_in_their_folder() {
        assert!(check_name("main:20260101T000000Z").is_ok());
        for name in ["", ".", "..", "a/b", "../a", "-a", "a b", "a\n", "ä"] {
            assert!(check_name(name).is_err(), "{name}");
        }
    }
}
