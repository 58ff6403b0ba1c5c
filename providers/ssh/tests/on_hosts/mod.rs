//! On hosts of a lab.

mod assets;
mod bundles;
mod claims;
mod fencing;
mod interrupted;
mod keys;
mod loss;
mod preflight;
mod users;
