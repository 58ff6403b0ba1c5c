//! The same on the machine that keelson runs on.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use async_trait::async_trait;
use keelson_provider_api::{ClusterIdentity, DrillSnapshot, Drilled, EtcdDrill, Progress, ProviderError};
use tokio::process::Command;

use super::judge;
use crate::etcd::step::permanent;
use crate::exit_status;
use crate::shell::Output;

const DRILL: &str = concat!(
    include_str!("../../scripts/etcd-live-keys.sh"),
    include_str!("../../scripts/drill.sh"),
    include_str!("../../scripts/drill-here.sh")
);
/// As long as a drill with the largest database may take.
const LIMIT: &str = "1800";
const KILL_AFTER: &str = "--kill-after=20";
/// So many bytes of what is said are kept: what a drill tells is far shorter.
const KEPT_BYTES: usize = 64 << 10;
const PLACE: &str = "this machine";

/// Restores snapshots for trial on the machine that keelson runs on, with programs that are there, as whoever runs keelson.
#[derive(Debug, Clone)]
pub struct DrillHere {
    programs: PathBuf,
}

impl DrillHere {
    /// With the programs `etcd`, `etcdctl` and `etcdutl` in the folder `programs`.
    pub fn new(programs: &Path) -> Self {
        Self {
            programs: programs.to_owned(),
        }
    }
}

#[async_trait]
impl EtcdDrill for DrillHere {
    async fn drill(
        &self,
        _cluster: &ClusterIdentity,
        snapshot: &DrillSnapshot<'_>,
        machine: Option<&str>,
        progress: &Progress<'_>,
    ) -> Result<Drilled, ProviderError> {
        if machine.is_some() {
            return Err(permanent(
                "programs of this machine restore nothing on another one",
            ));
        }
        let programs = std::path::absolute(&self.programs)
            .map_err(|error| permanent(format!("{}: {error}", self.programs.display())))?;
        for program in ["etcd", "etcdctl", "etcdutl"] {
            let path = programs.join(program);
            if !path.is_file() {
                return Err(permanent(format!("there is no {}", path.display()))
                    .with_help("name the folder of an etcd release as it is unpacked"));
            }
        }
        progress.tell("restore it on this machine, and ask what it has");
        // The child runs elsewhere, and takes away what it finds where it is to work.
        let file = std::path::absolute(snapshot.file)
            .map_err(|error| permanent(format!("{}: {error}", snapshot.file.display())))?;
        let scratch = file.with_extension("drill");
        let spawned = Command::new("timeout")
            .args([KILL_AFTER, LIMIT, "sh", "-c", DRILL, "drill"])
            .args([&programs, &file, &scratch])
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        let mut child = spawned.map_err(|error| permanent(format!("cannot run timeout: {error}")))?;
        // It ends in order, and takes everything away, when this is closed: however keelson ends.
        let open = child.stdin.take();
        let said = child
            .wait_with_output()
            .await
            .map_err(|error| permanent(format!("the drill cannot be waited for: {error}")))?;
        drop(open);
        let status = said.status.code().unwrap_or(exit_status::TIMED_OUT);
        let output = Output {
            status,
            stdout: end_of(&said.stdout),
            stderr: end_of(&said.stderr),
        };
        judge(PLACE, &output)
    }
}

fn end_of(said: &[u8]) -> String {
    let from = said.len().saturating_sub(KEPT_BYTES);
    String::from_utf8_lossy(said.get(from..).unwrap_or_default()).into_owned()
}
