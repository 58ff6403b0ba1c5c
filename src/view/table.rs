//! Columns of text.

use std::fmt::Write as _;

/// Rows under a header, each column as wide as its widest cell, without trailing spaces.
pub(super) fn table(header: &[&str], rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = rows
            .iter()
            .filter_map(|row| row.get(column))
            .map(|cell| cell.chars().count());
        cells.chain([header[column].chars().count()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..header.len()).map(width).collect();
    let line = |cells: Vec<&str>| {
        let mut padded = String::new();
        for (cell, &width) in cells.iter().zip(&widths) {
            let _ = write!(padded, "{cell:width$}  ");
        }
        format!("  {}\n", padded.trim_end())
    };
    let head = line(header.to_vec());
    rows.iter().fold(head, |text, row| {
        text + &line(row.iter().map(String::as_str).collect())
    })
}
