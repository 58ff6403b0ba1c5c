//! Hearing what a script says, up to a bound.

use std::sync::{Mutex, PoisonError};

/// The lines that a script has said. What would go beyond the bound is not heard.
pub(crate) struct Hearing {
    text: Mutex<String>,
    limit_bytes: usize,
}

impl Hearing {
    /// Nothing yet, and never more than `limit_bytes`.
    pub(crate) fn new(limit_bytes: usize) -> Self {
        Self {
            text: Mutex::default(),
            limit_bytes,
        }
    }

    /// Hears a line.
    pub(crate) fn hear(&self, line: &str) {
        let mut text = self.text.lock().unwrap_or_else(PoisonError::into_inner);
        if text.len().saturating_add(line.len()) < self.limit_bytes {
            text.push_str(line);
            text.push('\n');
        }
    }

    /// All that was heard, a line each.
    pub(crate) fn into_text(self) -> String {
        self.text.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_beyond_the_bound_is_not_heard() {
        let hearing = Hearing::new(8);
        for line in ["one", "too long a line", "two", "x"] {
            hearing.hear(line);
        }
        assert_eq!(hearing.into_text(), "one\ntwo\n");
    }
}
