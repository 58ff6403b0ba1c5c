//! A restore that cannot come to its end gives way to another one.

use super::interrupted::{Restore, STEPS};
use super::{HOSTS, SPEC, alter, get, has_begun, put, status};
use crate::on_hosts::desk::Desk;
use crate::on_hosts::keys::Keys;

const LEFT: [&str; 2] = ["a", "b"];
/// Once `c` is gone.
const LATER: [&str; 3] = ["a", "b", "d"];
const KEYS: Keys = Keys(10);

#[test]
fn a_restore_is_begun_anew_without_a_machine_that_is_gone() {
    let test = "on_hosts::restores::anew::a_restore_is_begun_anew_without_a_machine_that_is_gone";
    let Some(desk) = Desk::before(test, &["a", "b", "c", "d"]) else {
        return;
    };
    desk.spec(&HOSTS, SPEC);
    desk.expect(0, "apply --yes --accept-new-host-keys");
    put(&desk, "before", "1");
    KEYS.write(desk.host("a"));
    desk.expect(0, "etcd snapshot save");
    alter(&desk);
    let mut restore = Restore::begin(&desk);
    restore.expect(STEPS[2]);
    restore.kill();
    desk.host("c").power_cut().unwrap();
    let stuck = desk.expect(1, "etcd restore --yes");
    assert!(stuck.stderr.contains("--begin-anew"), "{stuck:#?}");
    desk.spec(&LATER, SPEC);
    desk.expect(0, "node forget c");
    // Those that are there are given the data; what is not there an apply brings.
    let anew = desk.expect(1, "etcd restore --begin-anew --yes --accept-new-host-keys");
    for words in ["Restored:", "an apply has yet to bring or mend", "keelson apply"] {
        assert!(anew.stderr.contains(words), "{anew:#?}");
    }
    assert!(!has_begun(&desk));
    KEYS.expect(&LEFT.map(|name| desk.host(name)));
    desk.expect(0, "apply --yes --accept-new-host-keys");
    KEYS.expect(&LATER.map(|name| desk.host(name)));
    assert_eq!(get(&desk, "before"), "1");
    assert_eq!(get(&desk, "after"), "", "what was written later is gone");
    let status = status(&desk);
    assert_eq!(status["clusters"]["main"]["voters"], 3, "{status:#}");
    desk.expect(0, "plan");
    desk.expect(0, "destroy --yes");
}
