//! Machines of one class run the same but for their name and address: what they share is rendered once, however many
//! they are.

use std::collections::BTreeMap;
use std::net::IpAddr;

use keelson_provider_api::Asset;
use keelson_provider_api::values::Digest;
use serde::Serialize;
use serde_json::json;

use super::action::{Access, Action, Architecture};
use super::contents::{Contents, Finished, RenderError};
use super::etcd::{self, EtcdSettings};
use super::kubernetes::{self, KubernetesSettings, VirtualAddressSettings};
use super::templates;

/// keelson's folder for configuration on a machine.
pub(super) const CONFIGURATION_FOLDER: &str = "/etc/keelson";
/// The file with what is a machine's own.
const HOST_FILE: &str = "/etc/keelson/host.env";

/// A certificate or key and where it goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlacedSecret {
    /// The file.
    pub path: String,
    /// Who may do what with it.
    pub access: Access,
}

impl PlacedSecret {
    /// Its name on the way to the machine.
    pub fn name(&self) -> String {
        self.path.trim_start_matches('/').replace('/', "_")
    }
}

/// What the machines of a class run.
#[derive(Debug, Clone, Default)]
pub struct NodeClass {
    /// The proxy that downloads go through.
    pub proxy: Option<String>,
    /// The hosts that are downloaded from without it.
    pub no_proxy: Vec<String>,
    /// etcd, where they run it.
    pub etcd: Option<EtcdSettings>,
    /// Kubernetes, where they are a part of its cluster.
    pub kubernetes: Option<KubernetesSettings>,
    /// Certificates and keys.
    pub secrets: Vec<PlacedSecret>,
}

/// What is a single machine's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostIdentity {
    /// Its name.
    pub name: String,
    /// The address that other machines reach it at.
    pub address: IpAddr,
}

/// A file that is different on each machine.
#[derive(Debug, Clone, Serialize)]
pub(super) enum OwnFile {
    /// What is the machine's own, for its units.
    HostEnvironment,
    /// How keepalived holds the API's address.
    Keepalived(VirtualAddressSettings),
}

/// The files of a class, rendered.
#[derive(Debug, Clone)]
pub struct NodeFiles {
    contents: Finished,
    digest: Digest,
}

impl NodeClass {
    /// Renders what the machines of the class share.
    ///
    /// # Errors
    /// When a value cannot stand where a template puts it.
    pub fn render(&self) -> Result<NodeFiles, RenderError> {
        let mut contents = Contents::default();
        if let Some(proxy) = &self.proxy {
            contents.act(Action::Proxy {
                url: proxy.clone(),
                except: self.no_proxy.clone(),
            });
        }
        contents.directory(CONFIGURATION_FOLDER, Access::of_root(0o755));
        contents.own(HOST_FILE, Access::PUBLIC, OwnFile::HostEnvironment, &self.units());
        // Users and folders come before what lies in them.
        if let Some(etcd) = &self.etcd {
            etcd::add(etcd, &mut contents)?;
        }
        if let Some(kubernetes) = &self.kubernetes {
            kubernetes::add(kubernetes, &mut contents)?;
        }
        let mut folders: Vec<&str> = self.secrets.iter().filter_map(folder).collect();
        folders.sort_unstable();
        folders.dedup();
        for folder in folders {
            contents.directory(folder, Access::of_root(0o755));
        }
        for secret in &self.secrets {
            contents.act(Action::Secret {
                path: secret.path.clone(),
                access: secret.access,
                name: secret.name(),
                units: self.readers(secret),
            });
        }
        if let Some(kubernetes) = &self.kubernetes {
            kubernetes::add_manifests(kubernetes, &self.secrets, &mut contents)?;
        }
        let contents = contents.finish()?;
        let digest = contents.digest();
        Ok(NodeFiles { contents, digest })
    }

    /// The units that read what is a machine's own.
    fn units(&self) -> Vec<&'static str> {
        let etcd = self.etcd.iter().flat_map(|etcd| &etcd.instances);
        let kubernetes = self.kubernetes.iter().flat_map(kubernetes::units);
        etcd.map(|instance| instance.unit).chain(kubernetes).collect()
    }

    /// The units that read `secret` only when they start: whom they trust. Certificates and keys they read anew by
    /// themselves. What static pods trust they read when they start, too; one that trusts the wrong authority does not stay up.
    fn readers(&self, secret: &PlacedSecret) -> Vec<&'static str> {
        let etcd = self
            .etcd
            .iter()
            .filter(|etcd| etcd.certificates.authority == secret.path);
        let etcd = etcd
            .flat_map(|etcd| &etcd.instances)
            .map(|instance| instance.unit);
        let kubernetes = self.kubernetes.iter();
        etcd.chain(kubernetes.filter_map(|_| kubernetes::reader(&secret.path)))
            .collect()
    }
}

fn folder(secret: &PlacedSecret) -> Option<&str> {
    secret.path.rsplit_once('/').map(|(folder, _)| folder)
}

impl NodeFiles {
    /// The digest of everything that `host` runs; without one, of what all machines of the class run.
    pub fn digest(&self, host: Option<&HostIdentity>) -> Digest {
        let own = host.map(|host| (&host.name, host.address));
        Digest::of_json(&(self.digest, own))
    }

    /// The files that all machines of the class share, by their path in the bundle.
    pub fn shared(&self) -> &BTreeMap<String, Vec<u8>> {
        &self.contents.files
    }

    /// Every file of the bundle of `host`, by its path in the bundle.
    ///
    /// # Errors
    /// When the host's name cannot stand in a file.
    pub fn of_host(&self, host: &HostIdentity) -> Result<BTreeMap<String, Vec<u8>>, RenderError> {
        let mut files = self.contents.files.clone();
        for (source, own) in &self.contents.own {
            files.insert(source.clone(), own.render(host)?.into_bytes());
        }
        Ok(files)
    }

    /// What machines of `architecture` download, or are brought.
    pub fn assets(&self, architecture: Architecture) -> Vec<Asset> {
        let of_it = self.contents.assets.iter().filter(|(of, _)| *of == architecture);
        of_it.map(|(_, asset)| asset.clone()).collect()
    }
}

impl OwnFile {
    fn render(&self, host: &HostIdentity) -> Result<String, RenderError> {
        match self {
            Self::HostEnvironment => host_environment(host),
            Self::Keepalived(settings) => kubernetes::keepalived(settings, host),
        }
    }
}

fn host_environment(host: &HostIdentity) -> Result<String, RenderError> {
    let url_address = match host.address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("[{address}]"),
    };
    let values = json!({ "name": host.name, "address": host.address, "url_address": url_address });
    Ok(templates::render(templates::HOST_ENVIRONMENT, &values)?)
}
