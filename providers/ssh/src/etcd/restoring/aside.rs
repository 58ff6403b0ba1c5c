//! What restores have moved aside, where it lies, and how much room it takes.

use std::time::Duration;

use keelson_provider_api::{ProviderError, SetAside};

use crate::etcd::step::{Deed, Step};
use crate::fence;

const LISTING: Duration = Duration::from_secs(60);
const NAME: &str = "list what was moved aside";

/// What restores have moved aside on `machine`, the oldest first.
pub(super) async fn list(step: &Step<'_>, machine: &str) -> Result<Vec<SetAside>, ProviderError> {
    let deed = Deed {
        name: NAME,
        script: include_str!("../../scripts/etcd-set-aside.sh"),
        arguments: vec![step.ours(), step.instance.data_folder.to_owned()],
        machine,
        timeout: LISTING,
    };
    let output = step.run(deed).await?;
    match output.status {
        0 => Ok(output
            .stdout
            .lines()
            .filter_map(|line| read(machine, line))
            .collect()),
        _ => Err(fence::failure(machine, NAME, &output)),
    }
}

fn read(machine: &str, line: &str) -> Option<SetAside> {
    let (kib, folder) = line.strip_prefix("aside ")?.split_once(' ')?;
    Some(SetAside {
        machine: machine.to_owned(),
        folder: folder.to_owned(),
        size_bytes: kib.parse::<u64>().ok()?.saturating_mul(1024),
    })
}
