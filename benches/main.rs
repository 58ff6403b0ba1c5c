//! What keelson costs, apart from the world that it waits for. `docs/performance.md` holds the figures.
//!
//! Allocations are counted too: `max alloc` is the most memory that one run holds at a time.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a benchmark says what is wrong by ending"
)]

mod execute;
mod generated;
mod pki;
mod plan;
mod spec;

#[global_allocator]
static ALLOCATOR: divan::AllocProfiler = divan::AllocProfiler::system();

fn main() {
    divan::main();
}
