//! The hosts that a cluster has, or had: those of the spec, and those that the state store remembers.

mod forgetting;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::StreamExt;
use futures_util::stream;
use keelson_provider_api::values::ClusterName;
use keelson_provider_api::{BoxFuture, Clock, ClusterUid, ErrorClass, ProviderError};

use crate::facts::{Facts, Scope};
use crate::local::LocalShell;
use crate::options::{Access, SshOptions};
use crate::records::{HostRecord, Records};
use crate::session::SshShell;
use crate::session::login::{Login, LoginOptions};
use crate::shell::Shell;
use crate::target::Target;

/// So many hosts are looked at at once.
pub const HOSTS_AT_ONCE: usize = 32;

/// The hosts, by the names of their machines, and a way to run scripts on each. Nothing is connected before it is needed.
pub struct Hosts {
    cluster: ClusterName,
    members: BTreeMap<String, Member>,
    access: Arc<Access>,
    records: Records,
    clock: Arc<dyn Clock>,
    /// The machine-ids that were seen or are remembered, by name.
    machine_ids: Mutex<BTreeMap<String, String>>,
}

struct Member {
    target: Target,
    shell: Arc<dyn Shell>,
    in_spec: bool,
}

impl Hosts {
    /// The hosts that `options` name, and those that the store remembers, without those that are gone. A host that is in both
    /// is reached as the spec says.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn open(options: SshOptions) -> Result<Arc<Self>, ProviderError> {
        let records = Records::new(options.store, &options.cluster);
        let access = Arc::new(Access {
            accept_new_host_keys: options.accept_new_host_keys,
            sudo_password: options.sudo_password,
            config_file: options.config_file,
            identity: options.identity,
            whereabouts: options.whereabouts,
            jump: options.jump,
            connect_limit: options.connect_limit,
            clock: Arc::clone(&options.clock),
        });
        let mut targets = BTreeMap::new();
        let mut machine_ids = BTreeMap::new();
        for (name, record) in records.all().await? {
            if let Some(id) = &record.machine_id {
                machine_ids.insert(name.clone(), id.clone());
            }
            // One that was only asked, and never claimed, is nobody's business when the spec does not name it.
            if record.claimed_by.is_none() {
                continue;
            }
            let target = Target {
                name: name.clone(),
                ..record.target
            };
            targets.insert(name, (target, false));
        }
        for target in options.targets {
            targets.insert(target.name.clone(), (target, true));
        }
        targets.retain(|name, _| !options.gone.contains(name));
        let member = |(name, (target, in_spec)): (String, (Target, bool))| {
            let shell: Arc<dyn Shell> = if target.is_local() {
                Arc::new(LocalShell::new(target.clone(), Arc::clone(&access)))
            } else {
                Arc::new(SshShell::new(
                    target.clone(),
                    Arc::clone(&access),
                    records.clone(),
                ))
            };
            (
                name,
                Member {
                    target,
                    shell,
                    in_spec,
                },
            )
        };
        Ok(Arc::new(Self {
            cluster: options.cluster,
            members: targets.into_iter().map(member).collect(),
            access: Arc::clone(&access),
            records: records.clone(),
            clock: options.clock,
            machine_ids: Mutex::new(machine_ids),
        }))
    }

    /// The cluster whose hosts these are.
    pub fn cluster(&self) -> &ClusterName {
        &self.cluster
    }

    /// Where the time comes from.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// The names of all hosts, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.members.keys().map(String::as_str)
    }

    /// How a host is reached.
    pub fn target(&self, name: &str) -> Option<&Target> {
        self.members.get(name).map(|member| &member.target)
    }

    /// A way to run scripts on a host.
    pub fn shell(&self, name: &str) -> Option<Arc<dyn Shell>> {
        self.members.get(name).map(|member| Arc::clone(&member.shell))
    }

    /// True for a host that the spec names; the others are only remembered.
    pub fn is_in_spec(&self, name: &str) -> bool {
        self.members.get(name).is_some_and(|member| member.in_spec)
    }

    /// A way to run scripts on a host that a change needs.
    ///
    /// # Errors
    /// When nobody knows how to reach it.
    pub fn need(&self, name: &str) -> Result<Arc<dyn Shell>, ProviderError> {
        self.shell(name).ok_or_else(|| {
            ProviderError::new(
                ErrorClass::Permanent,
                format!("{name} is neither in the spec nor remembered in the state store"),
            )
            .with_help(format!("add {name} and its address to spec.provider.ssh.hosts"))
        })
    }

    /// Gets ready for someone to log in on a host. Nothing is connected yet.
    ///
    /// # Errors
    /// When nobody knows how to reach it, or the system has no ssh.
    pub async fn login(&self, name: &str, options: &LoginOptions) -> Result<Login, ProviderError> {
        self.need(name)?;
        match self.target(name) {
            Some(target) if !target.is_local() => {
                Ok(Login::over_ssh(target, &self.access, &self.records, options).await?)
            }
            _ => Ok(Login::here(options)),
        }
    }

    /// Does something with each of the hosts `names`, [`HOSTS_AT_ONCE`] at a time, and gives what came of it by name. Machines
    /// that keelson makes and that are not there, or boot for the first time, are left out: there is nothing on them.
    pub async fn each<'a, T: Send + 'a>(
        &'a self,
        names: impl IntoIterator<Item = String>,
        work: impl Fn(String) -> BoxFuture<'a, T>,
    ) -> BTreeMap<String, T> {
        let work = &work;
        let there = self.there().await;
        let is_there = |name: &String| there.as_ref().is_none_or(|there| there.contains(name));
        let tasks = names
            .into_iter()
            .filter(is_there)
            .map(|name| async move { (name.clone(), work(name).await) });
        let tasks: Vec<_> = tasks.collect();
        stream::iter(tasks)
            .buffer_unordered(HOSTS_AT_ONCE)
            .collect()
            .await
    }

    /// Whether it is known where a host is, and by which keys: of a machine that keelson makes, once it is there and has published
    /// them.
    ///
    /// # Errors
    /// When that cannot be found out.
    pub async fn is_known(&self, name: &str) -> Result<bool, ProviderError> {
        let Some(whereabouts) = &self.access.whereabouts else {
            return Ok(true);
        };
        let places = whereabouts.all().await?;
        Ok(places
            .get(name)
            .is_some_and(|place| !place.boots_for_the_first_time()))
    }

    /// The machines that keelson makes and that are not there, or boot for the first time; none where nobody can say.
    pub async fn absent(&self) -> BTreeSet<String> {
        let there = self.there().await;
        let is_absent = |name: &&str| there.as_ref().is_some_and(|there| !there.contains(*name));
        self.names().filter(is_absent).map(str::to_owned).collect()
    }

    /// The machines that are there and have booted; nothing where all hosts stand somewhere, or nobody can say: whoever connects
    /// hears why.
    async fn there(&self) -> Option<BTreeSet<String>> {
        let found = self.access.whereabouts.as_ref()?.all().await.ok()?;
        let booted = found
            .into_iter()
            .filter(|(_, place)| !place.boots_for_the_first_time());
        Some(booted.map(|(name, _)| name).collect())
    }

    /// What a host is like now.
    ///
    /// # Errors
    /// When it cannot be reached, or answers with something else.
    pub async fn facts(&self, name: &str, scope: Scope) -> Result<Facts, crate::facts::FactsError> {
        let shell = self.need(name).map_err(crate::facts::FactsError::Unknown)?;
        let facts = crate::facts::gather(&*shell, &*self.clock, scope).await?;
        let mut ids = self.machine_ids.lock().unwrap_or_else(PoisonError::into_inner);
        ids.insert(name.to_owned(), facts.machine_id.clone());
        Ok(facts)
    }

    /// The `/etc/machine-id` that a host showed last, in this run or when it was claimed. It is the id of its machine.
    pub fn machine_id(&self, name: &str) -> Option<String> {
        let ids = self.machine_ids.lock().unwrap_or_else(PoisonError::into_inner);
        ids.get(name).cloned()
    }

    /// What the store remembers of a host.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn record(&self, name: &str) -> Result<Option<HostRecord>, ProviderError> {
        self.records.read(name).await
    }

    /// Remembers that a host was claimed, so that it can be reached when it has left the spec.
    pub(crate) async fn remember(
        &self,
        name: &str,
        machine_id: Option<&str>,
        uid: &ClusterUid,
    ) -> Result<(), ProviderError> {
        let Some(target) = self.target(name) else {
            return Ok(());
        };
        let change = |record: &mut HostRecord| {
            record.target = target.clone();
            record.machine_id = machine_id.map(str::to_owned);
            record.claimed_by = Some(uid.clone());
        };
        self.records.change(target, change).await
    }
}
