//! Syntax errors of YAML in the words of this program.

use serde_saphyr::granit_parser::{ErrorKind, ScanError};

use super::Mark;
use crate::spec::errors::Finding;
use crate::spec::path::Path;

/// A kind of syntax error: what is wrong, and what to do.
type Row = (fn(&ErrorKind) -> bool, &'static str, &'static str);

/// The errors that people make, in better words than the parser's.
const ROWS: &[Row] = &[
    (
        |kind| {
            matches!(
                kind,
                ErrorKind::TabInIndentation
                    | ErrorKind::TabInBlockIndentation
                    | ErrorKind::TabNotAllowed
                    | ErrorKind::TabInPlainScalar
                    | ErrorKind::TabAtBlockScalarStart
            )
        },
        "a tab is used where only spaces are allowed",
        "indent with spaces",
    ),
    (
        |kind| matches!(kind, ErrorKind::RecursionLimitExceeded),
        "maps and lists are nested more than 64 levels deep",
        "a spec needs fewer than ten",
    ),
    (
        |kind| {
            matches!(
                kind,
                ErrorKind::MappingValueNotAllowed | ErrorKind::InvalidMappingValueWhitespace
            )
        },
        "a `:` is not allowed here",
        "check the indentation of this line and the one before; put text that contains `: ` into quotes",
    ),
    (
        |kind| {
            matches!(
                kind,
                ErrorKind::InvalidIndentation | ErrorKind::ExpectedBlockMappingKey
            )
        },
        "the indentation does not fit the lines before",
        "fields of one map, and items of one list, begin in the same column",
    ),
    (
        |kind| matches!(kind, ErrorKind::SimpleKeyExpected | ErrorKind::InvalidSimpleKey),
        "a field's name lacks its `:`, or is too long",
        "a field is written `name: value`",
    ),
    (
        |kind| {
            matches!(
                kind,
                ErrorKind::UnexpectedEofFlowSequence
                    | ErrorKind::UnexpectedEofFlowMapping
                    | ErrorKind::UnexpectedEofImplicitFlowMapping
                    | ErrorKind::UnclosedFlowCollection { .. }
            )
        },
        "the file ends inside `[ ]` or `{ }`",
        "close what was opened",
    ),
    (
        |kind| {
            matches!(
                kind,
                ErrorKind::ExpectedFlowMappingSeparator | ErrorKind::ExpectedFlowSequenceSeparator
            )
        },
        "a `,` or a closing bracket is missing",
        "items inside `[ ]` and `{ }` are separated by commas; put text with brackets or commas into quotes",
    ),
    (
        |kind| {
            matches!(
                kind,
                ErrorKind::MismatchedFlowCollectionEnd { .. } | ErrorKind::MisplacedFlowCollectionEnd
            )
        },
        "this closing bracket does not match an opening one",
        "`[` is closed by `]`, and `{` by `}`",
    ),
    (
        |kind| matches!(kind, ErrorKind::UnclosedQuotedScalar),
        "a quoted text has no closing quote",
        "close it on the same line",
    ),
    (
        |kind| {
            matches!(
                kind,
                ErrorKind::UnknownQuotedScalarEscape | ErrorKind::InvalidQuotedScalarHexEscape
            )
        },
        "a double-quoted text has an escape that YAML does not know",
        "write `\\\\` for a backslash, or use single quotes",
    ),
    (
        |kind| matches!(kind, ErrorKind::UnexpectedCharacter { .. }),
        "a text cannot begin with this character",
        "put the text into quotes",
    ),
    (
        |kind| matches!(kind, ErrorKind::BomInsideDocument),
        "there is a byte-order mark inside the file",
        "remove the invisible character U+FEFF",
    ),
    (
        |kind| matches!(kind, ErrorKind::BlockSequenceEntryNotAllowed),
        "a list item `- ` cannot begin here",
        "begin the list on a line of its own, below its field",
    ),
];

/// Puts a parser's error into words.
pub(super) fn explain(error: &ScanError, path: Path) -> Finding {
    let marker = error.marker();
    let mark = Mark {
        line: marker.line().max(1),
        column: marker.col() + 1,
        length: 1,
    };
    let kind = error.kind();
    let finding = match ROWS.iter().find(|(matches, ..)| matches(kind)) {
        Some((_, problem, help)) => Finding::new(path, *problem).help(*help),
        None => Finding::new(path, format!("this is not YAML: {kind}")),
    };
    finding.at(mark)
}
