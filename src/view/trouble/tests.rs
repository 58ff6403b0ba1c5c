//! Troubles of many machines, as lines.

use super::*;
use crate::plan::Blocked;

fn shown(troubles: &[(&str, &str)]) -> String {
    let keys: Vec<ResourceKey> = troubles.iter().map(|(key, _)| key.parse().unwrap()).collect();
    let troubles: Vec<Trouble<'_>> = troubles
        .iter()
        .zip(&keys)
        .map(|((_, reason), key)| Trouble {
            key: Some(key),
            reason,
            help: None,
        })
        .collect();
    anstream::adapter::strip_str(&lines(&troubles, "look elsewhere")).to_string()
}

#[test]
fn the_same_trouble_of_many_is_one_line() {
    let table: [(&[(&str, &str)], &str); 5] = [
        (
            &[
                (
                    "etcd-member/main:b",
                    "etcd.service is active on b and its member does not answer",
                ),
                (
                    "etcd-member/main:c",
                    "etcd.service is active on c and its member does not answer",
                ),
            ],
            "  ! etcd-member/main:b, main:c: etcd.service is active there and its member does not answer\n",
        ),
        (
            &[
                ("node/w-1", "machine w-1 restarts"),
                ("node/w-2", "machine w-2 restarts"),
            ],
            "  ! node/w-[1-2]: machine restarts\n",
        ),
        (
            &[("node/w-1", "machine w-1 restarts")],
            "  ! node/w-1: machine w-1 restarts\n",
        ),
        (
            &[
                ("machine/c-1", "machine/c-1 holds the data"),
                ("etcd-member/main:c-1", "machine/c-1 holds the data"),
            ],
            "  ! c-1 (machine, etcd-member): machine/c-1 holds the data\n",
        ),
        (
            &[("node/w-1", "one"), ("node/w-2", "two")],
            "  ! node/w-1: one\n  ! node/w-2: two\n",
        ),
    ];
    for (troubles, expected) in table {
        assert_eq!(shown(troubles), expected);
    }
}

#[test]
fn many_different_troubles_are_counted() {
    let reasons: Vec<String> = (0..100)
        .map(|number| format!("trouble number {number}"))
        .collect();
    let troubles: Vec<(&str, &str)> = reasons.iter().map(|reason| ("node/w-1", &**reason)).collect();
    let text = shown(&troubles);
    assert_eq!(text.lines().count(), LIMIT + 1);
    assert!(text.ends_with("    and 88 more; look elsewhere\n"), "{text}");
}

#[test]
fn a_machine_that_is_not_seen_is_told_once_with_what_follows() {
    let machine: ResourceKey = "machine/b".parse().unwrap();
    let blocked = |key: &str, follows: Option<&ResourceKey>| Blocked {
        key: key.parse().unwrap(),
        reason: "its state is unknown: b: it does not answer in time".to_owned(),
        help: Some("run the command again when it can".to_owned()),
        follows: follows.cloned(),
    };
    let report = PlanReport {
        blocked: vec![
            blocked("machine/b", None),
            blocked("node-bundle/b", Some(&machine)),
            blocked("etcd-member/main:b", Some(&machine)),
        ],
        ..PlanReport::default()
    };
    let text = super::blocked(&report, "look elsewhere");
    assert_eq!(
        anstream::adapter::strip_str(&text).to_string(),
        "  ! machine/b: its state is unknown: b: it does not answer in time\n      \
         run the command again when it can\n  \
         . unseen with machine/b: node-bundle/b, etcd-member/main:b\n"
    );
}
