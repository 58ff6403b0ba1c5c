//! Carrying assets to a host: in parts, so that one that was interrupted goes on where it was, and none is in memory as a
//! whole.

use std::fmt::Write as _;
use std::io::SeekFrom;
use std::path::Path;
use std::time::Duration;

use keelson_provider_api::values::Digest;
use keelson_provider_api::{ErrorClass, Outcome, ProviderError, StepContext};
use sha2::{Digest as _, Sha256};
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncSeekExt};

use crate::fence::run_fenced;
use crate::shell::{Job, Shell};

const PART: &str = include_str!("../scripts/asset-part.sh");
const PART_BYTES: u64 = 8 << 20;
/// A part in this time needs 0.3 Mbit/s.
const PART_TIMEOUT: Duration = Duration::from_secs(240);

/// A file to carry, of which the host has the first `there` bytes.
pub(crate) struct Upload<'a> {
    pub(crate) name: &'a str,
    pub(crate) sha256: Digest,
    pub(crate) path: &'a Path,
    pub(crate) there: u64,
}

impl Upload<'_> {
    /// Carries it. The digest is computed here before anything is sent, and by the host when all has come.
    pub(crate) async fn carry(&self, shell: &dyn Shell, context: &StepContext<'_>) -> Result<(), Outcome> {
        let size = self.check().await.map_err(Outcome::Rejected)?;
        let mebibytes = size.div_ceil(1 << 20);
        context
            .progress
            .tell(&format!("upload {} ({mebibytes} MiB)", self.name));
        let mut sent = if self.there <= size { self.there } else { 0 };
        loop {
            let part = self
                .part(sent)
                .await
                .map_err(|error| Outcome::Rejected(self.unreadable(&error)))?;
            let count = u64::try_from(part.len()).unwrap_or(u64::MAX);
            let is_last = sent.saturating_add(count) >= size;
            let job = Job {
                name: "upload an asset",
                script: PART,
                arguments: vec![
                    self.sha256.hexadecimal(),
                    sent.to_string(),
                    if is_last { "last" } else { "more" }.to_owned(),
                ],
                input: part,
                timeout: PART_TIMEOUT,
            };
            run_fenced(shell, context, job).await?;
            if is_last {
                return Ok(());
            }
            sent = sent.saturating_add(count);
        }
    }

    async fn part(&self, from: u64) -> std::io::Result<Vec<u8>> {
        let mut file = File::open(self.path).await?;
        file.seek(SeekFrom::Start(from)).await?;
        let mut part = Vec::new();
        file.take(PART_BYTES).read_to_end(&mut part).await?;
        Ok(part)
    }

    /// The file's size, if it is what it should be.
    async fn check(&self) -> Result<u64, ProviderError> {
        let (digest, size) = digest(self.path).await.map_err(|error| self.unreadable(&error))?;
        if digest == self.sha256.hexadecimal() {
            return Ok(size);
        }
        let path = self.path.display();
        let message = format!(
            "{path} is not the {} that was planned: its SHA-256 is {digest}",
            self.name
        );
        Err(ProviderError::new(ErrorClass::Permanent, message)
            .with_help("fetch the file again, then plan again: keelson assets copy"))
    }

    fn unreadable(&self, error: &std::io::Error) -> ProviderError {
        let message = format!(
            "{} cannot be read from {}: {error}",
            self.name,
            self.path.display()
        );
        ProviderError::new(ErrorClass::Permanent, message).with_help("check assets.files in the spec")
    }
}

async fn digest(path: &Path) -> std::io::Result<(String, u64)> {
    let mut file = File::open(path).await?;
    let mut hasher = Sha256::new();
    let mut chunk = vec![0; 1 << 20];
    let mut size = 0_u64;
    loop {
        let count = file.read(&mut chunk).await?;
        let Some(read @ [_, ..]) = chunk.get(..count) else {
            break;
        };
        hasher.update(read);
        size = size.saturating_add(u64::try_from(count).unwrap_or(0));
    }
    let mut digits = String::with_capacity(64);
    for byte in hasher.finalize() {
        // Writing to a string does not fail.
        write!(digits, "{byte:02x}").ok();
    }
    Ok((digits, size))
}
