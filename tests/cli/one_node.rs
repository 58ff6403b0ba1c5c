//! `keelson node add`, `remove`, `drain` and `uncordon` from outside, where no host is needed.

use super::lab::{Lab, Session};
use super::plans::spec_of_machines;

#[test]
fn one_machine_comes_and_goes_while_others_wait() {
    let mut session = Session::new(Lab::with_spec(&spec_of_machines()));
    session.run(1, "node add workers-1 --yes");
    session.lab.expect(0, "apply --yes --progress none");
    session.run(0, "node add workers-1 --yes --progress none");
    session.run(1, "node add workers-9 --yes");
    session.edit("replicas: 2", "replicas: 4");
    session.run(2, "node add workers-4");
    session.run(0, "node add workers-4 --yes");
    session.run(1, "node remove workers-4 --yes");
    session.edit("replicas: 4", "replicas: 1");
    session.run(1, "node remove workers-3 --yes");
    session.run(0, "node remove workers-4 --yes");
    session.run(0, "node list");
    insta::assert_snapshot!("one_node", session.transcript());
    let listed = session.lab.expect(0, "node list -o json").json();
    let names = |field: &str| -> Vec<String> {
        let nodes = listed["nodes"].as_array().unwrap().iter();
        let nodes = nodes.filter(|node| node[field] == true);
        nodes
            .map(|node| node["name"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(names("inSpec"), ["control-plane-1", "workers-1"]);
    // An apply does the rest.
    session.lab.expect(0, "apply --yes");
    session.lab.expect(0, "plan");
}

#[test]
fn a_name_that_is_unknown_is_told_of_before_anything_is_asked() {
    let lab = Lab::with_spec(&spec_of_machines());
    lab.expect(1, "node add workers-1")
        .says(&["there is no cluster", "help:"]);
    lab.expect(0, "apply --yes --progress none");
    lab.expect(1, "node add workers-9")
        .says(&["workers-9", "its machines are: control-plane-1, workers-1"]);
    lab.expect(2, "node add workers-1").says(&["--yes"]);
}

#[test]
fn what_is_told_of_one_machine_is_events_too() {
    let lab = Lab::with_spec(&spec_of_machines());
    lab.expect(0, "apply --yes --progress none");
    lab.edit("cluster.yaml", "replicas: 2", "replicas: 3");
    let ran = lab.expect(0, "node add workers-3 --yes --progress json");
    for line in ran.stderr.lines() {
        serde_json::from_str::<serde_json::Value>(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    }
    assert!(ran.stderr.contains("node/workers-3"), "{}", ran.stderr);
}

#[test]
fn a_simulated_node_has_no_pods_to_move() {
    let lab = Lab::with_spec(&spec_of_machines());
    lab.expect(1, "node drain workers-1")
        .says(&["there is no cluster", "help:"]);
    lab.expect(0, "apply --yes --progress none");
    lab.expect(1, "node drain workers-1")
        .says(&["is simulated", "help:"]);
    lab.expect(1, "node uncordon workers-1")
        .says(&["is simulated", "help:"]);
    lab.expect(2, "node drain workers-1 --timeout never")
        .says(&["--timeout"]);
}

#[test]
fn a_new_machine_waits_for_control_planes_that_are_older() {
    let lab = Lab::with_spec(&spec_of_machines());
    lab.edit("cluster.yaml", "1.36.2", "1.35.6");
    lab.expect(0, "apply --yes --progress none");
    lab.edit("cluster.yaml", "1.35.6", "1.36.2");
    lab.edit("cluster.yaml", "replicas: 2", "replicas: 3");
    lab.expect(3, "node add workers-3 --yes --progress none").says(&[
        "error: 2 changes wait for other machines, which are not seen to here",
        "create node-bundle/workers-3: waits for node-bundle/control-plane-1",
        "help: `keelson apply` sees to all machines",
    ]);
    lab.expect(0, "apply --yes --progress none");
    lab.expect(0, "node add workers-3 --yes --progress none");
}
