//! Single nodes: emptied, taken out, brought in, while the rest of the cluster stays as it is.

use std::time::Duration;

use super::pods;
use super::site::{Site, eventually};
use crate::on_hosts::renewal::{RENEWAL_IS_DUE, age_certificates};

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
    eventually("its pods are gone", Duration::from_secs(180), || {
        pods_there() == 0
    });
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
    let seen = site.desk.run("status -o json");
    assert_eq!(seen.code, Some(1), "{seen:#?}");
    let status: serde_json::Value = serde_json::from_str(&seen.stdout).unwrap();
    assert_eq!(status["condition"], "degraded", "{status:#}");
    // What else differs is drift, as long as something is wrong that keeps a machine from serving.
    let problems = status["problems"].to_string();
    for (name, unit) in &units[..2] {
        assert!(
            problems.contains(&format!("control-plane/{name}")) && problems.contains(unit),
            "{unit} of {name}: {problems}"
        );
    }
    assert_eq!(status["pendingChanges"], units.len(), "{status:#}");
    for node in status["nodes"].as_array().unwrap() {
        assert_eq!(node["version"], site.version(), "{status:#}");
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

/// Certificates that end soon are renewed, and shown to clients, by processes that have gone on running.
pub(super) fn certificates_near_their_end_are_renewed(site: &Site, control_plane: &str, worker: &str) {
    let ports = [(control_plane, 6443), (control_plane, 10250), (worker, 10250)];
    let lasts = |name: &str, port: u16| {
        let ask = format!(
            "openssl s_client -connect 127.0.0.1:{port} </dev/null 2>/dev/null | openssl x509 -noout -checkend {}",
            360 * 24 * 60 * 60
        );
        site.desk.host(name).run(&ask).is_ok()
    };
    let processes =
        || [control_plane, worker].map(|name| site.desk.host(name).run("pgrep -x kubelet").unwrap());
    let spec = std::fs::read_to_string(site.desk.path("cluster.yaml")).unwrap();
    for name in [control_plane, worker] {
        age_certificates(&site.desk, &spec, name, RENEWAL_IS_DUE);
    }
    for (name, port) in ports {
        eventually("the old one is shown", Duration::from_secs(120), || {
            !lasts(name, port)
        });
    }
    let before = processes();
    let plan = site.desk.expect(2, "plan").stdout;
    assert!(plan.contains("certificates"), "{plan}");
    site.desk.expect(0, "apply --yes");
    for (name, port) in ports {
        eventually("the new one is shown", Duration::from_secs(120), || {
            lasts(name, port)
        });
    }
    assert_eq!(processes(), before, "kubelets read them anew");
    site.desk.expect(0, "status --wait --timeout 120s");
    site.desk.expect(0, "plan");
}
