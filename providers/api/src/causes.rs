//! Errors with their causes, and what to do about those that anyone can tell.

use std::error::Error;
use std::io;

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

/// What a person can do about `error`, where it or a cause of it is a refusal by the file system that stays until someone
/// sees to it.
pub fn advice(error: &(dyn Error + 'static)) -> Option<&'static str> {
    let errors = std::iter::once(error).chain(causes(error));
    let mut refusals = errors.filter_map(|error| error.downcast_ref::<io::Error>());
    refusals.find_map(|refusal| advice_on(refusal.kind()))
}

fn advice_on(kind: io::ErrorKind) -> Option<&'static str> {
    Some(match kind {
        io::ErrorKind::StorageFull => "make room on the disk that it is on (`df -h` shows how full it is)",
        io::ErrorKind::QuotaExceeded => "make room: your quota of the disk that it is on is used up",
        io::ErrorKind::PermissionDenied => {
            "see that you may read and write it and its folder (`ls -ld` shows who may)"
        }
        io::ErrorKind::ReadOnlyFilesystem => {
            "the file system that it is on can only be read: mount it for writing, or keep it elsewhere"
        }
        io::ErrorKind::IsADirectory => {
            "a folder has the name that a file should have: see what it is, and move that one folder away"
        }
        io::ErrorKind::NotADirectory => {
            "a file has the name that a folder should have: see what it is, and move that one file away"
        }
        _ => return None,
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
    fn advice_fits_the_cause_however_deep_it_is() {
        #[derive(Debug, thiserror::Error)]
        #[error("outside")]
        struct Outside(#[source] io::Error);
        let of = |kind: io::ErrorKind| advice(&Outside(kind.into()));
        assert!(of(io::ErrorKind::StorageFull).unwrap().contains("make room"));
        assert!(
            of(io::ErrorKind::IsADirectory)
                .unwrap()
                .contains("a folder has the name")
        );
        assert!(
            of(io::ErrorKind::NotADirectory)
                .unwrap()
                .contains("a file has the name")
        );
        assert!(of(io::ErrorKind::PermissionDenied).unwrap().contains("may read"));
        assert_eq!(of(io::ErrorKind::TimedOut), None, "it passes");
        assert_eq!(advice(&says("alone", None)), None);
    }

    #[test]
    fn every_cause_is_told_once() {
        let error = says("cannot read it", Some(says("denied", Some(says("denied", None)))));
        assert_eq!(with_causes(&error), "cannot read it: denied");
        assert_eq!(causes(&error).count(), 2);
        assert_eq!(with_causes(&says("alone", None)), "alone");
    }
}
