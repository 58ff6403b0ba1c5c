//! The snapshots that a machine takes by a schedule and keeps, as a store: `<name>/{snapshot,manifest.json}` below
//! [`BACKUPS`]. The machine writes them by itself (`templates/etcd/` at the root); from elsewhere they are read.
//! Nothing of the cluster is changed: no lease is needed, and the scripts are not fenced.

mod reading;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use keelson_provider_api::bulk::{Look, Seen};
use keelson_provider_api::bundle::BACKUPS;
use keelson_provider_api::store::ObjectVersion;
use keelson_provider_api::{
    BulkReader, BulkStore, BulkWriter, Clock, Precondition, ProviderError, Store, StoreError, Versioned,
};

use self::reading::HostReader;
use super::provider::EtcdProvider;
use super::reach::Reach;
use super::step::permanent;
use crate::exit_status;
use crate::fence;
use crate::hearing::Hearing;
use crate::shell::{Job, Output, Shell};

const LOOK: &str = include_str!("../scripts/etcd-backups.sh");
const ONE: &str = include_str!("../scripts/etcd-backup.sh");
const LIMIT: Duration = Duration::from_secs(60);
/// Tens of thousands of snapshots, less than a kilobyte each.
const ANSWER_BYTES: usize = 32 << 20;

/// The snapshots that one machine keeps.
struct HostBackups {
    machine: String,
    reach: Arc<dyn Reach>,
    clock: Arc<dyn Clock>,
}

impl EtcdProvider {
    /// The snapshots that `machine` takes by a schedule and keeps.
    pub fn backups(&self, machine: &str) -> Arc<dyn BulkStore> {
        Arc::new(HostBackups {
            machine: machine.to_owned(),
            reach: Arc::clone(&self.reach),
            clock: Arc::clone(&self.clock),
        })
    }
}

impl HostBackups {
    fn shell(&self) -> Result<Arc<dyn Shell>, ProviderError> {
        let machine = &self.machine;
        self.reach
            .shell(machine)
            .ok_or_else(|| permanent(format!("{machine} is not among the cluster's machines")))
    }

    fn unavailable(
        &self,
        verb: &'static str,
        path: &str,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> StoreError {
        StoreError::Unavailable {
            verb,
            path: path.to_owned(),
            location: self.location(),
            source: source.into(),
        }
    }

    /// Has the script do `what` with the object at `path`; `None` when there is none.
    async fn ask(&self, what: &'static str, path: &str) -> Result<Option<Output>, ProviderError> {
        if !is_object(path) {
            return Ok(None);
        }
        let job = Job {
            name: "look at a snapshot",
            script: ONE,
            arguments: vec![what.to_owned(), path.to_owned()],
            input: Vec::new(),
            timeout: LIMIT,
        };
        let output = self.shell()?.run(&job, &|_| ()).await?;
        match output.status {
            0 => Ok(Some(output)),
            exit_status::NOT_THERE => Ok(None),
            _ => Err(fence::failure(&self.machine, job.name, &output)),
        }
    }

    /// All that is there.
    async fn all(&self) -> Result<Vec<Seen>, ProviderError> {
        let job = Job {
            name: "list the snapshots",
            script: LOOK,
            arguments: Vec::new(),
            input: Vec::new(),
            timeout: LIMIT,
        };
        let hearing = Hearing::new(ANSWER_BYTES);
        let output = self.shell()?.run(&job, &|line| hearing.hear(line)).await?;
        if output.status != 0 {
            return Err(fence::failure(&self.machine, job.name, &output));
        }
        read_look(&hearing.into_text())
            .ok_or_else(|| permanent(format!("the list of snapshots on {} was cut short", self.machine)))
    }
}

/// Reads what the script wrote, in the order of paths.
fn read_look(text: &str) -> Option<Vec<Seen>> {
    let mut lines: Vec<&str> = text.lines().collect();
    if lines.pop() != Some("end") {
        return None;
    }
    let seen = lines.into_iter().filter_map(|line| {
        let (what, rest) = line.split_once(' ')?;
        let (path, rest) = rest.split_once(' ')?;
        let is = match what {
            "size" => Look::Size(rest.parse().ok()?),
            "text" => Look::Content(rest.as_bytes().to_vec()),
            _ => return None,
        };
        is_object(path).then(|| Seen {
            path: path.to_owned(),
            is: Ok(is),
        })
    });
    let mut seen: Vec<Seen> = seen.collect();
    seen.sort_by(|one, other| one.path.cmp(&other.path));
    Some(seen)
}

/// True for a path that stays in the folder.
fn is_object(path: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    path.split_once('/').is_some_and(|(name, object)| {
        !name.is_empty()
            && !name.starts_with('-')
            && name.bytes().all(fits)
            && matches!(object, "snapshot" | "manifest.json")
    })
}

/// Whoever would write there.
fn only_the_machine(machine: &str) -> ProviderError {
    permanent(format!("nobody but {machine} itself keeps snapshots there"))
}

#[async_trait]
impl Store for HostBackups {
    fn location(&self) -> String {
        format!("{}:{BACKUPS}", self.machine)
    }

    async fn read(&self, path: &str) -> Result<Option<Versioned>, StoreError> {
        let asked = self.ask("read", path).await;
        let output = asked.map_err(|error| self.unavailable("read", path, error))?;
        Ok(output.map(|output| Versioned {
            version: ObjectVersion(String::new()),
            content: output.stdout.into_bytes(),
        }))
    }

    async fn write(&self, path: &str, _: &[u8], _: Precondition) -> Result<ObjectVersion, StoreError> {
        Err(self.unavailable("write", path, only_the_machine(&self.machine)))
    }

    async fn delete(&self, path: &str, _: Precondition) -> Result<(), StoreError> {
        Err(self.unavailable("delete", path, only_the_machine(&self.machine)))
    }

    async fn list(&self, prefix: &str) -> Result<Vec<String>, StoreError> {
        let seen = self.look(prefix, "").await?;
        Ok(seen.into_iter().map(|seen| seen.path).collect())
    }
}

#[async_trait]
impl BulkStore for HostBackups {
    async fn begin(&self, path: &str) -> Result<Box<dyn BulkWriter>, StoreError> {
        Err(self.unavailable("write", path, only_the_machine(&self.machine)))
    }

    async fn open(&self, path: &str) -> Result<Option<Box<dyn BulkReader>>, StoreError> {
        let Some(size_bytes) = self.size(path).await? else {
            return Ok(None);
        };
        let shell = self
            .shell()
            .map_err(|error| self.unavailable("read", path, error))?;
        Ok(Some(Box::new(HostReader::new(
            shell,
            Arc::clone(&self.clock),
            path,
            self.location(),
            size_bytes,
        ))))
    }

    async fn size(&self, path: &str) -> Result<Option<u64>, StoreError> {
        let asked = self.ask("size", path).await;
        let output = asked.map_err(|error| self.unavailable("read", path, error))?;
        let Some(output) = output else {
            return Ok(None);
        };
        let size = output.stdout.trim().parse();
        size.map(Some)
            .map_err(|error: std::num::ParseIntError| self.unavailable("read", path, error))
    }

    /// The machine is asked once, however many there are. Manifests are read, whatever else is asked for.
    async fn look(&self, prefix: &str, _: &str) -> Result<Vec<Seen>, StoreError> {
        let all = self.all().await;
        let mut seen = all.map_err(|error| self.unavailable("list", prefix, error))?;
        seen.retain(|seen| seen.path.starts_with(prefix));
        Ok(seen)
    }

    /// The machine sweeps by itself, each time that it is to take a snapshot.
    async fn sweep(&self, _: &str) -> Result<usize, StoreError> {
        Ok(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_is_read_whole_or_not_at_all() {
        let text = "text b/manifest.json {\"a\": 1} \nsize b/snapshot 7\nsize a/snapshot 9\n";
        let seen = read_look(&format!(
            "{text}size ../x 1\nsize c/other 1\nsize d/snapshot x\nend\n"
        ))
        .unwrap();
        let paths: Vec<&str> = seen.iter().map(|seen| seen.path.as_str()).collect();
        assert_eq!(paths, ["a/snapshot", "b/manifest.json", "b/snapshot"]);
        assert_eq!(
            *seen[1].is.as_ref().unwrap(),
            Look::Content(b"{\"a\": 1} ".to_vec())
        );
        assert_eq!(*seen[2].is.as_ref().unwrap(), Look::Size(7));
        for cut in ["", text, "end\nsize a/snapshot 9"] {
            assert!(read_look(cut).is_none(), "{cut}");
        }
    }

    #[test]
    fn paths_stay_in_their_folder() {
        assert!(is_object("20261128T034333Z-12/snapshot"));
        for path in [
            "",
            "snapshot",
            "/snapshot",
            "../snapshot",
            "a/b/snapshot",
            "a/..",
            "-a/snapshot",
            "a b/snapshot",
        ] {
            assert!(!is_object(path), "{path}");
        }
    }
}
