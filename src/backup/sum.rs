//! Adding up what passes by, and comparing it with what it should be.

use std::io::{self, Read};

use keelson_provider_api::bulk::PIECE_BYTES;
use sha2::{Digest as _, Sha256};

/// etcd adds the SHA-256 of its database to a snapshot (`snapshotStore.save` in etcd's server/etcdserver).
const OWN_SUM_BYTES: usize = 32;

/// The length and the digest of something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sum {
    /// Its size in bytes.
    pub size_bytes: u64,
    /// Its SHA-256 in hexadecimal.
    pub sha256: String,
}

impl Sum {
    /// How what `is` there differs from what this says, in words.
    pub(super) fn mismatch(&self, is: &Self, what: &str) -> String {
        if is.size_bytes == self.size_bytes {
            format!("the SHA-256 of {what} is {}, and was {}", is.sha256, self.sha256)
        } else {
            format!("{what} has {} bytes, and had {}", is.size_bytes, self.size_bytes)
        }
    }
}

/// Adds up a [`Sum`].
#[derive(Default)]
pub(super) struct Summing {
    hasher: Sha256,
    size_bytes: u64,
}

impl Summing {
    pub(super) fn add(&mut self, piece: &[u8]) {
        self.hasher.update(piece);
        self.size_bytes = self.size_bytes.saturating_add(piece.len() as u64);
    }

    pub(super) fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    pub(super) fn sum(self) -> Sum {
        Sum {
            size_bytes: self.size_bytes,
            sha256: hexadecimal(&self.hasher.finalize()),
        }
    }
}

fn hexadecimal(digest: &[u8]) -> String {
    use std::fmt::Write as _;
    digest.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Compares the sum that etcd added to a snapshot with that of its database.
#[derive(Default)]
pub(super) struct OwnSum {
    hasher: Sha256,
    /// The last bytes, which may be etcd's sum.
    held: Vec<u8>,
}

impl OwnSum {
    pub(super) fn add(&mut self, piece: &[u8]) {
        self.held.extend_from_slice(piece);
        let database = self.held.len().saturating_sub(OWN_SUM_BYTES);
        self.hasher.update(self.held.get(..database).unwrap_or_default());
        self.held.drain(..database);
    }

    pub(super) fn mismatch(self) -> Option<String> {
        let is = self.hasher.finalize();
        (self.held != is[..]).then(|| {
            format!(
                "the SHA-256 of its database is {}, and etcd said {}",
                hexadecimal(&is),
                hexadecimal(&self.held)
            )
        })
    }
}

/// Reads a snapshot to its end, as etcd takes it, and compares it with the sum that etcd added to it.
///
/// # Errors
/// When it cannot be read, or is no whole snapshot: [`InvalidData`](io::ErrorKind::InvalidData).
pub async fn check_snapshot(mut snapshot: impl Read) -> io::Result<Sum> {
    let (mut summing, mut own) = (Summing::default(), OwnSum::default());
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        // So that it can be stopped.
        tokio::task::yield_now().await;
        match snapshot.read(&mut piece) {
            Ok(0) => break,
            Ok(count) => {
                let read = piece.get(..count).unwrap_or_default();
                summing.add(read);
                own.add(read);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    match own.mismatch() {
        Some(problem) => Err(io::Error::new(io::ErrorKind::InvalidData, problem)),
        None => Ok(summing.sum()),
    }
}
