//! Operating systems, and what is known of keelson on them.

use super::Facts;

/// What is known of keelson on a system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is meant to work there, and a failure is a bug.
    Supported,
    /// It should work there, and nobody has tried.
    Untested,
    /// It is known not to work there.
    Unsupported,
}

/// A row of the table of systems.
#[derive(Debug, Clone, Copy)]
pub struct SystemRow {
    /// `ID` of os-release(5), or a word of `ID_LIKE`.
    pub id: &'static str,
    /// The beginning of `VERSION_ID`, up to a dot; empty for every version.
    pub version: &'static str,
    /// What is known.
    pub verdict: Verdict,
}

const fn row(id: &'static str, version: &'static str, verdict: Verdict) -> SystemRow {
    SystemRow { id, version, verdict }
}

/// The first row that fits is the one; a system without a row is untested. Debian's versions are from
/// <https://www.debian.org/releases/>, Ubuntu's from <https://ubuntu.com/about/release-cycle>. Older ones and version 8
/// of Enterprise Linux have kernels and a systemd that Kubernetes does not want with cgroup v2.
pub const SYSTEMS: &[SystemRow] = &[
    row("debian", "12", Verdict::Supported),
    row("debian", "13", Verdict::Supported),
    row("debian", "11", Verdict::Unsupported),
    row("debian", "10", Verdict::Unsupported),
    row("ubuntu", "22.04", Verdict::Supported),
    row("ubuntu", "24.04", Verdict::Supported),
    row("ubuntu", "20.04", Verdict::Unsupported),
    row("ubuntu", "18.04", Verdict::Unsupported),
    row("rhel", "9", Verdict::Untested),
    row("rhel", "8", Verdict::Unsupported),
    row("rhel", "7", Verdict::Unsupported),
    row("centos", "7", Verdict::Unsupported),
    // They have no systemd.
    row("alpine", "", Verdict::Unsupported),
    row("void", "", Verdict::Unsupported),
];

/// What is known of keelson on the system of a host.
pub fn verdict(facts: &Facts) -> Verdict {
    let fits = |row: &&SystemRow| {
        let same_id = facts.os_id == row.id
            || (facts.os_like.split_whitespace().any(|like| like == row.id) && row.id == "rhel");
        let rest = facts.os_version.strip_prefix(row.version);
        same_id
            && (row.version.is_empty() || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.')))
    };
    SYSTEMS
        .iter()
        .find(fits)
        .map_or(Verdict::Untested, |row| row.verdict)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn systems_are_told_apart() {
        let table = [
            ("debian", "", "12", Verdict::Supported),
            ("debian", "", "1", Verdict::Untested),
            ("debian", "", "11", Verdict::Unsupported),
            ("ubuntu", "debian", "24.04", Verdict::Supported),
            ("rocky", "rhel centos fedora", "9.4", Verdict::Untested),
            ("almalinux", "rhel centos fedora", "8.10", Verdict::Unsupported),
            ("alpine", "", "3.20", Verdict::Unsupported),
            ("", "", "", Verdict::Untested),
        ];
        for (id, like, version, expected) in table {
            let facts = Facts {
                os_id: id.to_owned(),
                os_like: like.to_owned(),
                os_version: version.to_owned(),
                ..Facts::default()
            };
            assert_eq!(verdict(&facts), expected, "{id} {version}");
        }
    }
}
