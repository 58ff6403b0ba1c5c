//! Pods that serve, and what is left of a cluster when it is gone.

use std::collections::BTreeSet;
use std::time::Duration;

use super::site::{Site, eventually};

/// A page on each node that takes pods, behind one Service.
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
          command: [sh, -c, 'mkdir /tmp/www; hostname > /tmp/www/index.html; echo page of $(hostname); exec httpd -f -p 8080 -h /tmp/www']
---
apiVersion: v1
kind: Service
metadata: { name: web }
spec: { type: NodePort, selector: { app: web }, ports: [{ port: 80, targetPort: 8080, nodePort: 30080 }] }
";

/// What DNS calls that Service.
const NAME: &str = "web.default.svc.cluster.local";

/// What of Kubernetes and of keelson is on a host. The configuration of a containerd that Debian brought stays.
const LEFT: &str = "ls -d /etc/kubernetes /opt/keelson /opt/cni /var/lib/keelson* /etc/keelson /var/lib/kubelet/* \
                    /etc/cni/net.d/* /var/lib/cni /var/lib/etcd/* /var/lib/containerd/* /var/log/pods/* /var/log/kubernetes 2>/dev/null; \
                    pgrep -l '^(kube|etcd|containerd|keepalived)'; getent passwd etcd keelson-check; \
                    ip route show proto 76; nft list tables | grep -e keelson -e kube-proxy -e cni_; \
                    ip -o link | awk -F ': ' '{ sub(/@.*/, \"\", $2); print $2 }' | grep -vx -e lo -e eth0; \
                    iptables-save 2>/dev/null | grep -e KUBE -e CNI-; \
                    ls -d /opt/containerd /usr/libexec/kubernetes /run/containerd /run/netns/cni-* 2>/dev/null; \
                    awk '$5 ~ \"^/(var/lib/(kubelet|containerd)|run/(containerd|netns))/\" { print $5 }' /proc/self/mountinfo; true";

/// Has a pod run on each node that takes pods, and gives their names.
fn run(site: &Site, on: &str) -> Vec<String> {
    let manifest = PODS.replace("REGISTRY", &site.registry());
    site.kubectl(on, &format!("apply -f - <<'END'\n{manifest}\nEND"));
    site.kubectl(on, "rollout status daemonset/web --timeout=120s");
    let pods = site.kubectl(on, "get pods -l app=web -o name");
    pods.lines().map(str::to_owned).collect()
}

/// The page that `pod` finds at `place`.
fn page(site: &Site, on: &str, pod: &str, place: &str) -> Result<String, String> {
    let ask = format!("exec {pod} -- timeout 5 wget -q -O - http://{place}");
    site.try_kubectl(on, &ask)
}

/// Waits until the cluster's DNS knows a Service that is made now, whoever of it answers, and gives how long that took. What has
/// lost its API server looks for another after 30 s at first and up to twice that
/// (<https://github.com/kubernetes/client-go/blob/master/tools/cache/reflector.go>).
pub(super) fn wait_for_names(site: &Site, on: &str) -> Duration {
    let pods = run(site, on);
    eventually(
        "DNS knows a Service that is new",
        Duration::from_secs(150),
        || {
            // One that is behind is missed by all of them once in a thousand times.
            (0..10).all(|_| page(site, on, &pods[0], NAME).is_ok())
        },
    )
}

/// A pod on each of `count` nodes, reached by the Service's address, by its name across nodes, and by the port of nodes;
/// kubectl runs on `on`, a control plane.
pub(super) fn serve(site: &Site, on: &str, count: usize, nodes: &[&str]) {
    let pods = run(site, on);
    assert_eq!(pods.len(), count, "a pod on each node: {pods:?}");
    let addresses = site.kubectl(on, "get pods -l app=web -o jsonpath={.items[*].status.podIP}");
    let address = site.kubectl(on, "get service web -o jsonpath={.spec.clusterIP}");
    for pod in &pods {
        let page = |place: &str| {
            page(site, on, pod, place).unwrap_or_else(|problem| panic!("{problem}\n{}", names(site, on)))
        };
        let pages: BTreeSet<String> = addresses
            .split_whitespace()
            .map(|address| page(&format!("{address}:8080")))
            .collect();
        assert_eq!(pages.len(), count, "{pod} hears each of them: {pages:?}");
        // By the Service's address and by its name, sooner or later each of them answers: kube-proxy draws lots. That one of
        // five is missed all the time happens once in a thousand million runs; with 40 questions it did happen.
        for service in [address.as_str(), NAME] {
            let mut heard = BTreeSet::new();
            for _ in 0..120 {
                heard.insert(page(service));
                if heard == pages {
                    break;
                }
            }
            assert_eq!(heard, pages, "{pod} asks {service}");
        }
    }
    for name in nodes {
        let address = site.desk.host(name).address();
        let ask = format!("curl --silent --fail --max-time 5 http://{address}:30080");
        assert!(
            !site.desk.host(on).run(&ask).unwrap().is_empty(),
            "the port of {name}"
        );
    }
    for pod in &pods {
        let name = pod.trim_start_matches("pod/");
        assert_eq!(
            site.kubectl(on, &format!("logs {pod}")),
            format!("page of {name}\n")
        );
    }
}

/// What there is to know about the cluster's DNS.
fn names(site: &Site, on: &str) -> String {
    let asks = [
        "-n kube-system get pods -o wide",
        "get endpointslices -A -o yaml",
        "get services -A",
        "-n kube-system logs -l k8s-app=kube-dns --tail=40 --prefix --timestamps",
        "-n kube-system get events --sort-by=.lastTimestamp",
    ];
    let told = asks.map(|ask| {
        let answer = site.try_kubectl(on, ask);
        format!("{ask}: {}", answer.unwrap_or_else(|problem| problem))
    });
    let clock = site.desk.host(on).run("date -u +%FT%TZ");
    format!("{}\n{}", clock.unwrap_or_default().trim(), told.join("\n"))
}

/// Fails where something is left on a host.
pub(super) fn nothing_is_left(site: &Site, names: &[&str]) {
    for name in names {
        assert_eq!(site.desk.host(name).run(LEFT).unwrap().trim(), "", "{name}");
    }
}
