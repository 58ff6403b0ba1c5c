//! Whole clusters of real Kubernetes on hosts: with the programs and images in the folder that
//! `KEELSON_KUBERNETES_ASSETS` names. Without it these tests are skipped, and say so.

#![expect(
    clippy::disallowed_methods,
    reason = "how long real machines take is for the reader of the output"
)]

mod cis;
mod killed;
mod losses;
mod metrics;
mod mistakes;
mod moved;
mod nodes;
mod older;
mod pods;
mod restored;
mod rights;
mod settings;
mod sign_in;
mod site;
mod topologies;
mod whole;
