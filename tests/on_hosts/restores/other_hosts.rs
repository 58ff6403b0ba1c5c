//! All machines of before are gone for good: others take their places in the spec, and are given the data.

use super::SPEC;
use crate::on_hosts::desk::Desk;
use crate::on_hosts::keys::{self, MANY};

const BEFORE: [&str; 3] = ["a", "b", "c"];
const AFTER: [&str; 3] = ["d", "e", "f"];

#[test]
fn other_hosts_are_given_the_data_of_those_that_are_gone() {
    let test = "on_hosts::restores::other_hosts::other_hosts_are_given_the_data_of_those_that_are_gone";
    let Some(desk) = Desk::before(test, &[BEFORE, AFTER].concat()) else {
        return;
    };
    desk.spec(&BEFORE, SPEC);
    desk.expect(0, "apply --yes --accept-new-host-keys");
    MANY.write(desk.host("a"));
    desk.expect(0, "etcd snapshot save");
    keys::spoil(desk.host("a"));
    for name in BEFORE {
        desk.host(name).power_cut().unwrap();
    }
    desk.spec(&AFTER, SPEC);
    let blocked = desk.expect(3, "plan");
    for name in BEFORE {
        let forget = format!("keelson node forget {name}");
        assert!(blocked.stdout.contains(&forget), "{blocked:#?}");
    }
    for name in BEFORE {
        desk.expect(0, &format!("node forget {name}"));
    }
    // Machines come and are given etcd; what it held nobody invents.
    let waits = desk.expect(3, "apply --yes --accept-new-host-keys");
    assert!(waits.stderr.contains("keelson etcd restore"), "{waits:#?}");
    desk.expect(0, "etcd restore --yes");
    MANY.expect(&AFTER.map(|name| desk.host(name)));
    desk.expect(0, "plan");
    desk.expect(0, "destroy --yes");
}
