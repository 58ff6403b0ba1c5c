//! Taking a snapshot, and deleting it.

use keelson_provider_api::kinds::EtcdSnapshot;
use keelson_provider_api::{BoxFuture, Owner, ProviderError};

use super::listed::{self, Manifest, Stored};
use crate::etcd::names::check_name;
use crate::etcd::step::{Deed, Step, permanent, transient};
use crate::etcd::survey::Survey;
use crate::etcd::writing::{self, Written};
use crate::shell::Output;

/// Takes the snapshot `name`.
pub(in crate::etcd) async fn take(
    step: &Step<'_>,
    name: &str,
    snapshot: &EtcdSnapshot,
    generation: u32,
) -> Result<(), ProviderError> {
    check_name(name)?;
    let listed = listed::list(step.reach).await;
    let of_name = |stored: &&Stored| stored.manifest.name == name;
    for stored in listed.values().flatten().flatten().filter(of_name) {
        if stored.manifest.cluster_uid != step.uid {
            return Err(permanent(format!(
                "a snapshot {name} of another cluster is on {}",
                stored.manifest.machine
            )));
        }
        if stored.is_whole() {
            return Ok(());
        }
    }
    let survey = step.survey().await?;
    let survey = &survey;
    let write = |machine: String| -> BoxFuture<'_, _> {
        Box::pin(async move { write(step, survey, &machine, name).await })
    };
    let (machine, written) = writing::by_one_of(survey, write).await?;
    keep(step, &machine, name, snapshot, generation, written).await
}

async fn write(step: &Step<'_>, survey: &Survey, machine: &str, name: &str) -> Result<Output, ProviderError> {
    step.tell(&format!("write a snapshot on {machine}"));
    let deed = Deed {
        name: "write a snapshot of etcd",
        script: concat!(
            include_str!("../../scripts/etcdctl.sh"),
            include_str!("../../scripts/etcd-live-keys.sh"),
            include_str!("../../scripts/room.sh"),
            include_str!("../../scripts/sha256.sh"),
            include_str!("../../scripts/etcd-snapshot.sh"),
            include_str!("../../scripts/etcd-upgrade-save.sh")
        ),
        arguments: vec![
            step.ours(),
            step.instance.cluster.to_owned(),
            step.instance.client_port.to_string(),
            name.to_owned(),
            writing::need_kib(survey, machine).to_string(),
        ],
        machine,
        timeout: writing::LIMIT,
    };
    step.run(deed).await
}

async fn keep(
    step: &Step<'_>,
    machine: &str,
    name: &str,
    snapshot: &EtcdSnapshot,
    generation: u32,
    written: Written,
) -> Result<(), ProviderError> {
    let manifest = Manifest {
        cluster_uid: step.uid.clone(),
        cluster_name: step.context.cluster.name.to_string(),
        name: name.to_owned(),
        etcd_cluster: snapshot.cluster.clone(),
        purpose: snapshot.purpose.clone(),
        generation,
        created_at: step.clock.now(),
        machine: machine.to_owned(),
        hash: written.contents.hash,
        revision: written.contents.revision,
        total_keys: written.contents.total_keys,
        size: written.size,
        sha256: written.sha256,
    };
    step.tell(&format!(
        "keep it: revision {}, {} bytes",
        manifest.revision, manifest.size
    ));
    let manifest = serde_json::to_string(&manifest).unwrap_or_default();
    let script = concat!(
        include_str!("../../scripts/write.sh"),
        include_str!("../../scripts/etcd-upgrade-keep.sh")
    );
    step.script(
        "keep the snapshot",
        script,
        machine,
        vec![name.to_owned(), manifest],
    )
    .await
}

/// Deletes the snapshot `name` wherever it is.
pub(in crate::etcd) async fn forget(step: &Step<'_>, name: &str, owner: &Owner) -> Result<(), ProviderError> {
    check_name(name)?;
    if *owner != Owner::ThisCluster {
        return Err(permanent(format!("the snapshot {name} is not this cluster's")));
    }
    let listed = listed::list(step.reach).await;
    for (machine, stored) in &listed {
        let is_here =
            |stored: &&Stored| stored.manifest.name == name && stored.manifest.cluster_uid == step.uid;
        if stored.iter().flatten().any(|stored| is_here(&stored)) {
            let script = include_str!("../../scripts/etcd-upgrade-forget.sh");
            step.script("delete the snapshot", script, machine, vec![name.to_owned()])
                .await?;
        }
    }
    match listed.into_values().find_map(Result::err) {
        Some(why) => Err(transient(format!(
            "the snapshot {name} may be on another machine: {why}"
        ))),
        None => Ok(()),
    }
}
