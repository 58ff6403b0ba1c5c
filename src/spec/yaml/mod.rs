//! From bytes to a tree of values that know their place in the file.
//!
//! YAML is read by `granit-parser`, the event parser inside `serde-saphyr`, which also writes the completed spec.
//! `serde_yaml` and its successors were not chosen: `serde_yaml` is unmaintained, `serde_yaml_ng` and `serde_yml` keep
//! its design, which gives a position to the first error only and loses the text of plain scalars (`1.10` arrives as
//! `1.1`), and none of them bounds what hostile input costs. `granit-parser` is maintained, forbids unsafe code, gives
//! every event a span and a style, and limits nesting; the tree below limits everything else: size, number of values,
//! growth through aliases, length of names.
//!
//! Tags, merge keys and several documents are refused with a message of their own: none of them means anything in a
//! spec, and each has surprised someone.

mod build;
mod resolve;
mod source;
mod syntax;
mod tree;

pub(crate) use build::read;
pub(crate) use resolve::{Plain, resolve};
pub(crate) use source::{Source, decode};
pub(crate) use tree::{Content, Entry, Mark, Node};
