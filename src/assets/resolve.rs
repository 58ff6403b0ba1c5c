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
/// architecture must be there; those that are not are left out. Where one is known, nothing depends on an answer about the
/// others: they may have come since.
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
    let mut answers = true;
    for file in files {
        let digest = if let Some(digest) = known.get(&file.path) {
            Some(*digest)
        } else if !answers && is_partly_known(files, known, file) {
            None
        } else {
            if !lists.contains_key(file.checksums.as_str()) {
                let text = match read_list(origin, &file.checksums, fetcher).await {
                    Err(_) if is_partly_known(files, known, file) => {
                        answers = false;
                        None
                    }
                    read => read?,
                };
                lists.insert(&file.checksums, text);
            }
            let list = lists.get(file.checksums.as_str()).and_then(Option::as_deref);
            list.and_then(|list| listed(list, file.file_name()))
        };
        let source = source(origin, known, file);
        if let (Some(digest), Some(source)) = (digest, source) {
            resolved.insert(file.path.clone(), file.resolved(digest, source));
        }
    }
    found_any(origin, files, resolved)
}

/// The same without asking anyone over a network: a digest that is neither `known` nor in a folder is
/// [`UNKNOWN_DIGEST`]; but of a release of which one is known, the others are left out, as they were when that was found.
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
                let list = match read_file(&folder.join(&file.checksums)) {
                    Err(_) if is_partly_known(files, known, file) => None,
                    read => read?,
                };
                list.and_then(|list| listed(&list, file.file_name()))
            }
            _ if is_partly_known(files, known, file) => None,
            (None, Origin::Upstream | Origin::Mirror(_)) => Some(UNKNOWN_DIGEST),
        };
        if let (Some(digest), Some(source)) = (digest, source(origin, known, file)) {
            resolved.insert(file.path.clone(), file.resolved(digest, source));
        }
    }
    found_any(origin, files, resolved)
}

/// The files for whoever installs none of them: `origin` need not be there. A digest that is not `known` is
/// [`UNKNOWN_DIGEST`], or left out as by [`resolve_offline`].
pub fn resolve_known(
    origin: &Origin,
    files: &[ReleaseFile],
    known: &Known,
) -> BTreeMap<String, ResolvedFile> {
    let mut resolved = BTreeMap::new();
    for file in files {
        let digest = match known.get(&file.path) {
            Some(digest) => *digest,
            None if is_partly_known(files, known, file) => continue,
            None => UNKNOWN_DIGEST,
        };
        resolved.insert(file.path.clone(), file.resolved(digest, place_of(origin, file)));
    }
    resolved
}

/// True where the digest of the file's release is known, of one architecture at least.
fn is_partly_known(files: &[ReleaseFile], known: &Known, file: &ReleaseFile) -> bool {
    let mut of_release = files.iter().filter(|other| other.release == file.release);
    of_release.any(|file| known.contains_key(&file.path))
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

/// Where the file is; `None` when a folder does not have it. One that is known was there: machines may have it already, and
/// whoever has to carry it sees whether it is there still.
fn source(origin: &Origin, known: &Known, file: &ReleaseFile) -> Option<AssetSource> {
    let source = place_of(origin, file);
    match &source {
        AssetSource::File(path) if !known.contains_key(&file.path) && !path.is_file() => None,
        _ => Some(source),
    }
}

/// Where the file is, if it is there.
fn place_of(origin: &Origin, file: &ReleaseFile) -> AssetSource {
    match origin {
        Origin::Folder(folder) => AssetSource::File(folder.join(&file.path)),
        other => AssetSource::Url(other.url(&file.path).unwrap_or_default()),
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
    use std::sync::Arc;
    use std::time::Duration;

    use jiff::Timestamp;
    use keelson_provider_api::Clock;
    use keelson_provider_api::clock::BoxFuture;

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

    /// The same file for another architecture.
    fn for_arm64() -> ReleaseFile {
        ReleaseFile {
            name: "a for arm64".to_owned(),
            architecture: Architecture::Arm64,
            path: "example.com/a-arm64.tar.gz".to_owned(),
            ..release_file()
        }
    }

    /// Nobody answers there; in a folder that is gone there is nothing.
    fn gone() -> [Origin; 2] {
        let folder = tempfile::tempdir().unwrap();
        [
            Origin::Mirror("http://127.0.0.1:1".to_owned()),
            Origin::Folder(folder.path().to_owned()),
        ]
    }

    /// A clock on which no time is spent between attempts.
    struct NoWaiting;

    impl Clock for NoWaiting {
        fn now(&self) -> Timestamp {
            Timestamp::UNIX_EPOCH
        }

        fn sleep(&self, _: Duration) -> BoxFuture<'_, ()> {
            Box::pin(async {})
        }
    }

    #[test]
    fn what_is_known_needs_no_answer() {
        let fetcher = Fetcher::new(None, &[], Arc::new(NoWaiting)).unwrap();
        let files = [release_file(), for_arm64()];
        let known = Known::from([(files[0].path.clone(), Digest::of_bytes(b"a"))]);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        for origin in &gone() {
            runtime.block_on(async {
                let resolved = resolve(origin, &files, &known, &fetcher).await.unwrap();
                let offline = resolve_offline(origin, &files, &known).unwrap();
                let known_alone = resolve_known(origin, &files, &known);
                for resolved in [resolved, offline, known_alone] {
                    let paths: Vec<_> = resolved.keys().collect();
                    assert_eq!(paths, [&files[0].path], "that for arm64 was not there before");
                }
                assert!(
                    resolve(origin, &files, &Known::new(), &fetcher).await.is_err(),
                    "what is not known is missed"
                );
            });
        }
    }

    #[test]
    fn who_installs_nothing_needs_no_place() {
        let files = [release_file(), for_arm64()];
        for origin in &gone() {
            let resolved = resolve_known(origin, &files, &Known::new());
            assert_eq!(resolved.len(), 2);
            assert!(resolved.values().all(|file| file.asset.sha256 == UNKNOWN_DIGEST));
        }
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
