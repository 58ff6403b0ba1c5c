//! A real etcd cluster, from nothing to nothing.

use super::desk::Desk;

/// Everything that keelson puts on a host, with contents and times, and what etcd's process is.
const TRACES: &str = "find /etc/etcd /etc/keelson /opt/keelson /var/lib/keelson /etc/systemd/system -type f \
                      ! -path '*/fence*' ! -name lock -printf '%p %s %T@\\n' | sort; systemctl show -p MainPID etcd";

#[test]
fn three_members_come_stay_survive_and_go() {
    let names = ["a", "b", "c"];
    let Some(desk) = Desk::before("on_hosts::etcd::three_members_come_stay_survive_and_go", &names) else {
        return;
    };
    desk.spec(&names, "");
    let unknown = desk.expect(3, "plan");
    assert_eq!(
        unknown.stdout.matches("its host key is not known").count(),
        3,
        "{unknown:#?}"
    );
    let listen = "systemd-run --quiet --unit squatter socat TCP-LISTEN:2379,fork /dev/null; \
                  while ! ss -Hltn | grep -q :2379; do sleep 0.1; done";
    desk.host("b").run(listen).unwrap();
    let findings = desk.expect(3, "apply --yes --accept-new-host-keys");
    assert!(
        findings
            .stderr
            .contains("machine/b: port-2379: socat listens at port 2379"),
        "{findings:#?}"
    );
    for name in names {
        let host = desk.host(name);
        assert_eq!(
            host.run("ls /var/lib/keelson /etc/etcd 2>/dev/null || true")
                .unwrap()
                .trim(),
            "",
            "{name}"
        );
    }

    what_is_ignored_by_its_name_passes(&desk, &names);
    desk.host("b").run("systemctl stop squatter").unwrap();
    // Nothing in namespaces sets their clocks: that is worth knowing, and stops nothing.
    let plan = desk.expect(2, "plan");
    assert!(
        plan.stdout
            .contains("machine/a, b, c: time-sync: nothing sets its clock"),
        "{plan:#?}"
    );
    desk.expect(0, "apply --yes");
    let status = desk.status();
    assert_eq!(status["condition"], "healthy", "{status:#}");
    assert_eq!(status["etcd"]["main"]["members"].as_array().unwrap().len(), 3);

    let traces = || names.map(|name| desk.host(name).run(TRACES).unwrap());
    let before = traces();
    desk.expect(0, "plan");
    let again = desk.expect(0, "apply --yes");
    assert!(
        again.stdout.is_empty() && again.stderr.contains("nothing was changed"),
        "{again:#?}"
    );
    assert_eq!(traces(), before, "the second apply wrote or restarted something");

    desk.host("b").power_cut().unwrap();
    let status = desk.status();
    assert_eq!(status["condition"], "degraded", "{status:#}");
    assert_eq!(status["etcd"]["main"]["quorum"], true);
    desk.host("b").start().unwrap();
    desk.host("b").wait_for_ssh().unwrap();
    desk.expect(0, "status --wait --timeout 60s");

    what_lacks_a_member_is_no_success(&desk);
    desk.expect(0, "destroy --yes");
    for name in names {
        let left = desk.host(name).run(
            "ls -d /etc/etcd /etc/keelson /opt/keelson /var/lib/keelson /etc/systemd/system/etcd* /var/lib/etcd/* \
             2>/dev/null; getent passwd etcd; pgrep -x etcd; true",
        );
        assert_eq!(left.unwrap().trim(), "", "{name}");
    }
}

/// The port is still taken: its own name lets that pass, and no other name does.
fn what_is_ignored_by_its_name_passes(desk: &Desk, names: &[&str]) {
    desk.spec(names, "  preflight: { ignore: [port, port-2380, time-sync] }\n");
    desk.expect(3, "plan");
    desk.spec(names, "  preflight: { ignore: [port-2379] }\n");
    let plan = desk.expect(2, "plan -o json");
    let plan: serde_json::Value = serde_json::from_str(&plan.stdout).unwrap();
    let report = &plan["report"];
    let ignored = report["ignoredFindings"].as_array().unwrap();
    assert_eq!(ignored.len(), 1, "{plan:#}");
    assert_eq!(
        (&ignored[0]["machine"], &ignored[0]["name"]),
        (&"b".into(), &"port-2379".into())
    );
    assert!(report["findings"].as_array().unwrap().is_empty(), "{plan:#}");
    desk.spec(names, "");
}

/// The data of `c` is gone, and so is the redundancy that the spec asks for.
fn what_lacks_a_member_is_no_success(desk: &Desk) {
    desk.host("c")
        .run("systemctl stop etcd && rm -rf /var/lib/etcd/member")
        .unwrap();
    let unwell = desk.expect(1, "apply --yes");
    for words in [
        "but not well: etcd-member/main:c: it has no data in /var/lib/etcd",
        "take c out of the spec, apply, and put it back",
    ] {
        assert!(unwell.stderr.contains(words), "{unwell:#?}");
    }
}
