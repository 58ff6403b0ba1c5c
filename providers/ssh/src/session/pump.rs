//! Talking with a program: feeding it, and hearing it out within bounds.

mod heard;

use std::io;
use std::time::Duration;

use keelson_provider_api::Clock;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc::Sender;

use crate::shell::{HostError, HostErrorKind, OnLine, Output};
use heard::Heard;

/// As much as a pipe holds.
const CHUNK_BYTES: usize = 64 << 10;
/// As long as a program may go on of which nobody wants more. One that writes ends by that; one that does not is left to its
/// own time.
const FAREWELL: Duration = Duration::from_secs(5);
/// The status in place of one that nobody waited for.
const STATUS_UNWANTED: i32 = 141;

/// Who hears what a program writes.
#[derive(Clone, Copy)]
pub(crate) enum Ear<'a> {
    /// Line by line, as text.
    Lines(&'a OnLine<'a>),
    /// Byte for byte; nothing of it is kept.
    Pieces(&'a Sender<Vec<u8>>),
    /// Only the end of it is kept.
    Nobody,
}

/// What a program said until it closed its outputs.
#[derive(Debug, Default)]
pub(crate) struct Said {
    /// Whether the script came to run at all.
    pub(crate) began: bool,
    /// The end of what the script wrote to stdout, unless it went elsewhere; before it began, what the login wrote.
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Feeds `input` to a program and hears it out. What it writes to stdout is for `ear` from the moment when the script says
/// that it runs.
pub(crate) async fn converse(
    input: &[&[u8]],
    stdin: Option<impl AsyncWrite + Unpin>,
    stdout: Option<impl AsyncRead + Unpin>,
    stderr: Option<impl AsyncRead + Unpin>,
    ear: Ear<'_>,
) -> Said {
    let mut heard = Heard::of_script(ear);
    let mut errors = Heard::of_errors();
    // A script that has read enough closes its input; what it makes of that is in its status.
    let feeding = async {
        feed(input, stdin).await.ok();
    };
    let hearing = hear(stdout, &mut heard);
    let hearing_errors = hear(stderr, &mut errors);
    tokio::join!(feeding, hearing, hearing_errors);
    Said {
        began: heard.began(),
        stdout: heard.into_text(),
        stderr: errors.into_text(),
    }
}

/// Does `work`, which sends to `pieces`, for as long as somebody takes them. Whoever does not want the rest is not told how
/// the program ended.
pub(crate) async fn while_wanted(
    pieces: &Sender<Vec<u8>>,
    clock: &dyn Clock,
    work: impl Future<Output = Result<Output, HostError>>,
) -> Result<Output, HostError> {
    let unwanted = async {
        pieces.closed().await;
        clock.sleep(FAREWELL).await;
    };
    let ended = tokio::select! {
        biased;
        ended = work => Some(ended),
        () = unwanted => None,
    };
    match ended {
        // Where it was killed by what it wrote, nobody can tell that from a connection that is gone.
        Some(Err(error)) if error.kind != HostErrorKind::Lost || !pieces.is_closed() => Err(error),
        Some(Ok(output)) => Ok(output),
        Some(Err(_)) | None => Ok(Output {
            status: STATUS_UNWANTED,
            stdout: String::new(),
            stderr: String::new(),
        }),
    }
}

async fn feed(input: &[&[u8]], stdin: Option<impl AsyncWrite + Unpin>) -> io::Result<()> {
    let Some(mut stdin) = stdin else {
        return Ok(());
    };
    for part in input {
        stdin.write_all(part).await?;
    }
    stdin.shutdown().await
}

/// Reads to the end, or until nobody wants more: then the program finds its output closed. A program whose output breaks has
/// ended, and its status tells how.
async fn hear(from: Option<impl AsyncRead + Unpin>, heard: &mut Heard<'_>) {
    let Some(mut from) = from else {
        return;
    };
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        let read = tokio::select! {
            read = from.read(&mut chunk) => read,
            () = heard.unwanted() => return,
        };
        let Some(new) = read
            .ok()
            .filter(|&count| count > 0)
            .and_then(|count| chunk.get(..count))
        else {
            break;
        };
        if heard.push(new).await.is_break() {
            return;
        }
    }
    heard.end().await;
}

#[cfg(test)]
mod tests;
