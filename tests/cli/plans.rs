//! Plans in their formats, saved, moved on from, and blocked.

use super::lab::{Lab, Ran, Session};

pub(super) const SPEC: &str = "\
apiVersion: keelson.dev/v1alpha1
kind: Cluster
metadata: { name: prod.example.com }
spec:
  kubernetesVersion: 1.36.2
  provider: { simulated: { like: aws, seed: 7 } }
  network: { machineCIDR: 10.0.0.0/16 }
  controlPlane: { replicas: 1, machine: { type: m6i.large } }
  nodeGroups:
    - { name: workers, replicas: 2, machine: { type: m6i.large } }
";

/// The same where each worker is a machine of its own.
pub(super) fn spec_of_machines() -> String {
    SPEC.replace("like: aws", "like: digitalocean")
        .replace("m6i.large", "s-2vcpu-4gb")
}

fn planned() -> Lab {
    let lab = Lab::with_spec(SPEC);
    lab.expect(2, "plan --out p.json");
    lab
}

#[test]
fn formats() {
    let lab = Lab::with_spec(SPEC);
    let json = lab.expect(2, "plan -o json");
    assert_eq!(json.stderr, "");
    let json = json.json();
    assert_eq!(json["format"], "keelson.dev/plan/v1");
    assert_eq!(json["cluster"]["name"], "prod.example.com");
    let steps = json["steps"].as_array().unwrap();
    assert!(steps.len() > 15 && json["forecast"]["durationMs"].as_u64().unwrap() > 0);
    for (index, step) in steps.iter().enumerate() {
        let after = step["after"].as_array().unwrap();
        assert!(
            after
                .iter()
                .all(|earlier| earlier.as_u64().unwrap() < index as u64),
            "{step}"
        );
    }
    let yaml = lab.expect(2, "plan -o yaml");
    assert_eq!(yaml.stderr, "");
    let mut from_yaml: serde_json::Value = serde_saphyr::from_str(&yaml.stdout).unwrap();
    from_yaml["madeAt"] = json["madeAt"].clone();
    assert_eq!(from_yaml, json);
    lab.write("p.yaml", yaml.stdout);
    lab.expect(1, "apply --plan p.yaml --progress none").says(&[
        "p.yaml: it is not a plan",
        "help: `keelson plan --out FILE` makes a new one",
    ]);
    let html = lab.expect(2, "plan -o html").stdout;
    assert!(html.starts_with("<!DOCTYPE html>") && html.contains("<svg") && html.ends_with("</html>\n"));
    assert!(!html.contains('\u{1b}'));
    let svg = lab.expect(2, "plan --graph svg").stdout;
    assert!(svg.starts_with("<svg") && svg.ends_with("</svg>\n"), "{svg}");
    assert_eq!(svg.matches("<rect x=").count(), steps.len());
    let dot = lab.expect(2, "plan --graph dot").stdout;
    assert!(dot.starts_with("digraph plan {") && dot.ends_with("}\n"), "{dot}");
    let details = lab.expect(2, "plan --details").stdout;
    assert!(details.contains("subnet") && details.len() > lab.expect(2, "plan").stdout.len());
    assert!(
        !lab.path(".keelson/prod.example.com").exists(),
        "a plan left something behind"
    );
}

#[test]
fn a_saved_plan_is_carried_out() {
    let mut session = Session::new(Lab::with_spec(SPEC));
    session.run(2, "plan --out p.json --graph dot");
    session.run(1, "plan --out p.json");
    session.lab.expect(2, "plan --out p.json --force");
    session.run(0, "apply --plan p.json --progress none");
    session.run(0, "plan");
    session.run(3, "apply --plan p.json --progress none");
    let text = session.transcript();
    let shown: Vec<&str> = text
        .lines()
        .filter(|line| !line.contains(" | ") || line.contains("stderr"))
        .collect();
    insta::assert_snapshot!("saved_plan", shown.join("\n"));
}

#[test]
fn what_json_prints_can_be_applied() {
    let lab = Lab::with_spec(SPEC);
    let json = lab.expect(2, "plan -o json").stdout;
    lab.write("p.json", json);
    lab.expect(0, "apply --plan p.json --progress none");
    lab.expect(0, "plan");
}

#[test]
fn a_plan_that_does_not_fit_any_more_is_refused() {
    type Meddle = fn(&Lab);
    let table: [(&str, Meddle); 4] = [
        ("the spec has changed", |lab| {
            lab.edit("cluster.yaml", "replicas: 2", "replicas: 3");
        }),
        ("changed by hand", |lab| {
            let mut plan: serde_json::Value = serde_json::from_str(&lab.read("p.json")).unwrap();
            plan["steps"].as_array_mut().unwrap().pop();
            lab.write("p.json", plan.to_string());
        }),
        ("changed by hand", |lab| {
            lab.edit("p.json", "m6i.large", "m6i.metal");
        }),
        ("for another cluster", |lab| {
            lab.edit("cluster.yaml", "prod.example.com", "other.example.com");
        }),
    ];
    for (expected, meddle) in table {
        let lab = planned();
        meddle(&lab);
        let ran = lab.run("apply --plan p.json --progress none");
        ran.expect(3, expected)
            .says(&[expected, "help: nothing was changed"]);
        lab.expect(2, "plan");
    }
}

#[test]
fn the_world_moves_under_a_plan() {
    let lab = Lab::with_spec(SPEC);
    lab.expect(0, "apply --yes --progress none");
    lab.edit("cluster.yaml", "replicas: 2", "replicas: 3");
    lab.expect(2, "plan --out p.json");
    lab.edit("cluster.yaml", "replicas: 3", "replicas: 4");
    lab.expect(0, "apply --yes --progress none");
    lab.edit("cluster.yaml", "replicas: 4", "replicas: 3");
    lab.expect(3, "apply --plan p.json --progress none")
        .says(&["the world has moved"]);
}

/// The snapshot before an upgrade is named by the time at which it was planned.
#[test]
fn a_saved_upgrade_is_carried_out() {
    let lab = Lab::with_spec(SPEC);
    lab.expect(0, "apply --yes --progress none");
    lab.edit("cluster.yaml", "1.36.2", "1.37.0");
    lab.expect(2, "plan --out p.json");
    // Names of snapshots have whole seconds.
    std::thread::sleep(std::time::Duration::from_millis(1100));
    lab.expect(0, "apply --plan p.json --progress none");
    lab.expect(0, "plan");
}

#[test]
fn files_that_are_not_plans() {
    let lab = planned();
    let plan = lab.read("p.json");
    let no_plan = "it is not a plan: it is JSON, but has no `format`";
    let table: [(&[u8], &str); 9] = [
        (&plan.as_bytes()[..plan.len() / 2], "it is not a plan"),
        (b"", "it is not a plan"),
        (b"\x7fELF\x00\xff\xfe", "it is not a plan"),
        (b"[]", no_plan),
        (b"{}", no_plan),
        (b"3", no_plan),
        (br#"["keelson.dev/plan/v1"]"#, no_plan),
        (
            br#"{"format":"keelson.dev/plan/v9"}"#,
            "reads `keelson.dev/plan/v1`",
        ),
        (br#"{"format":"\u001b[31mred"}"#, "has the format"),
    ];
    for (content, expected) in table {
        lab.write("bad.json", content);
        let ran = lab
            .expect(1, "apply --plan bad.json")
            .says(&[expected, "help: `keelson plan --out FILE`"]);
        assert!(!ran.stderr.contains('\u{1b}'), "{}", ran.stderr);
    }
    lab.expect(1, "apply --plan nowhere.json")
        .says(&["no such file", "keelson plan --out"]);
    let cycle = plan.replacen("\"after\": []", "\"after\": [3]", 1);
    lab.write("cycle.json", cycle);
    lab.expect(1, "apply --plan cycle.json")
        .says(&["contradicts itself"]);
    lab.expect(2, "plan");
}

fn applied_then(edits: &[(&str, &str)]) -> Session {
    let mut session = Session::new(Lab::with_spec(SPEC));
    session.lab.edit("cluster.yaml", "1.36.2", "1.35.1");
    session.lab.expect(0, "apply --yes --progress none");
    for (from, to) in edits {
        session.edit(from, to);
    }
    session
}

#[test]
fn etcd_moves_to_machines_of_its_own_and_a_machine_with_a_volume_for_it_is_made_anew_without() {
    let dedicated = "  etcd: { placement: { dedicated: { replicas: 3 } } }\n  nodeGroups";
    let lab = applied_then(&[("  nodeGroups", dedicated)]).lab;
    let told = |words: &str| {
        let plan = lab.expect(2, "plan").stdout;
        assert!(plan.contains(words), "{plan}");
    };
    told(
        "Disruption: pods move off and machines are replaced: control-plane-1; etcd keeps its quorum; the API pauses: it has \
         one server\n",
    );
    lab.expect(0, "apply --yes --progress none");
    lab.expect(0, "plan");
    let larger = "dedicated: { replicas: 3, machine: { type: m6i.xlarge } }";
    lab.edit("cluster.yaml", "dedicated: { replicas: 3 }", larger);
    told("Disruption: machines are replaced: etcd-[1-3]; etcd keeps its quorum\n");
}

#[test]
fn blocked_plans_say_why_and_what_to_do() {
    let table: [(&str, &[(&str, &str)]); 4] = [
        ("blocked_network", &[("10.0.0.0/16", "10.8.0.0/16")]),
        ("blocked_skipped_minor", &[("1.35.1", "1.37.0")]),
        ("blocked_downgrade", &[("1.35.1", "1.34.3")]),
        (
            "blocked_only_member",
            &[(
                "replicas: 1, machine: { type: m6i.large }",
                "replicas: 1, machine: { type: m6i.xlarge }",
            )],
        ),
    ];
    for (name, edits) in table {
        let mut session = applied_then(edits);
        let plan: Ran = session.run(3, "plan");
        assert!(plan.stdout.contains("Blocked"), "{}", plan.stdout);
        session.run(3, "apply --yes --progress none");
        insta::assert_snapshot!(name, session.transcript());
    }
}

/// A kubelet must never be newer than an API server, also when the control plane may not move on.
#[test]
fn nodes_wait_for_a_control_plane_that_is_blocked() {
    let session = applied_then(&[("1.35.1", "1.37.0")]);
    let json = session.lab.expect(3, "plan -o json").json();
    let steps: Vec<&str> = json["steps"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|step| step["change"]["key"].as_str())
        .collect();
    assert!(steps.is_empty(), "{steps:?}");
}

#[test]
fn control_planes_that_become_workers_are_not_said_to_be_removed() {
    let hosts: Vec<String> = ["a", "b", "c", "d", "e"]
        .iter()
        .zip(11..)
        .map(|(name, number)| {
            format!("        - {{ name: {name}, address: 10.0.0.{number}, roles: [control-plane] }}\n")
        })
        .collect();
    let hosts = hosts.concat();
    let lab = Lab::with_spec(&format!(
        "apiVersion: keelson.dev/v1alpha1\nkind: Cluster\nmetadata: {{ name: metal }}\nspec:\n  \
         kubernetesVersion: 1.35.6\n  provider:\n    simulated:\n      like: ssh\n      \
         apiAddress: 10.0.0.100\n      hosts:\n{hosts}"
    ));
    lab.expect(0, "apply --yes --progress none");
    for (name, number) in [("d", 14), ("e", 15)] {
        let host = |role: &str| format!("{{ name: {name}, address: 10.0.0.{number}, roles: [{role}] }}");
        lab.edit("cluster.yaml", &host("control-plane"), &host("worker"));
    }
    lab.edit("cluster.yaml", "1.35.6", "1.36.2");
    let plan = lab.expect(2, "plan").stdout;
    assert!(
        plan.contains("Disruption: pods move off a, b, c; the control plane leaves d, e; "),
        "{plan}"
    );
    lab.expect(0, "apply --yes --progress none");
    lab.expect(0, "plan");
}
