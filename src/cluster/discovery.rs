//! Which path a kind of object has.

use std::sync::Arc;

use kube::core::{ApiResource, GroupVersion};
use kube::discovery::{ApiCapabilities, Scope, pinned_group};

use super::connection::Connection;
use super::trouble::{Trouble, TroubleKind};

/// A kind of object as the API server has it.
#[derive(Debug, Clone)]
pub(super) struct Discovered {
    pub(super) resource: ApiResource,
    pub(super) is_namespaced: bool,
}

impl Connection {
    /// How the API server has that kind. Asked for once a group and version; a kind that was not there is asked for
    /// again, since a CRD may have come meanwhile.
    ///
    /// # Errors
    /// [`TroubleKind::NoSuchKind`] when it has none.
    pub(super) async fn discover(
        self: &Arc<Self>,
        api_version: &str,
        kind: &str,
    ) -> Result<Discovered, Trouble> {
        let found = |all: &[Discovered]| all.iter().find(|one| one.resource.kind == kind).cloned();
        let mut known = self.discovered.lock().await;
        if let Some(discovered) = known.get(api_version).and_then(|all| found(all)) {
            return Ok(discovered);
        }
        let missing = || {
            let message = format!("the API server has no kind {kind} in {api_version}");
            Trouble::new(TroubleKind::NoSuchKind, message)
        };
        let group_version: GroupVersion = api_version.parse().map_err(|_| {
            let message = format!("`{}` is no apiVersion", api_version.escape_debug());
            Trouble::new(TroubleKind::Refusal, message)
        })?;
        let group = self.settle(pinned_group(&self.client, &group_version).await);
        let group = group.map_err(|trouble| match trouble.kind {
            TroubleKind::NotFound | TroubleKind::NoSuchKind => missing(),
            _ => trouble,
        })?;
        let all: Vec<Discovered> = group
            .versioned_resources(&group_version.version)
            .into_iter()
            .map(discovered)
            .collect();
        let result = found(&all).ok_or_else(missing);
        known.insert(api_version.to_owned(), all);
        result
    }
}

fn discovered((resource, capabilities): (ApiResource, ApiCapabilities)) -> Discovered {
    Discovered {
        resource,
        is_namespaced: capabilities.scope == Scope::Namespaced,
    }
}
