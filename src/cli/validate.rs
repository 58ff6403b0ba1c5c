//! `keelson validate`

use clap::Args;

use super::arguments::{Format, SpecArgument};
use super::failure::{EXIT_INVALID_SPEC, Failure};
use super::terminal::Terminal;
use super::{CommandResult, EXIT_DONE};
use crate::spec;

/// Check a spec, offline: every error in one pass, with its place and what was expected
#[derive(Debug, Args)]
pub(super) struct Validate {
    #[command(flatten)]
    spec: SpecArgument,
    /// How the result is printed
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    output: Format,
    /// Print the completed spec, with all defaults filled in
    #[arg(long, conflicts_with = "output")]
    completed: bool,
}

impl Validate {
    pub(super) fn run(&self, terminal: &Terminal) -> CommandResult {
        if self.output != Format::Text {
            return self.run_for_programs(terminal);
        }
        let spec = self.spec.load(terminal)?;
        if self.completed {
            terminal.data(&spec.to_yaml())?;
        } else {
            terminal.note(&format!(
                "{}: cluster {} is valid",
                self.spec.origin(),
                spec.name()
            ));
        }
        Ok(EXIT_DONE)
    }

    fn run_for_programs(&self, terminal: &Terminal) -> Result<u8, Failure> {
        let (code, document) = match spec::load(&self.spec.read()?, &self.spec.origin()) {
            Ok(valid) => {
                let document =
                    serde_json::json!({ "valid": true, "warnings": valid.warnings().warnings, "errors": [] });
                (EXIT_DONE, document)
            }
            Err(errors) => {
                let document = serde_json::json!({ "valid": false, "warnings": [], "errors": errors.errors });
                (EXIT_INVALID_SPEC, document)
            }
        };
        self.output.print(terminal, &document, |_| String::new())?;
        Ok(code)
    }
}
