//! The program from outside: what it prints, how it ends, and what it leaves behind.
//!
//! `INSTA_UPDATE=always cargo nextest run --test main cli::` writes the snapshots anew; read the difference before
//! committing it, because those texts are the product.

#[cfg(feature = "aws")]
mod buckets;
mod changes;
mod damage;
mod help;
mod init;
mod input;
mod kept_keys;
mod kubeconfigs;
mod lab;
mod locks;
mod machines;
mod manifests;
mod mirrors;
mod one_node;
mod other_keys;
mod plans;
mod policies;
mod rendered;
mod restores;
mod sessions;
mod settling;
mod signals;
mod terminal;
mod told_snapshots;
