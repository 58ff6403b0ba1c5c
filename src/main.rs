//! The `keelson` program: arguments in, exit code out.

use std::process::ExitCode;

use clap::Parser;
use keelson::cli::{Cli, EXIT_FAILED, EXIT_INTERRUPTED, Terminal};
use keelson::execute::Interrupt;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(help_or_error) => return show(&help_or_error),
    };
    let terminal = Terminal::from_environment();
    let terminal = if cli.speaks_to_programs() {
        terminal.for_programs()
    } else {
        terminal
    };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            let help = "check the limits on open files and memory";
            return ExitCode::from(terminal.failure(EXIT_FAILED, &format!("cannot start: {error}"), help));
        }
    };
    let interrupt = Interrupt::new();
    let code = runtime.block_on(async {
        let in_order = cli.stops_in_order();
        tokio::select! {
            // The spec is read before signals are watched: a read from a terminal or a pipe blocks, and ends as signals
            // end any program.
            biased;
            code = cli.run(&terminal, &interrupt) => code,
            code = watch_signals(&terminal, &interrupt, in_order) => code,
        }
    });
    // A prompt may still be waiting for a line on a thread of its own; nobody will answer it.
    runtime.shutdown_background();
    ExitCode::from(code)
}

/// Prints help, a version, or what is wrong with the arguments.
fn show(help_or_error: &clap::Error) -> ExitCode {
    let code = u8::try_from(help_or_error.exit_code()).unwrap_or(EXIT_FAILED);
    match help_or_error.print() {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            ExitCode::from(Terminal::from_environment().cannot_write(&error))
        }
        _ => ExitCode::from(code),
    }
}

/// The first signal asks the run to stop; returns at the second, or at the first where nothing has to be brought to
/// an end.
async fn watch_signals(terminal: &Terminal, interrupt: &Interrupt, in_order: bool) -> u8 {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut interrupts), Ok(mut terminations), Ok(mut hangups)) = (
        signal(SignalKind::interrupt()),
        signal(SignalKind::terminate()),
        signal(SignalKind::hangup()),
    ) else {
        // Without handlers the signals end the process, as they do by default.
        return std::future::pending().await;
    };
    let mut next = async || {
        tokio::select! {
            _ = interrupts.recv() => {}
            _ = terminations.recv() => {}
            // The terminal is gone; what is in flight is worth finishing all the same.
            _ = hangups.recv() => {}
        }
    };
    next().await;
    if !in_order {
        return EXIT_INTERRUPTED;
    }
    interrupt.stop();
    next().await;
    terminal.failure(
        EXIT_INTERRUPTED,
        "stopped at once; what was in flight may or may not have been done",
        "the same command goes on from there: on this machine at once, from another as soon as the lease of this run has run \
         out (half a minute)",
    )
}
