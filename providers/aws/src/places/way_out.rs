//! Ways out of a network: route tables.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use keelson_aws_calls::ec2::{RouteTable, RouteTarget};
use keelson_provider_api::kinds::{Through, WayOut};
use keelson_provider_api::{Health, Kind, Outcome, ResourceKey};

use super::look::Look;
use crate::marked::Seen;
use crate::step::{Step, made, missing, refused};

/// Everywhere.
const DEFAULT: &str = "0.0.0.0/0";

const FREE_LIMIT: Duration = Duration::from_secs(60);

/// The ways out among what was seen. One that leads nowhere was begun and not ended.
pub(super) fn seen(look: &Look) -> Vec<Seen> {
    let tables = look.route_tables.iter().map(|table| {
        let through = match default_route(table) {
            Some(RouteTarget::InternetGateway(_)) => Through::Internet,
            Some(RouteTarget::NatGateway(id)) => Through::NatGateway(look.name_of(Kind::NatGateway, id)),
            // A name that no gateway has.
            Some(RouteTarget::Interface(id)) => Through::NatGateway(id.clone()),
            None => Through::NatGateway(String::new()),
        };
        let subnets: BTreeSet<String> = associated(table)
            .map(|(_, subnet)| look.name_of(Kind::Subnet, subnet))
            .collect();
        Seen {
            id: table.id.clone(),
            tags: table.tags.clone(),
            resource: Ok(WayOut {
                network: look.name_of(Kind::Network, &table.vpc),
                subnets: subnets.into_iter().collect(),
                through,
            }
            .into()),
            health: Health::Healthy,
            created_at: None,
            facts: BTreeMap::new(),
        }
    });
    tables.collect()
}

fn default_route(table: &RouteTable) -> Option<&RouteTarget> {
    let mut routes = table.routes.iter();
    routes
        .find(|route| route.destination == DEFAULT)
        .and_then(|route| route.target.as_ref())
}

/// Associations by id, with their subnets.
fn associated(table: &RouteTable) -> impl Iterator<Item = (&str, &str)> {
    table
        .associations
        .iter()
        .map(|association| (association.id.as_str(), association.subnet.as_str()))
}

pub(super) async fn bring(step: &Step<'_>, key: &ResourceKey, way: &WayOut) -> Result<(), Outcome> {
    let table = table(step, key, way).await?;
    route(step, &table, way).await?;
    let mut wanted = BTreeMap::new();
    for subnet in &way.subnets {
        wanted.insert(step.subnet_id(subnet).await?, subnet);
    }
    for (association, subnet) in associated(&table) {
        if wanted.remove(subnet).is_none() {
            let gone = step.ec2.disassociate_route_table(association).await;
            gone.map_err(|error| refused(error, "lead a subnet another way"))?;
        }
    }
    for (id, name) in wanted {
        let done = step.ec2.associate_route_table(&table.id, &id).await;
        done.map_err(|error| refused(error, &format!("lead the subnet {name} out")))?;
    }
    Ok(())
}

/// The route table, made where there is none. Of several, which tokens that were used up can leave, those go that serve nobody.
async fn table(step: &Step<'_>, key: &ResourceKey, way: &WayOut) -> Result<RouteTable, Outcome> {
    let mut found = tables(step, key).await?;
    if found.is_empty() {
        found = make(step, key, way).await?;
    }
    found.sort_by_key(|table| (table.associations.is_empty(), table.id.clone()));
    let mut found = found.into_iter();
    let first = found.next().ok_or_else(|| missing(key))?;
    for double in found.filter(|double| double.associations.is_empty()) {
        let gone = step.ec2.delete_route_table(&double.id).await;
        gone.map_err(|error| refused(error, "delete a route table that was made twice"))?;
    }
    Ok(first)
}

async fn make(step: &Step<'_>, key: &ResourceKey, way: &WayOut) -> Result<Vec<RouteTable>, Outcome> {
    let vpc = &step.network_id(&way.network).await?;
    let tags = &step.mark(key);
    let create = |token: String| async move {
        let answer = step.ec2.create_route_table(vpc, &token, tags).await;
        made(answer, "make the route table")
    };
    let shown = || async { Ok(Some(tables(step, key).await?).filter(|found| !found.is_empty())) };
    let (found, _) = step.make_by_token(key, vpc, create, shown).await?;
    Ok(found)
}

async fn tables(step: &Step<'_>, key: &ResourceKey) -> Result<Vec<RouteTable>, Outcome> {
    let tables = step.ec2.list_route_tables(&step.marked(key)).await;
    let mut tables = tables.map_err(|error| refused(error, "look for the route table"))?;
    tables.sort_by(|one, other| one.id.cmp(&other.id));
    Ok(tables)
}

async fn route(step: &Step<'_>, table: &RouteTable, way: &WayOut) -> Result<(), Outcome> {
    let wanted = match &way.through {
        Through::Internet => {
            let key = ResourceKey::new(Kind::Network, &*way.network);
            let gateways = step.ec2.list_internet_gateways(&step.marked(&key)).await;
            let gateways = gateways.map_err(|error| refused(error, "look for the internet gateway"))?;
            let attached = gateways.into_iter().find(|gateway| gateway.vpc.is_some());
            RouteTarget::InternetGateway(attached.ok_or_else(|| missing(&key))?.id)
        }
        Through::NatGateway(name) => {
            let key = ResourceKey::new(Kind::NatGateway, &**name);
            let gateways = step.ec2.list_nat_gateways(&step.marked(&key)).await;
            let gateways = gateways.map_err(|error| refused(error, "look for the NAT gateway"))?;
            let first = gateways.into_iter().map(|gateway| gateway.id).min();
            RouteTarget::NatGateway(first.ok_or_else(|| missing(&key))?)
        }
    };
    let led = match default_route(table) {
        Some(found) if *found == wanted => return Ok(()),
        Some(_) => step.ec2.replace_route(&table.id, DEFAULT, &wanted).await,
        None => step.ec2.create_route(&table.id, DEFAULT, &wanted).await,
    };
    led.map_err(|error| refused(error, "lead everything else out"))
}

pub(super) async fn delete(step: &Step<'_>, key: &ResourceKey) -> Result<(), Outcome> {
    for table in tables(step, key).await? {
        for (association, _) in associated(&table) {
            let gone = step.ec2.disassociate_route_table(association).await;
            gone.map_err(|error| refused(error, "lead a subnet nowhere"))?;
        }
        let delete = || step.ec2.delete_route_table(&table.id);
        step.delete_when_free(key, FREE_LIMIT, delete).await?;
    }
    Ok(())
}
