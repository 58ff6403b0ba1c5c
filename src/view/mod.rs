//! What people and programs get to see: text, JSON, pictures. Views receive values and events and call nothing.
//!
//! | module | shows |
//! |---|---|
//! | [`plan_text`] | a plan, for reading |
//! | [`plan_json`] | a plan, for programs |
//! | [`plan_picture`] | a plan as a timeline: SVG, HTML, Graphviz |
//! | [`progress_lines`], [`progress_bars`], [`progress_json`] | a run, while it goes on |
//! | [`summary`] | what a run did, and what to do next |
//! | [`status_text`] | how a cluster is doing |
//! | [`nodes_text`] | the machines of a cluster |
//! | [`etcd_text`] | how etcd is |
//! | [`etcd_upkeep_text`] | what came of defragmenting members |
//! | [`backups_text`] | snapshots of etcd |
//! | [`restores_text`] | restores and drills of them |
//! | [`etcd_credentials_text`] | what a client of etcd is given |
//! | [`certificates_text`] | certificates and when they end |
//! | [`assets_text`] | release files |
//! | [`rendered`] | what machines would be given, as files |

pub mod assets_text;
pub mod backups_text;
pub mod certificates_text;
pub mod drained_text;
pub mod etcd_credentials_text;
pub mod etcd_text;
pub mod etcd_upkeep_text;
mod groups;
mod humane;
mod list_changes;
pub mod nodes_text;
pub mod plan_json;
pub mod plan_picture;
pub mod plan_text;
mod plan_totals;
pub mod progress_bars;
pub mod progress_json;
pub mod progress_lines;
pub mod rendered;
pub mod restores_text;
pub mod spec_file;
pub mod status_text;
mod styles;
pub mod summary;
mod table;
mod trouble;
mod waiting;

pub use humane::{duration, plural, printable, size};
