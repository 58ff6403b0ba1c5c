//! Finding the digests of release files.

use std::collections::BTreeMap;
use std::path::Path;

use keelson_provider_api::AssetSource;
use keelson_provider_api::values::{Digest, TextValue};

use super::Origin;
use super::fetch::{AssetError, Fetcher};
use crate::node::{ReleaseFile, ResolvedFile, UNKNOWN_DIGEST};

/// Digests by the path of the file.
pub type Known = BTreeMap<String, Digest>;

/// Finds the digest of each of `files` at `origin`; `known` ones are not looked for again. Of each release at least one
/// architecture must be there; those that are not are left out.
///
/// # Errors
/// [`AssetError`], with the place that was looked at.
pub async fn resolve(
    origin: &Origin,
    files: &[ReleaseFile],
    known: &Known,
    fetcher: &Fetcher,
) -> Result<BTreeMap<String, ResolvedFile>, AssetError> {
    let mut lists: BTreeMap<&str, Option<String>> = BTreeMap::new();
    let mut resolved = BTreeMap::new();
    for file in files {
        let digest = if let Some(digest) = known.get(&file.path) {
            Some(*digest)
        } else {
            if !lists.contains_key(file.checksums.as_str()) {
                let text = read_list(origin, &file.checksums, fetcher).await?;
                lists.insert(&file.checksums, text);
            }
            let list = lists.get(file.checksums.as_str()).and_then(Option::as_deref);
            list.and_then(|list| listed(list, file.file_name()))
        };
        let source = source(origin, file);
        if let (Some(digest), Some(source)) = (digest, source) {
            resolved.insert(file.path.clone(), file.resolved(digest, source));
        }
    }
    found_any(origin, files, resolved)
}

/// The same without asking anyone over a network: a digest that is neither `known` nor in a folder is
/// [`UNKNOWN_DIGEST`].
///
/// # Errors
/// [`AssetError`], when a folder has not what it should have.
pub fn resolve_offline(
    origin: &Origin,
    files: &[ReleaseFile],
    known: &Known,
) -> Result<BTreeMap<String, ResolvedFile>, AssetError> {
    let mut resolved = BTreeMap::new();
    for file in files {
        let digest = match (known.get(&file.path), origin) {
            (Some(digest), _) => Some(*digest),
            (None, Origin::Folder(folder)) => {
                let list = read_file(&folder.join(&file.checksums))?;
                list.and_then(|list| listed(&list, file.file_name()))
            }
            (None, Origin::Upstream | Origin::Mirror(_)) => Some(UNKNOWN_DIGEST),
        };
        if let (Some(digest), Some(source)) = (digest, source(origin, file)) {
            resolved.insert(file.path.clone(), file.resolved(digest, source));
        }
    }
    found_any(origin, files, resolved)
}

/// Of each release at least one architecture must be there.
fn found_any(
    origin: &Origin,
    files: &[ReleaseFile],
    resolved: BTreeMap<String, ResolvedFile>,
) -> Result<BTreeMap<String, ResolvedFile>, AssetError> {
    for file in files {
        let of_release = || files.iter().filter(|other| other.release == file.release);
        if !of_release().any(|file| resolved.contains_key(&file.path)) {
            return Err(AssetError::NotListed {
                place: place(origin, &file.checksums),
                names: of_release().map(|file| file.file_name().to_owned()).collect(),
            });
        }
    }
    Ok(resolved)
}

/// Where the file is; `None` when a folder does not have it.
fn source(origin: &Origin, file: &ReleaseFile) -> Option<AssetSource> {
    match origin {
        Origin::Folder(folder) => {
            let path = folder.join(&file.path);
            path.is_file().then_some(AssetSource::File(path))
        }
        other => other.url(&file.path).map(AssetSource::Url),
    }
}

/// The list of digests at `path`; `None` when there is no such file.
async fn read_list(origin: &Origin, path: &str, fetcher: &Fetcher) -> Result<Option<String>, AssetError> {
    match origin {
        Origin::Folder(folder) => read_file(&folder.join(path)),
        other => fetcher.text(&other.url(path).unwrap_or_default()).await,
    }
}

fn read_file(path: &Path) -> Result<Option<String>, AssetError> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(problem) if problem.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(AssetError::File {
            verb: "read",
            path: path.to_owned(),
            source,
        }),
    }
}

pub(super) fn place(origin: &Origin, path: &str) -> String {
    match origin {
        Origin::Folder(folder) => folder.join(path).display().to_string(),
        other => other.url(path).unwrap_or_default(),
    }
}

/// The digest of the file `name` in a list: lines of `DIGEST  NAME` as `sha256sum` writes them, or one digest alone.
fn listed(list: &str, name: &str) -> Option<Digest> {
    let digest = |text: &str| Digest::parse_text(&format!("sha256:{}", text.to_ascii_lowercase())).ok();
    let mut lines = list.lines().map(str::trim).filter(|line| !line.is_empty());
    let named = lines.clone().find_map(|line| {
        let (sum, file) = line.split_once(char::is_whitespace)?;
        // A `*` before the name says that it was read as bytes.
        let file = file.trim_start().trim_start_matches('*');
        (file.rsplit('/').next() == Some(name)).then(|| digest(sum))?
    });
    named.or_else(|| match (lines.next(), lines.next()) {
        (Some(only), None) if !only.contains(char::is_whitespace) => digest(only),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::{Architecture, Packaging};

    fn release_file() -> ReleaseFile {
        ReleaseFile {
            release: "a".to_owned(),
            name: "a for amd64".to_owned(),
            packaging: Packaging::Program,
            architecture: Architecture::Amd64,
            path: "example.com/a.tar.gz".to_owned(),
            checksums: "example.com/SHA256SUMS".to_owned(),
        }
    }

    #[test]
    fn offline_nobody_is_asked_and_what_is_not_known_says_so() {
        let files = [release_file()];
        let digest = |origin: &Origin, known: &Known| {
            let resolved = resolve_offline(origin, &files, known).unwrap();
            resolved[&files[0].path].asset.sha256
        };
        let known = Known::from([(files[0].path.clone(), Digest::of_bytes(b"a"))]);
        // Nobody answers there, and nobody is asked.
        let mirror = Origin::Mirror("http://192.0.2.1".to_owned());
        for origin in [&Origin::Upstream, &mirror] {
            assert_eq!(digest(origin, &Known::new()), UNKNOWN_DIGEST);
            assert_eq!(digest(origin, &known), Digest::of_bytes(b"a"));
        }
        let folder = tempfile::tempdir().unwrap();
        let origin = Origin::Folder(folder.path().to_owned());
        assert!(
            resolve_offline(&origin, &files, &Known::new()).is_err(),
            "it is empty"
        );
        std::fs::create_dir(folder.path().join("example.com")).unwrap();
        let sum = Digest::of_bytes(b"b").hexadecimal();
        std::fs::write(folder.path().join(&files[0].path), b"b").unwrap();
        std::fs::write(
            folder.path().join(&files[0].checksums),
            format!("{sum}  a.tar.gz\n"),
        )
        .unwrap();
        assert_eq!(digest(&origin, &Known::new()), Digest::of_bytes(b"b"));
    }

    #[test]
    fn lists_are_read_in_the_forms_that_upstream_writes() {
        let sum = "E3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        let table = [
            (format!("{sum}  a.tar.gz\n"), true),
            (format!("{sum} *a.tar.gz\n"), true),
            (format!("{sum}  ./dist/a.tar.gz\r\n"), true),
            (format!("0 b.tar.gz\n{sum}\ta.tar.gz"), true),
            (format!("{sum}\n"), true),
            (format!("{sum}  other\n"), false),
            (format!("{}  a.tar.gz\n", &sum[..63]), false),
            (String::new(), false),
            ("<html>not found</html>".to_owned(), false),
        ];
        for (list, is_found) in table {
            let found = listed(&list, "a.tar.gz");
            assert_eq!(found.is_some(), is_found, "{list}");
            assert!(found.is_none_or(|found| found == Digest::of_bytes(b"")));
        }
    }
}
