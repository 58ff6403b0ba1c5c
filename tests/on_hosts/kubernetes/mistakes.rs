//! What is wrong with machines and registries is told in words that name it, and once it is mended an apply goes on.

use keelson_test_hosts::{Disturbance, Fault};

use super::site::Site;

#[test]
fn what_is_wrong_is_named_and_gone_on_from() {
    let test = "on_hosts::kubernetes::mistakes::what_is_wrong_is_named_and_gone_on_from";
    let Some(site) = Site::with_hosts(test, &["a", "b"]) else {
        return;
    };
    site.spec(&[("a", "control-plane"), ("b", "worker")], "", "");
    let desk = &site.desk;
    desk.expect(2, "plan --accept-new-host-keys");

    // A worker with the wrong time, and a control plane whose port is taken: both are told at once, and nothing is touched.
    let clock = "mv /usr/bin/date /usr/bin/date.real && printf '#!/bin/sh\\nexec /usr/bin/date.real --date=+1hour \"$@\"\\n' > \
                 /usr/bin/date && chmod +x /usr/bin/date";
    desk.host("b").run(clock).unwrap();
    desk.host("a")
        .run("systemd-run --unit=taken --socket-property=ListenStream=6443 sleep 1000")
        .unwrap();
    let refused = desk.expect(3, "apply --yes");
    for (machine, words) in [("machine/b: clock-skew:", "ahead"), ("machine/a: ", "6443")] {
        let is_told = |line: &str| line.contains(machine) && line.contains(words);
        assert!(
            refused.stderr.lines().any(is_told),
            "{machine} {words}: {refused:#?}"
        );
    }
    assert_eq!(
        desk.host("a")
            .run("ls -d /etc/kubernetes /etc/keelson 2>/dev/null; true")
            .unwrap(),
        ""
    );
    desk.host("b").run("mv /usr/bin/date.real /usr/bin/date").unwrap();
    desk.host("a").run("systemctl stop taken.socket").unwrap();

    // An image that the registry does not have: the registry's own words, and the image's name.
    let registry = site.registry();
    site.edit(
        &format!("registry: \"{registry}\""),
        &format!("registry: \"{registry}/nowhere\""),
    );
    let missing = desk.expect(1, "apply --yes");
    for words in ["nowhere/", "not found"] {
        assert!(missing.stderr.contains(words), "{words}: {missing:#?}");
    }
    site.edit(
        &format!("registry: \"{registry}/nowhere\""),
        &format!("registry: \"{registry}\""),
    );

    // A registry that is down.
    site.disturb_registry(Disturbance {
        path_end: String::new(),
        times: None,
        fault: Fault::HungUp,
    });
    let down = desk.expect(1, "apply --yes");
    for words in [registry.as_str(), "failed to do request"] {
        assert!(down.stderr.contains(words), "{words}: {down:#?}");
    }
    site.heal_registry();

    desk.expect(0, "apply --yes");
    desk.expect(0, "status --wait --timeout 120s");
    desk.expect(0, "destroy --yes");
}
