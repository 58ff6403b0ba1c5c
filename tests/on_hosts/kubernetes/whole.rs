//! From empty hosts to a cluster that serves, through the loss of a control plane, to nothing.

use std::time::{Duration, Instant};

use super::site::{Site, eventually};
use super::{cis, nodes, pods, rights};

#[test]
fn three_control_planes_and_two_workers_come_serve_survive_and_go() {
    let test = "on_hosts::kubernetes::whole::three_control_planes_and_two_workers_come_serve_survive_and_go";
    let Some(site) = Site::with_hosts(test, &["a", "b", "c", "d", "e"]) else {
        return;
    };
    let address = site.api_address();
    let write_spec = |workers: &[&'static str]| {
        let control_planes = ["a", "b", "c"].map(|name| (name, "control-plane"));
        let workers = workers.iter().map(|name| (*name, "worker"));
        let hosts: Vec<_> = control_planes.into_iter().chain(workers).collect();
        site.spec(
            &hosts,
            &format!("      apiAddress: {address}\n"),
            "  nodeGroups: [{ name: workers, labels: { tier: web } }]\n",
        );
    };
    write_spec(&["d", "e"]);
    let desk = &site.desk;
    desk.expect(2, "plan --accept-new-host-keys");
    let begun = Instant::now();
    desk.expect(0, "apply --yes");
    println!("five empty hosts to five nodes Ready: {:?}", begun.elapsed());
    // The pods of add-ons may still be on their way.
    desk.expect(0, "status --wait --timeout 120s");
    let again = desk.expect(0, "apply --yes");
    assert!(again.stderr.contains("nothing was changed"), "{again:#?}");

    let names = "get pods -n kube-system -l k8s-app=kube-dns -o jsonpath={.items[*].spec.nodeName}";
    let names = site.kubectl("a", names);
    let apart: std::collections::BTreeSet<&str> = names.split_whitespace().collect();
    assert_eq!(
        apart.len(),
        2,
        "names are found when one machine is gone: {names}"
    );
    pods::serve(&site, "a", 2, &["a", "d", "e"]);
    let services =
        "nft list table ip kube-proxy >/dev/null && ! iptables-save -t nat | grep -q KUBE-SERVICES";
    desk.host("d").run(services).unwrap();
    let labels = site.kubectl("a", "get nodes -l tier=web -o name");
    assert_eq!(labels.lines().count(), 2);
    what_is_asked_of_the_api_is_granted_narrowly(&site);
    rights::of_people(&site);
    rights::of_nodes(&site, "d", "e");
    rights::of_bootstrap_tokens(&site);
    cis::hold(&site, &[("a", true), ("d", false)]);
    operators_see(&site);
    nodes::what_was_stopped_runs_again(&site);
    nodes::what_was_deleted_comes_again(&site, "b", "d");
    nodes::certificates_near_their_end_are_renewed(&site, "a", "d");
    nodes::leave_and_come(&site, "e", || write_spec(&["d"]), || write_spec(&["d", "e"]));
    the_loss_of_the_holder_is_survived(&site, &address);

    desk.expect(0, "destroy --yes");
    pods::nothing_is_left(&site, &["a", "b", "c", "d", "e"]);
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
    // Its kubectl has asked the API server beside it, which tells that the secret was made, and not what it is.
    let log = "/var/log/kubernetes/audit/audit.log";
    let audited = format!(
        "grep '\"resource\":\"secrets\"' {log} | grep '\"verb\":\"create\"' | grep -c '\"name\":\"hidden\"'"
    );
    let audited: usize = site.desk.host("a").run(&audited).unwrap().trim().parse().unwrap();
    assert!(audited > 0);
    let untold = format!("test -s {log} && ! grep -q tell-nobody {log}");
    site.desk.host("a").run(&untold).unwrap();

    let privileged = "run bad --image=none --overrides='{\"spec\":{\"hostNetwork\":true}}' 2>&1; true";
    let refused = site.kubectl("a", privileged);
    assert!(refused.contains("violates PodSecurity"), "{refused}");
}

/// The commands that look.
fn operators_see(site: &Site) {
    let desk = &site.desk;
    let status = desk.status();
    assert_eq!(status["condition"], "healthy", "{status:#}");
    assert_eq!(status["nodes"].as_array().unwrap().len(), 5, "{status:#}");
    assert!(desk.expect(0, "node list").stdout.contains("control-plane"));
    assert!(
        desk.expect(0, "etcd status")
            .stdout
            .contains("3 of 3 voters healthy")
    );
    let certificates = desk.expect(0, "certs check").stdout;
    assert!(certificates.contains("apiserver"), "{certificates}");
    desk.expect(0, "render --out rendered");
    let manifest =
        std::fs::read_to_string(desk.path("rendered/a/files/etc/kubernetes/manifests/kube-apiserver.yaml"));
    let there = "cat /etc/kubernetes/manifests/kube-apiserver.yaml";
    assert_eq!(
        manifest.unwrap(),
        desk.host("a").run(there).unwrap(),
        "what is rendered is what is there"
    );
    assert_eq!(desk.expect(0, "node ssh d -- hostname").stdout.trim(), "d");
}

fn the_loss_of_the_holder_is_survived(site: &Site, address: &str) {
    let holds = |name: &&str| {
        let addresses = site.desk.host(name).run("ip -oneline address show").unwrap();
        addresses.contains(&format!(" {address}/"))
    };
    let holder = || ["a", "b", "c"].into_iter().find(holds);

    // What keepalived asks the API server with has no rights of its own.
    let hung = holder().unwrap();
    let asks = "for n in $(seq 1000); do pgrep -u keelson-check && exit; sleep 0.01; done; exit 1";
    site.desk.host(hung).run(asks).unwrap();

    // An API server that hangs loses the address, and nothing else of its machine has to fail.
    let since = Instant::now();
    site.desk.host(hung).run("pkill -STOP -x kube-apiserver").unwrap();
    eventually("the API answers elsewhere", Duration::from_secs(90), || {
        holder().is_some_and(|holder| holder != hung) && site.api_answers("d", address)
    });
    println!(
        "the API was away for {:?} when that of {hung} hung",
        since.elapsed()
    );
    site.desk.host(hung).run("pkill -CONT -x kube-apiserver").unwrap();
    site.desk.expect(0, "status --wait --timeout 120s");

    let holder = holder().unwrap();
    let since = Instant::now();
    site.desk.host(holder).power_cut().unwrap();
    eventually(
        "the API answers without its holder",
        Duration::from_secs(60),
        || site.api_answers("d", address),
    );
    println!(
        "the API was away for {:?} when {holder} lost power",
        since.elapsed()
    );
    site.desk.host(holder).start().unwrap();
    site.desk.host(holder).wait_for_ssh().unwrap();
    site.desk.expect(0, "status --wait --timeout 240s");
}
