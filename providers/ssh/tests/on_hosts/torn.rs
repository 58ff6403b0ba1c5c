//! What came in part, because keelson or the host was gone in the middle, is not taken for whole.

use keelson_provider_api::kinds::Kind;
use keelson_provider_api::{Observed, Outcome, Provider, Resource};
use keelson_test_hosts::LabOptions;

use super::bundles::{claimed, rejected};
use crate::support::{Recipe, Scene, create, delete, look, update};

const FENCE: &str = include_str!("../../src/scripts/fence.sh");
const MARK: &str = include_str!("../../src/scripts/mark.sh");
const FILES: &str = include_str!("../../src/scripts/bundle-files.sh");

#[tokio::test]
async fn a_certificate_without_its_new_key_is_no_pair() {
    let test = "a_certificate_without_its_new_key_is_no_pair";
    let Some(scene) = claimed(test, &LabOptions::with_hosts(1)).await else {
        return;
    };
    let (host, context) = (scene.host(0), Scene::context("u1", 1));
    let provider = scene.provider(scene.targets("operator")).await;
    let bundle = scene.bundles.plain("one");
    let created = provider.carry_out(&context, &create("a", bundle.clone())).await;
    assert_eq!(created, Outcome::Done);

    // The certificate is renewed, and its key cannot be put in place.
    host.run("cd /etc/keelson-test && echo old >server.crt && echo old >server.key && mkdir /etc/keelson-test/.server.key.keelson-new")
        .unwrap();
    rejected(provider.carry_out(&context, &update("a", bundle.clone())).await);
    host.run("rm -r /etc/keelson-test/.server.key.keelson-new")
        .unwrap();
    let renewed = host.run("cat /etc/keelson-test/server.crt").unwrap();
    assert!(renewed.contains("BEGIN CERTIFICATE"), "{renewed}");
    let Observed::Present(seen) = look(&provider, "u1", Kind::NodeBundle, "a").await else {
        panic!("the bundle is not seen");
    };
    assert_ne!(
        seen.resource,
        Resource::NodeBundle(bundle.clone()),
        "the key may be an older one"
    );

    let mended = provider.carry_out(&context, &update("a", bundle.clone())).await;
    assert_eq!(mended, Outcome::Done);
    let Observed::Present(seen) = look(&provider, "u1", Kind::NodeBundle, "a").await else {
        panic!("the bundle is not seen");
    };
    assert_eq!(seen.resource, Resource::NodeBundle(bundle));
    host.run("test ! -e /var/lib/keelson/awaited").unwrap();
}

#[tokio::test]
async fn a_removal_that_fails_does_not_cost_what_it_has_put_back() {
    let test = "a_removal_that_fails_does_not_cost_what_it_has_put_back";
    let Some(scene) = claimed(test, &LabOptions::with_hosts(1)).await else {
        return;
    };
    let (host, context) = (scene.host(0), Scene::context("u1", 1));
    host.write_file("/etc/keelson-test/config", "their own").unwrap();
    host.run("mkdir -m 711 /srv/theirs").unwrap();
    let provider = scene.provider(scene.targets("operator")).await;
    let bundle = scene.bundles.offer(Recipe {
        content: "one".to_owned(),
        actions: vec!["directory /srv/theirs 750 root root".to_owned()],
        ..Recipe::default()
    });
    let created = provider.carry_out(&context, &create("a", bundle.clone())).await;
    assert_eq!(created, Outcome::Done);

    // The mode of this folder is put back last of all, and cannot be.
    host.run("mount --bind /srv/theirs /srv/theirs && mount -o remount,bind,ro /srv/theirs")
        .unwrap();
    rejected(provider.carry_out(&context, &delete("a", bundle.clone())).await);
    let config = || host.run("cat /etc/keelson-test/config").unwrap();
    assert_eq!(config(), "their own");
    host.run("umount /srv/theirs").unwrap();
    let removed = provider.carry_out(&context, &delete("a", bundle)).await;
    assert_eq!(removed, Outcome::Done);
    assert_eq!(config(), "their own");
    assert_eq!(host.run("stat -c %a /srv/theirs").unwrap().trim(), "711");
}

#[tokio::test]
async fn what_was_sent_in_part_is_not_taken_in() {
    let Some(scene) = Scene::new(
        "what_was_sent_in_part_is_not_taken_in",
        &LabOptions::with_hosts(1),
    ) else {
        return;
    };
    let host = scene.host(0);
    for (name, script) in [("mark", MARK), ("files", FILES)] {
        host.write_file(format!("/root/{name}.sh"), format!("{FENCE}{script}"))
            .unwrap();
    }
    let status = |command: &str| host.run(&format!("{command}; echo $?")).unwrap();
    let mark = r#"{"uid":"u1","name":"a","cluster":"prod"}"#;
    for cut in ["", r#"{"uid":"u1","name":"a","#, mark] {
        let claim = format!("printf '%s' '{cut}' | sh /root/mark.sh 1 u1 claim a");
        assert_eq!(status(&claim), "1\n", "{cut}");
        host.run("test ! -e /var/lib/keelson/host.json").unwrap();
    }
    let claim = format!("echo '{mark}' | sh /root/mark.sh 1 u1 claim a");
    assert!(status(&claim).ends_with("\n0\n"));
    let update = "printf '%s' '{\"uid\":\"u1\",' | sh /root/mark.sh 1 u1 update a";
    assert_eq!(status(update), "1\n");
    assert_eq!(
        host.run("cat /var/lib/keelson/host.json").unwrap(),
        format!("{mark}\n")
    );

    host.run("mkdir /root/bundle && cd /root/bundle && touch apply actions whole")
        .unwrap();
    let some = "tar -c -C /root/bundle apply actions | sh /root/files.sh 1 u1 d1";
    assert_eq!(status(some), "78\n");
    host.run("test ! -e /var/lib/keelson/bundles/d1").unwrap();
    let all = "tar -c -C /root/bundle apply actions whole | sh /root/files.sh 1 u1 d1";
    assert_eq!(status(all), "0\n");
    host.run("test -x /var/lib/keelson/bundles/d1/apply").unwrap();
}
