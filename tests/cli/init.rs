//! `keelson init`: every flag, and values that try to be something else.

use super::lab::{Lab, Running};

/// Provider, and the flags that go with it.
const FLAGS: &[&str] = &[
    "",
    "--like aws --zones zone-a,zone-b --domain example.com",
    "--like digitalocean --domain example.com",
    "--like ssh --host a=10.0.0.11:control-plane",
    "--like ssh --host a=10.0.0.11:control-plane+worker --host b=10.0.0.12:worker",
    "--like ssh --host a=10.0.0.1:control-plane --host b=10.0.0.2:control-plane --host c=10.0.0.3:control-plane \
     --api-address 10.0.0.100",
    "--provider aws --region eu-west-1 --domain example.com",
    "--provider aws --region eu-west-1 --zones eu-west-1a,eu-west-1b,eu-west-1c --domain example.com \
     --control-plane-count 3 --nodes 5 --machine-type m6i.large",
    "--provider digitalocean --region fra1 --domain example.com",
    "--provider digitalocean --region fra1 --domain example.com --machine-type s-2vcpu-4gb --control-plane-count 3",
    "--provider ssh --host a=10.0.0.11:control-plane --host b=10.0.0.12:worker",
    "--provider ssh --host a=10.0.0.11:etcd",
    "--provider ssh --host a=10.0.0.11:etcd --host b=10.0.0.12:etcd --host c=10.0.0.13:etcd",
    "--like ssh --host a=10.0.0.11:etcd --host b=10.0.0.12:control-plane+worker",
    "--provider ssh --host a=[2001:db8::1]:control-plane",
    "--nodes 0",
    "--control-plane-count 5 --nodes 1",
    "--kubernetes-version 1.34.3",
    "--state-store /tmp/elsewhere",
    "--machine-type m6i.2xlarge",
];

#[test]
fn what_is_written_is_valid() {
    let lab = Lab::new();
    for flags in FLAGS {
        let arguments = format!("init prod.example.com --force {flags}");
        let ran = lab.expect(0, &arguments);
        assert_eq!(ran.stdout, "", "{arguments}");
        assert!(
            ran.stderr.contains("Next: keelson plan -f cluster.yaml"),
            "{arguments}"
        );
        let checked = lab.expect(0, "validate");
        assert!(
            !checked.stderr.contains("warning"),
            "{arguments}: {}",
            checked.stderr
        );
        let printed = lab.expect(0, &format!("init prod.example.com --out - {flags}"));
        assert_eq!(printed.stdout, lab.read("cluster.yaml"), "{arguments}");
        assert_eq!(printed.stderr, "");
    }
}

#[test]
fn wrong_flags() {
    let lab = Lab::new();
    for (code, flags, expected) in [
        (2, "--provider aws", "needs --region"),
        (
            2,
            "--provider ssh --host a=10.0.0.11:etcd --kubernetes-version 1.34.3 --api-address 10.0.0.9",
            "etcd alone has no use for --kubernetes-version and --api-address",
        ),
        (
            2,
            "--like ssh --host a=10.0.0.11:control-plane --nodes 2 --machine-type large",
            "have no use for --nodes and --machine-type",
        ),
        (2, "--provider ssh", "need --host"),
        (2, "--like ssh", "need --host"),
        (2, "--host a=10.0.0.1:worker", "--host goes with"),
        (2, "--like azure", "invalid value"),
        (2, "--like ssh --host a", "expected NAME=ADDRESS:ROLE"),
        (
            2,
            "--like ssh --host a=10.0.0.1:king",
            "--host a=10.0.0.1:king: unknown value `king`",
        ),
        (
            2,
            "--like ssh --host a=10.0.0.1:etcd --host b=10.0.0.2:etcd",
            "--host: 2 etcd members can lose",
        ),
        (
            2,
            "--control-plane-count 2",
            "--control-plane-count: 2 control planes can lose",
        ),
        (2, "--kubernetes-version 1.20.0", "--kubernetes-version: "),
        (2, "--kubernetes-version 1.20.0", "too old"),
        (2, "--kubernetes-version newest", "invalid value"),
        (2, "--nodes -1", "unexpected argument"),
    ] {
        let ran = lab.expect(code, &format!("init prod {flags}"));
        assert!(
            !ran.stderr.contains("the spec that these flags make"),
            "{}",
            ran.stderr
        );
        ran.says(&[expected]);
        assert!(!lab.path("cluster.yaml").exists(), "{flags}");
    }
}

#[test]
fn an_old_file_is_kept() {
    let lab = Lab::new();
    lab.write("cluster.yaml", "precious");
    lab.expect(1, "init prod")
        .says(&["exists and was left as it is", "--force"]);
    assert_eq!(lab.read("cluster.yaml"), "precious");
    lab.expect(0, "init prod --force");
    lab.expect(0, "init prod --out other.yaml")
        .says(&["keelson plan -f other.yaml"]);
    lab.expect(1, "init prod --out nowhere/x.yaml")
        .says(&["cannot write", "help:"]);
}

/// Each value is refused, or comes out as YAML that means the same.
#[test]
fn hostile_values() {
    let values = [
        "a: b",
        "a\nspec: {}",
        "{{name}}",
        "{{{name}}}",
        "$(reboot)",
        "'; reboot; '",
        "\"",
        "#",
        "- x",
        "*a",
        "&a",
        "!!str x",
        "|",
        "%",
        "@",
        "`x`",
        "yes",
        "null",
        "1e3",
        "0x10",
        "~",
        "../../etc",
        "ünïcödé",
        "\u{202e}evil",
        "a\u{0}b",
        "",
        " ",
        "\t",
    ];
    for value in values {
        for (flag, path) in [
            ("--state-store", "/spec/stateStore"),
            ("--domain", "/spec/provider/simulated/domain"),
            ("--machine-type", "/spec/controlPlane/machine/type"),
            ("--zones", "/spec/provider/simulated/zones/0"),
            ("NAME", "/metadata/name"),
        ] {
            check_hostile(flag, value, path);
        }
    }
}

fn check_hostile(flag: &str, value: &str, path: &str) {
    if value.contains('\0') {
        return;
    }
    let lab = Lab::new();
    let arguments: Vec<&str> = match flag {
        "NAME" => vec!["init", "--", value],
        _ => vec!["init", "prod", flag, value],
    };
    let ran = Running::start(lab.command(&arguments)).end();
    let shown = format!("{arguments:?}: {ran:#?}");
    assert!(!ran.stderr.contains("panicked"), "{shown}");
    if ran.code != Some(0) {
        assert!(matches!(ran.code, Some(2 | 4)), "{shown}");
        assert!(!lab.path("cluster.yaml").exists(), "{shown}");
        return;
    }
    let completed = lab.expect(0, "validate --completed").stdout;
    let schema: serde_json::Value = serde_saphyr::from_str(&completed).unwrap();
    let got = schema.pointer(path).and_then(serde_json::Value::as_str);
    assert_eq!(got, Some(value), "{shown}\n{completed}");
    assert_eq!(
        schema["metadata"]["name"],
        if flag == "NAME" { value } else { "prod" }
    );
}

#[test]
fn what_is_wrong_with_one_flag_is_said_once() {
    let lab = Lab::new();
    let ran = lab.expect(2, "init x --machine-type nope");
    assert_eq!(ran.stderr.matches("--machine-type").count(), 1, "{}", ran.stderr);
}
