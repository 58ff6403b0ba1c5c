//! `keelson node`, `keelson etcd` and `keelson certs` from outside, where no host is needed.

use super::lab::{Lab, Session};
use super::plans::SPEC;

/// The machine that runs the test, as the only host.
const HERE: &str = "\
apiVersion: keelson.dev/v1alpha1
kind: Cluster
metadata: { name: here }
spec:
  stateStore: ./state
  provider:
    ssh:
      hosts:
        - { name: here, address: local, roles: [control-plane, worker] }
";

/// Fails unless `document` has a row for each field of `value`.
fn assert_described(document: &str, value: &serde_json::Value) {
    for field in value.as_object().unwrap().keys() {
        assert!(
            document.contains(&format!("| `{field}` |")),
            "`{field}` is not described"
        );
    }
}

#[test]
fn machines_come_change_and_are_listed() {
    let mut session = Session::new(Lab::with_spec(SPEC));
    session.run(0, "node list");
    session.lab.expect(0, "apply --yes --progress none");
    session.run(0, "node list");
    session.edit("1.36.2", "1.37.0");
    session.edit("replicas: 2", "replicas: 1");
    session.run(0, "node list");
    insta::assert_snapshot!("node_list", session.transcript());
    let json = session.lab.expect(0, "node list -o json").json();
    let document = include_str!("../../docs/status-format.md");
    assert_described(document, &json);
    assert_described(document, &json["nodes"][0]);
    assert_eq!(json["nodes"][0]["bundle"], "outdated");
    let yaml = session.lab.expect(0, "node list -o yaml").stdout;
    assert!(yaml.contains("bundle: outdated"), "{yaml}");
}

#[test]
fn nobody_logs_in_on_a_simulated_machine() {
    let mut session = Session::new(Lab::with_spec(SPEC));
    session.run(1, "node ssh control-plane-1");
    session.lab.write("cluster.yaml", HERE);
    session.run(1, "node ssh there");
    session.run(2, "node ssh");
    insta::assert_snapshot!("node_ssh", session.transcript());
}

#[test]
fn on_this_machine_a_shell_reads_the_command() {
    let lab = Lab::with_spec(HERE);
    let ran = lab.expect(7, "node ssh here -- echo $((6 * 7)); echo bad >&2; exit 7");
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("42\n", "bad\n"));
    let ran = lab
        .run_with_input("node ssh here", b"echo from a shell\nexit 3\n")
        .expect(3, "node ssh here");
    assert_eq!(ran.stdout, "from a shell\n");
    lab.expect(128 + 15, "node ssh here -- kill -TERM $$");
    let mut command = lab.command(["node", "ssh", "here", "--", "true"]);
    command.env("SHELL", "/nowhere/shell");
    super::lab::Running::start(command)
        .end()
        .expect(1, "node ssh")
        .says(&["cannot run /nowhere/shell: no such file", "help:"]);
}

#[test]
fn etcd_says_how_it_is() {
    let lab = Lab::with_spec(&SPEC.replace("replicas: 1, machine", "replicas: 3, machine"));
    lab.expect(1, "etcd status")
        .says(&["there is no cluster", "help:"]);
    lab.expect(0, "apply --yes --progress none");
    let text = lab.expect(0, "etcd status").stdout;
    assert!(
        text.contains("etcd (main): healthy; 3 of 3 voters healthy, control-plane-"),
        "{text}"
    );
    let json = lab.expect(0, "etcd status -o json").json();
    let document = include_str!("../../docs/status-format.md");
    assert_described(document, &json);
    assert_described(document, &json["clusters"]["main"]);
    let members = json["clusters"]["main"]["members"].as_array().unwrap();
    assert_eq!(members.len(), 3);
    let mut leaders = 0;
    for member in members {
        assert_described(document, member);
        assert_eq!(
            (&member["phase"], &member["version"]),
            (&"voter".into(), &"3.6.8".into())
        );
        for number in [
            "databaseBytes",
            "databaseInUseBytes",
            "revision",
            "raftTerm",
            "raftIndex",
            "latencyMs",
        ] {
            assert!(member[number].as_u64().unwrap() > 0, "{number}: {member}");
        }
        assert_eq!(member["raftLag"], 0);
        leaders += u64::from(member["isLeader"].as_bool().unwrap());
    }
    assert_eq!(leaders, 1);
    lab.edit("cluster.yaml", "replicas: 3, machine", "replicas: 5, machine");
    let grown = lab.expect(1, "etcd status");
    assert!(
        grown.stdout.contains("control-plane-5: it is not there yet"),
        "{}",
        grown.stdout
    );
}

#[test]
fn events_and_others_etcd() {
    let lab = Lab::new();
    lab.write(
        "cluster.yaml",
        include_str!("../../examples/separate-events.yaml"),
    );
    lab.expect(0, "apply --yes --progress none");
    let json = lab.expect(0, "etcd status -o json").json();
    let clusters: Vec<&String> = json["clusters"].as_object().unwrap().keys().collect();
    assert_eq!(clusters, ["events", "main"]);
    lab.write("cluster.yaml", include_str!("../../examples/external-etcd.yaml"));
    for arguments in ["etcd status", "etcd credentials --show-key"] {
        lab.expect(1, arguments)
            .says(&["someone else runs it", "external"]);
    }
}

#[test]
fn credentials_are_refused_in_words() {
    let mut session = Session::new(Lab::with_spec(SPEC));
    session.lab.expect(0, "apply --yes --progress none");
    session.run(2, "etcd credentials");
    session.run(2, "etcd credentials --show-key --force");
    session.run(2, "etcd credentials --show-key --validity 366d");
    session.run(2, "etcd credentials --show-key --validity soon");
    session.run(1, "etcd credentials --out x");
    session.lab.write("x/client.key", "mine");
    session.run(1, "etcd credentials --out x");
    insta::assert_snapshot!("etcd_credentials", session.transcript());
    assert_eq!(session.lab.read("x/client.key"), "mine");
}

#[test]
fn a_simulated_cluster_says_that_it_has_no_certificates() {
    let lab = Lab::with_spec(SPEC);
    lab.expect(1, "certs check")
        .says(&["there is no cluster", "help:"]);
    lab.expect(0, "apply --yes --progress none");
    let ran = lab.expect(0, "certs check");
    assert_eq!(ran.stdout, "the cluster is simulated: it has no certificates\n");
    let json = lab.expect(0, "certs check -o json --warn-within 60d").json();
    assert_described(include_str!("../../docs/status-format.md"), &json);
    assert!(json["caveat"].is_string() && json["good"] == true);
    lab.expect(2, "certs check --warn-within never");
}

#[test]
fn no_simulated_machine_is_gone_for_good() {
    let lab = Lab::with_spec(SPEC);
    lab.expect(0, "apply --yes --progress none");
    let ran = lab.expect(1, "destroy --yes --gone a").says(&[
        "error: the spec's machines are simulated: none of them can be gone for good",
        "help: leave out --gone",
    ]);
    assert!(!ran.stderr.contains("this build"), "{}", ran.stderr);
    lab.expect(0, "destroy --yes --progress none");
}
