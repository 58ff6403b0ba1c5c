//! OCI archives: an image layout in a tar file (<https://github.com/opencontainers/image-spec/blob/main/image-layout.md>). Blobs
//! are found where they lie in the file, so nothing is unpacked.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::LabError;
use crate::error::AboutFile;

const BLOCK_BYTES: u64 = 512;
/// More than any index or manifest has.
const JSON_LIMIT_BYTES: u64 = 4 << 20;
const REFERENCE_NAME: &str = "org.opencontainers.image.ref.name";

/// Where a blob lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Blob {
    pub(crate) archive: PathBuf,
    pub(crate) offset: u64,
    pub(crate) length: u64,
}

/// The images of several archives.
#[derive(Clone, Debug, Default)]
pub(crate) struct Images {
    /// Digests of manifests by reference: `registry.k8s.io/pause:3.10.1`.
    pub(crate) references: BTreeMap<String, String>,
    /// Blobs by digest: `sha256:0123…`.
    pub(crate) blobs: BTreeMap<String, Blob>,
}

#[derive(Deserialize)]
struct Index {
    manifests: Vec<Descriptor>,
}

#[derive(Deserialize)]
struct Descriptor {
    digest: String,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

/// Reads every `*.tar` in a folder, by name.
///
/// # Errors
///
/// When one of them is no OCI archive whose images have full names.
pub(crate) fn images(folder: &Path) -> Result<Images, LabError> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).about("failed to list", folder)? {
        let path = entry.about("failed to list", folder)?.path();
        if path.extension().is_some_and(|extension| extension == "tar") {
            paths.push(path);
        }
    }
    paths.sort();
    let mut images = Images::default();
    for path in &paths {
        add(&mut images, path)?;
    }
    Ok(images)
}

fn add(images: &mut Images, path: &Path) -> Result<(), LabError> {
    let mut file = File::open(path).about("failed to open", path)?;
    let members = members(&mut file).about("failed to read", path)?;
    let mut index = None;
    for (name, offset, length) in members {
        let name = name.trim_start_matches("./");
        if name == "index.json" && length <= JSON_LIMIT_BYTES {
            file.seek(SeekFrom::Start(offset)).about("failed to read", path)?;
            let mut text = String::new();
            let mut member = (&mut file).take(length);
            member.read_to_string(&mut text).about("failed to read", path)?;
            index = serde_json::from_str::<Index>(&text).ok();
        } else if let Some(digest) = name.strip_prefix("blobs/sha256/") {
            let blob = Blob {
                archive: path.to_owned(),
                offset,
                length,
            };
            images.blobs.insert(format!("sha256:{digest}"), blob);
        }
    }
    let not_one = |what: &str| {
        LabError::refused(
            format!("{} {what}", path.display()),
            format!("make it as `skopeo copy … oci-archive:FILE:REFERENCE` does, with {REFERENCE_NAME}"),
        )
    };
    let index = index.ok_or_else(|| not_one("is no OCI archive"))?;
    for descriptor in index.manifests {
        let reference = descriptor
            .annotations
            .get(REFERENCE_NAME)
            .filter(|reference| reference.contains('/'))
            .ok_or_else(|| not_one("has an image without a full name"))?;
        images.references.insert(reference.clone(), descriptor.digest);
    }
    Ok(())
}

/// Name, place and length of every file in a tar archive (POSIX `pax`, ustar; names of blobs fit into its fields).
fn members(file: &mut File) -> std::io::Result<Vec<(String, u64, u64)>> {
    let end = file.metadata()?.len();
    let mut members = Vec::new();
    let mut position = 0;
    while position + BLOCK_BYTES <= end {
        file.seek(SeekFrom::Start(position))?;
        let mut header = [0; 512];
        file.read_exact(&mut header)?;
        if header.iter().all(|&byte| byte == 0) {
            break;
        }
        let length = octal(&header[124..136])
            .ok_or_else(|| std::io::Error::new(std::io::ErrorKind::InvalidData, "it is no tar archive"))?;
        let offset = position + BLOCK_BYTES;
        if matches!(header[156], b'0' | 0) {
            let (prefix, name) = (text(&header[345..500]), text(&header[..100]));
            let is_ustar = header[257..].starts_with(b"ustar\0");
            let name = if is_ustar && !prefix.is_empty() {
                format!("{prefix}/{name}")
            } else {
                name
            };
            members.push((name, offset, length));
        }
        let blocks = length.div_ceil(BLOCK_BYTES);
        position = blocks
            .checked_mul(BLOCK_BYTES)
            .and_then(|content| offset.checked_add(content))
            .unwrap_or(end);
    }
    Ok(members)
}

fn text(field: &[u8]) -> String {
    let end = field.iter().position(|&byte| byte == 0).unwrap_or(field.len());
    String::from_utf8_lossy(&field[..end]).into_owned()
}

fn octal(field: &[u8]) -> Option<u64> {
    let text = text(field);
    u64::from_str_radix(text.trim(), 8).ok()
}

impl Blob {
    /// All of it, where it is as small as manifests are.
    pub(crate) fn small_text(&self) -> Option<String> {
        let mut file = File::open(&self.archive).ok()?;
        file.seek(SeekFrom::Start(self.offset)).ok()?;
        let mut text = String::new();
        (self.length <= JSON_LIMIT_BYTES).then_some(())?;
        file.take(self.length).read_to_string(&mut text).ok()?;
        Some(text)
    }
}
