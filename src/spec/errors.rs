//! What is wrong with a spec, where, and what to do about it.

use std::fmt;

use keelson_provider_api::values::clip;
use serde::Serialize;

use super::path::Path;
use super::yaml::{Mark, Source};

/// How many errors a message shows. The rest is counted.
const SHOWN_ERRORS: usize = 100;

/// One thing that is wrong with a spec.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SpecError {
    /// The line, counted from 1.
    pub line: usize,
    /// The column in characters, counted from 1.
    pub column: usize,
    /// The field, for example `spec.nodeGroups[0].replicas`; `(document)` for the file as a whole.
    pub path: String,
    /// What is wrong: a lower-case fragment.
    pub problem: String,
    /// What should stand there instead: a fragment that goes on from "expected".
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected: Option<String>,
    /// What to do: the nearest valid name, or advice.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// The line of the file, as far as a reader needs it.
    #[serde(skip)]
    excerpt: Option<Excerpt>,
}

/// A line of the file and the place in it to point at.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Excerpt {
    text: String,
    before: usize,
    length: usize,
}

/// Everything that is wrong with one spec, in the order of the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SpecErrors {
    /// Where the spec came from: a file name, or what the caller calls it.
    pub origin: String,
    /// The errors, sorted by position; never empty.
    pub errors: Vec<SpecError>,
}

/// Something wrong that the checks found, not yet tied to a place in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    /// The field.
    pub(crate) path: Path,
    /// Its place, when the finder knows one better than that of `path`.
    pub(crate) mark: Option<Mark>,
    /// What is wrong.
    pub(crate) problem: String,
    /// What should stand there.
    pub(crate) expected: Option<String>,
    /// What to do.
    pub(crate) help: Option<String>,
}

impl Finding {
    /// A problem with the field at `path`.
    pub(crate) fn new(path: Path, problem: impl Into<String>) -> Self {
        Self {
            path,
            mark: None,
            problem: problem.into(),
            expected: None,
            help: None,
        }
    }

    /// The same, at a known place.
    pub(crate) fn at(mut self, mark: Mark) -> Self {
        self.mark = Some(mark);
        self
    }

    /// The same, saying what should stand there.
    pub(crate) fn expected(mut self, expected: impl Into<String>) -> Self {
        self.expected = Some(expected.into());
        self
    }

    /// The same, with advice.
    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// The columns of a line that an excerpt shows.
const EXCERPT_CHARS: usize = 120;

impl Excerpt {
    fn of(source: Source<'_>, mark: Mark) -> Option<Self> {
        let line = source.line(mark.line)?;
        let column = mark.column.saturating_sub(1);
        // Of a very long line, only the neighbourhood of the mark is shown.
        let skipped = column.saturating_sub(EXCERPT_CHARS / 2);
        let visible = |character: char| if character.is_control() { ' ' } else { character };
        let text: String = line
            .chars()
            .skip(skipped)
            .take(EXCERPT_CHARS)
            .map(visible)
            .collect();
        let before = column - skipped;
        let room = text.chars().count().saturating_sub(before);
        Some(Self {
            text: text.trim_end().to_owned(),
            before,
            length: mark.length.clamp(1, room.max(1)),
        })
    }
}

impl SpecError {
    /// Ties a finding to its place in `source`.
    pub(crate) fn locate(finding: Finding, mark: Mark, source: Source<'_>) -> Self {
        Self {
            line: mark.line,
            column: mark.column,
            path: finding.path.to_string(),
            problem: finding.problem,
            expected: finding.expected,
            help: finding.help,
            excerpt: Excerpt::of(source, mark),
        }
    }

    /// Writes the error as a reader sees it, beginning with `severity`.
    pub(crate) fn write(&self, severity: &str, origin: &str, out: &mut dyn fmt::Write) -> fmt::Result {
        let Self { line, column, .. } = self;
        writeln!(
            out,
            "{severity}: {origin}:{line}:{column}: {}: {}",
            self.path, self.problem
        )?;
        if let Some(excerpt) = &self.excerpt {
            let number = line.to_string();
            let gutter = " ".repeat(number.len());
            let indent = " ".repeat(excerpt.before);
            writeln!(out, "  {gutter} |")?;
            writeln!(out, "  {number} | {}", excerpt.text)?;
            writeln!(out, "  {gutter} | {indent}{}", "^".repeat(excerpt.length))?;
        }
        if let Some(expected) = &self.expected {
            writeln!(out, "    expected {expected}")?;
        }
        if let Some(help) = &self.help {
            writeln!(out, "    help: {help}")?;
        }
        Ok(())
    }
}

impl SpecErrors {
    /// Sorts errors by position. `errors` is not empty.
    pub(crate) fn new(origin: &str, mut errors: Vec<SpecError>) -> Self {
        errors.sort_by(|left, right| {
            (left.line, left.column, &left.path).cmp(&(right.line, right.column, &right.path))
        });
        errors.dedup();
        Self {
            origin: clip_origin(origin),
            errors,
        }
    }
}

/// Keeps control characters of a file's name off the terminal.
fn clip_origin(origin: &str) -> String {
    if origin.chars().any(char::is_control) {
        clip(origin)
    } else {
        origin.to_owned()
    }
}

impl fmt::Display for SpecErrors {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for error in self.errors.iter().take(SHOWN_ERRORS) {
            error.write("error", &self.origin, formatter)?;
            writeln!(formatter)?;
        }
        let count = self.errors.len();
        let noun = if count == 1 { "error" } else { "errors" };
        write!(formatter, "{}: {count} {noun}", self.origin)?;
        if count > SHOWN_ERRORS {
            write!(formatter, ", of which the first {SHOWN_ERRORS} are shown")?;
        }
        Ok(())
    }
}

impl std::error::Error for SpecErrors {}
