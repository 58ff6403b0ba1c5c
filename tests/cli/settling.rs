//! What an apply leaves behind when it says that it is done.

use super::lab::Lab;

const SPEC: &str = "\
apiVersion: keelson.dev/v1alpha1
kind: Cluster
metadata: { name: prod.example.com }
spec:
  kubernetesVersion: 1.35.0
  provider: { simulated: { like: aws, seed: 6 } }
  controlPlane: { replicas: 3 }
  nodeGroups: [{ name: workers, replicas: 3 }]
";

#[test]
fn what_restarted_last_is_up_again_also_when_the_answer_of_its_step_was_lost() {
    let lab = Lab::with_spec(SPEC);
    lab.expect(0, "apply --yes --progress none");
    lab.edit("cluster.yaml", "1.35.0", "1.36.0");
    lab.edit("cluster.yaml", "seed: 6", "seed: 6, faults: 20");
    lab.expect(0, "apply --yes --progress none");
    lab.expect(0, "status");
}
