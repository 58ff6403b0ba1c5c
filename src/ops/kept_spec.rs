//! The completed spec that a cluster was last applied with: `<cluster>/spec.yaml` in the state store.
//!
//! It is of whatever keelson wrote it, maybe an older one with fields and versions that are no longer valid: only what is
//! needed of it is read.

use keelson_provider_api::values::ClusterName;
use keelson_provider_api::{Precondition, Store, StoreError};
use serde_json::Value;

use super::identity::{self, ClusterRecord};

/// Where it is kept.
pub(super) fn path(name: &ClusterName) -> String {
    format!("{name}/spec.yaml")
}

/// Keeps `spec`, the completed spec that the cluster of `record` is applied with, and notes that it is there, and what of it
/// stays as it is from now on. An apply that is killed in between has made nothing yet.
pub(super) async fn keep(store: &dyn Store, record: &ClusterRecord, spec: &str) -> Result<(), StoreError> {
    let path = path(&record.name);
    if let Some(object) = store.read(&path).await? {
        // Nothing is written over what someone may have to look at.
        parse(store, &record.name, &object.content)?;
    }
    store.write(&path, spec.as_bytes(), Precondition::None).await?;
    identity::amend(store, &record.name, |kept| {
        kept.spec_is_kept = true;
        kept.fixed.clone_from(&record.fixed);
    })
    .await
}

/// True where the cluster is protected from deletion by what it was last applied with; not where no apply has come so far. One
/// of another cluster is damage: what it says of protection is not meant for this one.
pub(super) async fn protects(store: &dyn Store, name: &ClusterName) -> Result<bool, StoreError> {
    let is_kept = identity::read(store, name)
        .await?
        .is_some_and(|record| record.spec_is_kept);
    match store.read(&path(name)).await? {
        Some(object) => {
            let spec = parse(store, name, &object.content)?;
            // Protection that cannot be read may be there.
            spec["spec"]["deletionProtection"].as_bool().ok_or_else(|| {
                let problem = "it does not say whether the cluster is protected (`spec.deletionProtection`)";
                damaged(store, name, problem.to_owned())
            })
        }
        None if is_kept => {
            let record = identity::path(name);
            let problem = format!("it is missing, although {record} says that it was written");
            Err(damaged(store, name, problem))
        }
        None => Ok(false),
    }
}

fn parse(store: &dyn Store, name: &ClusterName, content: &[u8]) -> Result<Value, StoreError> {
    let damaged = |problem: String| damaged(store, name, problem);
    let text = std::str::from_utf8(content).map_err(|problem| damaged(problem.to_string()))?;
    let options = serde_saphyr::options! { with_snippet: false };
    let spec: Value = serde_saphyr::from_str_with_options(text, options)
        .map_err(|problem| damaged(format!("it is no YAML: {problem}")))?;
    if spec["metadata"]["name"].as_str() == Some(name.as_str()) {
        Ok(spec)
    } else {
        Err(damaged(format!("it is not a spec of cluster {name}")))
    }
}

fn damaged(store: &dyn Store, name: &ClusterName, problem: String) -> StoreError {
    StoreError::Damaged {
        path: path(name),
        location: store.location(),
        problem,
    }
}
