//! The built-in add-ons, against golden files, and what hostile values do in them.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::templates::{TEMPLATES, render as fill};
use super::{AddonSettings, BUILT_IN, Object, digest, images, is_built_in, parse, render};
use crate::node::tests::{HOSTILE, check_declarations, declared};

fn settings() -> AddonSettings {
    AddonSettings {
        kubernetes_version: "1.36.2".parse().unwrap(),
        coredns_tag: "v1.14.2".to_owned(),
        registry: None,
        endpoint: "10.0.0.100:6443".to_owned(),
        pod_cidr: "10.244.0.0/16".parse().unwrap(),
        dns_domain: "cluster.local".to_owned(),
        dns_address: Some("10.96.0.10".parse().unwrap()),
        keeps_dns_apart: true,
        nodes_join_themselves: false,
        routes_pods: true,
        proxy_mode: "nftables".to_owned(),
        proxy_config: Map::new(),
    }
}

fn objects(name: &str, settings: &AddonSettings) -> Vec<Object> {
    render(name, settings).unwrap().unwrap()
}

#[test]
fn templates_declare_what_they_use_and_quote_it() {
    for template in TEMPLATES {
        check_declarations(*template);
        assert!(fill(*template, &json!({})).is_err(), "{}", template.path);
    }
}

#[test]
fn the_built_in_addons_are_as_they_were() {
    for name in BUILT_IN {
        let mut text = String::new();
        for object in objects(name, &settings()) {
            let yaml = serde_saphyr::to_string(object.content()).unwrap();
            let _ = write!(text, "---\n{yaml}");
        }
        insta::assert_snapshot!(*name, text);
    }
}

#[test]
fn machines_that_join_themselves_may_ask_and_control_planes_approve() {
    let with = |nodes_join_themselves, routes_pods| {
        let settings = AddonSettings {
            nodes_join_themselves,
            routes_pods,
            ..settings()
        };
        let mut text = String::new();
        for object in objects("cluster-access", &settings) {
            let yaml = serde_saphyr::to_string(object.content()).unwrap();
            let _ = write!(text, "---\n{yaml}");
        }
        text
    };
    let before = with(false, true);
    assert_eq!(before, with(false, false));
    let joined = with(true, true);
    insta::assert_snapshot!("joining", joined.strip_prefix(before.as_str()).unwrap());
    let rest = with(true, false);
    let rest = rest.strip_prefix(before.as_str()).unwrap();
    assert!(
        joined.contains(rest) && !rest.contains("keelson:routes"),
        "{rest}"
    );
}

#[test]
fn no_hostile_value_changes_anything_but_itself() {
    for template in TEMPLATES
        .iter()
        .filter(|template| template.path.ends_with(".yaml.hbs"))
    {
        let filled = |text: &str| -> Map<String, Value> {
            let names = declared(*template).into_iter();
            names.map(|name| (name, Value::from(text))).collect()
        };
        let tame = parse(&fill(*template, &filled("tame")).unwrap()).unwrap();
        for hostile in HOSTILE.iter().filter(|hostile| !hostile.is_empty()) {
            let objects = parse(&fill(*template, &filled(hostile)).unwrap()).unwrap();
            let back = serde_json::to_string(&objects).unwrap();
            let hostile = serde_json::to_string(hostile).unwrap();
            let tamed = back.replace(&hostile, "\"tame\"");
            assert_eq!(
                tamed,
                serde_json::to_string(&tame).unwrap(),
                "{}: {hostile}",
                template.path
            );
        }
    }
}

#[test]
fn pods_of_coredns_are_kept_apart_where_that_can_be() {
    let affinity = |keeps_dns_apart| {
        let settings = AddonSettings {
            keeps_dns_apart,
            ..settings()
        };
        let objects = objects("coredns", &settings);
        let deployment = objects
            .iter()
            .find(|object| object.content()["kind"] == "Deployment")
            .unwrap();
        deployment.content()["spec"]["template"]["spec"]["affinity"]["podAntiAffinity"].clone()
    };
    assert!(affinity(true)["requiredDuringSchedulingIgnoredDuringExecution"].is_array());
    assert!(affinity(false)["preferredDuringSchedulingIgnoredDuringExecution"].is_array());
}

#[test]
fn a_domain_that_means_something_to_coredns_is_refused() {
    for domain in ["a {\n  log\n}", "a b", "", "a\nimport /etc/passwd"] {
        let settings = AddonSettings {
            dns_domain: domain.to_owned(),
            ..settings()
        };
        assert!(render("coredns", &settings).is_err(), "{domain:?}");
    }
}

#[test]
fn what_the_user_sets_of_kube_proxy_comes_last() {
    let config =
        json!({ "mode": "ipvs", "clientConnection": { "qps": 50 }, "nodePortAddresses": ["primary"] });
    let Value::Object(proxy_config) = config else {
        unreachable!()
    };
    let settings = AddonSettings {
        proxy_config,
        ..settings()
    };
    let objects = objects("kube-proxy", &settings);
    let map = objects
        .iter()
        .find(|object| object.id().kind == "ConfigMap")
        .unwrap();
    let config = map.content()["data"]["config.conf"].as_str().unwrap();
    let config: Value = serde_json::from_str(config).unwrap();
    assert_eq!(config["mode"], "ipvs");
    assert_eq!(config["nodePortAddresses"], json!(["primary"]));
    assert_eq!(
        config["clientConnection"],
        json!({ "kubeconfig": "/var/lib/kube-proxy/kubeconfig.conf", "qps": 50 })
    );
    assert_eq!(config["clusterCIDR"], "10.244.0.0/16");
}

#[test]
fn an_addons_digest_tells_every_difference_that_it_sees() {
    let digest_of = |name: &str, settings: &AddonSettings| digest(name, settings).unwrap().unwrap();
    let base = settings();
    let other_endpoint = AddonSettings {
        endpoint: "10.0.0.1:6443".to_owned(),
        ..settings()
    };
    let mirror = AddonSettings {
        registry: Some("mirror.example.com:5000".to_owned()),
        ..settings()
    };
    let newer = AddonSettings {
        kubernetes_version: "1.36.3".parse().unwrap(),
        ..settings()
    };
    let proxies: BTreeSet<_> = [&base, &other_endpoint, &mirror, &newer]
        .map(|settings| digest_of("kube-proxy", settings))
        .into();
    assert_eq!(proxies.len(), 4);
    assert_eq!(
        digest_of("coredns", &base),
        digest_of("coredns", &newer),
        "it is of no Kubernetes release"
    );
    assert_ne!(digest_of("coredns", &base), digest_of("coredns", &mirror));
    assert_eq!(
        digest_of("cluster-access", &base),
        digest_of("cluster-access", &mirror)
    );
}

#[test]
fn every_image_comes_from_the_mirror_and_is_listed() {
    let settings = AddonSettings {
        registry: Some("mirror.example.com:5000".to_owned()),
        ..settings()
    };
    for name in BUILT_IN {
        let text = serde_json::to_string(&objects(name, &settings)).unwrap();
        assert!(!text.contains("registry.k8s.io"), "{name}");
        let used: BTreeSet<String> = text
            .split("\"image\":\"")
            .skip(1)
            .map(|rest| rest.split('"').next().unwrap().to_owned())
            .collect();
        assert_eq!(used, images(name, &settings).into_iter().collect(), "{name}");
        assert!(is_built_in(name));
    }
    assert!(render("nothing", &settings).unwrap().is_none());
    assert!(images("nothing", &settings).is_empty() && !is_built_in("nothing"));
}

#[test]
fn pods_have_no_more_rights_than_they_need() {
    let mut privileged = Vec::new();
    for name in BUILT_IN {
        for object in objects(name, &settings()) {
            let pod = &object.content()["spec"]["template"]["spec"];
            if pod.is_null() {
                continue;
            }
            assert_eq!(
                pod["securityContext"]["seccompProfile"]["type"], "RuntimeDefault",
                "{name}"
            );
            for container in pod["containers"].as_array().unwrap() {
                let context = &container["securityContext"];
                if context["privileged"] == true {
                    privileged.push(*name);
                } else {
                    assert_eq!(context["allowPrivilegeEscalation"], false, "{name}");
                    assert_eq!(context["readOnlyRootFilesystem"], true, "{name}");
                    assert_eq!(context["capabilities"]["drop"], json!(["ALL"]), "{name}");
                }
            }
        }
    }
    assert_eq!(privileged, ["kube-proxy"], "it writes kernel settings");
}
