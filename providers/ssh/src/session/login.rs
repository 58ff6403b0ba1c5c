//! A shell or a command for a person: the system's ssh in the foreground, with the keys that are pinned for the host.

use std::ffi::OsString;

use super::way::Way;
use crate::options::Access;
use crate::records::Records;
use crate::shell::HostError;
use crate::target::Target;

/// What someone logs in for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LoginOptions {
    /// The command to run instead of a shell; the host's shell reads the words joined by blanks.
    pub words: Vec<String>,
    /// True to have a terminal there also for a command.
    pub with_terminal: bool,
    /// The shell on this machine, for the host that is this machine.
    pub local_shell: String,
}

/// A program that logs someone in. Whoever has the terminal runs it, and says when it has ended.
pub struct Login {
    program: String,
    arguments: Vec<OsString>,
    /// What to learn from afterwards; nothing on this machine.
    connection: Option<(Target, Records, Way)>,
}

impl Login {
    /// On `target`, over ssh.
    pub(crate) async fn over_ssh(
        target: &Target,
        access: &Access,
        records: &Records,
        options: &LoginOptions,
    ) -> Result<Self, HostError> {
        let way = Way::to(target, access, records).await?;
        let mut arguments = way.trust.clone();
        if options.with_terminal {
            arguments.push("-t".into());
        }
        arguments.extend(way.destination.iter().cloned());
        arguments.extend(options.words.iter().map(OsString::from));
        Ok(Self {
            program: "ssh".to_owned(),
            arguments,
            connection: Some((target.clone(), records.clone(), way)),
        })
    }

    /// On this machine; a command is read by the shell as a host's would be.
    pub(crate) fn here(options: &LoginOptions) -> Self {
        let arguments = if options.words.is_empty() {
            Vec::new()
        } else {
            vec!["-c".into(), options.words.join(" ").into()]
        };
        Self {
            program: options.local_shell.clone(),
            arguments,
            connection: None,
        }
    }

    /// The program.
    pub fn program(&self) -> &str {
        &self.program
    }

    /// Its arguments.
    pub fn arguments(&self) -> &[OsString] {
        &self.arguments
    }

    /// Remembers the host key that ssh believed, where the user allows that. To be called when the program has ended.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn ended(self) -> Result<(), HostError> {
        match &self.connection {
            Some((target, records, way)) => way.learn(target, records).await,
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn here_a_shell_reads_the_words_as_one_line() {
        let mut options = LoginOptions {
            local_shell: "/bin/sh".to_owned(),
            ..LoginOptions::default()
        };
        assert!(Login::here(&options).arguments().is_empty());
        options.words = ["echo", "a b;", "exit 3"].map(str::to_owned).to_vec();
        assert_eq!(Login::here(&options).arguments(), ["-c", "echo a b; exit 3"]);
    }
}
