//! Clusters on AWS: the emulator's instances are hosts, which run their user data, fetch what they are to run with the keys that
//! their roles lend them, and come up.

use std::path::Path;
use std::process::{Command, Stdio};

use keelson_test_hosts::{Cloud, CloudOptions, FileServer, serve_directory};
use serde_json::Value;
use tempfile::TempDir;

use super::desk::Said;

/// The emulator knows nobody, and takes from this the region.
const SIGNED: &str = "Authorization: AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20261101/eu-west-1/ec2/aws4_request, \
                      SignedHeaders=host, Signature=0";
/// An image that the emulator knows.
const IMAGE: &str = "ami-0deb1200a64000001";

/// A folder with a spec, and a cloud.
struct CloudDesk {
    cloud: Cloud,
    mirror: FileServer,
    folder: TempDir,
}

impl CloudDesk {
    /// A desk before an empty cloud; `None` after saying that `test` is skipped.
    fn before(test: &str) -> Option<Self> {
        let cloud = Cloud::start_or_skip(test, &CloudOptions::default()).unwrap()?;
        let assets = keelson_test_hosts::assets().unwrap();
        let mirror = serve_directory(&assets.folder, cloud.gateway()).unwrap();
        Some(Self {
            cloud,
            mirror,
            folder: tempfile::tempdir().unwrap(),
        })
    }

    /// Writes a spec of an etcd of three members.
    fn spec_of_etcd(&self, more: &str) {
        let assets = keelson_test_hosts::assets().unwrap();
        let version = assets.etcd_versions.last().unwrap();
        let (url, network, mirror) = (self.cloud.url(), self.cloud.network(), self.mirror.url());
        let text = format!(
            "apiVersion: keelson.dev/v1alpha1\nkind: Cluster\nmetadata: {{ name: db.example.com }}\nspec:\n  \
             stateStore: \"s3://clusters?endpoint={url}&region=eu-west-1\"\n  provider:\n    aws:\n      region: eu-west-1\n      \
             zones: [eu-west-1a, eu-west-1b, eu-west-1c]\n      network: {{ nat: single }}\n      endpoint: {url}\n  \
             network: {{ machineCIDR: {network} }}\n  controlPlane: {{ replicas: 0 }}\n  \
             etcd: {{ version: {version}, placement: {{ dedicated: {{ replicas: 3, machine: {{ type: t3.micro, image: {IMAGE} }} }} }} }}\n  \
             assets: {{ files: \"{mirror}\" }}\n{more}"
        );
        std::fs::write(self.path().join("cluster.yaml"), text).unwrap();
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn run(&self, arguments: &str) -> Said {
        let output = Command::new(env!("CARGO_BIN_EXE_keelson"))
            .args(arguments.split_whitespace())
            .current_dir(self.path())
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
            .env("AWS_SECRET_ACCESS_KEY", "secret")
            .stdin(Stdio::null())
            .output();
        Said::of(&output.unwrap())
    }

    fn expect(&self, code: i32, arguments: &str) -> Said {
        let said = self.run(arguments);
        assert_eq!(said.code, Some(code), "keelson {arguments}: {said:#?}");
        said
    }

    fn status(&self) -> Value {
        let said = self.run("status -o json");
        serde_json::from_str(&said.stdout).unwrap_or_else(|error| panic!("{error}: {said:#?}"))
    }

    /// Somebody else asks EC2 for something.
    fn ask_ec2(&self, asked: &str) -> String {
        let output = Command::new("curl")
            .args([
                "--silent",
                "--show-error",
                "--fail",
                "--noproxy",
                "*",
                "--header",
                SIGNED,
            ])
            .args(["--data", &format!("{asked}&Version=2016-11-15")])
            .arg(self.cloud.url())
            .output()
            .unwrap();
        assert!(output.status.success(), "{asked}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// The id of the instance that runs with this address.
    fn instance_at(&self, address: &str) -> String {
        let told = self.cloud.moto().tell("GET", "instances", "").unwrap();
        let told: Value = serde_json::from_str(&told).unwrap();
        let mut instances = told["instances"].as_array().unwrap().iter();
        let found = instances.find(|one| one["state"] == "running" && one["private_address"] == address);
        found.unwrap()["id"].as_str().unwrap().to_owned()
    }

    /// The members of etcd by their machines, as etcd itself numbers them.
    fn member_ids(&self, address: &str) -> String {
        let host = self.cloud.wait_for_host(&self.instance_at(address)).unwrap();
        let pki = "/etc/etcd/pki";
        host.run(&format!(
            "ETCDCTL_API=3 /opt/keelson/bin/etcdctl --endpoints https://127.0.0.1:2379 --cacert {pki}/ca.crt \
             --cert {pki}/healthcheck-client.crt --key {pki}/healthcheck-client.key member list | cut -d, -f1,3 | sort"
        ))
        .unwrap()
    }
}

#[test]
fn an_etcd_comes_up_by_itself_finds_its_data_again_and_goes_whole() {
    let test = "on_hosts::aws::an_etcd_comes_up_by_itself_finds_its_data_again_and_goes_whole";
    let Some(desk) = CloudDesk::before(test) else {
        return;
    };
    desk.spec_of_etcd("");
    let plan = desk.expect(2, "plan");
    assert!(plan.stdout.contains("Plan: 27 to create"), "{plan:#?}");
    desk.expect(0, "apply --yes");
    desk.expect(0, "plan");
    let status = desk.status();
    assert_eq!(status["condition"], "healthy", "{status:#}");
    assert_eq!(status["etcd"]["main"]["members"].as_array().unwrap().len(), 3);

    // Nothing that a machine fetched lies in the bucket any longer, and what its user data says is no secret.
    let instance = desk.instance_at(&format!("{}.49", base(&desk)));
    let host = desk.cloud.wait_for_host(&instance).unwrap();
    let said = host
        .run("grep -c 'PRIVATE KEY' /var/lib/keelson/first-boot || true")
        .unwrap();
    assert_eq!(said.trim(), "0");

    let first = format!("{}.16", base(&desk));
    let before = desk.member_ids(&first);
    desk.ask_ec2(&format!("Action=TerminateInstances&InstanceId.1={instance}"));
    let plan = desk.expect(2, "plan");
    assert!(
        plan.stdout.contains("+ machine/etcd-2") && plan.stdout.contains("Plan: 2 to create"),
        "{plan:#?}"
    );
    desk.expect(0, "apply --yes");
    let status = desk.status();
    assert_eq!(status["condition"], "healthy", "{status:#}");
    assert_eq!(desk.member_ids(&first), before, "it is another member");
    desk.expect(0, "plan");

    let said = desk.expect(0, "destroy --yes");
    assert!(
        said.stderr.contains("nothing of it is left") || said.stdout.contains("nothing of it is left"),
        "{said:#?}"
    );
    let told = desk.cloud.moto().tell("GET", "instances", "").unwrap();
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(told["volumes"].as_array().unwrap().len(), 0, "{told}");
    for instance in told["instances"].as_array().unwrap() {
        assert_eq!(instance["state"], "terminated", "{instance}");
    }
    let networks = desk.ask_ec2("Action=DescribeVpcs");
    assert!(!networks.contains(&desk.cloud.network()), "{networks}");
}

/// What all addresses of the first half of the cloud's network begin with.
fn base(desk: &CloudDesk) -> String {
    let network = desk.cloud.network();
    network.rsplit_once('.').unwrap().0.to_owned()
}
