//! Hosted zones.

use aws_sdk_route53::types::{HostedZone, HostedZoneConfig, Tag, TagResourceType, Vpc, VpcRegion};

use crate::failure::{CallError, Called as _};
use crate::mark::Tags;
use crate::whole::{deleted, every_page, if_there, promised};

use super::Dns;
use super::names::{bare_id, plain};

const CREATE: &str = "CreateHostedZone";
const LIST: &str = "ListHostedZonesByName";
const GET: &str = "GetHostedZone";
const ASSOCIATE: &str = "AssociateVPCWithHostedZone";
const DISASSOCIATE: &str = "DisassociateVPCFromHostedZone";

/// A hosted zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone {
    /// What calls name it by, for example `Z0123456789`.
    pub id: String,
    /// Its name, in lower case and without the dot at its end.
    pub name: String,
    /// Whether only VPCs that it is associated with see it.
    pub is_private: bool,
    /// What its create call was told apart from others by.
    pub caller_reference: String,
}

/// A VPC that a private zone is associated with.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ZoneVpc {
    /// The VPC's id.
    pub id: String,
    /// Its region: ids alone do not say it.
    pub region: String,
}

/// A private zone to create. Route 53 takes no tags in this call: [`Dns::tag_zone`] marks it, and its caller reference says whose
/// it is until then.
#[derive(Debug, Clone)]
pub struct NewPrivateZone {
    /// Its name.
    pub name: String,
    /// The VPC that sees it.
    pub vpc: ZoneVpc,
    /// What tells this create from others: the same reference is the same zone.
    pub caller_reference: String,
    /// What consoles show.
    pub comment: String,
}

/// A zone that was created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MadeZone {
    /// The zone.
    pub zone: Zone,
    /// The change to wait for; none where the zone was there.
    pub change: Option<String>,
}

impl Dns {
    /// The public zones of this very name: one, if nobody has made another.
    ///
    /// # Errors
    ///
    /// When Route 53 refuses or cannot be asked.
    pub async fn public_zones(&self, name: &str) -> Result<Vec<Zone>, CallError> {
        let mut zones = self.zones(name).await?;
        zones.retain(|zone| !zone.is_private);
        Ok(zones)
    }

    /// The private zones of this very name, each with the VPCs that see it: Route 53 lets a VPC see one of them at the most.
    ///
    /// # Errors
    ///
    /// When Route 53 refuses or cannot be asked.
    pub async fn private_zones(&self, name: &str) -> Result<Vec<(Zone, Vec<ZoneVpc>)>, CallError> {
        let mut found = Vec::new();
        for zone in self.zones(name).await? {
            if zone.is_private {
                let vpcs = self.zone_vpcs(&zone.id).await?;
                found.push((zone, vpcs));
            }
        }
        Ok(found)
    }

    /// All zones of this very name, private or not.
    ///
    /// # Errors
    ///
    /// When Route 53 refuses or cannot be asked.
    pub async fn zones(&self, name: &str) -> Result<Vec<Zone>, CallError> {
        let name = &plain(name);
        // Zones are listed in the order of their names, from a name on.
        let all = every_page(LIST, |from: Option<(String, Option<String>)>| async move {
            let (from_name, from_id) = from.unwrap_or_else(|| (name.clone(), None));
            let call = self.clients.patient.list_hosted_zones_by_name();
            let call = call.dns_name(from_name).set_hosted_zone_id(from_id);
            let answer = call.send().await.called(LIST)?;
            let is_past = answer.hosted_zones.iter().any(|zone| plain(&zone.name) != *name);
            let goes_on = answer.is_truncated && !is_past;
            let next = answer.next_dns_name.filter(|_| goes_on);
            Ok((
                answer.hosted_zones,
                next.map(|next| (next, answer.next_hosted_zone_id)),
            ))
        })
        .await?;
        Ok(all
            .into_iter()
            .map(read)
            .filter(|zone| zone.name == *name)
            .collect())
    }

    /// The VPCs that see a private zone; none where it is gone.
    ///
    /// # Errors
    ///
    /// When Route 53 refuses or cannot be asked.
    pub async fn zone_vpcs(&self, zone: &str) -> Result<Vec<ZoneVpc>, CallError> {
        let answer = self.clients.patient.get_hosted_zone().id(zone).send().await;
        let answer = if_there(answer.called(GET))?;
        let vpcs = answer.and_then(|answer| answer.vpcs).unwrap_or_default();
        Ok(vpcs
            .into_iter()
            .filter_map(|vpc| {
                Some(ZoneVpc {
                    id: vpc.vpc_id?,
                    region: vpc.vpc_region?.as_str().to_owned(),
                })
            })
            .collect())
    }

    /// Creates a private zone; with the caller reference of one that is there, that is the one.
    ///
    /// # Errors
    ///
    /// When the reference is that of a zone that is gone or has another name (`HostedZoneAlreadyExists`), when the VPC sees
    /// another zone of the name (`ConflictingDomainExists`), when it is refused or cannot be asked for.
    pub async fn create_private_zone(&self, new: &NewPrivateZone) -> Result<MadeZone, CallError> {
        let config = HostedZoneConfig::builder()
            .comment(&new.comment)
            .private_zone(true)
            .build();
        let call = self.clients.patient.create_hosted_zone().name(&new.name);
        let call = call
            .vpc(written(&new.vpc))
            .caller_reference(&new.caller_reference)
            .hosted_zone_config(config);
        let answer = match call.send().await.called(CREATE) {
            Err(error) if error.is(&["HostedZoneAlreadyExists"]) => {
                let mut zones = self.zones(&new.name).await?;
                zones.retain(|zone| zone.is_private && zone.caller_reference == new.caller_reference);
                let zone = zones.pop().ok_or(error)?;
                return Ok(MadeZone { zone, change: None });
            }
            answer => answer?,
        };
        Ok(MadeZone {
            zone: read(promised(CREATE, "hosted zone", answer.hosted_zone)?),
            change: answer.change_info.map(|change| bare_id(&change.id)),
        })
    }

    /// Lets another VPC see a private zone, and answers with the change to wait for; with none where it sees it already.
    ///
    /// # Errors
    ///
    /// When it sees another zone of the name (`ConflictingDomainExists`), when it is refused or cannot be asked for.
    pub async fn associate_vpc(&self, zone: &str, vpc: &ZoneVpc) -> Result<Option<String>, CallError> {
        let call = self.clients.patient.associate_vpc_with_hosted_zone();
        let call = call.hosted_zone_id(zone).vpc(written(vpc));
        match call.send().await.called(ASSOCIATE) {
            // The same is said of this zone itself.
            Err(error) if error.is(&["ConflictingDomainExists"]) => {
                let is_seen = self.zone_vpcs(zone).await?.contains(vpc);
                if is_seen { Ok(None) } else { Err(error) }
            }
            answer => Ok(answer?.change_info.map(|change| bare_id(&change.id))),
        }
    }

    /// Lets a VPC see a private zone no more; one that does not, and a zone that is gone, are no trouble.
    ///
    /// # Errors
    ///
    /// When no other VPC sees the zone (`LastVPCAssociation`), when it is refused or cannot be asked for.
    pub async fn disassociate_vpc(&self, zone: &str, vpc: &ZoneVpc) -> Result<(), CallError> {
        let call = self.clients.patient.disassociate_vpc_from_hosted_zone();
        let call = call.hosted_zone_id(zone).vpc(written(vpc));
        match call.send().await.called(DISASSOCIATE) {
            Err(error) if error.is(&["VPCAssociationNotFound"]) => Ok(()),
            answer => deleted(answer),
        }
    }

    /// Deletes a zone that has no records but its own.
    ///
    /// # Errors
    ///
    /// When it has others (`HostedZoneNotEmpty`), when it is refused or cannot be asked for; not when it is gone.
    pub async fn delete_zone(&self, zone: &str) -> Result<(), CallError> {
        let call = self.clients.patient.delete_hosted_zone().id(zone);
        deleted(call.send().await.called("DeleteHostedZone"))
    }

    /// The tags of a zone.
    ///
    /// # Errors
    ///
    /// When it is not there, or Route 53 cannot be asked.
    pub async fn zone_tags(&self, zone: &str) -> Result<Tags, CallError> {
        let call = self.clients.patient.list_tags_for_resource();
        let call = call.resource_type(TagResourceType::Hostedzone).resource_id(zone);
        let answer = call.send().await.called("ListTagsForResource")?;
        let tags = answer.resource_tag_set.and_then(|set| set.tags);
        Ok(tags
            .unwrap_or_default()
            .into_iter()
            .filter_map(|tag| Some((tag.key?, tag.value.unwrap_or_default())))
            .collect())
    }

    /// Gives a zone these tags too, ten at the most in a call of the API; a tag that is there gets the new value.
    ///
    /// # Errors
    ///
    /// When it is not there, is refused or cannot be asked for.
    pub async fn tag_zone(&self, zone: &str, tags: &Tags) -> Result<(), CallError> {
        let tags: Vec<Tag> = tags
            .iter()
            .map(|(key, value)| Tag::builder().key(key).value(value).build())
            .collect();
        // https://docs.aws.amazon.com/Route53/latest/APIReference/API_ChangeTagsForResource.html
        for some in tags.chunks(10) {
            let call = self.clients.patient.change_tags_for_resource();
            let call = call.resource_type(TagResourceType::Hostedzone).resource_id(zone);
            let answer = call.set_add_tags(Some(some.to_vec())).send().await;
            answer.called("ChangeTagsForResource")?;
        }
        Ok(())
    }
}

fn written(vpc: &ZoneVpc) -> Vpc {
    Vpc::builder()
        .vpc_id(&vpc.id)
        .vpc_region(VpcRegion::from(vpc.region.as_str()))
        .build()
}

fn read(zone: HostedZone) -> Zone {
    Zone {
        id: bare_id(&zone.id),
        name: plain(&zone.name),
        is_private: zone.config.is_some_and(|config| config.private_zone),
        caller_reference: zone.caller_reference,
    }
}
