//! Hosts, what they install, and a desk before them.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use keelson_test_hosts::{
    Disturbance, FileServer, HostOptions, LabOptions, Registry, SPEC_OF_HOSTS, serve_directory,
    serve_registry, skip_without_kubernetes,
};

use crate::on_hosts::desk::Desk;

/// kubectl on a control plane, as its administrator.
const KUBECTL: &str = "/opt/keelson/bin/kubectl --kubeconfig /etc/kubernetes/admin.conf";

/// Which of the lab's free addresses is the virtual one.
const API_ADDRESS: u8 = 0;

pub(crate) struct Site {
    pub(crate) desk: Desk,
    /// What they serve goes when they do.
    files: FileServer,
    registry: Registry,
    /// The version of Kubernetes that clusters run.
    version: String,
    /// The others that there are programs of.
    others: Vec<String>,
    /// Archives of images.
    images: PathBuf,
    etcd: String,
    /// The program, for this machine.
    kubectl: PathBuf,
}

impl Site {
    /// A site with hosts of these names; `None` without root or programs, after saying that `test` is skipped.
    pub(crate) fn with_hosts(test: &str, names: &[&str]) -> Option<Self> {
        let assets = skip_without_kubernetes(test).unwrap()?;
        let options = LabOptions {
            hosts: names.iter().map(|name| HostOptions::named(*name)).collect(),
            // Longer than any of these tests may take (`.config/nextest.toml`).
            lifetime: Duration::from_secs(100 * 60),
            ..LabOptions::with_hosts(0)
        };
        let desk = Desk::of(test, &options)?;
        let gateway = desk.lab.gateway();
        let etcd = assets.etcd().unwrap();
        let mut others = assets.versions;
        let version = others.remove(0);
        let kubectl = format!("dl.k8s.io/release/v{version}/bin/linux/amd64/kubectl");
        Some(Self {
            kubectl: assets.folder.join(kubectl),
            files: serve_directory(&assets.folder, gateway).unwrap(),
            registry: serve_registry(&assets.images, gateway).unwrap(),
            version,
            others,
            images: assets.images,
            etcd,
            desk,
        })
    }

    /// The address that control planes hold in turn.
    pub(crate) fn api_address(&self) -> String {
        self.desk.lab.free_address(API_ADDRESS).unwrap().to_string()
    }

    /// The registry, as hosts name it.
    pub(crate) fn registry(&self) -> String {
        self.registry.address().to_string()
    }

    /// Replaces text in the spec; it must be there.
    pub(crate) fn edit(&self, from: &str, to: &str) {
        let path = self.desk.path("cluster.yaml");
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "the spec has no `{from}`:\n{text}");
        std::fs::write(path, text.replace(from, to)).unwrap();
    }

    /// The URL of the programs.
    pub(crate) fn files(&self) -> String {
        self.files.url()
    }

    /// Goes over to an older minor of Kubernetes, which specs name from now on, and tells which was the newest; nothing where
    /// there are no programs of an older one.
    pub(crate) fn go_back_a_minor(&mut self) -> Option<String> {
        let minor = |version: &str| {
            version
                .split('.')
                .nth(1)
                .and_then(|minor| minor.parse::<u32>().ok())
        };
        let newest = minor(&self.version);
        let older = self.others.iter().find(|other| minor(other) < newest)?.clone();
        Some(std::mem::replace(&mut self.version, older))
    }

    /// The version of Kubernetes that clusters run.
    pub(crate) fn version(&self) -> &str {
        &self.version
    }

    /// Whether there is an archive of the image that `name` begins the name of.
    pub(crate) fn has_image(&self, name: &str) -> bool {
        let images = std::fs::read_dir(&self.images).unwrap();
        images
            .into_iter()
            .any(|image| image.unwrap().file_name().to_string_lossy().starts_with(name))
    }

    /// The version of etcd that clusters run.
    pub(crate) fn etcd(&self) -> String {
        self.etcd.clone()
    }

    /// Has the registry answer everything in a wrong way, until it is healed.
    pub(crate) fn disturb_registry(&self, disturbance: Disturbance) {
        self.registry.disturb(disturbance);
    }

    /// Has the registry answer as it should.
    pub(crate) fn heal_registry(&self) {
        self.registry.heal();
    }

    /// Writes a spec: hosts with their roles, and `more` lines below `spec`.
    pub(crate) fn spec(&self, roles: &[(&str, &str)], provider: &str, more: &str) {
        let mut hosts = String::new();
        for (name, roles) in roles {
            let address = self.desk.host(name).address();
            let _ = writeln!(
                hosts,
                "        - {{ name: {name}, address: {address}, roles: [{roles}] }}"
            );
        }
        let (version, etcd) = (&self.version, &self.etcd);
        let (files, registry) = (self.files.url(), self.registry());
        let text = format!(
            "apiVersion: keelson.dev/v1alpha1\nkind: Cluster\nmetadata: {{ name: k8s.example.com }}\nspec:\n  \
             kubernetesVersion: {version}\n  stateStore: ./state\n  provider:\n    ssh:\n{provider}      hosts:\n{hosts}  \
             etcd: {{ version: {etcd} }}\n  assets: {{ files: \"{files}\", registry: \"{registry}\", insecureRegistry: true \
             }}\n{SPEC_OF_HOSTS}{more}"
        );
        std::fs::write(self.desk.path("cluster.yaml"), text).unwrap();
    }

    /// Runs kubectl on the host `on`; arguments as a shell takes them.
    pub(crate) fn kubectl(&self, on: &str, arguments: &str) -> String {
        self.try_kubectl(on, arguments)
            .unwrap_or_else(|problem| panic!("{problem}"))
    }

    /// The same, with what is wrong where it fails.
    pub(crate) fn try_kubectl(&self, on: &str, arguments: &str) -> Result<String, String> {
        let said = self.desk.host(on).run(&format!("{KUBECTL} {arguments}"));
        said.map_err(|error| format!("kubectl {arguments}: {error}"))
    }

    /// Runs kubectl here, with a kubeconfig of the desk; whether it succeeded, and what it said.
    pub(crate) fn kubectl_with(&self, kubeconfig: &str, arguments: &str) -> (bool, String) {
        let said = Command::new("sh")
            .args(["-c", &format!("exec \"$0\" --kubeconfig \"$1\" {arguments}")])
            .arg(&self.kubectl)
            .arg(self.desk.path(kubeconfig))
            .output()
            .unwrap();
        let text = [said.stdout, said.stderr].concat();
        (said.status.success(), String::from_utf8_lossy(&text).into_owned())
    }

    /// Whether the API answers at `address`, as a worker sees it.
    pub(crate) fn api_answers(&self, from: &str, address: &str) -> bool {
        // Whoever does not answer at all is asked anew soon, since another may have the address by then.
        let ask = format!(
            "curl --silent --fail --connect-timeout 2 --max-time 5 --cacert /etc/kubernetes/pki/ca.crt --resolve kubernetes:6443:{address} \
             https://kubernetes:6443/readyz"
        );
        self.desk.host(from).run(&ask).is_ok_and(|answer| answer == "ok")
    }
}

/// Looks again and again until something is so.
pub(crate) fn eventually(what: &str, limit: Duration, mut is_so: impl FnMut() -> bool) -> Duration {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < limit, "{what}: not after {limit:?}");
        std::thread::sleep(Duration::from_millis(100));
    }
    begun.elapsed()
}
