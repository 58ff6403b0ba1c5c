//! On hosts of a lab.

mod assets;
mod bundles;
mod claims;
mod control_planes;
mod drift;
mod fencing;
mod full_disks;
mod interrupted;
mod keys;
mod loss;
mod nodes;
mod preflight;
mod reach;
mod routes;
mod settling;
mod streams;
mod torn;
mod users;
mod virtual_address;
mod whereabouts;
