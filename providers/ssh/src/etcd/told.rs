//! What scripts tell of snapshots, a line each.

use keelson_provider_api::{LiveKeys, SnapshotContents};
use serde::Deserialize;

/// What `etcdutl snapshot status` says, in 3.5 and 3.6.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Checked {
    hash: u32,
    /// Of a database without any key it is 0.
    revision: u64,
    #[serde(rename = "totalKey")]
    total_keys: u64,
    #[serde(rename = "totalSize")]
    total_bytes: u64,
}

/// What stands behind `about` in the first line of `output` that begins with it.
pub(super) fn told<'a>(output: &'a str, about: &str) -> Option<&'a str> {
    let mut lines = output.lines();
    let told = lines.find_map(|line| line.strip_prefix(about)?.strip_prefix(' '))?;
    Some(told.trim())
}

/// What is in a snapshot: `status`, and `live` where that is told. An etcd that nobody has written to has no keys: etcdutl counts
/// them alone since 3.6, and before that whatever else there is too.
pub(super) fn contents(output: &str) -> Option<SnapshotContents> {
    let checked: Checked = serde_json::from_str(told(output, "status")?).ok()?;
    Some(SnapshotContents {
        hash: checked.hash,
        revision: checked.revision,
        total_keys: checked.total_keys,
        total_bytes: checked.total_bytes,
        live: live(output),
    })
}

fn live(output: &str) -> Option<LiveKeys> {
    serde_json::from_str(told(output, "live")?).ok()
}
