//! Specs of AWS that load: what is filled in, and what is only warned of.

use keelson::spec::{AwsDns, AwsLoadBalancer, AwsNat, AwsProvider, AwsTopology, Provider, ValidSpec, schema};
use keelson_provider_api::values::Quantity;

use super::valid::{assert_survives_writing, spec};

const SUBNETS: &str =
    "{ vpc: vpc-0000000a, subnets: { eu-west-1a: { private: subnet-0000000a, public: subnet-0000000b } } }";
const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHQ2v8LrvO4fEXTmlQz0H5Jq5t1dQZf8a9Yw4Yc6i3bE";

/// A spec of one zone with `fields` of the provider and `below`, further lines of the spec.
fn one_zone(fields: &str, below: &str) -> ValidSpec {
    spec(&format!(
        "  provider: {{ aws: {{ region: eu-west-1, zones: [eu-west-1a], {fields} }} }}\n{below}"
    ))
}

fn aws(spec: &ValidSpec) -> &AwsProvider {
    match &spec.provider {
        Provider::Aws(aws) => aws,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_way_out_follows_from_the_topology_and_the_subnets() {
    let vpc = "network: { vpc: vpc-0000000a }";
    let closed = "network: { vpc: vpc-0000000a, nat: none }";
    let existing = format!("network: {SUBNETS}");
    for (fields, expected) in [
        ("", Some(AwsNat::Zone)),
        ("topology: private", Some(AwsNat::Zone)),
        ("topology: public", None),
        ("network: { nat: single }", Some(AwsNat::Single)),
        (vpc, Some(AwsNat::Zone)),
        (closed, Some(AwsNat::None)),
        (existing.as_str(), Some(AwsNat::None)),
    ] {
        let spec = one_zone(fields, "");
        assert_eq!(spec.provider.nat(), expected, "{fields}");
        assert_survives_writing(&spec);
    }
    for (fields, topology, expected) in [
        ("", AwsTopology::Private, Some(AwsNat::Zone)),
        ("topology: public", AwsTopology::Public, None),
        ("nat: none", AwsTopology::Private, Some(AwsNat::None)),
    ] {
        let spec = spec(&format!(
            "  provider: {{ simulated: {{ like: aws, {fields} }} }}\n  ssh: {{ publicKeys: [{KEY}], bastion: {} }}\n",
            expected.is_some()
        ));
        assert_eq!(
            (spec.provider.topology(), spec.provider.nat()),
            (Some(topology), expected)
        );
        assert_survives_writing(&spec);
    }
    let digitalocean = spec("  provider: { simulated: { like: digitalocean } }\n");
    assert_eq!(
        (digitalocean.provider.topology(), digitalocean.provider.nat()),
        (None, None)
    );
}

#[test]
fn the_record_follows_from_the_zone() {
    for (fields, dns, domain) in [
        ("", AwsDns::None, None),
        ("hostedZone: example.com", AwsDns::Public, Some("example.com")),
        (
            "hostedZone: example.com, dns: private",
            AwsDns::Private,
            Some("example.com"),
        ),
        ("hostedZone: example.com, dns: none", AwsDns::None, None),
        ("dns: none", AwsDns::None, None),
    ] {
        let spec = one_zone(fields, "");
        assert_eq!(
            (aws(&spec).dns, spec.provider.domain()),
            (Some(dns), domain),
            "{fields}"
        );
        assert_survives_writing(&spec);
    }
}

#[test]
fn etcd_has_a_volume_on_aws_alone() {
    let volume = |below: &str| spec(below).etcd.volume.as_ref().map(|volume| volume.size);
    let default = Some(Quantity::from_gibibytes(20));
    let external = "  provider: { simulated: {} }\n  etcd: { placement: { external: { endpoints: [\"https://10.0.0.21:2379\"], ca: a, certificate: b, key: c } } }\n";
    for (below, expected) in [
        (
            "  provider: { aws: { region: eu-west-1, zones: [eu-west-1a] } }\n",
            default,
        ),
        ("  provider: { simulated: {} }\n", default),
        (
            "  provider: { simulated: {} }\n  etcd: { events: separate }\n",
            default,
        ),
        (external, None),
        ("  provider: { digitalocean: { region: fra1 } }\n", None),
        (
            "  provider: { simulated: {} }\n  etcd: { quota: 32Gi, volume: { size: 40Gi } }\n",
            Some(Quantity::from_gibibytes(40)),
        ),
    ] {
        assert_eq!(volume(below), expected, "{below}");
    }
}

#[test]
fn all_that_aws_can_be_asked_for_survives_writing() {
    let key = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab";
    let fields = format!(
        "network: {SUBNETS}, api: {{ loadBalancer: internal }}, endpoint: \"http://[fd00::1]:5000\", \
         roles: {{ controlPlane: {{ instanceProfile: control-planes }}, node: {{ permissionsBoundary: \"arn:aws:iam::123456789012:policy/b\", \
         policies: [\"arn:aws:iam::aws:policy/c\"] }}, bastion: {{ instanceProfile: bastions }} }}, serviceAccountIssuer: {{ bucket: issuer }}"
    );
    let below = format!(
        "  controlPlane: {{ machine: {{ image: ami-0a1b2c3d4e5f60718, kmsKey: mrk-1234abcd12ab34cd56ef1234567890ab }} }}\n  \
         nodeGroups: [{{ name: a, machine: {{ type: m6i.large, image: debian-12, kmsKey: \"{key}\" }}, types: [m6a.large], zones: [eu-west-1a], \
         spot: true, spotShare: 70, rolling: {{ maxSurge: 2 }} }}]\n  \
         etcd: {{ volume: {{ size: 50Gi, kmsKey: \"{key}\" }} }}\n  ssh: {{ publicKeys: [{KEY}], bastion: true }}\n"
    );
    let spec = one_zone(&fields, &below);
    assert_survives_writing(&spec);
    assert!(spec.warnings().warnings.is_empty(), "{}", spec.warnings());
    assert_eq!(aws(&spec).api.load_balancer, AwsLoadBalancer::Internal);
    let group = &spec.node_groups[0];
    assert_eq!((group.spot_share, group.rolling.max_surge), (Some(70), 2));
    assert_eq!(aws(&spec).roles.node.policies, ["arn:aws:iam::aws:policy/c"]);
}

#[test]
fn servers_in_ones_own_networks_may_be_asked_without_encryption() {
    for endpoint in [
        "http://localhost:5000",
        "http://127.0.0.1:5000",
        "http://10.0.0.1",
        "http://192.168.1.1:4566/",
        "http://[::1]:5000",
        "https://aws.example.com",
    ] {
        let spec = one_zone(&format!("endpoint: \"{endpoint}\""), "");
        assert_eq!(
            aws(&spec).endpoint.as_ref().map(keelson::spec::HttpUrl::as_str),
            Some(endpoint)
        );
    }
}

#[test]
fn what_has_no_effect_is_warned_of() {
    let unused = "topology: public, network: { vpc: vpc-0000000a, subnets: { eu-west-1a: { public: subnet-0000000a, private: subnet-0000000b } } }";
    for (fields, words) in [
        (
            "hostedZone: example.com, dns: none",
            "spec.provider.aws.hostedZone: with `dns: none`, no record is made in `example.com`",
        ),
        (
            unused,
            "spec.provider.aws.network.subnets.eu-west-1a.private: with `topology: public`, nothing is put into a private subnet",
        ),
    ] {
        let warnings = one_zone(fields, "").warnings().to_string();
        assert!(warnings.contains(words), "{warnings}");
    }
}

#[test]
fn the_document_of_aws_names_every_field() {
    let document = include_str!("../../docs/aws.md");
    let schema = schema();
    for part in [
        "AwsProvider",
        "AwsNetwork",
        "AwsSubnets",
        "AwsApi",
        "AwsRoles",
        "AwsRole",
        "AwsServiceAccountIssuer",
        "EtcdVolume",
        "Machine",
        "NodeGroup",
        "Rolling",
    ] {
        let fields = schema["$defs"][part]["properties"].as_object().unwrap();
        for field in fields.keys() {
            let is_general = matches!(
                (part, field.as_str()),
                ("NodeGroup", "name" | "labels" | "taints")
            );
            let is_named = [" ", "`", "."]
                .iter()
                .any(|before| document.contains(&format!("{before}{field}")));
            assert!(is_general || is_named, "docs/aws.md: {part}.{field} is missing");
        }
    }
}
