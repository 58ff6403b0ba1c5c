//! What an apply script does: one line an action in the file `actions` of a bundle.

use std::fmt::Write as _;

use keelson_provider_api::values::Digest;
use serde::{Deserialize, Serialize};

/// Mode, owner and group of a file or directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Access {
    /// The mode's permission bits.
    pub mode: u32,
    /// The owner.
    pub owner: &'static str,
    /// The group.
    pub group: &'static str,
}

impl Access {
    /// For everyone to read and root to change.
    pub const PUBLIC: Self = Self::of_root(0o644);

    /// Root's, with `mode`.
    pub const fn of_root(mode: u32) -> Self {
        Self {
            mode,
            owner: "root",
            group: "root",
        }
    }
}

/// A machine's architecture, by Go's name for it, as upstream's releases have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Architecture {
    /// `x86_64`.
    Amd64,
    /// `aarch64`.
    Arm64,
}

impl Architecture {
    /// Every architecture that keelson builds clusters on.
    pub const ALL: [Self; 2] = [Self::Amd64, Self::Arm64];

    /// Its name in the paths of releases.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Amd64 => "amd64",
            Self::Arm64 => "arm64",
        }
    }

    /// The one that `uname -m` calls `machine`, as the apply script tells them apart.
    pub fn of_machine(machine: &str) -> Option<Self> {
        match machine {
            "x86_64" => Some(Self::Amd64),
            "aarch64" | "arm64" => Some(Self::Arm64),
            _ => None,
        }
    }
}

/// One thing that the apply script does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Action {
    /// Downloads go through a proxy.
    Proxy {
        /// Its URL.
        url: String,
        /// The hosts that are downloaded from without it.
        except: Vec<String>,
    },
    /// A system user.
    User {
        /// Its name.
        name: &'static str,
        /// Its home, which is not made.
        home: &'static str,
    },
    /// A directory.
    Directory {
        /// Its path.
        path: String,
        /// Who may do what with it.
        access: Access,
    },
    /// A release file, downloaded or carried to the machine.
    Asset {
        /// Its SHA-256.
        sha256: Digest,
        /// Where it is downloaded from; `None` when keelson carries it there.
        url: Option<String>,
        /// What it is, for people.
        name: String,
        /// The machines that need it.
        architecture: Architecture,
    },
    /// A file of the bundle.
    File {
        /// Where it goes.
        path: String,
        /// Who may do what with it.
        access: Access,
        /// Its path in the bundle.
        source: String,
        /// The units that read it when they start.
        units: Vec<&'static str>,
    },
    /// A member of an asset that is a `.tar.gz`.
    Unpack {
        /// Where it goes.
        path: String,
        /// Its permission bits.
        mode: u32,
        /// The asset.
        sha256: Digest,
        /// Its path in the archive.
        member: String,
        /// The units that run it.
        units: Vec<&'static str>,
        /// The machines that it is for.
        architecture: Architecture,
    },
    /// A certificate or private key, which is no part of the bundle and comes beside it.
    Secret {
        /// Where it goes.
        path: String,
        /// Who may do what with it.
        access: Access,
        /// Its name on the way.
        name: String,
        /// The units that read it only when they start.
        units: Vec<&'static str>,
    },
    /// An asset that is a program.
    Install {
        /// Where it goes.
        path: String,
        /// Its permission bits.
        mode: u32,
        /// The asset.
        sha256: Digest,
        /// The units that run it.
        units: Vec<&'static str>,
        /// The machines that it is for.
        architecture: Architecture,
    },
    /// A systemd unit. Who makes what it serves starts it; the script restarts it when what it uses has changed.
    Unit {
        /// Its name.
        name: &'static str,
        /// Its permission bits.
        mode: u32,
        /// Its path in the bundle.
        source: String,
    },
    /// A module that the kernel is to have loaded.
    KernelModule {
        /// Its name.
        name: &'static str,
    },
    /// Settings of the kernel.
    KernelSettings {
        /// The file with them, as `sysctl.conf(5)` has it.
        path: &'static str,
    },
    /// A unit that runs as soon as the bundle is in force, and from each boot on.
    Start {
        /// Its name.
        unit: &'static str,
    },
    /// An image that containerd fetches where it has none of that name.
    Image {
        /// Its name, with registry and tag.
        name: String,
    },
    /// What follows needs the images that were named: where containerd runs already, they are fetched first.
    Fetch,
}

/// A value that cannot stand in a line of actions.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` holds a control character, which no action can", .0.escape_debug())]
pub struct InvalidAction(pub String);

impl Action {
    /// What stands in the action's line: its verb, and what the script takes after it.
    fn fields(&self) -> Vec<String> {
        let words = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
        match self {
            Self::Proxy { url, except } if except.is_empty() => words(&["proxy", url, "-"]),
            Self::Proxy { url, except } => words(&["proxy", url, &except.join(",")]),
            Self::User { name, home } => words(&["user", name, home]),
            Self::Directory { path, access } => [words(&["directory", path]), access.fields()].concat(),
            Self::Asset {
                sha256,
                url,
                name,
                architecture,
            } => words(&[
                "asset",
                &sha256.hexadecimal(),
                url.as_deref().unwrap_or("-"),
                name,
                architecture.name(),
            ]),
            Self::File {
                path,
                access,
                source,
                units,
            } => placed("file", path, *access, source, units),
            Self::Unpack {
                path,
                mode,
                sha256,
                member,
                units,
                architecture,
            } => words(&[
                "unpack",
                path,
                &format!("{mode:o}"),
                &sha256.hexadecimal(),
                member,
                &list(units),
                architecture.name(),
            ]),
            Self::Secret {
                path,
                access,
                name,
                units,
            } => placed("secret", path, *access, name, units),
            Self::Install {
                path,
                mode,
                sha256,
                units,
                architecture,
            } => words(&[
                "install",
                path,
                &format!("{mode:o}"),
                &sha256.hexadecimal(),
                &list(units),
                architecture.name(),
            ]),
            Self::Unit { name, mode, source } => words(&["unit", name, &format!("{mode:o}"), source]),
            Self::KernelModule { name } => words(&["module", name]),
            Self::KernelSettings { path } => words(&["sysctl", path]),
            Self::Start { unit } => words(&["start", unit]),
            Self::Image { name } => words(&["image", name]),
            Self::Fetch => words(&["fetch"]),
        }
    }
}

impl Access {
    fn fields(self) -> Vec<String> {
        vec![
            format!("{:o}", self.mode),
            self.owner.to_owned(),
            self.group.to_owned(),
        ]
    }
}

/// The fields of something that is put at `path` for `units`.
fn placed(verb: &str, path: &str, access: Access, source: &str, units: &[&str]) -> Vec<String> {
    let mut fields = vec![verb.to_owned(), path.to_owned()];
    fields.extend(access.fields());
    fields.extend([source.to_owned(), list(units)]);
    fields
}

fn list(units: &[&str]) -> String {
    if units.is_empty() {
        "-".to_owned()
    } else {
        units.join(",")
    }
}

/// The file `actions` of a bundle.
///
/// # Errors
/// [`InvalidAction`] when a value would end its field or its line.
pub(super) fn lines(actions: &[Action]) -> Result<String, InvalidAction> {
    let mut lines = String::new();
    for action in actions {
        let fields = action.fields();
        if let Some(field) = fields.iter().find(|field| field.contains(char::is_control)) {
            return Err(InvalidAction(field.clone()));
        }
        // An empty field would be taken for none, and the next one for it.
        let fields = fields
            .iter()
            .map(|field| if field.is_empty() { "-" } else { field.as_str() });
        let _ = writeln!(lines, "{}", fields.collect::<Vec<_>>().join("\t"));
    }
    Ok(lines)
}
