//! Carrying files to a host, and making sure that they are what was planned: assets, and snapshots of etcd.

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

/// What is said of a file on its way.
struct Words {
    /// What the host does.
    job: &'static str,
    /// What the file was when its digest was taken.
    known: &'static str,
    /// What to do about one that is another than it was.
    altered: &'static str,
    /// What to do about one that cannot be read.
    unreadable: &'static str,
}

const OF_A_FILE: Words = Words {
    job: "upload a file",
    known: "read before",
    altered: "it has changed since it was read: leave it as it is meanwhile, and run the command again",
    unreadable: "see that it is there and can be read, then run the command again",
};
const OF_AN_ASSET: Words = Words {
    job: "upload an asset",
    known: "planned",
    altered: "fetch the file again, then plan again: keelson assets copy",
    unreadable: "check assets.files in the spec",
};

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
        self.carry_as(&OF_A_FILE, shell, context).await
    }

    /// The same of a file of a release: where it cannot be carried, that tells where such files come from.
    pub(crate) async fn carry_asset(
        &self,
        shell: &dyn Shell,
        context: &StepContext<'_>,
    ) -> Result<(), Outcome> {
        self.carry_as(&OF_AN_ASSET, shell, context).await
    }

    async fn carry_as(
        &self,
        words: &Words,
        shell: &dyn Shell,
        context: &StepContext<'_>,
    ) -> Result<(), Outcome> {
        let size = self.check(words).await.map_err(Outcome::Rejected)?;
        let mebibytes = size.div_ceil(1 << 20);
        let mut there = self.there;
        let mut sendings = Sendings::default();
        loop {
            context
                .progress
                .tell(&format!("upload {} ({mebibytes} MiB)", self.name));
            match self.send(words, shell, context, there).await? {
                Sent::Whole => return Ok(()),
                Sent::Torn(error) => sendings.again(&error).map_err(Outcome::Rejected)?,
            }
            there = 0;
        }
    }

    /// Sends it once, without its first `there` bytes.
    async fn send(
        &self,
        words: &Words,
        shell: &dyn Shell,
        context: &StepContext<'_>,
        there: u64,
    ) -> Result<Sent, Outcome> {
        let unreadable = |error: std::io::Error| Outcome::Rejected(self.unreadable(words, &error));
        let mut parts = FileParts::open(self.path, there).await.map_err(unreadable)?;
        while let Some(part) = parts.next().await.map_err(unreadable)? {
            let job = Job {
                name: words.job,
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
    async fn check(&self, words: &Words) -> Result<u64, ProviderError> {
        let unreadable = |error| self.unreadable(words, &error);
        let (digest, size) = digest(self.path).await.map_err(unreadable)?;
        if digest == self.sha256.hexadecimal() {
            return Ok(size);
        }
        let path = self.path.display();
        let message = format!(
            "{path} is not the {} that was {}: its SHA-256 is {digest}",
            self.name, words.known
        );
        Err(ProviderError::new(ErrorClass::Permanent, message).with_help(words.altered))
    }

    fn unreadable(&self, words: &Words, error: &std::io::Error) -> ProviderError {
        let message = format!(
            "{} cannot be read from {}: {error}",
            self.name,
            self.path.display()
        );
        ProviderError::new(ErrorClass::Permanent, message).with_help(words.unreadable)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_to_do_about_a_file_is_about_that_file() {
        let folder = tempfile::tempdir().unwrap();
        let (there, missing) = (folder.path().join("there"), folder.path().join("missing"));
        std::fs::write(&there, "other").unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let rows: [(&Words, &Path, &str, &str, bool); 4] = [
            (
                &OF_AN_ASSET,
                &there,
                "is not the etcd that was planned",
                "keelson assets copy",
                true,
            ),
            (
                &OF_AN_ASSET,
                &missing,
                "etcd cannot be read",
                "assets.files",
                true,
            ),
            (
                &OF_A_FILE,
                &there,
                "is not the etcd that was read before",
                "has changed since",
                false,
            ),
            (
                &OF_A_FILE,
                &missing,
                "etcd cannot be read",
                "see that it is there",
                false,
            ),
        ];
        for (words, path, problem, help, is_of_assets) in rows {
            let upload = Upload {
                name: "etcd",
                sha256: Digest::of_bytes(b"what was read"),
                path,
                there: 0,
            };
            let error = runtime.block_on(upload.check(words)).unwrap_err();
            assert!(error.message.contains(problem), "{error:?}");
            let told = error.help.unwrap_or_default();
            assert!(told.contains(help), "{told}");
            assert_eq!(told.contains("assets"), is_of_assets, "{told}");
        }
    }
}
