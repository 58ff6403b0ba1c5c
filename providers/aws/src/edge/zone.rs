//! The zone that the names of a cluster are in.

use keelson_aws_calls::dns::{Dns, Zone, ZoneVpc};
use keelson_provider_api::{ErrorClass, ProviderError};

/// The zone that the names of a cluster are in. Its records are written, and it is never made, changed or deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EdgeZone {
    /// The public zone of this very name, also where there are private ones of it.
    Public(String),
    /// A private zone, also where there is a public one of its name.
    Private(PrivateZone),
}

/// A private zone: only VPCs that it is associated with see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrivateZone {
    /// Its name.
    pub name: String,
    /// The cluster's region.
    pub region: String,
    /// The VPC of the cluster, where it existed before: somebody else says what that sees. Without it the cluster has a VPC of
    /// its own, which nobody could associate with the zone before it was there: that is associated while it has names in it.
    pub existing_vpc: Option<String>,
}

/// A zone that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FoundZone {
    /// What Route 53 calls it.
    pub(super) id: String,
    /// Those of the cluster's VPCs that see it. For a public zone, that is nobody's matter.
    pub(super) seen_by: Vec<ZoneVpc>,
    /// Whether its names are known where they have to be.
    pub(super) is_seen: bool,
}

impl EdgeZone {
    /// Its name.
    pub fn name(&self) -> &str {
        match self {
            Self::Public(name) => name,
            Self::Private(zone) => &zone.name,
        }
    }

    /// The private zone that the cluster's own VPC is associated with while it has names in it, if this is one.
    pub(crate) fn joined(&self) -> Option<&PrivateZone> {
        match self {
            Self::Private(zone) if zone.existing_vpc.is_none() => Some(zone),
            _ => None,
        }
    }

    /// What kind of a zone it is, for people.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Public(_) => "public",
            Self::Private(_) => "private",
        }
    }

    /// What Route 53 has of it, for a cluster with these VPCs; nothing where it is not there.
    pub(super) async fn find(&self, dns: &Dns, vpcs: &[String]) -> Result<Option<FoundZone>, ProviderError> {
        match self {
            Self::Public(name) => public(dns, name).await,
            Self::Private(zone) => zone.find(dns, vpcs).await,
        }
    }
}

async fn public(dns: &Dns, name: &str) -> Result<Option<FoundZone>, ProviderError> {
    let zones = dns.public_zones(name).await;
    let zones = zones.map_err(|error| error.told("look for the DNS zone"))?;
    match zones.as_slice() {
        [] => Ok(None),
        [zone] => Ok(Some(FoundZone {
            id: zone.id.clone(),
            seen_by: Vec::new(),
            is_seen: true,
        })),
        several => Err(ambiguous(
            "public",
            name,
            several,
            "leave the one that the domain's registrar names, and delete the others",
        )),
    }
}

impl PrivateZone {
    /// A VPC of the cluster, as Route 53 names it.
    pub(super) fn vpc(&self, id: &str) -> ZoneVpc {
        ZoneVpc {
            id: id.to_owned(),
            region: self.region.clone(),
        }
    }

    /// The one that the cluster's VPC sees is meant, whichever others there are of its name; otherwise the only one.
    async fn find(&self, dns: &Dns, vpcs: &[String]) -> Result<Option<FoundZone>, ProviderError> {
        let zones = dns.private_zones(&self.name).await;
        let zones = zones.map_err(|error| error.told("look for the private DNS zone"))?;
        let ours: Vec<ZoneVpc> = vpcs.iter().map(|id| self.vpc(id)).collect();
        let found = zones.iter().map(|(zone, seen_by)| {
            let seen_by: Vec<ZoneVpc> = ours.iter().filter(|vpc| seen_by.contains(vpc)).cloned().collect();
            FoundZone {
                id: zone.id.clone(),
                is_seen: !seen_by.is_empty(),
                seen_by,
            }
        });
        let found: Vec<FoundZone> = found.collect();
        if let Some(seen) = found.iter().find(|zone| zone.is_seen) {
            return Ok(Some(seen.clone()));
        }
        match found.as_slice() {
            [] => Ok(None),
            [zone] => Ok(Some(zone.clone())),
            _ => {
                let zones: Vec<Zone> = zones.into_iter().map(|(zone, _)| zone).collect();
                Err(ambiguous(
                    "private",
                    &self.name,
                    &zones,
                    "leave one of that name, or have the cluster in an existing VPC that is associated with the one that is meant",
                ))
            }
        }
    }
}

fn ambiguous(kind: &str, name: &str, zones: &[Zone], help: &str) -> ProviderError {
    let ids: Vec<&str> = zones.iter().map(|zone| zone.id.as_str()).collect();
    let problem = format!("there are several {kind} zones `{name}`: {}", ids.join(", "));
    ProviderError::new(ErrorClass::Permanent, problem).with_help(help)
}
