//! The vocabulary shared with providers.

pub mod values;
