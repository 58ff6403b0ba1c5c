//! Filling a mirror of one's own.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use futures_util::StreamExt;
use keelson_provider_api::values::Digest;
use keelson_provider_api::{Asset, AssetSource, whole_file};
use sha2::{Digest as _, Sha256};
use std::io::Write as _;

use super::fetch::{AssetError, Fetcher, reason, unreachable};
use crate::node::{ReleaseFile, ResolvedFile};

/// What became of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Copied {
    /// It was there already.
    Kept,
    /// It was written: so many bytes.
    Written(u64),
}

/// Copies a release file to `folder`, in the layout of a mirror, with its digest in the list that belongs to it. A file
/// that is there and right is left alone.
///
/// # Errors
/// [`AssetError`]; nothing half stands under the file's name then.
pub async fn copy(
    file: &ReleaseFile,
    resolved: &ResolvedFile,
    folder: &Path,
    fetcher: &Fetcher,
) -> Result<Copied, AssetError> {
    let path = folder.join(&file.path);
    let asset = &resolved.asset;
    let copied = if digest_of(&path).ok() == Some(asset.sha256) {
        Copied::Kept
    } else {
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).map_err(failed("write", parent))?;
        }
        let draft = PathBuf::from(format!("{}.part", path.display()));
        let bytes = write(asset, &draft, fetcher).await?;
        if digest_of(&draft).map_err(failed("read", &draft))? != asset.sha256 {
            let _ = std::fs::remove_file(&draft);
            return Err(AssetError::Damaged {
                place: source_name(asset),
                expected: asset.sha256.hexadecimal(),
            });
        }
        std::fs::rename(&draft, &path).map_err(failed("write", &path))?;
        Copied::Written(bytes)
    };
    list(&folder.join(&file.checksums), file.file_name(), asset.sha256)?;
    Ok(copied)
}

async fn write(asset: &Asset, draft: &Path, fetcher: &Fetcher) -> Result<u64, AssetError> {
    let url = match &asset.source {
        AssetSource::File(from) => return std::fs::copy(from, draft).map_err(failed("read", from)),
        AssetSource::Url(url) => url,
    };
    let response = fetcher.get(url).await?;
    let response = response.ok_or_else(|| unreachable(url, "there is no such file"))?;
    let mut file = std::fs::File::create(draft).map_err(failed("write", draft))?;
    let mut bytes = 0;
    let mut stream = response.bytes_stream();
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(|problem| unreachable(url, reason(&problem)))?;
        bytes += chunk.len() as u64;
        file.write_all(&chunk).map_err(failed("write", draft))?;
    }
    file.sync_all().map_err(failed("write", draft))?;
    Ok(bytes)
}

fn source_name(asset: &Asset) -> String {
    match &asset.source {
        AssetSource::Url(url) => url.clone(),
        AssetSource::File(path) => path.display().to_string(),
    }
}

fn digest_of(path: &Path) -> std::io::Result<Digest> {
    let mut hasher = Sha256::new();
    std::io::copy(&mut std::fs::File::open(path)?, &mut Hashing(&mut hasher))?;
    Ok(Digest::from_bytes(hasher.finalize().into()))
}

struct Hashing<'a>(&'a mut Sha256);

impl std::io::Write for Hashing<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Puts a digest into a list, in place of another one for the same file.
fn list(path: &Path, name: &str, sha256: Digest) -> Result<(), AssetError> {
    let before = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
        // What cannot be read may list other files: it is not written over.
        Err(error) => return Err(failed("read", path)(error)),
    };
    let others = before.lines().filter(|line| {
        let listed = line.split_once(char::is_whitespace);
        listed.is_some_and(|(_, file)| file.trim_start().trim_start_matches('*') != name)
    });
    let mut lines: Vec<String> = others.map(str::to_owned).collect();
    lines.push(format!("{}  {name}", sha256.hexadecimal()));
    lines.sort_by(|left, right| {
        left.split_whitespace()
            .last()
            .cmp(&right.split_whitespace().last())
    });
    let text = lines.join("\n") + "\n";
    if text == before {
        return Ok(());
    }
    whole_file::put(path, text.as_bytes(), 0o644).map_err(failed("write", path))
}

fn failed(verb: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> AssetError {
    let path = path.to_owned();
    move |source| AssetError::File { verb, path, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_keeps_what_it_has_and_is_left_alone_where_it_cannot_be_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("SHA256SUMS");
        let text = || std::fs::read_to_string(&path).unwrap();
        let (one, two) = (Digest::of_bytes(b"1"), Digest::of_bytes(b"2"));
        list(&path, "b", one).unwrap();
        list(&path, "a", one).unwrap();
        list(&path, "b", two).unwrap();
        let wanted = format!("{}  a\n{}  b\n", one.hexadecimal(), two.hexadecimal());
        assert_eq!(text(), wanted);
        assert_eq!(
            std::fs::read_dir(folder.path()).unwrap().count(),
            1,
            "no draft stays"
        );
        // Not text: the same for whoever reads it, also for root, whom no mode keeps out.
        std::fs::write(&path, b"\xff\xfe\n").unwrap();
        let refused = list(&path, "c", one);
        assert!(
            matches!(refused, Err(AssetError::File { verb: "read", .. })),
            "{refused:?}"
        );
        assert_eq!(std::fs::read(&path).unwrap(), b"\xff\xfe\n");
    }
}
