//! Network interfaces with addresses that stay.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use keelson_aws_calls::CallError;
use keelson_aws_calls::ec2::{Address, Ec2, Filters, Interface, InterfaceState, NewInterface};
use keelson_provider_api::kinds::NetworkInterface;
use keelson_provider_api::{ClusterUid, ErrorClass, Health, Kind, Outcome, ProviderError, ResourceKey};

use super::holder;
use crate::marked::{Names, Seen, key_of, key_of_tags};
use crate::public_address;
use crate::step::{Step, late, made, never, refused};

/// It takes seconds until an interface is available.
const LIMIT: Duration = Duration::from_secs(60);
/// Whoever has it lets go of it when it is gone itself, and that can take minutes.
const FREE_LIMIT: Duration = Duration::from_secs(600);
/// What EC2 says of an interface that somebody has
/// (<https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html>).
const NOT_FREE: &[&str] = &["InvalidNetworkInterface.InUse", "InvalidParameterValue"];

/// What EC2 shows of a cluster's interfaces and of what they stand on.
struct Look {
    interfaces: Vec<Interface>,
    addresses: Vec<Address>,
    /// Those of subnets and firewalls.
    names: Names,
}

impl Look {
    async fn at(ec2: &Ec2, uid: &ClusterUid) -> Result<Self, CallError> {
        let owned = &Filters::of_cluster(uid.as_str());
        let (interfaces, addresses, subnets, groups) = Box::pin(async {
            tokio::try_join!(
                ec2.list_interfaces(owned),
                ec2.list_addresses(owned),
                ec2.list_subnets(owned),
                ec2.list_security_groups(owned),
            )
        })
        .await?;
        let subnets = subnets.iter().map(|subnet| (&subnet.id, &subnet.tags));
        let of_cluster = subnets.chain(groups.iter().map(|group| (&group.id, &group.tags)));
        let names = Names::of(of_cluster);
        Ok(Self {
            interfaces,
            addresses,
            names,
        })
    }

    fn of_interface(&self, interface: &Interface) -> Option<Seen> {
        let key = key_of_tags(&interface.tags)?;
        let mut addresses = self.addresses_of(&key).peekable();
        let public = addresses.peek().is_some();
        let leads_here = |address: &Address| address.interface.as_deref() == Some(interface.id.as_str());
        let groups: Vec<String> = (interface.groups.iter())
            .map(|id| self.names.name_of(Kind::Firewall, id))
            .collect();
        // A public address that does not lead here was got and not given: no firewall has this name, so that it is seen that
        // something is to be done.
        let firewall = if addresses.all(leads_here) {
            groups.join(", ")
        } else {
            String::new()
        };
        let mut facts = BTreeMap::new();
        let instance = interface
            .attachment
            .as_ref()
            .and_then(|attachment| attachment.instance.clone());
        facts.extend(instance.map(|instance| ("attachedTo".to_owned(), instance)));
        let public_address = interface.public_address.map(|address| address.to_string());
        facts.extend(public_address.map(|address| ("publicAddress".to_owned(), address)));
        let address = interface.private_address;
        Some(Seen {
            id: interface.id.clone(),
            tags: interface.tags.clone(),
            resource: address
                .ok_or_else(|| "it has no address".to_owned())
                .map(|address| {
                    NetworkInterface {
                        machine: name_in(&key),
                        subnet: self.names.name_of(Kind::Subnet, &interface.subnet),
                        firewall,
                        address: address.into(),
                        public,
                    }
                    .into()
                }),
            health: Health::Healthy,
            created_at: None,
            facts,
        })
    }

    fn addresses_of(&self, key: &str) -> impl Iterator<Item = &Address> {
        let is_of = move |address: &&Address| key_of_tags(&address.tags).is_some_and(|found| found == key);
        self.addresses.iter().filter(is_of)
    }

    /// Public addresses whose interface is gone.
    fn alone(&self) -> impl Iterator<Item = Seen> {
        let of_interfaces: Vec<String> = self
            .interfaces
            .iter()
            .filter_map(|interface| key_of_tags(&interface.tags))
            .collect();
        self.addresses.iter().filter_map(move |address| {
            let key = key_of_tags(&address.tags)?;
            let kind = key.parse::<ResourceKey>().ok()?.kind();
            let is_alone = kind == Kind::NetworkInterface && !of_interfaces.contains(&key);
            is_alone.then(|| Seen {
                id: address.id.clone(),
                tags: address.tags.clone(),
                resource: Ok(NetworkInterface {
                    machine: name_in(&key),
                    subnet: String::new(),
                    firewall: String::new(),
                    address: Ipv4Addr::UNSPECIFIED.into(),
                    public: true,
                }
                .into()),
                health: Health::Unhealthy("only its public address is left".to_owned()),
                created_at: None,
                facts: BTreeMap::new(),
            })
        })
    }
}

/// The name in a key, which is that of the machine that it is kept for.
fn name_in(key: &str) -> String {
    key.split_once('/').map_or(key, |(_, name)| name).to_owned()
}

/// The interfaces of the cluster's life `uid`. A public address whose interface was taken away is seen as one in no subnet, so
/// that it is made anew, or goes with the cluster.
pub(super) async fn seen(ec2: &Ec2, uid: &ClusterUid) -> Result<Vec<Seen>, CallError> {
    let look = Look::at(ec2, uid).await?;
    let whole = look
        .interfaces
        .iter()
        .filter_map(|interface| look.of_interface(interface));
    Ok(whole.chain(look.alone()).collect())
}

pub(super) async fn bring(
    step: &Step<'_>,
    key: &ResourceKey,
    wanted: &NetworkInterface,
) -> Result<(), Outcome> {
    let IpAddr::V4(address) = wanted.address else {
        let problem = format!(
            "{key} is to have {}, and keelson gives IPv4 addresses on AWS",
            wanted.address
        );
        return Err(Outcome::Rejected(ProviderError::new(
            ErrorClass::Permanent,
            problem,
        )));
    };
    let place = Place {
        subnet: step.subnet_id(&wanted.subnet).await?,
        subnet_name: &wanted.subnet,
        address,
        group: step.firewall_id(&wanted.firewall).await?,
    };
    let mut found = interfaces(step, key).await?;
    if found.is_empty() {
        found = Box::pin(make(step, key, &place)).await?;
    }
    let interface = place.the_one(key, &found)?;
    if interface.groups != [place.group.clone()] {
        let groups = std::slice::from_ref(&place.group);
        let changed = step.ec2.change_interface_groups(&interface.id, groups).await;
        changed.map_err(|error| refused(error, "put the interface behind its firewall"))?;
    }
    let ready = || async {
        let found = interfaces(step, key).await?;
        let is_ready = |found: &Interface| found.id == interface.id && found.state != InterfaceState::Pending;
        Ok(found.iter().any(is_ready).then_some(()))
    };
    let ready = step.until_found(LIMIT, ready).await?;
    ready.ok_or_else(|| {
        late(format!(
            "{key}, which is {}, does not come to be available",
            interface.id
        ))
    })?;
    if wanted.public {
        lead_here(step, key, &interface.id).await
    } else {
        release(step, key).await
    }
}

/// Where an interface is to be.
struct Place<'a> {
    subnet: String,
    subnet_name: &'a str,
    address: Ipv4Addr,
    group: String,
}

impl Place<'_> {
    /// The interface that is here. One that is elsewhere stays there: it is replaced, not changed.
    fn the_one<'a>(&self, key: &ResourceKey, found: &'a [Interface]) -> Result<&'a Interface, Outcome> {
        let is_here =
            |one: &&Interface| one.subnet == self.subnet && one.private_address == Some(self.address);
        if let Some(here) = found.iter().find(is_here) {
            return Ok(here);
        }
        let there: Vec<String> = (found.iter())
            .map(|one| {
                let address = one
                    .private_address
                    .map_or_else(String::new, |address| address.to_string());
                format!("{} with {address} in {}", one.id, one.subnet)
            })
            .collect();
        let problem = format!(
            "{key} is to have {} in {}, and is there already as {}: that cannot be changed",
            self.address,
            self.subnet_name,
            there.join(", ")
        );
        Err(never(
            problem,
            "plan again: an interface is replaced by one that is where it is wanted",
        ))
    }

    /// The interface that has the address, when it is an earlier one of ours, which shows or will.
    async fn taken(&self, step: &Step<'_>, key: &ResourceKey) -> Result<Option<String>, Outcome> {
        let filters = Filters::default()
            .with("subnet-id", [&self.subnet])
            .with("addresses.private-ip-address", [self.address.to_string()]);
        let holders = step.ec2.list_interfaces(&filters).await;
        let holders = holders.map_err(|error| refused(error, "see who has the address"))?;
        let (address, subnet) = (self.address, self.subnet_name);
        let Some(holder) = holders.first() else {
            // An interface that is going keeps its address for a moment.
            return Err(late(format!(
                "the address {address} in {subnet} is taken, and nobody shows who has it"
            )));
        };
        let cluster = &step.context.cluster;
        let of_cluster = key_of(cluster, &holder.tags).map(|(key, _)| key);
        if of_cluster.as_ref() == Some(key) {
            return Ok(Some(holder.id.clone()));
        }
        // What goes with this cluster's changes may be gone the next time.
        let class = if of_cluster.is_some() {
            ErrorClass::Transient
        } else {
            ErrorClass::Permanent
        };
        let problem = format!(
            "{key} is to have the address {address} in {subnet}, which is taken by {}",
            holder::interface(holder)
        );
        let help = format!(
            "delete {} if nobody needs it, or give the machine another address",
            holder.id
        );
        Err(Outcome::Rejected(
            ProviderError::new(class, problem).with_help(help),
        ))
    }
}

async fn make(step: &Step<'_>, key: &ResourceKey, place: &Place<'_>) -> Result<Vec<Interface>, Outcome> {
    let new = &NewInterface {
        subnet: place.subnet.clone(),
        private_address: Some(place.address),
        groups: vec![place.group.clone()],
        tags: step.mark(key),
    };
    let create = |token: String| async move {
        match step.ec2.create_interface(new, &token).await {
            Err(error) if error.is(&["InvalidIPAddress.InUse"]) => place.taken(step, key).await,
            answer => made(answer, "make the interface"),
        }
    };
    let shown = || async { Ok(Some(interfaces(step, key).await?).filter(|found| !found.is_empty())) };
    let salt = format!("{} {}", place.subnet, place.address);
    let (found, _) = step.make_by_token(key, &salt, create, shown).await?;
    Ok(found)
}

async fn interfaces(step: &Step<'_>, key: &ResourceKey) -> Result<Vec<Interface>, Outcome> {
    let interfaces = step.ec2.list_interfaces(&step.marked(key)).await;
    let mut interfaces = interfaces.map_err(|error| refused(error, "look for the interface"))?;
    interfaces.sort_by(|one, other| one.id.cmp(&other.id));
    Ok(interfaces)
}

/// Has the public address of `key` lead to its interface.
async fn lead_here(step: &Step<'_>, key: &ResourceKey, interface: &str) -> Result<(), Outcome> {
    let address = public_address::the_one(step, key).await?;
    if address.interface.as_deref() == Some(interface) {
        return Ok(());
    }
    let led = step.ec2.associate_address(&address.id, interface).await;
    led.map_err(|error| refused(error, "give the interface its public address"))
}

/// Takes the public addresses of `key` from whatever they lead to, and releases them.
async fn release(step: &Step<'_>, key: &ResourceKey) -> Result<(), Outcome> {
    for address in public_address::all(step, key).await? {
        let Some(association) = &address.association else {
            continue;
        };
        let gone = step.ec2.disassociate_address(association).await;
        gone.map_err(|error| refused(error, "take its public address from the interface"))?;
    }
    public_address::release(step, key, LIMIT).await
}

/// The interface goes last: what is left of an ended run is seen by it.
pub(super) async fn delete(step: &Step<'_>, key: &ResourceKey) -> Result<(), Outcome> {
    let nobody_s = || async { Ok(attached_to(step, key).await?.is_empty().then_some(())) };
    if step.until_found(FREE_LIMIT, nobody_s).await?.is_none() {
        return Err(holder::keeps(&attached_to(step, key).await?, key));
    }
    release(step, key).await?;
    for interface in interfaces(step, key).await? {
        let delete = || step.ec2.delete_interface(&interface.id);
        let gone = step.again_while(NOT_FREE, LIMIT, delete).await;
        gone.map_err(|error| refused(error, &format!("delete {key}")))?;
    }
    Ok(())
}

/// Those that have it: instances, or services of AWS.
async fn attached_to(step: &Step<'_>, key: &ResourceKey) -> Result<Vec<String>, Outcome> {
    let found = interfaces(step, key).await?.into_iter();
    let attachments = found.filter_map(|interface| interface.attachment);
    let holder = |instance: Option<String>| instance.unwrap_or_else(|| "a service of AWS".to_owned());
    Ok(attachments
        .map(|attachment| holder(attachment.instance))
        .collect())
}
