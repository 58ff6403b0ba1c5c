//! `test-hosts`: labs by hand.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "this is the program's output"
)]
#![expect(
    clippy::disallowed_methods,
    reason = "real hosts take real time, which is shown"
)]

mod arguments;
mod commands;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let arguments = arguments::Arguments::parse();
    match commands::run(arguments) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("test-hosts: {error}");
            ExitCode::FAILURE
        }
    }
}
