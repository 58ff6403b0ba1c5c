//! What is wrong with a spec, where, and what to do about it.

use std::fmt::{self, Write as _};

use keelson_provider_api::values::clip;
use serde::Serialize;

use super::path::Path;
use super::yaml::{Mark, Node, Source};

/// How many errors a message shows. The rest is counted.
const SHOWN_ERRORS: usize = 100;
/// How many errors are kept for machines to read, and how many findings are looked up in the file to choose them:
/// bounds on the work that a hostile file can cause.
const KEPT_ERRORS: usize = 1000;
const LOCATED_FINDINGS: usize = 1200;

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

/// The words that messages about a spec begin with; whoever shows them on a terminal may colour them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Labels {
    /// `error` or `warning`.
    pub severity: String,
    /// `help`.
    pub help: String,
}

impl Labels {
    /// The words alone.
    pub fn plain(severity: &str) -> Self {
        Self {
            severity: severity.to_owned(),
            help: "help".to_owned(),
        }
    }
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
    /// The errors, sorted by position; never empty, at most 1000.
    pub errors: Vec<SpecError>,
    /// How many more there are.
    pub omitted: usize,
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
    /// Another place that the finding was concluded from: if something in it could not be read, it says nothing.
    pub(crate) rests_on: Option<Path>,
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
            rests_on: None,
        }
    }

    /// The same, concluded from what stands at `path` too.
    pub(crate) fn rests_on(mut self, path: Path) -> Self {
        self.rests_on = Some(path);
        self
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
    fn of(lines: &[&str], mark: Mark) -> Option<Self> {
        let line = lines.get(mark.line.checked_sub(1)?)?;
        let column = mark.column.saturating_sub(1);
        // Of a very long line, only the neighbourhood of the mark is shown.
        let skipped = column.saturating_sub(EXCERPT_CHARS / 2);
        let shown: Vec<String> = line
            .chars()
            .skip(skipped)
            .take(EXCERPT_CHARS)
            .map(visible)
            .collect();
        let width = |shown: &[String]| shown.iter().map(|shown| shown.chars().count()).sum();
        let (before, rest) = shown.split_at((column - skipped).min(shown.len()));
        let marked = mark.length.clamp(1, rest.len().max(1));
        let length: usize = width(rest.get(..marked).unwrap_or_default());
        Some(Self {
            text: shown.concat().trim_end().to_owned(),
            // Behind the end of the line, where something is missing, there is nothing to measure.
            before: width(before) + (column - skipped).saturating_sub(shown.len()),
            length: length.max(1),
        })
    }
}

/// A character as an excerpt shows it: what a terminal would obey, or show elsewhere than it stands, by its number.
fn visible(character: char) -> String {
    match character {
        '\t' => " ".to_owned(),
        '\u{ad}'
        | '\u{61c}'
        | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{feff}' => character.escape_unicode().to_string(),
        control if control.is_control() => control.escape_default().to_string(),
        other => other.to_string(),
    }
}

impl SpecError {
    /// Ties findings to their places: those of `tree`, where a finding knows none of its own. They come back sorted by
    /// position, at most [`KEPT_ERRORS`], with the number of those left out.
    pub(crate) fn locate(
        findings: Vec<Finding>,
        tree: Option<&Node>,
        source: Source<'_>,
    ) -> (Vec<Self>, usize) {
        let count = findings.len();
        let mark_of = |finding: &Finding| {
            let place = || tree.map_or(Mark::START, |tree| tree.locate(&finding.path));
            finding.mark.unwrap_or_else(place)
        };
        let findings = findings.into_iter().take(LOCATED_FINDINGS);
        let mut located: Vec<(Mark, Finding)> =
            findings.map(|finding| (mark_of(&finding), finding)).collect();
        located.sort_by(|(left, first), (right, second)| {
            (left.line, left.column, &first.path).cmp(&(right.line, right.column, &second.path))
        });
        located.dedup();
        let lines = source.lines();
        let kept = located.into_iter().take(KEPT_ERRORS);
        let errors: Vec<Self> = kept
            .map(|(mark, finding)| Self::new(finding, mark, &lines))
            .collect();
        let omitted = if count > KEPT_ERRORS {
            count - errors.len()
        } else {
            0
        };
        (errors, omitted)
    }

    fn new(finding: Finding, mark: Mark, lines: &[&str]) -> Self {
        Self {
            line: mark.line,
            column: mark.column,
            path: finding.path.to_string(),
            problem: finding.problem,
            expected: finding.expected,
            help: finding.help,
            excerpt: Excerpt::of(lines, mark),
        }
    }

    /// The error as a reader sees it, beginning with `labels`.
    pub(crate) fn written(&self, labels: &Labels, origin: &str) -> String {
        let Self { line, column, .. } = self;
        let mut text = format!(
            "{}: {origin}:{line}:{column}: {}: {}\n",
            labels.severity, self.path, self.problem
        );
        if let Some(excerpt) = &self.excerpt {
            let number = line.to_string();
            let gutter = " ".repeat(number.len());
            let indent = " ".repeat(excerpt.before);
            let pointer = "^".repeat(excerpt.length);
            let _ = writeln!(text, "  {gutter} |\n  {number} | {}", excerpt.text);
            let _ = writeln!(text, "  {gutter} | {indent}{pointer}");
        }
        if let Some(expected) = &self.expected {
            let _ = writeln!(text, "    expected {expected}");
        }
        if let Some(help) = &self.help {
            let _ = writeln!(text, "    {}: {help}", labels.help);
        }
        text
    }
}

impl SpecErrors {
    /// Ties findings, of which there is at least one, to their places.
    pub(crate) fn new(origin: &str, findings: Vec<Finding>, tree: Option<&Node>, source: Source<'_>) -> Self {
        let (errors, omitted) = SpecError::locate(findings, tree, source);
        Self {
            origin: clip_origin(origin),
            errors,
            omitted,
        }
    }

    /// The errors as a reader sees them, each beginning with `labels`, and how many there are.
    pub fn labelled(&self, labels: &Labels) -> String {
        let shown = self.errors.iter().take(SHOWN_ERRORS);
        let mut text: String = shown
            .map(|error| error.written(labels, &self.origin) + "\n")
            .collect();
        let count = self.errors.len() + self.omitted;
        let noun = if count == 1 { "error" } else { "errors" };
        let _ = write!(text, "{}: {count} {noun}", self.origin);
        if count > SHOWN_ERRORS {
            let _ = write!(text, ", of which the first {SHOWN_ERRORS} are shown");
        }
        text
    }
}

/// Keeps control characters of a file's name off the terminal.
pub(crate) fn clip_origin(origin: &str) -> String {
    if origin.chars().any(char::is_control) {
        clip(origin)
    } else {
        origin.to_owned()
    }
}

impl fmt::Display for SpecErrors {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.labelled(&Labels::plain("error")))
    }
}

impl std::error::Error for SpecErrors {}
