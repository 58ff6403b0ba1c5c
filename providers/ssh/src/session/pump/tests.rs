//! Lines, pieces, and what is kept of them.

use std::sync::Mutex;

use keelson_provider_api::bulk::PIECE_BYTES;
use keelson_provider_api::clock::SystemClock;
use tokio::sync::mpsc;

use super::heard::{KEPT_BYTES, LINE_BYTES};
use super::*;

async fn said(chunks: &[&[u8]]) -> (bool, Vec<String>, String) {
    let lines = Mutex::new(Vec::new());
    let listen = |line: &str| lines.lock().unwrap().push(line.to_owned());
    let mut heard = Heard::of_script(Ear::Lines(&listen));
    for chunk in chunks {
        assert!(heard.push(chunk).await.is_continue());
    }
    heard.end().await;
    let (began, text) = (heard.began(), heard.into_text());
    (began, lines.into_inner().unwrap(), text)
}

#[tokio::test]
async fn lines_count_from_the_mark_wherever_chunks_end() {
    let (began, lines, text) = said(&[b"welcome\nkeelson-be", b"gins\none\ntw", b"o\n", b"three"]).await;
    assert!(began);
    assert_eq!(lines, ["one", "two", "three"]);
    assert_eq!(text, "one\ntwo\nthree");
    let (began, lines, text) = said(&[b"This account is not available.\n"]).await;
    assert!(!began && lines.is_empty());
    assert_eq!(text, "This account is not available.\n");
}

#[tokio::test]
async fn what_is_kept_is_bounded_and_is_the_end() {
    let flood = vec![b'x'; 10 * KEPT_BYTES];
    let (_, lines, text) = said(&[b"keelson-begins\n", &flood, b"\nlast\n", b"\xff\xfe\n"]).await;
    assert_eq!(lines.first().map(String::len), Some(LINE_BYTES));
    assert_eq!(
        text.len(),
        KEPT_BYTES + 4,
        "two bytes that are no text take three each"
    );
    assert!(text.ends_with("x\nlast\n\u{fffd}\u{fffd}\n"));
}

/// Everything that comes as pieces of `output`, which a program writes in chunks of `chunk` bytes, and what is kept of it.
async fn pieces_of(output: &[u8], chunk: usize) -> (Vec<Vec<u8>>, Said) {
    let (sender, mut receiver) = mpsc::channel(1);
    let (mut writer, reader) = tokio::io::duplex(chunk);
    let writing = async move {
        writer.write_all(output).await.unwrap();
        drop(writer);
    };
    let hearing = async {
        let said = converse(&[], none_in(), Some(reader), none_out(), Ear::Pieces(&sender)).await;
        drop(sender);
        said
    };
    let taking = async {
        let mut pieces = Vec::new();
        while let Some(piece) = receiver.recv().await {
            pieces.push(piece);
        }
        pieces
    };
    let ((), said, pieces) = tokio::join!(writing, hearing, taking);
    (pieces, said)
}

fn none_in() -> Option<tokio::io::Sink> {
    None
}

fn none_out() -> Option<tokio::io::Empty> {
    None
}

#[tokio::test]
async fn pieces_are_what_follows_the_mark_byte_for_byte() {
    let pattern = (0..=u8::MAX).cycle().take(2 * PIECE_BYTES + 17);
    for bytes in [
        pattern.collect::<Vec<u8>>(),
        b"\n".to_vec(),
        b"keelson-begins\nno line\xff".to_vec(),
        Vec::new(),
    ] {
        let output = [b"Welcome\nto a\nkeelson-begins\n", &bytes[..]].concat();
        for chunk in [7, 64 << 10] {
            let (pieces, said) = pieces_of(&output, chunk).await;
            assert!(said.began && said.stdout.is_empty());
            assert!(
                pieces
                    .iter()
                    .all(|piece| (1..=PIECE_BYTES).contains(&piece.len()))
            );
            assert!(
                pieces.concat() == bytes,
                "{} bytes in chunks of {chunk}",
                bytes.len()
            );
        }
    }
    let (pieces, said) = pieces_of(b"This account is not available.\n", 4).await;
    assert!(pieces.is_empty() && !said.began);
    assert_eq!(said.stdout, "This account is not available.\n");
}

#[tokio::test]
async fn nothing_is_read_ahead_of_who_takes_it() {
    let (sender, mut receiver) = mpsc::channel(1);
    let (mut writer, reader) = tokio::io::duplex(1 << 10);
    let written = Mutex::new(0);
    let endless = async {
        writer.write_all(b"keelson-begins\n").await.unwrap();
        while writer.write_all(&[7; 1 << 10]).await.is_ok() {
            *written.lock().unwrap() += 1 << 10;
        }
    };
    let hearing = converse(&[], none_in(), Some(reader), none_out(), Ear::Pieces(&sender));
    let taking = async {
        assert_eq!(receiver.recv().await.unwrap().len(), PIECE_BYTES);
        for _ in 0..10_000 {
            tokio::task::yield_now().await;
        }
        // One was taken, one waits in the channel, one to be let in, and a little is on its way.
        let ahead = *written.lock().unwrap();
        assert!(ahead <= 3 * PIECE_BYTES + (256 << 10), "{ahead}");
        // Whoever wants no more closes the program's output.
        drop(receiver);
    };
    tokio::join!(endless, hearing, taking);
}

#[tokio::test]
async fn a_program_that_nobody_hears_is_not_waited_for() {
    let (sender, receiver) = mpsc::channel::<Vec<u8>>(1);
    let lost = || {
        Err(HostError {
            host: "a".to_owned(),
            address: "10.0.0.1".to_owned(),
            kind: HostErrorKind::Lost,
            problem: "gone".to_owned(),
            help: None,
        })
    };
    let told = while_wanted(&sender, &SystemClock, async { lost() }).await;
    assert_eq!(told, lost(), "somebody wants it");
    drop(receiver);
    for work in [true, false] {
        let ends = async {
            if work {
                return lost();
            }
            std::future::pending().await
        };
        let clock = Impatient;
        assert_eq!(
            while_wanted(&sender, &clock, ends).await.unwrap().status,
            STATUS_UNWANTED
        );
    }
}

/// A clock on which nothing takes time.
struct Impatient;

impl Clock for Impatient {
    fn now(&self) -> jiff::Timestamp {
        jiff::Timestamp::UNIX_EPOCH
    }

    fn sleep(&self, _duration: Duration) -> keelson_provider_api::BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }
}
