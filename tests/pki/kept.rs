//! Authorities and keys in the state store.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::thread;

use age::secrecy::ExposeSecret;
use age::x25519::Identity;
use keelson::pki::{Authority, AuthorityName, ClusterPki, Opened, PkiError, Seal, Terms};
use keelson::store::DirectoryStore;
use keelson_provider_api::values::{ClusterName, KeyAlgorithm, Secret};
use keelson_provider_api::{Precondition, Store, StoreError};
use keelson_provider_simulated::MemoryStore;

use super::{DAY, NOW, authority, secret};

const ETCD: AuthorityName = AuthorityName::Etcd;

fn cluster() -> ClusterName {
    "prod.example.com".parse().unwrap()
}

async fn establish(store: &dyn Store, seal: &Seal) -> Result<Authority, PkiError> {
    let cluster = cluster();
    ClusterPki::new(store, &cluster, seal)
        .establish(ETCD, Terms::AUTHORITY, NOW)
        .await
}

async fn read(store: &dyn Store, path: &str) -> Vec<u8> {
    store.read(path).await.unwrap().unwrap().content
}

fn identity() -> (Secret<String>, String) {
    let identity = Identity::generate();
    let file = format!("# created: today\n\n{}\n", identity.to_string().expose_secret());
    (Secret::new(file), identity.to_public().to_string())
}

fn sealed_to(recipient: &str, identities: &[&Secret<String>]) -> Seal {
    let seal = Seal::to_recipients(&[recipient.to_owned()]).unwrap();
    identities
        .iter()
        .fold(seal, |seal, file| seal.with_identities(file).unwrap())
}

#[tokio::test]
async fn an_authority_is_made_once_and_then_found() {
    let store = MemoryStore::new();
    let first = establish(&store, &Seal::none()).await.unwrap();
    let bytes = read(&store, "prod.example.com/pki/etcd").await;
    let again = establish(&store, &Seal::none()).await.unwrap();
    assert_eq!(first.fingerprint(), again.fingerprint());
    assert_eq!(
        first.key_pem().unwrap().expose(),
        again.key_pem().unwrap().expose()
    );
    assert_eq!(read(&store, "prod.example.com/pki/etcd").await, bytes);
}

/// Makes or finds an authority and a key, and gives what tells them apart.
#[tokio::main(flavor = "current_thread")]
async fn create(root: &Path) -> (String, String) {
    let store = DirectoryStore::new(root);
    let (cluster, seal) = (cluster(), Seal::none());
    let authority = establish(&store, &seal).await.unwrap();
    let keys = ClusterPki::new(&store, &cluster, &seal);
    let key = keys.establish_service_account_key(KeyAlgorithm::EcdsaP256).await;
    (authority.trust_pem(), key.unwrap().public_pem())
}

#[test]
fn creators_at_the_same_time_end_with_the_same_authority() {
    let directory = tempfile::tempdir().unwrap();
    for round in 0..20 {
        let root = directory.path().join(round.to_string());
        let mut made: Vec<_> = thread::scope(|scope| {
            let creators = [(); 4].map(|()| scope.spawn(|| create(&root)));
            creators.map(|creator| creator.join().unwrap()).into()
        });
        made.dedup();
        assert_eq!(made.len(), 1);
    }
}

#[tokio::test]
async fn a_store_that_fails_leads_to_no_second_authority() {
    for seed in 0..40 {
        let store = MemoryStore::with_faults(seed, 50);
        let mut found = Vec::new();
        for _ in 0..12 {
            if let Ok(authority) = establish(&store, &Seal::none()).await {
                found.push(authority.fingerprint());
            }
        }
        found.dedup();
        assert!(found.len() <= 1, "seed {seed}");
    }
}

#[tokio::test]
async fn nobody_else_reads_the_keys_in_a_directory() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().join("state");
    establish(&DirectoryStore::new(&root), &Seal::none())
        .await
        .unwrap();
    for (path, mode) in [
        ("prod.example.com/pki", 0o700),
        ("prod.example.com/pki/etcd", 0o600),
    ] {
        let permissions = fs::metadata(root.join(path)).unwrap().permissions();
        assert_eq!(permissions.mode() & 0o777, mode, "{path}");
    }
}

#[tokio::test]
async fn damage_is_reported_and_left_alone() {
    let path = "prod.example.com/pki/etcd";
    let whole = MemoryStore::new();
    establish(&whole, &Seal::none()).await.unwrap();
    let whole = read(&whole, path).await;
    let text = String::from_utf8(whole.clone()).unwrap();
    let foreign = MemoryStore::new();
    establish(&foreign, &Seal::none()).await.unwrap();
    let foreign: serde_json::Value = serde_json::from_slice(&read(&foreign, path).await).unwrap();
    let mut mixed: serde_json::Value = serde_json::from_slice(&whole).unwrap();
    mixed["key"] = foreign["key"].clone();
    let table = [
        ("empty", Vec::new()),
        ("cut short", whole[..whole.len() / 2].to_vec()),
        (
            "another's",
            text.replace("\"etcd\"", "\"kubernetes\"").into_bytes(),
        ),
        ("key of another", serde_json::to_vec(&mixed).unwrap()),
        ("no text", vec![0xff, 0xfe]),
        ("age cut short", b"age-encryption.org/v1\n-> X25519".to_vec()),
    ];
    for (name, content) in table {
        let store = MemoryStore::new();
        store.write(path, &content, Precondition::None).await.unwrap();
        let problem = establish(&store, &Seal::none()).await.unwrap_err();
        assert!(
            matches!(problem, PkiError::Store(StoreError::Damaged { .. })),
            "{name}: {problem}"
        );
        // With encryption it is not made good either.
        let (file, recipient) = identity();
        establish(&store, &sealed_to(&recipient, &[&file]))
            .await
            .unwrap_err();
        assert_eq!(read(&store, path).await, content, "{name}");
    }
}

#[tokio::test]
async fn what_is_encrypted_opens_with_the_right_identity_alone() {
    let store = MemoryStore::new();
    let ((own, recipient), (other, _)) = (identity(), identity());
    let made = establish(&store, &sealed_to(&recipient, &[])).await.unwrap();
    let content = read(&store, "prod.example.com/pki/etcd").await;
    assert!(content.starts_with(b"-----BEGIN AGE ENCRYPTED FILE-----"));

    let opened = establish(&store, &sealed_to(&recipient, &[&other, &own]))
        .await
        .unwrap();
    assert_eq!(opened.fingerprint(), made.fingerprint());
    // Not encrypting any more does not keep from reading.
    let plain = Seal::none().with_identities(&own).unwrap();
    assert_eq!(
        establish(&store, &plain).await.unwrap().fingerprint(),
        made.fingerprint()
    );

    for seal in [Seal::none(), sealed_to(&recipient, &[])] {
        let problem = establish(&store, &seal).await.unwrap_err();
        assert!(matches!(problem, PkiError::Locked { .. }), "{problem}");
        assert!(
            problem
                .to_string()
                .contains("an age identity of one of its recipients"),
            "{problem}"
        );
    }
    let problem = establish(&store, &sealed_to(&recipient, &[&other]))
        .await
        .unwrap_err();
    assert!(matches!(problem, PkiError::WrongKey { .. }), "{problem}");
    let shown = format!("{problem} {problem:?} {:?}", sealed_to(&recipient, &[&own]));
    assert!(!shown.contains("AGE-SECRET-KEY"), "{shown}");
}

#[tokio::test]
async fn a_passphrase_works_like_an_identity() {
    let store = MemoryStore::new();
    let with = |text: &str| Seal::with_passphrase().and_passphrase(Some(secret(text)));
    let without = Seal::with_passphrase();
    assert!(matches!(
        establish(&store, &without).await,
        Err(PkiError::Encrypt { .. })
    ));
    let made = establish(&store, &with("correct horse")).await.unwrap();
    let again = establish(&store, &with("correct horse")).await.unwrap();
    assert_eq!(made.fingerprint(), again.fingerprint());
    assert!(matches!(
        establish(&store, &without).await,
        Err(PkiError::Locked { .. })
    ));
    let problem = establish(&store, &with("battery staple")).await.unwrap_err();
    assert!(
        problem.to_string().contains("not for the given passphrase"),
        "{problem}"
    );
}

#[tokio::test]
async fn an_object_is_opened_once_and_again_when_it_has_changed() {
    let (store, cluster) = (MemoryStore::new(), cluster());
    let (own, recipient) = identity();
    let seal = Arc::new(sealed_to(&recipient, &[&own]));
    let opened = Opened::default();
    let remembering = async |seal: &Arc<Seal>| {
        ClusterPki::remembering(&store, &cluster, seal, &opened)
            .authority(ETCD)
            .await
    };
    let made = establish(&store, &seal).await.unwrap();
    assert_eq!(
        remembering(&seal).await.unwrap().unwrap().fingerprint(),
        made.fingerprint()
    );
    // Someone who could not open it is given what was opened before: nothing was opened for that.
    let blind = Arc::new(sealed_to(&recipient, &[]));
    assert!(remembering(&blind).await.unwrap().is_some());
    let path = "prod.example.com/pki/etcd";
    store.delete(path, Precondition::None).await.unwrap();
    assert!(remembering(&seal).await.unwrap().is_none());
    let another = establish(&store, &seal).await.unwrap();
    assert!(matches!(remembering(&blind).await, Err(PkiError::Locked { .. })));
    assert_eq!(
        remembering(&seal).await.unwrap().unwrap().fingerprint(),
        another.fingerprint()
    );
}

#[tokio::test]
async fn what_should_be_encrypted_and_is_not_is_refused() {
    let store = MemoryStore::new();
    let (own, recipient) = identity();
    let seal = sealed_to(&recipient, &[&own]);
    establish(&store, &Seal::none()).await.unwrap();
    let problem = establish(&store, &seal).await.unwrap_err();
    assert!(matches!(problem, PkiError::NotEncrypted { .. }), "{problem}");
}

#[tokio::test]
async fn a_brought_authority_is_kept_without_its_key() {
    let (store, cluster, seal) = (MemoryStore::new(), cluster(), Seal::none());
    let keys = ClusterPki::new(&store, &cluster, &seal);
    let brought = authority(ETCD);
    for _ in 0..2 {
        let adopted = keys.adopt(brought.clone(), NOW).await.unwrap();
        assert!(adopted.key_pem().is_some());
    }
    let kept = keys.authority(ETCD).await.unwrap().unwrap();
    assert_eq!(kept.fingerprint(), brought.fingerprint());
    assert!(kept.key_pem().is_none());
    let content = String::from_utf8(read(&store, "prod.example.com/pki/etcd").await).unwrap();
    assert!(!content.contains("PRIVATE KEY"));

    let other = keys.adopt(authority(ETCD), NOW).await.unwrap_err();
    assert!(matches!(other, PkiError::OtherAuthority { .. }), "{other}");
    // A cluster that runs goes on until the end of its authority; a new one does not begin with it.
    let late = NOW + DAY * 3630;
    keys.adopt(brought.clone(), late).await.unwrap();
    let store = MemoryStore::new();
    let problem = ClusterPki::new(&store, &cluster, &seal)
        .adopt(brought, late)
        .await
        .unwrap_err();
    assert!(matches!(problem, PkiError::Ends { .. }), "{problem}");
}

#[test]
fn a_line_that_is_no_identity_is_named() {
    let (good, _) = identity();
    let file = Secret::new(format!("{}AGE-SECRET-KEY-1NONE\n", good.expose()));
    let refused = Seal::none().with_identities(&file).unwrap_err();
    assert!(refused.to_string().starts_with("line 4 of"), "{refused}");
}
