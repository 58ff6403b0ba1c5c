//! keelson inside another program: reads a spec, plans, applies with a reporter of its own, and reads the status.
//!
//! ```text
//! cargo run --example embed
//! cargo run --example embed -- examples/simulated-ha-aws.yaml
//! ```
//!
//! The cluster lives in memory and ends with the program. A program that is to find its cluster again uses
//! `keelson::registry::connect`, or fills in `keelson::ops::SessionParts` with providers, store and clocks of its own.
#![expect(
    clippy::print_stdout,
    reason = "a program says what it does; the library prints nothing"
)]

use std::error::Error;
use std::sync::Mutex;

use keelson::execute::{Event, Interrupt, Reporter};
use keelson::ops::{ApplyOptions, AutoApprove};
use keelson::{registry, spec};
use keelson_provider_api::Clock;
use keelson_provider_api::clock::SystemClock;

/// Prints what is done, and remembers the slowest step.
#[derive(Default)]
struct Narrator {
    slowest: Mutex<Option<(u64, String)>>,
}

impl Reporter for Narrator {
    fn report(&self, event: &Event) {
        match event {
            Event::Started { steps, expected_ms } if *steps > 0 => {
                println!("  {steps} steps, about {} s", expected_ms / 1000);
            }
            Event::StepDone {
                key, verb, took_ms, ..
            } => {
                println!("  {verb} {key}");
                if let Ok(mut slowest) = self.slowest.lock()
                    && slowest.as_ref().is_none_or(|(longest, _)| took_ms > longest)
                {
                    *slowest = Some((*took_ms, key.to_string()));
                }
            }
            _ => {}
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let file = std::env::args().nth(1);
    let file =
        file.unwrap_or_else(|| concat!(env!("CARGO_MANIFEST_DIR"), "/examples/quickstart.yaml").to_owned());
    let valid = spec::load(&std::fs::read(&file)?, &file)?;
    let name = valid.name().clone();
    let (session, _world) = registry::connect_in_memory(valid, SystemClock.now())?;

    let narrator = Narrator::default();
    let planned = session.plan(&narrator).await?;
    println!("{name} needs {} changes:", planned.plan.steps().len());
    let applied = session
        .apply(
            &ApplyOptions::default(),
            &AutoApprove,
            &narrator,
            &Interrupt::new(),
        )
        .await?;
    println!(
        "done: {} steps in {} s of the simulated world",
        applied.steps_done(),
        applied.took().as_secs()
    );
    if let Ok(slowest) = narrator.slowest.lock()
        && let Some((milliseconds, key)) = slowest.as_ref()
    {
        println!("slowest: {key}, {} s", milliseconds / 1000);
    }

    let status = session.status(&narrator).await?;
    let endpoint = status.endpoint.as_deref().unwrap_or("no address yet");
    println!("{name} is {:?}, its API at {endpoint}", status.condition);
    for node in &status.nodes {
        println!("  node {}, ready: {}", node.name, node.ready);
    }
    Ok(())
}
