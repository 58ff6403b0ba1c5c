//! The routes of route tables.

use aws_sdk_ec2::types;

use crate::failure::{CallError, Called as _};

use super::{Ec2, Filters};

/// A route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// What it is for: a range of addresses, or the id of a list of prefixes.
    pub destination: String,
    /// Where it leads; none where that is the VPC itself, or something that keelson sets no routes to.
    pub target: Option<RouteTarget>,
    /// Whether its target is gone or does not work, so that what is sent there is lost.
    pub is_black_hole: bool,
}

/// Where a route leads.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum RouteTarget {
    /// The internet gateway of this id.
    InternetGateway(String),
    /// The NAT gateway of this id.
    NatGateway(String),
    /// The network interface of this id, of an instance for example.
    Interface(String),
}

/// An EC2 call's fields for destination and target, which `CreateRoute` and `ReplaceRoute` name alike.
macro_rules! aimed {
    ($call:expr, $destination:expr, $target:expr) => {{
        let call = if is_v6($destination) {
            $call.destination_ipv6_cidr_block($destination)
        } else {
            $call.destination_cidr_block($destination)
        };
        match $target {
            RouteTarget::InternetGateway(id) => call.gateway_id(id),
            RouteTarget::NatGateway(id) => call.nat_gateway_id(id),
            RouteTarget::Interface(id) => call.network_interface_id(id),
        }
    }};
}

impl Ec2 {
    /// Makes a route in `table` for the range `destination`; one that is there and leads to `target` stays so.
    ///
    /// # Errors
    /// When EC2 refuses (`RouteAlreadyExists`: there is one that leads elsewhere), or cannot be asked.
    pub async fn create_route(
        &self,
        table: &str,
        destination: &str,
        target: &RouteTarget,
    ) -> Result<(), CallError> {
        let call = self.clients.patient.create_route().route_table_id(table);
        let call = aimed!(call, destination, target);
        let Err(error) = call.send().await.called("CreateRoute") else {
            return Ok(());
        };
        if !error.is(&["RouteAlreadyExists"]) {
            return Err(error);
        }
        // The call may have come again after its answer was lost.
        let filters = Filters::default().with("route-table-id", [table]);
        let found = self.list_route_tables(&filters).await.unwrap_or_default();
        let mut routes = found.into_iter().flat_map(|table| table.routes);
        let is_it = |route: Route| route.destination == destination && route.target.as_ref() == Some(target);
        if routes.any(is_it) { Ok(()) } else { Err(error) }
    }

    /// Makes the route of `table` for the range `destination` lead to `target`.
    ///
    /// # Errors
    /// When EC2 refuses (there is none), or cannot be asked.
    pub async fn replace_route(
        &self,
        table: &str,
        destination: &str,
        target: &RouteTarget,
    ) -> Result<(), CallError> {
        let call = self.clients.patient.replace_route().route_table_id(table);
        let call = aimed!(call, destination, target);
        call.send().await.called("ReplaceRoute")?;
        Ok(())
    }

    /// Deletes the route of `table` for the range `destination`; one that is not there is deleted.
    ///
    /// # Errors
    /// When EC2 refuses, or cannot be asked.
    pub async fn delete_route(&self, table: &str, destination: &str) -> Result<(), CallError> {
        let call = self.clients.patient.delete_route().route_table_id(table);
        let call = if is_v6(destination) {
            call.destination_ipv6_cidr_block(destination)
        } else {
            call.destination_cidr_block(destination)
        };
        super::answers::deleted(call.send().await.called("DeleteRoute"))
    }
}

/// A route as EC2 answers it; none where it has no destination.
pub(super) fn read(route: types::Route) -> Option<Route> {
    let destination = route
        .destination_cidr_block
        .or(route.destination_ipv6_cidr_block)
        .or(route.destination_prefix_list_id)?;
    let some = |id: Option<String>| id.filter(|id| !id.is_empty());
    // One gateway of the field `gatewayId` is `local`, and virtual private gateways have it too.
    let internet = some(route.gateway_id).filter(|id| id.starts_with("igw-"));
    let target = some(route.nat_gateway_id)
        .map(RouteTarget::NatGateway)
        .or(some(route.network_interface_id).map(RouteTarget::Interface))
        .or(internet.map(RouteTarget::InternetGateway));
    Some(Route {
        destination,
        target,
        is_black_hole: route.state == Some(types::RouteState::Blackhole),
    })
}

fn is_v6(destination: &str) -> bool {
    destination.contains(':')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routes_are_read_with_the_targets_that_keelson_sets_and_no_others() {
        let route = || types::Route::builder().destination_cidr_block("10.0.0.0/8");
        let cases = [
            (route().gateway_id("local"), None),
            (route().gateway_id("vgw-1"), None),
            (route().vpc_peering_connection_id("pcx-1"), None),
            (
                route().gateway_id("igw-1"),
                Some(RouteTarget::InternetGateway("igw-1".to_owned())),
            ),
            (
                route().nat_gateway_id("nat-1"),
                Some(RouteTarget::NatGateway("nat-1".to_owned())),
            ),
            (
                route().instance_id("i-1").network_interface_id("eni-1"),
                Some(RouteTarget::Interface("eni-1".to_owned())),
            ),
        ];
        for (given, target) in cases {
            let given = given.build();
            let read = read(given.clone()).unwrap();
            assert_eq!(
                (read.destination.as_str(), read.target),
                ("10.0.0.0/8", target),
                "{given:?}"
            );
        }
        let states = [
            (types::RouteState::Active, false),
            (types::RouteState::Blackhole, true),
        ];
        for (state, is_black_hole) in states {
            let read = read(route().state(state).build()).unwrap();
            assert_eq!(read.is_black_hole, is_black_hole);
        }
        let v6 = types::Route::builder()
            .destination_ipv6_cidr_block("::/0")
            .build();
        assert_eq!(read(v6).unwrap().destination, "::/0");
        assert_eq!(read(types::Route::builder().build()), None);
    }
}
