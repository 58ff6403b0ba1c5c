//! Files that come in parts, and what is made of them.

use std::sync::Mutex;

use async_trait::async_trait;
use jiff::Timestamp;

use super::*;
use crate::clock::BoxFuture;
use crate::etcd::EtcdInstance;
use crate::etcd_maintenance::{Defragmented, SnapshotContents};
use crate::provider::{Progress, StepContext};

/// A machine whose connections end each after so many bytes, and then with such an error.
struct Machine {
    file: Vec<u8>,
    ends: Mutex<Vec<(usize, ErrorClass)>>,
    /// From where it was read.
    from: Mutex<Vec<u64>>,
}

fn never<T>() -> Result<T, ProviderError> {
    Err(ProviderError::new(ErrorClass::Permanent, "this is not asked for"))
}

#[async_trait]
impl EtcdMaintenance for Machine {
    async fn write_snapshot(
        &self,
        _: &ClusterIdentity,
        _: &'static EtcdInstance,
        _: &Progress<'_>,
    ) -> Result<WrittenSnapshot, ProviderError> {
        never()
    }

    async fn read_snapshot(
        &self,
        _: &ClusterIdentity,
        _: &WrittenSnapshot,
        from: u64,
        pieces: Sender<Vec<u8>>,
    ) -> Result<(), ProviderError> {
        self.from.lock().unwrap().push(from);
        let end = self.ends.lock().unwrap().pop();
        let rest = self
            .file
            .get(usize::try_from(from).unwrap()..)
            .unwrap_or_default();
        let rest = end.map_or(rest, |(count, _)| &rest[..count.min(rest.len())]);
        for piece in rest.chunks(3) {
            if pieces.send(piece.to_vec()).await.is_err() {
                return Ok(());
            }
        }
        end.map_or(Ok(()), |(_, class)| {
            Err(ProviderError::new(class, "the connection ended"))
        })
    }

    async fn discard_snapshot(&self, _: &ClusterIdentity, _: &WrittenSnapshot) -> Result<(), ProviderError> {
        never()
    }

    async fn defragment(
        &self,
        _: &StepContext<'_>,
        _: &'static EtcdInstance,
        _: &str,
    ) -> Result<Defragmented, ProviderError> {
        never()
    }

    async fn disarm_alarms(
        &self,
        _: &StepContext<'_>,
        _: &'static EtcdInstance,
    ) -> Result<Vec<String>, ProviderError> {
        never()
    }
}

/// A clock that counts what was waited for.
#[derive(Default)]
struct Waits(Mutex<Duration>);

impl Clock for Waits {
    fn now(&self) -> Timestamp {
        Timestamp::UNIX_EPOCH
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'_, ()> {
        *self.0.lock().unwrap() += duration;
        Box::pin(std::future::ready(()))
    }
}

struct Came {
    bytes: Vec<u8>,
    result: Result<(), ProviderError>,
    from: Vec<u64>,
    waited: Duration,
}

/// What comes of a file that was `written` and is now `file`, over connections that end so; taken until there are `wanted` bytes.
async fn came(written: &[u8], file: &[u8], ends: &[(usize, ErrorClass)], wanted: usize) -> Came {
    let machine = Machine {
        file: file.to_vec(),
        ends: Mutex::new(ends.iter().rev().copied().collect()),
        from: Mutex::default(),
    };
    let snapshot = WrittenSnapshot {
        etcd_cluster: "main".to_owned(),
        machine: "a".to_owned(),
        file: "main-x".to_owned(),
        etcd_version: "3.6.8".to_owned(),
        contents: SnapshotContents {
            hash: 1,
            revision: 2,
            total_keys: 3,
            total_bytes: 4,
            live: None,
        },
        size_bytes: written.len() as u64,
        sha256: Digest::of_bytes(written).hexadecimal(),
    };
    let cluster = ClusterIdentity {
        name: "prod.example.com".parse().unwrap(),
        uid: None,
    };
    let clock = Waits::default();
    let (sender, mut receiver) = mpsc::channel::<Vec<u8>>(1);
    let taking = async {
        let mut bytes = Vec::new();
        while bytes.len() < wanted
            && let Some(piece) = receiver.recv().await
        {
            bytes.extend(piece);
        }
        drop(receiver);
        bytes
    };
    let reading = read_whole(&machine, &clock, &cluster, &snapshot, sender);
    let (result, bytes) = tokio::join!(reading, taking);
    Came {
        bytes,
        result,
        from: machine.from.into_inner().unwrap(),
        waited: clock.0.into_inner().unwrap(),
    }
}

const FILE: &[u8] = b"what a member has written";
const ALL: usize = usize::MAX;
const LOST: ErrorClass = ErrorClass::Transient;

#[tokio::test]
async fn it_is_read_on_from_where_a_connection_was_lost() {
    let ends = [
        (7, LOST),
        (0, ErrorClass::Unreachable),
        (0, ErrorClass::Unreachable),
        (1, LOST),
    ];
    let came = came(FILE, FILE, &ends, ALL).await;
    assert_eq!((came.bytes.as_slice(), came.result), (FILE, Ok(())));
    assert_eq!(came.from, [0, 7, 7, 7, 8]);
    assert_eq!(
        came.waited,
        PAUSE * (1 + 2 + 4 + 1),
        "what came makes patient again"
    );
}

#[tokio::test]
async fn patience_and_what_is_worth_it_have_an_end() {
    let endless = [(0, ErrorClass::Unreachable); 100];
    let silent = came(FILE, FILE, &endless, ALL).await;
    assert_eq!(silent.result.unwrap_err().class, ErrorClass::Unreachable);
    assert_eq!(silent.from.len(), 11);
    assert!(silent.waited > Duration::from_secs(180) && silent.waited < Duration::from_secs(300));
    let slow = came(FILE, FILE, &[(1, LOST); 100], ALL).await;
    assert_eq!((slow.from.len(), slow.result.unwrap_err().class), (11, LOST));
    let gone = came(FILE, FILE, &[(7, ErrorClass::Permanent)], ALL).await;
    assert_eq!(
        (gone.from.len(), gone.result.unwrap_err().class),
        (1, ErrorClass::Permanent)
    );
}

#[tokio::test]
async fn what_is_not_what_was_written_is_refused_whole_as_it_is() {
    let mut flipped = FILE.to_vec();
    flipped[9] ^= 1;
    let longer = [FILE, b"."].concat();
    for file in [&flipped, &FILE[..20], &longer[..], b""] {
        for ends in [&[][..], &[(4, LOST)]] {
            let refused = came(FILE, file, ends, ALL).await.result.unwrap_err();
            assert_eq!(refused.class, ErrorClass::Permanent);
            assert!(refused.message.contains("not what was written"), "{refused}");
        }
    }
    let taken = came(FILE, &flipped, &[], FILE.len()).await.result;
    assert!(taken.is_err(), "whoever has it all is told");
    assert_eq!(came(b"", b"", &[], ALL).await.result, Ok(()));
}

#[tokio::test]
async fn who_has_enough_is_left_alone() {
    let came = came(FILE, FILE, &[(7, LOST); 5], 4).await;
    assert_eq!((came.result, came.bytes.as_slice()), (Ok(()), &FILE[..6]));
    assert_eq!(came.from, [0]);
}
