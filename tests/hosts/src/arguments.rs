//! The command line.

use clap::{Args, Parser, Subcommand};

/// Makes real Linux hosts with systemd and sshd on this machine, to test keelson on. Needs root.
///
/// A lab is some hosts on a network of their own, 10.90.x.0/23. Its key logs in as root, as `operator` (sudo
/// without a password), as `limited` (no sudo) and as `careful` (sudo with the password `careful-password`).
#[derive(Debug, Parser)]
#[command(name = "test-hosts", version, after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// The lab; not needed while there is only one
    #[arg(long, short, global = true, value_name = "NAME")]
    pub(crate) lab: Option<String>,
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXAMPLES: &str = "\
Examples:
  test-hosts up 3                      three hosts, until Ctrl-C
  test-hosts up 3 --name demo --detach three hosts, until `test-hosts down demo`, or for 30 minutes
  test-hosts ssh a journalctl -u ssh   a command on host a
  test-hosts kill b                    host b loses power; `start b` brings it back
  test-hosts cut a --from b            a and b do not see each other any more
  test-hosts cloud                     AWS whose instances boot, until Ctrl-C
  test-hosts down                      nothing is left";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Makes a lab, and holds it until Ctrl-C
    Up(Up),
    /// Shows the labs and their hosts
    List,
    /// Logs in to a host, or runs a command there
    Ssh {
        /// Its name
        host: String,
        /// As whom
        #[arg(long, short, default_value = "root")]
        user: String,
        /// What to run instead of a shell
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        command: Vec<String>,
    },
    /// Takes a host's power away: every process ends at once
    Kill(HostName),
    /// Switches a host on again
    Start(HostName),
    /// Boots a host again in order
    Reboot(HostName),
    /// Ends a host in order; it stays off
    Off(HostName),
    /// Pulls a host's network cable, or keeps it from one other host
    Cut(Cable),
    /// Puts a host's network cable back, or lets it see the other host again
    Heal(Cable),
    /// Fills a host's disk; only one that has a limit (up --disk-mib)
    Fill(HostName),
    /// Makes room on a host's disk again
    Free(HostName),
    /// Gives a host another host key
    RenewKeys(HostName),
    /// Takes a lab down
    Down {
        /// Its name; not needed while there is only one
        name: Option<String>,
    },
    /// Takes down every lab that nobody looks after any more
    Clean,
    /// Builds the root file system of hosts, if it is not there yet, and prints where it is
    Rootfs,
    /// Makes a mirror of etcd's releases, if it is not there yet, and prints where it is
    Assets,
    /// Makes a Python with moto, an emulator of AWS, in it, if it is not there yet, and prints where it is; needs no root
    Moto,
    /// Starts the emulator of AWS with instances that boot, and prints its URL; until Ctrl-C
    Cloud {
        /// The name of its lab
        #[arg(long)]
        name: Option<String>,
        /// After so many minutes it is taken down in any case
        #[arg(long, default_value_t = 30, value_name = "MINUTES")]
        lifetime: u64,
    },
    /// Serves the programs and images in the folder that `KEELSON_KUBERNETES_ASSETS` names to the hosts, until Ctrl-C
    Serve,
}

#[derive(Debug, Args)]
pub(crate) struct Up {
    /// How many hosts: a, b, c …
    #[arg(default_value_t = 1)]
    pub(crate) count: usize,
    /// The lab's name
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// Return as soon as the hosts answer, and leave the lab standing
    #[arg(long)]
    pub(crate) detach: bool,
    /// After so many minutes the lab is taken down in any case
    #[arg(long, default_value_t = 30, value_name = "MINUTES")]
    pub(crate) lifetime: u64,
    /// A disk of this size for each host, in MiB; without it the hosts share the machine's
    #[arg(long, value_name = "MIB")]
    pub(crate) disk_mib: Option<u32>,
    /// So much memory for each host, in MiB
    #[arg(long, value_name = "MIB")]
    pub(crate) memory_mib: Option<u32>,
}

#[derive(Debug, Args)]
pub(crate) struct HostName {
    /// Its name
    pub(crate) host: String,
}

#[derive(Debug, Args)]
pub(crate) struct Cable {
    /// Its name
    pub(crate) host: String,
    /// The other host
    #[arg(long, value_name = "HOST")]
    pub(crate) from: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        <Arguments as clap::CommandFactory>::command().debug_assert();
    }
}
