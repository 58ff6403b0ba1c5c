//! From empty hosts to a cluster that serves, through the loss of a control plane, to nothing.

use std::time::{Duration, Instant};

use super::site::{Site, eventually};
use super::{cis, rights};

/// A page on each worker, behind one Service.
const PODS: &str = r"
apiVersion: apps/v1
kind: DaemonSet
metadata: { name: web }
spec:
  selector: { matchLabels: { app: web } }
  template:
    metadata: { labels: { app: web } }
    spec:
      containers:
        - name: web
          image: REGISTRY/e2e-test-images/busybox:1.36
          command: [sh, -c, 'mkdir /tmp/www; hostname > /tmp/www/index.html; exec httpd -f -p 8080 -h /tmp/www']
---
apiVersion: v1
kind: Service
metadata: { name: web }
spec: { type: NodePort, selector: { app: web }, ports: [{ port: 80, targetPort: 8080, nodePort: 30080 }] }
";

/// What of Kubernetes and of keelson is on a host. The configuration of a containerd that Debian brought stays.
const LEFT: &str = "ls -d /etc/kubernetes /opt/keelson /opt/cni /var/lib/keelson* /etc/keelson /var/lib/kubelet/* \
                    /etc/cni/net.d/* /var/lib/etcd/* /var/lib/containerd/* /var/log/pods/* /var/log/kubernetes 2>/dev/null; \
                    pgrep -l '^(kube|etcd|containerd|keepalived)'; getent passwd etcd keelson-check; \
                    ip route show proto 76; nft list tables | grep -e keelson -e kube-proxy; ip link show keelson0 2>/dev/null; \
                    true";

#[test]
fn three_control_planes_and_two_workers_come_serve_survive_and_go() {
    let test = "on_hosts::kubernetes::whole::three_control_planes_and_two_workers_come_serve_survive_and_go";
    let Some(site) = Site::with_hosts(test, &["a", "b", "c", "d", "e"]) else {
        return;
    };
    let address = site.api_address();
    site.spec(
        &[
            ("a", "control-plane"),
            ("b", "control-plane"),
            ("c", "control-plane"),
            ("d", "worker"),
            ("e", "worker"),
        ],
        &format!("      apiAddress: {address}\n"),
        "  controlPlane: { replicas: 3 }\n  nodeGroups: [{ name: workers, replicas: 2, labels: { tier: web } }]\n",
    );
    let desk = &site.desk;
    desk.expect(2, "plan --accept-new-host-keys");
    let begun = Instant::now();
    desk.expect(0, "apply --yes");
    println!("five empty hosts to five nodes Ready: {:?}", begun.elapsed());
    // The pods of add-ons may still be on their way.
    desk.expect(0, "status --wait --timeout 120s");
    let again = desk.expect(0, "apply --yes");
    assert!(again.stderr.contains("nothing was changed"), "{again:#?}");

    serves(&site);
    what_is_asked_of_the_api_is_granted_narrowly(&site);
    rights::of_people(&site);
    rights::of_nodes(&site, "d", "e");
    rights::of_bootstrap_tokens(&site);
    cis::hold(&site, &[("a", true), ("d", false)]);
    the_loss_of_the_holder_is_survived(&site, &address);

    desk.expect(0, "destroy --yes");
    for name in ["a", "b", "c", "d", "e"] {
        assert_eq!(desk.host(name).run(LEFT).unwrap().trim(), "", "{name}");
    }
}

/// Pods on each worker, reached by the Service's address, by its name across nodes, and by the port of nodes.
fn serves(site: &Site) {
    let manifest = PODS.replace("REGISTRY", &site.registry());
    let apply = format!("apply -f - <<'END'\n{manifest}\nEND");
    site.kubectl("a", &apply);
    site.kubectl("a", "rollout status daemonset/web --timeout=120s");
    let pods = site.kubectl("a", "get pods -l app=web -o name");
    let pods: Vec<&str> = pods.lines().collect();
    assert_eq!(pods.len(), 2, "a pod on each worker: {pods:?}");
    let mut pages = std::collections::BTreeSet::new();
    for _ in 0..10 {
        for pod in &pods {
            let ask = format!("exec {pod} -- wget -q -T 5 -O - http://web.default.svc.cluster.local");
            pages.insert(site.kubectl("a", &ask));
        }
    }
    assert_eq!(
        pages.len(),
        2,
        "both pods answer, also from the other node: {pages:?}"
    );
    for name in ["a", "d", "e"] {
        let address = site.desk.host(name).address();
        let ask = format!("curl --silent --fail --max-time 5 http://{address}:30080");
        assert!(
            !site.desk.host("b").run(&ask).unwrap().is_empty(),
            "the port of {name}"
        );
    }
    site.kubectl("a", &format!("logs {}", pods[0]));
    let labels = site.kubectl("a", "get nodes -l tier=web -o name");
    assert_eq!(labels.lines().count(), 2);
}

/// Anonymous access, encryption, the audit log, standards of pods.
fn what_is_asked_of_the_api_is_granted_narrowly(site: &Site) {
    let status = |path: &str| {
        let ask = format!("curl --silent -k -o /dev/null -w '%{{http_code}}' https://127.0.0.1:6443{path}");
        site.desk.host("a").run(&ask).unwrap()
    };
    assert_eq!(status("/readyz"), "200");
    assert_eq!(status("/version"), "401");
    assert_eq!(status("/api"), "401");

    site.kubectl(
        "a",
        "create secret generic hidden --from-literal=word=tell-nobody",
    );
    let etcdctl = "ETCDCTL_API=3 /opt/keelson/bin/etcdctl --cacert /etc/etcd/pki/ca.crt --cert \
                   /etc/etcd/pki/healthcheck-client.crt --key /etc/etcd/pki/healthcheck-client.key";
    let kept = format!("{etcdctl} get /registry/secrets/default/hidden | tr -d '\\0' | head -c 400");
    let kept = site.desk.host("a").run(&kept).unwrap();
    assert!(
        kept.contains("k8s:enc:secretbox:v1:keelson") && !kept.contains("tell-nobody"),
        "{kept}"
    );
    let audited = "grep -h '\"resource\":\"secrets\"' /var/log/kubernetes/audit/audit.log | grep -c hidden";
    let audited = ["a", "b", "c"].map(|name| site.desk.host(name).run(audited).unwrap_or_default());
    assert!(audited.iter().any(|count| count.trim() != "0"), "{audited:?}");
    let told = "grep -l tell-nobody /var/log/kubernetes/audit/audit.log; true";
    assert_eq!(site.desk.host("a").run(told).unwrap().trim(), "");

    let privileged = "run bad --image=none --overrides='{\"spec\":{\"hostNetwork\":true}}' 2>&1; true";
    let refused = site.kubectl("a", privileged);
    assert!(refused.contains("violates PodSecurity"), "{refused}");
}

fn the_loss_of_the_holder_is_survived(site: &Site, address: &str) {
    let holds = |name: &&str| {
        let addresses = site.desk.host(name).run("ip -oneline address show").unwrap();
        addresses.contains(&format!(" {address}/"))
    };
    let holder = ["a", "b", "c"].into_iter().find(holds).unwrap();
    site.desk.host(holder).power_cut().unwrap();
    let without = eventually(
        "the API answers without its holder",
        Duration::from_secs(60),
        || site.api_answers("d", address),
    );
    println!("the API was away for {without:?} when {holder} lost power");
    site.desk.host(holder).start().unwrap();
    site.desk.host(holder).wait_for_ssh().unwrap();
    site.desk.expect(0, "status --wait --timeout 240s");
}
