//! Columns of text.

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
        let padded: String = cells
            .iter()
            .zip(&widths)
            .map(|(cell, &width)| format!("{cell:width$}  "))
            .collect();
        format!("  {}\n", padded.trim_end())
    };
    let head = line(header.to_vec());
    rows.iter().fold(head, |text, row| {
        text + &line(row.iter().map(String::as_str).collect())
    })
}
