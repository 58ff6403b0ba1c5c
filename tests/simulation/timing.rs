//! The executor starts a step the moment its own dependencies are done: a run takes as long as its critical path.

use std::collections::BTreeMap;

use keelson::execute::{Interrupt, Silent};
use keelson::ops::{ApplyOptions, AutoApprove};
use keelson_provider_api::Change;

use super::life::{Life, NAME, block_on};
use super::specs::Shape;

#[test]
fn creating_three_control_planes_and_a_hundred_workers_takes_as_long_as_its_critical_path() {
    for like in ["aws", "digitalocean"] {
        for seed in 0..4 {
            let shape = Shape {
                like,
                control_planes: 3,
                dedicated_etcd: false,
                separate_events: false,
                domain: true,
                workers: 100,
                ..Shape::of_seed(seed)
            };
            let life = Life::new(seed, &shape);
            let session = life.session(shape.spec(NAME, seed));
            let applied =
                block_on(session.apply(&ApplyOptions::default(), &AutoApprove, &Silent, &Interrupt::new()))
                    .unwrap();
            let (plan, round) = (applied.first_plan.unwrap(), &applied.rounds[0]);
            let took: BTreeMap<_, _> = plan
                .steps()
                .iter()
                .enumerate()
                .map(|(index, step)| (step.change().to_string(), round.step_durations[&index]))
                .collect();
            let path = plan.critical_path(|change: &Change| took[&change.to_string()]);
            // A cloud that keeps a group at its size makes its machines in one step.
            let least = if like == "aws" { 40 } else { 300 };
            assert!(plan.steps().len() > least, "{} steps", plan.steps().len());
            assert!(
                round.took <= path.duration.mul_f64(1.05),
                "{like}, seed {seed}: took {:?}, the critical path takes {:?}",
                round.took,
                path.duration
            );
        }
    }
}
