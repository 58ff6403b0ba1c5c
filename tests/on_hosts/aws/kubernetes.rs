//! Real Kubernetes on instances: control planes that keep their data, and workers that a group makes and that join by themselves.

#![expect(
    clippy::disallowed_methods,
    reason = "how long real machines take is for the reader of the output"
)]

use std::time::{Duration, Instant};

use keelson_test_hosts::{Host, SPEC_OF_HOSTS, serve_registry, skip_without_kubernetes};

use super::{CloudDesk, IMAGE, base};

/// kubectl on a control plane, as its administrator.
const KUBECTL: &str = "/opt/keelson/bin/kubectl --kubeconfig /etc/kubernetes/admin.conf";
const ZONE: &str = "<CreateHostedZoneRequest xmlns=\"https://route53.amazonaws.com/doc/2013-04-01/\"><Name>example.com</Name>\
                    <CallerReference>test</CallerReference></CreateHostedZoneRequest>";

/// The control plane with the address that ends so.
fn control_plane(desk: &CloudDesk, last: u8) -> Host {
    let instance = desk.instance_at(&format!("{}.{last}", base(desk)));
    desk.cloud.wait_for_host(&instance).unwrap()
}

fn kubectl(on: &Host, arguments: &str) -> String {
    on.run(&format!("{KUBECTL} {arguments}"))
        .unwrap_or_else(|error| panic!("kubectl {arguments}: {error}"))
}

/// The names of the nodes that are Ready, and of the group `workers` where they are of it.
fn ready_nodes(on: &Host, selector: &str) -> Vec<String> {
    let template = "{range .items[*]}{.metadata.name}{\" \"}{range .status.conditions[?(@.type==\"Ready\")]}{.status}{end}{\"\\n\"}{end}";
    let told = kubectl(on, &format!("get nodes {selector} -o jsonpath='{template}'"));
    let ready = told.lines().filter_map(|line| line.strip_suffix(" True"));
    ready.map(str::to_owned).collect()
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
    let Some(assets) = skip_without_kubernetes(test).unwrap() else {
        return;
    };
    let Some(desk) = CloudDesk::before(test, &assets.folder) else {
        return;
    };
    let registry = serve_registry(&assets.images, desk.cloud.gateway()).unwrap();
    desk.ask("route53", "/2013-04-01/hostedzone", ZONE);
    let (version, etcd) = (&assets.versions[0], assets.etcd().unwrap());
    let (mirror, registry) = (desk.mirror.url(), registry.address());
    let rest = |labels: &str| {
        format!(
            "  kubernetesVersion: {version}\n  controlPlane: {{ replicas: 3, machine: {{ type: t3.medium, image: {IMAGE} }} }}\n  \
             nodeGroups: [{{ name: workers, replicas: 2, labels: {{ {labels} }}, machine: {{ type: t3.medium, image: {IMAGE} }} }}]\n  \
             etcd: {{ version: {etcd} }}\n  assets: {{ files: \"{mirror}\", registry: \"{registry}\", insecureRegistry: true \
             }}\n{SPEC_OF_HOSTS}"
        )
    };
    let provider = "      hostedZone: example.com\n";
    desk.spec("prod.example.com", provider, &rest("tier: web"));
    let begun = Instant::now();
    desk.expect(0, "apply --yes");
    println!("apply: {:.1?}", begun.elapsed());
    desk.expect(0, "plan");
    let status = desk.status();
    assert_eq!(status["condition"], "healthy", "{status:#}");
    let first = control_plane(&desk, 16);
    assert_eq!(ready_nodes(&first, "").len(), 5);
    let workers = ready_nodes(&first, "-l tier=web");
    assert_eq!(workers.len(), 2, "{workers:?}");

    // What a worker serves is signed by the cluster, and pods of one node are reached from another.
    for worker in &workers {
        kubectl(&first, &format!("get --raw /api/v1/nodes/{worker}/proxy/healthz"));
    }
    let image = kubectl(
        &first,
        "get pods -n kube-system -l k8s-app=kube-dns -o jsonpath='{.items[*].status.podIP}'",
    );
    assert_eq!(image.split_whitespace().count(), 2, "{image}");
    for pod in image.split_whitespace() {
        first
            .run(&format!(
                "curl --silent --show-error --fail --max-time 5 http://{pod}:8181/ready"
            ))
            .unwrap();
    }

    // A worker that somebody ends is replaced with nobody at the keyboard.
    desk.ask_ec2(&format!("Action=TerminateInstances&InstanceId.1={}", workers[0]));
    eventually("another worker joins by itself", || {
        let now = ready_nodes(&first, "-l tier=web");
        now.iter().filter(|name| !workers.contains(name)).count() == 1
    });
    desk.expect(0, "apply --yes");
    assert_eq!(ready_nodes(&first, "").len(), 5);

    // Another label is another template: workers are replaced one after the other.
    desk.spec("prod.example.com", provider, &rest("tier: api"));
    desk.expect(0, "apply --yes");
    assert!(ready_nodes(&first, "-l tier=web").is_empty());
    assert_eq!(ready_nodes(&first, "-l tier=api").len(), 2);

    // A control plane that somebody ends is made anew with its address and the data of its member.
    let before = kubectl(&first, "get namespace kube-system -o jsonpath='{.metadata.uid}'");
    let gone = desk.instance_at(&format!("{}.49", base(&desk)));
    desk.ask_ec2(&format!("Action=TerminateInstances&InstanceId.1={gone}"));
    desk.expect(0, "apply --yes");
    let second = control_plane(&desk, 49);
    assert_eq!(
        kubectl(&second, "get namespace kube-system -o jsonpath='{.metadata.uid}'"),
        before
    );
    assert_eq!(ready_nodes(&second, "").len(), 5);
    desk.expect(0, "plan");

    let said = desk.expect(0, "destroy --yes");
    assert!(
        said.stderr.contains("nothing of it is left") || said.stdout.contains("nothing of it is left"),
        "{said:#?}"
    );
    desk.is_empty();
    let groups = desk.ask(
        "autoscaling",
        "",
        "Action=DescribeAutoScalingGroups&Version=2011-01-01",
    );
    assert!(!groups.contains("<AutoScalingGroupName>"), "{groups}");
}
