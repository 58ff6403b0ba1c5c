//! What is made of how scripts end, on a machine that is played.

use std::net::IpAddr;
use std::sync::Mutex;

use async_trait::async_trait;
use keelson_provider_api::{ErrorClass, SnapshotContents};
use tokio::sync::mpsc;

use super::*;
use crate::shell::{HostError, HostErrorKind, OnLine};

/// A machine on which every script writes `bytes` and ends alike.
struct Machine {
    bytes: &'static [u8],
    answer: Result<i32, HostErrorKind>,
    /// The arguments of the last script.
    arguments: Arc<Mutex<Vec<String>>>,
}

impl Machine {
    fn answer(&self, job: &Job<'_>) -> Result<Output, HostError> {
        self.arguments.lock().unwrap().clone_from(&job.arguments);
        let answer = self.answer.map(|status| Output {
            status,
            stdout: String::new(),
            stderr: "its words\n".to_owned(),
        });
        answer.map_err(|kind| HostError {
            host: "a".to_owned(),
            address: "10.0.0.1".to_owned(),
            kind,
            problem: "gone".to_owned(),
            help: None,
        })
    }
}

#[async_trait]
impl Shell for Machine {
    fn host(&self) -> &'static str {
        "a"
    }

    async fn run(&self, job: &Job<'_>, _: &OnLine<'_>) -> Result<Output, HostError> {
        self.answer(job)
    }

    async fn stream(&self, job: &Job<'_>, pieces: Sender<Vec<u8>>) -> Result<Output, HostError> {
        pieces.send(self.bytes.to_vec()).await.ok();
        self.answer(job)
    }
}

struct One(Arc<Machine>);

impl Reach for One {
    fn machines(&self) -> Vec<String> {
        vec!["a".to_owned()]
    }

    fn shell(&self, machine: &str) -> Option<Arc<dyn Shell>> {
        let shell: Arc<dyn Shell> = Arc::<Machine>::clone(&self.0);
        (machine == "a").then_some(shell)
    }

    fn internal_address(&self, _machine: &str) -> Option<IpAddr> {
        None
    }
}

fn one(answer: Result<i32, HostErrorKind>) -> One {
    One(Arc::new(Machine {
        bytes: b"bytes",
        answer,
        arguments: Arc::default(),
    }))
}

fn cluster() -> ClusterIdentity {
    ClusterIdentity {
        name: "prod.example.com".parse().unwrap(),
        uid: Some(ClusterUid::new("uid")),
    }
}

fn snapshot(machine: &str, file: &str) -> WrittenSnapshot {
    WrittenSnapshot {
        etcd_cluster: "main".to_owned(),
        machine: machine.to_owned(),
        file: file.to_owned(),
        etcd_version: "3.6.8".to_owned(),
        contents: SnapshotContents {
            hash: 1,
            revision: 2,
            total_keys: 3,
            total_bytes: 4,
            live: None,
        },
        size_bytes: 100,
        sha256: "ab".to_owned(),
    }
}

#[tokio::test]
async fn how_a_script_ends_tells_whether_to_read_on() {
    let cases = [
        (Ok(0), None),
        (Ok(20), Some(ErrorClass::Permanent)),
        (Ok(25), Some(ErrorClass::Permanent)),
        (Ok(26), Some(ErrorClass::Permanent)),
        (Ok(1), Some(ErrorClass::Permanent)),
        (Err(HostErrorKind::Lost), Some(ErrorClass::Transient)),
        (Err(HostErrorKind::Unreachable), Some(ErrorClass::Unreachable)),
        (Err(HostErrorKind::Denied), Some(ErrorClass::Permanent)),
    ];
    for (answer, class) in cases {
        let reach = one(answer);
        let (sender, mut receiver) = mpsc::channel(1);
        let read = read(&reach, &cluster(), &snapshot("a", "main-x"), 40, sender).await;
        assert_eq!(
            receiver.recv().await.as_deref(),
            Some(&b"bytes"[..]),
            "what came counts"
        );
        assert_eq!(receiver.recv().await, None);
        assert_eq!(read.err().map(|error| error.class), class, "{answer:?}");
        assert_eq!(
            *reach.0.arguments.lock().unwrap(),
            ["\"clusterUid\":\"uid\"", "uid", "main-x", "100", "40"]
        );
        let discard = discard(&reach, &cluster(), &snapshot("a", "main-x")).await;
        assert_eq!(discard.err().map(|error| error.class), class, "{answer:?}");
    }
    let (sender, receiver) = mpsc::channel(1);
    drop(receiver);
    let enough = read(&one(Ok(141)), &cluster(), &snapshot("a", "main-x"), 0, sender).await;
    assert_eq!(enough, Ok(()));
}

#[tokio::test]
async fn nothing_is_asked_about_what_cannot_be_ours() {
    let reach = one(Ok(0));
    let nobody = ClusterIdentity {
        uid: None,
        ..cluster()
    };
    for (cluster, snapshot) in [
        (cluster(), snapshot("a", "../main-x")),
        (cluster(), snapshot("b", "main-x")),
        (nobody, snapshot("a", "main-x")),
    ] {
        let refused = discard(&reach, &cluster, &snapshot).await.unwrap_err();
        assert_eq!(refused.class, ErrorClass::Permanent, "{refused}");
    }
    assert!(reach.0.arguments.lock().unwrap().is_empty());
}
