//! What goes into an archive comes out of it.

use keelson::backup::{BackupError, BackupName, BackupState, Packing};
use keelson::pki::Seal;
use keelson_provider_api::StoreError;
use keelson_provider_simulated::MemoryStore;
use std::sync::Arc;

use super::{
    archive, archive_in, at, identities, keep, save, snapshot, sum, to_recipient, unpacked, with_key,
};

#[tokio::test]
async fn what_is_kept_comes_out_as_it_was_whatever_its_size() {
    for seal in [Seal::none, with_key] {
        let archive = archive_in(Arc::new(MemoryStore::new()), seal());
        for (revision, length) in (0..).zip([0, 1, 31, 32, 65_535, 65_536, 70_000, 3_000_000]) {
            let bytes = snapshot(length, revision);
            let manifest = save(&archive, at("2026-11-28T00:00:00Z"), revision, &bytes).await;
            assert_eq!(unpacked(&archive, &manifest).await.unwrap(), bytes, "{length}");
            archive.verify(&manifest).await.unwrap();
            archive.check_object(&manifest).await.unwrap();
            assert_eq!(archive.manifest(&manifest.name).await.unwrap(), manifest);
        }
        let listed = archive.list().await.unwrap();
        assert_eq!(listed.len(), 8);
        assert!(listed.iter().all(|backup| backup.whole().is_some()));
    }
}

#[tokio::test]
async fn zeros_take_next_to_no_room() {
    let archive = archive();
    let mut bytes = vec![0; 8 << 20];
    bytes.extend(keelson_provider_api::values::Digest::of_bytes(&bytes).bytes());
    let manifest = save(&archive, at("2026-11-28T00:00:00Z"), 1, &bytes).await;
    assert_eq!(manifest.stored.packing, Packing::Zstd);
    assert!(
        manifest.stored.size_bytes < 2000,
        "{}",
        manifest.stored.size_bytes
    );
}

#[tokio::test]
async fn who_has_no_key_keeps_and_checks_and_opens_nothing() {
    let store = Arc::new(MemoryStore::new());
    let archive = archive_in(store.clone(), to_recipient());
    let bytes = snapshot(1000, 1);
    let manifest = save(&archive, at("2026-11-28T00:00:00Z"), 1, &bytes).await;
    assert_eq!(manifest.stored.packing, Packing::ZstdAge);
    archive.check_object(&manifest).await.unwrap();
    let locked = archive.verify(&manifest).await.unwrap_err();
    assert!(matches!(locked, BackupError::Pki(_)), "{locked:?}");
    let with_key = archive_in(store.clone(), with_key());
    assert_eq!(unpacked(&with_key, &manifest).await.unwrap(), bytes);
    // Encryption that was turned off later does not matter.
    let later = Seal::none().with_identities(&identities()).unwrap();
    assert_eq!(
        unpacked(&archive_in(store, later), &manifest).await.unwrap(),
        bytes
    );
}

#[tokio::test]
async fn what_is_not_what_was_expected_is_not_kept() {
    let archive = archive();
    let name = BackupName::parse("20261128T000000Z-1").unwrap();
    let bytes = snapshot(200_000, 1);
    let expected = sum(&bytes);
    let mut flipped = bytes.clone();
    flipped[77] ^= 1;
    for wrong in [
        &bytes[..100_000],
        &flipped,
        &[][..],
        &[bytes.as_slice(), b"x"].concat(),
    ] {
        let refused = keep(&archive, &name, wrong, &expected).await.unwrap_err();
        assert!(matches!(refused, BackupError::Altered(_)), "{refused:?}");
        assert_eq!(archive.list().await.unwrap(), []);
    }
    keep(&archive, &name, &bytes, &expected).await.unwrap();
    let listed = archive.list().await.unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].state, BackupState::Unfinished, "it has no manifest yet");
    let again = keep(&archive, &name, &bytes, &expected).await.unwrap_err();
    assert!(
        matches!(again, BackupError::Store(StoreError::Conflict { .. })),
        "{again:?}"
    );
}
