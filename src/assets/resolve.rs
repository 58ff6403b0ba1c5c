//! Finding the digests of release files.

use std::collections::BTreeMap;
use std::path::Path;

use keelson_provider_api::AssetSource;
use keelson_provider_api::values::{Digest, TextValue};

use super::Origin;
use super::fetch::{AssetError, Fetcher};
use crate::node::{ReleaseFile, ResolvedFile};

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
