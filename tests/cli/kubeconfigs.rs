//! `keelson kubeconfig`: where it goes.

use std::os::unix::fs::PermissionsExt;

use super::lab::{Lab, Ran, Running};
use super::plans::SPEC;

fn applied() -> Lab {
    let lab = Lab::with_spec(SPEC);
    lab.expect(0, "apply --yes --progress none");
    lab
}

fn with_environment(lab: &Lab, arguments: &str, variables: &[(&str, String)]) -> Ran {
    let mut command = lab.command(arguments.split_whitespace());
    command.envs(variables.iter().map(|(name, value)| (name, value)));
    Running::start(command).end()
}

fn contexts(text: &str) -> (Vec<String>, String) {
    let file: serde_json::Value = serde_saphyr::from_str(text).unwrap();
    let contexts = file["contexts"].as_array().unwrap().iter();
    let names = contexts.map(|context| context["name"].as_str().unwrap().to_owned());
    (
        names.collect(),
        file["current-context"].as_str().unwrap().to_owned(),
    )
}

#[test]
fn credentials_are_merged_where_kubectl_looks() {
    let lab = applied();
    let name = "prod.example.com";
    let context = |user: &str| format!("{user}@{name}");
    let home = lab.path("home").display().to_string();
    let in_home = [("HOME", home.clone())];
    with_environment(&lab, "kubeconfig --merge", &in_home)
        .expect(0, "kubeconfig --merge")
        .says(&["home/.kube/config has them now"]);
    let mode = |path: &str| lab.path(path).metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("home/.kube"), mode("home/.kube/config")), (0o700, 0o600));
    assert_eq!(
        contexts(&lab.read("home/.kube/config")),
        (vec![context("admin")], context("admin"))
    );

    // Somebody else's stay, and the current one if that is asked for.
    let arguments = "kubeconfig --user ann --group team --merge --keep-context";
    with_environment(&lab, arguments, &in_home).expect(0, arguments);
    let both = vec![context("admin"), context("ann")];
    assert_eq!(
        contexts(&lab.read("home/.kube/config")),
        (both.clone(), context("admin"))
    );
    // Twice is once.
    with_environment(&lab, "kubeconfig --merge", &in_home).expect(0, "kubeconfig --merge");
    assert_eq!(contexts(&lab.read("home/.kube/config")), (both, context("admin")));

    let list = [
        ("HOME", home),
        ("KUBECONFIG", format!("{}:/nowhere", lab.path("listed").display())),
    ];
    with_environment(&lab, "kubeconfig --merge", &list).expect(0, "kubeconfig --merge");
    assert_eq!(contexts(&lab.read("listed")).1, context("admin"));
    lab.expect(0, "kubeconfig --merge=named");
    assert_eq!(contexts(&lab.read("named")).1, context("admin"));
    assert!(!lab.path("named.lock").exists());
}

#[test]
fn what_cannot_be_merged_into_stays_as_it_is() {
    let lab = applied();
    lab.expect(2, "kubeconfig --merge")
        .says(&["no home directory", "--merge=FILE"]);
    lab.expect(2, "kubeconfig --keep-context");
    lab.expect(2, "kubeconfig --merge=a --out b");
    lab.write("other", "hunter2: [");
    let ran = lab
        .expect(1, "kubeconfig --merge=other")
        .says(&["cannot add to", "left as it is"]);
    assert!(!ran.stderr.contains("hunter2"), "{}", ran.stderr);
    assert_eq!(lab.read("other"), "hunter2: [");
    lab.write("busy", "");
    lab.write("busy.lock", "");
    lab.expect(1, "kubeconfig --merge=busy")
        .says(&["someone else is changing", "busy.lock"]);
    assert_eq!(lab.read("busy"), "");
    lab.write("a-file", "");
    lab.expect(1, "kubeconfig --merge=a-file/config").says(&["help:"]);
    std::os::unix::fs::symlink("target", lab.path("link")).unwrap();
    lab.write("target", "");
    lab.expect(0, "kubeconfig --merge=link");
    assert!(lab.path("link").is_symlink() && lab.read("target").contains("admin@"));
}

#[test]
fn nobody_gets_what_is_kubernetes_own_for_longer_than_a_repair_takes() {
    let lab = applied();
    for who in [
        "--user eve --group system:masters",
        "--user eve --group team --group system:nodes",
        "--user system:node:a --group team",
    ] {
        let ran = lab.expect(2, &format!("kubeconfig {who}"));
        assert!(ran.stderr.contains("are Kubernetes' own"), "{}", ran.stderr);
    }
    lab.expect(2, "kubeconfig --break-glass --validity 2h");
}

/// Where nothing upstream can be reached.
const CUT_OFF: &str = "\
apiVersion: keelson.dev/v1alpha1
kind: Cluster
metadata: { name: here }
spec:
  stateStore: ./state
  assets: { proxy: http://127.0.0.1:1 }
  provider:
    ssh:
      hosts:
        - { name: here, address: local, roles: [control-plane, worker] }
";

#[test]
fn credentials_need_no_word_from_upstream() {
    let lab = Lab::with_spec(CUT_OFF);
    lab.expect(1, "kubeconfig --break-glass")
        .says(&["there is no cluster", "help:"]);
}

#[test]
fn days_are_a_validity() {
    let lab = applied();
    lab.expect(0, "kubeconfig --validity 30d");
    lab.expect(2, "kubeconfig --validity 366d").says(&["365"]);
}
