//! What there is of all places of a cluster, as EC2 shows it at one moment.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use keelson_aws_calls::ec2::{
    Address, Ec2, Filters, InternetGateway, NatGateway, RouteTable, SecurityGroup, Subnet, Vpc,
};
use keelson_provider_api::{Clock, ClusterUid, Kind, ProviderError};
use tokio::sync::Mutex;

use crate::marked::key_of_tags;

/// The kinds are looked at one after the other, in less than this.
const FRESH: Duration = Duration::from_secs(5);

/// Everything with the mark of a cluster's life.
#[derive(Debug, Default)]
pub(super) struct Look {
    pub(super) vpcs: Vec<Vpc>,
    pub(super) gateways: Vec<InternetGateway>,
    pub(super) subnets: Vec<Subnet>,
    pub(super) nat_gateways: Vec<NatGateway>,
    pub(super) addresses: Vec<Address>,
    pub(super) route_tables: Vec<RouteTable>,
    pub(super) groups: Vec<SecurityGroup>,
    /// The keys of things by their ids.
    keys: BTreeMap<String, String>,
}

impl Look {
    async fn at(ec2: &Ec2, uid: &ClusterUid) -> Result<Self, ProviderError> {
        // Seven calls at once are no small future.
        let owned = &Filters::of_cluster(uid.as_str());
        let told = |error: keelson_aws_calls::CallError| error.told("look at the network and what is in it");
        let (vpcs, gateways, subnets, nat_gateways, addresses, route_tables, groups) = Box::pin(async {
            tokio::try_join!(
                ec2.list_vpcs(owned),
                ec2.list_internet_gateways(owned),
                ec2.list_subnets(owned),
                ec2.list_nat_gateways(owned),
                ec2.list_addresses(owned),
                ec2.list_route_tables(owned),
                ec2.list_security_groups(owned),
            )
        })
        .await
        .map_err(told)?;
        let mut look = Self {
            vpcs,
            gateways,
            subnets,
            nat_gateways,
            addresses,
            route_tables,
            groups,
            keys: BTreeMap::new(),
        };
        let named = (look.vpcs.iter().map(|vpc| (&vpc.id, &vpc.tags)))
            .chain(look.subnets.iter().map(|subnet| (&subnet.id, &subnet.tags)))
            .chain(
                look.nat_gateways
                    .iter()
                    .map(|gateway| (&gateway.id, &gateway.tags)),
            )
            .chain(look.groups.iter().map(|group| (&group.id, &group.tags)));
        look.keys = named
            .filter_map(|(id, tags)| Some((id.clone(), key_of_tags(tags)?)))
            .collect();
        Ok(look)
    }

    /// What the cluster calls the thing of `kind` with this id; the id itself where it is none of the cluster's.
    pub(super) fn name_of(&self, kind: Kind, id: &str) -> String {
        let key = self.keys.get(id).and_then(|key| key.split_once('/'));
        key.filter(|(found, _)| *found == kind.name())
            .map_or(id, |(_, name)| name)
            .to_owned()
    }
}

/// One look serves all kinds that are looked at together.
#[derive(Debug, Default)]
pub(super) struct Looks {
    /// How often something was about to change, or had.
    changes: AtomicU64,
    last: Mutex<Option<Taken>>,
}

#[derive(Debug, Clone)]
struct Taken {
    uid: ClusterUid,
    at: Timestamp,
    changes: u64,
    look: Arc<Look>,
}

impl Looks {
    /// A look that shows all that was changed until now.
    pub(super) async fn newest(
        &self,
        ec2: &Ec2,
        clock: &dyn Clock,
        uid: &ClusterUid,
    ) -> Result<Arc<Look>, ProviderError> {
        // Whoever comes meanwhile waits, and finds it taken.
        let mut last = self.last.lock().await;
        let (changes, now) = (self.changes.load(Ordering::SeqCst), clock.now());
        let fresh = last.as_ref().filter(|taken| {
            taken.uid == *uid
                && taken.changes == changes
                && now.duration_since(taken.at).unsigned_abs() < FRESH
        });
        if let Some(taken) = fresh {
            return Ok(taken.look.clone());
        }
        let look = Arc::new(Look::at(ec2, uid).await?);
        *last = Some(Taken {
            uid: uid.clone(),
            at: now,
            changes,
            look: look.clone(),
        });
        Ok(look)
    }

    /// Something is about to change, or has.
    pub(super) fn forget(&self) {
        self.changes.fetch_add(1, Ordering::SeqCst);
    }
}
