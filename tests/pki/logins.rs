//! The key that keelson logs in with on machines that it makes, as OpenSSH reads it.

use std::os::unix::fs::OpenOptionsExt;
use std::process::Command;

use keelson::pki::{ClusterPki, LoginKey, Seal, ServiceAccountKey, object_path};
use keelson_provider_api::values::KeyAlgorithm;
use keelson_provider_api::{Precondition, Store};
use keelson_provider_simulated::MemoryStore;

#[test]
fn openssh_reads_the_key_and_says_the_same_public_half() {
    let test = "openssh_reads_the_key_and_says_the_same_public_half";
    if Command::new("ssh-keygen").arg("-?").output().is_err() {
        keelson_test_hosts::skip(test, "there is no ssh-keygen");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    let key = LoginKey::create().unwrap();
    let file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&path);
    std::io::Write::write_all(&mut file.unwrap(), key.private_pem().expose().as_bytes()).unwrap();
    let said = Command::new("ssh-keygen")
        .arg("-y")
        .arg("-f")
        .arg(&path)
        .output()
        .unwrap();
    assert!(said.status.success(), "{said:?}");
    let said = String::from_utf8(said.stdout).unwrap();
    assert_eq!(
        said.split_whitespace().take(2).collect::<Vec<_>>().join(" "),
        key.authorized_key()
    );
}

#[tokio::test]
async fn a_cluster_s_key_is_made_once_and_another_kind_of_key_is_damage() {
    let (store, seal) = (MemoryStore::new(), Seal::none());
    let cluster = "prod.example.com".parse().unwrap();
    let keys = ClusterPki::new(&store, &cluster, &seal);
    assert!(keys.login_key().await.unwrap().is_none());
    let first = keys.establish_login_key().await.unwrap().authorized_key();
    assert_eq!(keys.establish_login_key().await.unwrap().authorized_key(), first);
    assert_eq!(keys.login_key().await.unwrap().unwrap().authorized_key(), first);

    let other = ServiceAccountKey::create(KeyAlgorithm::Rsa2048).unwrap();
    let kept = serde_json::json!({ "name": "login", "key": other.private_pem().expose() }).to_string();
    let (store, path) = (MemoryStore::new(), object_path(&cluster, "login"));
    store
        .write(&path, kept.as_bytes(), Precondition::Absent)
        .await
        .unwrap();
    let error = ClusterPki::new(&store, &cluster, &seal)
        .login_key()
        .await
        .unwrap_err();
    assert!(error.to_string().contains("no key of ECDSA on P-256"), "{error}");
}
