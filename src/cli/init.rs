//! `keelson init`

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, ValueEnum};
use keelson_provider_api::values::{ClusterName, Name, Version};
use serde_json::{Value, json};

use super::failure::{Failure, REPORT};
use super::terminal::Terminal;
use super::{CommandResult, EXIT_DONE, files};
use crate::spec::{self, SpecErrors, versions};
use crate::view::spec_file;

/// Write a commented spec to begin with; nothing else is touched
#[derive(Debug, Args)]
pub(super) struct Init {
    /// The cluster's name
    #[arg(value_name = "NAME")]
    name: ClusterName,
    /// Where machines come from
    #[arg(long, default_value = "simulated")]
    provider: ProviderName,
    /// What a simulated cluster is like: aws, digitalocean or ssh
    #[arg(long, value_name = "PROVIDER", default_value = "aws", value_parser = ["aws", "digitalocean", "ssh"])]
    like: String,
    /// The cloud's region
    #[arg(long, value_parser = NonEmptyStringValueParser::new())]
    region: Option<String>,
    /// The cloud's zones, separated by commas
    #[arg(long, value_parser = NonEmptyStringValueParser::new(), value_delimiter = ',')]
    zones: Vec<String>,
    /// The DNS zone that the API gets a name in
    #[arg(long, value_parser = NonEmptyStringValueParser::new())]
    domain: Option<String>,
    /// A machine that stands there already, as NAME=ADDRESS:ROLE[+ROLE], roles control-plane, worker, etcd; repeat for each
    #[arg(long = "host", value_name = "HOST", value_parser = parse_host)]
    hosts: Vec<Host>,
    /// The address of the API, where several control planes stand on bare machines
    #[arg(long, value_parser = NonEmptyStringValueParser::new())]
    api_address: Option<String>,
    /// How many control planes: 1, 3, 5 or 7 [default: 1]
    #[arg(long, value_name = "COUNT")]
    control_plane_count: Option<u32>,
    /// How many workers [default: 2]
    #[arg(long, value_name = "COUNT")]
    nodes: Option<u32>,
    /// The machine type of control planes and workers
    #[arg(long, value_parser = NonEmptyStringValueParser::new())]
    machine_type: Option<String>,
    /// The Kubernetes version; the newest that keelson knows where none is named
    #[arg(long, value_name = "VERSION")]
    kubernetes_version: Option<Version>,
    /// Where keelson keeps the cluster's state
    #[arg(long, value_parser = NonEmptyStringValueParser::new(), value_name = "PLACE", default_value = ".keelson")]
    state_store: String,
    /// The file to write; `-` for stdout
    #[arg(short, long, value_name = "FILE", default_value = "cluster.yaml")]
    out: PathBuf,
    /// Overwrite the file
    #[arg(long)]
    force: bool,
}

/// Where in the spec the flags end up: parts of fields' paths, the first that fits.
const FIELDS: &[(&str, &str)] = &[
    ("metadata.name", "NAME"),
    ("kubernetesVersion", "--kubernetes-version"),
    ("stateStore", "--state-store"),
    (".machine", "--machine-type"),
    ("controlPlane.replicas", "--control-plane-count"),
    ("nodeGroups", "--nodes"),
    (".hosts", "--host"),
    (".region", "--region"),
    (".zones", "--zones"),
    (".hostedZone", "--domain"),
    (".domain", "--domain"),
    (".apiAddress", "--api-address"),
];

/// How many control planes a cluster has where nobody says.
const CONTROL_PLANES: u32 = 1;
/// How many workers a cluster has where nobody says.
const NODES: u32 = 2;

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ProviderName {
    Simulated,
    Aws,
    Digitalocean,
    Ssh,
}

/// A host on the command line.
#[derive(Debug, Clone)]
struct Host {
    /// As it was written.
    text: String,
    name: Name,
    address: String,
    roles: Vec<String>,
}

fn parse_host(text: &str) -> Result<Host, String> {
    let expected = "expected NAME=ADDRESS:ROLE[+ROLE], for example a=10.0.0.11:control-plane+worker";
    let (name, rest) = text.split_once('=').ok_or(expected)?;
    let (address, roles) = rest.rsplit_once(':').ok_or(expected)?;
    let name = name
        .parse::<Name>()
        .map_err(|problem| format!("{problem}; {expected}"))?;
    Ok(Host {
        text: text.to_owned(),
        name,
        address: address.trim_matches(['[', ']']).to_owned(),
        roles: roles.split('+').map(str::to_owned).collect(),
    })
}

impl Init {
    pub(super) fn run(&self, terminal: &Terminal) -> CommandResult {
        let text = spec_file::render(&self.values()?).map_err(|problem| {
            Failure::failed(format!("cannot write the spec: {problem}")).with_help(REPORT)
        })?;
        // What is written must be valid, so that the first thing a user sees is not an error.
        let spec = spec::load(text.as_bytes(), "the spec that these flags make")
            .map_err(|errors| self.wrong_flags(&errors))?;
        if self.out == Path::new("-") {
            terminal.data(&text)?;
            return Ok(EXIT_DONE);
        }
        files::put(
            &self.out,
            text.as_bytes(),
            files::Permissions::Private,
            self.force,
        )?;
        let file = self.out.display();
        terminal.note(&format!(
            "{file}: the spec of cluster {}, for you to edit",
            spec.name()
        ));
        terminal.note(&format!("Next: keelson plan -f {file}"));
        Ok(EXIT_DONE)
    }

    /// What is wrong with the spec that the flags make, said of the flags: nobody has seen that spec.
    fn wrong_flags(&self, errors: &SpecErrors) -> Failure {
        let mut details = String::new();
        // One flag may be several fields, and wrong in each of them in the same way.
        let mut said = BTreeSet::new();
        for error in &errors.errors {
            let expected = error.expected.as_ref();
            let expected = expected.map(|expected| format!("; expected {expected}"));
            let mut words = format!(
                "  {}: {}{}\n",
                self.flag(&error.path),
                error.problem,
                expected.unwrap_or_default()
            );
            if let Some(help) = &error.help {
                let _ = writeln!(words, "      {help}");
            }
            if said.insert(words.clone()) {
                details.push_str(&words);
            }
        }
        Failure::usage("these flags do not make a cluster")
            .with_details(details)
            .with_help("nothing was written; `keelson init --help` lists the flags")
    }

    /// The flag that a field of the spec comes from; the field where there is none.
    fn flag(&self, path: &str) -> String {
        let host = path
            .split_once(".hosts[")
            .and_then(|(_, rest)| rest.split_once(']')?.0.parse::<usize>().ok())
            .and_then(|index| self.hosts.get(index));
        if let Some(host) = host {
            return format!("--host {}", host.text);
        }
        let row = FIELDS.iter().find(|(field, _)| path.contains(field));
        row.map_or_else(|| path.to_owned(), |(_, flag)| (*flag).to_owned())
    }

    fn values(&self) -> Result<Value, Failure> {
        let bare = self.provider == ProviderName::Ssh
            || (self.provider == ProviderName::Simulated && self.like == "ssh");
        if bare && self.hosts.is_empty() {
            return Err(Failure::usage("bare machines need --host for each of them")
                .with_help(
                    "for example --host a=10.0.0.11:control-plane --host b=10.0.0.12:worker, or of etcd alone \
                     --host a=10.0.0.11:etcd",
                ));
        }
        if !bare && !self.hosts.is_empty() {
            return Err(Failure::usage(
                "--host goes with --provider ssh, or with --like ssh",
            ));
        }
        let needs_region = matches!(self.provider, ProviderName::Aws | ProviderName::Digitalocean);
        if needs_region && self.region.is_none() {
            return Err(Failure::usage("a cloud needs --region").with_help("for example --region eu-west-1"));
        }
        let hosts: Vec<Value> = self
            .hosts
            .iter()
            .map(|host| json!({ "name": host.name, "address": host.address, "roles": host.roles }))
            .collect();
        let has_role = |role: &str| {
            self.hosts
                .iter()
                .any(|host| host.roles.iter().any(|has| has == role))
        };
        let is_etcd_alone = bare && self.hosts.iter().all(|host| host.roles == ["etcd"]);
        self.refuse_idle_flags(bare, is_etcd_alone)?;
        let nodes = self.nodes.unwrap_or(NODES);
        let has_workers = if bare {
            has_role("worker") || is_etcd_alone
        } else {
            nodes > 0
        };
        Ok(json!({
            "hasWorkers": has_workers,
            "hasEtcdHosts": bare && has_role("etcd"),
            "isEtcdAlone": is_etcd_alone,
            "name": self.name,
            "kubernetesVersion": self.kubernetes_version.unwrap_or_else(versions::newest_kubernetes),
            "stateStore": self.state_store,
            "provider": self.provider(),
            "bare": bare,
            "hosts": hosts,
            "controlPlaneCount": self.control_plane_count.unwrap_or(CONTROL_PLANES),
            "nodes": nodes,
            "machineType": self.machine_type,
        }))
    }

    /// Refuses flags that the spec would have no place for.
    fn refuse_idle_flags(&self, bare: bool, is_etcd_alone: bool) -> Result<(), Failure> {
        let given = |flags: &[(&'static str, bool)]| -> Vec<&'static str> {
            let given = flags.iter().filter(|(_, is_given)| *is_given);
            given.map(|(flag, _)| *flag).collect()
        };
        let counts = given(&[
            ("--control-plane-count", self.control_plane_count.is_some()),
            ("--nodes", self.nodes.is_some()),
            ("--machine-type", self.machine_type.is_some()),
        ]);
        if bare && !counts.is_empty() {
            let message = format!(
                "machines that stand there already have no use for {}",
                counts.join(" and ")
            );
            return Err(Failure::usage(message).with_help("name each machine and its roles with --host"));
        }
        let of_kubernetes = given(&[
            ("--kubernetes-version", self.kubernetes_version.is_some()),
            ("--api-address", self.api_address.is_some()),
        ]);
        if is_etcd_alone && !of_kubernetes.is_empty() {
            let message = format!("etcd alone has no use for {}", of_kubernetes.join(" and "));
            return Err(Failure::usage(message).with_help(
                "leave it out, or name a host with the role control-plane for a Kubernetes cluster",
            ));
        }
        Ok(())
    }

    /// The provider's part of the spec, without hosts.
    fn provider(&self) -> Value {
        let zones = |region: &str| -> Vec<String> {
            if self.zones.is_empty() {
                vec![format!("{region}a")]
            } else {
                self.zones.clone()
            }
        };
        let region = self.region.as_deref().unwrap_or_default();
        let (name, mut fields) = match self.provider {
            ProviderName::Simulated => ("simulated", json!({ "like": self.like })),
            ProviderName::Aws => (
                "aws",
                json!({ "region": region, "zones": zones(region), "hostedZone": self.domain }),
            ),
            ProviderName::Digitalocean => {
                ("digitalocean", json!({ "region": region, "domain": self.domain }))
            }
            ProviderName::Ssh => ("ssh", json!({})),
        };
        if let Value::Object(fields) = &mut fields {
            if self.provider == ProviderName::Simulated {
                fields.insert("domain".to_owned(), json!(self.domain));
                if !self.zones.is_empty() {
                    fields.insert("zones".to_owned(), json!(self.zones));
                }
            }
            fields.insert("apiAddress".to_owned(), json!(self.api_address));
            fields.retain(|_, value| !value.is_null());
        }
        json!({ "name": name, "fields": fields })
    }
}
