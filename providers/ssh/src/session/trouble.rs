//! What ssh says when it cannot connect, and what to do about it.

use std::time::Duration;

use super::root::{error, one_line, user};
use crate::shell::{HostError, HostErrorKind};
use crate::target::Target;

/// Something that ssh says: the words that give it away, what kind of trouble it is, and what to do.
/// `{host}`, `{address}`, `{user}` stand for the host's own.
struct Trouble {
    words: &'static str,
    kind: HostErrorKind,
    problem: &'static str,
    help: &'static str,
}

/// The first row whose words occur is the one. The words are those of OpenSSH's sources (`sshconnect.c`, `ssh.c`,
/// `kex.c`, `readconf.c`), versions 8 to 10.
const TROUBLES: &[Trouble] = &[
    Trouble {
        words: "REMOTE HOST IDENTIFICATION HAS CHANGED",
        kind: HostErrorKind::HostKey,
        problem: "its host key is not the one that is known: it was installed anew, or something else answers in its place",
        help: "compare the key with the one on {host}'s own console (ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub); \
               only if they are the same, forget the old one: {forget}",
    },
    Trouble {
        words: "host key is known for",
        kind: HostErrorKind::HostKey,
        problem: "its host key is not known",
        help: "compare the key with the one on {host}'s own console, then add it: {scan}; or let keelson believe and \
               remember it: --accept-new-host-keys",
    },
    Trouble {
        words: "marked as revoked",
        kind: HostErrorKind::HostKey,
        problem: "its host key was revoked",
        help: "see which known_hosts file says so: ssh -v {address}",
    },
    Trouble {
        words: "Host key verification failed",
        kind: HostErrorKind::HostKey,
        problem: "its host key, or a jump host's, is not known",
        help: "compare the key with the one on the host's own console, then add it: {scan}; for a jump host log in \
               there once: ssh {address}",
    },
    Trouble {
        words: "Too many authentication failures",
        kind: HostErrorKind::Denied,
        problem: "it refused the login of {user} after too many keys",
        help: "name the one key to use: IdentityFile and IdentitiesOnly in ~/.ssh/config",
    },
    Trouble {
        words: "Permission denied",
        kind: HostErrorKind::Denied,
        problem: "it does not let {user} in",
        help: "put your public key there: ssh-copy-id {destination}; keelson logs in with keys only, so if the key has a \
               passphrase, add it to the agent: ssh-add",
    },
    Trouble {
        words: "Connection refused",
        kind: HostErrorKind::Unreachable,
        problem: "nothing answers at its SSH port",
        help: "see whether sshd runs on {host} and at which port, and that address and port in the spec are right",
    },
    Trouble {
        words: "Could not resolve hostname",
        kind: HostErrorKind::Unreachable,
        problem: "its name is not known",
        help: "check the address of {host} in the spec, or give an IP address",
    },
    Trouble {
        words: "No route to host",
        kind: HostErrorKind::Unreachable,
        problem: "there is no way to its address",
        help: "see whether {host} is switched on and in the network of {address}",
    },
    Trouble {
        words: "Network is unreachable",
        kind: HostErrorKind::Unreachable,
        problem: "this machine has no way to its network",
        help: "see whether a VPN or a jump host (ProxyJump in ~/.ssh/config) is needed to reach {address}",
    },
    Trouble {
        words: "timed out",
        kind: HostErrorKind::Unreachable,
        problem: "nothing comes from its SSH port in time",
        help: "see whether {host} is switched on, and whether a firewall drops connections to {address}",
    },
    Trouble {
        words: "no matching",
        kind: HostErrorKind::Unreachable,
        problem: "its sshd and this ssh have no algorithm in common",
        help: "see what it offers: ssh -v {address}",
    },
    Trouble {
        words: "onfiguration option",
        kind: HostErrorKind::Denied,
        problem: "ssh does not accept its configuration",
        help: "see what ssh says: ssh -G {address}",
    },
    Trouble {
        words: "open user config file",
        kind: HostErrorKind::Denied,
        problem: "ssh does not accept its configuration",
        help: "see what ssh says: ssh -G {address}",
    },
    // What a jump host's own ssh says is lost: a shared connection has no terminal to say it on (`ssh_proxy_connect`).
    Trouble {
        words: "UNKNOWN port 65535",
        kind: HostErrorKind::Unreachable,
        problem: "its jump host, or the command that leads to it, does not let this machine through",
        help: "see what the jump host says, and whether its key is known: ssh -v {address} true",
    },
    Trouble {
        words: "Connection closed",
        kind: HostErrorKind::Unreachable,
        problem: "it, or a jump host, closed the connection",
        help: "see whether it is starting, or refuses this machine (MaxStartups, hosts.deny, fail2ban): ssh -v {address}",
    },
    Trouble {
        words: "Connection reset",
        kind: HostErrorKind::Unreachable,
        problem: "it, or a jump host, closed the connection",
        help: "see whether it is starting, or refuses this machine (MaxStartups, hosts.deny, fail2ban): ssh -v {address}",
    },
    Trouble {
        words: "",
        kind: HostErrorKind::Unreachable,
        problem: "ssh cannot connect",
        help: "see what happens: ssh -v {destination}",
    },
];

/// What `said` means, which ssh wrote when it could not connect. `pinned` tells whether the store has a key of the host.
pub(super) fn interpret(target: &Target, said: &str, pinned: bool) -> HostError {
    let row = TROUBLES.iter().find(|trouble| said.contains(trouble.words));
    let Some(trouble) = row else {
        // The last row has no words, so that there is always one.
        return error(target, HostErrorKind::Unreachable, one_line(said));
    };
    let words = own_words(said);
    let problem = fill(trouble.problem, target, pinned);
    let problem = if words.is_empty() {
        problem
    } else {
        format!("{problem} ({words})")
    };
    error(target, trouble.kind, problem).with_help(fill(trouble.help, target, pinned))
}

pub(super) fn too_late(target: &Target, limit: Duration) -> HostError {
    error(
        target,
        HostErrorKind::Unreachable,
        format!("it has not let keelson in within {} s", limit.as_secs()),
    )
    .with_help(format!("see what it waits for: ssh -v {}", target.address))
}

pub(super) fn no_ssh(target: &Target, cause: &std::io::Error) -> HostError {
    error(
        target,
        HostErrorKind::Unreachable,
        format!("cannot run ssh on this machine: {cause}"),
    )
    .with_help("install OpenSSH's client, on Debian: apt-get install openssh-client")
}

/// The line that tells most, and the fingerprint where there is one.
fn own_words(said: &str) -> String {
    let noise = |line: &&str| {
        !line.is_empty()
            && !line.starts_with(['@', '*'])
            && !line.starts_with("Warning: Permanently added")
            && !line.starts_with("Host key verification failed")
            && !line.starts_with("Offending")
    };
    let lines: Vec<_> = said.lines().map(str::trim).filter(noise).collect();
    let fingerprint = lines.iter().find(|line| line.starts_with("SHA256:"));
    one_line(fingerprint.or(lines.last()).copied().unwrap_or_default())
}

fn fill(text: &str, target: &Target, pinned: bool) -> String {
    let address = &target.address;
    let port = target.port.filter(|&port| port != 22);
    let port = port.map(|port| format!("-p {port} ")).unwrap_or_default();
    let known_as = match target.port {
        Some(port) if port != 22 => format!("'[{address}]:{port}'"),
        _ => format!("'{address}'"),
    };
    let destination = match &target.user {
        Some(user) => format!("{port}{user}@{address}"),
        None => format!("{port}{address}"),
    };
    let forget = if pinned {
        format!(
            "keelson node forget-key {}; and in your own known_hosts: ssh-keygen -R {known_as}",
            target.name
        )
    } else {
        format!("ssh-keygen -R {known_as}")
    };
    text.replace("{forget}", &forget)
        .replace(
            "{scan}",
            &format!("ssh-keyscan {port}{address} >>~/.ssh/known_hosts"),
        )
        .replace("{destination}", &destination)
        .replace("{host}", &target.name)
        .replace("{address}", address)
        .replace("{user}", user(target))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target() -> Target {
        Target {
            name: "a".to_owned(),
            address: "10.0.0.1".to_owned(),
            internal_address: [10, 0, 0, 1].into(),
            user: Some("operator".to_owned()),
            port: Some(2222),
        }
    }

    #[test]
    fn what_ssh_says_is_told_apart() {
        let table = [
            (
                "No ED25519 host key is known for x and you have requested strict checking.\r\nHost key verification failed.",
                HostErrorKind::HostKey,
                "ssh-keyscan -p 2222 10.0.0.1",
            ),
            (
                "@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @\nSHA256:abc.\nHost key verification failed.",
                HostErrorKind::HostKey,
                "ssh-keygen -R '[10.0.0.1]:2222'",
            ),
            (
                "operator@10.0.0.1: Permission denied (publickey).",
                HostErrorKind::Denied,
                "ssh-copy-id -p 2222 operator@10.0.0.1",
            ),
            (
                "ssh: connect to host 10.0.0.1 port 22: Connection refused",
                HostErrorKind::Unreachable,
                "sshd runs on a",
            ),
            (
                "kex_exchange_identification: read: Connection reset by peer",
                HostErrorKind::Unreachable,
                "MaxStartups",
            ),
            (
                "command-line: line 0: Bad configuration option: x",
                HostErrorKind::Denied,
                "ssh -G",
            ),
            ("", HostErrorKind::Unreachable, "ssh -v"),
            ("\u{1b}]0;evil\u{7}", HostErrorKind::Unreachable, "ssh -v"),
        ];
        for (said, kind, help) in table {
            let error = interpret(&target(), said, false);
            assert_eq!(error.kind, kind, "{said}: {error}");
            assert!(
                error.help.as_deref().unwrap().contains(help),
                "{said}: {:?}",
                error.help
            );
            assert!(!error.to_string().contains(['\u{1b}', '{']), "{error}");
        }
        let changed = interpret(&target(), "REMOTE HOST IDENTIFICATION HAS CHANGED", true);
        assert!(changed.help.unwrap().contains("keelson node forget-key a"));
    }
}
