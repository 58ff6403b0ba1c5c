//! Every shape that a cluster on hosts can have comes up, serves, has nothing left to do, and goes. The usual one, control
//! planes and workers apart, is in `whole`.

use std::time::Instant;

use keelson_provider_api::etcd::{EVENTS, MAIN};
use keelson_provider_api::values::Digest;
use keelson_test_hosts::serve_directory;

use super::pods;
use super::site::Site;

/// Brings up what the spec says and takes it down; pods run on `count` nodes, `on` is a control plane.
fn lives(site: &Site, on: &str, count: usize, hosts: &[&str]) {
    comes(site, on, count, hosts);
    goes(site, hosts);
}

fn comes(site: &Site, on: &str, count: usize, hosts: &[&str]) {
    let begun = Instant::now();
    site.desk.expect(0, "apply --yes --accept-new-host-keys");
    println!(
        "{} empty hosts to every node Ready: {:?}",
        hosts.len(),
        begun.elapsed()
    );
    site.desk.expect(0, "status --wait --timeout 120s");
    let again = site.desk.expect(0, "apply --yes");
    assert!(again.stderr.contains("nothing was changed"), "{again:#?}");
    pods::serve(site, on, count, &[on]);
}

fn goes(site: &Site, hosts: &[&str]) {
    site.desk.expect(0, "destroy --yes");
    pods::nothing_is_left(site, hosts);
}

/// What an etcd of that host holds of Kubernetes.
fn etcd_holds(site: &Site, host: &str, prefix: &str, port: u16) -> String {
    let ask = format!(
        "ETCDCTL_API=3 /opt/keelson/bin/etcdctl --endpoints 127.0.0.1:{port} --cacert /etc/etcd/pki/ca.crt --cert \
         /etc/etcd/pki/healthcheck-client.crt --key /etc/etcd/pki/healthcheck-client.key get {prefix} --prefix --keys-only \
         --limit 3"
    );
    site.desk.host(host).run(&ask).unwrap()
}

/// Fails where an etcd runs on a host.
fn no_etcd_runs(site: &Site, host: &str) {
    site.desk.host(host).run("! pgrep -x etcd").unwrap();
}

#[test]
fn one_host_is_everything() {
    let Some(site) = Site::with_hosts("on_hosts::kubernetes::topologies::one_host_is_everything", &["a"])
    else {
        return;
    };
    site.spec(&[("a", "control-plane, worker")], "", "");
    // The other way to implement Services.
    site.edit("kubeProxy: {", "kubeProxy: { mode: iptables,");
    comes(&site, "a", 1, &["a"]);
    let services =
        "iptables-save -t nat | grep -q KUBE-SERVICES && ! nft list table ip kube-proxy 2>/dev/null";
    site.desk.host("a").run(services).unwrap();
    goes(&site, &["a"]);
}

#[test]
fn five_control_planes_are_workers_too() {
    let test = "on_hosts::kubernetes::topologies::five_control_planes_are_workers_too";
    let names = ["a", "b", "c", "d", "e"];
    let Some(site) = Site::with_hosts(test, &names) else {
        return;
    };
    let address = site.api_address();
    let roles = names.map(|name| (name, "control-plane, worker"));
    site.spec(&roles, &format!("      apiAddress: {address}\n"), "");
    behind_firewalls(&site, &names);
    lives(&site, "c", 5, &names);
}

/// Gives each host a firewall that lets in nothing but ssh and what keelson says that it needs.
fn behind_firewalls(site: &Site, hosts: &[&str]) {
    for name in hosts {
        let host = site.desk.host(name);
        host.run("mkdir -p /etc/ufw && echo ENABLED=yes >/etc/ufw/ufw.conf")
            .unwrap();
    }
    let plan = site.desk.expect(2, "plan --accept-new-host-keys").stdout;
    let told = "firewall: ufw may close ports that the cluster needs: ";
    let ports = plan.lines().find_map(|line| Some(line.split_once(told)?.1));
    let (ports, vrrp) = ports.unwrap().split_once(", and IP protocol ").unwrap();
    let protocol = vrrp.split_once(' ').unwrap().0;
    let rules = format!(
        "table inet their_firewall {{
            chain input {{
                type filter hook input priority 0; policy drop
                ct state established,related accept
                iif lo accept
                tcp dport {{ 22, {ports} }} accept
                ip protocol {protocol} accept
            }}
        }}"
    );
    for name in hosts {
        let host = site.desk.host(name);
        host.run(&format!("nft -f - <<'END'\n{rules}\nEND")).unwrap();
    }
}

#[test]
fn etcd_has_hosts_of_its_own_and_events_an_etcd_of_their_own() {
    let test = "on_hosts::kubernetes::topologies::etcd_has_hosts_of_its_own_and_events_an_etcd_of_their_own";
    let names = ["a", "b", "c", "d", "e"];
    let Some(site) = Site::with_hosts(test, &names) else {
        return;
    };
    site.spec(
        &[
            ("a", "control-plane"),
            ("b", "etcd"),
            ("c", "etcd"),
            ("d", "etcd"),
            ("e", "worker"),
        ],
        "",
        "",
    );
    site.edit(
        "etcd: {",
        "etcd: { placement: { dedicated: {} }, events: separate,",
    );
    comes(&site, "a", 1, &names);
    no_etcd_runs(&site, "a");
    for host in ["b", "c", "d"] {
        assert!(etcd_holds(&site, host, "/registry/pods/", MAIN.client_port).contains("kube-system"));
        assert_eq!(
            etcd_holds(&site, host, "/registry/events/", MAIN.client_port).trim(),
            "",
            "{host}"
        );
        assert!(
            etcd_holds(&site, host, "/registry/events/", EVENTS.client_port).contains("/registry/events/")
        );
    }
    goes(&site, &names);
}

/// Someone else's load balancer is in front of control planes: here a host that only hands on what it is sent.
#[test]
fn a_load_balancer_of_the_users_is_in_front() {
    let test = "on_hosts::kubernetes::topologies::a_load_balancer_of_the_users_is_in_front";
    let Some(site) = Site::with_hosts(test, &["a", "b", "c", "d", "balancer"]) else {
        return;
    };
    let balancer = site.desk.host("balancer");
    let hand_on = format!(
        "systemd-run --unit=balancer --socket-property=ListenStream=6443 /usr/lib/systemd/systemd-socket-proxyd {}:6443",
        site.desk.host("b").address()
    );
    balancer.run(&hand_on).unwrap();
    let names = ["a", "b", "c", "d"];
    let roles = names.map(|name| (name, if name == "d" { "worker" } else { "control-plane" }));
    let provider = format!(
        "      apiAddress: {}\n      keepalived: false\n",
        balancer.address()
    );
    site.spec(&roles, &provider, "");
    comes(&site, "a", 1, &names);
    for name in names {
        site.desk.host(name).run("! pgrep keepalived").unwrap();
    }
    let server = format!(
        "grep -q 'server: https://{}:6443' /etc/kubernetes/kubelet.conf",
        balancer.address()
    );
    site.desk.host("d").run(&server).unwrap();
    goes(&site, &names);
}

/// A network plugin by its manifest: a pod on each node writes the configuration of the plugins that keelson brings.
const NETWORK: &str = r#"
apiVersion: apps/v1
kind: DaemonSet
metadata: { name: network, namespace: kube-system }
spec:
  selector: { matchLabels: { app: network } }
  template:
    metadata: { labels: { app: network } }
    spec:
      hostNetwork: true
      priorityClassName: system-node-critical
      tolerations: [{ operator: Exists }]
      volumes: [{ name: net, hostPath: { path: /etc/cni/net.d, type: DirectoryOrCreate } }]
      containers:
        - name: network
          image: REGISTRY/e2e-test-images/busybox:1.36
          volumeMounts: [{ name: net, mountPath: /net }]
          command:
            - sh
            - -c
            - |
              cat > /net/10-other.conflist <<END
              { "cniVersion": "1.0.0", "name": "other", "plugins": [
                { "type": "bridge", "bridge": "other0", "isGateway": true, "ipMasq": true, "hairpinMode": true,
                  "ipam": { "type": "host-local", "ranges": [[{ "subnet": "10.244.0.0/24" }]],
                            "routes": [{ "dst": "0.0.0.0/0" }] } },
                { "type": "portmap", "capabilities": { "portMappings": true } } ] }
              END
              exec sleep 100000000
"#;

#[test]
fn the_network_comes_from_a_manifest() {
    let test = "on_hosts::kubernetes::topologies::the_network_comes_from_a_manifest";
    let Some(site) = Site::with_hosts(test, &["a"]) else {
        return;
    };
    let manifest = NETWORK.replace("REGISTRY", &site.registry());
    let right = Digest::of_bytes(manifest.as_bytes()).to_string();
    let wrong = Digest::of_bytes(b"").to_string();
    let folder = site.desk.path("manifests");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("network.yaml"), manifest).unwrap();
    let server = serve_directory(folder, site.desk.lab.gateway()).unwrap();
    let url = format!("{}/network.yaml", server.url());
    site.spec(
        &[("a", "control-plane, worker")],
        "",
        &format!("  network: {{ plugin: {{ name: other, manifest: \"{url}\", sha256: {wrong} }} }}\n"),
    );
    let refused = site.desk.expect(1, "apply --yes --accept-new-host-keys");
    assert!(
        refused.stderr.contains("is not the one that was meant"),
        "{refused:#?}"
    );
    site.edit(&wrong, &right);
    lives(&site, "a", 1, &["a"]);
}

/// One cluster of keelson's is etcd alone, and another uses it with the credentials that the first gives out.
#[test]
fn someone_else_runs_etcd() {
    let test = "on_hosts::kubernetes::topologies::someone_else_runs_etcd";
    let Some(site) = Site::with_hosts(test, &["a", "b", "e"]) else {
        return;
    };
    let keeper = site.desk.beside();
    let etcd = keeper.spec_of(&["e"]);
    keeper.write(&crate::on_hosts::desk::Spec {
        assets: site.files(),
        etcd_version: site.etcd(),
        ..etcd
    });
    keeper.expect(0, "apply --yes --accept-new-host-keys");
    let folder = site.desk.path("billing");
    keeper.expect(
        0,
        &format!("etcd credentials --name kubernetes --out {}", folder.display()),
    );

    site.spec(&[("a", "control-plane"), ("b", "worker")], "", "");
    let endpoint = format!("https://{}:2379", site.desk.host("e").address());
    let external = format!(
        "etcd: {{ placement: {{ external: {{ endpoints: [\"{endpoint}\"], ca: billing/ca.crt, certificate: \
         billing/client.crt, key: billing/client.key }} }} }}"
    );
    let own = format!("etcd: {{ version: {} }}", site.etcd());
    site.edit(&own, &external);
    comes(&site, "a", 1, &["a", "b"]);
    assert!(etcd_holds(&site, "e", "/registry/pods/", MAIN.client_port).contains("kube-system"));
    no_etcd_runs(&site, "a");
    goes(&site, &["a", "b"]);
    // It is no business of the other's.
    keeper.expect(0, "status --wait --timeout 30s");
    keeper.expect(0, "destroy --yes");
}

/// `address: local`: keelson runs on the host itself, and there is no SSH.
#[test]
fn this_very_machine() {
    let Some(site) = Site::with_hosts("on_hosts::kubernetes::topologies::this_very_machine", &["a"]) else {
        return;
    };
    let host = site.desk.host("a");
    site.spec(&[("a", "control-plane, worker")], "", "");
    let address = format!("address: {}", host.address());
    site.edit(&address, "address: local");
    host.write_file(
        "/root/cluster.yaml",
        std::fs::read(site.desk.path("cluster.yaml")).unwrap(),
    )
    .unwrap();
    let program = std::fs::read(env!("CARGO_BIN_EXE_keelson")).unwrap();
    host.write_file("/usr/local/bin/keelson", program).unwrap();
    let keelson = |arguments: &str| {
        let said = host.console(&format!(
            "cd /root && chmod +x /usr/local/bin/keelson && keelson {arguments} 2>&1"
        ));
        said.unwrap_or_else(|error| panic!("keelson {arguments}: {error}"))
    };
    keelson("apply --yes --progress lines");
    keelson("status --wait --timeout 90s");
    assert!(keelson("apply --yes").contains("nothing was changed"));
    pods::serve(&site, "a", 1, &["a"]);
    let server = format!("server: https://{}:6443", host.address());
    assert!(keelson("kubeconfig").contains(&server));
    keelson("destroy --yes");
    pods::nothing_is_left(&site, &["a"]);
}
