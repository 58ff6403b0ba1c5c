//! Carrying assets to a host, and making sure that they are what was planned.

use std::fmt::Write as _;
use std::path::Path;

use keelson_provider_api::values::Digest;
use keelson_provider_api::{ErrorClass, Outcome, ProviderError, StepContext};
use sha2::{Digest as _, Sha256};
use tokio::fs::File;
use tokio::io::AsyncReadExt;

use crate::exit_status;
use crate::fence::{failure, let_in};
use crate::file_parts::{FileParts, PART_LIMIT, Sendings};
use crate::shell::{Job, Shell};

const PART: &str = concat!(
    include_str!("../scripts/alone.sh"),
    include_str!("../scripts/sha256.sh"),
    include_str!("../scripts/asset-part.sh")
);

/// A file to carry, of which the host has the first `there` bytes.
pub(crate) struct Upload<'a> {
    pub(crate) name: &'a str,
    pub(crate) sha256: Digest,
    pub(crate) path: &'a Path,
    pub(crate) there: u64,
}

/// How the sending of a file has ended.
enum Sent {
    Whole,
    /// It came torn or damaged, and was taken away.
    Torn(ProviderError),
}

impl Upload<'_> {
    /// Carries it. The digest is computed here before anything is sent, and by the host when all has come; what came torn or damaged
    /// is sent again.
    pub(crate) async fn carry(&self, shell: &dyn Shell, context: &StepContext<'_>) -> Result<(), Outcome> {
        let size = self.check().await.map_err(Outcome::Rejected)?;
        let mebibytes = size.div_ceil(1 << 20);
        let mut there = self.there;
        let mut sendings = Sendings::default();
        loop {
            context
                .progress
                .tell(&format!("upload {} ({mebibytes} MiB)", self.name));
            match self.send(shell, context, there).await? {
                Sent::Whole => return Ok(()),
                Sent::Torn(error) => sendings.again(&error).map_err(Outcome::Rejected)?,
            }
            there = 0;
        }
    }

    /// Sends it once, without its first `there` bytes.
    async fn send(&self, shell: &dyn Shell, context: &StepContext<'_>, there: u64) -> Result<Sent, Outcome> {
        let unreadable = |error: std::io::Error| Outcome::Rejected(self.unreadable(&error));
        let mut parts = FileParts::open(self.path, there).await.map_err(unreadable)?;
        while let Some(part) = parts.next().await.map_err(unreadable)? {
            let job = Job {
                name: "upload an asset",
                script: PART,
                arguments: vec![
                    self.sha256.hexadecimal(),
                    part.from.to_string(),
                    if part.is_last { "last" } else { "more" }.to_owned(),
                ],
                input: part.bytes,
                timeout: PART_LIMIT,
            };
            let name = job.name;
            let output = let_in(shell, context, job).await?;
            match output.status {
                0 => {}
                exit_status::ANEW => return Ok(Sent::Torn(failure(shell.host(), name, &output))),
                _ => return Err(Outcome::Rejected(failure(shell.host(), name, &output))),
            }
        }
        Ok(Sent::Whole)
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
