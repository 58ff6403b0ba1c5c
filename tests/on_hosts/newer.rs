//! An etcd that Debian does not have yet, where whoever runs the tests brings one.

use std::path::Path;
use std::time::Duration;

use keelson_test_hosts::{Assets, newer_etcd_or_skip};

use super::client::{Client, ETCDCTL};
use super::desk::{Desk, Spec};

const HOSTS: [&str; 3] = ["a", "b", "c"];
/// As in `scaling`.
const GAP_LIMIT: Duration = Duration::from_secs(30);

#[test]
fn an_etcd_is_upgraded_to_the_next_minor_while_a_client_writes() {
    let test = "on_hosts::newer::an_etcd_is_upgraded_to_the_next_minor_while_a_client_writes";
    let Some(newer) = newer_etcd_or_skip(test).unwrap() else {
        return;
    };
    let Some(desk) = Desk::before(test, &HOSTS) else {
        return;
    };
    let older = keelson_test_hosts::assets().unwrap();
    let mirror = desk.folder().join("mirror");
    for assets in [&older, &newer] {
        copy(assets, &mirror);
    }
    let spec = Spec {
        assets: "./mirror".to_owned(),
        ..desk.spec_of(&HOSTS)
    };
    desk.write(&spec);
    desk.expect(0, "apply --yes --accept-new-host-keys");
    let client = Client::start(desk.host("a"), &HOSTS.map(|name| desk.host(name)));
    let version = newer.etcd_versions.last().unwrap();
    desk.write(&Spec {
        etcd_version: version.clone(),
        ..spec
    });
    let plan = desk.expect(2, "plan");
    assert!(
        plan.stdout.contains("etcd-snapshot"),
        "a snapshot comes first: {plan:#?}"
    );
    desk.expect(0, "apply --yes");
    desk.expect(0, "plan");
    client.stop().expect(GAP_LIMIT);
    for name in HOSTS {
        let status = format!("{ETCDCTL} endpoint status -w json");
        let status = desk.host(name).run(&status).unwrap();
        assert!(
            status.contains(&format!("\"version\":\"{version}\"")),
            "{name}: {status}"
        );
    }
    desk.expect(0, "status --wait --timeout 60s");
    desk.expect(0, "destroy --yes");
}

/// The releases of `assets`, beside others.
fn copy(assets: &Assets, mirror: &Path) {
    for version in &assets.etcd_versions {
        let folder = format!("github.com/etcd-io/etcd/releases/download/v{version}");
        let (from, to) = (assets.folder.join(&folder), mirror.join(&folder));
        std::fs::create_dir_all(&to).unwrap();
        for entry in std::fs::read_dir(from).unwrap() {
            let entry = entry.unwrap();
            std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}
