//! Whether a cluster has the keys with which what is in a snapshot was encrypted and signed.

use std::collections::BTreeMap;

use keelson_provider_api::etcd::MAIN;
use keelson_provider_api::values::Digest;

use super::unpacked::UnpackedSnapshot;
use crate::ops::error::OperationError;
use crate::ops::session::Session;
use crate::pki::{ENCRYPTION, SERVICE_ACCOUNT};

/// The authority of Kubernetes itself, as the cluster's record calls it.
const KUBERNETES: &str = "kubernetes";

/// What comes of another key of that name, in words. The other authorities sign nothing that is in etcd.
fn consequence(name: &str) -> Option<&'static str> {
    match name {
        ENCRYPTION => Some(
            "its Secrets were encrypted with another key than the cluster's, if they were: API servers can then neither read nor \
             list Secrets until those are deleted in etcd",
        ),
        SERVICE_ACCOUNT => Some(
            "tokens of service accounts were signed with another key than the cluster's: those that are in it or that pods have are \
             void",
        ),
        KUBERNETES => Some(
            "another authority than the cluster's vouched for its nodes and users: the certificates in it are void",
        ),
        _ => None,
    }
}

/// What is said where a snapshot does not tell with which key its Secrets were encrypted.
const UNKNOWN: &str = "nobody has written down with which key its Secrets were encrypted: if that is not the cluster's, API servers \
                       can neither read nor list Secrets until those are deleted in etcd";

impl Session {
    /// What of `snapshot` is of no use in this cluster, in words, because it was encrypted or signed with keys that the cluster
    /// does not have; and where it is not known whose it is, that this may be so. Nothing for an etcd that serves no Kubernetes.
    ///
    /// # Errors
    /// When the state store cannot be read.
    pub async fn other_keys(&self, snapshot: &UnpackedSnapshot) -> Result<Vec<&'static str>, OperationError> {
        let Some(record) = self.living().await?.filter(|_| self.serves_kubernetes(snapshot)) else {
            return Ok(Vec::new());
        };
        let is_own = matches!(&snapshot.of_cluster, Some((_, uid)) if *uid == record.uid);
        let (others, unknown) = compare(&snapshot.authorities, &record.keys);
        let mut words: Vec<&'static str> = others.into_iter().filter_map(consequence).collect();
        // Snapshots that machines had taken before they knew, and those of a simulated cluster, name none.
        words.extend((!is_own && unknown.contains(&ENCRYPTION)).then_some(UNKNOWN));
        Ok(words)
    }

    /// Refuses a snapshot that says it is this cluster's, and whose Secrets the cluster cannot read.
    ///
    /// # Errors
    /// [`OperationError::OtherEncryptionKey`].
    pub(super) async fn check_encryption_key(
        &self,
        snapshot: &UnpackedSnapshot,
        allows_other_cluster: bool,
    ) -> Result<(), OperationError> {
        if allows_other_cluster || !self.serves_kubernetes(snapshot) {
            return Ok(());
        }
        let keys = self.living().await?.map(|record| record.keys).unwrap_or_default();
        let (others, _) = compare(&snapshot.authorities, &keys);
        if others.contains(&ENCRYPTION) {
            return Err(OperationError::OtherEncryptionKey {
                source_words: snapshot.source.clone(),
            });
        }
        Ok(())
    }

    /// What is encrypted and signed is in the etcd of everything but events.
    fn serves_kubernetes(&self, snapshot: &UnpackedSnapshot) -> bool {
        !self.spec().is_etcd_alone() && snapshot.etcd_cluster == MAIN.cluster
    }
}

/// The names of the cluster's keys that were others when a snapshot was taken, and of those that nothing is written down of.
fn compare<'a>(
    written: &BTreeMap<String, String>,
    keys: &'a BTreeMap<String, Digest>,
) -> (Vec<&'a str>, Vec<&'a str>) {
    let (mut others, mut unknown) = (Vec::new(), Vec::new());
    for (name, digest) in keys {
        match written.get(name) {
            Some(written) if *written == digest.to_string() => {}
            Some(_) => others.push(name.as_str()),
            None => unknown.push(name.as_str()),
        }
    }
    (others, unknown)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pki::AuthorityName;

    #[test]
    fn each_key_is_the_same_another_one_or_unknown() {
        let digest = |text: &str| Digest::of_bytes(text.as_bytes());
        assert_eq!(AuthorityName::Kubernetes.to_string(), KUBERNETES);
        let keys = [ENCRYPTION, "etcd", "front-proxy", "kubernetes", SERVICE_ACCOUNT]
            .map(|name| (name.to_owned(), digest(name)));
        let keys = BTreeMap::from(keys);
        let same: BTreeMap<String, String> = keys
            .iter()
            .map(|(name, digest)| (name.clone(), digest.to_string()))
            .collect();
        assert_eq!(compare(&same, &keys), (vec![], vec![]));
        let all: Vec<&str> = keys.keys().map(String::as_str).collect();
        assert_eq!(compare(&BTreeMap::new(), &keys), (vec![], all.clone()));
        let mut said = 0;
        for name in all {
            let mut other = same.clone();
            other.insert(name.to_owned(), digest("other").to_string());
            assert_eq!(compare(&other, &keys), (vec![name], vec![]));
            other.remove(name);
            assert_eq!(compare(&other, &keys), (vec![], vec![name]));
            said += usize::from(consequence(name).is_some());
        }
        assert_eq!(said, 3, "of the others nothing in etcd depends");
        assert_eq!(compare(&same, &BTreeMap::new()), (vec![], vec![]));
    }
}
