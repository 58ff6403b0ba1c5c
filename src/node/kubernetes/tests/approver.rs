//! What control planes approve: real requests, through the real program, with a kubectl that is played.

mod tables;

use std::collections::BTreeMap;
use std::fs;
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::LazyLock;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use rcgen::{
    CertificateParams, DistinguishedName, DnType, DnValue, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_RSA_SHA256,
    RsaKeySize, SanType,
};

use super::super::approver::{PROGRAM, RULES};
use super::*;
use tables::{Case, damaged, what_joins, what_serves, who_joins, who_serves, whom_to_join_as};

const NEW: &str = "i-0abc1234def567890";
const THERE: &str = "i-0123456789abcdef0";
const JOINING: &str = "kubernetes.io%2Fkube-apiserver-client-kubelet";
const SERVING: &str = "kubernetes.io%2Fkubelet-serving";
/// As `addons` has it, which stands above.
const GROUP: &str = "system:bootstrappers:keelson:groups";
const TOKEN_USER: &str = "system%3Abootstrap%3Aabcdef";
const TOKEN_GROUPS: &str =
    "system%3Abootstrappers system%3Abootstrappers%3Akeelson%3Agroups system%3Aauthenticated ";
const NODE_GROUPS: &str = "system%3Anodes system%3Aauthenticated ";
/// A kubelet's usages, by the kind of its key.
const CLIENT: [&str; 2] = [
    "digital+signature client+auth ",
    "key+encipherment digital+signature client+auth ",
];
const SERVER: [&str; 2] = [
    "digital+signature server+auth ",
    "key+encipherment digital+signature server+auth ",
];

/// The Nodes, as the program asks for them.
const NODES: &str = "control-plane-1|10.0.0.4 control-plane-1 \n\
                     i-0123456789abcdef0|10.0.1.5 2001%3Adb8%3A%3A5 i-0123456789abcdef0 api.example.com \
                     ip-10-0-1-5.eu-west-1.compute.internal \n\
                     i-0fedcba9876543210|10.0.1.6 2001%3ADB8%3A0%3A0%3A%3A6 i-0fedcba9876543210 \n";

static ECDSA: LazyLock<KeyPair> = LazyLock::new(|| KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap());
static RSA: LazyLock<KeyPair> =
    LazyLock::new(|| KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap());

/// A request as the API has it.
#[derive(Clone)]
struct Request {
    event: &'static str,
    signer: &'static str,
    user: String,
    groups: &'static str,
    usages: &'static str,
    conditions: &'static str,
    pem: String,
}

impl Request {
    fn line(&self, name: &str) -> String {
        let Self {
            event,
            signer,
            user,
            groups,
            usages,
            conditions,
            pem,
        } = self;
        let pkcs10 = base64(pem.as_bytes());
        format!("{event}|{name}|u-{name}|7|{signer}|{user}|{groups}|{usages}|{conditions}|{pkcs10}\n")
    }

    fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    fn of(self, params: &CertificateParams) -> Self {
        let pem = pem(params, &ECDSA);
        self.with(|request| request.pem = pem)
    }

    fn of_der(self, der: &[u8]) -> Self {
        self.with(|request| request.pem = armoured(der))
    }
}

fn base64(bytes: &[u8]) -> String {
    BASE64_STANDARD.encode(bytes)
}

fn pem(params: &CertificateParams, key: &KeyPair) -> String {
    // One line feed a line, as Go writes it.
    params
        .serialize_request(key)
        .unwrap()
        .pem()
        .unwrap()
        .replace('\r', "")
}

fn der(params: &CertificateParams) -> Vec<u8> {
    params.serialize_request(&*ECDSA).unwrap().der().to_vec()
}

fn armoured(der: &[u8]) -> String {
    let text = base64(der);
    let lines: Vec<&str> = text
        .as_bytes()
        .chunks(64)
        .map(|line| str::from_utf8(line).unwrap())
        .collect();
    let lines = lines.join("\n");
    format!("-----BEGIN CERTIFICATE REQUEST-----\n{lines}\n-----END CERTIFICATE REQUEST-----\n")
}

fn params(subject: &[(DnType, DnValue)], names: Vec<SanType>) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    for (kind, value) in subject {
        params.distinguished_name.push(kind.clone(), value.clone());
    }
    params.subject_alt_names = names;
    params
}

fn text(value: &str) -> DnValue {
    DnValue::Utf8String(value.to_owned())
}

fn of_node(name: &str, names: Vec<SanType>) -> CertificateParams {
    let common_name = text(&format!("system:node:{name}"));
    let organization = DnValue::PrintableString("system:nodes".try_into().unwrap());
    params(
        &[
            (DnType::OrganizationName, organization),
            (DnType::CommonName, common_name),
        ],
        names,
    )
}

fn dns(name: &str) -> SanType {
    SanType::DnsName(name.try_into().unwrap())
}

fn ip(address: &str) -> SanType {
    SanType::IpAddress(address.parse::<IpAddr>().unwrap())
}

/// What a machine asks for that joins.
fn joining() -> Request {
    Request {
        event: "ADDED",
        signer: JOINING,
        user: TOKEN_USER.to_owned(),
        groups: TOKEN_GROUPS,
        usages: CLIENT[0],
        conditions: "",
        pem: pem(&of_node(NEW, Vec::new()), &ECDSA),
    }
}

fn names() -> Vec<SanType> {
    vec![dns(THERE), ip("10.0.1.5"), ip("2001:db8::5")]
}

/// What a node asks for to serve with.
fn serving() -> Request {
    Request {
        signer: SERVING,
        user: format!("system%3Anode%3A{THERE}"),
        groups: NODE_GROUPS,
        usages: SERVER[0],
        pem: pem(&of_node(THERE, names()), &ECDSA),
        ..joining()
    }
}

/// What becomes of a request.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fate {
    Approved,
    /// With a reason that begins with this.
    Refused(&'static str),
    /// Nothing is said of it.
    NoBusiness,
}
use Fate::{Approved, NoBusiness, Refused};

/// A kubectl that says what is in a folder, and writes down what is approved.
const KUBECTL: &str = r#"#!/bin/sh
case "$*" in
*--watch*)
    echo >>FOLDER/asked
    [ "$(wc -l <FOLDER/asked)" -gt 2 ] || cat FOLDER/events
    ;;
*' get nodes --output go-template='*) cat FOLDER/nodes ;;
*' get nodes '*' --ignore-not-found --output name')
    while read -r word; do [ "$6" != "${word%%|*}" ] || echo "node/$6"; done <FOLDER/nodes
    ;;
*' replace --raw '*)
    if [ -e FOLDER/conflict ]; then
        echo 'Error from server (Conflict): the object has been modified' >&2
        exit 1
    fi
    printf '%s ' "$6" >>FOLDER/approved
    cat "$8" >>FOLDER/approved
    ;;
*) exit 2 ;;
esac
"#;

/// Runs the program until it has heard everything twice. What it says, and the approvals that it sent with the paths that it
/// sent them to.
fn run(events: &str, awk: &str, has_conflicts: bool) -> (String, Vec<(String, Value)>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let place = path.display().to_string();
    let program = |name: &str, text: &str| {
        fs::write(path.join(name), text).unwrap();
        fs::set_permissions(path.join(name), fs::Permissions::from_mode(0o755)).unwrap();
    };
    program("kubectl", &KUBECTL.replace("FOLDER", &place));
    let others = "PATH=/usr/local/bin:/usr/bin:/bin";
    program("awk", &format!("#!/bin/sh\n{others}\nexec {awk} \"$@\"\n"));
    program(
        "approver",
        &PROGRAM.replacen("\nPATH=", &format!("\nPATH={place}:"), 1),
    );
    fs::create_dir(path.join("run")).unwrap();
    fs::write(path.join("rules"), RULES).unwrap();
    fs::write(path.join("events"), events).unwrap();
    fs::write(path.join("nodes"), NODES).unwrap();
    if has_conflicts {
        fs::write(path.join("conflict"), "").unwrap();
    }
    let journal = fs::File::create(path.join("journal")).unwrap();
    let mut child = Command::new("sh")
        .arg(path.join("approver"))
        .env("RUNTIME_DIRECTORY", path.join("run"))
        .env("KEELSON_KUBECTL", path.join("kubectl"))
        .env("KEELSON_APPROVER_KUBECONFIG", "/none")
        .env("KEELSON_APPROVER_RULES", path.join("rules"))
        .env("KEELSON_APPROVER_GROUP", GROUP)
        .stdin(Stdio::null())
        .stdout(journal.try_clone().unwrap())
        .stderr(journal)
        .spawn()
        .unwrap();
    wait_for_third_listening(path);
    child.kill().unwrap();
    child.wait().unwrap();
    let sent = fs::read_to_string(path.join("approved")).unwrap_or_default();
    let sent = sent.lines().map(|line| {
        let (path, body) = line.split_once(' ').unwrap();
        (path.to_owned(), serde_json::from_str(body).unwrap())
    });
    (fs::read_to_string(path.join("journal")).unwrap(), sent.collect())
}

fn wait_for_third_listening(path: &Path) {
    for _ in 0..2400 {
        if fs::read(path.join("asked")).unwrap_or_default().len() >= 3 {
            return;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("{}", fs::read_to_string(path.join("journal")).unwrap());
}

/// Checks what becomes of each request of a table, twice in the same run.
fn check(awk: &str, table: &[Case]) {
    let events: String = table
        .iter()
        .map(|(name, request, _)| request.line(name))
        .collect();
    let (journal, sent) = run(&events, awk, false);
    let mut approvals: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
    for (path, body) in &sent {
        let name = path
            .strip_prefix("/apis/certificates.k8s.io/v1/certificatesigningrequests/")
            .unwrap();
        approvals
            .entry(name.strip_suffix("/approval").unwrap())
            .or_default()
            .push(body);
    }
    for (name, request, fate) in table {
        let begins = format!("{name} is ");
        let said: Vec<&str> = journal
            .lines()
            .filter_map(|line| line.strip_prefix(&begins))
            .collect();
        let approved = approvals.remove(name).unwrap_or_default();
        match fate {
            Approved => {
                assert!(
                    said.iter().all(|words| words.starts_with("approved: ")),
                    "{name}: {journal}"
                );
                // The API that is played forgets, and is told again.
                assert_eq!(approved.len(), 2, "{name}: {journal}");
                assert_eq!(
                    approved[0]["metadata"],
                    json!({ "name": name, "uid": format!("u-{name}"), "resourceVersion": "7" })
                );
                assert_eq!(
                    approved[0]["spec"]["request"],
                    json!(base64(request.pem.as_bytes()))
                );
                let condition = &approved[0]["status"]["conditions"][0];
                assert_eq!(
                    (&condition["type"], &condition["status"]),
                    (&json!("Approved"), &json!("True"))
                );
            }
            Refused(reason) => {
                assert_eq!(said.len(), 1, "once: {name}: {journal}");
                assert!(
                    said[0].starts_with(&format!("not approved: {reason}")),
                    "{name}: {said:?}"
                );
                assert!(approved.is_empty(), "{name}");
            }
            NoBusiness => assert!(said.is_empty() && approved.is_empty(), "{name}: {said:?}"),
        }
    }
    assert!(approvals.is_empty());
    let is_known = |line: &str| {
        table
            .iter()
            .any(|(name, ..)| line.starts_with(&format!("{name} is ")))
    };
    assert!(journal.lines().all(is_known), "{journal}");
}

/// Awks that a machine may have: that of Debian, and others where they are here.
fn awks() -> Vec<&'static str> {
    let answers = |awk: &&str| {
        let words = format!("{awk} 'BEGIN {{ exit 0 }}' </dev/null");
        Command::new("sh")
            .args(["-c", &words])
            .output()
            .is_ok_and(|output| output.status.success())
    };
    let others = ["busybox awk", "gawk", "original-awk"];
    ["awk"].into_iter().chain(others).filter(answers).collect()
}

#[test]
fn machines_that_join_are_approved_where_everything_is_as_it_should_be() {
    for awk in awks() {
        for table in [who_joins(), what_joins(), whom_to_join_as()] {
            check(awk, &table);
        }
    }
}

#[test]
fn nodes_may_serve_under_their_own_names_and_no_others() {
    for awk in awks() {
        for table in [who_serves(), what_serves()] {
            check(awk, &table);
        }
    }
}

#[test]
fn what_is_no_request_of_a_kubelets_is_refused() {
    for awk in awks() {
        check(awk, &damaged());
    }
}

/// A request that ends anywhere before its end.
#[test]
fn no_part_of_a_request_is_taken_for_one() {
    let folder = tempfile::tempdir().unwrap();
    let (rules, nodes) = (folder.path().join("rules"), folder.path().join("nodes"));
    fs::write(&rules, RULES).unwrap();
    fs::write(&nodes, NODES).unwrap();
    let judged = |awk: &str, request: &Request| {
        let file = folder.path().join("request");
        fs::write(&file, request.line("a")).unwrap();
        let words = format!(
            "{awk} -v request={} -v nodes={} -v group={} -f {}",
            file.display(),
            nodes.display(),
            GROUP,
            rules.display()
        );
        let output = Command::new("sh").args(["-c", &words]).output().unwrap();
        assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let awks = awks();
    for (request, whole) in [
        (joining(), der(&of_node(NEW, Vec::new()))),
        (serving(), der(&of_node(THERE, names()))),
    ] {
        assert!(!judged(awks[0], &request).starts_with("refused"));
        for end in 1..whole.len() {
            // The others only now and then: they are slow to start together.
            let awk = awks[if end % 16 == 0 { end / 16 % awks.len() } else { 0 }];
            let said = judged(awk, &request.clone().of_der(&whole[..end]));
            assert!(said.starts_with("refused "), "{awk}: {end}: {said}");
        }
    }
}

#[test]
fn another_control_plane_that_was_first_is_nothing_to_speak_of() {
    let (journal, sent) = run(&joining().line("a"), "awk", true);
    assert_eq!((journal.as_str(), sent.len()), ("", 0));
}

/// The template, as a real kubectl fills it in: what users say of themselves ends no field.
#[test]
fn what_users_say_ends_no_field() {
    let assignments: Vec<&str> = PROGRAM
        .lines()
        .filter(|line| line.starts_with("template="))
        .collect();
    let print = format!("{}\nprintf %s \"$template\"", assignments.join("\n"));
    let template = Command::new("sh").args(["-c", &print]).output().unwrap();
    let template = String::from_utf8(template.stdout).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("event.json");
    let event = json!({
        "apiVersion": "example.com/v1", "kind": "Event", "metadata": { "name": "a" }, "type": "ADDED",
        "object": {
            "metadata": { "name": "csr-a", "uid": "u-1", "resourceVersion": "7" },
            "spec": {
                "signerName": "kubernetes.io/kubelet-serving",
                "username": "x|y\nADDED|z",
                "groups": ["system:nodes", "a b|c"],
                "usages": ["digital signature", "server auth"],
                "request": "QUJD+/==",
            },
        },
    });
    fs::write(&file, event.to_string()).unwrap();
    let output = Command::new("kubectl")
        .args(["label", "--local", "a=b", "--filename"])
        .arg(&file)
        .arg(format!("--output=go-template={template}"))
        .output();
    let Ok(output) = output else {
        keelson_test_hosts::skip(
            "node::kubernetes::tests::approver::what_users_say_ends_no_field",
            "there is no kubectl",
        );
        return;
    };
    assert_eq!(
        String::from_utf8(output.stdout).unwrap(),
        "ADDED|csr-a|u-1|7|kubernetes.io%2Fkubelet-serving|x%7Cy%0AADDED%7Cz|system%3Anodes a+b%7Cc |\
         digital+signature server+auth ||QUJD+/==\n"
    );
}
