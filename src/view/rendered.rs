//! What machines would be given, as files of a folder.

use std::collections::{BTreeMap, BTreeSet};

use keelson_provider_api::bundle::APPLY_SCRIPT;
use serde::Serialize;

use crate::ops::{Rendered, RenderedCertificate, RenderedMachine};
use crate::pki::AuthorityName;

/// What a machine is, and what it installs.
const MACHINE_FILE: &str = "machine.yaml";
/// The certificates that it gets.
const CERTIFICATES_FILE: &str = "certificates.yaml";

/// A file of the folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RenderedFile {
    /// Its content.
    pub content: Vec<u8>,
    /// True for one that can be run.
    pub is_executable: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Certificates<'a> {
    issued: &'a [RenderedCertificate],
    trusted: &'a BTreeMap<String, AuthorityName>,
    other_secrets: &'a BTreeSet<String>,
}

/// Every file, by its path in the folder: `<machine>/` and the path in the machine's bundle, with two listings beside.
///
/// # Errors
/// Says what has no YAML form.
pub fn files(rendered: &Rendered) -> Result<BTreeMap<String, RenderedFile>, String> {
    let mut files = BTreeMap::new();
    for machine in &rendered.machines {
        let mut put = |path: &str, content: Vec<u8>| {
            let file = RenderedFile {
                content,
                is_executable: path == APPLY_SCRIPT,
            };
            files.insert(format!("{}/{path}", machine.name), file);
        };
        for (path, content) in &machine.files {
            put(path, content.clone());
        }
        put(MACHINE_FILE, yaml(machine)?);
        put(CERTIFICATES_FILE, certificates(machine)?);
    }
    Ok(files)
}

fn certificates(machine: &RenderedMachine) -> Result<Vec<u8>, String> {
    yaml(&Certificates {
        issued: &machine.certificates,
        trusted: &machine.authorities,
        other_secrets: &machine.other_secrets,
    })
}

fn yaml<T: Serialize>(value: &T) -> Result<Vec<u8>, String> {
    let text = serde_saphyr::to_string(value).map_err(|error| error.to_string())?;
    Ok(text.into_bytes())
}
