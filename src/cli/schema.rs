//! `keelson schema`

use clap::Args;

use super::arguments::Format;
use super::terminal::Terminal;
use super::{CommandResult, EXIT_DONE};
use crate::spec;

/// Print the spec's JSON Schema, for editors
#[derive(Debug, Args)]
pub(super) struct Schema {}

impl Schema {
    #[expect(clippy::unused_self, reason = "every command has the same form")]
    pub(super) fn run(&self, terminal: &Terminal) -> CommandResult {
        Format::Json.print(terminal, &spec::schema(), |_| String::new())?;
        Ok(EXIT_DONE)
    }
}
