//! Sessions on test hosts, by the machine's own ssh.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;

use async_trait::async_trait;
use keelson_provider_ssh::etcd::Reach;
use keelson_provider_ssh::shell::{HostError, HostErrorKind, Job, Output, Shell};
use keelson_test_hosts::{Host, Lab};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

/// What comes before every script; the line that it says is taken off again.
const ENTER: &str = include_str!("../../src/scripts/enter.sh");
const ENTERED: &str = "keelson-begins\n";

pub(crate) struct HostShell {
    name: String,
    address: IpAddr,
    arguments: Vec<String>,
}

impl HostShell {
    /// Connects once; further sessions share the connection for as long as it holds.
    fn new(lab: &Lab, host: &Host) -> Self {
        let socket = lab.key().with_file_name(format!("mux-{}", host.name()));
        let option = |name: &str, value: PathBuf| format!("{name}={}", value.display());
        let options = [
            option("IdentityFile", lab.key()),
            option("UserKnownHostsFile", lab.known_hosts()),
            option("ControlPath", socket),
            "GlobalKnownHostsFile=/dev/null".to_owned(),
            "IdentitiesOnly=yes".to_owned(),
            "IdentityAgent=none".to_owned(),
            "BatchMode=yes".to_owned(),
            // A machine that is busy for a few seconds has not gone.
            "ConnectTimeout=10".to_owned(),
            "ServerAliveInterval=1".to_owned(),
            "ServerAliveCountMax=8".to_owned(),
            "LogLevel=ERROR".to_owned(),
        ];
        let mut arguments = vec!["-F".to_owned(), "none".to_owned()];
        arguments.extend(options.into_iter().flat_map(|option| ["-o".to_owned(), option]));
        arguments.push(format!("root@{}", host.address()));
        let shell = Self {
            name: host.name().to_owned(),
            address: host.address().into(),
            arguments,
        };
        shell.connect();
        shell
    }

    fn connect(&self) {
        std::process::Command::new("ssh")
            .args(["-M", "-f", "-N"])
            .args(&self.arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .unwrap();
    }

    fn error(&self, kind: HostErrorKind, problem: impl Into<String>) -> HostError {
        HostError {
            host: self.name.clone(),
            address: self.address.to_string(),
            kind,
            problem: problem.into(),
            help: None,
        }
    }
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[async_trait]
impl Shell for HostShell {
    fn host(&self) -> &str {
        &self.name
    }

    async fn run(
        &self,
        job: &Job<'_>,
        on_line: &keelson_provider_ssh::OnLine<'_>,
    ) -> Result<Output, HostError> {
        let words: Vec<String> = job.arguments.iter().map(|argument| quoted(argument)).collect();
        let script = quoted(&format!("{ENTER}{}", job.script));
        let command = format!("exec sh -c {script} keelson {}", words.join(" "));
        let mut child = Command::new("ssh")
            .args(&self.arguments)
            .arg(command)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(&job.input).await.ok();
        drop(stdin);
        let Ok(output) = tokio::time::timeout(job.timeout, child.wait_with_output()).await else {
            return Err(self.error(HostErrorKind::Lost, format!("{} took too long", job.name)));
        };
        let output = output.unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let stderr = text(&output.stderr);
        text(&output.stdout).lines().for_each(on_line);
        match output.status.code() {
            Some(255) if stderr.contains("connect to host") => {
                Err(self.error(HostErrorKind::Unreachable, stderr.trim()))
            }
            Some(255) | None => Err(self.error(HostErrorKind::Lost, stderr.trim())),
            Some(status) => Ok(Output {
                status,
                stdout: text(&output.stdout).replacen(ENTERED, "", 1),
                stderr,
            }),
        }
    }
}

/// Every host of a lab.
pub(crate) struct TestReach {
    shells: BTreeMap<String, Arc<HostShell>>,
}

impl TestReach {
    pub(crate) fn new(lab: &Lab) -> Self {
        let shells = lab.hosts().iter().map(|host| {
            let shell = HostShell::new(lab, host);
            (host.name().to_owned(), Arc::new(shell))
        });
        Self {
            shells: shells.collect(),
        }
    }
}

impl Reach for TestReach {
    fn machines(&self) -> Vec<String> {
        self.shells.keys().cloned().collect()
    }

    fn shell(&self, machine: &str) -> Option<Arc<dyn Shell>> {
        let shell: Arc<dyn Shell> = Arc::<HostShell>::clone(self.shells.get(machine)?);
        Some(shell)
    }

    fn internal_address(&self, machine: &str) -> Option<IpAddr> {
        Some(self.shells.get(machine)?.address)
    }
}
