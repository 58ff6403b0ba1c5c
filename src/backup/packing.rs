//! Packing a snapshot, piece by piece: compressed, then encrypted where keys are.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use super::error::BackupError;
use super::manifest::Packing;
use super::sum::{Sum, Summing};
use crate::pki::{Seal, SealingWriter};

/// zstd's own default: more takes longer than the rest of a save, and databases of etcd become only a little smaller.
const LEVEL: i32 = 3;

/// Packs a snapshot, piece by piece. What it holds in memory does not depend on the snapshot's size.
pub struct Packer {
    packing: Packing,
    plain: Summing,
    stored: Summing,
    outlet: Outlet,
    compressor: zstd::stream::write::Encoder<'static, SealingWriter<Outlet>>,
}

/// What became of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packed {
    /// The snapshot.
    pub plain: Sum,
    /// The object that it is kept in.
    pub stored: Sum,
    /// How it is packed in there.
    pub packing: Packing,
}

impl Packer {
    /// Packs a snapshot, encrypted as `seal` says.
    ///
    /// # Errors
    /// [`BackupError::Pki`] when what it takes to encrypt was not given.
    pub fn new(seal: &Seal) -> Result<Self, BackupError> {
        let outlet = Outlet::default();
        let writer = seal.writer(outlet.clone())?;
        let compressor = zstd::stream::write::Encoder::new(writer, LEVEL).map_err(failed)?;
        Ok(Self {
            packing: if seal.is_encrypting() {
                Packing::ZstdAge
            } else {
                Packing::Zstd
            },
            plain: Summing::default(),
            stored: Summing::default(),
            outlet,
            compressor,
        })
    }

    /// Takes the next `piece` of the snapshot, and gives what of the object is ready: often nothing.
    ///
    /// # Errors
    /// [`BackupError::Pack`].
    pub fn push(&mut self, piece: &[u8]) -> Result<Vec<u8>, BackupError> {
        self.plain.add(piece);
        self.compressor.write_all(piece).map_err(failed)?;
        let ready = self.outlet.take();
        self.stored.add(&ready);
        Ok(ready)
    }

    /// Ends the snapshot, and gives the rest of the object.
    ///
    /// # Errors
    /// [`BackupError::Pack`].
    pub fn finish(mut self) -> Result<(Vec<u8>, Packed), BackupError> {
        let writer = self.compressor.finish().map_err(failed)?;
        writer.finish().map_err(failed)?;
        let rest = self.outlet.take();
        self.stored.add(&rest);
        let packed = Packed {
            plain: self.plain.sum(),
            stored: self.stored.sum(),
            packing: self.packing,
        };
        Ok((rest, packed))
    }
}

fn failed(source: io::Error) -> BackupError {
    BackupError::Pack { source }
}

/// Where what is packed comes out: the writers around it give their own output to nobody while they are in use.
#[derive(Clone, Default)]
struct Outlet(Arc<Mutex<Vec<u8>>>);

impl Outlet {
    fn take(&self) -> Vec<u8> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Write for Outlet {
    fn write(&mut self, content: &[u8]) -> io::Result<usize> {
        let mut ready = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        ready.extend_from_slice(content);
        Ok(content.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
