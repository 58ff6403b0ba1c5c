//! Etcds that have had data, of which nothing is seen.

use keelson::plan::{DesiredState, PlanReport, StandingRestore};

use super::world::{THREE_AND_FOUR, World, desired, outline};

/// What is said to do about what is blocked.
fn advice(report: &PlanReport) -> Vec<&str> {
    let blocked = report.blocked.iter();
    let mut advice: Vec<&str> = blocked.filter_map(|blocked| blocked.help.as_deref()).collect();
    advice.dedup();
    advice
}

#[test]
fn data_that_is_lost_is_not_replaced_by_an_empty_etcd() {
    let desired = DesiredState {
        etcd_with_data: ["main".to_owned()].into(),
        ..desired(THREE_AND_FOUR)
    };
    let (plan, report) = World::empty().plan(&desired);
    assert!(
        !outline(&plan).iter().any(|step| step.contains("etcd-member")),
        "{:?}",
        outline(&plan)
    );
    let lost: Vec<_> = report
        .blocked
        .iter()
        .filter(|blocked| blocked.reason.contains("has had data") && blocked.help.is_some())
        .collect();
    assert_eq!(lost.len(), 3, "{report:?}");

    // One member is enough to have it.
    let world = World::as_desired(&desired).without("etcd-member/main:control-plane-2");
    let (plan, report) = world.plan(&desired);
    assert!(!report.is_blocked(), "{report:?}");
    assert_eq!(outline(&plan), ["create etcd-member/main:control-plane-2"]);

    // An etcd of events comes to a cluster that has had none.
    let (_, report) = World::empty().plan(&DesiredState {
        etcd_with_data: ["events".to_owned()].into(),
        ..desired
    });
    assert!(report.blocked.is_empty(), "{report:?}");
}

#[test]
fn an_etcd_that_has_lost_all_its_data_is_blocked_and_waits_for_a_restore() {
    let desired = desired(&format!("{THREE_AND_FOUR}\n  etcd: {{ events: separate }}"));
    let lose = |world: World, etcd: &str| {
        (1..=3).fold(world, |world, number| {
            world.lost(&format!("etcd-member/{etcd}:control-plane-{number}"))
        })
    };
    let (main, events) = ("`keelson etcd restore`", "`keelson etcd restore --etcd events`");
    let both = format!("{events} first, then {main}");
    for (lost, commands) in [
        (vec!["main"], main),
        (vec!["events"], events),
        (vec!["main", "events"], &both),
    ] {
        let whole = World::as_desired(&desired);
        let world = lost.iter().fold(whole, |world, etcd| lose(world, etcd));
        let (plan, report) = world.plan(&desired);
        assert!(plan.is_empty(), "{:?}", outline(&plan));
        assert!(
            report.is_blocked() && report.blocked.len() == 3 * lost.len(),
            "{report:?}"
        );
        let advice = advice(&report);
        assert!(
            advice.len() == 1 && advice[0].ends_with(&format!("that of a snapshot: {commands}")),
            "{advice:?}"
        );
        for etcd in lost {
            let words = format!("etcd cluster `{etcd}` has lost all its data: no machine has any");
            let told = |problem: &&keelson::plan::Problem| problem.problem.starts_with(&words);
            let told: Vec<_> = report.problems.iter().filter(told).collect();
            assert!(
                matches!(told.as_slice(), [problem] if problem.problem.ends_with(commands)),
                "{report:?}"
            );
        }
    }
    // The data of one that is lost beside others comes from them.
    let world = World::as_desired(&desired).sick("etcd-member/main:control-plane-1");
    assert!(!world.plan(&desired).1.is_blocked());
}

#[test]
fn nobody_is_told_to_destroy_what_a_restore_has_moved_aside() {
    let desired = DesiredState {
        etcd_with_data: ["main".to_owned()].into(),
        ..desired(THREE_AND_FOUR)
    };
    let (_, report) = World::empty().plan(&desired);
    assert!(
        matches!(advice(&report)[..], [help] if help.contains("keelson destroy")),
        "{report:?}"
    );
    for (etcd, words) in [("main", "has not come to its end"), ("events", "has had data")] {
        let (_, report) = World::empty().plan(&DesiredState {
            restore: Some(StandingRestore {
                etcd: etcd.to_owned(),
                reason: "it is being restored".to_owned(),
                help: "go on".to_owned(),
            }),
            ..desired.clone()
        });
        assert!(report.is_blocked() && report.restore.is_some(), "{report:?}");
        assert_eq!(advice(&report), ["go on"]);
        let mut blocked = report.blocked.iter();
        assert!(
            blocked.all(|blocked| blocked.reason.contains(words)),
            "{report:?}"
        );
    }
}
