//! Whole lives of clusters in the simulated world: created, edited, scaled and destroyed while things go wrong.
//!
//! Everything is drawn from a seed. A failure prints the command that replays it. `KEELSON_SEEDS=FROM..TO` runs
//! other seeds than the usual ones; `make simulate SEEDS=10000` runs many.

pub(crate) mod between;
mod crashes;
mod faults;
mod interrupts;
mod lease;
mod life;
mod limits;
mod shared_failures;
mod silence;
pub(crate) mod specs;
mod store_crashes;
mod timing;
mod twice;

use std::ops::Range;

/// So many seeds are run where nobody asks for others.
const USUAL_SEEDS: u64 = 500;

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
        if let Err(problem) = run(seed) {
            panic!(
                "seed {seed}: {problem}\nreplay: KEELSON_SEEDS={seed}..{} cargo nextest run --test main simulation::{suite}",
                seed + 1
            );
        }
    }
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
