//! An etcd that goes back to a snapshot, from the command line.

use super::lab::Lab;

#[test]
fn simulated_clusters_of_the_examples_go_back_to_a_snapshot() {
    let examples = [
        include_str!("../../examples/quickstart.yaml"),
        include_str!("../../examples/simulated-ssh.yaml"),
    ];
    for example in examples {
        let lab = Lab::with_spec(example);
        lab.expect(0, "apply --yes --progress none");
        lab.expect(0, "etcd snapshot save");
        lab.edit("cluster.yaml", "spec:\n", "spec:\n  kubelet: { maxPods: 90 }\n");
        lab.expect(0, "apply --yes --progress none");
        // The second one ends the members of the first.
        lab.expect(0, "etcd restore --yes");
        lab.expect(0, "etcd restore --yes");
        lab.expect(0, "status");
        lab.expect(0, "plan");
    }
}

#[test]
fn a_cluster_that_is_not_well_after_a_restore_is_told_by_name() {
    let lab = Lab::with_spec(include_str!("../../examples/simulated-ssh.yaml"));
    lab.expect(0, "apply --yes --progress none");
    lab.expect(0, "etcd snapshot save");
    // No control plane is up again so soon.
    let unwell = lab.expect(1, "etcd restore --yes --timeout 1ms");
    for words in [
        "Restored: etcd main",
        "What etcd main held before this restore",
        "/var/lib/etcd.removed-",
        "etcd main is restored, and the cluster is not healthy after 1ms",
        "control-plane/",
        "do not restore it again",
        "status --wait",
    ] {
        assert!(unwell.stderr.contains(words), "{words}: {}", unwell.stderr);
    }
    lab.expect(0, "status --wait");
    lab.expect(0, "plan");
}
