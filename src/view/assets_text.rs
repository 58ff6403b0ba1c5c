//! Release files as a table.

use keelson_provider_api::AssetSource;
use serde::Serialize;

use super::table::table;
use crate::node::ResolvedFile;

/// A release file, as it is printed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AssetRow {
    /// What it is.
    pub name: String,
    /// Its SHA-256 in hexadecimal digits.
    pub sha256: String,
    /// A URL, or a path on the machine that runs keelson.
    pub from: String,
}

impl From<&ResolvedFile> for AssetRow {
    fn from(file: &ResolvedFile) -> Self {
        Self {
            name: file.asset.name.clone(),
            sha256: file.asset.sha256.hexadecimal(),
            from: match &file.asset.source {
                AssetSource::Url(url) => url.clone(),
                AssetSource::File(path) => path.display().to_string(),
            },
        }
    }
}

/// The table.
pub fn render(rows: &[AssetRow]) -> String {
    let cells: Vec<Vec<String>> = rows
        .iter()
        .map(|row| vec![row.name.clone(), row.sha256.clone(), row.from.clone()])
        .collect();
    table(&["FILE", "SHA-256", "FROM"], &cells)
}
