//! Files that are not specs, and streams that nobody reads.

use std::fs::File;
use std::path::Path;
use std::process::Stdio;

use super::lab::{Lab, PROGRAM, Ran, Running, Session};
use super::plans::SPEC;

#[test]
fn files_that_are_no_specs() {
    let mut session = Session::new(Lab::new());
    session
        .lab
        .write("binary.yaml", b"\x7fELF\x02\x01\x01\x00\xff\xfe\xfd");
    session.lab.write("empty.yaml", "");
    session.lab.write("folder/x", "");
    File::create(session.lab.path("huge.yaml"))
        .unwrap()
        .set_len(100 << 20)
        .unwrap();
    for (code, arguments) in [
        (1, "plan"),
        (1, "validate -f nowhere/cluster.yaml"),
        (1, "validate -f folder"),
        (4, "validate -f huge.yaml"),
        (4, "validate -f binary.yaml"),
        (4, "validate -f empty.yaml"),
        (4, "apply --yes -f huge.yaml"),
        (1, "status -f folder"),
    ] {
        session.run(code, arguments);
    }
    insta::assert_snapshot!("no_specs", session.transcript());
}

#[test]
fn a_huge_file_takes_little_memory() {
    let lab = Lab::new();
    let huge = File::create(lab.path("huge.yaml")).unwrap();
    huge.set_len(1 << 30).unwrap();
    // In KiB. All that it maps counts, the program itself as well.
    let limited = "ulimit -v 204800 && exec \"$0\" \"$@\"";
    let mut command = lab.command_of(Path::new("/bin/sh"));
    command.args(["-c", limited, PROGRAM, "validate", "-f", "huge.yaml"]);
    Running::start(command)
        .end()
        .expect(4, "validate -f huge.yaml")
        .says(&["larger than 1048576"]);
}

#[test]
fn a_file_that_may_not_be_read() {
    use std::os::unix::fs::PermissionsExt;
    let lab = Lab::with_spec(SPEC);
    let permissions = std::fs::Permissions::from_mode(0o000);
    std::fs::set_permissions(lab.path("cluster.yaml"), permissions).unwrap();
    lab.without_rights()
        .expect(1, "plan")
        .says(&["permission denied", "help:"]);
}

#[test]
fn a_spec_on_stdin() {
    let lab = Lab::new();
    lab.run_with_input("validate -f -", SPEC.as_bytes())
        .expect(0, "validate")
        .says(&["stdin: cluster prod.example.com is valid"]);
    lab.run_with_input("validate -f -", b"kind: Clustre\n")
        .expect(4, "validate")
        .says(&["stdin:1:"]);
    lab.run_with_input("apply --yes -f - --progress none", SPEC.as_bytes())
        .expect(0, "apply");
    for file in ["-", "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"] {
        lab.run_with_input(&format!("plan -f {file}"), SPEC.as_bytes())
            .expect(0, "the state is in the working directory");
    }
    let endless = vec![b'#'; 8 << 20];
    lab.run_with_input("validate -f -", &endless)
        .expect(4, "validate")
        .says(&["it is larger than 1048576 bytes"]);
    lab.run("validate -f -").expect(4, "validate");
}

#[test]
fn a_spec_from_a_pipe() {
    let lab = Lab::with_spec(SPEC);
    lab.put_pipe("fifo");
    lab.expect(1, "validate -f fifo").says(&[
        "cannot read fifo: it is a pipe, and nobody has begun to write to it",
        "help: ",
    ]);
    let running = lab.start("validate -f fifo");
    std::fs::write(lab.path("fifo"), SPEC).unwrap();
    running.end().expect(0, "validate -f fifo");
    // What a shell makes of `-f <(cat cluster.yaml)`.
    for file in ["/dev/fd/0", "/proc/self/fd/0", "/dev/stdin"] {
        lab.run_with_input(&format!("validate -f {file}"), SPEC.as_bytes())
            .expect(0, file);
    }
}

#[test]
fn what_a_terminal_would_obey_is_shown_by_its_number() {
    let text = SPEC.replace("name: workers", "name: w\u{202e}orkers\u{200b}");
    let ran = Lab::with_spec(&text).expect(4, "validate");
    assert!(!ran.stderr.contains(['\u{202e}', '\u{200b}']), "{}", ran.stderr);
    let lines: Vec<&str> = ran.stderr.lines().collect();
    let source = lines
        .iter()
        .position(|line| line.contains(r"name: w\u{202e}orkers\u{200b}"))
        .unwrap();
    let marked = lines[source + 1].find('^').unwrap();
    let length = lines[source + 1].matches('^').count();
    assert_eq!(
        &lines[source][marked..marked + length],
        r"w\u{202e}orkers\u{200b}"
    );
    // Raw bytes that no YAML may hold are told of as well, and shown in the same way.
    Lab::with_spec(&SPEC.replace("name: workers", "name: \"w\u{1b}[31m\""))
        .expect(4, "validate")
        .says(&["U+001B", r"w\u{1b}[31m"]);
}

#[test]
fn a_provider_that_is_not_there_is_what_is_said_first() {
    let lab = Lab::new();
    lab.write("cluster.yaml", example("digitalocean"));
    for command in ["plan", "apply --yes", "node forget x", "node forget-key x"] {
        lab.expect(1, command).says(&[
            "this build of keelson has no provider `digitalocean`",
            "`provider: { simulated: { like: digitalocean } }`",
        ]);
    }
}

#[test]
fn nothing_of_a_machine_that_keelson_makes_can_be_forgotten() {
    let lab = Lab::new();
    lab.write("cluster.yaml", example("aws-private"));
    for command in ["node forget x", "node forget-key x"] {
        lab.expect(1, command)
            .says(&["the spec's machines are made by keelson itself", "help: "]);
    }
}

fn example(name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/examples/{name}.yaml", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

#[test]
fn nothing_of_a_simulated_machine_can_be_forgotten() {
    let lab = Lab::with_spec(SPEC);
    for command in ["node forget workers-1", "node forget-key workers-1"] {
        lab.expect(1, command)
            .says(&["the spec's machines are simulated", "help: "]);
    }
}

#[test]
fn what_is_wrong_with_a_spec_for_programs() {
    let lab = Lab::with_spec(&SPEC.replace("replicas: 2", "replicas: two"));
    let json = lab.expect(4, "validate -o json").json();
    assert_eq!(json["valid"], false);
    assert_eq!(json["errors"][0]["path"], "spec.nodeGroups[0].replicas");
    lab.expect(4, "plan")
        .says(&["spec.nodeGroups[0].replicas", "expected"]);
    lab.write("cluster.yaml", SPEC);
    assert_eq!(lab.expect(0, "validate -o json").json()["valid"], true);
    let completed = lab.expect(0, "validate --completed").stdout;
    lab.write("completed.yaml", completed);
    lab.expect(0, "validate -f completed.yaml");
}

/// Commands that print data, and the code that they end with when all is well.
const PRINTING: &[(i32, &str)] = &[
    (0, "--help"),
    (0, "plan --help"),
    (0, "--version"),
    (0, "version"),
    (0, "schema"),
    (0, "explain"),
    (0, "completion bash"),
    (0, "validate --completed"),
    (0, "init other --out -"),
    (2, "plan"),
    (2, "plan -o json"),
    (1, "status"),
];

#[test]
fn a_full_disk_is_an_error() {
    let lab = Lab::with_spec(SPEC);
    for (_, arguments) in PRINTING {
        let mut command = lab.command(arguments.split_whitespace());
        command.stdout(File::options().write(true).open("/dev/full").unwrap());
        let ran: Ran = Running::start(command).end().expect(1, arguments);
        assert!(
            ran.stderr.contains("no space left on device"),
            "{arguments}: {ran:?}"
        );
    }
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let lab = Lab::with_spec(SPEC);
    for &(code, arguments) in PRINTING {
        let (reader, writer) = std::io::pipe().unwrap();
        let mut command = lab.command(arguments.split_whitespace());
        command.stdout(writer);
        drop(reader);
        let ran = Running::start(command).end().expect(code, arguments);
        assert!(!ran.stderr.contains("error"), "{arguments}: {ran:?}");
    }
    // Nobody reads what is said on the way: the work is done all the same.
    let (reader, writer) = std::io::pipe().unwrap();
    let mut command = lab.command(["apply", "--yes"]);
    command.stderr(writer).stdout(Stdio::null());
    drop(reader);
    Running::start(command).end().expect(0, "apply");
    lab.expect(0, "plan");
}

#[test]
fn advice_can_be_copied_whatever_the_file_is_called() {
    let lab = Lab::with_spec(SPEC);
    let name = "my cluster's.yaml";
    lab.write(name, SPEC);
    let command = lab.command(["apply", "--yes", "-f", name]);
    let ran = Running::start(command).end().expect(0, "apply");
    assert!(
        ran.stderr.contains(r"keelson status -f 'my cluster'\''s.yaml'"),
        "{}",
        ran.stderr
    );
}

#[test]
fn variables_that_cannot_be_used() {
    use std::ffi::OsString;
    use std::os::unix::ffi::OsStringExt;
    let lab = Lab::with_spec(SPEC);
    lab.expect(0, "apply --yes --progress none");
    lab.write("folder/x", "");
    lab.write("no-text", b"\xff\xfe");
    File::create(lab.path("huge"))
        .unwrap()
        .set_len(100 << 20)
        .unwrap();
    let no_text = || OsString::from_vec(vec![b'/', 0xff]);
    let identities = "KEELSON_PKI_IDENTITIES";
    let table: [(&str, OsString, i32, &str, &str); 6] = [
        (
            "status",
            "nowhere".into(),
            1,
            "cannot read nowhere: no such file",
            "age identities",
        ),
        (
            "status",
            "folder".into(),
            1,
            "cannot read folder: is a directory",
            "a file in it",
        ),
        (
            "status",
            "huge".into(),
            1,
            "huge is larger than",
            "the file you mean",
        ),
        (
            "status",
            "no-text".into(),
            1,
            "no-text: it is not text",
            "age identities",
        ),
        (
            "status",
            no_text(),
            2,
            "KEELSON_PKI_IDENTITIES is no text",
            "UTF-8",
        ),
        ("kubeconfig --merge", no_text(), 2, "HOME is no text", "UTF-8"),
    ];
    for (arguments, value, code, problem, help) in table {
        let mut command = lab.command(arguments.split_whitespace());
        let name = if arguments == "status" { identities } else { "HOME" };
        command.env(name, value);
        let ran = Running::start(command).end().expect(code, arguments);
        assert!(!ran.stderr.contains("os error"), "{}", ran.stderr);
        ran.says(&[problem, "help: ", help]);
    }
}
