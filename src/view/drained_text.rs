//! What a drain has moved and what it has left.

use std::fmt::Write as _;

use super::humane::plural;
use super::printable;
use super::styles::{GOOD, paint};
use crate::ops::Drained;

/// What was moved off `node`, what stays there, and the command that lets pods come again.
pub fn render(node: &str, drained: &Drained, uncordon: &str) -> String {
    let mut text = format!(
        "{} {node} is drained: {} moved, {} left\n",
        paint(GOOD, "Done:"),
        plural(drained.evicted.len(), "pod"),
        drained.left.len()
    );
    for (pod, why) in &drained.left {
        let _ = writeln!(text, "      {}: {why}", printable(pod));
    }
    let _ = writeln!(text, "      `{uncordon}` lets pods come again");
    text
}
