//! What a create does, and when it is refused.

use keelson_provider_api::kinds::{Kind, NodeBundle};
use keelson_provider_api::{ProviderError, Resource, ResourceKey};

use super::{Call, Effect, Holder, Refusal, Rule, Thing, World, permanent, restart_time, transient};
use crate::random::later;

/// How many tokens of things that are gone are tried before a create gives up.
const MOST_GENERATIONS: u32 = 32;

/// Where a create stands before anything is made.
enum Standing {
    /// It has been done: nothing is left to do.
    Done,
    /// Nothing is there: make it, as this generation, after taking the leftovers away.
    Make {
        generation: u32,
        leftovers: Vec<u64>,
        twice: bool,
    },
}

impl World {
    /// Which kinds the platform makes again for every new token: it knows them by id and not by name.
    pub(super) fn is_known_by_token(&self, kind: Kind) -> bool {
        self.like.is_cloud() && matches!(kind, Kind::Machine | Kind::Network | Kind::LoadBalancer)
    }

    /// What creating `resource` does now.
    pub(crate) fn create(
        &self,
        call: &Call<'_>,
        resource: &Resource,
        generation: u32,
    ) -> Result<Vec<Effect>, Refusal> {
        self.refuse_foreign_holder(call)?;
        let standing = if self.is_known_by_token(call.key().kind()) {
            self.standing_by_token(call, resource, generation)?
        } else {
            self.standing_by_name(call, resource, generation)?
        };
        let Standing::Make {
            generation,
            leftovers,
            twice,
        } = standing
        else {
            return Ok(Vec::new());
        };
        self.check_references(call, resource)?;
        self.check_attachments(call, resource)?;
        let thing = self.new_thing(call, resource, generation);
        let mut effects: Vec<Effect> = leftovers
            .into_iter()
            .map(|serial| Effect::Remove { serial })
            .collect();
        effects.extend(self.make(call, resource, thing)?);
        if twice {
            let what = format!("{} was made a second time", call.key());
            effects.extend(Self::violation(call, Rule::MadeTwice, what));
        }
        Ok(effects)
    }

    /// The one who holds the name of `call`'s key in place of its cluster. Names of DNS records belong to the
    /// zone and hosts to themselves; names of other infrastructure are made from the cluster's name, so they
    /// clash between two lives of one cluster and with nobody else.
    pub(super) fn foreign_holder(&self, holder: &Holder, key: &ResourceKey) -> Option<&Thing> {
        let kind = key.kind();
        self.things.under(key).find(|thing| {
            thing.holder != *holder
                && match (kind, &thing.holder, holder) {
                    (Kind::DnsRecord, ..) => true,
                    (Kind::Machine, ..) => !self.like.is_cloud(),
                    (
                        Kind::Subnet | Kind::Firewall | Kind::LoadBalancer | Kind::NodeGroup,
                        Holder::Cluster { name, .. },
                        Holder::Cluster { name: ours, .. },
                    ) => name == ours,
                    _ => false,
                }
        })
    }

    fn refuse_foreign_holder(&self, call: &Call<'_>) -> Result<(), ProviderError> {
        match self.foreign_holder(&call.holder, call.key()) {
            Some(thing) if thing.key.kind() == Kind::Machine => Err(permanent(format!(
                "host {} carries the marker of {}",
                thing.key.name(),
                thing.holder
            ))
            .with_help("reset the host with the cluster that claimed it, or choose another host")),
            Some(thing) => Err(permanent(format!(
                "{} exists already and belongs to {}",
                thing.key, thing.holder
            ))
            .with_help("remove it by hand if nobody needs it, or choose another name")),
            None => Ok(()),
        }
    }

    fn standing_by_token(
        &self,
        call: &Call<'_>,
        resource: &Resource,
        generation: u32,
    ) -> Result<Standing, ProviderError> {
        let mut present = self
            .things
            .under(call.key())
            .filter(|thing| thing.holder == call.holder)
            .peekable();
        let twice = present.peek().is_some();
        let tokens: Vec<&Thing> = present.collect();
        for generation in generation..generation.saturating_add(MOST_GENERATIONS) {
            let token = call.identity.token(call.key(), generation);
            if let Some(thing) = tokens.iter().find(|thing| thing.token == token) {
                if thing.resource.differences(resource).is_empty() {
                    return Ok(Standing::Done);
                }
                // https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-idempotency.html
                return Err(transient(
                    "IdempotentParameterMismatch: the client token was used with other parameters",
                ));
            }
            // The platform answers an old token with the thing that is gone: go on to the next incarnation.
            if !self.tombstones.contains_key(&token) {
                return Ok(Standing::Make {
                    generation,
                    leftovers: Vec::new(),
                    twice,
                });
            }
        }
        Err(permanent(format!(
            "{MOST_GENERATIONS} incarnations of {} are gone by now",
            call.key()
        )))
    }

    fn standing_by_name(
        &self,
        call: &Call<'_>,
        resource: &Resource,
        generation: u32,
    ) -> Result<Standing, ProviderError> {
        let Some(thing) = self.things.get(&call.holder, call.key()) else {
            return Ok(Standing::Make {
                generation,
                leftovers: Vec::new(),
                twice: false,
            });
        };
        if self.host_of(thing).is_err() {
            // A kubelet that registers takes a node object of its name over; etcd keeps members apart by URL.
            return match thing.key.kind() {
                Kind::EtcdMember => Err(permanent(
                    "etcdserver: Peer URLs already exists: the member's former machine is gone",
                )
                .with_help("remove the member first")),
                _ => Ok(Standing::Make {
                    generation,
                    leftovers: vec![thing.serial],
                    twice: false,
                }),
            };
        }
        let differences = thing.resource.differences(resource);
        let only_phase = differences.iter().all(|difference| difference.field == "phase");
        if differences.is_empty() || (thing.key.kind() == Kind::EtcdMember && only_phase) {
            return Ok(Standing::Done);
        }
        let fields: Vec<&str> = differences
            .iter()
            .map(|difference| difference.field.as_str())
            .collect();
        Err(permanent(format!(
            "{} exists already with another {}",
            thing.key,
            fields.join(", ")
        )))
    }

    pub(super) fn check_references(&self, call: &Call<'_>, resource: &Resource) -> Result<(), ProviderError> {
        for reference in resource.references() {
            let found = self.things.get(&call.holder, &reference);
            if found.is_none_or(|thing| self.host_of(thing).is_err()) {
                return Err(self.without(call, &reference));
            }
        }
        Ok(())
    }

    /// Refuses a machine that is to have an interface or a volume of another one: each is attached to one at a time.
    fn check_attachments(&self, call: &Call<'_>, resource: &Resource) -> Result<(), ProviderError> {
        if call.key().kind() != Kind::Machine {
            return Ok(());
        }
        let is_attached = |key: &ResourceKey| matches!(key.kind(), Kind::Volume | Kind::NetworkInterface);
        for ground in resource.references().into_iter().filter(is_attached) {
            let mut users = self.things.referrers(&call.holder, &ground);
            if let Some(user) = users.find(|thing| thing.key.kind() == Kind::Machine) {
                return Err(transient(format!("{ground} is in use by {}", user.id)));
            }
        }
        Ok(())
    }

    fn without(&self, call: &Call<'_>, reference: &ResourceKey) -> ProviderError {
        let machine = reference.host().map(|host| ResourceKey::new(Kind::Machine, host));
        match machine.filter(|machine| self.things.get(&call.holder, machine).is_none()) {
            Some(machine) => permanent(format!("{machine} is gone, and {reference} with it"))
                .with_help("run the command again, which makes it anew"),
            None => permanent(format!("dependency violation: {reference} does not exist"))
                .with_help(format!("{reference} has to exist before {}", call.key())),
        }
    }

    /// The effects of a create that nothing stands against, kind by kind.
    fn make(
        &self,
        call: &Call<'_>,
        resource: &Resource,
        mut thing: Thing,
    ) -> Result<Vec<Effect>, ProviderError> {
        if let (Some(machine), false) = (call.change.machine(), matches!(resource, Resource::Machine(_))) {
            self.reachable(machine, call.now).map_err(transient)?;
        }
        match resource {
            Resource::Machine(machine) if !self.like.is_cloud() => {
                self.claim(call, machine.address.as_deref())?;
            }
            Resource::NodeBundle(bundle) => {
                self.check_versions(call, bundle)?;
                let members = self.taken_up(&call.holder, &bundle.machine);
                return Ok([vec![Effect::Put(Box::new(thing))], members].concat());
            }
            Resource::EtcdMember(member) => {
                let bundle = self.bundle(&call.holder, &member.machine);
                if bundle.is_none_or(|bundle| bundle.etcd_version.is_none()) {
                    return Err(permanent(format!("the bundle on {} has no etcd", member.machine)));
                }
                return self.start_member(call, member, thing);
            }
            Resource::EtcdSnapshot(snapshot) => {
                thing.facts = self.snapshot_facts(call, &snapshot.cluster)?;
            }
            Resource::ControlPlane(control_plane) => {
                self.check_kubernetes(call, &control_plane.machine)?;
                self.etcd_ready(&call.holder, call.now)
                    .map_err(|why| transient(format!("the API server cannot start: {why}")))?;
                thing.busy_until = Some(later(call.now, restart_time(true)));
            }
            Resource::Node(node) => {
                self.check_kubernetes(call, &node.machine)?;
                self.endpoint_answers(&call.holder, call.now)
                    .map_err(|why| transient(format!("the kubelet cannot register: {why}")))?;
            }
            Resource::Addon(_) => {
                self.api_answers(&call.holder, call.now).map_err(transient)?;
            }
            Resource::GroupMachine(_) => return Err(permanent("a group makes its machines by itself")),
            _ => {}
        }
        Ok(vec![Effect::Put(Box::new(thing))])
    }

    pub(super) fn bundle(&self, holder: &Holder, machine: &str) -> Option<&NodeBundle> {
        match &self
            .things
            .get(holder, &ResourceKey::new(Kind::NodeBundle, machine))?
            .resource
        {
            Resource::NodeBundle(bundle) => Some(bundle),
            _ => None,
        }
    }

    fn check_kubernetes(&self, call: &Call<'_>, machine: &str) -> Result<(), ProviderError> {
        let bundle = self.bundle(&call.holder, machine);
        if bundle.is_none_or(|bundle| bundle.kubernetes_version.is_none()) {
            return Err(permanent(format!("the bundle on {machine} has no kubelet")));
        }
        Ok(())
    }

    fn claim(&self, call: &Call<'_>, address: Option<&str>) -> Result<(), ProviderError> {
        let name = call.key().name();
        let host = self
            .hosts
            .get(name)
            .filter(|host| address.is_none_or(|address| host.address == address));
        if host.is_none() {
            let place = address.unwrap_or(name);
            return Err(
                permanent(format!("ssh: connect to host {place} port 22: No route to host")).with_help(
                    format!("no host {name} stands at {place}; check its address in the spec"),
                ),
            );
        }
        self.reachable(name, call.now).map_err(permanent)
    }

    fn snapshot_facts(
        &self,
        call: &Call<'_>,
        name: &str,
    ) -> Result<std::collections::BTreeMap<String, String>, ProviderError> {
        let Some(cluster) = self.etcd_cluster(&call.holder, name) else {
            return Err(permanent(format!(
                "there is no etcd {name} to take a snapshot of"
            )));
        };
        let count = self.etcd_count(&call.holder, name, call.now);
        if !count.has_quorum() {
            return Err(transient(format!(
                "etcdserver: no leader: etcd {name} has {} of {} voters",
                count.working, count.voters
            )));
        }
        let revision = Self::revision(cluster, call.now);
        let hash =
            keelson_provider_api::values::Digest::of_bytes(format!("{}\n{revision}", self.seed).as_bytes());
        let facts = [
            ("revision", revision.to_string()),
            ("hash", hash.short(8)),
            // An empty database is 20 KiB; about a kilobyte for each write of an object.
            ("size", format!("{} KiB", 20 + cluster.writes)),
        ];
        Ok(facts.map(|(name, value)| (name.to_owned(), value)).into())
    }

    /// Why a create has to wait before it can have its effect, if so.
    pub(crate) fn create_waits_for(&self, call: &Call<'_>, resource: &Resource) -> Option<String> {
        let (holder, now) = (&call.holder, call.now);
        match resource {
            Resource::Node(_) => self.endpoint_answers(holder, now).err(),
            Resource::Addon(_) => self.api_answers(holder, now).err(),
            Resource::ControlPlane(_) => self.etcd_ready(holder, now).err(),
            _ => None,
        }
    }
}
