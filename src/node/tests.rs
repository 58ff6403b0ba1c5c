//! Templates, and what hostile values do in them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::process::Command;

use keelson_provider_api::etcd::{EVENTS, MAIN};
use keelson_provider_api::values::Version;
use serde_json::{Map, Value, json};

mod on_hosts;

use super::templates::{TEMPLATES, Template, render};
use super::{
    AssetIndex, EtcdCertificates, EtcdSettings, HostIdentity, NodeClass, PlacedSecret, SnapshotSettings,
    etcd_release,
};
use crate::node::Access;

/// Texts that mean something in one language or another.
pub(crate) const HOSTILE: &[&str] = &[
    "$(touch /tmp/keelson-was-here)",
    "`touch /tmp/keelson-was-here`",
    "a; touch /tmp/keelson-was-here",
    ";",
    "' ; touch /tmp/keelson-was-here ; '",
    "\" ; touch /tmp/keelson-was-here ; \"",
    "a\nExecStart=/bin/touch /tmp/keelson-was-here",
    "a\n[Service]\nUser=root",
    "%n %H $HOME ${HOME}",
    "\\",
    "a\\",
    "a b  c",
    "#",
    ": - {a: b} [c] & * ! | >",
    "é ü 漢",
    "a\u{0}b",
    "\u{1b}[2J",
    "~root",
    "*",
    "",
];

/// The names that a template's first comment declares: those before the column of types.
pub(crate) fn declared(template: Template) -> BTreeSet<String> {
    declarations(template).into_keys().collect()
}

/// The same, each with its type.
fn declarations(template: Template) -> BTreeMap<String, String> {
    let comment = template.text.split("--}}").next().unwrap();
    let rows = comment
        .lines()
        .filter(|line| line.starts_with("  ") && line.contains("  "));
    let declarations = rows.flat_map(|row| {
        let mut columns = row.trim_start().split("  ").filter(|column| !column.is_empty());
        let (names, kind) = (columns.next().unwrap(), columns.next().unwrap_or_default());
        let names = names
            .split(", ")
            .map(|name| (name.to_owned(), kind.trim().to_owned()));
        names.collect::<Vec<_>>()
    });
    declarations
        .filter(|(name, _)| name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'))
        .collect()
}

/// The expressions of a template, without its comment.
fn expressions(template: Template) -> Vec<&'static str> {
    let body = template.text.split_once("--}}").unwrap().1;
    body.split("{{")
        .skip(1)
        .map(|rest| rest.split("}}").next().unwrap().trim())
        .collect()
}

#[test]
fn templates_declare_what_they_use_and_quote_it() {
    for template in TEMPLATES {
        check_declarations(*template);
    }
}

/// Fails unless a template declares exactly the values that it uses, and quotes each.
pub(crate) fn check_declarations(template: Template) {
    assert!(template.text.starts_with("{{!--"), "{}", template.path);
    let mut used = BTreeSet::new();
    for expression in expressions(template) {
        let words: Vec<&str> = expression.split_whitespace().collect();
        match words.as_slice() {
            [
                "sh" | "line" | "env" | "unit" | "yaml" | "plain" | "calendar",
                "this",
            ]
            | ["else" | "/if" | "/each"] => {}
            [
                "#if" | "#each" | "sh" | "line" | "env" | "unit" | "yaml" | "plain" | "calendar",
                name,
            ] => {
                used.insert(name.trim_start_matches("this.").to_owned());
            }
            _ => panic!("{}: `{expression}` goes through no helper", template.path),
        }
    }
    assert_eq!(declared(template), used, "{}", template.path);
}

#[test]
fn a_template_that_lacks_a_value_fails() {
    for template in TEMPLATES {
        assert!(render(*template, &json!({})).is_err(), "{}", template.path);
    }
}

/// Values for a template, all of them `hostile`; a list holds one, and where its own values have names, those.
fn filled(template: Template, hostile: &str) -> Map<String, Value> {
    let declarations = declarations(template);
    let all = || {
        declarations
            .keys()
            .map(|name| (name.clone(), Value::from(hostile)))
    };
    let element = |name: &str| {
        let section = template
            .text
            .split(&format!("{{{{#each {name}}}}}"))
            .nth(1)
            .unwrap();
        if section.split("{{/each}}").next().unwrap().contains("this.") {
            Value::Object(all().collect())
        } else {
            hostile.into()
        }
    };
    let value = |(name, kind): (&String, &String)| {
        let value = if kind == "list" {
            vec![element(name)].into()
        } else {
            hostile.into()
        };
        (name.clone(), value)
    };
    declarations.iter().map(value).collect()
}

/// The lines of a text that set something, each with what it sets.
fn settings(text: &str) -> Vec<&str> {
    let lines = text
        .lines()
        .filter(|line| !line.starts_with('#') && !line.starts_with(' '));
    lines
        .filter_map(|line| line.split_once('=').map(|(name, _)| name))
        .collect()
}

#[test]
fn no_hostile_value_adds_a_line_or_a_setting() {
    for template in TEMPLATES {
        let tame = render(*template, &filled(*template, "tame")).unwrap();
        for hostile in HOSTILE {
            let Ok(text) = render(*template, &filled(*template, hostile)) else {
                // A format without quotes takes nothing that could mean something.
                assert!(
                    hostile.contains(char::is_control)
                        || ["{{plain ", "{{calendar "]
                            .iter()
                            .any(|helper| template.text.contains(helper)),
                    "{}: {hostile:?}",
                    template.path
                );
                continue;
            };
            // An empty text is false, and chooses the other half of a condition.
            if hostile.is_empty() {
                continue;
            }
            assert_eq!(
                text.lines().count(),
                tame.lines().count(),
                "{}: {hostile:?}",
                template.path
            );
            assert_eq!(settings(&text), settings(&tame), "{}: {hostile:?}", template.path);
        }
    }
}

/// `value` with `hostile` for each `tame`.
fn with_hostile(value: &Value, hostile: &str) -> Value {
    match value {
        Value::String(text) => text.replace("tame", hostile).into(),
        Value::Array(items) => items.iter().map(|item| with_hostile(item, hostile)).collect(),
        Value::Object(fields) => fields
            .iter()
            .map(|(name, field)| (name.replace("tame", hostile), with_hostile(field, hostile)))
            .collect(),
        other => other.clone(),
    }
}

#[test]
fn a_yaml_file_says_hostile_values_and_nothing_else() {
    let files = TEMPLATES
        .iter()
        .filter(|template| template.path.contains(".yaml"));
    let mut checked = 0;
    for template in files {
        let read = |value: &str| {
            let text = render(*template, &filled(*template, value)).unwrap();
            serde_saphyr::from_str::<Value>(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
        };
        let tame = read("tame");
        for hostile in HOSTILE.iter().filter(|hostile| !hostile.is_empty()) {
            assert_eq!(
                read(hostile),
                with_hostile(&tame, hostile),
                "{}: {hostile:?}",
                template.path
            );
            checked += 1;
        }
    }
    assert!(checked > 30, "{checked}");
}

#[test]
fn what_a_shell_reads_of_a_quoted_value_is_the_value() {
    for hostile in HOSTILE.iter().filter(|hostile| !hostile.contains('\0')) {
        let quoted = super::quote::shell(hostile).unwrap();
        let script = format!("printf %s {quoted}");
        let output = Command::new("sh").arg("-c").arg(script).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout), *hostile);
    }
    assert!(!std::path::Path::new("/tmp/keelson-was-here").exists());
}

fn class() -> NodeClass {
    let version = Version::new(3, 6, 8);
    let file = |name: &str| format!("/etc/etcd/pki/{name}");
    NodeClass {
        proxy: Some("http://proxy.example.com:3128".to_owned()),
        no_proxy: vec!["mirror.example.com".to_owned(), "10.0.0.9".to_owned()],
        etcd: Some(EtcdSettings {
            version,
            release: AssetIndex::Imagined.release(&etcd_release(version)),
            instances: vec![&MAIN, &EVENTS],
            heartbeat_ms: 100,
            election_timeout_ms: 1000,
            quota_bytes: 8 << 30,
            snapshots: Some(SnapshotSettings {
                schedule: "*-*-* *:00/15 UTC".to_owned(),
                cluster: "prod.example.com".to_owned(),
                kubernetes_version: Some(Version::new(1, 36, 2)),
                last: 0,
                hourly: 24,
                daily: 30,
                weekly: 0,
                bucket: None,
            }),
            certificates: EtcdCertificates {
                authority: file("ca.crt"),
                server: file("server.crt"),
                server_key: file("server.key"),
                peer: file("peer.crt"),
                peer_key: file("peer.key"),
            },
        }),
        kubernetes: None,
        secrets: vec![PlacedSecret {
            path: file("server.key"),
            access: Access {
                mode: 0o600,
                owner: super::ETCD_USER,
                group: super::ETCD_USER,
            },
        }],
    }
}

fn host() -> HostIdentity {
    HostIdentity {
        name: "a".to_owned(),
        address: "fd00::11".parse().unwrap(),
    }
}

#[test]
fn the_bundle_of_an_etcd_host() {
    let files = class().render().unwrap().of_host(&host()).unwrap();
    let mut text = String::new();
    for (path, content) in files.iter().filter(|(path, _)| *path != "apply") {
        let _ = writeln!(text, "==> {path}\n{}", String::from_utf8_lossy(content));
    }
    insta::assert_snapshot!("etcd_host", text);
}

/// The apply script gives nothing to a user whom it has yet to make.
#[test]
fn a_user_comes_before_all_that_is_its_own() {
    let files = class().render().unwrap().of_host(&host()).unwrap();
    let actions = String::from_utf8(files["actions"].clone()).unwrap();
    let lines: Vec<Vec<&str>> = actions.lines().map(|line| line.split('\t').collect()).collect();
    let is_made = |line: &Vec<&str>| line.starts_with(&["user", super::ETCD_USER]);
    let made = lines.iter().position(is_made).unwrap();
    let owned = lines.iter().filter(|line| line.get(3) == Some(&super::ETCD_USER));
    assert!(owned.count() > 2, "{actions}");
    let early = lines[..made].iter().find(|line| line.contains(&super::ETCD_USER));
    assert_eq!(early, None, "{actions}");
}

#[test]
fn a_bundles_digest_tells_every_difference() {
    let base = class().render().unwrap();
    let mut digests = BTreeSet::from([base.digest(Some(&host())), base.digest(None)]);
    let another_address = HostIdentity {
        address: "10.0.0.1".parse().unwrap(),
        ..host()
    };
    digests.insert(base.digest(Some(&another_address)));
    let mut slower = class();
    slower.etcd.as_mut().unwrap().heartbeat_ms = 200;
    digests.insert(slower.render().unwrap().digest(Some(&host())));
    let mut direct = class();
    direct.proxy = None;
    digests.insert(direct.render().unwrap().digest(Some(&host())));
    assert_eq!(digests.len(), 5);
    assert_eq!(
        class().render().unwrap().digest(None),
        base.digest(None),
        "the same again"
    );
}

#[test]
fn no_action_holds_what_would_end_its_line() {
    let mut class = class();
    class.proxy = Some("http://a\tb".to_owned());
    assert!(class.render().is_err());
}

/// Runs a tool over files, if the machine has it; what it says when it finds something.
fn found_by(tool: &str, arguments: &[&str], files: &[(&str, &[u8])]) -> std::io::Result<Option<String>> {
    let directory = tempfile::tempdir().unwrap();
    let mut command = Command::new(tool);
    command.args(arguments);
    for (name, content) in files {
        let path = directory.path().join(name);
        std::fs::write(&path, content).unwrap();
        command.arg(path);
    }
    let output = command.output()?;
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    Ok((!output.status.success()).then(|| said.concat()))
}

/// Fails when a tool finds something in files; without the tool `test` is skipped.
pub(super) fn check_with(test: &str, tool: &str, arguments: &[&str], files: &[(&str, &[u8])]) {
    match found_by(tool, arguments, files) {
        Err(_) => keelson_test_hosts::skip(test, format!("{tool} is not installed")),
        Ok(found) => assert_eq!(found, None),
    }
}

/// Lets systemd fail for what it finds in the units themselves: without the last of these it prints its findings and is content.
pub(super) const VERIFY: &[&str] = &["verify", "--man=no", "--recursive-errors=no"];

#[test]
fn shellcheck_finds_nothing_in_what_machines_run() {
    let scripts = [
        ("apply", super::templates::APPLY_SCRIPT),
        ("snapshots", super::etcd_snapshots::PROGRAM),
        ("snapshots-bucket", super::etcd_snapshots::BUCKET_PROGRAM),
        ("approver", include_str!("../../templates/kubernetes/approver.sh")),
        ("routes", include_str!("../../templates/network/routes.sh")),
        (
            "keepalived",
            include_str!("../../templates/network/start-keepalived.sh"),
        ),
        (
            "check",
            include_str!("../../templates/network/check-api-server.sh"),
        ),
    ];
    let scripts = scripts.map(|(name, text)| (name, text.as_bytes()));
    let test = "shellcheck_finds_nothing_in_what_machines_run";
    check_with(test, "shellcheck", &[], &scripts);
}

/// Lets systemd read the units of a bundle for `test`; `names` are all that there are.
pub(crate) fn verify_units(test: &str, files: &BTreeMap<String, Vec<u8>>, names: &[&str]) {
    let units: Vec<(&str, Vec<u8>)> = files
        .iter()
        .filter_map(|(path, content)| {
            let name = path
                .strip_prefix("files/")
                .filter(|name| [".service", ".timer"].iter().any(|kind| name.ends_with(kind)))?;
            // What the unit runs is not on this machine.
            let lines = String::from_utf8_lossy(content);
            let lines = lines
                .lines()
                .map(|line| match line.strip_prefix("ExecStart=/opt/keelson/") {
                    Some(rest) => {
                        let program = rest.split([' ', '\\']).next().unwrap_or_default();
                        format!("ExecStart=/bin/true{}\n", &rest[program.len()..])
                    }
                    None => format!("{line}\n"),
                });
            Some((name, lines.collect::<String>().into_bytes()))
        })
        .collect();
    assert_eq!(units.iter().map(|(name, _)| *name).collect::<Vec<_>>(), names);
    let units: Vec<(&str, &[u8])> = units.iter().map(|(name, text)| (*name, &**text)).collect();
    check_with(test, "systemd-analyze", VERIFY, &units);
}

#[test]
fn systemd_would_find_a_setting_that_is_none() {
    let unit = b"[Service]\nExecStart=/bin/true\nRestarts=always\n";
    match found_by("systemd-analyze", VERIFY, &[("wrong.service", unit)]) {
        Err(_) => keelson_test_hosts::skip(
            "systemd_would_find_a_setting_that_is_none",
            "systemd-analyze is not installed",
        ),
        Ok(found) => assert!(
            found.as_ref().is_some_and(|found| found.contains("Restarts")),
            "{found:?}"
        ),
    }
}

#[test]
fn systemd_verifies_the_units() {
    let files = class().render().unwrap().of_host(&host()).unwrap();
    let names = [
        "etcd-events.service",
        "etcd.service",
        "keelson-etcd-events-snapshot.service",
        "keelson-etcd-events-snapshot.timer",
        "keelson-etcd-snapshot.service",
        "keelson-etcd-snapshot.timer",
    ];
    verify_units("systemd_verifies_the_units", &files, &names);
}
