//! What a destroy leaves in the state store.

use keelson::execute::{Interrupt, Silent};
use keelson::ops::{AutoApprove, DestroyOptions};
use keelson::pki::{AuthorityName, Seal};
use keelson_provider_api::{Precondition, Store};

use super::block_on;
use super::etcd_alone::Scene;

const OPTIONS: DestroyOptions = DestroyOptions {
    override_protection: true,
};

#[test]
fn a_destroy_leaves_no_key_and_the_next_cluster_of_the_name_has_authorities_of_its_own() {
    let scene = Scene::new(&["a", "b", "c"], "", Seal::none());
    let (store, authorities) = (&scene.store, &scene.authorities);
    block_on(async {
        let mut fingerprints = Vec::new();
        // The second time it was cut short before: something is gone already.
        for is_cut_short in [false, true] {
            scene.begin().await;
            let authority = authorities.establish(AuthorityName::Etcd).await.unwrap();
            fingerprints.push(authority.fingerprint());
            authorities.service_account_key().await.unwrap();
            authorities.encryption_key().await.unwrap();
            for path in ["assets.json", "backups/etcd/1/snapshot", "journal/1"] {
                let path = format!("db.example.com/{path}");
                store.write(&path, b"{}", Precondition::None).await.unwrap();
            }
            if is_cut_short {
                let path = "db.example.com/pki/etcd";
                store.delete(path, Precondition::None).await.unwrap();
            }
            let destroyed = scene
                .session
                .destroy(OPTIONS, &AutoApprove, &Silent, &Interrupt::new())
                .await;
            destroyed.unwrap();
            let stays = ["backups/", "journal/", "lease"];
            let left = store.list("db.example.com/").await.unwrap();
            let may_stay = |path: &String| {
                let path = path.trim_start_matches("db.example.com/");
                stays.iter().any(|stays| path.starts_with(stays))
            };
            assert!(left.iter().all(may_stay), "{left:?}");
            assert!(left.iter().any(|path| path.contains("backups/")), "{left:?}");
        }
        assert_ne!(fingerprints[0], fingerprints[1]);
    });
}
