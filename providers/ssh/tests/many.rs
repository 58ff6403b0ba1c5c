//! Many hosts at once. None is needed: nothing is connected before it has to be.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use keelson_provider_api::clock::SystemClock;
use keelson_provider_ssh::hosts::HOSTS_AT_ONCE;
use keelson_provider_ssh::{Hosts, SshOptions};

use crate::support::MemoryStore;

#[test]
fn so_many_hosts_are_looked_at_at_once_and_no_more() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let cluster = "prod".parse().unwrap();
        let store = Arc::new(MemoryStore::default());
        let options = SshOptions::new(cluster, Vec::new(), store, Arc::new(SystemClock));
        let hosts = Hosts::open(options).await.unwrap();
        let (now, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let (now, most) = (&now, &most);
        let names: Vec<String> = (0..HOSTS_AT_ONCE + 8)
            .map(|number| format!("host-{number}"))
            .collect();
        let ended = hosts
            .each(names.clone(), |name| {
                Box::pin(async move {
                    most.fetch_max(now.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
                    // Some take longer than others.
                    for _ in 0..=name.len() % 3 {
                        tokio::task::yield_now().await;
                    }
                    now.fetch_sub(1, Ordering::Relaxed);
                    name
                })
            })
            .await;
        assert_eq!(most.load(Ordering::Relaxed), HOSTS_AT_ONCE);
        assert_eq!(ended.len(), names.len());
        assert!(ended.iter().all(|(name, of)| name == of), "{ended:?}");
    });
}
