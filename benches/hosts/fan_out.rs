//! Asking 32 hosts at once, beside asking one.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use keelson::store::DirectoryStore;
use keelson_provider_api::clock::SystemClock;
use keelson_provider_ssh::facts::Scope;
use keelson_provider_ssh::{Hosts, SshOptions, Target};
use keelson_test_hosts::{Lab, LabOptions};

use super::show;

const HOSTS: usize = 32;
const ROUNDS: usize = 5;

/// Connects to one host and to all, and asks them again over the connections that stand then.
pub(super) fn measure() {
    let folder = tempfile::tempdir().unwrap();
    let lab = Lab::new(&LabOptions::with_hosts(HOSTS)).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    for count in [1, HOSTS] {
        let (mut first, mut again) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            let hosts = runtime.block_on(open(&lab, folder.path(), count));
            for times in [&mut first, &mut again] {
                let since = Instant::now();
                runtime.block_on(ask(&hosts));
                times.push(since.elapsed());
            }
        }
        show(
            &format!("connect and read all facts, hosts at once: {count}"),
            first,
        );
        show(
            &format!("read all facts once connected, hosts at once: {count}"),
            again,
        );
    }
}

async fn open(lab: &Lab, folder: &Path, count: usize) -> Arc<Hosts> {
    let configuration = folder.join("config");
    let text = format!(
        "Host *\n  UserKnownHostsFile {}\n  GlobalKnownHostsFile /dev/null\n  IdentityFile {}\n  IdentitiesOnly yes\n",
        lab.known_hosts().display(),
        lab.key().display()
    );
    std::fs::write(&configuration, text).unwrap();
    let targets = lab.hosts().iter().take(count).map(|host| Target {
        name: host.name().to_owned(),
        address: host.address().to_string(),
        internal_address: host.address().into(),
        user: Some("root".to_owned()),
        port: None,
    });
    let store = Arc::new(DirectoryStore::new(folder.join("state")));
    let name = "bench.example.com".parse().unwrap();
    let options = SshOptions {
        config_file: Some(configuration),
        ..SshOptions::new(name, targets.collect(), store, Arc::new(SystemClock))
    };
    Hosts::open(options).await.unwrap()
}

async fn ask(hosts: &Hosts) {
    let names: Vec<String> = hosts.names().map(str::to_owned).collect();
    let answers = hosts
        .each(names, |name| {
            Box::pin(async move { hosts.facts(&name, Scope::All).await })
        })
        .await;
    for (name, answer) in answers {
        if let Err(error) = answer {
            panic!("{name}: {error}");
        }
    }
}
