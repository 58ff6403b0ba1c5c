//! On hosts of a lab.

mod keys;
mod loss;
mod users;
