//! Backups of etcd: packed and unpacked, damaged, kept in directories, pruned.

mod archive;
mod damage;
mod directory;
mod pruning;
mod scheduled;

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use age::secrecy::ExposeSecret;
use age::x25519::Identity;
use jiff::Timestamp;
use keelson::backup::{Archive, BackupError, BackupManifest, BackupName, Packed, StoredObject, Sum};
use keelson::pki::Seal;
use keelson_provider_api::values::{ClusterName, Digest, Secret};
use keelson_provider_api::{BulkStore, ClusterUid, SnapshotContents};
use keelson_provider_simulated::MemoryStore;
use tokio::sync::mpsc;

static KEY: LazyLock<Identity> = LazyLock::new(Identity::generate);

fn cluster() -> ClusterName {
    "prod".parse().unwrap()
}

fn archive_in(store: Arc<dyn BulkStore>, seal: Seal) -> Archive {
    Archive::of_cluster(store, &cluster(), Arc::new(seal))
}

fn archive() -> Archive {
    archive_in(Arc::new(MemoryStore::new()), Seal::none())
}

/// Bytes that look like a snapshot: `length` bytes that compress badly, and their SHA-256 as etcd adds it.
fn snapshot(length: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes: Vec<u8> = (0..length)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()[7]
        })
        .collect();
    bytes.extend(Digest::of_bytes(&bytes).bytes());
    bytes
}

fn sum(bytes: &[u8]) -> Sum {
    Sum {
        size_bytes: bytes.len() as u64,
        sha256: Digest::of_bytes(bytes).hexadecimal(),
    }
}

async fn keep(
    archive: &Archive,
    name: &BackupName,
    bytes: &[u8],
    expected: &Sum,
) -> Result<Packed, BackupError> {
    let (sender, mut receiver) = mpsc::channel(1);
    let pieces: Vec<Vec<u8>> = bytes.chunks(70_000).map(<[u8]>::to_vec).collect();
    let sending = async move {
        for piece in pieces {
            if sender.send(piece).await.is_err() {
                break;
            }
        }
    };
    let ((), kept) = tokio::join!(sending, async {
        let kept = archive.keep(name, expected, &mut receiver).await;
        drop(receiver);
        kept
    });
    kept
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn manifest(etcd: &str, taken_at: Timestamp, revision: u64, packed: Packed) -> BackupManifest {
    BackupManifest {
        form: BackupManifest::FORM,
        name: BackupName::of(etcd, taken_at, revision),
        cluster_uid: ClusterUid::new("uid"),
        cluster_name: cluster(),
        etcd_cluster: etcd.to_owned(),
        purpose: "by hand".to_owned(),
        taken_at,
        machine: "a".to_owned(),
        etcd_version: "3.6.8".to_owned(),
        kubernetes_version: None,
        authorities: BTreeMap::new(),
        contents: SnapshotContents {
            hash: 7,
            revision,
            total_keys: 3,
            total_bytes: packed.plain.size_bytes,
            live: None,
        },
        size_bytes: packed.plain.size_bytes,
        sha256: packed.plain.sha256,
        stored: StoredObject {
            size_bytes: packed.stored.size_bytes,
            sha256: packed.stored.sha256,
            packing: packed.packing,
        },
    }
}

/// Saves `bytes` as a backup of `main`.
async fn save(archive: &Archive, taken_at: Timestamp, revision: u64, bytes: &[u8]) -> BackupManifest {
    let name = BackupName::of("main", taken_at, revision);
    let packed = keep(archive, &name, bytes, &sum(bytes)).await.unwrap();
    let manifest = manifest("main", taken_at, revision, packed);
    archive.count(&manifest).await.unwrap();
    manifest
}

async fn unpacked(archive: &Archive, manifest: &BackupManifest) -> Result<Vec<u8>, BackupError> {
    let mut unpacker = archive.open(manifest).await?;
    let mut bytes = Vec::new();
    while let Some(piece) = unpacker.next().await? {
        bytes.extend(piece);
    }
    Ok(bytes)
}

fn to_recipient() -> Seal {
    Seal::to_recipients(&[KEY.to_public().to_string()]).unwrap()
}

/// The text of an identity file that opens what is encrypted to the recipient.
fn identities() -> Secret<String> {
    Secret::new(KEY.to_string().expose_secret().to_owned())
}

fn with_key() -> Seal {
    to_recipient().with_identities(&identities()).unwrap()
}
