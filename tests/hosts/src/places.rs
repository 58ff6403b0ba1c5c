//! Where labs keep what they have.

use std::path::PathBuf;

use crate::LabError;

/// Records of the labs that stand: gone when the machine is restarted, as the labs are.
pub(crate) const RECORDS: &str = "/run/keelson-test-hosts";

/// What is kept between runs: `$KEELSON_CACHE/test-hosts`, or `keelson/test-hosts` in the user's cache.
pub(crate) fn cache() -> Result<PathBuf, LabError> {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    let keelson = set("KEELSON_CACHE")
        .map(PathBuf::from)
        .or_else(|| set("XDG_CACHE_HOME").map(|folder| PathBuf::from(folder).join("keelson")))
        .or_else(|| set("HOME").map(|home| PathBuf::from(home).join(".cache/keelson")));
    let Some(keelson) = keelson else {
        return Err(LabError::refused(
            "there is no folder to keep root file systems in",
            "set KEELSON_CACHE, XDG_CACHE_HOME or HOME",
        ));
    };
    if keelson.is_relative() {
        return Err(LabError::refused(
            format!("the cache {} is not an absolute path", keelson.display()),
            "set KEELSON_CACHE to one",
        ));
    }
    Ok(keelson.join("test-hosts"))
}

/// The folders of labs' disks; each lab's is named like the lab.
pub(crate) fn labs() -> Result<PathBuf, LabError> {
    Ok(cache()?.join("labs"))
}
