use super::*;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// Which of `times` stay.
fn kept(rules: KeepRules, times: &[&str]) -> Vec<String> {
    let kept = rules.kept(times.iter().map(|&time| (time, at(time))));
    kept.into_iter()
        .map(|(time, reasons)| {
            let reasons: Vec<String> = reasons.iter().map(KeepReason::to_string).collect();
            format!("{time} {}", reasons.join("+"))
        })
        .collect()
}

const NONE: KeepRules = KeepRules {
    last: 0,
    hourly: 0,
    daily: 0,
    weekly: 0,
};

#[test]
fn each_rule_keeps_the_newest_of_its_periods() {
    let times = [
        "2026-01-01T00:00:00Z",
        "2026-01-01T00:59:59Z",
        "2026-01-01T01:00:00Z",
        "2026-01-02T23:00:00Z",
        // A Sunday and the Monday after it, in the same month and in different weeks.
        "2026-01-04T12:00:00Z",
        "2026-01-05T12:00:00Z",
    ];
    assert_eq!(kept(NONE, &times), ["2026-01-05T12:00:00Z newest"]);
    assert_eq!(
        kept(KeepRules { last: 2, ..NONE }, &times),
        ["2026-01-04T12:00:00Z last", "2026-01-05T12:00:00Z newest+last"]
    );
    assert_eq!(
        kept(KeepRules { hourly: 5, ..NONE }, &times),
        [
            "2026-01-01T00:59:59Z hourly",
            "2026-01-01T01:00:00Z hourly",
            "2026-01-02T23:00:00Z hourly",
            "2026-01-04T12:00:00Z hourly",
            "2026-01-05T12:00:00Z newest+hourly",
        ],
        "hours without a backup do not count"
    );
    assert_eq!(
        kept(KeepRules { daily: 3, ..NONE }, &times),
        [
            "2026-01-02T23:00:00Z daily",
            "2026-01-04T12:00:00Z daily",
            "2026-01-05T12:00:00Z newest+daily",
        ]
    );
    assert_eq!(
        kept(KeepRules { weekly: 9, ..NONE }, &times),
        [
            "2026-01-04T12:00:00Z weekly",
            "2026-01-05T12:00:00Z newest+weekly"
        ],
        "the first of January 2026 is in the week that ends on the fourth"
    );
}

#[test]
fn a_week_goes_on_over_the_new_year() {
    let times = ["2025-12-29T00:00:00Z", "2026-01-04T23:59:59Z"];
    assert_eq!(
        kept(KeepRules { weekly: 2, ..NONE }, &times),
        ["2026-01-04T23:59:59Z newest+weekly"]
    );
}

#[test]
fn of_the_same_moment_the_greatest_name_is_the_newest() {
    let moment = at("2026-01-01T00:00:00Z");
    let kept = NONE.kept([("a", moment), ("c", moment), ("b", moment)]);
    assert_eq!(kept.into_keys().collect::<Vec<_>>(), ["c"]);
}

/// A number out of a seed.
fn draw(seed: &mut u64) -> u64 {
    *seed = seed
        .wrapping_mul(6_364_136_223_846_793_005)
        .wrapping_add(1_442_695_040_888_963_407);
    *seed >> 33
}

#[test]
fn thousands_of_histories_obey_the_rules() {
    for mut seed in 0..3000_u64 {
        let number = usize::try_from(draw(&mut seed) % 60).unwrap();
        let spread = [60, 3600, 86_400, 604_800][usize::try_from(draw(&mut seed) % 4).unwrap()];
        let histories: Vec<(String, Timestamp)> = (0..number)
            .map(|index| {
                let second = 1_790_000_000 + i64::try_from(draw(&mut seed) % (spread * 40)).unwrap();
                (format!("{index:04}"), Timestamp::from_second(second).unwrap())
            })
            .collect();
        let rules = KeepRules {
            last: u32::try_from(draw(&mut seed) % 5).unwrap(),
            hourly: u32::try_from(draw(&mut seed) % 30).unwrap(),
            daily: u32::try_from(draw(&mut seed) % 10).unwrap(),
            weekly: u32::try_from(draw(&mut seed) % 6).unwrap(),
        };
        check(rules, &histories);
    }
}

/// What must be true of whatever is kept, said in another way than the rules are carried out.
fn check(rules: KeepRules, history: &[(String, Timestamp)]) {
    let named = || history.iter().map(|(name, taken)| (name.as_str(), *taken));
    let kept = rules.kept(named());
    let newest = named().max_by_key(|&(name, taken)| (taken, name));
    assert_eq!(kept.is_empty(), history.is_empty());
    let is_kept = |name: &str, reason| kept.get(name).is_some_and(|reasons| reasons.contains(&reason));
    if let Some((name, _)) = newest {
        assert!(is_kept(name, KeepReason::Newest), "{rules:?} {history:?}");
    }
    for (name, taken) in named() {
        let newer = named()
            .filter(|&other| (other.1, other.0) > (taken, name))
            .count();
        assert_eq!(
            is_kept(name, KeepReason::Last),
            newer < usize::try_from(rules.last).unwrap(),
            "{name} {rules:?} {history:?}"
        );
        for (reason, limit, seconds, offset) in [
            (KeepReason::Hourly, rules.hourly, 3600, 0),
            (KeepReason::Daily, rules.daily, 86_400, 0),
            // The first of January 1970 was a Thursday.
            (KeepReason::Weekly, rules.weekly, 604_800, 3 * 86_400),
        ] {
            let period = |taken: Timestamp| (taken.as_second() + offset).div_euclid(seconds);
            let is_newest = named()
                .filter(|other| period(other.1) == period(taken))
                .all(|other| (other.1, other.0) <= (taken, name));
            let later: BTreeSet<i64> = named()
                .map(|other| period(other.1))
                .filter(|&other| other > period(taken))
                .collect();
            let wanted = is_newest && later.len() < usize::try_from(limit).unwrap();
            assert_eq!(
                is_kept(name, reason),
                wanted,
                "{reason} {name} {rules:?} {history:?}"
            );
        }
    }
}

#[test]
fn pruning_what_was_pruned_takes_nothing_more() {
    let mut seed = 7;
    let history: Vec<(String, Timestamp)> = (0..500)
        .map(|index| {
            let second = 1_790_000_000 + i64::try_from(draw(&mut seed) % 5_000_000).unwrap();
            (format!("{index:04}"), Timestamp::from_second(second).unwrap())
        })
        .collect();
    let rules = KeepRules {
        last: 3,
        hourly: 24,
        daily: 30,
        weekly: 4,
    };
    let once = rules.kept(history.iter().map(|(name, taken)| (name.as_str(), *taken)));
    let rest = history
        .iter()
        .filter(|(name, _)| once.contains_key(name.as_str()));
    let twice = rules.kept(rest.map(|(name, taken)| (name.as_str(), *taken)));
    assert_eq!(once, twice);
}
