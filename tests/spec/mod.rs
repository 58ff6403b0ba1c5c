//! The spec: what loads, what does not and what is said about it, and what hostile files cost.

mod corpus;
mod explain;
mod hostile;
mod valid;
