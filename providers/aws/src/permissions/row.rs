//! What a row of the tables is made of.

use keelson_provider_api::Resource;

/// What is done with a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    /// Whatever there is of its kind is looked at.
    Look,
    /// Before it is made, what would stand in the way is looked for.
    Preflight,
    /// It is made.
    Create,
    /// It is changed, or what was begun of it is ended.
    Update,
    /// It is taken away.
    Delete,
}

pub(super) const LOOK: &[Verb] = &[Verb::Look];
pub(super) const PREFLIGHT: &[Verb] = &[Verb::Preflight];
pub(super) const CREATE: &[Verb] = &[Verb::Create];
pub(super) const UPDATE: &[Verb] = &[Verb::Update];
pub(super) const DELETE: &[Verb] = &[Verb::Delete];
/// What a create and an update have in common.
pub(super) const BRING: &[Verb] = &[Verb::Create, Verb::Update];
/// What is taken away of what was changed or is there twice, and with the whole.
pub(super) const UPDATE_OR_DELETE: &[Verb] = &[Verb::Update, Verb::Delete];
pub(super) const ALL: &[Verb] = &[Verb::Create, Verb::Update, Verb::Delete];

/// What actions are allowed on.
#[derive(Debug, Clone, Copy)]
pub(super) enum On {
    /// Everything: AWS knows nothing finer for these actions.
    Everything,
    /// Things of EC2 of these types that the call makes, and gives the cluster's mark.
    Made(&'static [&'static str]),
    /// Things of EC2 of these types that bear the cluster's mark.
    Own(&'static [&'static str]),
    /// The network that the resource is in: the cluster's own, or one that existed before, by its id.
    Network,
    /// The subnets that the resource is in, in the same way.
    Subnets,
    /// The images that machines are started from, by who owns them or by their ids.
    Image,
    /// The interface that a machine is started with, which is there already.
    Interface,
    /// What tags of machines say besides their mark.
    MachineTags,
    /// Things of Elastic Load Balancing of these types that the call makes, and gives the cluster's mark.
    MadeBalancing(&'static [&'static str]),
    /// Things of Elastic Load Balancing of these types that bear the cluster's mark.
    OwnBalancing(&'static [&'static str]),
    /// Things of Elastic Load Balancing of these types that controllers of the cluster have made.
    BalancingOfControllers(&'static [&'static str]),
    /// Security groups that they have made.
    GroupsOfControllers,
    /// Things of this type with data that they have made.
    DataOfControllers(&'static str),
    /// The load balancer that a listener is made of.
    Listened,
    /// The zone that the cluster's names are in, for whoever looks for it.
    ZoneSearch,
    /// The records of that zone.
    Zone,
    /// That zone, where it is a private one: which VPCs see it.
    PrivateZone,
    /// That zone, where it is a private one that the cluster's own VPC is associated with while it has names in it.
    JoinedZone,
    /// The records of the resource's own name.
    Name,
    /// What becomes of a change of records.
    NameChange,
    /// Roles below the cluster's path.
    Roles,
    /// A role below the cluster's path that the call makes, and gives the cluster's mark.
    MadeRole,
    /// An instance profile, in the same way.
    MadeProfile,
    /// The role, where nothing bounds it.
    Role,
    /// The role, with what bounds it.
    BoundRole,
    /// The role, with the policies that it is given.
    GivenPolicies,
    /// Instance profiles below the cluster's path.
    Profiles,
    /// The role, for those who hand it to instances.
    PassedRole,
    /// The role that this service of AWS makes for itself in an account that it serves for the first time.
    ServiceRole(&'static str),
    /// Auto Scaling groups of the cluster's own names that the call makes, and gives the cluster's mark.
    MadeGroup,
    /// Auto Scaling groups that bear the cluster's mark.
    OwnGroups,
    /// What tags of Auto Scaling groups say besides their mark.
    GroupTags,
    /// The key that a volume is encrypted with: what its user asks of it.
    VolumeKey,
    /// The same: what EC2 is lent of it.
    VolumeKeyGrant,
}

/// Actions, and when and on what they are called.
#[derive(Debug)]
pub(super) struct Row {
    verbs: &'static [Verb],
    /// What they are called on.
    pub(super) on: On,
    /// The actions, as policies name them.
    pub(super) actions: &'static [&'static str],
    only_if: Option<fn(&Resource) -> bool>,
}

/// A row for all resources of a kind.
pub(super) const fn row(verbs: &'static [Verb], on: On, actions: &'static [&'static str]) -> Row {
    Row {
        verbs,
        on,
        actions,
        only_if: None,
    }
}

impl Row {
    /// The same, for such resources only.
    pub(super) const fn only_if(self, is_meant: fn(&Resource) -> bool) -> Self {
        Self {
            only_if: Some(is_meant),
            ..self
        }
    }

    pub(super) fn is_of(&self, verb: Verb) -> bool {
        self.verbs.contains(&verb)
    }

    pub(super) fn applies_to(&self, resource: &Resource) -> bool {
        self.only_if.is_none_or(|is_meant| is_meant(resource))
    }
}
