//! Taking a snapshot, and deleting it
//! (<https://etcd.io/docs/v3.6/op-guide/recovery/#snapshotting-the-keyspace>).
//!
//! A snapshot stays on the machine whose member wrote it, at `/var/lib/keelson/snapshots`. Carrying it to the state
//! store, from where it outlives its machine, is not done here.

use std::time::Duration;

use keelson_provider_api::kinds::EtcdSnapshot;
use keelson_provider_api::{Owner, ProviderError};
use serde::Deserialize;

use super::archive::{self, Manifest, Stored};
use super::step::{Deed, Step, permanent, transient};
use super::survey::Survey;
use crate::shell::Output;

/// How long writing and checking a snapshot may take; etcd suggests databases of up to 8 GiB.
const LIMIT: Duration = Duration::from_secs(1200);

/// The room that is left beside a snapshot: etcd takes 64 MiB at once for its log.
const MARGIN_KIB: u64 = 128 * 1024;

/// What `etcdutl snapshot status` says, in 3.5 and 3.6.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Checked {
    hash: u32,
    /// Of a database without any key it is 0.
    revision: i64,
    #[serde(rename = "totalKey")]
    total_keys: u64,
}

/// A snapshot that was written and checked.
#[derive(Debug, PartialEq, Eq)]
struct Written {
    checked: Checked,
    sha256: String,
    size: u64,
}

/// Takes the snapshot `name`.
pub(super) async fn take(
    step: &Step<'_>,
    name: &str,
    snapshot: &EtcdSnapshot,
    generation: u32,
) -> Result<(), ProviderError> {
    check_name(name)?;
    let listed = archive::list(step.reach).await;
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
    let mut full = Vec::new();
    for machine in writers(&survey)? {
        let output = write(step, &survey, &machine, name).await?;
        if output.status == 24 {
            full.push(format!("{machine}: {}", output.stderr.trim()));
            continue;
        }
        let written = check(&output, step.instance.cluster, &machine)?;
        return keep(step, &machine, name, snapshot, generation, written).await;
    }
    Err(permanent(format!(
        "no machine has room for a snapshot of etcd {}: {}",
        snapshot.cluster,
        full.join("; ")
    ))
    .with_help("make room below /var/lib/keelson/snapshots on one of them"))
}

/// The machines whose members may write it, the one that does it best first: a follower, which has less to do.
fn writers(survey: &Survey) -> Result<Vec<String>, ProviderError> {
    let cluster = survey.instance.cluster;
    let writers = survey.other_voters("");
    if !writers.is_empty() {
        return Ok(writers);
    }
    Err(
        if survey.has_formed() || survey.machines.values().any(Result::is_err) {
            transient(format!("no member of etcd {cluster} answers with a quorum"))
                .with_help("bring the missing members back; older snapshots can be restored without them")
        } else {
            permanent(format!("there is no etcd {cluster} to take a snapshot of"))
        },
    )
}

async fn write(step: &Step<'_>, survey: &Survey, machine: &str, name: &str) -> Result<Output, ProviderError> {
    let status = survey.seen(machine).and_then(|seen| seen.status.as_ref());
    let database_kib = status.map_or(0, |status| status.db_size / 1024);
    let need = database_kib
        .saturating_add(database_kib / 10)
        .saturating_add(MARGIN_KIB);
    step.tell(&format!("write a snapshot on {machine}"));
    let deed = Deed {
        name: "write a snapshot of etcd",
        script: concat!(
            include_str!("../scripts/etcdctl.sh"),
            include_str!("../scripts/etcd-save.sh")
        ),
        arguments: vec![
            step.ours(),
            step.instance.cluster.to_owned(),
            step.instance.client_port.to_string(),
            name.to_owned(),
            need.to_string(),
        ],
        machine,
        timeout: LIMIT,
    };
    step.run(deed).await
}

/// Reads what the script wrote, and refuses what is no whole snapshot.
fn check(output: &Output, cluster: &str, machine: &str) -> Result<Written, ProviderError> {
    if output.status != 0 {
        let said = output
            .stderr
            .lines()
            .rev()
            .find(|line| !line.starts_with('{') && !line.is_empty());
        let said = said.unwrap_or("it gave no reason");
        return Err(transient(format!(
            "failed to write a snapshot of etcd {cluster} on {machine} (status {}): {said}",
            output.status
        )));
    }
    let answer = |about: &str| {
        output
            .stdout
            .lines()
            .find_map(|line| line.strip_prefix(about)?.strip_prefix(' '))
            .map(str::trim)
    };
    let written = || {
        let checked: Checked = serde_json::from_str(answer("status")?).ok()?;
        let sha256 = answer("sha256")?;
        let is_digest = sha256.len() == 64 && sha256.bytes().all(|byte| byte.is_ascii_hexdigit());
        let size = answer("size")?.parse().ok().filter(|&size: &u64| size > 32)?;
        // An etcd that nobody has written to has no keys: etcdutl counts them alone since 3.6, and before that whatever else
        // there is too.
        is_digest.then(|| Written {
            checked,
            sha256: sha256.to_owned(),
            size,
        })
    };
    written().ok_or_else(|| {
        transient(format!(
            "the snapshot of etcd {cluster} on {machine} does not check out: {}",
            output.stdout.trim()
        ))
    })
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
        hash: written.checked.hash,
        revision: written.checked.revision,
        total_keys: written.checked.total_keys,
        size: written.size,
        sha256: written.sha256,
    };
    step.tell(&format!(
        "keep it: revision {}, {} bytes",
        manifest.revision, manifest.size
    ));
    let manifest = serde_json::to_string(&manifest).unwrap_or_default();
    let script = concat!(
        include_str!("../scripts/write.sh"),
        include_str!("../scripts/etcd-keep.sh")
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
pub(super) async fn forget(step: &Step<'_>, name: &str, owner: &Owner) -> Result<(), ProviderError> {
    check_name(name)?;
    if *owner != Owner::ThisCluster {
        return Err(permanent(format!("the snapshot {name} is not this cluster's")));
    }
    let listed = archive::list(step.reach).await;
    for (machine, stored) in &listed {
        let is_here =
            |stored: &&Stored| stored.manifest.name == name && stored.manifest.cluster_uid == step.uid;
        if stored.iter().flatten().any(|stored| is_here(&stored)) {
            let script = include_str!("../scripts/etcd-forget.sh");
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

/// A name becomes a file's name.
fn check_name(name: &str) -> Result<(), ProviderError> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b':' | b'-' | b'_' | b'.');
    if !name.is_empty() && name.len() <= 200 && !name.starts_with(['.', '-']) && name.bytes().all(fits) {
        return Ok(());
    }
    Err(permanent(format!(
        "`{}` cannot be the name of a snapshot's file",
        name.escape_debug()
    )))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::etcd::survey::tests::picture;
    use keelson_provider_api::ErrorClass;

    const DIGEST: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    fn output(status: i32, stdout: &str) -> Output {
        Output {
            status,
            stdout: stdout.to_owned(),
            stderr: "{\"level\":\"info\"}\nError: no space left on device\n{\"level\":\"warn\"}\n".to_owned(),
        }
    }

    #[test]
    fn a_snapshot_counts_when_all_of_it_checks_out() {
        let status = r#"{"hash":4055500838,"revision":12,"totalKey":7,"totalSize":20480,"version":"3.6.0"}"#;
        let text = format!("status {status}\nsha256 {DIGEST}\nsize 20512\n");
        let written = check(&output(0, &text), "main", "a").unwrap();
        assert_eq!((written.checked.revision, written.size), (12, 20512));
        let empty = text.replace("\"revision\":12,\"totalKey\":7", "\"revision\":0,\"totalKey\":0");
        assert_eq!(
            check(&output(0, &empty), "main", "a").unwrap().checked.revision,
            0
        );
        for rubbish in [
            String::new(),
            text.replace("hash", "hush"),
            text.replace("20512", "0"),
            text.replace("20512", "x"),
            text.replace(DIGEST, "abc"),
            text.replace("sha256", "sha"),
            text.replace(status, "null"),
        ] {
            assert!(check(&output(0, &rubbish), "main", "a").is_err(), "{rubbish}");
        }
        let failed = check(&output(1, &text), "main", "a").unwrap_err();
        assert!(
            failed
                .message
                .ends_with("(status 1): Error: no space left on device"),
            "{failed}"
        );
    }

    #[test]
    fn a_follower_writes_it_and_without_a_quorum_nobody() {
        assert_eq!(writers(&picture("a:v b:v c:d")).unwrap(), ["b", "a"]);
        let class = |text: &str| writers(&picture(text)).expect_err(text).class;
        assert_eq!(class("a:d b:d c:d"), ErrorClass::Transient);
        assert_eq!(class("a:n b:!"), ErrorClass::Transient);
        assert_eq!(class("a:n b:w"), ErrorClass::Permanent);
    }

    #[test]
    fn names_stay_in_their_folder() {
        assert!(check_name("main:20260101T000000Z").is_ok());
        for name in ["", ".", "..", "a/b", "../a", "-a", "a b", "a\n", "ä"] {
            assert!(check_name(name).is_err(), "{name}");
        }
    }
}
