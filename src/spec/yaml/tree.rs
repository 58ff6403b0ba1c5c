//! The tree of positioned values.

use std::rc::Rc;

use crate::spec::path::{Path, Segment};

/// A place in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Mark {
    /// The line, counted from 1.
    pub(crate) line: usize,
    /// The column in characters, counted from 1.
    pub(crate) column: usize,
    /// How many characters of the line belong to it, at least 1.
    pub(crate) length: usize,
}

impl Mark {
    /// The beginning of the file.
    pub(crate) const START: Self = Self {
        line: 1,
        column: 1,
        length: 1,
    };
}

/// A value and its place.
#[derive(Debug)]
pub(crate) struct Node {
    /// Where the value begins.
    pub(crate) mark: Mark,
    /// The value.
    pub(crate) content: Content,
    /// How many values the tree below has when aliases are written out, this one included.
    pub(crate) weight: usize,
    /// How many levels the tree below has, this one included.
    pub(crate) height: usize,
}

/// A value.
#[derive(Debug)]
pub(crate) enum Content {
    /// A scalar: its text after YAML's unescaping, and whether it was written without quotes.
    Scalar {
        /// The text.
        text: String,
        /// True without quotes and block markers: such a text may mean a number, a boolean or null.
        plain: bool,
    },
    /// A list. Items are shared with other places of the tree where an alias names them.
    List(Vec<Rc<Node>>),
    /// A map, in the order of the file, each name once.
    Map(Vec<Entry>),
}

/// One field of a map.
#[derive(Debug)]
pub(crate) struct Entry {
    /// The field's name.
    pub(crate) name: String,
    /// Where the name stands.
    pub(crate) mark: Mark,
    /// The field's value.
    pub(crate) value: Rc<Node>,
}

impl Node {
    /// The field `name` of a map.
    pub(crate) fn field(&self, name: &str) -> Option<&Entry> {
        match &self.content {
            Content::Map(entries) => entries.iter().find(|entry| entry.name == name),
            _ => None,
        }
    }

    /// True when the file has a value at `path`.
    pub(crate) fn has(&self, path: &Path) -> bool {
        self.follow(path).1 == path.0.len()
    }

    /// The place of the value at `path`, or of its nearest ancestor in the file. A scalar's place is its own; that of
    /// a map or list is its field's name, which is where a reader looks.
    pub(crate) fn locate(&self, path: &Path) -> Mark {
        self.follow(path).0
    }

    /// The place reached by following `path` and the number of steps that could be followed.
    fn follow(&self, path: &Path) -> (Mark, usize) {
        let mut node = self;
        let mut mark = self.mark;
        for (steps, segment) in path.0.iter().enumerate() {
            match (segment, &node.content) {
                (Segment::Field(name), Content::Map(_)) => {
                    let Some(entry) = node.field(name) else {
                        return (mark, steps);
                    };
                    node = &entry.value;
                    mark = match node.content {
                        Content::Scalar { .. } => node.mark,
                        _ => entry.mark,
                    };
                }
                (Segment::Item(index), Content::List(items)) => {
                    let Some(item) = items.get(*index) else {
                        return (mark, steps);
                    };
                    node = item;
                    mark = node.mark;
                }
                _ => return (mark, steps),
            }
        }
        (mark, path.0.len())
    }
}
