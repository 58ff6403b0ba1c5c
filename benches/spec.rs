//! Reading a spec: parse, check, complete, validate.

use divan::Bencher;
use divan::counter::BytesCount;
use keelson::model::desired_state;
use keelson::node::AssetIndex;

use super::generated::{SIZES, cluster_of, hosts, load};

/// The smallest spec: what every command starts with.
#[divan::bench]
fn load_small(bencher: Bencher<'_, '_>) {
    let text = include_str!("../examples/quickstart.yaml");
    bencher.counter(BytesCount::of_str(text)).bench(|| load(text));
}

/// A spec with a line for each of so many hosts.
#[divan::bench(args = [10, 100, 1_000, 4_000])]
fn load_hosts(bencher: Bencher<'_, '_>, count: u32) {
    let text = hosts(count);
    bencher.counter(BytesCount::of_str(&text)).bench(|| load(&text));
}

/// From a spec to the resources that it asks for.
#[divan::bench(args = SIZES)]
fn desired(bencher: Bencher<'_, '_>, workers: u32) {
    let spec = load(&cluster_of(workers));
    bencher.bench(|| desired_state(&spec, &AssetIndex::Imagined));
}
