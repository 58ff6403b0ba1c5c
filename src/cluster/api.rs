//! Single calls of an API server: told apart by whether they may have had an effect, and a connection that fails in one
//! of them is not used again.

use std::fmt::Debug;
use std::sync::Arc;

use k8s_openapi::NamespaceResourceScope;
use kube::api::{Api, DeleteParams, DynamicObject, Patch, PatchParams, Preconditions};
use kube::core::{ClusterResourceScope, PartialObjectMeta};
use kube::{Resource, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::connection::Connection;
use super::trouble::{Trouble, TroubleKind};
use crate::addons::ObjectId;

/// In whose name fields of objects are owned
/// (<https://kubernetes.io/docs/reference/using-api/server-side-apply/#managers>).
pub(super) const FIELD_MANAGER: &str = "keelson";

/// Where keelson keeps what is its own.
pub(super) const NAMESPACE: &str = "kube-system";

impl Connection {
    /// Translates how a call ended, and notes when it was the connection that failed.
    pub(super) fn settle<T>(&self, result: Result<T, kube::Error>) -> Result<T, Trouble> {
        result.map_err(|error| {
            let trouble = Trouble::from(error);
            if trouble.is_of_connection() {
                self.lose();
            }
            trouble
        })
    }

    /// Objects of a kind in [`NAMESPACE`].
    pub(super) fn own<K>(&self) -> Api<K>
    where
        K: Resource<Scope = NamespaceResourceScope>,
        K::DynamicType: Default,
    {
        Api::namespaced(self.client.clone(), NAMESPACE)
    }

    /// Objects of a kind in `namespace`.
    pub(super) fn within<K>(&self, namespace: &str) -> Api<K>
    where
        K: Resource<Scope = NamespaceResourceScope>,
        K::DynamicType: Default,
    {
        Api::namespaced(self.client.clone(), namespace)
    }

    /// Objects of a kind that has no namespaces.
    pub(super) fn global<K>(&self) -> Api<K>
    where
        K: Resource<Scope = ClusterResourceScope>,
        K::DynamicType: Default,
    {
        Api::all(self.client.clone())
    }

    /// Objects of the kind of `id`, in its namespace.
    pub(super) async fn of(self: &Arc<Self>, id: &ObjectId) -> Result<Api<DynamicObject>, Trouble> {
        let kind = self.discover(&id.api_version, &id.kind).await?;
        Ok(match (&id.namespace, kind.is_namespaced) {
            (Some(namespace), true) => Api::namespaced_with(self.client.clone(), namespace, &kind.resource),
            (None, true) => Api::default_namespaced_with(self.client.clone(), &kind.resource),
            (_, false) => Api::all_with(self.client.clone(), &kind.resource),
        })
    }

    /// What the API server keeps of the object beside its content; `None` when there is none, or no such kind.
    pub(super) async fn metadata(
        self: &Arc<Self>,
        id: &ObjectId,
    ) -> Result<Option<PartialObjectMeta<DynamicObject>>, Trouble> {
        match self.of(id).await {
            Ok(api) => self.settle(api.get_metadata_opt(&id.name).await),
            Err(trouble) if trouble.kind == TroubleKind::NoSuchKind => Ok(None),
            Err(trouble) => Err(trouble),
        }
    }

    /// Applies an object: the server merges what it says into what is there.
    pub(super) async fn apply(self: &Arc<Self>, id: &ObjectId, content: &Value) -> Result<(), Trouble> {
        let api = self.of(id).await?;
        let parameters = PatchParams::apply(FIELD_MANAGER).force();
        self.settle(api.patch(&id.name, &parameters, &Patch::Apply(content)).await)
            .map(drop)
    }

    /// Changes single fields of an object. With a `resourceVersion` among them, only if nobody else has changed it since.
    pub(super) async fn merge<K>(
        &self,
        api: &Api<K>,
        name: &str,
        fields: &impl SendableFields,
    ) -> Result<K, Trouble>
    where
        K: Clone + DeserializeOwned + Debug,
    {
        let parameters = PatchParams {
            field_manager: Some(FIELD_MANAGER.to_owned()),
            ..PatchParams::default()
        };
        self.settle(api.patch(name, &parameters, &Patch::Merge(fields)).await)
    }

    /// Deletes an object if it is still the one of that uid. One that is gone is no error.
    pub(super) async fn delete<K>(&self, api: &Api<K>, name: &str, uid: Option<String>) -> Result<(), Trouble>
    where
        K: Clone + DeserializeOwned + Debug,
    {
        let parameters = DeleteParams {
            preconditions: uid.map(|uid| Preconditions {
                uid: Some(uid),
                resource_version: None,
            }),
            ..DeleteParams::background()
        };
        match self.settle(api.delete(name, &parameters).await) {
            // Another one of that name is not the one that was to go.
            Err(trouble) if matches!(trouble.kind, TroubleKind::NotFound | TroubleKind::Conflict) => Ok(()),
            result => result.map(drop),
        }
    }
}

/// What can be the body of a patch.
pub(super) trait SendableFields: Serialize + Debug + Send + Sync {}

impl<T: Serialize + Debug + Send + Sync> SendableFields for T {}

/// True when keelson has applied something of this object.
pub(super) fn is_applied_by_us(object: &impl ResourceExt) -> bool {
    let managers = object.managed_fields().iter();
    managers.clone().any(|entry| {
        entry.manager.as_deref() == Some(FIELD_MANAGER) && entry.operation.as_deref() == Some("Apply")
    })
}
