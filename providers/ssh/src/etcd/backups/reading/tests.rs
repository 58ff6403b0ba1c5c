//! Reading from a machine that is played, and loses connections.

use std::sync::Mutex;

use jiff::Timestamp;
use tokio::sync::mpsc::Sender;

use super::*;
use crate::shell::OnLine;

/// How a connection ends.
#[derive(Clone, Copy)]
enum End {
    /// After so many bytes.
    LostAfter(usize),
    Status(i32),
}

/// A machine whose connections end one after the other, and what was asked of it.
struct Machine {
    bytes: Vec<u8>,
    ends: Mutex<Vec<End>>,
    asked: Mutex<Vec<String>>,
}

#[async_trait]
impl Shell for Machine {
    fn host(&self) -> &'static str {
        "a"
    }

    async fn run(&self, _: &Job<'_>, _: &OnLine<'_>) -> Result<Output, HostError> {
        panic!("nobody runs anything")
    }

    async fn stream(&self, job: &Job<'_>, pieces: Sender<Vec<u8>>) -> Result<Output, HostError> {
        self.asked.lock().unwrap().push(job.arguments.join(" "));
        let end = self.ends.lock().unwrap().remove(0);
        let from: usize = job.arguments[3].parse().unwrap();
        let rest = &self.bytes[from..];
        let rest = match end {
            End::LostAfter(count) => &rest[..count],
            End::Status(0) => rest,
            End::Status(_) => &[],
        };
        for piece in rest.chunks(3) {
            if pieces.send(piece.to_vec()).await.is_err() {
                break;
            }
        }
        match end {
            End::LostAfter(_) => Err(HostError {
                host: "a".to_owned(),
                address: "10.0.0.1".to_owned(),
                kind: HostErrorKind::Lost,
                problem: "gone".to_owned(),
                help: None,
            }),
            End::Status(status) => Ok(Output {
                status,
                stdout: String::new(),
                stderr: "it has 3 bytes, and had 10\n".to_owned(),
            }),
        }
    }
}

/// A clock that waits for nothing.
struct Hasty;

impl Clock for Hasty {
    fn now(&self) -> Timestamp {
        Timestamp::UNIX_EPOCH
    }

    fn sleep(&self, _: Duration) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }
}

async fn read(ends: &[End]) -> (Result<Vec<u8>, StoreError>, Vec<String>) {
    let machine = Arc::new(Machine {
        bytes: b"0123456789".to_vec(),
        ends: Mutex::new(ends.to_vec()),
        asked: Mutex::default(),
    });
    let shell: Arc<dyn Shell> = Arc::<Machine>::clone(&machine);
    let mut reader = HostReader::new(shell, Arc::new(Hasty), "x/snapshot", "a:/".to_owned(), 10);
    let mut bytes = Vec::new();
    let read = loop {
        match reader.read().await {
            Ok(Some(piece)) => bytes.extend(piece),
            Ok(None) => break Ok(bytes),
            Err(error) => break Err(error),
        }
    };
    let asked = machine.asked.lock().unwrap().clone();
    (read, asked)
}

#[tokio::test]
async fn it_is_read_on_where_a_connection_was_lost() {
    let (whole, asked) = read(&[End::Status(0)]).await;
    assert_eq!(whole.unwrap(), b"0123456789");
    assert_eq!(asked, ["stream x/snapshot 10 0"]);
    let (whole, asked) = read(&[
        End::LostAfter(4),
        End::LostAfter(0),
        End::LostAfter(5),
        End::Status(0),
    ])
    .await;
    assert_eq!(whole.unwrap(), b"0123456789");
    assert_eq!(
        asked[1..],
        [
            "stream x/snapshot 10 4",
            "stream x/snapshot 10 4",
            "stream x/snapshot 10 9"
        ]
    );
}

#[tokio::test]
async fn what_is_gone_or_altered_is_damaged_and_losses_have_an_end() {
    for status in [exit_status::NOT_THERE, exit_status::OTHER_SIZE] {
        let (read, _) = read(&[End::LostAfter(4), End::Status(status)]).await;
        assert!(matches!(read, Err(StoreError::Damaged { .. })), "{read:?}");
    }
    let (failed, _) = read(&[End::Status(1)]).await;
    assert!(
        matches!(failed, Err(StoreError::Unavailable { .. })),
        "{failed:?}"
    );
    let (failed, asked) = read(&[End::LostAfter(0); 20]).await;
    assert!(
        matches!(failed, Err(StoreError::Unavailable { .. })),
        "{failed:?}"
    );
    assert_eq!(asked.len(), 11);
}
