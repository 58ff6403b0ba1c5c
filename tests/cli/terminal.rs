//! The program on a real terminal: bars, prompts, colours.

use std::io::{Read, Write};
use std::num::NonZeroU16;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

use super::lab::{Lab, PROGRAM, wait_for};
use super::locks::SLOW;

const ROWS: u16 = 60;

/// The program on a pseudo-terminal. Killed when it is dropped.
struct OnTerminal {
    child: Box<dyn Child + Send + Sync>,
    // The terminal is there for as long as its master is.
    _master: Box<dyn MasterPty + Send>,
    keyboard: Box<dyn Write + Send>,
    written: Arc<Mutex<Vec<u8>>>,
    reader: Option<JoinHandle<()>>,
    columns: u16,
}

impl OnTerminal {
    fn start(lab: &Lab, arguments: &str, columns: u16, environment: &[(&str, &str)]) -> Self {
        let size = PtySize {
            rows: ROWS,
            cols: columns,
            pixel_width: 0,
            pixel_height: 0,
        };
        let pair = native_pty_system().openpty(size).unwrap();
        let mut command = CommandBuilder::new(PROGRAM);
        command.args(arguments.split_whitespace());
        command.cwd(lab.path(""));
        command.env_clear();
        for (name, value) in [
            ("USER", "operator"),
            ("TERM", "xterm-256color"),
            ("AWS_EC2_METADATA_DISABLED", "true"),
        ]
        .iter()
        .chain(environment)
        {
            command.env(name, value);
        }
        let child = pair.slave.spawn_command(command).unwrap();
        drop(pair.slave);
        let written = Arc::new(Mutex::new(Vec::new()));
        let mut screen = pair.master.try_clone_reader().unwrap();
        let sink = Arc::clone(&written);
        let reader = std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            // The end of a terminal is an error on some systems.
            while let Ok(count @ 1..) = screen.read(&mut buffer) {
                sink.lock().unwrap().extend_from_slice(&buffer[..count]);
            }
        });
        Self {
            child,
            keyboard: pair.master.take_writer().unwrap(),
            _master: pair.master,
            written,
            reader: Some(reader),
            columns,
        }
    }

    fn raw(&self) -> String {
        String::from_utf8_lossy(&self.written.lock().unwrap()).into_owned()
    }

    /// What someone who looks at the terminal sees now, with all that scrolled away.
    fn screen(&self) -> String {
        self.emulated().screen().contents()
    }

    /// The same row by row: a row that is full has an end, too.
    fn rows(&self) -> Vec<String> {
        self.emulated().screen().rows(0, self.columns).collect()
    }

    fn emulated(&self) -> vt100::Parser {
        let mut terminal = vt100::Parser::new(cells(600), cells(self.columns), 0);
        terminal.process(&self.written.lock().unwrap());
        terminal
    }

    fn wait_to_see(&self, text: &str) {
        assert!(
            wait_for(|| self.screen().contains(text)),
            "`{text}` never came:\n{}",
            self.screen()
        );
    }

    /// Waits until one screen shows at least two steps in flight, a line each, and the bar of the whole below them.
    fn wait_to_see_steps_in_flight(&self) {
        let step = regex::Regex::new(r"^  \S (create|update|delete) \S+/\S+ \(about ").unwrap();
        let both = || {
            let lines = self.rows();
            let bar = lines.iter().position(|line| line.contains(BAR));
            let above = bar.map_or(0, |bar| {
                let above = lines[..bar].iter().rev();
                above.take_while(|line| step.is_match(line)).count()
            });
            above >= 2
        };
        assert!(
            wait_for(both),
            "there never were two steps in flight above a bar:\n{}",
            self.screen()
        );
    }

    fn type_in(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
        self.keyboard.flush().unwrap();
    }

    /// Waits for the end, which must be with `code`, and gives what is to be seen then.
    fn end(&mut self, code: u32) -> String {
        let mut status = None;
        let ended = wait_for(|| {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        assert!(ended, "it did not end:\n{}", self.screen());
        self.reader.take().unwrap().join().unwrap();
        assert_eq!(status.unwrap().exit_code(), code, "{}", self.screen());
        assert!(!self.raw().contains("panicked"), "{}", self.screen());
        self.screen()
    }
}

impl Drop for OnTerminal {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const BAR: &str = "━";

#[test]
fn bars_are_drawn_and_cleared() {
    let lab = Lab::with_spec(SLOW);
    let mut terminal = OnTerminal::start(&lab, "apply", 100, &[]);
    terminal.wait_to_see("Carry this out on cluster prod.example.com? Type `yes` to go on: ");
    assert!(!terminal.raw().contains(BAR), "bars before the answer");
    terminal.type_in("yes\r");
    terminal.wait_to_see_steps_in_flight();
    let screen = terminal.end(0);
    assert!(!screen.contains(BAR), "bars are left:\n{screen}");
    assert!(
        screen.contains("created network/main (") && screen.contains("Done: cluster"),
        "{screen}"
    );
    assert!(terminal.raw().contains("\u{1b}[32m"), "no colours");
}

#[test]
fn anything_but_yes_is_no() {
    for (keys, code, said) in [
        ("no\r", 1, "nothing was changed"),
        ("\r", 1, "nothing was changed"),
        ("YES!\r", 1, "nothing was changed"),
        ("\u{4}", 1, "nothing was changed"),
        ("\u{3}", 130, "stopped before the end"),
    ] {
        let lab = Lab::with_spec(SLOW);
        let mut terminal = OnTerminal::start(&lab, "apply", 100, &[]);
        terminal.wait_to_see("to go on: ");
        terminal.type_in(keys);
        let screen = terminal.end(code);
        let last: Vec<&str> = screen.trim_end().lines().rev().take(2).collect();
        assert!(
            last.iter()
                .any(|line| line.starts_with("error: ") && line.contains(said)),
            "{keys:?}: {last:?}"
        );
        lab.expect(1, "status");
    }
}

#[test]
fn destroy_wants_the_name() {
    let lab = Lab::with_spec(SLOW);
    super::locks::hurry(&lab);
    lab.expect(0, "apply --yes --progress none");
    let mut terminal = OnTerminal::start(&lab, "destroy", 100, &[]);
    terminal.wait_to_see("Type `prod.example.com` to go on: ");
    terminal.type_in("yes\r");
    terminal.end(1);
    lab.expect(0, "status");
    let mut terminal = OnTerminal::start(&lab, "destroy", 100, &[]);
    terminal.wait_to_see("This ends cluster prod.example.com and all that runs in it.");
    terminal.type_in("prod.example.com\r");
    let screen = terminal.end(0);
    assert!(screen.contains("nothing of it is left"), "{screen}");
}

/// A cluster of which nothing was built yet, and nothing upstream can be reached.
const BEGUN: &str = "\
apiVersion: keelson.dev/v1alpha1
kind: Cluster
metadata: { name: here }
spec:
  stateStore: ./state
  assets: { proxy: http://127.0.0.1:1 }
  provider:
    ssh:
      hosts:
        - { name: here, address: local, roles: [control-plane, worker] }
";

#[test]
fn a_cluster_that_is_gone_is_gone_whatever_is_remembered_of_its_hosts() {
    if !rustix::process::geteuid().is_root() {
        keelson_test_hosts::skip(
            "cli::terminal::a_cluster_that_is_gone_is_gone_whatever_is_remembered_of_its_hosts",
            "only root may look for what clusters have on this machine",
        );
        return;
    }
    let lab = Lab::with_spec(BEGUN);
    lab.write(
        "state/here/cluster.json",
        r#"{ "name": "here", "uid": "0123456789", "createdAt": "2026-01-01T00:00:00Z" }"#,
    );
    let documented = include_str!("../../docs/state-store.md");
    let (_, form) = documented.split_once("```json\n").unwrap();
    lab.write("state/here/lease", form.split_once("```").unwrap().0);
    let mut terminal = OnTerminal::start(&lab, "destroy", 100, &[]);
    terminal.wait_to_see("Type `here` to go on: ");
    lab.write("state/here/hosts/here.json", "torn");
    terminal.type_in("here\r");
    let screen = terminal.end(0);
    assert!(
        screen.contains("nothing of it is left") && screen.contains("cannot be read"),
        "{screen}"
    );
    assert!(!lab.path("state/here/cluster.json").exists());
}

#[test]
fn ctrl_c_on_bars_stops_in_good_order() {
    let lab = Lab::with_spec(SLOW);
    let mut terminal = OnTerminal::start(&lab, "apply --yes", 100, &[]);
    terminal.wait_to_see(BAR);
    terminal.type_in("\u{3}");
    let screen = terminal.end(130);
    assert!(
        screen.contains("stopping: what is in flight is finished first"),
        "{screen}"
    );
    assert!(!screen.contains(BAR), "bars are left:\n{screen}");
    super::locks::hurry(&lab);
    lab.expect(0, "apply --yes --progress none");
}

#[test]
fn no_color_means_no_colour() {
    let colours = regex::Regex::new("\u{1b}\\[[0-9;]*m").unwrap();
    let lab = Lab::with_spec(SLOW);
    let mut terminal = OnTerminal::start(&lab, "apply --yes", 100, &[("NO_COLOR", "1")]);
    terminal.wait_to_see(BAR);
    terminal.end(0);
    let raw = terminal.raw();
    assert!(!colours.is_match(&raw), "{raw:?}");
    let mut terminal = OnTerminal::start(&lab, "status", 100, &[]);
    terminal.end(0);
    assert!(colours.is_match(&terminal.raw()));
}

#[test]
fn errors_of_a_spec_have_the_colours_of_all_errors() {
    let lab = Lab::with_spec("kind: Clustre\n");
    let mut of_spec = OnTerminal::start(&lab, "plan", 100, &[]);
    of_spec.end(4);
    let mut of_file = OnTerminal::start(&lab, "plan -f nowhere.yaml", 100, &[]);
    of_file.end(1);
    let label = |raw: &str, word: &str| raw.split_inclusive(word).next().unwrap().replace(' ', "");
    assert_eq!(label(&of_spec.raw(), "error"), label(&of_file.raw(), "error"));
    assert!(
        label(&of_spec.raw(), "error").contains('\u{1b}'),
        "{:?}",
        of_spec.raw()
    );
    let mut plain = OnTerminal::start(&lab, "plan", 100, &[("NO_COLOR", "1")]);
    plain.end(4);
    assert!(!plain.raw().contains('\u{1b}'), "{:?}", plain.raw());
}

#[test]
fn a_narrow_terminal_breaks_nothing() {
    let lab = Lab::with_spec(SLOW);
    let mut terminal = OnTerminal::start(&lab, "apply --yes", 20, &[]);
    let screen = terminal.end(0);
    assert!(!screen.contains(BAR), "bars are left:\n{screen}");
    assert_eq!(screen.matches("Done: ").count(), 1, "{screen}");
    assert_eq!(
        screen.replace('\n', "").matches("created network/main").count(),
        1,
        "{screen}"
    );
}

#[test]
fn forms_of_progress() {
    let lab = Lab::with_spec(SLOW);
    super::locks::hurry(&lab);
    let mut terminal = OnTerminal::start(&lab, "apply --yes --progress lines", 100, &[]);
    terminal.end(0);
    assert!(!terminal.raw().contains(BAR));
    let mut terminal = OnTerminal::start(&lab, "apply --progress json", 100, &[]);
    let screen = terminal.end(2);
    assert!(screen.contains("--progress json cannot ask"), "{screen}");
    lab.expect(0, "destroy --yes --progress bars")
        .says(&["deleted network/main"]);
    let silent = lab.expect(0, "apply --yes --progress none");
    assert_eq!((silent.stdout.as_str(), silent.stderr.as_str()), ("", ""));
}

#[test]
fn json_progress_is_json_alone() {
    let table = [
        (0, "apply --yes --progress json", ""),
        (2, "apply --progress json", "cannot ask"),
        (1, "apply --yes --progress json -f nowhere.yaml", "cannot read"),
        (4, "apply --yes --progress json -f wrong.yaml", "colour"),
        (1, "apply --progress json --plan wrong.yaml", "not a plan"),
        (3, "destroy --yes --progress json -f protected.yaml", "protected"),
        (0, "destroy --yes --progress json", ""),
        (1, "destroy --yes --progress json", "there is no cluster"),
    ];
    let lab = Lab::with_spec(SLOW);
    super::locks::hurry(&lab);
    lab.write("wrong.yaml", lab.read("cluster.yaml") + "  colour: red\n");
    lab.write(
        "protected.yaml",
        lab.read("cluster.yaml") + "  deletionProtection: true\n",
    );
    for (code, arguments, expected) in table {
        let ran = lab.expect(code, arguments);
        assert_eq!(ran.stdout, "", "{arguments}");
        for line in ran.stderr.lines() {
            let event: serde_json::Value =
                serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
            assert!(event["event"].is_string(), "{line}");
        }
        if code != 0 {
            let last: serde_json::Value = serde_json::from_str(ran.stderr.lines().last().unwrap()).unwrap();
            assert_eq!(
                (&last["event"], &last["exitCode"]),
                (&"error".into(), &code.into()),
                "{last}"
            );
            assert!(last.to_string().contains(expected), "{last}");
        }
    }
}

fn cells(count: u16) -> NonZeroU16 {
    NonZeroU16::new(count).unwrap()
}
