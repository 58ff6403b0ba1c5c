//! An operator's desk: a folder with a spec, an agent with the hosts' key, and hosts to work on.

use std::io::{BufRead, BufReader, Lines};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Output, Stdio};
use std::sync::Arc;
use std::time::Duration;

use keelson_test_hosts::{Host, HostOptions, Lab, LabOptions};
use tempfile::TempDir;

/// How often, and how long after one another, it is looked whether the agent answers.
const AGENT_POLLS: u32 = 100;
const AGENT_POLL_INTERVAL: Duration = Duration::from_millis(50);

pub(crate) struct Desk {
    pub(crate) lab: Arc<Lab>,
    folder: TempDir,
    agent: Child,
    /// What the program finds in its environment beside what it always does.
    pub(crate) environment: Vec<(&'static str, &'static str)>,
}

/// A spec of etcd alone.
#[derive(Clone)]
pub(crate) struct Spec {
    pub(crate) cluster: &'static str,
    /// Names and addresses.
    pub(crate) hosts: Vec<(String, String)>,
    pub(crate) user: &'static str,
    pub(crate) etcd_version: String,
    /// A folder or a URL.
    pub(crate) assets: String,
    /// Lines below `spec`.
    pub(crate) more: String,
}

impl Spec {
    pub(crate) fn text(&self) -> String {
        let hosts = self.hosts.iter().fold(String::new(), |hosts, (name, address)| {
            format!("{hosts}        - {{ name: {name}, address: {address}, roles: [etcd] }}\n")
        });
        format!(
            "apiVersion: keelson.dev/v1alpha1\nkind: Cluster\nmetadata: {{ name: {} }}\nspec:\n  \
             stateStore: ./state\n  provider:\n    ssh:\n      user: {}\n      hosts:\n{hosts}  \
             etcd: {{ version: {}, placement: {{ dedicated: {{}} }} }}\n  assets: {{ files: {} }}\n{}",
            self.cluster, self.user, self.etcd_version, self.assets, self.more
        )
    }
}

/// What the program said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Said {
    pub(crate) fn of(output: &Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

impl Desk {
    /// A desk before hosts of these names; `None` without root, after saying that `test` is skipped.
    pub(crate) fn before(test: &str, names: &[&str]) -> Option<Self> {
        let hosts = names.iter().map(|name| HostOptions::named(*name)).collect();
        let options = LabOptions {
            hosts,
            ..LabOptions::with_hosts(0)
        };
        Self::of(test, &options)
    }

    /// A desk before the hosts of `options`; `None` without root, after saying that `test` is skipped.
    pub(crate) fn of(test: &str, options: &LabOptions) -> Option<Self> {
        if keelson_test_hosts::skip_without_root(test) {
            return None;
        }
        Some(Self::at(Arc::new(Lab::new(options).unwrap())))
    }

    /// Another desk before the same hosts, with a folder and an agent of its own.
    pub(crate) fn beside(&self) -> Self {
        Self::at(Arc::clone(&self.lab))
    }

    fn at(lab: Arc<Lab>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("agent");
        let agent = Command::new("ssh-agent")
            .arg("-D")
            .arg("-a")
            .arg(&socket)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let desk = Self {
            lab,
            folder,
            agent,
            environment: Vec::new(),
        };
        assert!(desk.add_key(&socket), "ssh-agent does not take the key");
        desk
    }

    fn add_key(&self, socket: &Path) -> bool {
        for _ in 0..AGENT_POLLS {
            let mut add = Command::new("ssh-add");
            add.arg("-q").arg(self.lab.key()).env("SSH_AUTH_SOCK", socket);
            if add.stderr(Stdio::null()).status().unwrap().success() {
                return true;
            }
            std::thread::sleep(AGENT_POLL_INTERVAL);
        }
        false
    }

    pub(crate) fn host(&self, name: &str) -> &Host {
        self.lab.host(name).unwrap()
    }

    /// The spec of etcd alone on the hosts `names`.
    pub(crate) fn spec_of(&self, names: &[&str]) -> Spec {
        let host = |name: &&str| ((*name).to_owned(), self.host(name).address().to_string());
        let assets = keelson_test_hosts::assets().unwrap();
        Spec {
            cluster: "db.example.com",
            hosts: names.iter().map(host).collect(),
            user: "root",
            etcd_version: assets.etcd_versions.last().unwrap().clone(),
            assets: assets.folder.display().to_string(),
            more: String::new(),
        }
    }

    /// Writes a spec of etcd alone on the hosts `names`, with `more` lines below `spec`.
    pub(crate) fn spec(&self, names: &[&str], more: &str) {
        self.write(&Spec {
            more: more.to_owned(),
            ..self.spec_of(names)
        });
    }

    pub(crate) fn write(&self, spec: &Spec) {
        std::fs::write(self.folder.path().join("cluster.yaml"), spec.text()).unwrap();
    }

    /// The folder that the program runs in.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A file or folder on the desk.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs the program; arguments are separated by spaces.
    pub(crate) fn run(&self, arguments: &str) -> Said {
        Said::of(&self.command(arguments).output().unwrap())
    }

    /// The program, ready to be started.
    pub(crate) fn command(&self, arguments: &str) -> Command {
        let mut command = self.at_the_desk(env!("CARGO_BIN_EXE_keelson"));
        command.args(arguments.split_whitespace());
        command
    }

    /// Runs the program where `folder` of the desk is a disk of its own, for this one run, and has room for next to nothing.
    pub(crate) fn run_with_full_disk(&self, folder: &str, arguments: &str) -> Said {
        let mount = "mount -t tmpfs -o size=64k tmpfs \"$0\" && exec \"$@\"";
        let mut command = self.at_the_desk("unshare");
        command
            .args(["--mount", "sh", "-c", mount])
            .arg(self.path(folder))
            .arg(env!("CARGO_BIN_EXE_keelson"))
            .args(arguments.split_whitespace());
        Said::of(&command.output().unwrap())
    }

    /// A program as an operator starts it.
    fn at_the_desk(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(self.folder.path())
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin")
            .env("SSH_AUTH_SOCK", self.folder.path().join("agent"))
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .envs(self.environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs the program and expects it to end with `code`.
    pub(crate) fn expect(&self, code: i32, arguments: &str) -> Said {
        let said = self.run(arguments);
        assert_eq!(said.code, Some(code), "keelson {arguments}: {said:#?}");
        said
    }

    /// An apply that has begun to write on the host `name`, and its events from then on.
    pub(crate) fn apply_until_written(&self, name: &str) -> (Child, Lines<BufReader<ChildStderr>>) {
        let mut apply = self
            .command("apply --yes --accept-new-host-keys --progress json")
            .spawn()
            .unwrap();
        let mut events = BufReader::new(apply.stderr.take().unwrap()).lines();
        let begun = format!("\"key\":\"node-bundle/{name}\",\"action\":\"write ");
        let event = events.find(|event| event.as_ref().is_ok_and(|event| event.contains(&begun)));
        assert!(event.is_some(), "it never came to that");
        (apply, events)
    }

    /// The status, as programs read it.
    pub(crate) fn status(&self) -> serde_json::Value {
        let said = self.run("status -o json");
        serde_json::from_str(&said.stdout).unwrap_or_else(|error| panic!("{error}: {said:#?}"))
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        // An agent that is gone already needs no end.
        let _ = self.agent.kill();
        let _ = self.agent.wait();
    }
}
