//! The file as text.

use super::Mark;
use crate::spec::errors::Finding;
use crate::spec::path::Path;

/// The text of a spec.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Source<'a>(pub(crate) &'a str);

impl<'a> Source<'a> {
    /// The lines without their ends.
    pub(crate) fn lines(self) -> Vec<&'a str> {
        let lines = self.0.split('\n');
        lines
            .map(|line| line.strip_suffix('\r').unwrap_or(line))
            .collect()
    }
}

/// The place of the byte at `offset` of `text`.
fn mark_of(text: &str, offset: usize) -> Mark {
    let before = text.get(..offset).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    Mark {
        line: before.matches('\n').count() + 1,
        column: before.get(line_start..).map_or(0, |line| line.chars().count()) + 1,
        length: 1,
    }
}

/// Reads bytes as text: UTF-8, with or without a byte-order mark, without control characters.
pub(crate) fn decode(bytes: &[u8], limit_bytes: usize) -> Result<Source<'_>, Box<(Finding, Source<'_>)>> {
    let nothing = Source("");
    let fail = |finding: Finding, source| Err(Box::new((finding, source)));
    if bytes.len() > limit_bytes {
        let problem = format!("it is larger than {limit_bytes} bytes, which is the limit of a spec");
        let finding = Finding::new(Path::default(), problem)
            .at(Mark::START)
            .help("is this the right file?");
        return fail(finding, nothing);
    }
    if bytes.starts_with(&[0xFF, 0xFE]) || bytes.starts_with(&[0xFE, 0xFF]) {
        let finding = Finding::new(Path::default(), "the file is encoded in UTF-16")
            .at(Mark::START)
            .expected("UTF-8")
            .help("save it as UTF-8, for example with `iconv -f UTF-16 -t UTF-8`");
        return fail(finding, nothing);
    }
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text.strip_prefix('\u{FEFF}').unwrap_or(text),
        Err(problem) => {
            let offset = problem.valid_up_to();
            let valid = bytes.get(..offset).unwrap_or_default();
            let before = std::str::from_utf8(valid).unwrap_or_default();
            let byte = bytes.get(offset).copied().unwrap_or_default();
            let message = format!("the byte 0x{byte:02X} at offset {offset} is not UTF-8");
            let finding = Finding::new(Path::default(), message)
                .at(mark_of(before, offset))
                .expected("UTF-8 text")
                .help("save the file as UTF-8");
            return fail(finding, Source(before));
        }
    };
    let unwanted =
        |character: char| character.is_control() && !matches!(character, '\t' | '\n' | '\r' | '\u{85}');
    if let Some((offset, character)) = text.char_indices().find(|&(_, character)| unwanted(character)) {
        let message = format!(
            "the file contains the control character U+{:04X}",
            u32::from(character)
        );
        let finding = Finding::new(Path::default(), message)
            .at(mark_of(text, offset))
            .expected("printable text")
            .help("remove it; inside double quotes it can be written as an escape");
        return fail(finding, Source(text));
    }
    Ok(Source(text))
}
