//! What happens to hosts: cables pulled, disks full, keys changed.

use super::Host;
use crate::{LabError, keys, network};

/// What takes the room on a full disk.
const FILLER: &str = "/var/tmp/test-host-filler";

impl Host {
    /// Pulls its network cable. It stays pulled when the host goes off and on.
    ///
    /// # Errors
    ///
    /// When the lab is gone.
    pub fn cut_network(&self) -> Result<(), LabError> {
        network::set_cable(&self.lab, self.record(), false)
    }

    /// Puts its network cable back.
    ///
    /// # Errors
    ///
    /// When the lab is gone.
    pub fn heal_network(&self) -> Result<(), LabError> {
        network::set_cable(&self.lab, self.record(), true)
    }

    /// Keeps it and another host of its lab from each other; all others, and the machine, go on to see both.
    ///
    /// # Errors
    ///
    /// When the other host is of another lab, or the lab is gone.
    pub fn cut_from(&self, other: &Self) -> Result<(), LabError> {
        self.set_partition(other, true)
    }

    /// Lets it and another host see each other again.
    ///
    /// # Errors
    ///
    /// When the other host is of another lab, or the lab is gone.
    pub fn heal_from(&self, other: &Self) -> Result<(), LabError> {
        self.set_partition(other, false)
    }

    fn set_partition(&self, other: &Self, cut: bool) -> Result<(), LabError> {
        if self.lab.name != other.lab.name || self.index == other.index {
            return Err(LabError::refused(
                format!(
                    "hosts {} and {} have no connection to cut",
                    self.name(),
                    other.name()
                ),
                "name two hosts of one lab",
            ));
        }
        network::set_partition(&self.lab, self.record(), other.record(), cut)
    }

    /// Fills its disk to the last block: whoever writes gets ENOSPC.
    ///
    /// # Errors
    ///
    /// When it is off, or its disk has no limit and is the machine's own.
    pub fn fill_disk(&self) -> Result<(), LabError> {
        if self.record().disk_bytes.is_none() {
            return Err(LabError::refused(
                format!(
                    "the disk of host {} is the machine's own and will not be filled",
                    self.name()
                ),
                "make the host with a limit: `disk_mib`, or `test-hosts up --disk-mib`",
            ));
        }
        // First in one piece, then what is left in small ones.
        let fill = format!(
            "fallocate --length \"$(df --output=avail --block-size=1 /var/tmp | tail -n 1)\" {FILLER}; \
             dd if=/dev/zero of={FILLER}.rest bs=4k 2>/dev/null; \
             dd if=/dev/zero of={FILLER}.rest bs=1 oflag=append conv=notrunc 2>/dev/null; \
             sync --file-system /var/tmp; \
             test \"$(df --output=avail --block-size=1 /var/tmp | tail -n 1)\" -eq 0"
        );
        self.console(&fill).map(drop)
    }

    /// Makes room on its disk again.
    ///
    /// # Errors
    ///
    /// When it is off.
    pub fn free_disk(&self) -> Result<(), LabError> {
        self.console(&format!(
            "rm -f {FILLER} {FILLER}.rest; sync --file-system /var/tmp"
        ))
        .map(drop)
    }

    /// Gives it another host key, as after a reinstallation. [`Host::run`] knows the new one; whoever has kept the old
    /// one is in for a warning.
    ///
    /// # Errors
    ///
    /// When it is off.
    pub fn renew_host_keys(&self) -> Result<(), LabError> {
        self.console(
            "rm -f /etc/ssh/ssh_host_* && \
             ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/ssh_host_ed25519_key && systemctl restart ssh.service",
        )?;
        let key = self.read_file("/etc/ssh/ssh_host_ed25519_key.pub")?;
        let name = format!("hosts/{}/host-key.pub", self.name());
        self.lab.write(&name, &String::from_utf8_lossy(&key))?;
        keys::write_known_hosts(&self.lab)?;
        self.wait_for_ssh()
    }
}
