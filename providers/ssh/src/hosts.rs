//! The hosts that a cluster has, or had: those of the spec, and those that the state store remembers.

use std::collections::BTreeMap;
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

    /// Does something with each of the hosts `names`, [`HOSTS_AT_ONCE`] at a time, and gives what came of it by name.
    pub async fn each<'a, T: Send + 'a>(
        &'a self,
        names: impl IntoIterator<Item = String>,
        work: impl Fn(String) -> BoxFuture<'a, T>,
    ) -> BTreeMap<String, T> {
        let work = &work;
        let tasks = names
            .into_iter()
            .map(|name| async move { (name.clone(), work(name).await) });
        let tasks: Vec<_> = tasks.collect();
        stream::iter(tasks)
            .buffer_unordered(HOSTS_AT_ONCE)
            .collect()
            .await
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

    /// Forgets a host that is gone for good, so that nothing waits for it any more. Nothing is done on it.
    ///
    /// # Errors
    /// When the spec names it, when nothing is remembered of it, when it answers and bears the cluster's mark, or when the
    /// store cannot be read or written.
    pub async fn give_up(&self, name: &str) -> Result<(), ProviderError> {
        let refused = |message: String, help: String| {
            Err(ProviderError::new(ErrorClass::Permanent, message).with_help(help))
        };
        if self.is_in_spec(name) {
            let help = format!("take {name} out of spec.provider.ssh.hosts first");
            return refused(format!("the spec has the host {name}"), help);
        }
        let Some(record) = self.records.read(name).await? else {
            let known: Vec<&str> = self.names().filter(|name| !self.is_in_spec(name)).collect();
            let help = match known.as_slice() {
                [] => "the cluster has no hosts besides those of the spec".to_owned(),
                known => format!(
                    "hosts that have left the spec and are not released: {}",
                    known.join(", ")
                ),
            };
            return refused(format!("nothing is remembered of a host {name}"), help);
        };
        if self.is_ours(name, &record).await {
            let message = format!(
                "{name} answers at {} and is a host of this cluster",
                record.target.address
            );
            return refused(message, "it is not gone: `keelson apply` releases it".to_owned());
        }
        self.forget(name).await
    }

    /// Makes sure that a host that is called gone does not answer as one of the cluster's.
    ///
    /// # Errors
    /// When nobody knows it, when it answers and bears the cluster's mark, or when the store cannot be read.
    pub async fn check_gone(&self, name: &str) -> Result<(), ProviderError> {
        let permanent = |message: String| ProviderError::new(ErrorClass::Permanent, message);
        let Some(target) = self.target(name) else {
            let known: Vec<&str> = self.names().collect();
            return Err(permanent(format!("the cluster has no host {name}"))
                .with_help(format!("its hosts are: {}", known.join(", "))));
        };
        if let Some(record) = self.records.read(name).await?
            && self.is_ours(name, &record).await
        {
            return Err(permanent(format!(
                "{name} answers at {} and is a host of this cluster",
                target.address
            ))
            .with_help(format!(
                "it is not gone, and is released like the others: leave out --gone {name}"
            )));
        }
        Ok(())
    }

    /// True when a host answers and bears the mark of the cluster that claimed it. Whoever does not answer, or is someone else
    /// by now, has nothing that could be released.
    async fn is_ours(&self, name: &str, record: &HostRecord) -> bool {
        let facts = self.facts(name, Scope::Marks).await;
        let mark = facts.ok().and_then(|facts| facts.mark);
        matches!(mark, Some(Ok(mark)) if Some(&mark.uid) == record.claimed_by.as_ref())
    }

    /// Forgets a host that was released.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn forget(&self, name: &str) -> Result<(), ProviderError> {
        self.records.remove(name).await
    }

    /// Forgets the host keys that were pinned for a host, as after it was installed anew; the next connection goes by the
    /// user's own known hosts again.
    ///
    /// # Errors
    /// When the store cannot be read or written.
    pub async fn forget_keys(&self, name: &str) -> Result<(), ProviderError> {
        let Some(record) = self.records.read(name).await? else {
            return Ok(());
        };
        let target = Target {
            name: name.to_owned(),
            ..record.target
        };
        self.records
            .change(&target, |record| record.host_keys.clear())
            .await
    }
}
