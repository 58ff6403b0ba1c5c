//! Field paths such as `spec.nodeGroups[0].replicas`.

use std::fmt;

/// One step of a [`Path`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Segment {
    /// A field of a map.
    Field(String),
    /// An item of a list, counted from 0.
    Item(usize),
}

impl From<&str> for Segment {
    fn from(field: &str) -> Self {
        Self::Field(field.to_owned())
    }
}

impl From<&String> for Segment {
    fn from(field: &String) -> Self {
        Self::Field(field.clone())
    }
}

impl From<usize> for Segment {
    fn from(item: usize) -> Self {
        Self::Item(item)
    }
}

/// The way from the document's root to a value.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Path(pub(crate) Vec<Segment>);

impl Path {
    /// The path one step further.
    pub(crate) fn then(&self, segment: impl Into<Segment>) -> Self {
        let mut segments = self.0.clone();
        segments.push(segment.into());
        Self(segments)
    }

    /// The path one step back; the root's is the root.
    pub(crate) fn parent(&self) -> Self {
        let kept = self.0.len().saturating_sub(1);
        Self(self.0.iter().take(kept).cloned().collect())
    }

    /// True when this path is `other` or leads there.
    pub(crate) fn leads_to(&self, other: &Self) -> bool {
        other.0.starts_with(&self.0)
    }
}

/// The longest name that a path shows; longer ones, which no field has, are cut.
const SHOWN_CHARS: usize = 80;

impl fmt::Display for Path {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return formatter.write_str("(document)");
        }
        for (index, segment) in self.0.iter().enumerate() {
            match segment {
                Segment::Item(item) => write!(formatter, "[{item}]")?,
                Segment::Field(field) if is_plain(field) && index == 0 => formatter.write_str(field)?,
                Segment::Field(field) if is_plain(field) => write!(formatter, ".{field}")?,
                Segment::Field(field) => {
                    let shown: String = field.chars().take(SHOWN_CHARS).collect();
                    write!(formatter, "[{shown:?}]")?;
                }
            }
        }
        Ok(())
    }
}

fn is_plain(field: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    !field.is_empty() && field.len() <= SHOWN_CHARS && field.bytes().all(allowed)
}

/// Builds a [`Path`] from its steps: `path_of!("spec", "nodeGroups", 0)`.
macro_rules! path_of {
    ($($segment:expr),* $(,)?) => {
        $crate::spec::path::Path(vec![$($crate::spec::path::Segment::from($segment)),*])
    };
}
pub(crate) use path_of;

#[cfg(test)]
mod tests {
    #[test]
    fn paths_print_as_readers_write_them() {
        let table = [
            (
                path_of!("spec", "nodeGroups", 0, "replicas"),
                "spec.nodeGroups[0].replicas",
            ),
            (path_of!("spec", "labels", "a.b/c"), "spec.labels[\"a.b/c\"]"),
            (path_of!(), "(document)"),
        ];
        for (path, expected) in table {
            assert_eq!(path.to_string(), expected);
        }
        assert!(path_of!("spec").leads_to(&path_of!("spec", "etcd")));
        assert_eq!(path_of!("spec", "etcd").parent(), path_of!("spec"));
    }
}
