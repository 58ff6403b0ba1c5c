//! Where the snapshots that machines keep are found, read, and restored from.

use std::collections::BTreeSet;

use super::{KEYS, NAMES, TIMERS_START, at_rest, everywhere, is_of_main, kept, listed};
use crate::on_hosts::desk::Desk;
use crate::on_hosts::keys;

/// They are seen and read from here, and etcd's own programs restore what was downloaded. Gives the newest, and the machine that
/// it lies on.
pub(super) fn read(desk: &Desk) -> (String, String) {
    let list = listed(desk);
    let lying: BTreeSet<(String, String)> = NAMES
        .into_iter()
        .flat_map(|name| {
            kept(desk, name)
                .into_iter()
                .map(move |kept| (name.to_owned(), kept))
        })
        .collect();
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    assert!(!list.iter().all(is_of_main), "events have their own");
    let seen: BTreeSet<(String, String)> = list
        .iter()
        .filter(|backup| is_of_main(backup))
        .map(|backup| (text(&backup["place"]["host"]), text(&backup["name"])))
        .collect();
    assert_eq!(seen, lying);
    for backup in &list {
        assert_eq!(backup["condition"], "whole", "{backup:#}");
        let manifest = &backup["manifest"];
        assert_eq!(manifest["machine"], backup["place"]["host"], "{backup:#}");
        assert_eq!(manifest["stored"]["packing"], "gzip", "{backup:#}");
        assert_eq!(manifest["purpose"], "schedule", "{backup:#}");
    }
    let verified = desk.expect(0, "etcd snapshot verify --all");
    assert_eq!(
        verified.stdout.matches("Good:").count(),
        list.len(),
        "{verified:#?}"
    );
    let newest = list.iter().find(|backup| is_of_main(backup)).unwrap();
    let (newest, place) = (text(&newest["name"]), text(&newest["place"]["host"]));
    desk.expect(0, &format!("etcd snapshot verify {newest} --place {place}"));
    let elsewhere = desk.expect(1, &format!("etcd snapshot verify {newest} --place state-store"));
    assert!(elsewhere.stderr.contains("there is no backup"), "{elsewhere:#?}");
    desk.expect(1, "etcd snapshot verify --place nowhere");
    desk.expect(0, "etcd snapshot download --out newest.db");
    let restored = keys::digest_in(&desk.path("newest.db"), desk.host("a"));
    assert_eq!(restored, KEYS.digest(), "every key has its value");
    (newest, place)
}

/// The cluster's etcd is given the data of the one that lies on the machine `place`, while timers fire as the spec says: every key
/// is there, through every member.
pub(super) fn restored(desk: &Desk, name: &str, place: &str) {
    keys::spoil(desk.host("a"));
    let elsewhere = NAMES.into_iter().find(|name| *name != place).unwrap();
    let refused = desk.expect(1, &format!("etcd restore {name} --place {elsewhere} --yes"));
    assert!(refused.stderr.contains("there is no backup"), "{refused:#?}");
    everywhere(desk, TIMERS_START);
    let restored = desk.expect(0, &format!("etcd restore {name} --place {place} --yes"));
    at_rest(desk);
    assert!(restored.stderr.contains("Restored:"), "{restored:#?}");
    KEYS.expect(&NAMES.map(|name| desk.host(name)));
    let status = desk.expect(0, "etcd status -o json");
    let status: serde_json::Value = serde_json::from_str(&status.stdout).unwrap();
    assert_eq!(status["healthy"], true, "{status:#}");
    desk.expect(0, "etcd snapshot verify --all");
}
