//! What systemd reads of a quoted value, on a real host.

use std::fmt::Write as _;

use keelson_test_hosts::{Host, Lab, LabOptions, skip_without_root};

use super::HOSTILE;
use crate::node::quote::{environment, unit};

/// The file that the commands in [`HOSTILE`] make.
const MARKER: &str = "/tmp/keelson-was-here";

/// Writes down, byte by byte, what it was given: a word, a word behind a flag, one by a variable, and the variable itself.
const PROGRAM: &str = r#"#!/bin/sh
folder=$1
mkdir -p "$folder"
printf %s "$#" >"$folder/count"
printf %s "$2" >"$folder/word"
printf %s "${3#--flag=}" >"$folder/flag"
printf %s "$4" >"$folder/by-variable"
printf %s "$VALUE" >"$folder/variable"
"#;

/// The texts that units and environment files can hold.
fn held() -> Vec<&'static str> {
    let held = HOSTILE
        .iter()
        .filter(|text| unit(text).is_ok() && environment(text).is_ok());
    held.copied().collect()
}

/// Puts a unit and its environment file on the host for each text, and starts each once.
fn start_units(host: &Host, texts: &[&str]) {
    host.write_file("/usr/local/bin/arrive", PROGRAM).unwrap();
    let mut names = String::new();
    for (number, text) in texts.iter().enumerate() {
        let value = format!("VALUE={}\n", environment(text).unwrap());
        host.write_file(format!("/etc/hostile/{number}.env"), value)
            .unwrap();
        let word = unit(text).unwrap();
        let service = format!(
            "[Service]\nType=oneshot\nEnvironmentFile=/etc/hostile/{number}.env\n\
             ExecStart=/usr/local/bin/arrive /run/hostile/{number} {word} --flag={word} ${{VALUE}}\n"
        );
        host.write_file(format!("/etc/systemd/system/hostile-{number}.service"), service)
            .unwrap();
        let _ = write!(names, " hostile-{number}.service");
    }
    let start =
        format!("chmod 755 /usr/local/bin/arrive && systemctl daemon-reload && systemctl start{names}");
    host.run(&start).unwrap();
}

#[test]
fn what_systemd_reads_of_a_quoted_value_is_the_value() {
    let test = "node::tests::on_hosts::what_systemd_reads_of_a_quoted_value_is_the_value";
    if skip_without_root(test) {
        return;
    }
    let lab = Lab::new(&LabOptions::with_hosts(1)).unwrap();
    let host = &lab.hosts()[0];
    let texts = held();
    assert!(texts.len() >= 14, "{texts:?}");
    start_units(host, &texts);
    for (number, text) in texts.iter().enumerate() {
        let arrived = |name: &str| {
            let bytes = host.read_file(format!("/run/hostile/{number}/{name}")).unwrap();
            String::from_utf8_lossy(&bytes).into_owned()
        };
        assert_eq!(arrived("count"), "4", "{text:?} is more or less than a word");
        for name in ["word", "flag", "by-variable", "variable"] {
            assert_eq!(arrived(name), *text, "{name}");
        }
    }
    host.run(&format!("! [ -e {MARKER} ]")).unwrap();
    // That a command would have left it there.
    host.run(&format!(
        "sh -c {} && [ -e {MARKER} ]",
        "'touch /tmp/keelson-was-here'"
    ))
    .unwrap();
}
