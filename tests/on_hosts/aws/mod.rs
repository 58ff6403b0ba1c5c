//! Clusters on AWS: the emulator's instances are hosts, which run their user data, fetch what they are to run with the keys that
//! their roles lend them, and come up.

mod etcd;
mod kubernetes;

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use keelson_test_hosts::{Cloud, CloudOptions, FileServer, serve_directory};
use serde_json::Value;
use tempfile::TempDir;

use super::desk::Said;

/// The emulator knows nobody, and takes from this the region and the service.
fn signed(service: &str) -> String {
    format!(
        "Authorization: AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20261101/eu-west-1/{service}/aws4_request, \
         SignedHeaders=host, Signature=0"
    )
}

/// An image that the emulator knows.
const IMAGE: &str = "ami-0deb1200a64000001";

/// A folder with a spec, and a cloud.
struct CloudDesk {
    cloud: Cloud,
    mirror: FileServer,
    folder: TempDir,
}

impl CloudDesk {
    /// A desk before an empty cloud, whose instances download from `folder`; `None` after saying that `test` is skipped.
    fn before(test: &str, folder: &Path) -> Option<Self> {
        let options = CloudOptions {
            lifetime: Duration::from_secs(60 * 60),
            ..CloudOptions::default()
        };
        let cloud = Cloud::start_or_skip(test, &options).unwrap()?;
        let mirror = serve_directory(folder, cloud.gateway()).unwrap();
        Some(Self {
            cloud,
            mirror,
            folder: tempfile::tempdir().unwrap(),
        })
    }

    /// Writes a spec: what `provider` says more of AWS, and `rest` below `spec`.
    fn spec(&self, name: &str, provider: &str, rest: &str) {
        let (url, network) = (self.cloud.url(), self.cloud.network());
        let text = format!(
            "apiVersion: keelson.dev/v1alpha1\nkind: Cluster\nmetadata: {{ name: {name} }}\nspec:\n  \
             stateStore: \"s3://clusters?endpoint={url}&region=eu-west-1\"\n  provider:\n    aws:\n      region: eu-west-1\n      \
             zones: [eu-west-1a, eu-west-1b, eu-west-1c]\n      network: {{ nat: single }}\n      endpoint: {url}\n{provider}  \
             network: {{ machineCIDR: {network} }}\n{rest}"
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
        self.ask("ec2", "", &format!("{asked}&Version=2016-11-15"))
    }

    fn ask(&self, service: &str, path: &str, body: &str) -> String {
        let kind = if body.starts_with('<') {
            "Content-Type: text/xml"
        } else {
            "Content-Type: application/x-www-form-urlencoded"
        }
        .to_owned();
        let output = Command::new("curl")
            .args(["--silent", "--show-error", "--fail", "--noproxy", "*"])
            .args(["--header", &signed(service), "--header", &kind, "--data", body])
            .arg(format!("{}{path}", self.cloud.url()))
            .output()
            .unwrap();
        assert!(output.status.success(), "{body}: {output:?}");
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

    /// Destroys the cluster. Nothing that could cost anything is left of it.
    fn destroy(&self) {
        let said = self.expect(0, "destroy --yes");
        let says = |text: &str| text.contains("nothing of it is left");
        assert!(says(&said.stderr) || says(&said.stdout), "{said:#?}");
        let told = self.cloud.moto().tell("GET", "instances", "").unwrap();
        let told: Value = serde_json::from_str(&told).unwrap();
        assert_eq!(told["volumes"].as_array().unwrap().len(), 0, "{told}");
        for instance in told["instances"].as_array().unwrap() {
            assert_eq!(instance["state"], "terminated", "{instance}");
        }
        let networks = self.ask_ec2("Action=DescribeVpcs");
        assert!(!networks.contains(&self.cloud.network()), "{networks}");
    }
}

/// What all addresses of the first half of the cloud's network begin with.
fn base(desk: &CloudDesk) -> String {
    let network = desk.cloud.network();
    network.rsplit_once('.').unwrap().0.to_owned()
}
