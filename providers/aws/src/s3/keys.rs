//! Which key of the bucket an object has.

/// No key is longer, in bytes: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html>.
const KEY_LIMIT_BYTES: usize = 1024;

/// What is wrong with the path of an object; `None` when it is one.
///
/// A bucket takes any text, but servers and tools tidy `.`, `..` and empty parts away, each in its own way: two paths
/// would be one object, or a path would lead out of the prefix.
pub(super) fn problem_of(path: &str) -> Option<&'static str> {
    if path.is_empty() || path.split('/').any(|part| matches!(part, "" | "." | "..")) {
        Some("the path leads out of the store")
    } else if path.chars().any(char::is_control) {
        Some("the path has control characters in it")
    } else if path.len() > KEY_LIMIT_BYTES {
        Some("the path is longer than 1024 bytes")
    } else {
        None
    }
}

/// What is wrong with the beginning of paths: its last part may be a part of one, or missing.
pub(super) fn problem_of_beginning(beginning: &str) -> Option<&'static str> {
    match beginning.rsplit_once('/') {
        Some((folders, _)) => problem_of(folders),
        None => None,
    }
    .or_else(|| {
        let last = beginning.rsplit('/').next().unwrap_or_default();
        if last.is_empty() {
            None
        } else {
            problem_of_last(last)
        }
    })
}

fn problem_of_last(last: &str) -> Option<&'static str> {
    last.chars()
        .any(char::is_control)
        .then_some("the path has control characters in it")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stay_inside_and_are_one_object_each() {
        for path in ["a", "a/b", "a b/ü+&.yaml", ".hidden", "a/..b"] {
            assert_eq!(problem_of(path), None, "{path}");
        }
        let long = "x".repeat(KEY_LIMIT_BYTES + 1);
        for path in [
            "", "/a", "a/", "a//b", ".", "../a", "a/../b", "a/.", "a\nb", &long,
        ] {
            assert!(problem_of(path).is_some(), "{path}");
        }
    }

    #[test]
    fn beginnings_may_end_anywhere() {
        for beginning in ["", "a", "a/", "a/b", "a/."] {
            assert_eq!(problem_of_beginning(beginning), None, "{beginning}");
        }
        for beginning in ["/", "../", "a//", "a/../b", "./a", "a\0"] {
            assert!(problem_of_beginning(beginning).is_some(), "{beginning}");
        }
    }
}
