//! DNS records: an alias of a load balancer, and the text beside it that says whose it is.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use keelson_aws_calls::AwsCalls;
use keelson_aws_calls::dns::{Change, Record, RecordData};
use keelson_provider_api::kinds::DnsRecord;
use keelson_provider_api::{
    ClusterIdentity, Existing, Health, Kind, KindObservation, Observed, Outcome, Owner, ProviderError,
    ResourceKey,
};

use super::joined;
use super::look::Look;
use super::ownership::{self, NameOwner, Said};
use super::step::EdgeStep;
use super::zone::{EdgeZone, FoundZone, PrivateZone};
use crate::marked::key_of;
use crate::step::{late, missing, never, refused};

/// All name servers have a change "within 60 seconds under normal conditions" (<https://aws.amazon.com/route53/faqs/>).
const IN_SYNC_LIMIT: Duration = Duration::from_secs(300);
/// The name of a load balancer that no name leads to: none is called so.
const NOTHING: &str = "none";

/// The names of the cluster in `zone`, and those of `wanted` that somebody else has. Records have no tags, so the whole zone is
/// looked through for texts that say whose a name is.
///
/// An alias without such a text is the cluster's only where its name is wanted: people may give a load balancer other names.
pub(super) async fn seen(
    calls: &AwsCalls,
    zone: &EdgeZone,
    cluster: &ClusterIdentity,
    look: &Look,
    wanted: &BTreeSet<ResourceKey>,
) -> Result<KindObservation, ProviderError> {
    let mut observation = KindObservation::default();
    let vpcs = match zone {
        EdgeZone::Private(PrivateZone {
            existing_vpc: Some(vpc),
            ..
        }) => std::slice::from_ref(vpc),
        _ => &look.vpcs,
    };
    let Some(found) = zone.find(&calls.dns, vpcs).await? else {
        return Ok(observation);
    };
    let id = &found.id;
    let records = calls.dns.records(id).await;
    let records = records.map_err(|error| error.told("look at the records of the DNS zone"))?;
    let texts = records
        .iter()
        .filter_map(|record| ownership::name_of(&record.name));
    let mut keys: BTreeSet<ResourceKey> = texts
        .map(|name| ResourceKey::new(Kind::DnsRecord, name))
        .collect();
    keys.extend(wanted.iter().cloned());
    for key in keys {
        let said = Said::of(key.name(), &records);
        let owner = match said.owner(cluster, &key, |record| {
            balancer_of(look, cluster, record).is_some()
        }) {
            NameOwner::ThisCluster => Owner::ThisCluster,
            NameOwner::Other(why) if wanted.contains(&key) => Owner::Other(why),
            NameOwner::Other(_) | NameOwner::Nobody => continue,
        };
        let address = said.address.filter(|_| found.is_seen);
        let target = address.and_then(|record| balancer_of(look, cluster, record));
        let resource = DnsRecord {
            zone: zone.name().to_owned(),
            target: target.unwrap_or_else(|| ResourceKey::new(Kind::LoadBalancer, NOTHING)),
            ttl_seconds: said.text.map_or(0, ttl_seconds),
        };
        let existing = Existing {
            resource: resource.into(),
            id: format!("{id}/{}", key.name()),
            owner,
            health: health(&said, &found),
            created_at: Timestamp::UNIX_EPOCH,
            generation: 0,
            host_id: None,
            facts: BTreeMap::new(),
        };
        observation.found.insert(key, Observed::Present(existing));
    }
    Ok(observation)
}

/// The cluster's load balancer that a record leads to, if it does.
fn balancer_of(look: &Look, cluster: &ClusterIdentity, record: &Record) -> Option<ResourceKey> {
    let mut balancers = look.balancers.iter().map(|balancer| &balancer.found);
    let led_to = balancers.find(|balancer| leads_to(record, &balancer.dns_name))?;
    let (key, _) = key_of(cluster, &led_to.tags)?;
    Some(key)
}

fn leads_to(record: &Record, balancer: &str) -> bool {
    match &record.data {
        RecordData::Alias { dns_name, .. } => dns_name.eq_ignore_ascii_case(balancer),
        RecordData::Values { .. } => false,
    }
}

fn ttl_seconds(text: &Record) -> u32 {
    match text.data {
        RecordData::Values { ttl_seconds, .. } => ttl_seconds,
        RecordData::Alias { .. } => 0,
    }
}

fn health(said: &Said<'_>, zone: &FoundZone) -> Health {
    match (said.address, said.text) {
        _ if !zone.is_seen => Health::Unhealthy(format!(
            "the private DNS zone {} is not associated with the cluster's VPC: nobody there knows the name",
            zone.id
        )),
        (Some(_), Some(_)) => Health::Healthy,
        (None, _) => Health::Unhealthy("the name leads nowhere".to_owned()),
        (_, None) => Health::Unhealthy("the text beside it that says whose it is is missing".to_owned()),
    }
}

/// The records of the zone, and where it was found.
struct Zone {
    found: FoundZone,
    records: Vec<Record>,
}

impl Zone {
    async fn of(edge: &EdgeStep<'_>, zone: &EdgeZone, vpcs: &[String]) -> Result<Option<Self>, Outcome> {
        let found = zone.find(&edge.calls.dns, vpcs).await;
        let Some(found) = found.map_err(Outcome::Rejected)? else {
            return Ok(None);
        };
        let records = edge.calls.dns.records(&found.id).await;
        let records = records.map_err(|error| refused(error, "look at the records of the DNS zone"))?;
        Ok(Some(Self { found, records }))
    }
}

fn looked_after<'a>(edge: &EdgeStep<'a>, name: &str) -> Result<&'a EdgeZone, Outcome> {
    edge.zone.filter(|zone| zone.name() == name).ok_or_else(|| {
        never(
            format!("`{name}` is not the zone that this provider looks after"),
            "this is a fault of keelson; please report it",
        )
    })
}

pub(super) async fn bring(edge: &EdgeStep<'_>, key: &ResourceKey, wanted: &DnsRecord) -> Result<(), Outcome> {
    let edge_zone = looked_after(edge, &wanted.zone)?;
    if wanted.target.kind() != Kind::LoadBalancer {
        return Err(never(
            format!(
                "{} is no load balancer, and {key} can lead to nothing else",
                wanted.target
            ),
            "this is a fault of keelson; please report it",
        ));
    }
    let Some(balancer) = edge.balancer(wanted.target.name()).await? else {
        return Err(missing(&wanted.target));
    };
    let vpc = &balancer.vpc;
    let zone = Zone::of(edge, edge_zone, std::slice::from_ref(vpc)).await?;
    let zone = zone.ok_or_else(|| {
        never(
            format!(
                "there is no {} DNS zone `{}` in Route 53",
                edge_zone.kind(),
                wanted.zone
            ),
            "make the zone, or name one that is there in the spec",
        )
    })?;
    joined::check(edge_zone, &zone.found)?;
    let cluster = &edge.step.context.cluster;
    let said = Said::of(key.name(), &zone.records);
    let owner = said.owner(cluster, key, |record| leads_to(record, &balancer.dns_name));
    if let NameOwner::Other(why) = owner {
        return Err(never(
            format!("{} belongs to somebody else: {why}", key.name()),
            "keelson touches only what it made for this cluster: choose another name, or remove the other one",
        ));
    }
    let alias = Record::alias(key.name(), &balancer.zone, &balancer.dns_name);
    let text = ownership::record(cluster, key, wanted.ttl_seconds);
    let mut begun = Vec::new();
    if said.address != Some(&alias) || said.text != Some(&text) {
        let changes = [Change::Upsert(alias), Change::Upsert(text)];
        let written = edge.calls.dns.change(&zone.found.id, &changes).await;
        begun.extend(written.map_err(|error| refused(error, "write the DNS record"))?);
    }
    begun.extend(joined::join(edge, edge_zone, &zone.found, vpc).await?);
    for change in begun {
        wait_for(edge, key, &change).await?;
    }
    Ok(())
}

async fn wait_for(edge: &EdgeStep<'_>, key: &ResourceKey, change: &str) -> Result<(), Outcome> {
    let is_in_sync = || async {
        let is_in_sync = edge.calls.dns.change_is_in_sync(change).await;
        let is_in_sync = is_in_sync.map_err(|error| refused(error, "look whether the name is known"))?;
        Ok(is_in_sync.then_some(()))
    };
    let known = edge.step.until_found(IN_SYNC_LIMIT, is_in_sync).await?;
    known.ok_or_else(|| {
        late(format!(
            "not all name servers of Route 53 know {} yet",
            key.name()
        ))
    })
}

/// Nobody waits until all name servers have forgotten a name: nothing stands on its absence.
pub(super) async fn delete(edge: &EdgeStep<'_>, key: &ResourceKey, gone: &DnsRecord) -> Result<(), Outcome> {
    let edge_zone = looked_after(edge, &gone.zone)?;
    let vpcs = joined::vpcs(edge, edge_zone).await?;
    let Some(zone) = Zone::of(edge, edge_zone, &vpcs).await? else {
        return Ok(());
    };
    let balancer = edge.balancer(gone.target.name()).await?;
    let leads_to_ours = |record: &Record| {
        let mut balancers = balancer.iter();
        balancers.any(|balancer| leads_to(record, &balancer.dns_name))
    };
    let said = Said::of(key.name(), &zone.records);
    if said.owner(&edge.step.context.cluster, key, leads_to_ours) != NameOwner::ThisCluster {
        return Ok(());
    }
    joined::leave(edge, edge_zone, &zone.found).await?;
    let records = said.address.into_iter().chain(said.text);
    let changes: Vec<Change> = records.cloned().map(Change::Delete).collect();
    let deleted = edge.calls.dns.change(&zone.found.id, &changes).await;
    deleted
        .map(drop)
        .map_err(|error| refused(error, "delete the DNS record"))
}
