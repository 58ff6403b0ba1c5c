//! What there is of machines.

use std::collections::BTreeMap;

use keelson_aws_calls::CallError;
use keelson_aws_calls::ec2::{AttachmentState, Ec2, Filters, Instance, InstanceState, Volume};
use keelson_provider_api::kinds::Machine;
use keelson_provider_api::{ClusterIdentity, ClusterUid, Health, Kind, ResourceKey};

use super::tags;
use crate::instances::in_order;
use crate::kept::instance_profile_name;
use crate::marked::{Names, Seen, key_of_tags};

/// The facts that people are told; the first is what other providers call so too.
const ADDRESS: &str = "address";
const PUBLIC_ADDRESS: &str = "publicAddress";
const ID: &str = "id";
const IMAGE: &str = "image";
const ZONE: &str = "zone";

/// What EC2 shows of a cluster's machines and of what they stand on.
struct Look {
    volumes: Vec<Volume>,
    /// Those of subnets and firewalls.
    names: Names,
}

/// The machines of the cluster's life `uid`, one for each key.
pub(super) async fn seen(
    ec2: &Ec2,
    cluster: &ClusterIdentity,
    uid: &ClusterUid,
) -> Result<Vec<Seen>, CallError> {
    let owned = &Filters::of_cluster(uid.as_str());
    let (instances, volumes, subnets, groups) = Box::pin(async {
        tokio::try_join!(
            ec2.list_instances(owned),
            ec2.list_volumes(owned),
            ec2.list_subnets(owned),
            ec2.list_security_groups(owned),
        )
    })
    .await?;
    let subnets = subnets.iter().map(|subnet| (&subnet.id, &subnet.tags));
    let of_cluster = subnets.chain(groups.iter().map(|group| (&group.id, &group.tags)));
    let names = Names::of(of_cluster);
    let look = Look { volumes, names };
    let mut of_key: BTreeMap<String, Instance> = BTreeMap::new();
    for instance in in_order(instances) {
        if let Some(key) = key_of_tags(&instance.tags) {
            of_key.entry(key).or_insert(instance);
        }
    }
    Ok(of_key
        .into_values()
        .map(|instance| look.of_instance(cluster, instance))
        .collect())
}

/// Why an instance is in the state that it is in, in EC2's words.
pub(crate) fn reason(instance: &Instance) -> String {
    let said = instance.state_message.as_ref().or(instance.state_reason.as_ref());
    said.map_or_else(
        || "EC2 does not say why".to_owned(),
        |said| format!("EC2 says: {said}"),
    )
}

/// Whether the ARN of an instance profile is that of `name`.
pub(super) fn is_profile(arn: Option<&str>, name: &str) -> bool {
    profile_name(arn) == Some(name)
}

/// The name is the last part, after the path.
fn profile_name(arn: Option<&str>) -> Option<&str> {
    arn?.rsplit('/').next()
}

impl Look {
    fn of_instance(&self, cluster: &ClusterIdentity, instance: Instance) -> Seen {
        let asked = tags::read(&instance.tags);
        let volume = self.volume_of(&instance.id);
        let unfinished = unfinished(&instance, asked.volume.as_deref(), volume.as_deref());
        // What has an interface of its own is where that is, and behind what that is behind.
        let has_own_place = asked.network_interface.is_none();
        let groups: Vec<String> = (instance.groups.iter())
            .map(|id| self.names.name_of(Kind::Firewall, id))
            .collect();
        let subnet = instance.subnet.as_ref().filter(|_| has_own_place);
        // No firewall has this name, so that it is seen that something is to be done.
        let firewall = match unfinished {
            Some(_) => Some(String::new()),
            None => has_own_place.then(|| groups.join(", ")),
        };
        let machine = Machine {
            group: asked.group,
            roles: asked.roles,
            machine_type: Some(instance.instance_type.clone()),
            image: Some(asked.image.unwrap_or_else(|| instance.image.clone())),
            root_volume: asked.root_volume,
            spot: instance.spot,
            zone: Some(instance.zone.clone()),
            subnet: subnet.map(|id| self.names.name_of(Kind::Subnet, id)),
            firewall,
            address: None,
            volume: volume.or(asked.volume),
            network_interface: asked.network_interface,
            role: role(cluster, asked.role, instance.instance_profile.as_deref()),
        };
        Seen {
            health: health(&instance, unfinished),
            facts: facts(&instance),
            created_at: instance.launched,
            resource: Ok(machine.into()),
            id: instance.id,
            tags: instance.tags,
        }
    }

    /// The name of the volume of the cluster that is attached to an instance.
    fn volume_of(&self, instance: &str) -> Option<String> {
        let has_it = |volume: &&Volume| {
            let attachment = volume.attachment.as_ref();
            attachment.is_some_and(|one| one.instance == instance && one.state == AttachmentState::Attached)
        };
        let attached = self.volumes.iter().filter(has_it);
        let mut names = attached.filter_map(|volume| {
            let key: ResourceKey = key_of_tags(&volume.tags)?.parse().ok()?;
            (key.kind() == Kind::Volume).then(|| key.name().to_owned())
        });
        names.next()
    }
}

/// What is still to be done to an instance that was begun and not ended.
fn unfinished(instance: &Instance, asked: Option<&str>, attached: Option<&str>) -> Option<String> {
    if instance.state == InstanceState::Pending {
        return Some("it does not run yet".to_owned());
    }
    match (asked, attached) {
        (Some(volume), None) => Some(format!("its volume {volume} is not attached")),
        _ => None,
    }
}

fn health(instance: &Instance, unfinished: Option<String>) -> Health {
    match instance.state {
        InstanceState::Stopping | InstanceState::Stopped => {
            Health::Unhealthy(format!("it is stopped; {}", reason(instance)))
        }
        _ => unfinished.map_or(Health::Healthy, Health::Unhealthy),
    }
}

/// The role that an instance was given, where its profile is still that one's: otherwise what it has.
fn role(cluster: &ClusterIdentity, asked: Option<String>, arn: Option<&str>) -> Option<String> {
    let is_given = |role: &String| is_profile(arn, &instance_profile_name(cluster, role));
    let other = || profile_name(arn).map(|name| format!("instance-profile/{name}"));
    asked.filter(is_given).or_else(other)
}

/// What people are told of an instance.
pub(crate) fn facts(instance: &Instance) -> BTreeMap<String, String> {
    let rows = [
        (
            ADDRESS,
            instance.private_address.map(|address| address.to_string()),
        ),
        (
            PUBLIC_ADDRESS,
            instance.public_address.map(|address| address.to_string()),
        ),
        (ID, Some(instance.id.clone())),
        (IMAGE, Some(instance.image.clone())),
        (ZONE, Some(instance.zone.clone())),
    ];
    let told = rows
        .into_iter()
        .filter_map(|(key, value)| Some((key.to_owned(), value?)));
    told.collect()
}
