//! What every change of a thing of AWS needs.

use std::time::Duration;

use keelson_aws_calls::CallError;
use keelson_aws_calls::ec2::{Ec2, Filters};
use keelson_aws_calls::mark::{CLUSTER, RESOURCE, Tags, mark};
use keelson_provider_api::{
    Action, Change, Clock, ClusterUid, ErrorClass, Kind, Outcome, Patience, ProviderError, ResourceKey,
    StepContext,
};

/// How often is looked while something is waited for.
const PAUSE: Duration = Duration::from_secs(3);

/// What was just made shows in less.
const SHOWN_LIMIT: Duration = Duration::from_secs(6);
/// So often something is made anew under the same key and generation.
pub(crate) const MOST_TOKENS: u32 = 8;

/// What AWS says of something that others still need.
const NEEDED: &[&str] = &[
    "AuthFailure",
    "DependencyViolation",
    "InvalidIPAddress.InUse",
    "ResourceInUse",
];

/// One change, being carried out.
#[derive(Clone, Copy)]
pub(crate) struct Step<'a> {
    pub(crate) ec2: &'a Ec2,
    pub(crate) clock: &'a dyn Clock,
    pub(crate) context: &'a StepContext<'a>,
    /// Which incarnation of its key is made, where one is made.
    pub(crate) generation: u32,
}

impl<'a> Step<'a> {
    /// `change`, which is carried out by calls of `ec2`. An update does not know which incarnation it changes.
    pub(crate) fn of(
        ec2: &'a Ec2,
        clock: &'a dyn Clock,
        context: &'a StepContext<'a>,
        change: &Change,
    ) -> Self {
        Self {
            ec2,
            clock,
            context,
            generation: match &change.action {
                Action::Create { generation, .. } => *generation,
                Action::Update { .. } => 0,
                Action::Delete { existing } => existing.generation,
            },
        }
    }
}

impl Step<'_> {
    /// Finds what bears the mark of `key`, in this life of the cluster.
    pub(crate) fn marked(&self, key: &ResourceKey) -> Filters {
        let uid = self.context.cluster.uid.as_ref().map_or("", ClusterUid::as_str);
        Filters::default()
            .with_tag(CLUSTER, uid)
            .with_tag(RESOURCE, &key.to_string())
    }

    /// The mark of `key` for what is made now.
    pub(crate) fn mark(&self, key: &ResourceKey) -> Tags {
        mark(&self.context.cluster, key, self.generation)
    }

    /// What says that a create of `part` of `key` is the same one, also to a later run. `salt` is the id of what it is made in:
    /// what was deleted by hand and is made again has the same key and generation.
    pub(crate) fn token(&self, key: &ResourceKey, salt: &str) -> String {
        let salted = ResourceKey::new(key.kind(), format!("{} {salt}", key.name()));
        self.context.cluster.token(&salted, self.generation)
    }

    /// Makes `key` by `create`, which gets a client token, and gives the id of what it made, or nothing where the token was used
    /// up; and looks by `look` until it finds something. With that come the ids of all that was made. `salt` is as for
    /// [`Self::token`].
    ///
    /// A token that has made something which is gone by now makes no other one: EC2 answers it with what is gone, or refuses
    /// it. So there are more of them.
    pub(crate) async fn make_by_token<T, M, L>(
        &self,
        key: &ResourceKey,
        salt: &str,
        create: impl Fn(String) -> M,
        look: impl Fn() -> L,
    ) -> Result<(T, Vec<String>), Outcome>
    where
        M: Future<Output = Result<Option<String>, Outcome>>,
        L: Future<Output = Result<Option<T>, Outcome>>,
    {
        let mut all = Vec::new();
        for round in 0..MOST_TOKENS {
            let token = self.token(key, &format!("{salt} {round}"));
            let Some(id) = create(token).await? else { continue };
            all.push(id);
            if let Some(found) = self.until_found(SHOWN_LIMIT, &look).await? {
                return Ok((found, all));
            }
        }
        Err(missing(key))
    }

    /// The id of the network `name`. One that exists already and is only used is called by its id.
    pub(crate) async fn network_id(&self, name: &str) -> Result<String, Outcome> {
        if name.starts_with("vpc-") {
            return Ok(name.to_owned());
        }
        let key = ResourceKey::new(Kind::Network, name);
        let vpcs = self.ec2.list_vpcs(&self.marked(&key)).await;
        let vpcs = vpcs.map_err(|error| refused(error, "look for the network"))?;
        let first = vpcs.into_iter().map(|vpc| vpc.id).min();
        first.ok_or_else(|| missing(&key))
    }

    /// The id of the subnet `name`. One that exists already and is only used is called by its id.
    pub(crate) async fn subnet_id(&self, name: &str) -> Result<String, Outcome> {
        if name.starts_with("subnet-") {
            return Ok(name.to_owned());
        }
        let key = ResourceKey::new(Kind::Subnet, name);
        let subnets = self.ec2.list_subnets(&self.marked(&key)).await;
        let subnets = subnets.map_err(|error| refused(error, "look for the subnet"))?;
        let first = subnets.into_iter().map(|subnet| subnet.id).min();
        first.ok_or_else(|| missing(&key))
    }

    /// The id of the firewall `name`.
    pub(crate) async fn firewall_id(&self, name: &str) -> Result<String, Outcome> {
        let key = ResourceKey::new(Kind::Firewall, name);
        let groups = self.ec2.list_security_groups(&self.marked(&key)).await;
        let groups = groups.map_err(|error| refused(error, "look for the security group"))?;
        let first = groups.into_iter().map(|group| group.id).min();
        first.ok_or_else(|| missing(&key))
    }

    /// Does `call` until it is answered with none of `codes`, for as long as `limit`.
    pub(crate) async fn again_while<T, F>(
        &self,
        codes: &[&str],
        limit: Duration,
        call: impl Fn() -> F,
    ) -> Result<T, CallError>
    where
        F: Future<Output = Result<T, CallError>>,
    {
        let patience = Patience::of(self.clock, limit);
        loop {
            match call().await {
                Err(error) if error.is(codes) && patience.wait(PAUSE).await => {}
                ended => return ended,
            }
        }
    }

    /// Does `delete` until nothing needs what it deletes any more, for as long as `limit`.
    pub(crate) async fn delete_when_free<F>(
        &self,
        what: &ResourceKey,
        limit: Duration,
        delete: impl Fn() -> F,
    ) -> Result<(), Outcome>
    where
        F: Future<Output = Result<(), CallError>>,
    {
        let ended = self.deleted_when_free(limit, delete).await;
        ended.map_err(|error| refused(error, &format!("delete {what}")))
    }

    /// The same, for whoever says more of what still needs it.
    pub(crate) async fn deleted_when_free<F>(
        &self,
        limit: Duration,
        delete: impl Fn() -> F,
    ) -> Result<(), CallError>
    where
        F: Future<Output = Result<(), CallError>>,
    {
        self.again_while(NEEDED, limit, delete).await
    }

    /// Looks by `look` until it finds something, for as long as `limit`; nothing when it does not.
    pub(crate) async fn until_found<T, F>(
        &self,
        limit: Duration,
        look: impl Fn() -> F,
    ) -> Result<Option<T>, Outcome>
    where
        F: Future<Output = Result<Option<T>, Outcome>>,
    {
        let patience = Patience::of(self.clock, limit);
        loop {
            if let Some(found) = look().await? {
                return Ok(Some(found));
            }
            if !patience.wait(PAUSE).await {
                return Ok(None);
            }
        }
    }
}

/// What a create with a client token has made, for whoever wanted to do `what`: nothing where the token was used up.
pub(crate) fn made<T>(answer: Result<T, CallError>, what: &str) -> Result<Option<T>, Outcome> {
    match answer {
        Err(error) if error.is(&["IdempotentParameterMismatch"]) => Ok(None),
        answer => answer.map(Some).map_err(|error| refused(error, what)),
    }
}

/// A call that ended badly, for whoever wanted to do `what`.
pub(crate) fn refused(error: CallError, what: &str) -> Outcome {
    error.outcome(what)
}

/// What stays as it is until somebody changes something, and what to do about it.
pub(crate) fn never(problem: impl Into<String>, help: impl Into<String>) -> Outcome {
    Outcome::Rejected(ProviderError::new(ErrorClass::Permanent, problem).with_help(help))
}

/// Something that has to be there first, and is not.
pub(crate) fn missing(key: &ResourceKey) -> Outcome {
    let problem = format!("{key} is not there yet, or does not show yet");
    Outcome::Rejected(ProviderError::new(ErrorClass::Transient, problem))
}

/// Something that was waited for in vain.
pub(crate) fn late(problem: impl Into<String>) -> Outcome {
    Outcome::Indeterminate(ProviderError::new(ErrorClass::Transient, problem))
}
