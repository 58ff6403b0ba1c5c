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

/// Adds up a snapshot, and compares the sum that etcd added to it with that of its database. Both come of one pass: of gigabytes a
/// second one is felt.
#[derive(Default)]
pub(super) struct SnapshotSumming {
    /// Without its last bytes.
    database: Summing,
    /// The last bytes, which may be etcd's sum.
    held: Vec<u8>,
}

impl SnapshotSumming {
    pub(super) fn add(&mut self, piece: &[u8]) {
        let passed = (self.held.len() + piece.len()).saturating_sub(OWN_SUM_BYTES);
        let passed_of_held = passed.min(self.held.len());
        let held: Vec<u8> = self.held.drain(..passed_of_held).collect();
        self.database.add(&held);
        let (passed_of_piece, stays) = piece.split_at(passed - passed_of_held);
        self.database.add(passed_of_piece);
        self.held.extend_from_slice(stays);
    }

    pub(super) fn size_bytes(&self) -> u64 {
        self.database.size_bytes() + self.held.len() as u64
    }

    /// The sum of all of it, and how etcd's own differs, if it does.
    pub(super) fn end(mut self) -> (Sum, Option<String>) {
        let is = self.database.hasher.clone().finalize();
        let problem = (self.held != is[..]).then(|| {
            format!(
                "its last 32 bytes are not the SHA-256 of those before them, which etcd adds: they are {}, and that is {}",
                hexadecimal(&self.held),
                hexadecimal(&is)
            )
        });
        self.database.add(&self.held);
        (self.database.sum(), problem)
    }
}

/// Reads a snapshot to its end, as etcd takes it, and compares it with the sum that etcd added to it.
///
/// # Errors
/// When it cannot be read, or is no whole snapshot: [`InvalidData`](io::ErrorKind::InvalidData).
pub async fn check_snapshot(mut snapshot: impl Read) -> io::Result<Sum> {
    let mut summing = SnapshotSumming::default();
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        // So that it can be stopped.
        tokio::task::yield_now().await;
        match snapshot.read(&mut piece) {
            Ok(0) => break,
            Ok(count) => summing.add(piece.get(..count).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    match summing.end() {
        (_, Some(problem)) => Err(io::Error::new(io::ErrorKind::InvalidData, problem)),
        (sum, None) => Ok(sum),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sums_come_of_one_pass_however_the_snapshot_is_cut() {
        let database: Vec<u8> = (0..200_u8).collect();
        let own = Sha256::digest(&database);
        let whole = [&database[..], &own[..]].concat();
        let altered = {
            let mut altered = whole.clone();
            altered[7] ^= 1;
            altered
        };
        for (snapshot, is_good) in [
            (&whole, true),
            (&altered, false),
            (&database, false),
            (&Vec::new(), false),
        ] {
            let expected = {
                let mut summing = Summing::default();
                summing.add(snapshot);
                summing.sum()
            };
            for piece in [1, 31, 32, 33, 64, 1000] {
                let mut summing = SnapshotSumming::default();
                for piece in snapshot.chunks(piece) {
                    summing.add(piece);
                }
                assert_eq!(summing.size_bytes(), snapshot.len() as u64);
                let (sum, problem) = summing.end();
                assert_eq!(sum, expected, "{piece}");
                assert_eq!(problem.is_none(), is_good, "{piece}: {problem:?}");
            }
        }
    }
}
