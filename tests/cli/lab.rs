//! A folder of its own for each test, and the real program run in it.

use std::fmt::Write as _;
use std::io::{Read, Write as _};
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

/// Longer than anything here takes, also on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);
const POLL: Duration = Duration::from_millis(10);

/// The program.
pub(super) const PROGRAM: &str = env!("CARGO_BIN_EXE_keelson");

/// `nobody`, who has no rights but those of everybody.
const NOBODY: u32 = 65_534;

/// A temporary folder with specs and their state in it.
pub(super) struct Lab {
    directory: tempfile::TempDir,
    /// The user that the program runs as, where it is not the one of the tests; with a copy of the program that is in reach.
    user: Option<(u32, tempfile::TempDir)>,
}

/// How a run of the program ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ran {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

/// A run that goes on. Killed when it is dropped.
pub(super) struct Running {
    child: Child,
    stdout: Option<JoinHandle<String>>,
    stderr: Option<JoinHandle<String>>,
}

impl Lab {
    pub(super) fn new() -> Self {
        Self {
            directory: tempfile::tempdir().unwrap(),
            user: None,
        }
    }

    /// The same lab for a user whom permissions keep out: for root, whom they do not, that is nobody, whose the files become.
    pub(super) fn without_rights(mut self) -> Self {
        if rustix::process::geteuid().is_root() {
            let mut paths: Vec<PathBuf> = vec![self.path("")];
            while let Some(path) = paths.pop() {
                if path.is_dir() {
                    let entries = std::fs::read_dir(&path).unwrap();
                    paths.extend(entries.map(|entry| entry.unwrap().path()));
                }
                chown(&path, Some(NOBODY), Some(NOBODY)).unwrap();
            }
            let folder = tempfile::tempdir().unwrap();
            chown(folder.path(), Some(NOBODY), Some(NOBODY)).unwrap();
            // The folders above the program may be closed to others.
            std::fs::copy(PROGRAM, folder.path().join("keelson")).unwrap();
            self.user = Some((NOBODY, folder));
        }
        self
    }

    /// A lab in which `cluster.yaml` is `text`.
    pub(super) fn with_spec(text: &str) -> Self {
        let lab = Self::new();
        lab.write("cluster.yaml", text);
        lab
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(super) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    pub(super) fn read(&self, name: &str) -> String {
        let path = self.path(name);
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// Replaces text in a file; it must be there.
    pub(super) fn edit(&self, name: &str, from: &str, to: &str) {
        let text = self.read(name);
        assert!(text.contains(from), "{name} has no `{from}`:\n{text}");
        self.write(name, text.replace(from, to));
    }

    /// Puts a named pipe that nobody uses in the place of whatever has the name.
    pub(super) fn put_pipe(&self, name: &str) {
        let path = self.path(name);
        // There may be nothing yet.
        let _ = std::fs::remove_file(&path);
        let made = Command::new("mkfifo").arg(&path).status().unwrap();
        assert!(made.success());
    }

    /// The program in this folder, with an environment that is the same everywhere.
    pub(super) fn command<S: AsRef<std::ffi::OsStr>>(
        &self,
        arguments: impl IntoIterator<Item = S>,
    ) -> Command {
        let mut command = match &self.user {
            None => self.command_of(Path::new(PROGRAM)),
            Some((user, folder)) => {
                let mut command = self.command_of(&folder.path().join("keelson"));
                command.uid(*user).gid(*user);
                command
            }
        };
        command.args(arguments);
        command
    }

    /// Any program in the same surroundings.
    pub(super) fn command_of(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(self.directory.path())
            .env_clear()
            .env("USER", "operator")
            // Nobody asks the network who the machine is.
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("RUST_BACKTRACE", "0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs the program to its end; arguments are separated by spaces.
    pub(super) fn run(&self, arguments: &str) -> Ran {
        Running::start(self.command(arguments.split_whitespace())).end()
    }

    /// Runs the program with `input` on its stdin.
    pub(super) fn run_with_input(&self, arguments: &str, input: &[u8]) -> Ran {
        let mut command = self.command(arguments.split_whitespace());
        command.stdin(Stdio::piped());
        let mut running = Running::start(command);
        let mut stdin = running.child.stdin.take().unwrap();
        // The program may have seen enough before all is written.
        let _ = stdin.write_all(input);
        drop(stdin);
        running.end()
    }

    /// Starts the program.
    pub(super) fn start(&self, arguments: &str) -> Running {
        Running::start(self.command(arguments.split_whitespace()))
    }

    /// Runs the program and expects it to end with `code`.
    pub(super) fn expect(&self, code: i32, arguments: &str) -> Ran {
        self.run(arguments).expect(code, arguments)
    }

    /// Text with all that differs from run to run replaced.
    pub(super) fn redact(&self, text: &str) -> String {
        let directory = self.directory.path().display().to_string();
        redact(&text.replace(&directory, "[LAB]"))
    }
}

impl Ran {
    /// Fails unless the run ended with `code`, said so in good order and did not panic; and, where it failed, said what to do.
    pub(super) fn expect(self, code: i32, what: &str) -> Self {
        assert_eq!(self.code, Some(code), "keelson {what}\n{self:#?}");
        let failed =
            matches!(code, 1 | 3 | 4 | 5) && self.stderr.lines().any(|line| line.starts_with("error:"));
        let advises = |line: &str| {
            line.trim_start().starts_with("help:") || line.starts_with("Next:") || line.contains("expected")
        };
        assert!(
            !failed || self.stderr.lines().any(advises),
            "keelson {what} does not say what to do\n{self:#?}"
        );
        for text in [&self.stdout, &self.stderr] {
            assert!(!text.contains("panicked"), "keelson {what}\n{text}");
        }
        self
    }

    /// Fails unless stderr holds each of these.
    pub(super) fn says(self, words: &[&str]) -> Self {
        for word in words {
            assert!(self.stderr.contains(word), "`{word}` is not in:\n{}", self.stderr);
        }
        self
    }

    pub(super) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}:\n{}", self.stdout))
    }
}

impl Running {
    pub(super) fn start(mut command: Command) -> Self {
        let mut child = command.spawn().unwrap();
        let stdout = child.stdout.take().map(read_all);
        let stderr = child.stderr.take().map(read_all);
        Self {
            child,
            stdout,
            stderr,
        }
    }

    pub(super) fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, signal).unwrap();
    }

    /// Waits for the end.
    pub(super) fn end(mut self) -> Ran {
        let mut status: Option<ExitStatus> = None;
        let ended = wait_for(|| {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        assert!(ended, "the run did not end within {PATIENCE:?}");
        let text = |reader: Option<JoinHandle<String>>| {
            reader.map_or_else(String::new, |reader| reader.join().unwrap())
        };
        Ran {
            code: status.and_then(|status| status.code()),
            stdout: text(self.stdout.take()),
            stderr: text(self.stderr.take()),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read_all(mut from: impl Read + Send + 'static) -> JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        from.read_to_end(&mut bytes).unwrap();
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

/// Waits until `holds`, for a bounded time; says whether it came to hold.
pub(super) fn wait_for(mut holds: impl FnMut() -> bool) -> bool {
    for _ in 0..(PATIENCE.as_millis() / POLL.as_millis()) {
        if holds() {
            return true;
        }
        std::thread::sleep(POLL);
    }
    false
}

/// Text with times, processes, machines and digests replaced.
pub(super) fn redact(text: &str) -> String {
    const PATTERNS: [(&str, &str); 4] = [
        (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "[TIME]"),
        (r"\d{8}T\d{6}Z", "[TIME]"),
        (r"operator@\S+ \(process \d+\)", "operator@[HOST] (process [PID])"),
        (r"sha256:[0-9a-f]{12,64}", "sha256:[DIGEST]"),
    ];
    PATTERNS.iter().fold(text.to_owned(), |text, (pattern, shown)| {
        regex::Regex::new(pattern)
            .unwrap()
            .replace_all(&text, *shown)
            .into_owned()
    })
}

/// Commands one after another in one lab, written down as a reader of a terminal would see them.
pub(super) struct Session {
    pub lab: Lab,
    transcript: String,
}

impl Session {
    pub(super) fn new(lab: Lab) -> Self {
        Self {
            lab,
            transcript: String::new(),
        }
    }

    /// Runs a command and writes down what it printed and how it ended.
    pub(super) fn run(&mut self, code: i32, arguments: &str) -> Ran {
        let ran = self.lab.expect(code, arguments);
        self.write_down(arguments, &ran);
        ran
    }

    pub(super) fn write_down(&mut self, arguments: &str, ran: &Ran) {
        let code = ran
            .code
            .map_or_else(|| "killed".to_owned(), |code| code.to_string());
        let _ = writeln!(self.transcript, "$ keelson {arguments}");
        for (name, text) in [("stdout", &ran.stdout), ("stderr", &ran.stderr)] {
            for line in self.lab.redact(text).lines() {
                let _ = writeln!(self.transcript, "{name} | {line}");
            }
        }
        let _ = writeln!(self.transcript, "exit {code}\n");
    }

    /// Writes down what was done between commands.
    pub(super) fn note(&mut self, words: &str) {
        let _ = writeln!(self.transcript, "# {words}");
    }

    /// Changes the spec.
    pub(super) fn edit(&mut self, from: &str, to: &str) {
        self.lab.edit("cluster.yaml", from, to);
        self.note(&format!("edit cluster.yaml: {from} -> {to}"));
    }

    /// Everything so far.
    pub(super) fn transcript(&self) -> &str {
        &self.transcript
    }
}

/// The paths of all files below `directory` and their bytes; of a named pipe, which nobody writes to, none.
pub(super) fn files_below(directory: &Path) -> std::collections::BTreeMap<PathBuf, Vec<u8>> {
    let mut files = std::collections::BTreeMap::new();
    let mut folders = vec![directory.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let is_file = path.is_file();
                let content = is_file.then(|| std::fs::read(&path).unwrap());
                files.insert(path, content.unwrap_or_default());
            }
        }
    }
    files
}
