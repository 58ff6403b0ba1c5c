//! What control planes and workers run.

mod approver;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use keelson_provider_api::values::{Secret, Version};
use serde_json::{Value, json};

use super::*;
use crate::node::tests::verify_units;
use crate::node::{AssetIndex, HostIdentity, NodeClass};

const VERSION: Version = Version::new(1, 36, 2);

fn object(value: &Value) -> serde_json::Map<String, Value> {
    value.as_object().unwrap().clone()
}

fn runtime(images: &[&str]) -> RuntimeSettings {
    let assets = AssetIndex::Imagined;
    RuntimeSettings {
        pods_have_ipv6: false,
        source: RuntimeSource::Upstream {
            containerd: assets.release(&containerd(Version::new(2, 2, 1))),
            runc: assets.release(&runc(Version::new(1, 4, 0))),
        },
        cni_plugins: assets.release(&cni_plugins(Version::new(1, 9, 1))),
        crictl: assets.release(&crictl(Version::new(1, 35, 0))),
        pause_image: "mirror.example.com:5000/pause:3.10.2".to_owned(),
        insecure_registry: Some("mirror.example.com:5000".to_owned()),
        configuration: object(&json!({ "debug": { "level": "info" } })),
        images: images.iter().map(|&image| image.to_owned()).collect(),
    }
}

fn kubelet(role: KubeletRole) -> KubeletSettings {
    let assets = AssetIndex::Imagined;
    KubeletSettings {
        kubelet: assets.release(&release("kubelet", VERSION)),
        kubectl: assets.release(&release("kubectl", VERSION)),
        role,
        cluster_dns: Some("10.96.0.10".parse().unwrap()),
        dns_domain: "cluster.local".to_owned(),
        max_pods: 110,
        configuration: object(
            &json!({ "failCgroupV1": false, "authentication": { "webhook": { "cacheTTL": "9s" } } }),
        ),
    }
}

fn settings(kubelet: KubeletSettings, control_plane: Option<ControlPlaneSettings>) -> KubernetesSettings {
    let images = ["mirror.example.com:5000/kube-proxy:v1.36.2"];
    let virtual_address = control_plane.as_ref().map(|_| VirtualAddressSettings {
        address: "10.0.0.100".parse().unwrap(),
        control_planes: ["10.0.0.11", "10.0.0.12", "10.0.0.13"]
            .map(|text| text.parse().unwrap())
            .to_vec(),
    });
    let approver = control_plane.as_ref().map(|_| ApproverSettings {
        group: "system:bootstrappers:keelson:groups".to_owned(),
    });
    KubernetesSettings {
        version: VERSION,
        cluster: "prod.example.com".to_owned(),
        feature_gates: BTreeMap::from([("InPlacePodVerticalScaling".to_owned(), true)]),
        runtime: runtime(&images),
        control_plane,
        approver,
        virtual_address,
        routed: Some(RoutedSettings {
            pod_range: "10.244.0.0/16".parse().unwrap(),
            has_overlay: false,
            server: "https://10.0.0.100:6443".to_owned(),
            shows_token: matches!(kubelet.role, KubeletRole::Joining { .. }),
        }),
        kubelet,
    }
}

fn control_plane() -> ControlPlaneSettings {
    let arguments = |arguments: &[(&str, &str)]| {
        let arguments = arguments.iter();
        arguments
            .map(|&(name, value)| (name.to_owned(), value.to_owned()))
            .collect()
    };
    ControlPlaneSettings {
        pod_range: "10.244.0.0/16".parse().unwrap(),
        service_range: "10.96.0.0/12".parse().unwrap(),
        dns_domain: "cluster.local".to_owned(),
        etcd: EtcdServers {
            authority: None,
            main: vec!["https://127.0.0.1:2379".to_owned()],
            events: vec!["https://127.0.0.1:2382".to_owned()],
        },
        api: ApiServerSettings {
            node_port_range: "30000-32767".to_owned(),
            admission_plugins: vec!["AlwaysPullImages".to_owned(), "NodeRestriction".to_owned()],
            oidc: Some(Oidc {
                issuer: "https://login.example.com".to_owned(),
                client_id: "kubernetes".to_owned(),
                authority: Some("-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n".to_owned()),
                username: ("sub".to_owned(), "oidc:".to_owned()),
                groups: Some(("groups".to_owned(), "oidc:".to_owned())),
                required_claims: BTreeMap::from([("hd".to_owned(), "example.com".to_owned())]),
            }),
            audit: AuditLevel::Policy,
            encryption: SecretsProvider::Secretbox,
            extra_arguments: arguments(&[
                ("service-account-issuer", "https://b.example.com"),
                ("v", "2"),
                ("service-account-issuer", "https://a.example.com"),
            ]),
        },
        controller_manager_arguments: arguments(&[("v", "2")]),
        scheduler_arguments: Vec::new(),
        signs: true,
        images: ["kube-apiserver", "kube-controller-manager", "kube-scheduler"]
            .map(|name| format!("mirror.example.com:5000/{name}:v1.36.2")),
    }
}

fn host() -> HostIdentity {
    HostIdentity {
        name: "cp-2".to_owned(),
        address: "10.0.0.12".parse().unwrap(),
    }
}

fn files(settings: KubernetesSettings) -> BTreeMap<String, Vec<u8>> {
    let class = NodeClass {
        kubernetes: Some(settings),
        ..NodeClass::default()
    };
    class.render().unwrap().of_host(&host()).unwrap()
}

/// Everything but what is the same in every bundle.
fn shown(files: &BTreeMap<String, Vec<u8>>) -> String {
    let mut text = String::new();
    let scripts = [
        "apply",
        "keelson-routes",
        "keelson-approver",
        "keelson-approver.awk",
        "audit-policy.yaml",
        "keelson-keepalived",
        "check-api-server",
    ];
    for (path, content) in files {
        if !scripts.iter().any(|script| path.ends_with(script)) {
            let _ = writeln!(text, "==> {path}\n{}", String::from_utf8_lossy(content));
        }
    }
    text
}

#[test]
fn the_bundle_of_a_control_plane() {
    let settings = settings(kubelet(KubeletRole::ControlPlane), Some(control_plane()));
    insta::assert_snapshot!("control_plane", shown(&files(settings)));
}

#[test]
fn the_bundle_of_a_worker() {
    let server = "https://10.0.0.100:6443".to_owned();
    insta::assert_snapshot!(
        "worker",
        shown(&files(settings(kubelet(KubeletRole::Worker { server }), None)))
    );
}

/// What is different from a worker that is brought its bundle.
#[test]
fn the_bundle_of_a_machine_that_joins_by_itself() {
    let server = || "https://10.0.0.100:6443".to_owned();
    let joining = files(settings(kubelet(KubeletRole::Joining { server: server() }), None));
    let worker = files(settings(kubelet(KubeletRole::Worker { server: server() }), None));
    let changed: BTreeMap<String, Vec<u8>> = joining
        .into_iter()
        .filter(|(path, content)| worker.get(path) != Some(content))
        .collect();
    insta::assert_snapshot!("joining", shown(&changed));
}

#[test]
fn systemd_verifies_the_units_of_nodes() {
    let server = "https://10.0.0.100:6443".to_owned();
    let control_plane = settings(kubelet(KubeletRole::ControlPlane), Some(control_plane()));
    let joining = settings(
        kubelet(KubeletRole::Joining {
            server: server.clone(),
        }),
        None,
    );
    let worker = settings(kubelet(KubeletRole::Worker { server }), None);
    let every = [
        "containerd.service",
        "keelson-approver.service",
        "keelson-keepalived.service",
        "keelson-routes.service",
        "kubelet.service",
    ];
    let of_worker = ["containerd.service", "keelson-routes.service", "kubelet.service"];
    let test = "systemd_verifies_the_units_of_nodes";
    verify_units(test, &files(control_plane), &every);
    verify_units(test, &files(worker), &of_worker);
    verify_units(test, &files(joining), &of_worker);
}

#[test]
fn pods_packets_are_wrapped_where_they_would_be_dropped() {
    for (has_overlay, line) in [(true, "KEELSON_OVERLAY=yes"), (false, "KEELSON_OVERLAY=no")] {
        let server = "https://10.0.0.100:6443".to_owned();
        let mut settings = settings(kubelet(KubeletRole::Worker { server }), None);
        settings.routed.as_mut().unwrap().has_overlay = has_overlay;
        let files = files(settings);
        let text = String::from_utf8_lossy(&files["files/etc/keelson/routes.env"]);
        assert_eq!(text.lines().next_back(), Some(line));
    }
}

#[test]
fn packets_are_forwarded_in_the_families_that_pods_have() {
    for pods_have_ipv6 in [false, true] {
        let server = "https://10.0.0.100:6443".to_owned();
        let mut settings = settings(kubelet(KubeletRole::Worker { server }), None);
        settings.runtime.pods_have_ipv6 = pods_have_ipv6;
        let files = files(settings);
        let text = String::from_utf8_lossy(&files["files/etc/sysctl.d/90-keelson.conf"]);
        let has = |setting: &str| text.lines().any(|line| line == setting);
        assert!(has("net.ipv4.ip_forward = 1"), "{text}");
        assert_eq!(has("net.ipv6.conf.all.forwarding = 1"), pods_have_ipv6, "{text}");
    }
}

#[test]
fn manifests_and_documents_are_yaml_that_says_what_was_meant() {
    let files = files(settings(
        kubelet(KubeletRole::ControlPlane),
        Some(control_plane()),
    ));
    let parsed = |path: &str| -> Value {
        serde_saphyr::from_str(&String::from_utf8_lossy(
            &files[&format!("files/etc/kubernetes/{path}")],
        ))
        .unwrap()
    };
    let pod = parsed("manifests/kube-apiserver.yaml");
    let container = &pod["spec"]["containers"][0];
    let command: Vec<&str> = container["command"]
        .as_array()
        .unwrap()
        .iter()
        .map(|word| word.as_str().unwrap())
        .collect();
    assert_eq!(command[0], "kube-apiserver");
    assert!(
        command
            .contains(&"--enable-admission-plugins=NodeRestriction,DenyServiceExternalIPs,AlwaysPullImages")
    );
    assert_eq!(
        command[command.len() - 3..],
        [
            "--service-account-issuer=https://b.example.com",
            "--v=2",
            "--service-account-issuer=https://a.example.com"
        ]
    );
    assert_eq!(container["livenessProbe"]["httpGet"]["path"], "/livez");
    assert_eq!(
        container["ports"][0]["containerPort"], 6443,
        "a number, and no text"
    );
    assert_eq!(container["volumeMounts"][0]["readOnly"], true);
    let names = |list: &Value| -> Vec<String> {
        list.as_array()
            .unwrap()
            .iter()
            .map(|entry| entry["name"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(names(&container["volumeMounts"]), names(&pod["spec"]["volumes"]));
    assert_eq!(parsed("api-server/audit-policy.yaml")["kind"], "Policy");
    assert_eq!(
        parsed("api-server/authentication.yaml")["anonymous"]["conditions"][0]["path"],
        "/livez"
    );
}

#[test]
fn what_an_api_server_reads_when_it_starts_is_a_part_of_its_pod() {
    let pod = |change: fn(&mut ControlPlaneSettings)| {
        let mut control_plane = control_plane();
        change(&mut control_plane);
        let files = files(settings(kubelet(KubeletRole::ControlPlane), Some(control_plane)));
        files["files/etc/kubernetes/manifests/kube-apiserver.yaml"].clone()
    };
    let base = pod(|_| ());
    assert_eq!(pod(|_| ()), base);
    assert_ne!(
        pod(|plane| plane.api.oidc.as_mut().unwrap().issuer.push('x')),
        base
    );
}

#[test]
fn the_configuration_of_containerd_is_toml_with_what_a_user_says_last() {
    let mut settings = settings(kubelet(KubeletRole::ControlPlane), None);
    settings.runtime.source = RuntimeSource::Host;
    settings.runtime.configuration = object(&json!({
        "plugins": { "io.containerd.grpc.v1.cri": { "restrict_oom_score_adj": true } }
    }));
    let files = files(settings);
    let text = String::from_utf8_lossy(&files["files/etc/containerd/config.toml"]).into_owned();
    let parsed: toml::Table = toml::from_str(&text).unwrap();
    let plugin = &parsed["plugins"]["io.containerd.grpc.v1.cri"];
    assert_eq!(plugin["restrict_oom_score_adj"].as_bool(), Some(true));
    assert_eq!(
        plugin["containerd"]["runtimes"]["runc"]["options"]["SystemdCgroup"].as_bool(),
        Some(true)
    );
    assert!(
        !files.contains_key("files/containerd.service"),
        "the machine has a unit of its own"
    );
}

#[test]
fn the_file_with_the_key_of_secrets_is_what_an_api_server_reads() {
    let key = Secret::new("c2VjcmV0".to_owned());
    // Whatever Secrets were written with before can still be read.
    let table = [
        (SecretsProvider::Secretbox, ["secretbox", "aescbc", "identity"]),
        (SecretsProvider::Aescbc, ["aescbc", "secretbox", "identity"]),
        (SecretsProvider::Identity, ["identity", "secretbox", "aescbc"]),
    ];
    for (provider, order) in table {
        let text = encryption_configuration(provider, &key).unwrap();
        let parsed: Value = serde_saphyr::from_str(text.expose()).unwrap();
        let providers = parsed["resources"][0]["providers"].as_array().unwrap();
        assert_eq!(providers.len(), order.len());
        for (found, name) in providers.iter().zip(order) {
            let wanted = match name {
                "identity" => json!({}),
                _ => json!({ "keys": [{ "name": "keelson", "secret": "c2VjcmV0" }] }),
            };
            assert_eq!(found, &json!({ name: wanted }));
        }
    }
}

#[test]
fn an_api_server_starts_anew_when_secrets_are_encrypted_otherwise() {
    let manifest = |encryption| {
        let mut settings = settings(kubelet(KubeletRole::ControlPlane), Some(control_plane()));
        settings.control_plane.as_mut().unwrap().api.encryption = encryption;
        let class = NodeClass {
            kubernetes: Some(settings),
            ..NodeClass::default()
        };
        let files = class.render().unwrap();
        let manifest = files.shared()["files/etc/kubernetes/manifests/kube-apiserver.yaml"].clone();
        (files.digest(None), manifest)
    };
    let (with, without) = (
        manifest(SecretsProvider::Secretbox),
        manifest(SecretsProvider::Identity),
    );
    assert_ne!(with.0, without.0);
    assert_ne!(with.1, without.1);
    let text = String::from_utf8(without.1).unwrap();
    assert!(text.contains("--encryption-provider-config="), "{text}");
}

#[test]
fn a_null_that_toml_cannot_hold_is_an_error() {
    let mut settings = settings(kubelet(KubeletRole::ControlPlane), None);
    settings.runtime.configuration = object(&json!({ "debug": { "level": null } }));
    let class = NodeClass {
        kubernetes: Some(settings),
        ..NodeClass::default()
    };
    assert!(class.render().is_err());
}

#[test]
fn an_api_server_that_hangs_loses_the_address_in_five_seconds() {
    let number = |text: &str, before: &str| -> u32 {
        let rest = text.split_once(before).map(|(_, rest)| rest).unwrap();
        rest.split_whitespace().next().unwrap().parse().unwrap()
    };
    let configuration = include_str!("../../../templates/network/keepalived.conf.hbs");
    let check = include_str!("../../../templates/network/check-api-server.sh");
    let (interval, fall) = (
        number(configuration, "\n    interval "),
        number(configuration, "\n    fall "),
    );
    let limit = number(check, "--max-time ");
    assert!(fall * (interval + limit) <= 5);
    assert!(limit < number(configuration, "\n    timeout "));
    assert!(check.contains("curl --silent --fail --noproxy '*' "), "{check}");
}
