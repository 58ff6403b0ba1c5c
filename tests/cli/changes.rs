//! What is shown of changes, and of those that may not be made.

use super::lab::Lab;
use super::plans::{SPEC, spec_of_machines};

#[test]
fn a_list_that_changes_is_shown_by_what_goes_and_what_comes() {
    let allowed = "  api: { allowedCIDRs: [192.0.2.0/24] }\n";
    // There the balancer has a list of its own beside the firewall's.
    let spec = spec_of_machines();
    let lab = Lab::with_spec(&format!("{spec}{allowed}"));
    lab.expect(0, "apply --yes --progress none");
    lab.edit("cluster.yaml", "192.0.2.0/24", "198.51.100.0/24");
    let plan = lab.expect(2, "plan").stdout;
    for rule in [
        "rules  - {\"purpose\":\"Kubernetes API for clients\"",
        "+ {\"purpose\":\"Kubernetes API for clients\"",
    ] {
        assert!(plan.contains(rule), "{rule}: {plan}");
    }
    assert!(
        plan.contains("allowedCidrs  - 192.0.2.0/24\n                      + 198.51.100.0/24\n"),
        "{plan}"
    );
}

#[test]
fn an_api_that_moves_is_a_disruption() {
    let lab = Lab::new();
    lab.expect(
        0,
        "init metal --like ssh --host a=10.0.0.11:control-plane --host b=10.0.0.12:control-plane --host \
         c=10.0.0.13:control-plane --host d=10.0.0.21:worker --api-address 10.0.0.100",
    );
    let first = lab.expect(2, "plan").stdout;
    assert!(first.contains("Disruption: none\n"), "{first}");
    lab.expect(0, "apply --yes --progress none");
    lab.edit("cluster.yaml", "10.0.0.100", "10.0.0.101");
    let plan = lab.expect(2, "plan").stdout;
    let line = plan.lines().find(|line| line.starts_with("Disruption:")).unwrap();
    assert!(
        line.contains("the API moves to 10.0.0.101: nodes reach it again after their turn"),
        "{plan}"
    );
}

#[test]
fn what_is_blocked_is_named_by_a_status() {
    let lab = Lab::with_spec(SPEC);
    lab.expect(0, "apply --yes --progress none");
    lab.edit(
        "cluster.yaml",
        "controlPlane: { replicas: 1, machine: { type: m6i.large } }",
        "controlPlane: { replicas: 1, machine: { type: m6i.xlarge } }",
    );
    lab.expect(3, "plan");
    let status = lab.expect(1, "status").stdout;
    assert!(
        status.contains("  ! ") && status.contains("blocked: "),
        "{status}"
    );
    let status = lab.expect(1, "status -o json").json();
    assert_eq!(status["condition"], "degraded");
    let problems = status["problems"].as_array().unwrap();
    assert_eq!(
        problems.len() as u64,
        status["blocked"].as_u64().unwrap(),
        "{status}"
    );
}
