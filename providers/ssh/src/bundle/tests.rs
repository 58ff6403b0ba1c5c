//! What is told of the bundles of hosts.

use async_trait::async_trait;
use keelson_provider_api::values::Digest;
use keelson_provider_api::{CertificatePaths, FoundOnMachine};

use super::*;
use crate::mark::tests::mark;

/// The authorities are lost.
struct KnowsNothing;

#[async_trait]
impl BundleSource for KnowsNothing {
    fn paths(&self, _: &str) -> CertificatePaths {
        CertificatePaths::default()
    }

    async fn lacking(&self, _: &str, _: &FoundOnMachine) -> Vec<String> {
        Vec::new()
    }

    async fn bundle(
        &self,
        _: &ClusterIdentity,
        _: &NodeBundle,
        _: &FoundOnMachine,
    ) -> Result<Bundle, ProviderError> {
        Err(ProviderError::new(ErrorClass::Permanent, "the authority is lost"))
    }

    async fn judge(&self, _: &BundleRecord, _: &FoundOnMachine) -> Result<NodeBundle, ProviderError> {
        Err(ProviderError::new(ErrorClass::Permanent, "the authority is lost"))
    }
}

#[test]
fn certificates_are_judged_only_where_the_bundle_is_wanted() {
    let bundle = NodeBundle {
        machine: "a".to_owned(),
        kubernetes_version: None,
        etcd_version: None,
        settings: Digest::of_bytes(b"settings"),
        certificates: Some(Digest::of_bytes(b"certificates")),
        authorities: None,
        altered_files: BTreeSet::new(),
        stopped_units: BTreeSet::new(),
    };
    let mark = mark("life");
    let cluster = ClusterIdentity {
        name: mark.cluster.clone(),
        uid: Some(mark.uid.clone()),
    };
    let facts = Facts {
        mark: Some(Ok(mark)),
        bundle: Some(Ok(BundleRecord {
            bundle: bundle.clone(),
            certificates: Vec::new(),
            keys: Vec::new(),
        })),
        ..Facts::default()
    };
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let look = |judge| runtime.block_on(seen("a", judge, &cluster, Ok(facts.clone())));
    let Observed::Present(existing) = look(None) else {
        panic!("a bundle that nobody wants needs no authority");
    };
    assert_eq!(existing.resource, Resource::from(bundle));
    let wanted = look(Some(&KnowsNothing as &dyn BundleSource));
    assert!(
        matches!(&wanted, Observed::Unknown(why) if why.contains("is lost")),
        "{wanted:?}"
    );
}
