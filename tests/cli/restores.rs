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
