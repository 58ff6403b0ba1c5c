//! Whole sessions, as an operator has them.

use super::lab::{Lab, Session};
use super::plans::SPEC;

/// What `init` is asked for, and the edits that follow.
struct Script {
    init: &'static str,
    scale: (&'static str, &'static str),
}

fn play(script: &Script) -> String {
    let mut session = Session::new(Lab::new());
    session.run(0, script.init);
    session.run(0, "validate");
    session.run(2, "plan");
    session.run(0, "apply --yes");
    session.run(0, "plan");
    session.run(0, "apply --yes");
    session.run(0, "status");
    session.run(0, "kubeconfig");
    session.edit(script.scale.0, script.scale.1);
    session.run(2, "plan");
    session.run(0, "apply --yes");
    session.edit("1.36.2", "1.37.0");
    session.run(2, "plan");
    session.run(0, "apply --yes --progress none");
    session.run(2, "destroy");
    session.run(2, "plan --destroy");
    // How long the removal of a snapshot takes follows from its name, which is a time.
    session.run(0, "destroy --yes --progress none");
    session.run(1, "status");
    session.run(1, "destroy --yes");
    session.run(1, "kubeconfig");
    session.transcript().to_owned()
}

#[test]
fn a_cluster_like_aws() {
    let script = Script {
        init: "init prod.example.com --like aws --control-plane-count 3 --domain example.com --kubernetes-version 1.36.2",
        scale: ("replicas: 2", "replicas: 4"),
    };
    insta::assert_snapshot!("session_aws", play(&script));
}

#[test]
fn a_cluster_like_digitalocean() {
    let script = Script {
        init: "init small --like digitalocean --nodes 3 --kubernetes-version 1.36.2",
        scale: ("replicas: 3", "replicas: 1"),
    };
    insta::assert_snapshot!("session_digitalocean", play(&script));
}

#[test]
fn a_cluster_on_bare_machines() {
    let script = Script {
        init: "init metal --like ssh --host a=10.0.0.11:control-plane --host b=10.0.0.21:worker --host \
               c=10.0.0.22:worker --kubernetes-version 1.36.2",
        scale: (
            "        - { name: c, address: \"10.0.0.22\", roles: [worker] }\n",
            "        - { name: d, address: \"10.0.0.23\", roles: [worker] }\n",
        ),
    };
    insta::assert_snapshot!("session_ssh", play(&script));
}

#[test]
fn a_cluster_is_destroyed() {
    let mut session = Session::new(Lab::new());
    session.lab.expect(0, "init small --like digitalocean");
    session.lab.expect(0, "apply --yes --progress none");
    session.run(0, "destroy --yes");
    session.run(1, "destroy --yes");
    insta::assert_snapshot!("destroy", session.transcript());
}

#[test]
fn status_for_programs() {
    let lab = Lab::new();
    lab.expect(0, "init small --like digitalocean --kubernetes-version 1.36.2");
    let absent = lab.expect(1, "status -o json").json();
    assert_eq!(
        (&absent["exists"], &absent["condition"]),
        (&false.into(), &"absent".into())
    );
    lab.expect(0, "apply --yes --progress none");
    let status = lab.expect(0, "status -o json").json();
    assert_eq!(status["condition"], "healthy");
    let document = include_str!("../../docs/status-format.md");
    for field in status.as_object().unwrap().keys() {
        assert!(
            document.contains(&format!("| `{field}` |")),
            "docs/status-format.md: `{field}` is missing"
        );
    }
    assert_eq!(status["nodes"].as_array().unwrap().len(), 3);
    let yaml = lab.expect(0, "status -o yaml").stdout;
    assert!(yaml.contains("condition: healthy"), "{yaml}");
    lab.expect(0, "status --wait --timeout 5s");
    lab.edit("cluster.yaml", "replicas: 2", "replicas: 3");
    let degraded = lab.expect(1, "status -o json").json();
    assert_eq!(
        (&degraded["condition"], &degraded["pendingChanges"]),
        (&"degraded".into(), &3.into())
    );
    let waited = lab.expect(1, "status --wait --timeout 6s -o json");
    for words in [
        "still waiting: machine/workers-3: not there yet",
        "the cluster is not healthy and as the spec says after 6s",
        "`keelson plan` shows",
    ] {
        assert!(waited.stderr.contains(words), "{words}: {}", waited.stderr);
    }
    assert_eq!(waited.json()["problems"], degraded["problems"]);
}

#[test]
fn a_status_says_that_the_spec_alone_has_changed() {
    let lab = Lab::with_spec(SPEC);
    lab.expect(0, "apply --yes --progress none");
    lab.write("cluster.yaml", format!("{SPEC}  etcd: {{ quota: 4Gi }}\n"));
    let status = lab.expect(1, "status -o json").json();
    assert_eq!(status["condition"], "degraded");
    let problems = status["problems"].as_array().unwrap();
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert_eq!(
        problems[0]["problem"],
        "it is not as the spec says in one thing; `keelson plan` shows it"
    );
}

#[test]
fn protection_from_deletion() {
    let mut session = Session::new(Lab::new());
    session.lab.expect(0, "init small --nodes 0");
    session.edit("deletionProtection: false", "deletionProtection: true");
    session.lab.expect(0, "apply --yes --progress none");
    session.run(3, "destroy --yes");
    session.edit("deletionProtection: true", "deletionProtection: false");
    session.note("the cluster was last applied with protection");
    session.run(3, "destroy --yes");
    session.run(0, "destroy --yes --override-deletion-protection --progress none");
    insta::assert_snapshot!("protection", session.transcript());
}

#[test]
fn a_status_tells_when_the_lifetime_is_over() {
    let lab = Lab::with_spec(&format!("{SPEC}  lifetime: 2h\n"));
    lab.expect(0, "apply --yes --progress none");
    let record = lab.read(".keelson/prod.example.com/cluster.json");
    let record: serde_json::Value = serde_json::from_str(&record).unwrap();
    let time = |value: &serde_json::Value| -> jiff::Timestamp { value.as_str().unwrap().parse().unwrap() };
    let status = lab.expect(0, "status -o json").json();
    let lived = time(&status["endsAt"]).duration_since(time(&record["createdAt"]));
    assert_eq!(lived.as_secs(), 2 * 60 * 60);
    let text = lab.expect(0, "status").stdout;
    assert!(text.contains("Lifetime       until 20"), "{text}");
}
