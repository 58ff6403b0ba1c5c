//! Where machines come from.

use std::net::{IpAddr, Ipv4Addr};

use keelson_provider_api::values::Name;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::aws::{AwsDns, AwsNat, AwsProvider, AwsTopology};
use crate::spec::text::formats::{Address, HostAddress, HostName, Identifier, IpAddress, UserName};

/// Where the machines come from: exactly one of the fields.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Provider {
    /// Amazon Web Services: EC2 instances, a network load balancer, Route 53.
    Aws(Box<AwsProvider>),
    /// DigitalOcean: droplets, a load balancer, its domain service.
    Digitalocean(DigitaloceanProvider),
    /// Machines that exist already and answer to SSH, or this machine itself.
    Ssh(SshProvider),
    /// Machines in memory, to try keelson and to rehearse changes: nothing real is touched.
    Simulated(SimulatedProvider),
}

/// What kind of infrastructure a provider gives: what `provider.simulated.like` chooses from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Family {
    /// Amazon Web Services.
    Aws,
    /// DigitalOcean.
    Digitalocean,
    /// Bare machines that are reached by SSH.
    Ssh,
}

impl Family {
    /// What `like` calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Aws => "aws",
            Self::Digitalocean => "digitalocean",
            Self::Ssh => "ssh",
        }
    }
}

impl Provider {
    /// The kind of infrastructure; for a simulation, the one that it is like.
    pub fn family(&self) -> Family {
        match self {
            Self::Aws(_) => Family::Aws,
            Self::Digitalocean(_) => Family::Digitalocean,
            Self::Ssh(_) => Family::Ssh,
            Self::Simulated(simulated) => simulated.like,
        }
    }

    /// The field that names the provider in a spec, for example `digitalocean`.
    pub fn field(&self) -> &'static str {
        match self {
            Self::Aws(_) => "aws",
            Self::Digitalocean(_) => "digitalocean",
            Self::Ssh(_) => "ssh",
            Self::Simulated(_) => "simulated",
        }
    }

    /// The bare hosts, in the spec's order; none for clouds.
    pub fn hosts(&self) -> &[Host] {
        match self {
            Self::Ssh(ssh) => &ssh.hosts,
            Self::Simulated(simulated) if simulated.like == Family::Ssh => &simulated.hosts,
            _ => &[],
        }
    }

    /// The hosts of [`Self::hosts`], to fill in what only the machine that keelson runs on knows.
    pub(in crate::spec) fn hosts_mut(&mut self) -> &mut [Host] {
        match self {
            Self::Ssh(ssh) => &mut ssh.hosts,
            Self::Simulated(simulated) if simulated.like == Family::Ssh => &mut simulated.hosts,
            _ => &mut [],
        }
    }

    /// The availability zones, in the spec's order; none where there is no such thing.
    pub fn zones(&self) -> &[String] {
        match self {
            Self::Aws(aws) => &aws.zones,
            Self::Simulated(simulated) if simulated.like == Family::Aws => &simulated.zones,
            _ => &[],
        }
    }

    /// Whether machines have public addresses; nothing where the provider has no such choice.
    pub fn topology(&self) -> Option<AwsTopology> {
        match self {
            Self::Aws(aws) => Some(aws.topology),
            Self::Simulated(simulated) if simulated.like == Family::Aws => Some(simulated.topology),
            _ => None,
        }
    }

    /// How private machines reach what is outside their network, once the spec is completed; nothing where they have public
    /// addresses or the provider has no such choice.
    pub fn nat(&self) -> Option<AwsNat> {
        match self {
            Self::Aws(aws) => aws.network.nat,
            Self::Simulated(simulated) if simulated.like == Family::Aws => simulated.nat,
            _ => None,
        }
    }

    /// The DNS zone or domain in which the API's record is made, when there is to be one.
    pub fn domain(&self) -> Option<&str> {
        match self {
            Self::Aws(aws) if aws.dns == Some(AwsDns::None) => None,
            Self::Aws(aws) => aws.hosted_zone.as_deref(),
            Self::Digitalocean(digitalocean) => digitalocean.domain.as_deref(),
            Self::Simulated(simulated) => simulated.domain.as_deref(),
            Self::Ssh(_) => None,
        }
    }
}

/// DigitalOcean.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DigitaloceanProvider {
    /// The region.
    #[schemars(with = "Identifier", example = &"fra1")]
    pub region: String,
    /// The domain for the API's record. Without it, the load balancer's address is used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<HostName>")]
    pub domain: Option<String>,
}

/// Machines that exist already and answer to SSH.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SshProvider {
    /// The user to log in as: root, or one who may use sudo, without a password or with the one that the environment variable
    /// `KEELSON_SUDO_PASSWORD` holds.
    #[serde(default = "default_user")]
    #[schemars(with = "UserName")]
    pub user: String,
    /// The port of the SSH servers.
    #[serde(default = "default_port")]
    #[schemars(range(min = 1))]
    pub port: u16,
    /// The machines.
    #[schemars(length(min = 1))]
    pub hosts: Vec<Host>,
    /// The address or name under which the Kubernetes API is reached: with several control planes, a free IP address
    /// of their network that keelson moves between healthy ones, or a name or address that you balance yourself (an
    /// IP address with `keepalived: false`). With one control plane, its own address is the default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Address>")]
    pub api_address: Option<String>,
    /// Whether keepalived on the control planes holds `apiAddress` and moves it between healthy ones. Without the
    /// field, it does where `apiAddress` is an IP address and none of a host's own. With `false`, something of yours
    /// holds the address and balances it, such as a load balancer before the control planes' port 6443.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keepalived: Option<bool>,
}

fn default_user() -> String {
    "root".to_owned()
}

fn default_port() -> u16 {
    22
}

/// One machine that exists already.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Host {
    /// The machine's name, which becomes its node's name.
    pub name: Name,
    /// The IP address or DNS name to reach it by, or `local` for the machine that runs keelson.
    #[schemars(with = "HostAddress")]
    pub address: String,
    /// The IP address under which the other machines reach it, where that is another than `address`, or `address` is a
    /// DNS name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<IpAddress>")]
    pub private_address: Option<IpAddr>,
    /// What the machine does, at least one of control-plane, worker and etcd. One that is both control-plane and
    /// worker takes workloads.
    #[schemars(length(min = 1))]
    pub roles: Vec<HostRole>,
    /// The node group that a worker belongs to. Without it, the first group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<Name>,
}

impl Host {
    /// The IP address under which the other machines reach it, if the spec tells: `privateAddress`, or `address` where
    /// that is one. A machine that is `local` is alone and reaches itself.
    pub fn internal_address(&self) -> Option<IpAddr> {
        if self.private_address.is_none() && self.is_local() {
            return Some(IpAddr::V4(Ipv4Addr::LOCALHOST));
        }
        self.private_address.or_else(|| self.address.parse().ok())
    }

    /// True for the machine that keelson runs on.
    pub fn is_local(&self) -> bool {
        self.address == LOCAL_ADDRESS
    }

    /// True when the host has `role`.
    pub fn is(&self, role: HostRole) -> bool {
        self.roles.contains(&role)
    }
}

/// The address that stands for the machine that keelson runs on.
pub const LOCAL_ADDRESS: &str = "local";

/// What a host does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum HostRole {
    /// Runs the Kubernetes API, and etcd unless it is placed elsewhere.
    ControlPlane,
    /// Runs workloads.
    Worker,
    /// Runs etcd alone, for `etcd.placement: dedicated`.
    Etcd,
}

/// Machines in memory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct SimulatedProvider {
    /// Which provider the simulation is like.
    pub like: Family,
    /// The number from which latencies and faults are drawn: the same one gives the same run.
    pub seed: u64,
    /// How many of a hundred calls go wrong. Where any do, up to two machines are lost as well, to be made anew.
    #[schemars(range(max = 90))]
    pub faults: u8,
    /// Virtual seconds that pass in a real one; 0 for as fast as possible.
    pub speed: u32,
    /// With `like: aws`, the availability zones.
    #[schemars(with = "Vec<Identifier>")]
    pub zones: Vec<String>,
    /// With `like: aws`, whether machines have public addresses.
    pub topology: AwsTopology,
    /// With `like: aws` and private machines, how they reach what is outside their network. Without it, zone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nat: Option<AwsNat>,
    /// With `like: aws` or `like: digitalocean`, the domain for the API's record.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<HostName>")]
    pub domain: Option<String>,
    /// With `like: ssh`, the machines.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hosts: Vec<Host>,
    /// With `like: ssh`, the address or name under which the Kubernetes API is reached.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Address>")]
    pub api_address: Option<String>,
    /// With `like: ssh`, whether `apiAddress` moves between control planes. Without the field, it does where it is an
    /// IP address and none of a host's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keepalived: Option<bool>,
}

impl Default for SimulatedProvider {
    fn default() -> Self {
        Self {
            like: Family::Aws,
            seed: 0,
            faults: 0,
            speed: 0,
            zones: ["zone-a", "zone-b", "zone-c"].map(str::to_owned).to_vec(),
            topology: AwsTopology::default(),
            nat: None,
            domain: None,
            hosts: Vec::new(),
            api_address: None,
            keepalived: None,
        }
    }
}
