//! etcd's settings.

use keelson_provider_api::values::{Quantity, Span};

use super::{Found, for_each_repetition};
use crate::spec::errors::Finding;
use crate::spec::path::{Path, path_of};
use crate::spec::text::{HttpUrl, StateStore};
use crate::spec::types::{
    ClusterSpec, EtcdPlacement, EventsPlacement, KeyEncryption, MachinesKey, SnapshotBucket, SnapshotPlace,
};

/// etcd's tuning guide: an election timeout of at most 50 s, and at least ten round trips. etcd itself refuses less
/// than five heartbeats. <https://etcd.io/docs/v3.6/tuning/>
const ELECTION_LIMIT: Span = Span::from_secs(50);
const HEARTBEATS_AT_LEAST: u64 = 5;
const HEARTBEAT_LEAST: Span = Span::from_millis(10);

pub(super) fn timing(spec: &ClusterSpec, found: &mut Found) {
    let (heartbeat, election) = (spec.etcd.heartbeat, spec.etcd.election_timeout);
    let base = path_of!("spec", "etcd");
    if heartbeat < HEARTBEAT_LEAST {
        found.error(
            Finding::new(base.then("heartbeat"), format!("`{heartbeat}` is too short"))
                .expected(format!("at least {HEARTBEAT_LEAST}"))
                .help("about the round trip between members"),
        );
    }
    let least = Span::from_millis(heartbeat.as_millis().saturating_mul(HEARTBEATS_AT_LEAST));
    let path = base.then("electionTimeout");
    if election < least {
        found.error(
            Finding::new(
                path,
                format!("`{election}` is less than five heartbeats of {heartbeat}"),
            )
            .expected(format!("at least {least}"))
            .help("ten heartbeats are usual"),
        );
    } else if election > ELECTION_LIMIT {
        found.error(
            Finding::new(path, format!("`{election}` is too long"))
                .expected(format!("at most {ELECTION_LIMIT}")),
        );
    }
}

/// <https://etcd.io/docs/v3.6/dev-guide/limit/>: 2Gi by default, 8Gi the suggested maximum.
pub(super) const QUOTA: (Quantity, Quantity) =
    (Quantity::from_bytes(16 << 20), Quantity::from_gibibytes(100));
const QUOTA_SUGGESTED: Quantity = Quantity::from_gibibytes(8);

pub(super) fn quota(spec: &ClusterSpec, found: &mut Found) {
    let quota = spec.etcd.quota;
    let path = path_of!("spec", "etcd", "quota");
    let (least, most) = QUOTA;
    if quota < least || quota > most {
        found.error(
            Finding::new(path, format!("`{quota}` is out of range"))
                .expected(format!("between {least} and {most}")),
        );
    } else if quota > QUOTA_SUGGESTED {
        let problem = format!("`{quota}` is more than the {QUOTA_SUGGESTED} that etcd suggests at most");
        found.warn(
            Finding::new(path, problem).help("a large database makes snapshots, restores and joins slow"),
        );
    }
}

pub(super) fn snapshots(spec: &ClusterSpec, found: &mut Found) {
    let snapshots = &spec.etcd.snapshots;
    let keep = snapshots.keep;
    let kept = u64::from(keep.last.unwrap_or(0))
        + u64::from(keep.hourly)
        + u64::from(keep.daily)
        + u64::from(keep.weekly);
    if snapshots.schedule.is_some() && kept == 0 {
        found.error(
            Finding::new(
                path_of!("spec", "etcd", "snapshots", "keep"),
                "snapshots are taken, but only the newest would be kept",
            )
            .help("write at least `last: 1`"),
        );
    }
    match &snapshots.to {
        SnapshotPlace::Hosts => {}
        SnapshotPlace::S3(bucket) => bucket_is_reached(bucket, found),
        SnapshotPlace::StateStore(key) => state_store_is_reached(spec, key, found),
    }
}

/// Machines know of the state store what the spec says, and have no environment to ask.
fn state_store_is_reached(spec: &ClusterSpec, key: &MachinesKey, found: &mut Found) {
    let base = path_of!("spec", "etcd", "snapshots", "to", "stateStore");
    match &spec.state_store {
        StateStore::S3(bucket) if bucket.region.is_some() || bucket.endpoint.is_some() => {}
        store @ StateStore::S3(bucket) => {
            let sign = if bucket.ca.is_some() { '&' } else { '?' };
            found.error(
                Finding::new(
                    base.clone(),
                    "machines cannot tell where the bucket of `stateStore` is",
                )
                .help(format!(
                    "write its region: `stateStore: {store}{sign}region=eu-central-1`"
                )),
            );
        }
        other => found.error(
            Finding::new(
                base.clone(),
                format!("machines cannot write to the state store `{other}`"),
            )
            .expected("a `stateStore` of the form s3://BUCKET[/PREFIX]?region=REGION")
            .help("or write `to: hosts`, or a bucket into `to.s3`"),
        ),
    }
    key_has_a_name(&key.access_key_id, &base, found);
    if spec.pki.encryption != KeyEncryption::None {
        let problem = "what machines write there is not encrypted, although `pki.encryption` encrypts what is saved by hand";
        found.warn(
            Finding::new(base, problem)
                .help("machines have no key for that: encrypt the bucket, or write `to: hosts`"),
        );
    }
}

fn key_has_a_name(access_key_id: &str, base: &Path, found: &mut Found) {
    if !is_word(access_key_id) {
        let problem = "the id of a key is a word without blanks".to_owned();
        found.error(Finding::new(base.then("accessKeyId"), problem));
    }
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html>
fn bucket_is_reached(bucket: &SnapshotBucket, found: &mut Found) {
    let base = path_of!("spec", "etcd", "snapshots", "to", "s3");
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let name = bucket.bucket.as_bytes();
    let fits = (3..=63).contains(&name.len())
        && name.iter().all(|&byte| is_plain(byte) || b"-.".contains(&byte))
        && name.first().copied().is_some_and(is_plain)
        && name.last().copied().is_some_and(is_plain);
    if !fits {
        let problem = format!("`{}` is no name of a bucket", bucket.bucket);
        found.error(
            Finding::new(base.then("bucket"), problem)
                .expected("3 to 63 small letters, digits, dots and hyphens"),
        );
    }
    let is_path = |byte: u8| byte.is_ascii_alphanumeric() || b"/-_.".contains(&byte);
    let folder = bucket.folder();
    let has_gap = !folder.is_empty() && folder.split('/').any(|part| matches!(part, "" | "." | ".."));
    if !bucket.prefix.bytes().all(is_path) || has_gap {
        let problem = format!("`{}` cannot stand before the paths of objects", bucket.prefix);
        found.error(
            Finding::new(base.then("prefix"), problem).expected("letters, digits, and any of / - _ ."),
        );
    }
    if bucket
        .endpoint
        .as_ref()
        .is_some_and(|endpoint| !endpoint.is_secure())
    {
        let problem =
            "the bucket's server is asked without encryption: snapshots go over the network as they are";
        found
            .warn(Finding::new(base.then("endpoint"), problem).help("write a URL that begins with https://"));
    }
    let has_path = |endpoint: &HttpUrl| {
        let text = endpoint.as_str().trim_end_matches('/');
        !text.ends_with(endpoint.authority())
    };
    if let Some(endpoint) = bucket.endpoint.as_ref().filter(|endpoint| has_path(endpoint)) {
        let problem = format!("`{endpoint}` has a path; the server of a bucket has none");
        found.error(
            Finding::new(base.then("endpoint"), problem)
                .expected("https://HOST or https://HOST:PORT")
                .help("write what stands before the paths of objects into `prefix`"),
        );
    }
    key_has_a_name(&bucket.access_key_id, &base, found);
    if !is_word(&bucket.region) {
        let problem = "a region is a word without blanks".to_owned();
        found.error(Finding::new(base.then("region"), problem));
    }
}

pub(super) fn external(spec: &ClusterSpec, found: &mut Found) {
    let EtcdPlacement::External(external) = &spec.etcd.placement else {
        return;
    };
    let base = path_of!("spec", "etcd", "placement", "external", "endpoints");
    for (index, endpoint) in external.endpoints.iter().enumerate() {
        if !endpoint.is_secure() {
            let problem =
                format!("`{endpoint}` is not encrypted, and everything in the cluster goes through it");
            found.error(Finding::new(base.then(index), problem).expected("a URL that begins with https://"));
        }
        let after_host = endpoint
            .as_str()
            .trim_end_matches('/')
            .ends_with(endpoint.authority());
        if !after_host {
            let problem = format!("`{endpoint}` has a path; an etcd member has none");
            found.error(Finding::new(base.then(index), problem).expected("https://HOST:PORT"));
        }
    }
    for_each_repetition(&external.endpoints, |later, first| {
        let problem = format!("the endpoint is repeated; the first is endpoints[{first}]");
        found.error(Finding::new(base.then(later), problem).help("remove one of the two"));
    });
    let rows = [
        (
            path_of!("spec", "etcd", "events"),
            spec.etcd.events == EventsPlacement::Separate,
        ),
        (
            path_of!("spec", "etcd", "snapshots", "schedule"),
            spec.etcd.snapshots.schedule.is_some(),
        ),
    ];
    for (path, is_given) in rows {
        if is_given {
            found.error(Finding::new(path, "keelson does not run an external etcd").help("remove the field"));
        }
    }
}
