//! What a spec passes through to real components, and settings that these do not take.

use super::sign_in::Issuer;
use super::site::Site;

/// What is passed through; the flags of the API server are `FLAGS`, and people sign in at `ISSUER`.
const PASSED_THROUGH: &str = "  api:
    extraArgs: FLAGS
    admissionPlugins: [AlwaysPullImages]
    oidc:
      issuer: ISSUER
      ca: ./issuer.crt
      clientID: kubernetes
      usernamePrefix: \"oidc:\"
      groupsClaim: groups
      groupsPrefix: \"oidc:\"
      requiredClaims: { hd: example.com }
  controllerManager: { extraArgs: [{ name: node-monitor-period, value: 6s }] }
  scheduler: { extraArgs: [{ name: kube-api-qps, value: \"60\" }] }
  nodeGroups:
    - { name: workers }
    - { name: batch, labels: { tier: batch }, taints: [{ key: batch, value: \"yes\", effect: NoSchedule }] }
";
/// Alpha, so off where nobody asks for it, and harmless.
const GATE: &str = "ReduceDefaultCrashLoopBackOffDecay";
/// The order and the second of a name are kept.
const GOOD: &str = r#"[{ name: vmodule, value: "httplog=3" }, { name: event-ttl, value: 30m }, { name: vmodule, value: "cacher=2" }]"#;
const BAD: &str = "[{ name: event-ttl, value: rubbish }]";

#[test]
fn settings_are_passed_through_and_bad_ones_stop_at_the_first_machine() {
    let test =
        "on_hosts::kubernetes::settings::settings_are_passed_through_and_bad_ones_stop_at_the_first_machine";
    let Some(site) = Site::with_hosts(test, &["a", "b", "c", "d", "e"]) else {
        return;
    };
    let provider = format!("      apiAddress: {}\n", site.api_address());
    let roles = [
        ("a", "control-plane"),
        ("b", "control-plane"),
        ("c", "control-plane"),
        ("d", "worker"),
        ("e", "worker, group: batch"),
    ];
    let issuer = Issuer::start(&site, "e");
    let more = PASSED_THROUGH
        .replace("FLAGS", GOOD)
        .replace("ISSUER", &issuer.url);
    site.spec(&roles, &provider, &more);
    site.edit(
        "  kubelet:\n",
        &format!("  kubelet:\n    featureGates: {{ {GATE}: true }}\n"),
    );
    site.edit("roles: [worker, group: batch]", "roles: [worker], group: batch");
    let desk = &site.desk;
    desk.expect(0, "apply --yes --accept-new-host-keys");
    what_is_passed_through_is_there(&site);
    issuer.lets_in_its_own(&site, "b");

    site.edit(GOOD, BAD);
    let refused = desk.expect(1, "apply --yes");
    assert!(
        refused.stderr.contains("kube-apiserver") && refused.stderr.contains("event-ttl"),
        "{refused:#?}"
    );
    assert_eq!(serving(&site).len(), 2, "one was tried: {refused:#?}");
    // What is well stays so: nobody has to wait to hear it.
    let blocked = desk.expect(3, "apply --yes");
    assert!(
        blocked
            .stderr
            .contains("is out of service, and one control plane may be at a time"),
        "{blocked:#?}"
    );
    assert_eq!(serving(&site).len(), 2);
    site.edit(BAD, GOOD);
    desk.expect(0, "apply --yes");
    assert_eq!(serving(&site), ["a", "b", "c"]);

    site.edit(
        "    config:\n",
        "    config:\n      shutdownGracePeriod: rubbish\n",
    );
    let refused = desk.expect(1, "apply --yes");
    assert!(
        refused.stderr.contains("kubelet.service") && refused.stderr.contains("rubbish"),
        "{refused:#?}"
    );
    few_kubelets_ail(&site);
    assert_eq!(serving(&site), ["a", "b", "c"], "pods do not need it");
    site.edit("      shutdownGracePeriod: rubbish\n", "");
    desk.expect(0, "apply --yes");
    desk.expect(0, "status --wait --timeout 120s");
    desk.expect(0, "plan");
    desk.expect(0, "destroy --yes");
}

/// A setting that no kubelet takes has stopped the first ones alone.
fn few_kubelets_ail(site: &Site) {
    let ailing = ["a", "b", "c", "d", "e"]
        .iter()
        .filter(|name| {
            let runs = site.desk.host(name).run("sleep 1; systemctl is-active kubelet");
            !runs.is_ok_and(|state| state == "active\n")
        })
        .count();
    assert!(
        ailing <= 3,
        "one control plane and one of each group at most: {ailing}"
    );
}

/// The control planes whose API server answers.
fn serving(site: &Site) -> Vec<&'static str> {
    let answers = |name: &&str| {
        let ask = "curl --silent --fail --max-time 3 -k https://127.0.0.1:6443/readyz";
        site.desk.host(name).run(ask).is_ok_and(|answer| answer == "ok")
    };
    ["a", "b", "c"].into_iter().filter(answers).collect()
}

fn what_is_passed_through_is_there(site: &Site) {
    let flags = |program: &str| {
        let ask = format!("tr '\\0' ' ' </proc/$(pgrep -o -x {program})/cmdline");
        site.desk.host("b").run(&ask).unwrap()
    };
    let server = flags("kube-apiserver");
    assert!(
        server.contains(&format!("--feature-gates={GATE}=true")),
        "{server}"
    );
    let kubelet = format!("grep -q '{GATE}: true' /var/lib/kubelet/config.yaml");
    site.desk.host("d").run(&kubelet).unwrap();
    let places =
        ["--vmodule=httplog=3 ", "--event-ttl=30m ", "--vmodule=cacher=2"].map(|flag| server.find(flag));
    assert!(
        places.iter().all(Option::is_some) && places.is_sorted(),
        "{places:?}: {server}"
    );
    assert!(server.contains("AlwaysPullImages"), "{server}");
    // The kernel keeps 15 characters of a program's name.
    assert!(flags("kube-controller").contains("--node-monitor-period=6s"));
    assert!(flags("kube-scheduler").contains("--kube-api-qps=60"));
    let taints = site.kubectl("a", "get node e -o jsonpath={.spec.taints[*].key}");
    assert_eq!(taints, "batch");
    let labelled = site.kubectl("a", "get nodes -l tier=batch -o name");
    assert_eq!(labelled, "node/e\n");
}
