//! A private zone is associated with a cluster's own VPC while the cluster has a name in it.
//!
//! The name is what keelson finds again, so it is written before the association is made, and deleted after that has ended.

use keelson_aws_calls::ec2::Filters;
use keelson_provider_api::{ClusterUid, Outcome};

use super::step::EdgeStep;
use super::zone::{EdgeZone, FoundZone};
use crate::step::{never, refused};

/// What says that a zone is to be seen by nobody else.
const LAST: &str = "LastVPCAssociation";

/// Refuses a zone that the VPC `vpc` does not see where somebody else says what it sees.
pub(super) fn check(zone: &EdgeZone, found: &FoundZone) -> Result<(), Outcome> {
    match zone {
        EdgeZone::Private(private) if !found.is_seen => match &private.existing_vpc {
            Some(vpc) => Err(never(
                format!(
                    "the private DNS zone {} (`{}`) is not associated with {vpc}: nobody there would know the name",
                    found.id, private.name
                ),
                "associate the zone with the VPC, in its account's Route 53",
            )),
            None => Ok(()),
        },
        _ => Ok(()),
    }
}

/// Lets the cluster's own VPC see the zone, and gives the change to wait for.
pub(super) async fn join(
    edge: &EdgeStep<'_>,
    zone: &EdgeZone,
    found: &FoundZone,
    vpc: &str,
) -> Result<Option<String>, Outcome> {
    match zone.joined() {
        Some(private) if !found.is_seen => {
            let joined = edge.calls.dns.associate_vpc(&found.id, &private.vpc(vpc)).await;
            joined.map_err(|error| refused(error, "associate the private DNS zone with the network"))
        }
        _ => Ok(None),
    }
}

/// Ends that. A zone that nobody else sees keeps the VPC: Route 53 has no private zone without one.
pub(super) async fn leave(edge: &EdgeStep<'_>, zone: &EdgeZone, found: &FoundZone) -> Result<(), Outcome> {
    if zone.joined().is_none() {
        return Ok(());
    }
    for vpc in &found.seen_by {
        match edge.calls.dns.disassociate_vpc(&found.id, vpc).await {
            Err(error) if !error.is(&[LAST]) => {
                return Err(refused(
                    error,
                    "end the private DNS zone's association with the network",
                ));
            }
            _ => {}
        }
    }
    Ok(())
}

/// The VPCs that are known to be the cluster's while its zone is looked for: its own where it is associated by keelson.
pub(super) async fn vpcs(edge: &EdgeStep<'_>, zone: &EdgeZone) -> Result<Vec<String>, Outcome> {
    let EdgeZone::Private(private) = zone else {
        return Ok(Vec::new());
    };
    if let Some(vpc) = &private.existing_vpc {
        return Ok(vec![vpc.clone()]);
    }
    let uid = edge
        .step
        .context
        .cluster
        .uid
        .as_ref()
        .map_or("", ClusterUid::as_str);
    let vpcs = edge.calls.ec2.list_vpcs(&Filters::of_cluster(uid)).await;
    let vpcs = vpcs.map_err(|error| refused(error, "look for the network"))?;
    Ok(vpcs.into_iter().map(|vpc| vpc.id).collect())
}
