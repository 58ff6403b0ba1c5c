//! Whole lives of clusters in the simulated world: created, edited, scaled and destroyed while things go wrong.
//!
//! Everything is drawn from a seed. A failure prints the command that replays it. `KEELSON_SEEDS=FROM..TO` runs
//! other seeds than the usual ones; `make simulate SEEDS=10000` runs many.

mod backups;
pub(crate) mod between;
mod crashes;
mod deadly;
mod faults;
mod interrupts;
mod lease;
mod leftovers;
mod life;
mod limits;
mod restores;
mod shared_failures;
mod silence;
pub(crate) mod specs;
mod store_crashes;
mod timing;
mod twice;
mod volumes;

use std::any::Any;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// So many seeds are run where nobody asks for others.
const USUAL_SEEDS: u64 = 250;

/// The seeds of one of `shards` parts of a suite.
fn seeds(shard: u64, shards: u64) -> impl Iterator<Item = u64> {
    let parse = |text: &str| -> Option<Range<u64>> {
        let (from, to) = text.split_once("..")?;
        Some(from.parse().ok()?..to.parse().ok()?)
    };
    #[expect(clippy::disallowed_methods, reason = "the one knob of these tests")]
    let asked = std::env::var("KEELSON_SEEDS").ok();
    let range = match asked {
        Some(text) => parse(&text).unwrap_or_else(|| panic!("KEELSON_SEEDS={text} is not FROM..TO")),
        None => 0..USUAL_SEEDS,
    };
    assert!(!range.is_empty(), "KEELSON_SEEDS names no seeds");
    range.filter(move |seed| seed % shards == shard)
}

/// Runs a suite over its seeds and fails with the first seed that did, and how to see it again.
fn over_seeds(suite: &str, shard: u64, shards: u64, run: impl Fn(u64) -> Result<(), String>) {
    for seed in seeds(shard, shards) {
        let ended = catch_unwind(AssertUnwindSafe(|| run(seed)));
        // Where it panicked has been printed by then.
        if let Err(problem) = ended.unwrap_or_else(|panic| Err(panic_message(&*panic))) {
            panic!(
                "seed {seed}: {problem}\nreplay: KEELSON_SEEDS={seed}..{} cargo nextest run --test main simulation::{suite}",
                seed + 1
            );
        }
    }
}

/// What a panic says.
fn panic_message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|&text| text.to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    text.unwrap_or_else(|| "it panicked".to_owned())
}

/// One test for each of eight parts, so that they run on all cores.
macro_rules! sharded {
    ($run:expr, $suite:literal, $($name:ident = $shard:literal),+ $(,)?) => {
        $(#[test]
        fn $name() {
            super::over_seeds($suite, $shard, 8, $run);
        })+
    };
}
use sharded;

#[test]
fn a_failure_of_any_kind_tells_how_to_replay_it() {
    type Life = fn(u64) -> Result<(), String>;
    let ways: [(&str, Life); 3] = [
        ("an error", |_| Err("an error".to_owned())),
        ("a fixed text", |_| panic!("a fixed text")),
        ("left: 1", |seed| {
            assert_eq!(1, 2, "with seed {seed}");
            Ok(())
        }),
    ];
    for (expected, run) in ways {
        let failed = catch_unwind(|| over_seeds("tale", 0, 1, run)).unwrap_err();
        let said = panic_message(&*failed);
        let seed = seeds(0, 1).next().unwrap();
        let replay = format!("KEELSON_SEEDS={seed}..{} ", seed + 1);
        for words in [expected, &format!("seed {seed}: "), &replay, " simulation::tale"] {
            assert!(said.contains(words), "`{words}` is not in:\n{said}");
        }
    }
}
