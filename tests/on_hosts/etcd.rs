//! A real etcd cluster, from nothing to nothing.

use std::time::Duration;

use super::desk::Desk;

/// Nothing in namespaces sets their clock.
const IGNORE: &str = "  preflight: { ignore: [time-sync] }\n";

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
        6,
        "{unknown:#?}"
    );
    let findings = desk.expect(3, "apply --yes --accept-new-host-keys");
    assert!(findings.stderr.contains("time-sync"), "{findings:#?}");
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

    desk.spec(&names, IGNORE);
    desk.expect(2, "plan");
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

    desk.expect(0, "destroy --yes");
    for name in names {
        let left = desk.host(name).run(
            "ls -d /etc/etcd /etc/keelson /opt/keelson /var/lib/keelson /etc/systemd/system/etcd* /var/lib/etcd/* \
             2>/dev/null; getent passwd etcd; pgrep -x etcd; true",
        );
        assert_eq!(left.unwrap().trim(), "", "{name}");
    }
}

#[test]
fn an_apply_that_is_killed_anywhere_is_gone_on_from() {
    let names = ["a", "b", "c"];
    let Some(desk) = Desk::before(
        "on_hosts::etcd::an_apply_that_is_killed_anywhere_is_gone_on_from",
        &names,
    ) else {
        return;
    };
    desk.spec(&names, IGNORE);
    desk.expect(2, "plan --accept-new-host-keys");
    // Killed ever later, until an apply gets to its end before.
    for round in 0..30_u64 {
        let mut apply = desk.command("apply --yes").spawn().unwrap();
        std::thread::sleep(Duration::from_millis(150 + round * 250));
        if apply.try_wait().unwrap().is_some() {
            break;
        }
        apply.kill().unwrap();
        apply.wait().unwrap();
        desk.end_lease();
    }
    let said = desk.run("apply --yes");
    assert_eq!(said.code, Some(0), "{said:#?}");
    let status = desk.status();
    assert_eq!(status["condition"], "healthy", "{status:#}");
    let members = desk.host("a").run(
        "ETCDCTL_API=3 /opt/keelson/bin/etcdctl --cacert /etc/etcd/pki/ca.crt --cert \
         /etc/etcd/pki/healthcheck-client.crt --key /etc/etcd/pki/healthcheck-client.key member list",
    );
    assert_eq!(members.unwrap().lines().count(), 3, "no member was made twice");
    desk.expect(0, "destroy --yes");
}
