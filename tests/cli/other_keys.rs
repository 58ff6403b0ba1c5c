//! Snapshots whose contents were encrypted and signed with other keys than the cluster's, from the command line.

use super::lab::Lab;

/// A simulated cluster has no keys: the state store is given some, and the backup those of another cluster.
#[test]
fn what_a_cluster_has_no_keys_for_is_told_before_it_is_restored() {
    let lab = Lab::with_spec(include_str!("../../examples/quickstart.yaml"));
    lab.expect(0, "apply --yes --progress none");
    lab.expect(0, "etcd snapshot save");
    let digest = |digit: &str| format!("sha256:{}", digit.repeat(64));
    let keys = |digit: &str| {
        let digest = digest(digit);
        format!("{{ \"encryption\": \"{digest}\", \"service-account\": \"{digest}\" }}")
    };
    let record = ".keelson/quickstart/cluster.json";
    lab.edit(
        record,
        "{\n  \"name\"",
        &format!("{{\n  \"keys\": {},\n  \"name\"", keys("1")),
    );
    let backups = lab.path(".keelson/quickstart/backups/etcd");
    let backup = std::fs::read_dir(backups).unwrap().next().unwrap().unwrap();
    let manifest = backup.path().join("manifest.json");
    let manifest = manifest.to_str().unwrap();
    lab.edit(
        manifest,
        "\"authorities\": {}",
        &format!("\"authorities\": {}", keys("2")),
    );
    let refused = lab.expect(3, "etcd restore --yes");
    for said in [
        "API servers can then neither read nor list Secrets",
        "tokens of service accounts were signed with another key",
        "were encrypted with another key than the one that the cluster has",
    ] {
        assert!(refused.stderr.contains(said), "{refused:#?}");
    }
    lab.expect(0, "etcd restore --yes --of-another-cluster");
    lab.edit(manifest, &digest("2"), &digest("1"));
    let own = lab.expect(0, "etcd restore --yes");
    assert!(!own.stderr.contains("another key"), "{own:#?}");
}
