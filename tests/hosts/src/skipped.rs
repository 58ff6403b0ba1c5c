//! Tests that pass without having tested anything, because the machine has not what they need: they say so by name.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;

/// Names the file that `.ci/test` prints at its end: a line a test.
const LIST: &str = "KEELSON_SKIPPED_TESTS";

/// Says that `test` is skipped, and why: on standard error, and in the list of whoever keeps one.
///
/// # Panics
///
/// When the list cannot be written: what was not tested would be taken for tested.
#[expect(
    clippy::panic,
    reason = "a test that cannot say that it was skipped has to fail"
)]
pub fn skip(test: &str, why: impl std::fmt::Display) {
    #[expect(
        clippy::print_stderr,
        reason = "whoever reads the output of tests learns what was not tested"
    )]
    {
        eprintln!("skipped: {test}: {why}");
    }
    if let Some(list) = std::env::var_os(LIST) {
        let written = write_down(Path::new(&list), &format!("{test}: {why}\n"));
        written.unwrap_or_else(|error| panic!("cannot write {}: {error}", list.display()));
    }
}

/// Appends a line in one write, since tests run beside each other.
fn write_down(list: &Path, line: &str) -> std::io::Result<()> {
    let mut list = OpenOptions::new().append(true).create(true).open(list)?;
    list.write_all(line.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_test_that_is_skipped_is_a_line() {
        let list = std::env::temp_dir().join(format!("keelson-skipped-{}", std::process::id()));
        write_down(&list, "a: no root\n").unwrap();
        write_down(&list, "b: no openssl\n").unwrap();
        let written = std::fs::read_to_string(&list).unwrap();
        std::fs::remove_file(&list).unwrap();
        assert_eq!(written, "a: no root\nb: no openssl\n");
    }
}
