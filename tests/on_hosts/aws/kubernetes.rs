//! Real Kubernetes on instances: control planes that keep their data, and workers that a group makes and that join by themselves.

#![expect(
    clippy::disallowed_methods,
    reason = "how long real machines take is for the reader of the output"
)]

use std::time::{Duration, Instant};

use keelson_test_hosts::{Host, Registry, SPEC_OF_HOSTS, serve_registry, skip_without_kubernetes};

use super::{CloudDesk, IMAGE, base};

/// kubectl on a control plane, as its administrator.
const KUBECTL: &str = "/opt/keelson/bin/kubectl --kubeconfig /etc/kubernetes/admin.conf";
const ZONE: &str = "<CreateHostedZoneRequest xmlns=\"https://route53.amazonaws.com/doc/2013-04-01/\"><Name>example.com</Name>\
                    <CallerReference>test</CallerReference></CreateHostedZoneRequest>";

/// A cluster's desk, and what its instances pull.
struct Site {
    desk: CloudDesk,
    registry: Registry,
    version: String,
    etcd: String,
}

impl Site {
    fn before(test: &str) -> Option<Self> {
        let assets = skip_without_kubernetes(test).unwrap()?;
        let desk = CloudDesk::before(test, &assets.folder)?;
        desk.ask("route53", "/2013-04-01/hostedzone", ZONE);
        Some(Self {
            registry: serve_registry(&assets.images, desk.cloud.gateway()).unwrap(),
            etcd: assets.etcd().unwrap(),
            version: assets.versions[0].clone(),
            desk,
        })
    }

    /// Writes a spec whose workers have these labels.
    fn spec(&self, labels: &str) {
        let Self { version, etcd, .. } = self;
        let (mirror, registry) = (self.desk.mirror.url(), self.registry.address());
        let machine = format!("machine: {{ type: t3.medium, image: {IMAGE} }}");
        let rest = format!(
            "  kubernetesVersion: {version}\n  controlPlane: {{ replicas: 3, {machine} }}\n  nodeGroups: [{{ name: workers, replicas: \
             2, labels: {{ {labels} }}, {machine} }}]\n  etcd: {{ version: {etcd} }}\n  assets: {{ files: \"{mirror}\", registry: \
             \"{registry}\", insecureRegistry: true }}\n{SPEC_OF_HOSTS}"
        );
        self.desk
            .spec("prod.example.com", "      hostedZone: example.com\n", &rest);
    }

    fn apply(&self) {
        let begun = Instant::now();
        self.desk.expect(0, "apply --yes");
        println!("apply: {:.1?}", begun.elapsed());
    }

    /// The control plane with the address that ends so.
    fn control_plane(&self, last: u8) -> ControlPlane {
        let instance = self.desk.instance_at(&format!("{}.{last}", base(&self.desk)));
        ControlPlane(self.desk.cloud.wait_for_host(&instance).unwrap())
    }

    fn end(&self, instance: &str) {
        self.desk
            .ask_ec2(&format!("Action=TerminateInstances&InstanceId.1={instance}"));
    }
}

struct ControlPlane(Host);

impl ControlPlane {
    fn kubectl(&self, arguments: &str) -> String {
        let said = self.0.run(&format!("{KUBECTL} {arguments}"));
        said.unwrap_or_else(|error| panic!("kubectl {arguments}: {error}"))
    }

    /// The names of the nodes that are Ready, of those that `selector` selects.
    fn ready_nodes(&self, selector: &str) -> Vec<String> {
        let template = "{range .items[*]}{.metadata.name}{\" \"}{range .status.conditions[?(@.type==\"Ready\")]}{.status}{end}{\"\\n\"}{end}";
        let told = self.kubectl(&format!("get nodes {selector} -o jsonpath='{template}'"));
        let ready = told.lines().filter_map(|line| line.strip_suffix(" True"));
        ready.map(str::to_owned).collect()
    }

    /// What workers serve is signed by the cluster, and their pods are reached from here.
    fn reaches(&self, workers: &[String]) {
        for worker in workers {
            self.kubectl(&format!("get --raw /api/v1/nodes/{worker}/proxy/healthz"));
        }
        let pods = self
            .kubectl("get pods -n kube-system -l k8s-app=kube-dns -o jsonpath='{.items[*].status.podIP}'");
        assert_eq!(pods.split_whitespace().count(), 2, "{pods}");
        for pod in pods.split_whitespace() {
            let ask = format!("curl --silent --show-error --fail --max-time 5 http://{pod}:8181/ready");
            self.0.run(&ask).unwrap();
        }
    }

    /// What makes this cluster another one than any other.
    fn uid(&self) -> String {
        self.kubectl("get namespace kube-system -o jsonpath='{.metadata.uid}'")
    }
}

fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(
            begun.elapsed() < Duration::from_secs(300),
            "{what}: not after 300 s"
        );
        std::thread::sleep(Duration::from_millis(500));
    }
    println!("{what}: {:.1?}", begun.elapsed());
}

#[test]
fn workers_join_by_themselves_and_a_control_plane_finds_its_data_again() {
    let test =
        "on_hosts::aws::kubernetes::workers_join_by_themselves_and_a_control_plane_finds_its_data_again";
    let Some(site) = Site::before(test) else {
        return;
    };
    site.spec("tier: web");
    site.apply();
    site.desk.expect(0, "plan");
    let status = site.desk.status();
    assert_eq!(status["condition"], "healthy", "{status:#}");
    let first = site.control_plane(4);
    assert_eq!(first.ready_nodes("").len(), 5);
    let workers = first.ready_nodes("-l tier=web");
    assert_eq!(workers.len(), 2, "{workers:?}");
    first.reaches(&workers);

    // A worker that somebody ends is replaced with nobody at the keyboard.
    site.end(&workers[0]);
    eventually("another worker joins by itself", || {
        let now = first.ready_nodes("-l tier=web");
        now.iter().filter(|name| !workers.contains(name)).count() == 1
    });
    // The node of the one that ended goes once Kubernetes has seen that nothing is heard of it.
    eventually("its node is Ready no more", || first.ready_nodes("").len() == 5);
    site.apply();
    let nodes = first.kubectl("get nodes --no-headers -o name");
    assert_eq!(nodes.lines().count(), 5, "{nodes}");

    // Another label is another template: workers are replaced one after the other.
    site.spec("tier: api");
    site.apply();
    assert!(first.ready_nodes("-l tier=web").is_empty());
    assert_eq!(first.ready_nodes("-l tier=api").len(), 2);

    // A control plane that somebody ends is made anew with its address and the data of its member.
    let before = first.uid();
    site.end(&site.desk.instance_at(&format!("{}.37", base(&site.desk))));
    site.apply();
    let second = site.control_plane(37);
    assert_eq!(second.uid(), before);
    assert_eq!(second.ready_nodes("").len(), 5);
    site.desk.expect(0, "plan");

    site.desk.destroy();
    let groups = "Action=DescribeAutoScalingGroups&Version=2011-01-01";
    let groups = site.desk.ask("autoscaling", "", groups);
    assert!(!groups.contains("<AutoScalingGroupName>"), "{groups}");
}
