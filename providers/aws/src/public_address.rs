//! The one public address that something has.

use std::time::Duration;

use keelson_aws_calls::ec2::Address;
use keelson_provider_api::{Outcome, ResourceKey};

use crate::step::{Step, missing, refused};

/// What was just got shows in less.
const SHOWN_LIMIT: Duration = Duration::from_secs(30);

/// The addresses with the mark of `key`: first those that lead somewhere.
pub(crate) async fn all(step: &Step<'_>, key: &ResourceKey) -> Result<Vec<Address>, Outcome> {
    let addresses = step.ec2.list_addresses(&step.marked(key)).await;
    let mut addresses = addresses.map_err(|error| refused(error, "look for its public address"))?;
    addresses.sort_by(|one, other| {
        (one.association.is_none(), &one.id).cmp(&(other.association.is_none(), &other.id))
    });
    Ok(addresses)
}

/// The address that `key` is to have, got where there is none; others of its mark go.
pub(crate) async fn the_one(step: &Step<'_>, key: &ResourceKey) -> Result<Address, Outcome> {
    let mut addresses = all(step, key).await?;
    if addresses.is_empty() {
        let got = step.ec2.allocate_address(&step.mark(key)).await;
        got.map_err(|error| refused(error, "get a public address"))?;
        // EC2 has no token for this: who asks again before it shows gets another one.
        let shown = || async { Ok(Some(all(step, key).await?).filter(|found| !found.is_empty())) };
        let shown = step.until_found(SHOWN_LIMIT, shown).await?;
        addresses = shown.ok_or_else(|| missing(key))?;
    }
    let mut addresses = addresses.into_iter();
    let first = addresses.next().ok_or_else(|| missing(key))?;
    for double in addresses.filter(|double| double.association.is_none()) {
        let gone = step.ec2.release_address(&double.id).await;
        gone.map_err(|error| refused(error, "release an address that was got twice"))?;
    }
    Ok(first)
}

/// Releases all addresses of `key`, each as soon as nothing needs it any more, which is waited for as long as `limit`.
pub(crate) async fn release(step: &Step<'_>, key: &ResourceKey, limit: Duration) -> Result<(), Outcome> {
    for address in all(step, key).await? {
        let release = || step.ec2.release_address(&address.id);
        step.delete_when_free(key, limit, release).await?;
    }
    Ok(())
}
