//! A cluster grows, loses a host for good, is mended and shrinks, while a client writes.

use std::time::Duration;

use serde_json::Value;

use super::client::{Client, ETCDCTL};
use super::desk::Desk;

/// A new leader is there after the second that an election may take, and a put that hangs is given up after three; the rest is
/// for a machine that is busy with much else.
const GAP_LIMIT: Duration = Duration::from_secs(30);

#[test]
fn a_cluster_grows_is_mended_and_shrinks_while_a_client_writes() {
    let test = "on_hosts::scaling::a_cluster_grows_is_mended_and_shrinks_while_a_client_writes";
    let Some(desk) = Desk::before(test, &["a", "b", "c", "d", "e", "f"]) else {
        return;
    };
    desk.spec(&["a", "b", "c"], "");
    desk.expect(0, "apply --yes --accept-new-host-keys");
    let client = Client::start(desk.host("a"), &[desk.host("a"), desk.host("c")]);

    desk.spec(&["a", "b", "c", "d", "e"], "");
    desk.expect(0, "apply --yes --accept-new-host-keys");
    expect_members(&desk, &["a", "b", "c", "d", "e"]);

    a_host_that_is_lost_is_replaced(&desk);

    desk.spec(&["a", "c", "f"], "");
    desk.expect(0, "apply --yes");
    expect_members(&desk, &["a", "c", "f"]);
    for name in ["d", "e"] {
        expect_clean(&desk, name);
    }

    one_that_was_given_up_comes_back(&desk);
    let account = client.stop();
    account.expect(GAP_LIMIT);
    desk.expect(0, "destroy --yes");
    expect_clean(&desk, "b");
}

/// Its power is cut for good; another takes its place.
fn a_host_that_is_lost_is_replaced(desk: &Desk) {
    desk.host("b").power_cut().unwrap();
    let in_spec = desk.expect(1, "node forget b");
    assert!(
        in_spec
            .stderr
            .contains("take b out of spec.provider.ssh.hosts first"),
        "{in_spec:#?}"
    );
    desk.spec(&["a", "c", "d", "e", "f"], "");
    // Everything is done but what needs the host itself, and it says what to do about that.
    let blocked = desk.expect(3, "apply --yes --accept-new-host-keys");
    assert!(blocked.stderr.contains("keelson node forget b"), "{blocked:#?}");
    expect_members(desk, &["a", "c", "d", "e", "f"]);
    let stays = desk.expect(1, "node forget nobody");
    assert!(
        stays.stderr.contains("nothing is remembered of a host nobody") && stays.stderr.contains(": b"),
        "{stays:#?}"
    );
    desk.expect(0, "node forget b");
    desk.expect(0, "plan");
    let status = desk.status();
    assert_eq!(status["condition"], "healthy", "{status:#}");
}

/// It still runs what it ran, which comes to nothing; in the spec again, it joins anew.
fn one_that_was_given_up_comes_back(desk: &Desk) {
    let host = desk.host("b");
    host.start().unwrap();
    host.wait_for_ssh().unwrap();
    expect_members(desk, &["a", "c", "f"]);
    desk.spec(&["a", "b", "c"], "");
    desk.expect(0, "apply --yes --accept-new-host-keys");
    expect_members(desk, &["a", "b", "c"]);
    expect_clean(desk, "f");
}

/// The members that etcd itself has, all of them voting and well, and nothing to do.
fn expect_members(desk: &Desk, names: &[&str]) {
    let list = desk
        .host("a")
        .run(&format!("{ETCDCTL} member list -w json"))
        .unwrap();
    let list: Value = serde_json::from_str(&list).unwrap();
    let members = list["members"].as_array().unwrap();
    let learns = |member: &Value| member["isLearner"] == true;
    assert!(!members.iter().any(learns), "{list:#}");
    let mut found: Vec<&str> = members
        .iter()
        .map(|member| member["name"].as_str().unwrap_or_default())
        .collect();
    found.sort_unstable();
    assert_eq!(found, names);
    let status = desk.status();
    let well = status["etcd"]["main"]["members"].as_array().unwrap();
    let well = well.iter().filter(|member| member["problem"].is_null()).count();
    assert_eq!(well, names.len(), "{status:#}");
}

fn expect_clean(desk: &Desk, name: &str) {
    let left = desk.host(name).run(
        "ls -d /etc/etcd /etc/keelson /opt/keelson /var/lib/keelson /etc/systemd/system/etcd* /var/lib/etcd/* \
         2>/dev/null; getent passwd etcd; pgrep -x etcd; true",
    );
    assert_eq!(left.unwrap().trim(), "", "{name}");
}
