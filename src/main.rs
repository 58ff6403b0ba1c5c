//! The `keelson` program: arguments in, exit code out.

use std::process::ExitCode;

use clap::Parser;
use keelson::cli::{Cli, EXIT_FAILED, EXIT_INTERRUPTED, Terminal};
use keelson::execute::Interrupt;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let terminal = Terminal::from_environment();
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            terminal.error(&format!("cannot start: {error}"));
            return ExitCode::from(EXIT_FAILED);
        }
    };
    let interrupt = Interrupt::new();
    let code = runtime.block_on(async {
        tokio::select! {
            code = cli.run(&terminal, &interrupt) => code,
            () = watch_signals(&terminal, &interrupt) => EXIT_INTERRUPTED,
        }
    });
    // A prompt may still be waiting for a line on a thread of its own; nobody will answer it.
    runtime.shutdown_background();
    ExitCode::from(code)
}

/// The first signal asks the run to stop; returns at the second.
async fn watch_signals(terminal: &Terminal, interrupt: &Interrupt) {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut interrupts), Ok(mut terminations)) =
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        // Without handlers the signals end the process, as they do by default.
        return std::future::pending().await;
    };
    for asked_before in [false, true] {
        tokio::select! {
            _ = interrupts.recv() => {}
            _ = terminations.recv() => {}
        }
        if !asked_before {
            terminal
                .note("stopping: what is in flight is finished first; press Ctrl-C again to stop at once");
            interrupt.stop();
        }
    }
}
