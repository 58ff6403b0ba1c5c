//! What a spec says of the cluster's keys, where no host is needed.

use super::lab::Lab;

/// A host that nobody reaches, and release files in a folder that is gone.
const SPEC: &str = "\
apiVersion: keelson.dev/v1alpha1
kind: Cluster
metadata: { name: db }
spec:
  provider: { ssh: { hosts: [{ name: a, address: 240.0.0.1, roles: [etcd] }] } }
  etcd: { version: 3.6.8, placement: { dedicated: {} } }
  assets: { files: ./gone }
  pki: { encryption: passphrase }
";
const ARCHIVE: &str = "github.com/etcd-io/etcd/releases/download/v3.6.8/etcd-v3.6.8-linux-amd64.tar.gz";

#[test]
fn what_opens_keys_is_asked_for_first_and_encryption_stays() {
    let lab = Lab::with_spec(SPEC);
    lab.expect(1, "plan")
        .says(&["cannot find what machines are to install"]);
    let digest = format!("sha256:{}", "0f".repeat(32));
    lab.write(
        ".keelson/db/assets.json",
        serde_json::json!({ ARCHIVE: digest }).to_string(),
    );
    for command in ["plan", "apply --yes"] {
        lab.expect(1, command)
            .says(&["no passphrase was given", "KEELSON_PKI_PASSPHRASE"]);
    }
    lab.edit("cluster.yaml", "passphrase", "none");
    let record = serde_json::json!({ "name": "db", "uid": "u1", "createdAt": "2026-01-01T00:00:00Z" });
    lab.write(".keelson/db/cluster.json", record.to_string());
    lab.write(".keelson/db/pki/etcd", "age-encryption.org/v1\n");
    for command in ["plan", "plan --out file"] {
        lab.expect(3, command).says(&[
            "db/pki/etcd",
            "is encrypted",
            "put `pki.encryption` back",
            "age -d",
        ]);
    }
}
