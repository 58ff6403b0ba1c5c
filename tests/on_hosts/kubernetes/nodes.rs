//! Single nodes: emptied, taken out, brought in, while the rest of the cluster stays as it is.

use std::time::Duration;

use super::pods;
use super::site::{Site, eventually};

/// `node` is a worker of `whole`; `without` and `with` write the spec.
pub(super) fn leave_and_come(site: &Site, node: &str, without: impl FnOnce(), with: impl FnOnce()) {
    let pods_there = || {
        let ask = format!("get pods --field-selector=spec.nodeName={node} -l app=movable -o name");
        site.kubectl("a", &ask).lines().count()
    };
    let image = format!("{}/e2e-test-images/busybox:1.36", site.registry());
    site.kubectl(
        "a",
        &format!("create deployment movable --image={image} --replicas=6 -- sleep 3600"),
    );
    site.kubectl("a", "rollout status deployment/movable --timeout=90s");
    assert!(pods_there() > 0, "some run on {node}");

    // A budget that allows nothing is waited for, and named when time is up.
    site.kubectl(
        "a",
        "create poddisruptionbudget movable --selector=app=movable --min-available=6",
    );
    let refused = site.desk.expect(1, &format!("node drain {node} --timeout 5s"));
    assert!(refused.stderr.contains("disruption budget"), "{refused:#?}");
    site.kubectl("a", "delete poddisruptionbudget movable");
    let drained = site.desk.expect(0, &format!("node drain {node}"));
    assert!(drained.stderr.contains("is drained"), "{drained:#?}");
    eventually("its pods are gone", Duration::from_secs(60), || pods_there() == 0);
    site.desk.expect(0, &format!("node uncordon {node}"));

    let files = "find /etc/kubernetes /etc/systemd/system /var/lib/keelson -type f -newer /tmp/before | sort";
    for name in ["a", "b", "c"] {
        site.desk.host(name).run("touch /tmp/before").unwrap();
    }
    let still_wanted = site.desk.expect(1, &format!("node remove {node} --yes"));
    assert!(
        still_wanted.stderr.contains("the spec still has"),
        "{still_wanted:#?}"
    );
    without();
    site.desk.expect(0, &format!("node remove {node} --yes"));
    pods::nothing_is_left(site, &[node]);
    let nodes = site.kubectl("a", "get nodes -o name");
    assert!(!nodes.contains(&format!("node/{node}")), "{nodes}");
    with();
    site.desk
        .expect(0, &format!("node add {node} --yes --accept-new-host-keys"));
    site.kubectl(
        "a",
        &format!("wait --for=condition=Ready node/{node} --timeout=60s"),
    );
    site.desk.expect(0, "plan");
    for name in ["a", "b", "c"] {
        let written = site.desk.host(name).run(files).unwrap();
        assert_eq!(written.trim(), "", "no control plane was touched: {name}");
    }
    site.kubectl("a", "delete deployment movable");
}

/// What somebody has stopped on machines is seen, and runs again after an apply. `a` is a control plane, `d` a worker.
pub(super) fn what_was_stopped_runs_again(site: &Site) {
    let units = [
        ("a", "kubelet.service"),
        ("b", "containerd.service"),
        ("c", "keelson-keepalived.service"),
        ("d", "keelson-routes.service"),
    ];
    for (name, unit) in units {
        let stop = format!("systemctl stop {unit}");
        site.desk.host(name).run(&stop).unwrap();
    }
    let plan = site.desk.expect(2, "plan").stdout;
    for (_, unit) in units {
        assert!(plan.contains(unit), "{unit}: {plan}");
    }
    site.desk.expect(0, "apply --yes");
    for (name, unit) in units {
        let runs = format!("systemctl is-active {unit}");
        site.desk.host(name).run(&runs).unwrap();
    }
    site.desk.expect(0, "status --wait --timeout 120s");
    site.desk.expect(0, "plan");
}

/// Nodes that somebody deleted from the API, and a worker whose certificate is lost, come in again.
pub(super) fn what_was_deleted_comes_again(site: &Site, control_plane: &str, worker: &str) {
    site.kubectl("a", &format!("delete node {control_plane} {worker}"));
    let plan = site.desk.expect(2, "plan").stdout;
    assert!(plan.contains(&format!("node/{control_plane}")), "{plan}");
    site.desk.expect(0, "apply --yes");
    let lose = "systemctl stop kubelet && rm -rf /var/lib/kubelet/pki /etc/kubernetes/kubelet.conf";
    site.desk.host(worker).run(lose).unwrap();
    site.desk.expect(0, "apply --yes");
    for name in [control_plane, worker] {
        site.kubectl(
            "a",
            &format!("wait --for=condition=Ready node/{name} --timeout=60s"),
        );
    }
    site.desk.expect(0, "plan");
}
