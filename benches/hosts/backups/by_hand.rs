//! What an operator would do with etcd's own programs and ssh, for the data that keelson is measured with.

use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::ETCDCTL;
use crate::on_hosts::desk::Desk;

fn timed(work: impl FnOnce()) -> Duration {
    let since = Instant::now();
    work();
    since.elapsed()
}

/// As an operator would by hand: write it, look at it, fetch it.
pub(super) fn saved(desk: &Desk) -> Duration {
    let host = desk.host("a");
    host.run("rm -f /root/plain.db").unwrap();
    timed(|| {
        let save = format!(
            "{ETCDCTL} snapshot save /root/plain.db && /opt/keelson/bin/etcdutl snapshot status /root/plain.db"
        );
        host.run(&save).unwrap();
        let file = fs::File::create(desk.path("plain.db")).unwrap();
        let fetch = host
            .ssh_command("root")
            .arg("cat /root/plain.db")
            .stdout(file)
            .status();
        assert!(fetch.unwrap().success());
    })
}

/// The sum of the file that was fetched, and what etcd says of the one that was not.
pub(super) fn verified(desk: &Desk) -> Duration {
    let host = desk.host("a");
    timed(|| {
        let check = Command::new("sha256sum")
            .arg(desk.path("plain.db"))
            .stdout(Stdio::null())
            .status();
        assert!(check.unwrap().success());
        host.run("/opt/keelson/bin/etcdutl snapshot status /root/plain.db")
            .unwrap();
    })
}

/// The member of the cluster stands still: the data is given to one beside it.
pub(super) fn restored(desk: &Desk) -> Duration {
    let host = desk.host("a");
    host.run("rm -rf /root/carried.db /root/scratch").unwrap();
    let time = timed(|| {
        let file = fs::File::open(desk.path("plain.db")).unwrap();
        let carry = host
            .ssh_command("root")
            .arg("cat >/root/carried.db")
            .stdin(file)
            .status();
        assert!(carry.unwrap().success());
        let start = "/opt/keelson/bin/etcdutl snapshot restore /root/carried.db --data-dir /root/scratch 2>/dev/null && \
                     systemd-run --quiet --collect --unit scratch /opt/keelson/bin/etcd --data-dir /root/scratch \
                     --listen-client-urls http://127.0.0.1:12379 --advertise-client-urls http://127.0.0.1:12379 \
                     --listen-peer-urls http://127.0.0.1:12380 && \
                     env ETCDCTL_API=3 /opt/keelson/bin/etcdctl --endpoints=http://127.0.0.1:12379 --dial-timeout=60s \
                     --command-timeout=60s get nothing";
        host.run(start).unwrap();
    });
    host.run("systemctl stop scratch; rm -rf /root/scratch /root/carried.db")
        .unwrap();
    time
}
