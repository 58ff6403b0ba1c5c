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
//! | [`assets_text`] | release files |

pub mod assets_text;
mod groups;
mod humane;
pub mod plan_json;
pub mod plan_picture;
pub mod plan_text;
mod plan_totals;
pub mod progress_bars;
pub mod progress_json;
pub mod progress_lines;
pub mod spec_file;
pub mod status_text;
mod styles;
pub mod summary;
mod table;
mod trouble;

pub use humane::{duration, plural, printable, size};
