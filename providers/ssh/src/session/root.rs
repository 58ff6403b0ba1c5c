//! Becoming root, and what is said when a script has ended.

use std::time::Duration;

use keelson_provider_api::values::Secret;

use super::pump::Said;
use crate::exit_status;
use crate::shell::{HostError, HostErrorKind, Job, Output};
use crate::target::Target;

const ENTER: &str = include_str!("../scripts/enter.sh");
const ENTER_AFTER_PASSWORD: &str = include_str!("../scripts/enter-after-password.sh");
/// Where what sudo has left of the password ends; see `scripts/enter-after-password.sh`.
const INPUT_MARK: &str = "keelson-input-begins";
/// What the host is given beyond a script's time, to end it there.
pub(crate) const GRACE: Duration = Duration::from_secs(20);
/// After so many seconds a script that does not end when it is told to is killed.
const KILL_AFTER: &str = "--kill-after=10";
/// So much of what a host says is shown.
const SHOWN_CHARS: usize = 600;

/// How a user becomes root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Root {
    /// The user is root.
    Already,
    /// sudo asks for nothing.
    Sudo,
    /// sudo asks for a password.
    SudoWithPassword,
}

/// The words of the command that runs a job as root. The host itself ends a job whose time is over, also when nobody is
/// connected any more.
pub(crate) fn command(job: &Job<'_>, root: Root) -> Vec<String> {
    let seconds = job.timeout.as_secs().max(1).to_string();
    let script = match root {
        Root::SudoWithPassword => format!("{ENTER_AFTER_PASSWORD}{ENTER}{}", job.script),
        Root::Already | Root::Sudo => format!("{ENTER}{}", job.script),
    };
    let sudo: &[&str] = match root {
        Root::Already => &[],
        Root::Sudo => &["sudo", "-n", "--"],
        // -k: never without the password, so that what is read from stdin does not depend on what sudo remembers.
        Root::SudoWithPassword => &["sudo", "-k", "-S", "-p", "", "--"],
    };
    let mut words: Vec<String> = sudo.iter().map(|&word| word.to_owned()).collect();
    words.extend(["timeout", KILL_AFTER].map(str::to_owned));
    words.extend([
        seconds,
        "sh".to_owned(),
        "-c".to_owned(),
        script,
        "keelson".to_owned(),
    ]);
    words.extend(job.arguments.iter().cloned());
    words
}

/// What goes to stdin before the job's own input.
pub(crate) fn preface(root: Root, password: Option<&Secret<String>>) -> Secret<Vec<u8>> {
    let preface = match (root, password) {
        (Root::SudoWithPassword, Some(password)) => {
            format!("{}\n{INPUT_MARK}\n", password.expose()).into_bytes()
        }
        _ => Vec::new(),
    };
    Secret::new(preface)
}

/// What became of a job whose program ended with `status`.
pub(crate) fn judge(target: &Target, job: &Job<'_>, status: i32, said: Said) -> Result<Output, HostError> {
    let shown = shown(&said);
    if !said.began {
        return Err(error(
            target,
            HostErrorKind::Denied,
            format!("{} was not run: {shown} (status {status})", job.name),
        )
        .with_help(format!(
            "see that {} may run sh and timeout as root on {}, and that nothing else takes the place of the command",
            user(target),
            target.name
        )));
    }
    if matches!(status, exit_status::TIMED_OUT | exit_status::KILLED) {
        let seconds = job.timeout.as_secs().max(1);
        return Err(error(
            target,
            HostErrorKind::Lost,
            format!(
                "{} did not end within {seconds} s and was ended: {shown}",
                job.name
            ),
        ));
    }
    Ok(Output {
        status,
        stdout: said.stdout,
        stderr: said.stderr,
    })
}

/// The end of what was said, as one line.
fn shown(said: &Said) -> String {
    let text = [&said.stderr, &said.stdout]
        .into_iter()
        .find(|text| !text.trim().is_empty());
    one_line(text.map_or("it said nothing", |text| text.trim()))
}

/// What stands in place of what is left out before a text.
const CUT: &str = "[…]";

/// The end of a text that came from elsewhere, fit for a message: one line, nothing that a terminal obeys. What is too long
/// begins with a whole line, or at least with a whole word, and says that something is missing.
pub(crate) fn one_line(text: &str) -> String {
    let text = text.trim_end();
    let (cut, end) = match text.char_indices().rev().nth(SHOWN_CHARS) {
        Some((index, _)) => (Some(CUT), whole_words(text.get(index..).unwrap_or(text))),
        None => (None, text),
    };
    let words: Vec<_> = cut.into_iter().chain(end.split_whitespace()).collect();
    let joined = words.join(" ");
    joined
        .chars()
        .filter(|character| !character.is_control())
        .collect()
}

/// A text without the line, or else the word, that it begins in the middle of; where next to nothing would be left, with it.
fn whole_words(end: &str) -> &str {
    let after = |found: fn(char) -> bool| {
        let (_, rest) = end.split_once(found)?;
        (rest.len() > end.len() / 2).then_some(rest)
    };
    let of_lines = after(|character| character == '\n').filter(|rest| !rest.trim().is_empty());
    of_lines.or_else(|| after(char::is_whitespace)).unwrap_or(end)
}

pub(crate) fn error(target: &Target, kind: HostErrorKind, problem: impl Into<String>) -> HostError {
    HostError {
        host: target.name.clone(),
        address: target.address.clone(),
        kind,
        problem: problem.into(),
        help: None,
    }
}

impl HostError {
    /// The same error with what to do about it.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// Who logs in, for messages.
pub(crate) fn user(target: &Target) -> &str {
    target.user.as_deref().unwrap_or("the user")
}

const NO_ROOT: &str = "cannot become root";

/// True for an error of a host that lets the user in, and not become root.
pub(crate) fn is_about_root(error: &HostError) -> bool {
    error.kind == HostErrorKind::Denied && error.problem.contains(NO_ROOT)
}

/// When nobody can become root on a host; `words` are sudo's own.
pub(crate) fn no_root(target: &Target, user: &str, password_given: bool, words: &str) -> HostError {
    let words = one_line(words.trim());
    let help = if password_given {
        format!(
            "check the sudo password in KEELSON_SUDO_PASSWORD, and what `sudo -l` says for {user} on {}",
            target.name
        )
    } else {
        format!(
            "log in as root, let {user} use sudo without a password on {} (a line `{user} ALL=(ALL:ALL) NOPASSWD: ALL` \
             in /etc/sudoers.d/), or give the password that sudo asks for, in KEELSON_SUDO_PASSWORD",
            target.name
        )
    };
    error(
        target,
        HostErrorKind::Denied,
        format!("{user} {NO_ROOT}: {words}"),
    )
    .with_help(help)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(script: &str) -> Job<'_> {
        Job {
            name: "test",
            script,
            arguments: vec!["a b".to_owned()],
            input: Vec::new(),
            timeout: Duration::from_millis(1),
        }
    }

    #[test]
    fn a_password_is_in_no_argument() {
        let password = Secret::new("hunter2".to_owned());
        let words = command(&job("true"), Root::SudoWithPassword);
        assert!(!words.concat().contains("hunter2"));
        let preface = preface(Root::SudoWithPassword, Some(&password));
        assert_eq!(preface.expose(), b"hunter2\nkeelson-input-begins\n");
        assert!(super::preface(Root::Sudo, Some(&password)).expose().is_empty());
    }

    #[test]
    fn words_of_others_become_one_harmless_line() {
        assert_eq!(one_line("a\n\tb\x1b[31m\r\nc"), "a b[31m c");
        let unbroken = one_line(&"ö".repeat(5000));
        assert!(unbroken.chars().count() <= SHOWN_CHARS + 1 + CUT.chars().count() + 1);
    }

    #[test]
    fn what_is_too_long_is_cut_between_lines_or_words_and_says_so() {
        let line = |number: usize| format!("tar: member-{number:04}: Cannot open: No space left on device\n");
        let lines: Vec<String> = (0..100).map(line).collect();
        let shown = one_line(&lines.concat());
        assert!(shown.starts_with("[…] tar: member-"), "{shown}");
        assert!(
            shown.ends_with("member-0099: Cannot open: No space left on device"),
            "{shown}"
        );
        let words = one_line(&"some words ".repeat(200));
        assert!(
            words.starts_with("[…] some words") || words.starts_with("[…] words some"),
            "{words}"
        );
        assert!(words.ends_with("some words"), "{words}");
        let unbroken = format!("{}cause\nin vain", "x".repeat(2 * SHOWN_CHARS));
        assert!(
            one_line(&unbroken).ends_with("xcause in vain"),
            "the end of a long line is kept"
        );
        let fits = "x ".repeat(SHOWN_CHARS / 2);
        assert_eq!(one_line(&fits), fits.trim_end(), "nothing is missing");
    }
}
