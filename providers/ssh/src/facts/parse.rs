//! Reading what a host says of itself. It may say anything: nothing here fails but on an answer that is no answer.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};

use super::Facts;
use crate::session::root::one_line;

/// More listeners, certificates or missing programs than any host has.
const ENTRIES: usize = 1024;

/// The facts in `text`, which was asked for at `asked`; its line of the clock came at `read`.
pub(super) fn facts(text: &str, asked: Timestamp, read: Timestamp) -> Result<Facts, String> {
    let mut facts = Facts::default();
    let mut is_whole = false;
    for (key, value) in text.lines().filter_map(|line| line.split_once('\t')) {
        match key {
            "clock" => facts.clock_ahead = clock_ahead(value, asked, read),
            "end" => is_whole = true,
            _ => take(&mut facts, key, value),
        }
    }
    if !is_whole {
        return Err("the answer has no end".to_owned());
    }
    // What EC2 calls an instance begins so.
    let id = facts.machine_id.strip_prefix("i-").unwrap_or(&facts.machine_id);
    let fits = |character: char| character.is_ascii_hexdigit();
    if id.is_empty() || id.len() > 64 || !id.chars().all(fits) {
        return Err("/etc/machine-id is missing or damaged; make one: systemd-machine-id-setup".to_owned());
    }
    Ok(facts)
}

fn take(facts: &mut Facts, key: &str, value: &str) {
    match key {
        "boot-time" => facts.boot_time = seconds(value),
        "cpus" => facts.cpus = number(value),
        "memory-kib" => facts.memory_kib = number(value),
        "swap-kib" => facts.swap_kib = number(value),
        "disk-kib" => facts.disk_kib = number(value),
        "cgroup" => facts.has_cgroup_v2 = value == "2",
        "installed" => facts.has_installed = true,
        "synchronised" => facts.is_synchronised = yes_or_no(value),
        "bundle-time" => facts.bundle_time = seconds(value),
        "mark" => facts.mark = Some(json(value)),
        "bundle" => facts.bundle = Some(json(value)),
        "certificate" => certificate(facts, value),
        "listener" => listener(facts, value),
        "socket" => socket(facts, value),
        _ => take_text(facts, key, one_line(value)),
    }
}

/// Whatever is shown to people. A key that is not known is of a later script, or nothing.
fn take_text(facts: &mut Facts, key: &str, value: String) {
    match key {
        "machine-id" => facts.machine_id = value,
        "boot-id" => facts.boot_id = value,
        "hostname" => facts.hostname = value,
        "kernel" => facts.kernel = value,
        "architecture" => facts.architecture = value,
        "os-id" => facts.os_id = value,
        "os-like" => facts.os_like = value,
        "os-version" => facts.os_version = value,
        "os-name" => facts.os_name = value,
        "init" => facts.init = value,
        "bundle-digest" => facts.bundle_digest = Some(value),
        "missing" if facts.missing_programs.len() < ENTRIES => facts.missing_programs.push(value),
        "running" | "process" if facts.running.len() < ENTRIES => {
            facts.running.insert(value);
        }
        "missing-key" if facts.missing_keys.len() < ENTRIES => {
            facts.missing_keys.insert(value);
        }
        "altered" if facts.altered_files.len() < ENTRIES => {
            facts.altered_files.insert(value);
        }
        "stopped" if facts.stopped_units.len() < ENTRIES => {
            facts.stopped_units.insert(value);
        }
        "folder" if facts.folders.len() < ENTRIES => {
            facts.folders.insert(value);
        }
        "foreign-unit" if facts.foreign_units.len() < ENTRIES => {
            if let Some((unit, file)) = value.split_once(' ') {
                facts.foreign_units.insert(unit.to_owned(), file.to_owned());
            }
        }
        "etcd-data" if facts.etcd_folders.len() < ENTRIES => {
            facts.etcd_folders.insert(value);
        }
        "firewall" if facts.firewalls.len() < ENTRIES => {
            facts.firewalls.insert(value);
        }
        "drops-forwarded" if facts.drops_forwarded.len() < ENTRIES => {
            facts.drops_forwarded.insert(value);
        }
        "time-service" if facts.time_services.len() < ENTRIES => {
            facts.time_services.insert(value);
        }
        _ => {}
    }
}

fn number<T: std::str::FromStr + Default>(text: &str) -> T {
    text.trim().parse().unwrap_or_default()
}

fn yes_or_no(text: &str) -> Option<bool> {
    match text.trim() {
        "yes" => Some(true),
        "no" => Some(false),
        _ => None,
    }
}

fn seconds(text: &str) -> Option<Timestamp> {
    Timestamp::from_second(text.trim().parse().ok()?).ok()
}

/// The host read its clock somewhere between `asked` and `read`.
fn clock_ahead(text: &str, asked: Timestamp, read: Timestamp) -> Option<(SignedDuration, SignedDuration)> {
    let (whole, part) = text.trim().split_once('.').unwrap_or((text.trim(), "0"));
    // A `date` that knows no nanoseconds prints `%N`.
    let nanoseconds = part.get(..9).unwrap_or("0").parse().unwrap_or(0);
    let there = Timestamp::new(whole.parse().ok()?, nanoseconds).ok()?;
    let uncertainty = read.duration_since(asked).checked_div(2)?;
    let here = asked.checked_add(uncertainty).ok()?;
    Some((there.duration_since(here), uncertainty))
}

/// The text that a script has sent in Base64.
pub(crate) fn text_of(value: &str) -> Result<String, String> {
    let bytes = STANDARD.decode(value.trim()).map_err(|error| error.to_string())?;
    String::from_utf8(bytes).map_err(|error| error.to_string())
}

fn json<T: serde::de::DeserializeOwned>(value: &str) -> Result<T, String> {
    serde_json::from_str(&text_of(value)?).map_err(|error| one_line(&error.to_string()))
}

fn certificate(facts: &mut Facts, value: &str) {
    if let Some((path, content)) = value.split_once(' ')
        && let Ok(content) = text_of(content)
        && facts.certificates.len() < ENTRIES
    {
        facts.certificates.insert(path.to_owned(), content);
    }
}

/// A line of `ss -Hltnp`: state, two queues, local address, peer, and `users:(("sshd",pid=1,fd=3))`.
fn listener(facts: &mut Facts, line: &str) {
    let mut words = line.split_whitespace();
    let Some(local) = words.nth(3) else {
        return;
    };
    let owner = words
        .find_map(|word| word.strip_prefix("users:"))
        .and_then(|users| users.split('"').nth(1));
    if let Some(port) = local.rsplit_once(':').and_then(|(_, port)| port.parse().ok())
        && facts.listeners.len() < ENTRIES
    {
        facts
            .listeners
            .insert(port, one_line(owner.unwrap_or("something")));
    }
}

/// An address of `/proc/net/tcp`: both numbers hexadecimal.
fn socket(facts: &mut Facts, value: &str) {
    if let Some(port) = value
        .rsplit_once(':')
        .and_then(|(_, port)| u16::from_str_radix(port, 16).ok())
        && facts.listeners.len() < ENTRIES
    {
        facts.listeners.insert(port, "something".to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "machine-id\t0123456789abcdef0123456789abcdef\nend\tend\n";

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn parsed(extra: &str) -> Facts {
        facts(&format!("{extra}\n{GOOD}"), at(1000), at(1002)).unwrap()
    }

    #[test]
    fn ports_clocks_and_numbers_are_read() {
        let facts = parsed(
            "clock\t1011.500000000\ncpus\t4\nlistener\tLISTEN 0 128 [::]:22 [::]:* users:((\"sshd\",pid=1,fd=3))\n\
             listener\tLISTEN 0 128 127.0.0.1%lo:2379 0.0.0.0:*\nsocket\t0100007F:1F90\nsynchronised\tno",
        );
        assert_eq!(facts.cpus, 4);
        assert_eq!(facts.listeners[&22], "sshd");
        assert_eq!(facts.listeners[&2379], "something");
        assert_eq!(facts.listeners[&8080], "something");
        assert_eq!(facts.is_synchronised, Some(false));
        let (ahead, uncertainty) = facts.clock_ahead.unwrap();
        assert_eq!((ahead.as_millis(), uncertainty.as_millis()), (10_500, 1000));
    }

    #[test]
    fn rubbish_is_no_fact_and_no_panic() {
        for text in [
            "",
            "end\tend",
            "machine-id\tx\nend\tend",
            GOOD.strip_suffix("end\tend\n").unwrap(),
            "\t\t\t\n\0",
        ] {
            assert!(facts(text, at(0), at(0)).is_err(), "{text:?}");
        }
        let keys = [
            "clock",
            "cpus",
            "boot-time",
            "mark",
            "bundle",
            "certificate",
            "listener",
            "socket",
            "bundle-time",
            "missing",
            "missing-key",
            "machine-id-of-someone",
            "disk-kib",
            "synchronised",
        ];
        let values = [
            "",
            "-1",
            "99999999999999999999999999",
            "\u{fffd}",
            "....:::",
            "AAAA",
            "e30=",
            "1.é",
            ":ffffff",
            " x ",
        ];
        for key in keys {
            for value in values {
                parsed(&format!("{key}\t{value}"));
            }
        }
        assert!(
            matches!(parsed("mark\te30=").mark, Some(Err(_))),
            "a mark of nothing is damaged, not absent"
        );
    }

    #[test]
    fn the_clocks_may_be_anywhere() {
        for (there, asked, read) in [
            ("0", i64::from(i32::MAX), 0),
            ("253402207200", 0, 5),
            ("-377705023201", 0, 0),
        ] {
            clock_ahead(there, at(asked), at(read));
        }
    }
}
