//! The declarative spec.
pub mod text;
pub mod types;
pub mod versions;
pub use types::*;
