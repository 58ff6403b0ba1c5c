//! Output that is taken as bytes, piece by piece.

use std::time::{Duration, Instant};

use keelson_provider_api::bulk::PIECE_BYTES;
use keelson_provider_api::values::Digest;
use keelson_provider_ssh::{HostErrorKind, Job, Output, Shell, Target};
use keelson_test_hosts::Host;
use tokio::sync::mpsc;

use crate::support::{Scene, job, quiet};

/// All that comes of `job`, and how it ended.
async fn all(shell: &dyn Shell, job: &Job<'_>) -> (Vec<u8>, Output) {
    let (sender, mut receiver) = mpsc::channel::<Vec<u8>>(2);
    let taking = async {
        let mut bytes = Vec::new();
        while let Some(piece) = receiver.recv().await {
            assert!(piece.len() <= PIECE_BYTES);
            bytes.extend(piece);
        }
        bytes
    };
    let (bytes, output) = tokio::join!(taking, shell.stream(job, sender));
    (bytes, output.unwrap())
}

/// A user who is root, one for whom sudo asks for nothing, and this machine itself.
#[tokio::test]
async fn bytes_come_as_they_were_written() {
    let Some(scene) = Scene::of_hosts("bytes_come_as_they_were_written", 1) else {
        return;
    };
    let here = Target {
        name: "here".to_owned(),
        address: "local".to_owned(),
        ..scene.target(0, "root")
    };
    let operator = Target {
        name: "b".to_owned(),
        ..scene.target(0, "operator")
    };
    let options = scene.options(vec![scene.target(0, "root"), operator, here]);
    let hosts = keelson_provider_ssh::Hosts::open(options).await.unwrap();
    for name in ["a", "b", "here"] {
        let shell = hosts.shell(name).unwrap();
        let script =
            "head -c 20000003 /dev/urandom >\"$1\"; sha256sum \"$1\" >&2; cat \"$1\"; rm \"$1\"; exit 3";
        let mut job = job(script);
        job.arguments = vec![format!("/tmp/keelson-stream-{}", std::process::id())];
        let (bytes, output) = all(&*shell, &job).await;
        assert_eq!(bytes.len(), 20_000_003, "{name}");
        let sha256 = Digest::of_bytes(&bytes).hexadecimal();
        assert!(output.stderr.starts_with(&sha256), "{name}: {output:?}");
        assert_eq!((output.status, output.stdout.as_str()), (3, ""), "{name}");
    }
}

/// True once no process of the host has `words` in its command line.
async fn ends(host: &Host, words: &str) -> bool {
    for _ in 0..50 {
        let (first, rest) = words.split_at(1);
        if host.run(&format!("! pgrep -f '[{first}]{rest}'")).is_ok() {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    false
}

#[tokio::test]
async fn who_wants_no_more_ends_the_program() {
    let Some(scene) = Scene::of_hosts("who_wants_no_more_ends_the_program", 1) else {
        return;
    };
    let hosts = scene.hosts("operator").await;
    let shell = hosts.shell("a").unwrap();
    let (sender, mut receiver) = mpsc::channel::<Vec<u8>>(1);
    let job = job("tail -c +9 /dev/zero");
    let begun = Instant::now();
    let taking = async {
        receiver.recv().await.unwrap();
        // Who is slow is waited for.
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert!(!receiver.recv().await.unwrap().is_empty());
        drop(receiver);
    };
    let ((), ended) = tokio::join!(taking, shell.stream(&job, sender));
    println!("{ended:?} after {:?}", begun.elapsed());
    ended.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    assert!(ends(scene.host(0), "tail -c +9").await);
    // The connection serves whoever comes next.
    assert_eq!(
        shell.run(&self::job("echo well"), &quiet).await.unwrap().stdout,
        "well\n"
    );
}

#[tokio::test]
async fn a_host_that_dies_in_the_middle_is_lost_after_what_came() {
    let Some(scene) = Scene::of_hosts("a_host_that_dies_in_the_middle_is_lost_after_what_came", 1) else {
        return;
    };
    let hosts = scene.hosts("root").await;
    let shell = hosts.shell("a").unwrap();
    let (sender, mut receiver) = mpsc::channel::<Vec<u8>>(1);
    let host = scene.host(0).clone();
    let taking = async {
        receiver.recv().await.unwrap();
        let cut = tokio::task::spawn_blocking(move || host.power_cut().unwrap());
        while receiver.recv().await.is_some() {}
        cut.await.unwrap();
    };
    let job = job("cat /dev/zero");
    let ((), ended) = tokio::join!(taking, shell.stream(&job, sender));
    assert_eq!(ended.unwrap_err().kind, HostErrorKind::Lost);
}

/// By hand: `--no-capture` shows the figure.
#[tokio::test]
async fn memory_is_flat_and_a_slow_taker_is_waited_for() {
    let Some(scene) = Scene::of_hosts("memory_is_flat_and_a_slow_taker_is_waited_for", 1) else {
        return;
    };
    let hosts = scene.hosts("root").await;
    let shell = hosts.shell("a").unwrap();
    let resident = || {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .unwrap();
        line.trim_end_matches("kB").trim().parse::<u64>().unwrap()
    };
    let (sender, mut receiver) = mpsc::channel::<Vec<u8>>(2);
    let before = resident();
    let taking = async {
        let (mut bytes, mut most) = (0_u64, 0);
        while let Some(piece) = receiver.recv().await {
            bytes += piece.len() as u64;
            if bytes.is_multiple_of(32 << 20) {
                most = most.max(resident());
            }
        }
        (bytes, most)
    };
    let begun = Instant::now();
    let mut job = job("head -c 536870912 /dev/zero");
    // It is about memory, and not about how fast this machine is.
    job.timeout = Duration::from_secs(300);
    let ((bytes, most), ended) = tokio::join!(taking, shell.stream(&job, sender));
    ended.unwrap();
    assert_eq!(bytes, 512 << 20);
    println!(
        "512 MiB in {:?}, {before} KiB before, {most} KiB at most",
        begun.elapsed()
    );
    assert!(
        most < before + (24 << 10),
        "{before} KiB before, {most} KiB at most"
    );
}
