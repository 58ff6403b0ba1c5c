//! Kinds that an add-on brings with it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use keelson_provider_api::ProviderError;
use kube::api::DynamicObject;
use serde_json::Value;

use crate::addons::{Object, ObjectId};
use crate::cluster::connection::Connection;
use crate::cluster::step::{Step, transient};
use crate::cluster::trouble::Trouble;

/// How long an API server may take to serve a new kind.
const LIMIT: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(500);

/// Whether the kinds that `objects` define have namespaces, by group and kind.
pub(super) fn defined_scopes(objects: &[Object]) -> BTreeMap<(String, String), bool> {
    let definitions = objects.iter().filter(|object| is_definition(object.id()));
    let scope = |object: &Object| {
        let spec = &object.content()["spec"];
        let group = spec["group"].as_str()?.to_owned();
        let kind = spec["names"]["kind"].as_str()?.to_owned();
        Some(((group, kind), spec["scope"].as_str()? == "Namespaced"))
    };
    definitions.filter_map(scope).collect()
}

fn is_definition(id: &ObjectId) -> bool {
    id.kind == "CustomResourceDefinition" && id.group() == "apiextensions.k8s.io"
}

/// Waits until the API server serves the kinds that `definitions` bring.
pub(super) async fn wait_until_served(
    step: &Step<'_>,
    connection: &Arc<Connection>,
    definitions: &[&Object],
) -> Result<(), ProviderError> {
    let patience = step.patience(LIMIT);
    let mut told = false;
    for definition in definitions.iter().filter(|object| is_definition(object.id())) {
        let id = definition.id();
        loop {
            let state = established(connection, id).await;
            let state = state.map_err(|trouble| trouble.into_error(&format!("read {id}")))?;
            let Err(why) = state else { break };
            if !told {
                step.tell("wait for new kinds to be served");
                told = true;
            }
            if !patience.wait(POLL).await {
                return Err(transient(format!("{id} is not served: {why}")));
            }
        }
    }
    Ok(())
}

/// `Ok(Ok(()))` when the kind is served; the inner error says why it is not.
async fn established(connection: &Arc<Connection>, id: &ObjectId) -> Result<Result<(), String>, Trouble> {
    let api = connection.of(id).await?;
    let Some(definition) = connection.settle(api.get_opt(&id.name).await)? else {
        return Ok(Err("it is gone".to_owned()));
    };
    Ok(judge(&definition))
}

fn judge(definition: &DynamicObject) -> Result<(), String> {
    let none = Vec::new();
    let conditions = definition.data["status"]["conditions"]
        .as_array()
        .unwrap_or(&none);
    let is = |condition: &&Value, kind: &str, status: &str| {
        condition["type"].as_str() == Some(kind) && condition["status"].as_str() == Some(status)
    };
    if conditions
        .iter()
        .any(|condition| is(&condition, "Established", "True"))
    {
        return Ok(());
    }
    let refused = conditions
        .iter()
        .find(|condition| is(condition, "NamesAccepted", "False"));
    let message = refused.and_then(|condition| condition["message"].as_str());
    Err(message
        .unwrap_or("the API server has not come to it yet")
        .to_owned())
}
