//! What the fuzzer starts from goes through what it checks, so that both stay as the program is.
#![expect(
    clippy::print_stdout,
    reason = "the last seed that is named is the one that failed"
)]

#[path = "../../fuzz/properties/saved_plan.rs"]
mod saved_plan;
#[path = "../../fuzz/properties/spec_parse.rs"]
mod spec_parse;

use std::path::Path;

use keelson::plan::Plan;
use keelson::spec;

/// Checks every seed of a target, and tells how many `is_taken` takes.
fn seeds(target: &str, check: fn(&[u8]), is_taken: impl Fn(&[u8]) -> bool) -> usize {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz/corpus")
        .join(target);
    let seeds = std::fs::read_dir(&folder).unwrap();
    let mut taken = 0;
    for seed in seeds {
        let path = seed.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        println!("{}", path.display());
        check(&bytes);
        taken += usize::from(is_taken(&bytes));
    }
    taken
}

#[test]
fn specs() {
    let taken = seeds("spec_parse", spec_parse::check, |bytes| {
        spec::load(bytes, "seed.yaml").is_ok()
    });
    assert!(
        taken >= 15,
        "{taken} seeds are specs: the examples have changed, so copy them anew"
    );
}

#[test]
fn plans() {
    let taken = seeds("saved_plan", saved_plan::check, |bytes| {
        Plan::from_bytes(bytes).is_ok()
    });
    assert!(taken >= 3, "{taken} seeds are plans: save some anew");
}
