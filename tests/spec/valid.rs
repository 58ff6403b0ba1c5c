//! Specs that load, and what they become.

use std::fs;
use std::path::Path;

use keelson::spec::{EtcdPlacement, ValidSpec, load, read_limit_bytes};

/// The sample of the design, word for word: every field there is.
const DESIGN: &str = include_str!("design.yaml");
const BASE: &str = "apiVersion: keelson.dev/v1alpha1\nkind: Cluster\nmetadata: { name: a }\nspec:\n";

fn accept(text: &str, origin: &str) -> ValidSpec {
    load(text.as_bytes(), origin).unwrap_or_else(|errors| panic!("{errors}"))
}

/// Loads `spec`, the lines below `spec:`.
pub(super) fn spec(below: &str) -> ValidSpec {
    accept(&format!("{BASE}{below}"), "spec.yaml")
}

pub(super) fn assert_survives_writing(spec: &ValidSpec) {
    let again = accept(&spec.to_yaml(), "completed.yaml");
    assert_eq!(&again, spec);
    assert_eq!(again.digest(), spec.digest());
    assert_eq!(again.to_yaml(), spec.to_yaml());
}

#[test]
fn every_example_loads_without_warnings_and_survives_writing() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let mut count = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "yaml") {
            continue;
        }
        count += 1;
        let spec = accept(&fs::read_to_string(&path).unwrap(), &path.display().to_string());
        assert!(spec.warnings().warnings.is_empty(), "{}", spec.warnings());
        assert_survives_writing(&spec);
    }
    assert!(count >= 15, "{count} examples");
}

#[test]
fn the_sample_of_the_design_loads_with_each_of_its_providers() {
    assert_survives_writing(&accept(DESIGN, "design.yaml"));
    let aws = DESIGN
        .lines()
        .find(|line| line.trim_start().starts_with("aws:"))
        .unwrap();
    let alternatives = [
        "    simulated: { like: aws, seed: 7 }",
        "    simulated: { like: digitalocean }",
        "    digitalocean: { region: fra1, domain: example.com }",
        "    ssh: { user: root, hosts: [{ name: a, address: 10.0.0.11, roles: [control-plane] }], apiAddress: 10.0.0.100 }",
    ];
    for provider in alternatives {
        let machines = if provider.contains("aws") {
            DESIGN.to_owned()
        } else {
            without_machines(DESIGN)
        };
        assert_survives_writing(&accept(&machines.replace(aws, provider), "design.yaml"));
    }
}

/// The sample with what only AWS has taken out.
fn without_machines(text: &str) -> String {
    text.lines()
        .filter(|line| !line.contains("name: workers") && !line.contains("nodeGroups:"))
        .map(|line| if line.contains("controlPlane:") { "" } else { line })
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn a_lifetime_warns_that_nothing_ends_the_cluster() {
    for provider in [
        "simulated: {}",
        "ssh: { hosts: [{ name: a, address: 10.0.0.11, roles: [control-plane, worker] }] }",
    ] {
        let spec = spec(&format!("  provider: {{ {provider} }}\n  lifetime: 2h\n"));
        let warnings = spec.warnings().to_string();
        assert!(
            warnings.contains("spec.lifetime: this version ends no cluster by itself"),
            "{provider}: {warnings}"
        );
    }
}

#[test]
fn the_sample_warns_of_a_lifetime_under_protection() {
    let warnings = accept(DESIGN, "design.yaml").warnings().to_string();
    insta::assert_snapshot!(warnings, @r"
    warning: design.yaml:27:13: spec.lifetime: the lifetime has no effect while `deletionProtection` is true
         |
      27 |   lifetime: 2h            # throwaway clusters only
         |             ^^
        help: remove one of the two
    ");
}

#[test]
fn what_is_probably_not_meant_is_warned_of() {
    let table = [
        ("  provider: { simulated: {} }\n", "no node takes workloads"),
        (
            "  provider: { simulated: { zones: [a] } }\n  controlPlane: { replicas: 3 }\n",
            "the loss of one zone",
        ),
        (
            "  provider: { simulated: {} }\n  etcd: { quota: 16Gi }\n",
            "that etcd suggests at most",
        ),
        (
            "  provider: { simulated: {} }\n  etcd: { version: 3.7.0 }\n",
            "is newer than the 3.6.12",
        ),
        (
            "  provider: { simulated: {} }\n  network: { podCIDR: 8.0.0.0/16 }\n",
            "is not a private range",
        ),
    ];
    for (below, expected) in table {
        let said = spec(below).warnings().to_string();
        assert!(said.contains(expected), "{below}: {said}");
    }
}

#[test]
fn defaults_are_filled_in() {
    let spec = spec("  kubernetesVersion: 1.35.0\n  provider: { simulated: {} }\n");
    assert_eq!(spec.name().as_str(), "a");
    assert_eq!(spec.etcd.version.unwrap().to_string(), "3.6.8");
    assert_eq!(spec.control_plane.replicas, 1);
    assert_eq!(spec.control_plane_taints(false).len(), 1);
    assert_eq!(spec.provider.zones().len(), 3);
    assert_survives_writing(&spec);
}

/// Whoever leaves a field out relies on what takes its place: each change here changes clusters.
#[test]
fn every_default_is_written_down() {
    let simulated = spec("  provider: { simulated: {} }\n");
    insta::assert_snapshot!("completed_simulated", simulated.to_yaml());
    let ssh =
        spec("  provider: { ssh: { hosts: [{ name: a, address: 10.0.0.11, roles: [control-plane] }] } }\n");
    insta::assert_snapshot!("completed_ssh", ssh.to_yaml());
}

#[test]
fn keys_and_certificates_may_be_left_to_keelson_or_not() {
    use keelson::spec::KeyEncryption;

    let left = spec("  provider: { simulated: {} }\n");
    assert_eq!(left.pki.certificate_validity.to_string(), "8760h");
    assert_eq!(left.pki.encryption, KeyEncryption::None);
    let recipient = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p";
    let words = [
        "none".to_owned(),
        "passphrase".to_owned(),
        format!("{{ recipients: [{recipient}] }}"),
    ];
    for encryption in words {
        let chosen = spec(&format!(
            "  provider: {{ simulated: {{}} }}\n  pki:\n    keyAlgorithm: rsa-4096\n    certificateValidity: 720h\n    \
             encryption: {encryption}\n    authorities:\n      kubernetes: {{ certificate: ./ca.crt, key: ./ca.key }}\n      \
             etcd: {{ certificate: ./etcd-ca.crt }}\n"
        ));
        assert_eq!(chosen.pki.key_algorithm.to_string(), "rsa-4096");
        assert!(chosen.pki.authorities.etcd.as_ref().unwrap().key.is_none());
        assert_survives_writing(&chosen);
    }
}

#[test]
fn numbers_and_groups_follow_from_hosts() {
    let hosts = "  provider:\n    simulated:\n      like: ssh\n      apiAddress: 10.0.0.100\n      hosts:\n\
        \x20       - { name: a, address: 10.0.0.1, roles: [control-plane] }\n\
        \x20       - { name: b, address: 10.0.0.2, roles: [control-plane] }\n\
        \x20       - { name: c, address: 10.0.0.3, roles: [control-plane, worker] }\n\
        \x20       - { name: d, address: 10.0.0.4, roles: [worker] }\n";
    let spec = spec(hosts);
    assert_eq!(spec.control_plane.replicas, 3);
    assert_eq!(spec.node_groups.len(), 1);
    assert_eq!(spec.node_groups[0].name.as_str(), "workers");
    assert_eq!(spec.node_groups[0].replicas, 2);
    assert_eq!(spec.control_plane_taints(true), []);
    assert_survives_writing(&spec);
}

#[test]
fn texts_that_look_like_something_else_stay_texts() {
    let spec = spec(
        "  provider: { simulated: {} }\n  nodeGroups:\n    - name: 007\n      labels: { a: 1.10, b: 0x10, c: \"true\", d: 1e3 }\n",
    );
    let labels: Vec<&str> = spec.node_groups[0].labels.values().map(String::as_str).collect();
    assert_eq!(spec.node_groups[0].name.as_str(), "007");
    assert_eq!(labels, ["1.10", "0x10", "true", "1e3"]);
    assert_survives_writing(&spec);
}

#[test]
fn free_form_fields_keep_their_values() {
    let spec = spec(
        "  provider: { simulated: {} }\n  kubelet:\n    config:\n      a: 1\n      b: 1.5\n      c: yes\n      d: ~\n      e: [true, \"true\"]\n      f: -9223372036854775808\n      g: 18446744073709551615\n      h: \"multi\\nline\\t\\u0001 text \"\n      i: {}\n",
    );
    let expected = serde_json::json!({
        "a": 1, "b": 1.5, "c": "yes", "d": null, "e": [true, "true"],
        "f": i64::MIN, "g": u64::MAX, "h": "multi\nline\t\u{1} text ", "i": {},
    });
    assert_eq!(serde_json::Value::Object(spec.kubelet.config.clone()), expected);
    assert_survives_writing(&spec);
}

#[test]
fn names_in_free_form_fields_survive_writing() {
    let long = "k".repeat(512);
    let escaped = "\\x01".repeat(250);
    let wide = "\u{1F600}".repeat(250);
    let odd = [
        "\"? \"",
        "\": \"",
        "\"- a\"",
        "\"#\"",
        "\"<<\"",
        "\"~\"",
        "\"1\"",
        "\"a\\nb\"",
        "\" a \"",
        "\"\\u2028\"",
        "\"\\uFEFF\"",
    ];
    let odd: Vec<String> = odd.iter().map(|name| format!("{name}: {name}")).collect();
    let odd = odd.join(", ");
    let fields = format!("{long}: 1, \"{escaped}\": 2, \"{wide}\": 3, {odd}");
    assert_survives_writing(&spec(&format!(
        "  provider: {{ simulated: {{}} }}\n  kubelet: {{ config: {{ {fields} }} }}\n"
    )));
}

#[test]
fn values_as_deep_as_allowed_survive_writing() {
    for (open, close) in [("[", "]"), ("{ a: ", "}")] {
        for depth in 1..=62 {
            let value = format!("{}x{}", open.repeat(depth), close.repeat(depth));
            let text = format!(
                "{BASE}  provider: {{ simulated: {{}} }}\n  kubelet:\n    config:\n      a: {value}\n"
            );
            if let Ok(spec) = load(text.as_bytes(), "deep.yaml") {
                assert_survives_writing(&spec);
            } else {
                assert!(depth > 58, "{depth}");
            }
        }
    }
}

#[test]
fn files_may_begin_with_a_mark_and_end_lines_as_they_like() {
    let text = format!("\u{FEFF}{BASE}  provider: {{ simulated: {{}} }}\n").replace('\n', "\r\n");
    assert_eq!(accept(&text, "spec.yaml").name().as_str(), "a");
}

#[test]
fn aliases_are_written_out() {
    let spec = spec(
        "  provider: { simulated: {} }\n  controlPlane: { machine: &small { type: m6i.large } }\n  nodeGroups: [{ name: a, machine: *small }]\n",
    );
    assert_eq!(spec.node_groups[0].machine, spec.control_plane.machine);
    assert_survives_writing(&spec);
}

#[test]
fn empty_maps_and_lists_may_be_left_empty() {
    let spec = spec("  provider: { simulated: {} }\n  nodeGroups:\n    # none yet\n  api:\n    oidc: {}\n");
    assert!(spec.node_groups.is_empty() && spec.api.oidc.is_none());
}

#[test]
fn an_alternative_may_be_chosen_by_its_name_alone() {
    let spec = spec("  provider:\n    simulated:\n  etcd:\n    placement:\n      dedicated:\n");
    assert!(matches!(&spec.etcd.placement, EtcdPlacement::Dedicated(dedicated) if dedicated.replicas == 3));
    assert_survives_writing(&spec);
}

#[test]
fn equal_specs_have_equal_digests_however_they_are_written() {
    let short = spec("  provider: { simulated: {} }\n");
    let long = spec("  deletionProtection: false\n  provider:\n    simulated:\n      seed: 0\n");
    let other = spec("  provider: { simulated: { seed: 1 } }\n");
    assert_eq!(short.digest(), long.digest());
    assert_ne!(short.digest(), other.digest());
}

#[test]
fn a_spec_of_the_largest_size_is_read() {
    let mut text = format!("{BASE}  provider: {{ simulated: {{}} }}\n# ");
    let room = read_limit_bytes() - text.len();
    text.push_str(&"x".repeat(room));
    assert_eq!(text.len(), read_limit_bytes());
    accept(&text, "spec.yaml");
}

#[test]
fn machines_write_to_the_bucket_of_the_state_store_with_a_key_of_their_own() {
    let below = "  provider: { simulated: {} }\n  controlPlane: { taints: [] }\n  \
                 stateStore: s3://clusters/a?region=eu-west-1&endpoint=https://minio.example.com:9000&ca=./ca.crt\n  \
                 etcd: { snapshots: { schedule: hourly, to: { stateStore: { accessKeyId: AKIA1, secretAccessKey: ./key } } } }\n";
    let spec = spec(below);
    assert!(spec.warnings().warnings.is_empty(), "{}", spec.warnings());
    assert_survives_writing(&spec);
    let bucket = spec.snapshot_bucket().unwrap();
    assert_eq!(
        (bucket.bucket.as_str(), bucket.folder(), bucket.region.as_str()),
        ("clusters", "a", "eu-west-1")
    );
    assert_eq!(bucket.server(), "https://minio.example.com:9000");
    assert_eq!(
        (
            bucket.access_key_id.as_str(),
            bucket.secret_access_key.as_str(),
            bucket.ca.as_deref()
        ),
        ("AKIA1", "./key", Some("./ca.crt"))
    );
    assert!(spec.keeps_snapshots_in_state_store());
}

#[test]
fn what_goes_to_a_state_store_in_the_open_is_warned_of() {
    let rows = [
        (
            "  stateStore: s3://clusters?endpoint=http://minio.example.com:9000\n",
            "spec.stateStore: the bucket's server is asked without encryption",
        ),
        (
            "  stateStore: s3://clusters?region=eu-west-1\n  pki: { encryption: passphrase }\n  \
             etcd: { snapshots: { to: { stateStore: { accessKeyId: AKIA1, secretAccessKey: ./key } } } }\n",
            "spec.etcd.snapshots.to.stateStore: what machines write there is not encrypted",
        ),
    ];
    for (below, words) in rows {
        let warnings = spec(&format!("  provider: {{ simulated: {{}} }}\n{below}"))
            .warnings()
            .to_string();
        assert!(warnings.contains(words), "{warnings}");
    }
}
