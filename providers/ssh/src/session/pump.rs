//! Talking with a program: feeding it, and hearing it out within bounds.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::shell::OnLine;

/// So much of what a script writes is kept: the end of it.
const KEPT_BYTES: usize = 64 << 10;
/// So much of one line is told; the rest of it is not.
const LINE_BYTES: usize = 64 << 10;
const CHUNK_BYTES: usize = 16 << 10;
/// What a script says first; see `scripts/enter.sh`.
const BEGIN_MARK: &[u8] = b"keelson-begins";

/// What a program said until it closed its outputs.
#[derive(Debug, Default)]
pub(crate) struct Said {
    /// Whether the script came to run at all.
    pub(crate) began: bool,
    /// The end of what the script wrote to stdout; before it began, what the login wrote.
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Feeds `input` to a program and hears it out. Lines count from the moment when the script says that it runs.
pub(crate) async fn converse(
    input: &[&[u8]],
    stdin: Option<impl AsyncWrite + Unpin>,
    stdout: Option<impl AsyncRead + Unpin>,
    stderr: Option<impl AsyncRead + Unpin>,
    on_line: &OnLine<'_>,
) -> Said {
    let mut lines = Lines::new(on_line);
    let mut errors = Tail::default();
    // A script that has read enough closes its input; what it makes of that is in its status.
    let feeding = async {
        feed(input, stdin).await.ok();
    };
    let hearing = hear(stdout, |chunk| lines.push(chunk));
    let hearing_errors = hear(stderr, |chunk| errors.push(chunk));
    tokio::join!(feeding, hearing, hearing_errors);
    lines.end();
    Said {
        began: lines.began,
        stdout: lines.tail.text(),
        stderr: errors.text(),
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

/// Reads to the end. A program whose output breaks has ended, and its status tells how.
async fn hear(from: Option<impl AsyncRead + Unpin>, mut take: impl FnMut(&[u8])) {
    let Some(mut from) = from else {
        return;
    };
    let mut chunk = vec![0; CHUNK_BYTES];
    while let Ok(count @ 1..) = from.read(&mut chunk).await {
        if let Some(chunk) = chunk.get(..count) {
            take(chunk);
        }
    }
}

/// The end of something long.
#[derive(Default)]
struct Tail {
    bytes: Vec<u8>,
}

impl Tail {
    fn push(&mut self, chunk: &[u8]) {
        self.bytes.extend_from_slice(chunk);
        // Not at every chunk: what is moved is at most as much as what came.
        if self.bytes.len() > 2 * KEPT_BYTES {
            self.cut();
        }
    }

    fn cut(&mut self) {
        let too_many = self.bytes.len().saturating_sub(KEPT_BYTES);
        self.bytes.drain(..too_many);
    }

    fn text(mut self) -> String {
        self.cut();
        String::from_utf8_lossy(&self.bytes).into_owned()
    }
}

/// Cuts output into lines.
struct Lines<'a> {
    on_line: &'a OnLine<'a>,
    began: bool,
    tail: Tail,
    line: Vec<u8>,
}

impl<'a> Lines<'a> {
    fn new(on_line: &'a OnLine<'a>) -> Self {
        Self {
            on_line,
            began: false,
            tail: Tail::default(),
            line: Vec::new(),
        }
    }

    fn push(&mut self, chunk: &[u8]) {
        for piece in chunk.split_inclusive(|&byte| byte == b'\n') {
            let (text, ends) = match piece.strip_suffix(b"\n") {
                Some(text) => (text, true),
                None => (piece, false),
            };
            let room = LINE_BYTES.saturating_sub(self.line.len());
            self.line.extend_from_slice(text.get(..room).unwrap_or(text));
            if self.began {
                self.tail.push(piece);
            }
            if ends {
                self.end_line(piece);
            }
        }
    }

    fn end_line(&mut self, piece: &[u8]) {
        if self.began {
            (self.on_line)(&String::from_utf8_lossy(&self.line));
        } else if self.line.ends_with(BEGIN_MARK) {
            self.began = true;
            self.tail = Tail::default();
        } else {
            self.tail.push(piece);
        }
        self.line.clear();
    }

    /// The last line may lack its end.
    fn end(&mut self) {
        if self.began && !self.line.is_empty() {
            (self.on_line)(&String::from_utf8_lossy(&self.line));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    fn said(chunks: &[&[u8]]) -> (bool, Vec<String>, String) {
        let heard = Mutex::new(Vec::new());
        let listen = |line: &str| heard.lock().unwrap().push(line.to_owned());
        let mut lines = Lines::new(&listen);
        for chunk in chunks {
            lines.push(chunk);
        }
        lines.end();
        let (began, text) = (lines.began, lines.tail.text());
        (began, heard.into_inner().unwrap(), text)
    }

    #[test]
    fn lines_count_from_the_mark_wherever_chunks_end() {
        let (began, lines, text) = said(&[b"welcome\nkeelson-be", b"gins\none\ntw", b"o\n", b"three"]);
        assert!(began);
        assert_eq!(lines, ["one", "two", "three"]);
        assert_eq!(text, "one\ntwo\nthree");
        let (began, lines, text) = said(&[b"This account is not available.\n"]);
        assert!(!began && lines.is_empty());
        assert_eq!(text, "This account is not available.\n");
    }

    #[test]
    fn what_is_kept_is_bounded_and_is_the_end() {
        let flood = vec![b'x'; 10 * KEPT_BYTES];
        let (_, lines, text) = said(&[b"keelson-begins\n", &flood, b"\nlast\n", b"\xff\xfe\n"]);
        assert_eq!(lines.first().map(String::len), Some(LINE_BYTES));
        assert_eq!(
            text.len(),
            KEPT_BYTES + 4,
            "two bytes that are no text take three each"
        );
        assert!(text.ends_with("x\nlast\n\u{fffd}\u{fffd}\n"));
    }
}
