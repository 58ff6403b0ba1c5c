//! Using a host while it runs: over SSH like anyone else, or at its console, which works without network and sshd.

use std::path::Path;
use std::process::Command;

use super::Host;
use crate::LabError;
use crate::command::{Output, Tool, tool};

const VOLUME: &str = include_str!("../../scripts/volume.sh");
/// As long as one command on a host may take.
const COMMAND_LIMIT_SECONDS: u32 = 120;
/// As long as sshd may take to let someone in.
const LOGIN_LIMIT_SECONDS: u32 = 15;

impl Host {
    /// Runs a command as root over SSH and returns what it wrote to standard output.
    ///
    /// # Errors
    ///
    /// When it cannot be reached within 15 s, or the command fails or takes more than two minutes.
    pub fn run(&self, command: &str) -> Result<String, LabError> {
        self.ssh_tool("root").arg(command).run()
    }

    /// Runs a command as a user over SSH, however it ends. ssh itself ends with 255.
    ///
    /// # Errors
    ///
    /// When the command takes more than two minutes.
    pub fn run_as(&self, user: &str, command: &str) -> Result<Output, LabError> {
        self.ssh_tool(user).arg(command).output()
    }

    /// ssh with everything that it takes to log in to this host, for whoever wants to add to it.
    pub fn ssh_command(&self, user: &str) -> Command {
        let mut command = Command::new("ssh");
        command.args(self.ssh_arguments(user));
        command
    }

    /// The public key that the host showed when it was made, or when its keys were last renewed: `ssh-ed25519 AAAA…`.
    ///
    /// # Errors
    ///
    /// When the lab's record is gone.
    pub fn host_key(&self) -> Result<String, LabError> {
        crate::keys::public(&self.path("host-key.pub"))
    }

    /// Runs a shell command as root at the host's console, without network and sshd, and returns its standard output.
    ///
    /// # Errors
    ///
    /// When the host is off, or the command fails or takes more than two minutes.
    pub fn console(&self, command: &str) -> Result<String, LabError> {
        self.console_tool()?.args(["sh", "-c", command]).run()
    }

    /// A file's content.
    ///
    /// # Errors
    ///
    /// When the host is off or has no such file.
    pub fn read_file(&self, path: impl AsRef<Path>) -> Result<Vec<u8>, LabError> {
        self.console_tool()?
            .args(["cat", "--"])
            .arg(path.as_ref())
            .run_bytes()
    }

    /// Writes a file, and makes the folders that it stands in.
    ///
    /// # Errors
    ///
    /// When the host is off or the file cannot be written.
    pub fn write_file(&self, path: impl AsRef<Path>, bytes: impl AsRef<[u8]>) -> Result<(), LabError> {
        let write = "mkdir -p -- \"$(dirname -- \"$1\")\" && cat >\"$1\"";
        self.console_tool()?
            .args(["sh", "-c", write, "sh"])
            .arg(path.as_ref())
            .stdin(bytes.as_ref())
            .run()
            .map(drop)
    }

    /// The journal of a unit since the host booted.
    ///
    /// # Errors
    ///
    /// When the host is off.
    pub fn journal(&self, unit: &str) -> Result<String, LabError> {
        self.console_tool()?
            .words("journalctl --no-pager --output=short-monotonic --unit")
            .arg(unit)
            .run()
    }

    /// Shows it a volume while it runs, or shows it no longer; the words are those after the root in `scripts/volume.sh`.
    pub(crate) fn show_volume(&self, words: &[&str]) -> Result<(), LabError> {
        self.console_tool()?
            .args(["bash", "-c", VOLUME, "volume.sh", ""])
            .args(words)
            .run()
            .map(drop)
            .map_err(|error| error.of_command("volume.sh"))
    }

    fn ssh_tool(&self, user: &str) -> Tool {
        tool("ssh", COMMAND_LIMIT_SECONDS).args(self.ssh_arguments(user))
    }

    fn ssh_arguments(&self, user: &str) -> Vec<String> {
        let file = |option: &str, name: &str| format!("{option}={}", self.lab.path(name).display());
        // Nothing of whoever runs this: no configuration, no agent, no keys.
        let options = [
            file("IdentityFile", "id_ed25519"),
            file("UserKnownHostsFile", "known_hosts"),
            "GlobalKnownHostsFile=/dev/null".to_owned(),
            "StrictHostKeyChecking=yes".to_owned(),
            "IdentitiesOnly=yes".to_owned(),
            "IdentityAgent=none".to_owned(),
            "BatchMode=yes".to_owned(),
            format!("ConnectTimeout={LOGIN_LIMIT_SECONDS}"),
            "LogLevel=ERROR".to_owned(),
        ];
        let mut arguments = vec!["-F".to_owned(), "none".to_owned()];
        for option in options {
            arguments.extend(["-o".to_owned(), option]);
        }
        arguments.push(format!("{user}@{}", self.address()));
        arguments
    }

    /// A program in all of the host's namespaces, started from outside.
    fn console_tool(&self) -> Result<Tool, LabError> {
        let init = self.init().ok_or_else(|| self.off())?;
        Ok(tool("nsenter", COMMAND_LIMIT_SECONDS)
            .words(&format!(
                "--target {} --mount --uts --ipc --net --pid --cgroup",
                init.pid
            ))
            .words("-- env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
            .words("HOME=/root LANG=C.UTF-8"))
    }
}
