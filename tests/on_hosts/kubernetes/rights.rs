//! Who may do what: people with certificates, nodes, and whoever has a bootstrap token.

use std::time::Duration;

use super::site::{Site, eventually};

/// Someone whose certificate says who it is, and whose rights are those of a binding.
pub(super) fn of_people(site: &Site) {
    site.kubectl("a", "create namespace team");
    site.kubectl(
        "a",
        "create rolebinding developers --namespace=team --clusterrole=view --group=developers",
    );
    site.desk.expect(
        0,
        "kubeconfig --user ann --group developers --validity 10m --out ann.kubeconfig",
    );
    for (arguments, is_allowed) in [
        ("auth whoami", true),
        ("get pods --namespace=team", true),
        ("get secrets --namespace=team", false),
        ("create configmap a --namespace=team", false),
        ("get pods --namespace=default", false),
        ("get nodes", false),
    ] {
        let (succeeded, said) = site.kubectl_with("ann.kubeconfig", arguments);
        assert_eq!(succeeded, is_allowed, "ann: {arguments}: {said}");
        assert!(
            is_allowed || said.contains("Forbidden") || said.contains("forbidden"),
            "{said}"
        );
    }
    site.kubectl("a", "delete rolebinding developers --namespace=team");
    let (succeeded, said) = site.kubectl_with("ann.kubeconfig", "get pods --namespace=team");
    assert!(!succeeded, "without a binding there is no right: {said}");

    // An administrator's rights are a binding's too; those for repairs are not.
    site.desk.expect(0, "kubeconfig --out admin.kubeconfig");
    site.desk
        .expect(0, "kubeconfig --break-glass --out repair.kubeconfig");
    for kubeconfig in ["admin.kubeconfig", "repair.kubeconfig"] {
        let (succeeded, said) = site.kubectl_with(kubeconfig, "auth can-i '*' '*' --all-namespaces");
        assert!(succeeded && said.trim() == "yes", "{kubeconfig}: {said}");
    }
}

/// A node speaks for itself alone, and gives itself no label that others rely on.
pub(super) fn of_nodes(site: &Site, node: &str, other: &str) {
    let kubectl = |arguments: &str| {
        let command =
            format!("/opt/keelson/bin/kubectl --kubeconfig /etc/kubernetes/kubelet.conf {arguments} 2>&1");
        let said = site.desk.host(node).run(&format!("{command}; echo \"code $?\""));
        said.unwrap()
    };
    let own = kubectl(&format!("get node {node} -o name"));
    assert!(own.contains("code 0"), "{own}");
    for forbidden in [
        format!("label node {other} a=b"),
        format!("label node {node} node-restriction.kubernetes.io/team=mine"),
        format!("taint node {node} a=b:NoSchedule"),
        "get secrets --all-namespaces".to_owned(),
    ] {
        let said = kubectl(&forbidden);
        assert!(
            said.contains("orbidden") && !said.contains("code 0"),
            "{forbidden}: {said}"
        );
    }
}

/// A token lets a kubelet ask for a certificate until its time has come, and then nothing.
pub(super) fn of_bootstrap_tokens(site: &Site) {
    let secret = "apiVersion: v1\nkind: Secret\ntype: bootstrap.kubernetes.io/token\nmetadata: { name: bootstrap-token-abcdef, \
                  namespace: kube-system }\nstringData:\n  token-id: abcdef\n  token-secret: 0123456789abcdef\n  \
                  usage-bootstrap-authentication: \"true\"\n  auth-extra-groups: system:bootstrappers:keelson:nodes\n  expiration: \
                  \"EXPIRATION\"\n";
    let expiration = site
        .desk
        .host("a")
        .run("date --utc --date='+60 seconds' +%Y-%m-%dT%H:%M:%SZ")
        .unwrap();
    let secret = secret.replace("EXPIRATION", expiration.trim());
    site.kubectl("a", &format!("apply -f - <<'END'\n{secret}\nEND"));
    let answer = || {
        let ask = "curl --silent -k -o /dev/null -w '%{http_code}' -H 'Authorization: Bearer abcdef.0123456789abcdef' \
                   https://127.0.0.1:6443/api/v1/nodes";
        site.desk.host("a").run(ask).unwrap()
    };
    eventually("the token is known", Duration::from_secs(50), || {
        answer() == "403"
    });
    eventually("the token is useless", Duration::from_secs(120), || {
        answer() == "401"
    });
    // And it is cleaned away, as are those that nodes have joined with.
    eventually("no token is left", Duration::from_secs(60), || {
        let tokens =
            "get secrets --namespace=kube-system --field-selector=type=bootstrap.kubernetes.io/token -o name";
        site.kubectl("a", tokens).trim().is_empty()
    });
}
