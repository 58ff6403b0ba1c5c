//! Where the instances of a cluster are, and by which keys they are known.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use keelson_provider_api::clock::SystemClock;
use keelson_provider_api::values::ClusterName;
use keelson_provider_api::{
    Clock, ClusterIdentity, ErrorClass, ProviderError, Store, StoreError, with_causes,
};
use keelson_provider_aws::{PlacedMachine, PlacedMachines};
use keelson_provider_ssh::{LoginFile, Whereabout, Whereabouts};
use tokio::sync::Mutex;

use crate::model::stored::host_keys_folder;
use crate::ops::{Authorities, begun_identity};

/// As long as an answer of EC2's is good for connections: a plan makes many at the same time.
const GOOD_FOR: Duration = Duration::from_secs(5);

/// Says where instances are: EC2 knows their addresses, and each has published its keys in the state store, where its role lets it
/// write to an object of its own and nobody else's.
pub(super) struct Instances {
    cluster: ClusterName,
    machines: PlacedMachines,
    store: Arc<dyn Store>,
    authorities: Authorities,
    login_user: &'static str,
    login_file: LoginFile,
    jump: Option<String>,
    known: Mutex<Known>,
}

/// What was found out.
#[derive(Default)]
struct Known {
    identity: Option<ClusterIdentity>,
    has_login_key: bool,
    /// The keys that instances have published, by the instances' ids. What is published stays.
    host_keys: BTreeMap<String, Vec<String>>,
    /// Where machines are, and when it was asked.
    last: Option<(Timestamp, BTreeMap<String, Whereabout>)>,
}

impl Instances {
    /// The instances of `cluster`, which are logged in on as `login_user` by the key that `authorities` keep.
    pub(super) fn new(
        cluster: &ClusterName,
        machines: PlacedMachines,
        store: Arc<dyn Store>,
        authorities: Authorities,
        login_user: &'static str,
    ) -> std::io::Result<Self> {
        Ok(Self {
            cluster: cluster.clone(),
            machines,
            store,
            authorities,
            login_user,
            login_file: LoginFile::create()?,
            jump: None,
            known: Mutex::default(),
        })
    }

    /// The same, which are reached through the one that is called `jump`, if there is one.
    pub(super) fn reached_through(self, jump: Option<String>) -> Self {
        Self { jump, ..self }
    }

    /// The file with the key to log in by, which is filled before the first connection.
    pub(super) fn login_file(&self) -> PathBuf {
        self.login_file.path().to_path_buf()
    }

    /// The life of the cluster, once it has begun.
    async fn identity(&self, known: &mut Known) -> Result<ClusterIdentity, ProviderError> {
        if let Some(identity) = &known.identity {
            return Ok(identity.clone());
        }
        let identity = begun_identity(&*self.store, &self.cluster).await;
        let identity = identity.map_err(|error| of_store(&error))?;
        if identity.uid.is_some() {
            known.identity = Some(identity.clone());
        }
        Ok(identity)
    }

    async fn find_login_key(&self, known: &mut Known) -> Result<(), ProviderError> {
        if known.has_login_key {
            return Ok(());
        }
        let key = self.authorities.existing_login_key().await;
        let key = key.map_err(|error| ProviderError::new(ErrorClass::Permanent, with_causes(&error)))?;
        // Before there is one there is no machine either.
        if let Some(key) = key {
            let filled = self.login_file.fill(key.private_pem());
            filled.map_err(|error| {
                let problem = format!("the key to log in with cannot be given to ssh: {error}");
                ProviderError::new(ErrorClass::Transient, problem)
            })?;
            known.has_login_key = true;
        }
        Ok(())
    }

    /// Reads what instances have published that are not known yet.
    async fn find_host_keys(
        &self,
        known: &mut Known,
        placed: &BTreeMap<String, PlacedMachine>,
    ) -> Result<(), ProviderError> {
        let is_new = |machine: &&PlacedMachine| !known.host_keys.contains_key(&machine.id);
        let new: Vec<&PlacedMachine> = placed.values().filter(is_new).collect();
        if new.is_empty() {
            return Ok(());
        }
        let published = self.store.list(&host_keys_folder(&self.cluster)).await;
        let published = published.map_err(|error| of_store(&error))?;
        for machine in new {
            // The last part of an instance's ARN is its id.
            let mut paths = published.iter();
            let Some(path) = paths.find(|path| path.rsplit('/').next() == Some(&*machine.id)) else {
                continue;
            };
            let object = self.store.read(path).await.map_err(|error| of_store(&error))?;
            if let Some(object) = object {
                let text = String::from_utf8_lossy(&object.content);
                known.host_keys.insert(machine.id.clone(), host_keys(&text));
            }
        }
        Ok(())
    }

    fn place(&self, known: &Known, name: &str, machine: &PlacedMachine) -> Option<Whereabout> {
        let is_behind = self.jump.as_deref().is_some_and(|jump| jump != name);
        let public = machine.public_address.filter(|_| !is_behind);
        let address = public.or(machine.private_address)?;
        let host_keys = known.host_keys.get(&machine.id).cloned();
        Some(Whereabout {
            address: IpAddr::V4(address),
            user: self.login_user.to_owned(),
            host_keys: host_keys.unwrap_or_default(),
        })
    }
}

/// The keys in what `ssh-keygen` writes, a line each: an algorithm, the key, a comment.
fn host_keys(text: &str) -> Vec<String> {
    let key = |line: &str| {
        let mut words = line.split_ascii_whitespace();
        let (kind, key) = (words.next()?, words.next()?);
        let fits = |word: &str| word.bytes().all(|byte| byte.is_ascii_graphic());
        (fits(kind) && fits(key)).then(|| format!("{kind} {key}"))
    };
    text.lines().filter_map(key).collect()
}

#[async_trait]
impl Whereabouts for Instances {
    async fn all(&self) -> Result<BTreeMap<String, Whereabout>, ProviderError> {
        let mut known = self.known.lock().await;
        let known = &mut *known;
        self.find_login_key(known).await?;
        let now = SystemClock.now();
        if let Some((asked, last)) = &known.last {
            let age = now.duration_since(*asked).unsigned_abs();
            // One that boots is waited for.
            let are_known = last.values().all(|place| !place.boots_for_the_first_time());
            if age < GOOD_FOR && are_known {
                return Ok(last.clone());
            }
        }
        let identity = self.identity(known).await?;
        let placed = self.machines.of(&identity).await?;
        self.find_host_keys(known, &placed).await?;
        let mut found = BTreeMap::new();
        for (name, machine) in placed {
            if let Some(place) = self.place(known, &name, &machine) {
                found.insert(name, place);
            }
        }
        known.last = Some((now, found.clone()));
        Ok(found)
    }
}

fn of_store(error: &StoreError) -> ProviderError {
    ProviderError::new(ErrorClass::Transient, with_causes(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_taken_without_comments_and_nothing_else_is() {
        let text = "ssh-ed25519 AAAA root@ip-10-0-0-1\necdsa-sha2-nistp256 BBBB\n\nrubbish\n\u{1b}x y\n";
        assert_eq!(host_keys(text), ["ssh-ed25519 AAAA", "ecdsa-sha2-nistp256 BBBB"]);
    }
}
