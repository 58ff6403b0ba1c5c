//! Planning: a pure function, so its cost is all there is between looking and acting.

use divan::Bencher;
use divan::counter::ItemsCount;
use jiff::Timestamp;
use keelson::plan;
use keelson_provider_api::Observation;

use super::generated::{SIZES, desired, fulfilled, identity};

const NOW: Timestamp = Timestamp::UNIX_EPOCH;

/// From nothing to a cluster of so many nodes.
#[divan::bench(args = SIZES)]
fn create(bencher: Bencher<'_, '_>, workers: u32) {
    let (identity, desired, nothing) = (identity(), desired(workers), Observation::of_nothing(NOW));
    bencher
        .counter(ItemsCount::new(workers))
        .bench(|| plan::plan(&identity, &desired, &nothing, NOW));
}

/// A cluster of so many nodes that is as it should be.
#[divan::bench(args = SIZES)]
fn nothing_to_do(bencher: Bencher<'_, '_>, workers: u32) {
    let (identity, desired) = (identity(), desired(workers));
    let observation = fulfilled(&desired);
    bencher
        .counter(ItemsCount::new(workers))
        .bench(|| plan::plan(&identity, &desired, &observation, NOW));
}

/// A new version for a cluster of so many nodes: every node changes, one after the other.
#[divan::bench(args = SIZES)]
fn upgrade(bencher: Bencher<'_, '_>, workers: u32) {
    let (identity, desired) = (identity(), desired(workers));
    let observation = fulfilled(&desired);
    let newer = super::generated::upgraded(workers);
    bencher
        .counter(ItemsCount::new(workers))
        .bench(|| plan::plan(&identity, &newer, &observation, NOW));
}

/// From a cluster of so many nodes to nothing.
#[divan::bench(args = SIZES)]
fn destroy(bencher: Bencher<'_, '_>, workers: u32) {
    let identity = identity();
    let observation = fulfilled(&desired(workers));
    let nothing = plan::DesiredState::nothing();
    bencher
        .counter(ItemsCount::new(workers))
        .bench(|| plan::plan(&identity, &nothing, &observation, NOW));
}

/// Reading a saved plan.
#[divan::bench(args = SIZES)]
fn read_saved(bencher: Bencher<'_, '_>, workers: u32) {
    let (made, _) = plan::plan(&identity(), &desired(workers), &Observation::of_nothing(NOW), NOW).unwrap();
    let bytes = serde_json::to_vec(&plan::PlanFile::from(&made)).unwrap();
    bencher
        .counter(divan::counter::BytesCount::of_slice(&bytes))
        .bench(|| plan::Plan::from_bytes(&bytes));
}
