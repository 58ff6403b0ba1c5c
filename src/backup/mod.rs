//! Backups of etcd: what is written down about one, how one is packed, where they are kept, which of them stay.
//!
//! ```text
//!  a snapshot's bytes --Packer--> zstd --> age (where keys are encrypted) --> <cluster>/backups/etcd/<name>/snapshot
//!                        |                                        |
//!                        +-- SHA-256 of the file                  +-- SHA-256 of the object
//!                                     \                          /
//!                                      manifest.json, written last: it makes a backup of what lies there
//! ```
//!
//! Machines keep some for themselves, compressed by gzip and not encrypted (`templates/etcd/`); those are read here like others.
//!
//! A snapshot without a manifest is no backup, and a manifest whose snapshot is not there, or has another size, is a damaged
//! one. What the place does not show is neither: nobody knows it. Nothing here knows how a snapshot is taken, or what it is
//! restored to.

mod archive;
mod decoding;
mod error;
mod keep;
mod manifest;
mod packing;
mod prune;
mod scratch;
mod state;
mod sum;
mod unpacking;

pub use archive::Archive;
pub use error::BackupError;
pub use keep::{KeepReason, KeepRules};
pub use manifest::{BackupManifest, BackupName, Packing, StoredObject};
pub use packing::{Packed, Packer};
pub use prune::{Line, PrunePlan, Pruned, line_of};
pub use scratch::{Scratch, begin_part};
pub use state::{Backup, BackupState, UNFINISHED};
pub use sum::{Sum, check_snapshot};
pub use unpacking::Unpacker;
