//! Whatever happens to what is kept, it is never taken for what was saved.

use std::sync::Arc;

use keelson::backup::{Archive, BackupError, BackupManifest, BackupState};
use keelson::pki::Seal;
use keelson_provider_api::{Precondition, Store};
use keelson_provider_simulated::MemoryStore;

use super::{archive_in, at, save, snapshot, to_recipient, with_key};

struct Kept {
    store: Arc<MemoryStore>,
    archive: Archive,
    manifest: BackupManifest,
    object: Vec<u8>,
}

impl Kept {
    async fn new(seal: Seal) -> Self {
        let store = Arc::new(MemoryStore::new());
        let archive = archive_in(store.clone(), seal);
        let manifest = save(&archive, at("2026-11-28T00:00:00Z"), 9, &snapshot(150_000, 3)).await;
        let object = store
            .read(&Self::path("snapshot"))
            .await
            .unwrap()
            .unwrap()
            .content;
        Self {
            store,
            archive,
            manifest,
            object,
        }
    }

    fn path(object: &str) -> String {
        format!("prod/backups/etcd/20261128T000000Z-9/{object}")
    }

    async fn put(&self, object: &str, content: &[u8]) {
        self.store
            .write(&Self::path(object), content, Precondition::None)
            .await
            .unwrap();
    }

    /// What is said about the object in the place of the one that was kept.
    async fn said(&self, object: &[u8]) -> String {
        self.put("snapshot", object).await;
        let verified = self.archive.verify(&self.manifest).await;
        let checked = self.archive.check_object(&self.manifest).await;
        assert!(matches!(checked, Err(BackupError::Damaged { .. })), "{checked:?}");
        match verified {
            Err(BackupError::Damaged { problem, .. }) => problem,
            // What is damaged where age keeps the wrapped key looks like a file for somebody else.
            Err(BackupError::Pki(error)) if self.manifest.stored.packing.is_encrypted() => error.to_string(),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_flipped_bit_anywhere_is_seen() {
    for seal in [Seal::none, with_key] {
        let kept = Kept::new(seal()).await;
        for position in (0..kept.object.len()).step_by(kept.object.len() / 97) {
            let mut flipped = kept.object.clone();
            flipped[position] ^= 1 << (position % 8);
            kept.said(&flipped).await;
        }
    }
}

#[tokio::test]
async fn what_is_cut_short_or_goes_on_is_seen() {
    for seal in [Seal::none, with_key] {
        let kept = Kept::new(seal()).await;
        let length = kept.object.len();
        let lengths = if kept.manifest.stored.packing.is_encrypted() {
            vec![length - 1, length - 17, length / 2, 500]
        } else {
            vec![length - 1, length - 17, length / 2, 500, 3, 0]
        };
        for length in lengths {
            kept.said(&kept.object[..length]).await;
        }
        kept.said(&[kept.object.as_slice(), b"x"].concat()).await;
        kept.said(&[kept.object.as_slice(), &kept.object].concat()).await;
    }
}

#[tokio::test]
async fn another_snapshot_in_its_place_is_seen() {
    let (kept, other) = (Kept::new(Seal::none()).await, Kept::new(Seal::none()).await);
    let packed = zstd::encode_all(&snapshot(150_000, 4)[..], 3).unwrap();
    let said = kept.said(&packed).await;
    assert!(said.contains("SHA-256") || said.contains("bytes"), "{said}");
    let bomb = zstd::encode_all(&vec![0_u8; 64 << 20][..], 19).unwrap();
    assert_eq!(kept.said(&bomb).await, "it holds more than was written");
    assert_eq!(kept.object, other.object, "the same snapshot is packed alike");
}

#[tokio::test]
async fn a_sum_of_etcd_that_does_not_fit_is_seen_although_all_else_fits() {
    let store = Arc::new(MemoryStore::new());
    let archive = archive_in(store, Seal::none());
    let mut bytes = snapshot(1000, 1);
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    let manifest = save(&archive, at("2026-11-28T00:00:00Z"), 9, &bytes).await;
    let problem = archive.verify(&manifest).await.unwrap_err().to_string();
    assert!(
        problem.contains("not the SHA-256 of those before them"),
        "{problem}"
    );
}

#[tokio::test]
async fn a_wrong_key_is_no_damage() {
    let kept = Kept::new(to_recipient()).await;
    let other = "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX";
    let seal = to_recipient()
        .with_identities(&keelson_provider_api::values::Secret::new(other.to_owned()))
        .unwrap();
    let archive = archive_in(kept.store.clone(), seal);
    let refused = archive.verify(&kept.manifest).await.unwrap_err();
    assert!(matches!(refused, BackupError::Pki(_)), "{refused:?}");
}

#[tokio::test]
async fn manifests_that_are_none_are_told() {
    let kept = Kept::new(Seal::none()).await;
    let good = serde_json::to_string(&kept.manifest).unwrap();
    for (manifest, said) in [
        (String::new(), "its manifest cannot be read: EOF"),
        (
            "{}".to_owned(),
            "its manifest cannot be read: missing field `form`",
        ),
        (
            good.replace("\"form\":1", "\"form\":2"),
            "its manifest has the form 2, which",
        ),
        (
            good.replace("\"name\":\"2026", "\"name\":\"2025"),
            "its manifest is that of 20251128T000000Z-9",
        ),
        (
            good.replace("\"name\":\"2026", "\"name\":\"../2026"),
            "its manifest cannot be read: `../2026",
        ),
        (
            good.replace("zstd", "lzma"),
            "its manifest cannot be read: unknown variant `lzma`",
        ),
    ] {
        kept.put("manifest.json", manifest.as_bytes()).await;
        let listed = kept.archive.list().await.unwrap();
        match &listed[0].state {
            BackupState::Damaged { problem, .. } => assert!(problem.starts_with(said), "{problem}"),
            other => panic!("{other:?}"),
        }
        assert!(kept.archive.manifest(&kept.manifest.name).await.is_err());
    }
    kept.put("manifest.json", good.as_bytes()).await;
    kept.put("snapshot", b"x").await;
    let listed = kept.archive.list().await.unwrap();
    let length = kept.object.len();
    assert!(
        matches!(&listed[0].state, BackupState::Damaged { problem, .. }
            if *problem == format!("its snapshot has 1 bytes, and had {length}")),
        "{listed:?}"
    );
    kept.store
        .delete(&Kept::path("snapshot"), Precondition::None)
        .await
        .unwrap();
    let missing = kept.archive.manifest(&kept.manifest.name).await.unwrap_err();
    assert!(
        missing.to_string().ends_with("its snapshot is not there"),
        "{missing}"
    );
}
