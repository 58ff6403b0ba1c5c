//! Reading a written snapshot to its end, over connections that are lost on the way.

use std::time::Duration;

use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc::{self, Receiver, Sender};

use super::{EtcdMaintenance, WrittenSnapshot};
use crate::clock::Clock;
use crate::identity::ClusterIdentity;
use crate::provider::{ErrorClass, ProviderError};
use crate::values::Digest;

/// So often it is read on after an error that may pass.
const RESUMPTIONS_LIMIT: u32 = 10;
/// The pause after the first error in a row; each one after it is twice as long. Together they are longer than a machine takes
/// to boot, and far shorter than the time after which nobody is taken to read any more.
const PAUSE: Duration = Duration::from_secs(2);
const PAUSE_LIMIT: Duration = Duration::from_secs(30);

/// Sends the whole file of `snapshot` to `pieces`, and compares what came with what was written: its size and its SHA-256.
/// Where a connection is lost it is read on from there, up to ten times. Nothing may be made of what came before this has ended
/// well.
///
/// Whoever does not want the rest drops the other end; then nothing is compared.
///
/// # Errors
/// What [`EtcdMaintenance::read_snapshot`] says, when that does not pass; a permanent one when what came differs from what was
/// written.
pub async fn read_whole(
    maintenance: &dyn EtcdMaintenance,
    clock: &dyn Clock,
    cluster: &ClusterIdentity,
    snapshot: &WrittenSnapshot,
    pieces: Sender<Vec<u8>>,
) -> Result<(), ProviderError> {
    let mut passed = Passed::default();
    let mut pause = PAUSE;
    for resumptions in 0.. {
        let from = passed.bytes;
        let (sender, receiver) = mpsc::channel(1);
        let reading = maintenance.read_snapshot(cluster, snapshot, from, sender);
        let (ended, ()) = tokio::join!(reading, passed.pass_on(receiver, &pieces, snapshot.size_bytes));
        if pieces.is_closed() && passed.bytes < snapshot.size_bytes {
            return Ok(());
        }
        match ended {
            Ok(()) => break,
            Err(error) if !error.class.may_pass() || resumptions >= RESUMPTIONS_LIMIT => return Err(error),
            Err(_) => {
                if passed.bytes > from {
                    pause = PAUSE;
                }
                tokio::select! {
                    () = clock.sleep(pause) => {}
                    () = pieces.closed() => {}
                }
                pause = pause.saturating_mul(2).min(PAUSE_LIMIT);
            }
        }
    }
    passed.compare(snapshot)
}

/// What has come so far.
#[derive(Default)]
struct Passed {
    bytes: u64,
    hash: Sha256,
}

impl Passed {
    /// Passes on what comes; with more than `size` bytes it is not the snapshot, and nothing more is wanted.
    async fn pass_on(&mut self, mut from: Receiver<Vec<u8>>, to: &Sender<Vec<u8>>, size: u64) {
        while self.bytes <= size
            && let Some(piece) = from.recv().await
        {
            self.hash.update(&piece);
            self.bytes = self.bytes.saturating_add(piece.len() as u64);
            if to.send(piece).await.is_err() {
                return;
            }
        }
    }

    fn compare(self, snapshot: &WrittenSnapshot) -> Result<(), ProviderError> {
        let sha256 = Digest::from_bytes(self.hash.finalize().into()).hexadecimal();
        if self.bytes == snapshot.size_bytes && sha256 == snapshot.sha256 {
            return Ok(());
        }
        let machine = &snapshot.machine;
        let message = format!(
            "the snapshot {} that came from {machine} is not what was written there: {} bytes with the SHA-256 {sha256}, and \
             not {} with {}",
            snapshot.file, self.bytes, snapshot.size_bytes, snapshot.sha256
        );
        Err(
            ProviderError::new(ErrorClass::Permanent, message).with_help(format!(
                "write another one, and see how the disk of {machine} is: dmesg"
            )),
        )
    }
}

#[cfg(test)]
mod tests;
