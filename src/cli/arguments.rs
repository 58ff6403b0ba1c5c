//! Arguments that several commands share.

use std::ops::Deref;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use keelson_provider_api::values::Span;

use super::failure::{Failure, REPORT};
use super::terminal::Terminal;
use super::{files, secrets};
use crate::execute::Reporter;
use crate::ops::Session;
use crate::registry::{self, ConnectOptions};
use crate::spec::{self, ValidSpec};
use crate::view::progress_bars::BarProgress;
use crate::view::progress_json::JsonProgress;
use crate::view::progress_lines::LineProgress;

/// Which cluster.
#[derive(Debug, Args)]
pub(super) struct SpecArgument {
    /// The cluster's spec; `-` reads it from stdin
    #[arg(short, long, value_name = "FILE", default_value = "cluster.yaml")]
    pub file: PathBuf,
}

/// Which cluster, and how its hosts are reached.
#[derive(Debug, Args)]
pub(super) struct ClusterArgument {
    #[command(flatten)]
    spec: SpecArgument,
    /// Believe the key that a bare host shows when nobody knows it yet, and remember it
    #[arg(long)]
    accept_new_host_keys: bool,
}

impl Deref for ClusterArgument {
    type Target = SpecArgument;

    fn deref(&self) -> &SpecArgument {
        &self.spec
    }
}

impl ClusterArgument {
    /// Reads the spec and connects to what it names.
    pub(super) async fn connect(&self, terminal: &Terminal) -> Result<Session, Failure> {
        Ok(registry::connect(self.load(terminal)?, &self.options()?).await?)
    }

    /// The same for a command that installs nothing, so that no digest has to be looked up.
    pub(super) async fn connect_to_look(&self, terminal: &Terminal) -> Result<Session, Failure> {
        let options = ConnectOptions {
            installs_nothing: true,
            ..self.options()?
        };
        Ok(registry::connect(self.load(terminal)?, &options).await?)
    }

    /// How the spec's machines and state store are reached.
    pub(super) fn options(&self) -> Result<ConnectOptions, Failure> {
        Ok(ConnectOptions {
            base_directory: self.directory(),
            holder: files::holder(),
            accept_new_host_keys: self.accept_new_host_keys,
            ..secrets::from_environment()?
        })
    }
}

impl SpecArgument {
    /// Reads and checks the spec. Warnings are shown, errors are the failure.
    pub(super) fn load(&self, terminal: &Terminal) -> Result<ValidSpec, Failure> {
        let spec = spec::load(&self.read()?, &self.origin())?;
        terminal.warnings(spec.warnings());
        Ok(spec)
    }

    /// Reads the spec's bytes; of one that is too large, enough for [`spec::load`] to refuse it.
    pub(super) fn read(&self) -> Result<Vec<u8>, Failure> {
        let advice = "`keelson init NAME` writes a spec to begin with; `-f FILE` names another";
        files::read_start(&self.file, spec::read_limit_bytes() + 1, advice)
    }

    /// The directory that relative paths in the spec are relative to: that of the file, or the working directory where the
    /// spec comes from no file in a directory.
    pub(super) fn directory(&self) -> PathBuf {
        match self.file.parent() {
            _ if self.is_stdin() || is_stream(&self.file) => PathBuf::from("."),
            Some(parent) if parent != Path::new("") => parent.to_owned(),
            _ => PathBuf::from("."),
        }
    }

    fn is_stdin(&self) -> bool {
        self.file == Path::new("-")
    }

    /// The file as messages name it.
    pub(super) fn origin(&self) -> String {
        files::shown(&self.file)
    }

    /// The command that does `verb` to this cluster, for advice.
    pub(super) fn command(&self, verb: &str) -> String {
        format!("keelson {verb} -f {}", self.word())
    }

    /// The file as a shell takes it.
    pub(super) fn word(&self) -> String {
        shell_word(&self.file)
    }
}

/// True for the names of what a process has open, as a shell gives them for `<(command)`.
fn is_stream(file: &Path) -> bool {
    file.starts_with("/dev/fd") || file == Path::new("/dev/stdin") || file.starts_with("/proc")
}

/// A path as a shell takes it, so that advice can be copied.
pub(super) fn shell_word(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |character: char| character.is_alphanumeric() || "-_./+:@%,".contains(character);
    if !text.is_empty() && text.chars().all(plain) {
        text
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}

/// A duration as an argument: as in a spec, or in days: `8h`, `30d`.
pub(super) fn lifetime(text: &str) -> Result<Span, String> {
    let days = text.strip_suffix('d').and_then(|days| days.parse::<u64>().ok());
    let text = match days.and_then(|days| days.checked_mul(24)) {
        Some(hours) => format!("{hours}h"),
        None => text.to_owned(),
    };
    text.parse::<Span>()
        .map_err(|error| format!("{error}; 8h and 30d are"))
}

/// How data is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For reading
    Text,
    /// For programs
    Json,
    /// For programs and for reading
    Yaml,
}

impl Format {
    /// Prints a value, as text by `render` or in another format by its fields.
    pub(super) fn print<T: serde::Serialize>(
        self,
        terminal: &Terminal,
        value: &T,
        render: impl FnOnce(&T) -> String,
    ) -> Result<(), Failure> {
        let unprintable = |problem: String| {
            Failure::failed(format!("cannot print the result: {problem}")).with_help(REPORT)
        };
        let text = match self {
            Self::Text => render(value),
            Self::Json => {
                serde_json::to_string_pretty(value).map_err(|error| unprintable(error.to_string()))? + "\n"
            }
            Self::Yaml => serde_saphyr::to_string(value).map_err(|error| unprintable(error.to_string()))?,
        };
        terminal.data(&text)
    }
}

/// How progress is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Progress {
    /// Bars on a terminal, lines elsewhere
    Auto,
    /// The same as auto: there are no bars without a terminal
    Bars,
    /// A line for each thing that happens
    Lines,
    /// JSON lines and nothing else: an object for each event; warnings and errors are events too. Never asks
    Json,
    /// Nothing but warnings, errors and the question, where there is one
    None,
}

/// How progress is shown.
#[derive(Debug, Args)]
pub(super) struct ProgressArgument {
    /// How progress is shown, on stderr
    #[arg(long, value_name = "HOW", default_value = "auto")]
    progress: Progress,
}

impl ProgressArgument {
    pub(super) fn reporter(&self, terminal: &Terminal) -> Box<dyn Reporter> {
        match self.progress {
            Progress::Auto | Progress::Bars if terminal.is_watched() => {
                Box::new(BarProgress::new(terminal.shows_colours()))
            }
            Progress::Auto | Progress::Bars | Progress::Lines => {
                Box::new(LineProgress::new(terminal.error_stream()))
            }
            Progress::Json => Box::new(JsonProgress::new(std::io::stderr())),
            Progress::None => Box::new(crate::execute::Silent),
        }
    }

    /// True when stderr belongs to a program, so that words for people would be in its way.
    pub(super) fn is_json(&self) -> bool {
        self.progress == Progress::Json
    }

    /// True when what went well is not told to people.
    pub(super) fn is_quiet(&self) -> bool {
        matches!(self.progress, Progress::Json | Progress::None)
    }

    /// Fails when nobody can be asked.
    pub(super) fn check_can_ask(&self, terminal: &Terminal) -> Result<(), Failure> {
        let problem = if self.is_json() {
            "--progress json cannot ask"
        } else if terminal.can_ask() {
            return Ok(());
        } else {
            "there is no terminal to ask on"
        };
        Err(Failure::usage(problem).with_help("pass --yes to go on without asking"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_durations_too() {
        let hours = |hours: u64| Ok(Span::from_secs(hours * 3600));
        assert_eq!(lifetime("30d"), hours(720));
        assert_eq!(lifetime("8h"), hours(8));
        assert_eq!(lifetime("0d"), hours(0));
        for wrong in [
            "",
            "d",
            "-1d",
            "1.5d",
            "1d2h",
            "999999999d",
            "18446744073709551615d",
        ] {
            assert!(lifetime(wrong).is_err(), "{wrong}");
        }
    }
}
