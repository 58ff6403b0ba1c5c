//! What an add-on has, written down in the cluster itself.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::ConfigMap;
use keelson_provider_api::values::Digest;
use kube::api::ListParams;
use serde_json::{Value, json};

use super::PART_OF_LABEL;
use crate::addons::ObjectId;
use crate::cluster::api::NAMESPACE;
use crate::cluster::connection::Connection;
use crate::cluster::trouble::Trouble;

/// The largest list that is asked for at once; more add-ons than that nobody has.
const MOST_ADDONS: u32 = 500;

/// What an add-on has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Inventory {
    /// The add-on's name.
    pub(super) name: String,
    /// Where its objects come from.
    pub(super) source: String,
    /// The digest of what was applied; `None` while that is not done.
    pub(super) digest: Option<Digest>,
    /// Everything that may have been made for it.
    pub(super) objects: Vec<ObjectId>,
    /// The life of the cluster that it belongs to.
    pub(super) cluster_uid: String,
    /// When it was begun.
    pub(super) created_at: Timestamp,
    /// Which incarnation of the add-on it is.
    pub(super) generation: u32,
    /// The fencing generation of the run that wrote it.
    pub(super) fencing_generation: u64,
}

/// An inventory as it was found.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub(super) inventory: Inventory,
    pub(super) uid: String,
    pub(super) resource_version: String,
}

/// The name of an add-on's inventory.
pub(super) fn object_name(addon: &str) -> String {
    format!("keelson-addon-{addon}")
}

fn id(addon: &str) -> ObjectId {
    ObjectId {
        api_version: "v1".to_owned(),
        kind: "ConfigMap".to_owned(),
        namespace: Some(NAMESPACE.to_owned()),
        name: object_name(addon),
    }
}

impl Inventory {
    /// The ConfigMap; with `replaces`, only in the place of that version of it.
    fn content(&self, replaces: Option<&str>) -> Value {
        let mut metadata = json!({
            "name": object_name(&self.name),
            "namespace": NAMESPACE,
            "labels": { PART_OF_LABEL: self.name },
        });
        if let Some(version) = replaces {
            metadata["resourceVersion"] = Value::from(version);
        }
        let objects = serde_json::to_string(&self.objects).unwrap_or_default();
        let mut data = json!({
            "source": self.source,
            "objects": objects,
            "clusterUid": self.cluster_uid,
            "createdAt": self.created_at.to_string(),
            "generation": self.generation.to_string(),
            "fencingGeneration": self.fencing_generation.to_string(),
        });
        if let Some(digest) = self.digest {
            data["digest"] = Value::from(digest.to_string());
        }
        json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data })
    }

    /// The inventory that a ConfigMap holds; the error says what is wrong with it.
    fn read(map: &ConfigMap) -> Result<Self, String> {
        let empty = BTreeMap::new();
        let data = map.data.as_ref().unwrap_or(&empty);
        let get = |name: &str| data.get(name).ok_or_else(|| format!("`{name}` is missing"));
        let wrong = |name: &str| format!("`{name}` cannot be read");
        let name = map.metadata.labels.iter().flatten();
        let name = name.into_iter().find(|(label, _)| *label == PART_OF_LABEL);
        Ok(Self {
            name: name.ok_or("its label is missing")?.1.clone(),
            source: get("source")?.clone(),
            digest: match data.get("digest") {
                None => None,
                Some(digest) => Some(digest.parse().map_err(|_| wrong("digest"))?),
            },
            objects: serde_json::from_str(get("objects")?).map_err(|_| wrong("objects"))?,
            cluster_uid: get("clusterUid")?.clone(),
            created_at: get("createdAt")?.parse().map_err(|_| wrong("createdAt"))?,
            generation: get("generation")?.parse().map_err(|_| wrong("generation"))?,
            fencing_generation: get("fencingGeneration")?
                .parse()
                .map_err(|_| wrong("fencingGeneration"))?,
        })
    }
}

fn found(map: ConfigMap) -> Result<Found, String> {
    let inventory = Inventory::read(&map).map_err(|problem| {
        let name = map.metadata.name.as_deref().unwrap_or_default();
        format!("ConfigMap {NAMESPACE}/{name} is damaged: {problem}")
    })?;
    Ok(Found {
        inventory,
        uid: map.metadata.uid.unwrap_or_default(),
        resource_version: map.metadata.resource_version.unwrap_or_default(),
    })
}

/// The inventory of the add-on `name`: there and readable, there and damaged, or not there.
pub(super) async fn get(
    connection: &Connection,
    name: &str,
) -> Result<Option<Result<Found, String>>, Trouble> {
    let maps = connection.own::<ConfigMap>();
    let map = connection.settle(maps.get_opt(&object_name(name)).await)?;
    Ok(map.map(found))
}

/// Every inventory, by its add-on's name as the ConfigMap's name has it.
pub(super) async fn list(
    connection: &Connection,
) -> Result<BTreeMap<String, Result<Found, String>>, Trouble> {
    let maps = connection.own::<ConfigMap>();
    let asked = ListParams::default().labels(PART_OF_LABEL).limit(MOST_ADDONS);
    let maps = connection.settle(maps.list(&asked).await)?;
    let named = maps.items.into_iter().filter_map(|map| {
        let name = map.metadata.name.as_deref()?.strip_prefix(&object_name(""))?;
        Some((name.to_owned(), found(map)))
    });
    Ok(named.collect())
}

/// Writes an inventory, in the place of the one of version `replaces`.
pub(super) async fn write(
    connection: &Arc<Connection>,
    inventory: &Inventory,
    replaces: Option<&str>,
) -> Result<(), Trouble> {
    let content = inventory.content(replaces);
    connection.apply(&id(&inventory.name), &content).await
}

/// Deletes an inventory, if it is still the one of that uid.
pub(super) async fn delete(connection: &Connection, name: &str, uid: &str) -> Result<(), Trouble> {
    let maps = connection.own::<ConfigMap>();
    connection
        .delete(&maps, &object_name(name), Some(uid.to_owned()))
        .await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inventory() -> Inventory {
        Inventory {
            name: "coredns".to_owned(),
            source: "built-in".to_owned(),
            digest: Some(Digest::of_bytes(b"objects")),
            objects: vec![id("a")],
            cluster_uid: "uid".to_owned(),
            created_at: Timestamp::UNIX_EPOCH,
            generation: 2,
            fencing_generation: 7,
        }
    }

    #[test]
    fn an_inventory_survives_being_written() {
        for inventory in [
            inventory(),
            Inventory {
                digest: None,
                ..inventory()
            },
        ] {
            let map: ConfigMap = serde_json::from_value(inventory.content(Some("12"))).unwrap();
            assert_eq!(map.metadata.resource_version.as_deref(), Some("12"));
            assert_eq!(Inventory::read(&map).unwrap(), inventory);
        }
    }

    #[test]
    fn a_damaged_inventory_says_what_is_wrong() {
        let mut map: ConfigMap = serde_json::from_value(inventory().content(None)).unwrap();
        map.data
            .as_mut()
            .unwrap()
            .insert("objects".to_owned(), "[".to_owned());
        let problem = found(map).unwrap_err();
        assert_eq!(
            problem,
            "ConfigMap kube-system/keelson-addon-coredns is damaged: `objects` cannot be read"
        );
    }
}
