//! A file of this machine in parts, as it is carried to a host: one that was interrupted goes on where it was, and none is in
//! memory as a whole.

use std::io::{self, SeekFrom};
use std::path::Path;
use std::time::Duration;

use keelson_provider_api::{ErrorClass, ProviderError};
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncSeekExt};

/// What a host does for each part beside taking it in takes as long as 20 MiB on a fast network. What is cut off is sent again, and of
/// many hosts that are sent files at once each has a part in memory here.
const PART_BYTES: u64 = 16 << 20;
/// How long a host may take for a part: that needs 0.3 Mbit/s.
pub(crate) const PART_LIMIT: Duration = Duration::from_secs(480);

/// So often a file is sent that comes torn or damaged.
const SENDINGS_LIMIT: u32 = 3;

/// A part of a file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Part {
    /// How many bytes of the file come before it.
    pub(crate) from: u64,
    pub(crate) bytes: Vec<u8>,
    pub(crate) is_last: bool,
}

/// The parts of a file that is as large as it was when it was opened.
#[derive(Debug)]
pub(crate) struct FileParts {
    file: File,
    size: u64,
    from: u64,
    is_over: bool,
}

impl FileParts {
    /// Those behind the first `from` bytes; all where the file is shorter.
    pub(crate) async fn open(path: &Path, from: u64) -> io::Result<Self> {
        let mut file = File::open(path).await?;
        let size = file.metadata().await?.len();
        let from = if from <= size { from } else { 0 };
        file.seek(SeekFrom::Start(from)).await?;
        Ok(Self {
            file,
            size,
            from,
            is_over: false,
        })
    }

    /// The size of the file in bytes.
    pub(crate) const fn size(&self) -> u64 {
        self.size
    }

    /// The next part. The last one has no bytes where nothing is left from the beginning on.
    pub(crate) async fn next(&mut self) -> io::Result<Option<Part>> {
        if self.is_over {
            return Ok(None);
        }
        let left = self.size.saturating_sub(self.from);
        let mut bytes = Vec::new();
        (&mut self.file)
            .take(left.min(PART_BYTES))
            .read_to_end(&mut bytes)
            .await?;
        let count = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        if count < left.min(PART_BYTES) {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "it has become shorter while it was read",
            ));
        }
        let from = self.from;
        self.from = from.saturating_add(count);
        self.is_over = self.from >= self.size;
        Ok(Some(Part {
            from,
            bytes,
            is_last: self.is_over,
        }))
    }
}

/// How often a file came torn or damaged and was taken away, so that all of it had to be sent again. What is only cut off goes on
/// where it was, and is not counted.
#[derive(Debug, Default)]
pub(crate) struct Sendings {
    torn: u32,
}

impl Sendings {
    /// Lets it be sent again after `error`.
    ///
    /// # Errors
    /// `error` as one that stays, when it came so again and again: nobody is to send it on and on.
    pub(crate) fn again(&mut self, error: &ProviderError) -> Result<(), ProviderError> {
        self.torn += 1;
        if self.torn < SENDINGS_LIMIT {
            return Ok(());
        }
        let message = format!("{} ({SENDINGS_LIMIT} times)", error.message);
        Err(ProviderError::new(ErrorClass::Permanent, message)
            .with_help("see how the network on the way and the disk there are, then run the command again"))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// The beginning and the size of a part, and whether it is the last.
    type Seen = (u64, usize, bool);

    async fn parts(path: &Path, from: u64) -> Vec<Seen> {
        let mut file = FileParts::open(path, from).await.unwrap();
        let mut parts = Vec::new();
        while let Some(part) = file.next().await.unwrap() {
            parts.push((part.from, part.bytes.len(), part.is_last));
        }
        parts
    }

    #[tokio::test]
    async fn a_file_comes_whole_wherever_it_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let one = usize::try_from(PART_BYTES).unwrap();
        let rows: [(usize, u64, &[Seen]); 7] = [
            (0, 0, &[(0, 0, true)]),
            (0, 1, &[(0, 0, true)]),
            (3, 0, &[(0, 3, true)]),
            (3, 3, &[(3, 0, true)]),
            (3, 4, &[(0, 3, true)]),
            (one, 0, &[(0, one, true)]),
            (one + 2, 1, &[(1, one, false), (1 + PART_BYTES, 1, true)]),
        ];
        for (size, from, expected) in rows {
            fs::write(&path, vec![7; size]).unwrap();
            assert_eq!(parts(&path, from).await, expected, "{size} {from}");
        }
    }

    #[test]
    fn what_comes_torn_again_and_again_is_not_sent_for_ever() {
        let torn = || ProviderError::new(ErrorClass::Transient, "a: it was damaged");
        let mut sendings = Sendings::default();
        for _ in 1..SENDINGS_LIMIT {
            sendings.again(&torn()).unwrap();
        }
        let error = sendings.again(&torn()).unwrap_err();
        assert_eq!(error.class, ErrorClass::Permanent);
        assert_eq!(error.message, "a: it was damaged (3 times)");
    }

    #[tokio::test]
    async fn a_file_that_becomes_shorter_or_longer_is_not_taken_for_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, "abc").unwrap();
        let mut file = FileParts::open(&path, 0).await.unwrap();
        fs::write(&path, "a").unwrap();
        assert_eq!(
            file.next().await.unwrap_err().kind(),
            io::ErrorKind::UnexpectedEof
        );
        let mut file = FileParts::open(&path, 0).await.unwrap();
        fs::write(&path, "abc").unwrap();
        assert_eq!(file.next().await.unwrap().unwrap().bytes, b"a");
        assert_eq!(file.next().await.unwrap(), None);
    }
}
