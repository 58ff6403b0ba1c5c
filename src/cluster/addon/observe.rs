//! What the planner is told of add-ons.
//!
//! An add-on that was begun and not done, and one of which an object is gone, has a digest that nobody wants: the planner
//! has it applied again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use keelson_provider_api::kinds::Addon;
use keelson_provider_api::values::Digest;
use keelson_provider_api::{
    BoxFuture, ClusterIdentity, Existing, Health, Kind, KindObservation, Observed, Owner, ResourceKey,
};

use super::health::{is_workload, trouble_of};
use super::inventory::{self, Found, Inventory};
use crate::addons::ObjectId;
use crate::cluster::at_once::at_once;
use crate::cluster::connection::Connection;
use crate::cluster::trouble::Trouble;

/// How many objects are looked at at once.
const CONCURRENCY: usize = 16;

/// Looks at every add-on that this cluster has, and at whatever holds one of the `wanted` names.
pub(in crate::cluster) async fn observe(
    connection: &Arc<Connection>,
    cluster: &ClusterIdentity,
    wanted: &BTreeSet<ResourceKey>,
) -> Result<KindObservation, Trouble> {
    let mut seen = KindObservation::default();
    for (name, found) in inventory::list(connection).await? {
        let key = ResourceKey::new(Kind::Addon, name);
        let observed = match found {
            Err(damage) => Observed::Unknown(damage),
            Ok(found) => {
                let owner = owner(cluster, &found.inventory);
                if owner != Owner::ThisCluster && !wanted.contains(&key) {
                    continue;
                }
                let state = look(connection, &found.inventory).await?;
                Observed::Present(existing(found, owner, &state))
            }
        };
        seen.found.insert(key, observed);
    }
    Ok(seen)
}

fn owner(cluster: &ClusterIdentity, inventory: &Inventory) -> Owner {
    let own = cluster.uid.as_ref().map(keelson_provider_api::ClusterUid::as_str);
    if own == Some(inventory.cluster_uid.as_str()) {
        Owner::ThisCluster
    } else {
        Owner::Other(format!("cluster {}", inventory.cluster_uid))
    }
}

/// How an add-on's objects are.
#[derive(Default)]
struct State {
    missing: Vec<ObjectId>,
    troubles: Vec<String>,
}

async fn look(connection: &Arc<Connection>, inventory: &Inventory) -> Result<State, Trouble> {
    let looks: Vec<BoxFuture<'_, Result<Look, Trouble>>> = inventory
        .objects
        .iter()
        .map(|id| Box::pin(look_at(connection, id)) as BoxFuture<'_, _>)
        .collect();
    let looks = at_once(CONCURRENCY, looks).await?;
    let mut state = State::default();
    for (id, look) in inventory.objects.iter().zip(looks) {
        match look {
            Look::Missing => state.missing.push(id.clone()),
            Look::Trouble(trouble) => state.troubles.push(trouble),
            Look::Well => {}
        }
    }
    Ok(state)
}

enum Look {
    Missing,
    Trouble(String),
    Well,
}

async fn look_at(connection: &Arc<Connection>, id: &ObjectId) -> Result<Look, Trouble> {
    let Some(found) = connection.metadata(id).await? else {
        return Ok(Look::Missing);
    };
    if found.metadata.deletion_timestamp.is_some() {
        return Ok(Look::Trouble(format!("{id} is being removed")));
    }
    if is_workload(id) {
        let trouble = trouble_of(connection, id).await?;
        return Ok(trouble.map_or(Look::Well, Look::Trouble));
    }
    Ok(Look::Well)
}

fn existing(found: Found, owner: Owner, state: &State) -> Existing {
    let Inventory {
        source,
        digest,
        objects,
        created_at,
        generation,
        ..
    } = found.inventory;
    let incomplete = Digest::of_json(&("incomplete", digest));
    let whole = digest.filter(|_| state.missing.is_empty());
    let health = match (digest, state.missing.first(), state.troubles.as_slice()) {
        (None, ..) => Health::Unhealthy("it was begun and not finished".to_owned()),
        (_, Some(missing), _) => Health::Unhealthy(format!("{missing} is missing")),
        (_, None, []) => Health::Healthy,
        (_, None, troubles) => Health::Unhealthy(troubles.join("; ")),
    };
    Existing {
        resource: Addon {
            source,
            digest: whole.unwrap_or(incomplete),
        }
        .into(),
        id: found.uid,
        owner,
        health,
        created_at,
        generation,
        host_id: None,
        facts: BTreeMap::from([("objects".to_owned(), objects.len().to_string())]),
    }
}
