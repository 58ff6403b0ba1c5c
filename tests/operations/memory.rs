//! How much memory keelson takes to save, verify and unpack snapshots: no more for a large one than for a small one.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use age::x25519::Identity;
use async_trait::async_trait;
use flate2::Compression;
use flate2::write::GzEncoder;
use jiff::Timestamp;
use keelson::backup::{Archive, BackupManifest, Packing, StoredObject};
use keelson::execute::{Interrupt, ProviderSet, Silent};
use keelson::ops::{
    ApplyOptions, AutoApprove, RestoreSource, SaveRequest, Session, SessionParts, VerifyRequest, WhichBackup,
};
use keelson::pki::Seal;
use keelson::spec;
use keelson::store::DirectoryStore;
use keelson_provider_api::bulk::PIECE_BYTES;
use keelson_provider_api::values::Secret;
use keelson_provider_api::{
    ClusterIdentity, Defragmented, EtcdInstance, EtcdMaintenance, Progress, ProviderError, SnapshotContents,
    StepContext, WrittenSnapshot,
};
use keelson_provider_simulated::{MemoryStore, providers};
use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc::Sender;

use super::{backup_parts, block_on, world};

const LARGE_MEBIBYTES: usize = 96;
/// What pieces on their way, compression and encryption may take together.
const LIMIT_KIB: u64 = 24 << 10;

/// What a snapshot is made of: it packs badly, or to next to nothing.
#[derive(Debug, Clone, Copy)]
enum Made {
    OfNoise,
    OfZeros,
}

impl Made {
    /// The snapshot piece by piece, of so many MiB and the SHA-256 that etcd adds.
    fn pieces(self, mebibytes: usize) -> impl Iterator<Item = Vec<u8>> {
        let (mut state, mut hasher) = (0x9e37_79b9_7f4a_7c15_u64, Sha256::new());
        (0..=mebibytes).map(move |number| {
            if number == mebibytes {
                return hasher.clone().finalize().to_vec();
            }
            let mut piece = vec![0; PIECE_BYTES];
            if matches!(self, Self::OfNoise) {
                for bytes in piece.as_chunks_mut::<8>().0 {
                    state ^= state << 13;
                    state ^= state >> 7;
                    state ^= state << 17;
                    *bytes = state.to_le_bytes();
                }
            }
            hasher.update(&piece);
            piece
        })
    }
}

/// A member whose snapshots are as large as they are to be.
struct Member {
    made: Made,
    mebibytes: usize,
}

#[async_trait]
impl EtcdMaintenance for Member {
    async fn write_snapshot(
        &self,
        _: &ClusterIdentity,
        etcd: &'static EtcdInstance,
        _: &Progress<'_>,
    ) -> Result<WrittenSnapshot, ProviderError> {
        let (mut hasher, mut size_bytes) = (Sha256::new(), 0);
        for piece in self.made.pieces(self.mebibytes) {
            hasher.update(&piece);
            size_bytes += piece.len() as u64;
        }
        Ok(WrittenSnapshot {
            etcd_cluster: etcd.cluster.to_owned(),
            machine: "a".to_owned(),
            file: "file".to_owned(),
            etcd_version: "3.6.8".to_owned(),
            contents: SnapshotContents {
                hash: 1,
                revision: 9,
                total_keys: 4,
                total_bytes: size_bytes - 32,
                live: None,
            },
            size_bytes,
            sha256: hexadecimal(&hasher.finalize()),
        })
    }

    async fn read_snapshot(
        &self,
        _: &ClusterIdentity,
        _: &WrittenSnapshot,
        from: u64,
        pieces: Sender<Vec<u8>>,
    ) -> Result<(), ProviderError> {
        assert_eq!(from, 0, "no connection is lost");
        for piece in self.made.pieces(self.mebibytes) {
            if pieces.send(piece).await.is_err() {
                break;
            }
        }
        Ok(())
    }

    async fn discard_snapshot(&self, _: &ClusterIdentity, _: &WrittenSnapshot) -> Result<(), ProviderError> {
        Ok(())
    }

    async fn defragment(
        &self,
        _: &StepContext<'_>,
        _: &'static EtcdInstance,
        _: &str,
    ) -> Result<Defragmented, ProviderError> {
        unreachable!("nobody asks for that here")
    }

    async fn disarm_alarms(
        &self,
        _: &StepContext<'_>,
        _: &'static EtcdInstance,
    ) -> Result<Vec<String>, ProviderError> {
        unreachable!("nobody asks for that here")
    }
}

/// A cluster whose member has that much, and which keeps backups in `folder`.
async fn session(folder: &Path, seal: Seal, member: Member) -> Session {
    let text = "apiVersion: keelson.dev/v1alpha1\nkind: Cluster\nmetadata: { name: prod }\nspec:\n  \
                provider: { simulated: {} }\n";
    let spec = spec::load(text.as_bytes(), "test").unwrap();
    let world = world();
    let store = Arc::new(DirectoryStore::new(folder));
    let backups = backup_parts(
        Archive::of_cluster(store, spec.name(), Arc::new(seal)),
        Arc::new(member),
    );
    let all = ProviderSet::new(providers(&world)).unwrap();
    let session = Session::new(SessionParts {
        backups: Some(backups),
        ..SessionParts::simulated(spec, all, Arc::new(MemoryStore::new()), world.clock(), "test")
    });
    let (options, interrupt) = (ApplyOptions::default(), Interrupt::new());
    let applied = session.apply(&options, &AutoApprove, &Silent, &interrupt).await;
    applied.unwrap();
    session
}

/// What this process has in memory, in KiB: `VmRSS` now, `VmHWM` at most since that was last set back.
fn memory(which: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(which)).unwrap();
    let kib = line.trim_start_matches(':').trim_end_matches("kB").trim();
    kib.parse().unwrap()
}

/// By how many KiB the memory of this process rises while `work` goes on
/// (<https://docs.kernel.org/filesystems/proc.html>, `clear_refs`).
async fn rise<T>(what: &str, work: impl Future<Output = T>) -> T {
    fs::write("/proc/self/clear_refs", "5").unwrap();
    let before = memory("VmRSS");
    let done = work.await;
    let rise = memory("VmHWM").saturating_sub(before);
    assert!(
        rise < LIMIT_KIB,
        "{what}: {before} KiB before, {rise} KiB more at most"
    );
    done
}

#[test]
fn a_large_snapshot_is_saved_verified_and_unpacked_in_little_memory() {
    let key = Identity::generate();
    let sealed = || {
        use age::secrecy::ExposeSecret;
        let opens = Secret::new(key.to_string().expose_secret().to_owned());
        let seal = Seal::to_recipients(&[key.to_public().to_string()]).unwrap();
        seal.with_identities(&opens).unwrap()
    };
    for (made, seal) in [
        (Made::OfNoise, Seal::none()),
        (Made::OfNoise, sealed()),
        (Made::OfZeros, Seal::none()),
    ] {
        block_on(async {
            let (kept, work) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
            let member = Member {
                made,
                mebibytes: LARGE_MEBIBYTES,
            };
            let session = session(kept.path(), seal, member).await;
            let (request, progress) = (SaveRequest::default(), Progress::default());
            let saved = rise("save", session.save_backups(&request, &progress)).await;
            let manifest = &saved.unwrap()[0].manifest;
            let is_large = manifest.stored.size_bytes > (LARGE_MEBIBYTES << 20) as u64 / 2;
            assert_eq!(is_large, matches!(made, Made::OfNoise), "{manifest:?}");
            let verified = rise("verify", session.verify_backups(&VerifyRequest::All, None)).await;
            assert!(verified.unwrap().good);
            let source = RestoreSource::Backup {
                which: WhichBackup::Named(manifest.name.clone()),
                place: None,
            };
            let interrupt = Interrupt::new();
            let unpacking = session.unpack_snapshot(&source, work.path(), &interrupt);
            let unpacked = rise("unpack", unpacking).await;
            assert_eq!(unpacked.unwrap().sum.size_bytes, manifest.size_bytes);
        });
    }
}

/// As machines pack them.
#[test]
fn a_large_snapshot_of_a_machine_is_read_in_little_memory() {
    for made in [Made::OfNoise, Made::OfZeros] {
        block_on(async {
            let folder = tempfile::tempdir().unwrap();
            let plain = Member {
                made,
                mebibytes: LARGE_MEBIBYTES,
            };
            let etcd = &keelson_provider_api::etcd::MAIN;
            let identity = ClusterIdentity {
                name: "prod".parse().unwrap(),
                uid: None,
            };
            let progress = Progress::default();
            let written = plain.write_snapshot(&identity, etcd, &progress).await.unwrap();
            let manifest = packed(folder.path(), made, &written);
            let store = Arc::new(DirectoryStore::new(folder.path()));
            let archive = Archive::whole_store(store, Arc::new(Seal::none()));
            rise("verify", archive.verify(&manifest)).await.unwrap();
            rise("check", archive.check_object(&manifest)).await.unwrap();
        });
    }
}

fn hexadecimal(digest: &[u8]) -> String {
    digest.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Puts what was written into `folder`, packed by gzip.
fn packed(folder: &Path, made: Made, written: &WrittenSnapshot) -> BackupManifest {
    let name = keelson::backup::BackupName::of("main", Timestamp::UNIX_EPOCH, 9);
    let own = folder.join(name.as_str());
    fs::create_dir(&own).unwrap();
    let file = own.join("snapshot");
    let mut gzip = GzEncoder::new(File::create(&file).unwrap(), Compression::fast());
    for piece in made.pieces(LARGE_MEBIBYTES) {
        gzip.write_all(&piece).unwrap();
    }
    gzip.finish().unwrap();
    let object = fs::read(&file).unwrap();
    BackupManifest {
        form: BackupManifest::FORM,
        name,
        cluster_uid: keelson_provider_api::ClusterUid::new("uid"),
        cluster_name: "prod".parse().unwrap(),
        etcd_cluster: written.etcd_cluster.clone(),
        purpose: "schedule".to_owned(),
        taken_at: Timestamp::UNIX_EPOCH,
        machine: written.machine.clone(),
        etcd_version: written.etcd_version.clone(),
        kubernetes_version: None,
        authorities: std::collections::BTreeMap::new(),
        contents: written.contents,
        size_bytes: written.size_bytes,
        sha256: written.sha256.clone(),
        stored: StoredObject {
            size_bytes: object.len() as u64,
            sha256: hexadecimal(&Sha256::digest(&object)),
            packing: Packing::Gzip,
        },
    }
}
