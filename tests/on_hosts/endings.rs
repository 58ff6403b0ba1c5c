//! A cluster that ends while one of its hosts is silent.

use super::desk::Desk;

const STANDS: &str = "systemctl is-active etcd; test -d /var/lib/etcd/member && test -f /var/lib/keelson/host.json && \
                      ls /etc/etcd/pki/*.key >/dev/null && echo whole";

#[test]
fn a_destroy_waits_for_a_silent_member_unless_it_is_said_to_be_gone() {
    let names = ["a", "b", "c"];
    let test = "on_hosts::endings::a_destroy_waits_for_a_silent_member_unless_it_is_said_to_be_gone";
    let Some(desk) = Desk::before(test, &names) else {
        return;
    };
    let access = "stat -c '%a %U %G' /var/lib/etcd";
    desk.host("a")
        .run("install -d -m 750 -o daemon /var/lib/etcd")
        .unwrap();
    let before = desk.host("b").run(access).unwrap();
    desk.spec(&names, "");
    desk.expect(0, "apply --yes --accept-new-host-keys");
    assert_eq!(desk.host("a").run(access).unwrap(), "700 etcd etcd\n");
    desk.host("c").power_cut().unwrap();

    let blocked = desk.expect(3, "destroy --yes");
    let help = "keelson destroy --gone c";
    assert!(
        blocked
            .stderr
            .contains("machine/c cannot be seen and has a member of etcd cluster `main`")
            && blocked.stderr.contains(help),
        "{blocked:#?}"
    );
    for name in ["a", "b"] {
        assert_eq!(desk.host(name).run(STANDS).unwrap(), "active\nwhole\n", "{name}");
    }
    let answers = desk.expect(1, "destroy --yes --gone a");
    assert!(answers.stderr.contains("a answers at"), "{answers:#?}");
    let unknown = desk.expect(1, "destroy --yes --gone z");
    assert!(unknown.stderr.contains("its hosts are: a, b, c"), "{unknown:#?}");

    let gone = desk.expect(0, "destroy --yes --gone c");
    assert!(
        gone.stderr.contains("the SSH keys of a, b stay remembered"),
        "{gone:#?}"
    );
    for name in ["a", "b"] {
        let left =
            "ls -d /etc/etcd /etc/keelson /var/lib/keelson /etc/systemd/system/etcd* 2>/dev/null || true";
        assert_eq!(desk.host(name).run(left).unwrap(), "", "{name}");
    }
    assert_eq!(desk.host("a").run(access).unwrap(), "750 daemon root\n");
    assert_eq!(desk.host("b").run(access).unwrap(), before);

    // Should it come back, it is a host of a cluster that is no more; the keys of the others are still the known ones.
    desk.host("c").start().unwrap();
    desk.host("c").wait_for_ssh().unwrap();
    desk.host("b").renew_host_keys().unwrap();
    let again = desk.expect(3, "plan");
    assert!(again.stdout.contains("keelson node forget-key b"), "{again:#?}");
}
