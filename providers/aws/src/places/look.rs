//! What there is of all places of a cluster, as EC2 shows it at one moment.

use keelson_aws_calls::ec2::{
    Address, Ec2, Filters, InternetGateway, NatGateway, RouteTable, SecurityGroup, Subnet, Vpc,
};
use keelson_provider_api::{ClusterUid, Kind, ProviderError};

use crate::marked::Names;

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
    names: Names,
}

impl Look {
    pub(super) async fn at(ec2: &Ec2, uid: &ClusterUid) -> Result<Self, ProviderError> {
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
            names: Names::default(),
        };
        let named = (look.vpcs.iter().map(|vpc| (&vpc.id, &vpc.tags)))
            .chain(look.subnets.iter().map(|subnet| (&subnet.id, &subnet.tags)))
            .chain(
                look.nat_gateways
                    .iter()
                    .map(|gateway| (&gateway.id, &gateway.tags)),
            )
            .chain(look.groups.iter().map(|group| (&group.id, &group.tags)));
        look.names = Names::of(named);
        Ok(look)
    }

    /// What the cluster calls the thing of `kind` with this id; the id itself where it is none of the cluster's.
    pub(super) fn name_of(&self, kind: Kind, id: &str) -> String {
        self.names.name_of(kind, id)
    }
}
