//! Errors with their causes.

use std::error::Error;

/// The causes of `error`, the nearest first, without itself.
pub fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(error.source(), |&cause| cause.source())
}

/// What `error` says, and behind it its causes. A wrapper that says what its cause says is not repeated.
pub fn with_causes(error: &(dyn Error + 'static)) -> String {
    causes(error).fold(error.to_string(), |text, cause| {
        let cause = cause.to_string();
        if text.ends_with(&cause) {
            text
        } else {
            format!("{text}: {cause}")
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{0}")]
    struct Says(&'static str, #[source] Option<Box<Self>>);

    fn says(what: &'static str, cause: Option<Says>) -> Says {
        Says(what, cause.map(Box::new))
    }

    #[test]
    fn every_cause_is_told_once() {
        let error = says("cannot read it", Some(says("denied", Some(says("denied", None)))));
        assert_eq!(with_causes(&error), "cannot read it: denied");
        assert_eq!(causes(&error).count(), 2);
        assert_eq!(with_causes(&says("alone", None)), "alone");
    }
}
