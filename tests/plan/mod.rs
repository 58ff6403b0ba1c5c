//! What the planner decides, one rule at a time.

mod decisions;
mod file;
mod order;
mod safety;
mod world;
