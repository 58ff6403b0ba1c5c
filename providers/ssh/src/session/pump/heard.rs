//! What was heard of a program's output.

use std::future;
use std::ops::ControlFlow;

use keelson_provider_api::bulk::PIECE_BYTES;
use tokio::sync::mpsc::Sender;

use super::Ear;

/// So much of what a script writes is kept: the end of it.
pub(super) const KEPT_BYTES: usize = 64 << 10;
/// So much of one line is told; the rest of it is not.
pub(super) const LINE_BYTES: usize = 64 << 10;
/// What a script says first; see `scripts/enter.sh`.
const BEGIN_MARK: &[u8] = b"keelson-begins";

/// One output of a program, as far as it has come.
pub(super) struct Heard<'a> {
    ear: Ear<'a>,
    began: bool,
    tail: Tail,
    line: Vec<u8>,
    /// What waits until it is a whole piece.
    piece: Vec<u8>,
}

impl<'a> Heard<'a> {
    /// What a script writes to stdout, behind what its login wrote.
    pub(super) fn of_script(ear: Ear<'a>) -> Self {
        Self {
            ear,
            began: false,
            tail: Tail::default(),
            line: Vec::new(),
            piece: Vec::new(),
        }
    }

    /// What it writes to stderr.
    pub(super) fn of_errors() -> Self {
        Self {
            began: true,
            ..Self::of_script(Ear::Nobody)
        }
    }

    /// True once the script has said that it runs.
    pub(super) fn began(&self) -> bool {
        self.began
    }

    /// The end of what was not sent on.
    pub(super) fn into_text(self) -> String {
        self.tail.text()
    }

    /// Hears `chunk`; breaks when nobody wants more.
    pub(super) async fn push(&mut self, mut chunk: &[u8]) -> ControlFlow<()> {
        while !chunk.is_empty() {
            match self.ear {
                Ear::Pieces(pieces) if self.began => return self.push_bytes(pieces, chunk).await,
                Ear::Nobody if self.began => {
                    self.tail.push(chunk);
                    return ControlFlow::Continue(());
                }
                _ => {}
            }
            let newline = chunk.iter().position(|&byte| byte == b'\n');
            let (line, rest) = chunk.split_at(newline.map_or(chunk.len(), |index| index + 1));
            self.push_line(line);
            chunk = rest;
        }
        ControlFlow::Continue(())
    }

    /// The last line may lack its end, and the last piece is as long as it is.
    pub(super) async fn end(&mut self) {
        match self.ear {
            _ if !self.began => self.tail.push(&self.line),
            Ear::Lines(on_line) if !self.line.is_empty() => on_line(&String::from_utf8_lossy(&self.line)),
            Ear::Pieces(pieces) if !self.piece.is_empty() => {
                // Whoever does not take it does not want it.
                pieces.send(std::mem::take(&mut self.piece)).await.ok();
            }
            _ => {}
        }
    }

    /// Comes back when nobody wants more.
    pub(super) async fn unwanted(&self) {
        match self.ear {
            Ear::Pieces(pieces) => pieces.closed().await,
            Ear::Lines(_) | Ear::Nobody => future::pending().await,
        }
    }

    async fn push_bytes(&mut self, pieces: &Sender<Vec<u8>>, mut bytes: &[u8]) -> ControlFlow<()> {
        while !bytes.is_empty() {
            self.piece
                .reserve_exact(PIECE_BYTES.saturating_sub(self.piece.len()));
            let room = PIECE_BYTES.saturating_sub(self.piece.len());
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            self.piece.extend_from_slice(now);
            bytes = later;
            let is_whole = self.piece.len() >= PIECE_BYTES;
            if is_whole && pieces.send(std::mem::take(&mut self.piece)).await.is_err() {
                return ControlFlow::Break(());
            }
        }
        ControlFlow::Continue(())
    }

    /// Hears a part of a line, up to its end at most.
    fn push_line(&mut self, part: &[u8]) {
        let text = part.strip_suffix(b"\n");
        let room = LINE_BYTES.saturating_sub(self.line.len());
        let new = text.unwrap_or(part);
        self.line.extend_from_slice(new.get(..room).unwrap_or(new));
        if self.began {
            self.tail.push(part);
        }
        if text.is_some() {
            self.end_line();
        }
    }

    fn end_line(&mut self) {
        if self.began {
            if let Ear::Lines(on_line) = self.ear {
                on_line(&String::from_utf8_lossy(&self.line));
            }
        } else if self.line.ends_with(BEGIN_MARK) {
            self.began = true;
            self.tail = Tail::default();
        } else {
            self.line.push(b'\n');
            self.tail.push(&self.line);
        }
        self.line.clear();
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
