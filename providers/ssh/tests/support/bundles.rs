//! A source of small real bundles: keelson's own apply script, a unit that sleeps, a file, a secret.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use keelson_provider_api::kinds::NodeBundle;
use keelson_provider_api::values::{Digest, Secret};
use keelson_provider_api::{
    Asset, Bundle, BundleRecord, BundleSource, CertificatePaths, ClusterIdentity, ErrorClass, FoundOnMachine,
    ProviderError,
};

const APPLY: &str = include_str!("../../../../templates/node/apply.sh");
pub(crate) const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
const CERTIFICATE_FILE: &str = "/etc/keelson-test/server.crt";
const KEY_FILE: &str = "/etc/keelson-test/server.key";

/// What a bundle is made of, besides what each has.
#[derive(Clone, Default)]
pub(crate) struct Recipe {
    pub(crate) content: String,
    /// Lines of `actions`, tabs written as blanks, before the others.
    pub(crate) actions: Vec<String>,
    pub(crate) assets: Vec<Asset>,
}

/// Bundles by the settings that they are wanted by.
#[derive(Default)]
pub(crate) struct Bundles {
    /// True where nobody here can issue the certificate.
    pub(crate) are_keyless: AtomicBool,
    recipes: Mutex<BTreeMap<Digest, Recipe>>,
}

pub(crate) fn wanted(content: &str) -> NodeBundle {
    NodeBundle {
        authorities: None,
        altered_files: BTreeSet::new(),
        stopped_units: BTreeSet::new(),
        machine: "a".to_owned(),
        kubernetes_version: None,
        etcd_version: None,
        settings: Digest::of_bytes(content.as_bytes()),
        certificates: Some(Digest::of_bytes(b"certificates")),
    }
}

impl Bundles {
    /// The bundle that `recipe` gives from now on.
    pub(crate) fn offer(&self, recipe: Recipe) -> NodeBundle {
        let wanted = wanted(&recipe.content);
        self.recipes.lock().unwrap().insert(wanted.settings, recipe);
        wanted
    }

    pub(crate) fn plain(&self, content: &str) -> NodeBundle {
        self.offer(Recipe {
            content: content.to_owned(),
            ..Recipe::default()
        })
    }
}

/// True when the certificate is the wanted one and has its key.
fn is_whole(found: &FoundOnMachine) -> bool {
    let certificate = found.certificates.get(CERTIFICATE_FILE);
    certificate.map(String::as_str) == Some(CERTIFICATE) && found.missing_keys.is_empty()
}

#[async_trait]
impl BundleSource for Bundles {
    fn paths(&self, _machine: &str) -> CertificatePaths {
        CertificatePaths {
            certificates: vec![CERTIFICATE_FILE.to_owned()],
            keys: vec![KEY_FILE.to_owned()],
        }
    }

    async fn lacking(&self, _machine: &str, found: &FoundOnMachine) -> Vec<String> {
        let lacks = self.are_keyless.load(Ordering::Relaxed) && !is_whole(found);
        lacks.then(|| CERTIFICATE_FILE.to_owned()).into_iter().collect()
    }

    async fn bundle(
        &self,
        _cluster: &ClusterIdentity,
        wanted: &NodeBundle,
        found: &FoundOnMachine,
    ) -> Result<Bundle, ProviderError> {
        let recipe = self.recipes.lock().unwrap().get(&wanted.settings).cloned();
        let recipe = recipe.ok_or_else(|| ProviderError::new(ErrorClass::Permanent, "nobody wants it"))?;
        let mut actions = recipe.actions;
        actions.extend(
            [
                "directory /etc/keelson-test 755 root root",
                // What is made above it goes with it.
                "directory /srv/keelson-test/deep/folder 700 root root",
                "file /etc/keelson-test/config 644 root root config keelson-test.service",
                "secret /etc/keelson-test/server.crt 644 root root server.crt",
                "secret /etc/keelson-test/server.key 600 root root server.key",
                "unit keelson-test.service 644 keelson-test.service",
            ]
            .map(str::to_owned),
        );
        let actions: Vec<String> = actions
            .iter()
            .map(|line| line.replace(' ', "\t") + "\n")
            .collect();
        let record = BundleRecord {
            bundle: wanted.clone(),
            certificates: vec![CERTIFICATE_FILE.to_owned()],
            keys: vec![KEY_FILE.to_owned()],
        };
        let unit = "[Service]\nExecStart=/bin/sleep infinity\n\n[Install]\nWantedBy=multi-user.target\n";
        let files = BTreeMap::from([
            ("apply".to_owned(), APPLY.as_bytes().to_vec()),
            ("actions".to_owned(), actions.concat().into_bytes()),
            ("config".to_owned(), recipe.content.into_bytes()),
            ("keelson-test.service".to_owned(), unit.as_bytes().to_vec()),
            ("record.json".to_owned(), serde_json::to_vec(&record).unwrap()),
        ]);
        let mut secrets = BTreeMap::new();
        if !is_whole(found) {
            secrets.insert(
                "server.crt".to_owned(),
                Secret::new(CERTIFICATE.as_bytes().to_vec()),
            );
            secrets.insert(
                "server.key".to_owned(),
                Secret::new(b"key-of-the-server".to_vec()),
            );
        }
        let all: Vec<_> = files.iter().collect();
        Ok(Bundle {
            digest: Digest::of_json(&(
                all,
                recipe.assets.iter().map(|asset| asset.sha256).collect::<Vec<_>>(),
            )),
            files,
            assets: recipe.assets,
            secrets,
        })
    }

    async fn judge(
        &self,
        record: &BundleRecord,
        found: &FoundOnMachine,
    ) -> Result<NodeBundle, ProviderError> {
        let mut bundle = record.bundle.clone();
        if !is_whole(found) {
            bundle.certificates = Some(Digest::of_bytes(b"missing"));
        }
        Ok(bundle)
    }
}
