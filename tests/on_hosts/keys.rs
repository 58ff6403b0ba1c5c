//! Many keys in a real etcd, and whether every one of them is there with its value.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use keelson_provider_api::Clock;
use keelson_provider_api::clock::SystemClock;
use keelson_provider_api::values::Digest;
use keelson_test_hosts::Host;

use super::client::ETCDCTL;

/// As many operations as etcd takes in a transaction.
const AT_ONCE: u64 = 128;
/// As many transactions as one command writes, however slow the machine is: it has two minutes.
const AT_A_TIME: usize = 100;
/// What all keys begin with.
const PREFIX: &str = "key/";
/// How curl asks the member on its host, through etcd's own gateway for HTTP (`docs/dev-guide/api_grpc_gateway.md` of etcd):
/// one process and one connection write what would take etcdctl a process for each transaction.
const MEMBER: &str = "url = \"https://127.0.0.1:2379/v3/kv/txn\"\ncacert = \"/etc/etcd/pki/ca.crt\"\n\
                      cert = \"/etc/etcd/pki/healthcheck-client.crt\"\nkey = \"/etc/etcd/pki/healthcheck-client.key\"\n\
                      output = \"/dev/null\"\nsilent\nshow-error\nfail\n";

/// So many transactions, of 128 keys each.
#[derive(Clone, Copy)]
pub(super) struct Keys(pub(super) u64);

/// 782 times 128 are 100,096 keys.
pub(super) const MANY: Keys = Keys(782);

impl Keys {
    pub(super) const fn count(self) -> u64 {
        AT_ONCE * self.0
    }

    /// Writes them, by way of the member on `host`.
    pub(super) fn write(self, host: &Host) {
        let requests: Vec<String> = (0..self.0).map(request).collect();
        let begun = SystemClock.now();
        for some in requests.chunks(AT_A_TIME) {
            host.write_file("/run/requests", format!("fail-early\n{}", some.join("next\n")))
                .unwrap();
            host.run("curl --config /run/requests && rm /run/requests")
                .unwrap();
        }
        let took = SystemClock.now().duration_since(begun);
        println!("wrote {} keys in {took:#}", self.count());
    }

    /// Every member on `hosts` has each of them with its value, and no other.
    pub(super) fn expect(self, hosts: &[&Host]) {
        let expected = self.digest();
        let there: Vec<String> = std::thread::scope(|scope| {
            let asked: Vec<_> = hosts
                .iter()
                .map(|host| scope.spawn(move || digest(host, ETCDCTL, PREFIX)))
                .collect();
            asked.into_iter().map(|asked| asked.join().unwrap()).collect()
        });
        for (host, there) in hosts.iter().zip(there) {
            assert_eq!(
                there,
                expected,
                "every key has its value, through {}",
                host.name()
            );
        }
    }

    /// The digest of them as [`digest`] reads it.
    pub(super) fn digest(self) -> String {
        let all: BTreeMap<String, String> = (0..self.0).flat_map(transaction).collect();
        let text = all.iter().fold(String::new(), |mut text, (key, value)| {
            let _ = writeln!(text, "{key}\n{value}");
            text
        });
        Digest::of_bytes(text.as_bytes()).hexadecimal()
    }
}

/// Takes some away, gives one another value and adds one: nothing of this is in a snapshot of before.
pub(super) fn spoil(host: &Host) {
    let spoil = format!(
        "{ETCDCTL} del --prefix {PREFIX}1 && {ETCDCTL} put {PREFIX}0/0 other && {ETCDCTL} put {PREFIX}more 1"
    );
    host.run(&format!("{{ {spoil}; }} >/dev/null")).unwrap();
}

/// The digest of whatever keys the member on `host` has, with their values.
pub(super) fn digest_of_all(host: &Host) -> String {
    digest(host, ETCDCTL, "''")
}

/// The digest of every key that begins with `prefix` with its value, and of nothing that a restore changes, as `etcdctl` says them
/// on `host`.
fn digest(host: &Host, etcdctl: &str, prefix: &str) -> String {
    let get = format!("{etcdctl} --command-timeout=60s get --prefix {prefix} | sha256sum | cut -d ' ' -f 1");
    host.run(&get).unwrap().trim().to_owned()
}

/// The digest of every key with its value in the snapshot `file`: etcd's own programs restore it on `host`, beside the member there.
pub(super) fn digest_in(file: &Path, host: &Host) -> String {
    host.write_file("/root/whole.db", std::fs::read(file).unwrap())
        .unwrap();
    let etcdctl =
        "env ETCDCTL_API=3 /opt/keelson/bin/etcdctl --endpoints=http://127.0.0.1:12379 --dial-timeout=20s";
    // Of a member that has no leader yet, the digest would be that of nothing.
    let restore = format!(
        "rm -rf /root/scratch; /opt/keelson/bin/etcdutl snapshot restore /root/whole.db --data-dir /root/scratch \
         2>/dev/null; systemd-run --quiet --collect --unit scratch /opt/keelson/bin/etcd --data-dir /root/scratch \
         --listen-client-urls http://127.0.0.1:12379 --advertise-client-urls http://127.0.0.1:12379 \
         --listen-peer-urls http://127.0.0.1:12380; for n in $(seq 300); do \
         {etcdctl} endpoint health >/dev/null 2>&1 && exit 0; sleep 0.2; done; exit 1"
    );
    host.run(&restore).unwrap();
    let digest = digest(host, etcdctl, PREFIX);
    host.run("systemctl stop scratch; rm -rf /root/scratch /root/whole.db")
        .unwrap();
    digest
}

/// The keys of a transaction, and their values.
fn transaction(number: u64) -> impl Iterator<Item = (String, String)> {
    (0..AT_ONCE).map(move |at| {
        (
            format!("{PREFIX}{number}/{at}"),
            format!("value-{}-{number}", number * at),
        )
    })
}

/// A transaction as a request in a configuration of curl's.
fn request(number: u64) -> String {
    let puts: Vec<String> = transaction(number)
        .map(|(key, value)| {
            let (key, value) = (STANDARD.encode(key), STANDARD.encode(value));
            format!(r#"{{\"requestPut\":{{\"key\":\"{key}\",\"value\":\"{value}\"}}}}"#)
        })
        .collect();
    format!("{MEMBER}data = \"{{\\\"success\\\":[{}]}}\"\n", puts.join(","))
}
