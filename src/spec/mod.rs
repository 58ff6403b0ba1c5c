//! The declarative spec: what a user wants, checked.
//!
//! [`load`] leads through the whole of it: bytes become a tree that knows its places (`yaml`); the tree is checked
//! against the shape of the types (`check`, `shape`), which finds every wrong field in one pass; serde makes a
//! [`Cluster`] of it; `complete` fills in what follows from other fields; `validate` asks how fields go together.
//! What comes out is a [`ValidSpec`], or [`SpecErrors`] with everything that is wrong, where, and what to do.
//!
//! [`schema()`], [`explain()`] and the shape come from the same types, so what an editor suggests is what is accepted.

mod check;
mod complete;
mod errors;
mod explain;
mod load;
mod path;
mod schema;
mod shape;
pub mod text;
pub mod types;
mod valid;
mod validate;
pub mod versions;
mod yaml;

pub use errors::{Labels, SpecError, SpecErrors};
pub use explain::{ExplainError, ExplainedName, Explanation, explain};
pub use load::{load, read_limit_bytes};
pub use schema::schema;
pub use text::{Bucket, HttpUrl, Location, OnCalendar, PortRange, StateStore};
pub use types::*;
pub use valid::{SpecWarnings, ValidSpec};
pub use versions::{RUNTIME_RELEASES, nearest_release};
