//! What the planner decides, one rule at a time.

mod decisions;
mod etcd;
mod file;
mod firewalls;
mod groups;
mod holding;
mod kept;
mod leaving;
mod leftovers;
mod lost_data;
mod names;
mod one_at_a_time;
mod order;
mod quorum;
mod roles;
mod safety;
mod world;
