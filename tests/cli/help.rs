//! What `--help` says, and what wrong usage ends with.

use clap::CommandFactory;

use super::lab::{Lab, Session};

const COMMANDS: &[&str] = &[
    "init",
    "validate",
    "explain",
    "schema",
    "plan",
    "apply",
    "status",
    "kubeconfig",
    "node",
    "etcd",
    "certs",
    "render",
    "assets",
    "destroy",
    "completion",
    "version",
];

#[test]
fn every_command_explains_itself() {
    let lab = Lab::new();
    let root = lab.expect(0, "--help");
    assert_eq!(root.stderr, "");
    insta::assert_snapshot!("help", root.stdout);
    let listed: Vec<&str> = root
        .stdout
        .lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| !line.is_empty())
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    assert_eq!(listed, [COMMANDS, &["help"]].concat());
    for command in COMMANDS {
        let help = lab.expect(0, &format!("{command} --help"));
        assert_eq!(help.stderr, "");
        insta::assert_snapshot!(format!("help_{command}"), help.stdout);
    }
}

/// Commands below commands, as the program itself has them: `node list`, `etcd snapshot save`.
fn subcommands() -> Vec<String> {
    fn below(command: &clap::Command, path: &str) -> Vec<String> {
        let mut paths = Vec::new();
        for command in command.get_subcommands() {
            let path = format!("{path} {}", command.get_name());
            paths.extend(below(command, &path));
            paths.push(path);
        }
        paths
    }
    let root = keelson::cli::Cli::command();
    let commands = root.get_subcommands();
    commands
        .flat_map(|command| below(command, command.get_name()))
        .collect()
}

#[test]
fn every_subcommand_explains_itself() {
    let lab = Lab::new();
    let subcommands = subcommands();
    assert!(
        subcommands.iter().any(|name| name == "node drain"),
        "{subcommands:?}"
    );
    for command in subcommands {
        let help = lab.expect(0, &format!("{command} --help"));
        assert_eq!(help.stderr, "");
        insta::assert_snapshot!(format!("help_{}", command.replace([' ', '-'], "_")), help.stdout);
        let (above, name) = command.rsplit_once(' ').unwrap();
        let listed = lab.expect(0, &format!("{above} --help")).stdout;
        assert!(
            listed.contains(&format!("\n  {name} ")),
            "{above} does not list {name}:\n{listed}"
        );
    }
}

#[test]
fn help_texts_have_one_form() {
    let lab = Lab::new();
    let commands = COMMANDS.iter().map(|&name| name.to_owned());
    for command in commands.chain(subcommands()) {
        let help = lab.expect(0, &format!("{command} -h")).stdout;
        let about = help.lines().next().unwrap();
        assert!(about.starts_with(char::is_uppercase), "{command}: {about}");
        assert!(!about.ends_with('.'), "{command}: {about}");
        for line in help.lines() {
            assert!(line.chars().count() <= 100, "{command}: too wide: {line}");
        }
    }
}

#[test]
fn wrong_usage_ends_with_2() {
    let mut session = Session::new(Lab::new());
    for arguments in [
        "",
        "aply",
        "plan --colour",
        "plan --output xml",
        "plan --force",
        "plan --graph svg --output json",
        "plan --destroy --out x",
        "apply --progress loud",
        "status --timeout 5m",
        "status --wait --timeout soon",
        "init",
        "explain spec.nodegroups",
        "completion tcsh",
    ] {
        let ran = session.run(2, arguments);
        assert_eq!(ran.stdout, "", "{arguments}");
    }
    insta::assert_snapshot!("usage", session.transcript());
}

#[test]
fn small_commands() {
    let mut session = Session::new(Lab::new());
    for arguments in [
        "version",
        "version -o json",
        "version -o yaml",
        "--version",
        "explain spec.etcd",
    ] {
        let ran = session.run(0, arguments);
        assert_eq!(ran.stderr, "", "{arguments}");
    }
    insta::assert_snapshot!("small", session.transcript());
    let lab = session.lab;
    assert!(lab.expect(0, "schema").json()["properties"]["spec"].is_object());
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = lab.expect(0, &format!("completion {shell}")).stdout;
        assert!(script.contains("kubeconfig"), "{shell}");
    }
}
