//! Nodes that join and leave, and hosts that are let go: what is Kubernetes' goes, what is someone else's stays.

use std::collections::BTreeSet;

use keelson_provider_api::kinds::{MachineRole, Node};
use keelson_provider_api::values::{Labels, Secret};
use keelson_provider_api::{Health, Joined, Kubelets, Observed, Outcome, Owner, Provider, Registration};
use keelson_provider_ssh::ControlPlaneProvider;
use keelson_provider_ssh::preflight::HostNeeds;
use keelson_test_hosts::Host;

use crate::support::{Scene, claim_all, control_planes, create, delete, machine};

fn node(group: &str) -> Node {
    Node {
        machine: "a".to_owned(),
        group: group.to_owned(),
        labels: Labels::new(),
        taints: Vec::new(),
    }
}

fn token(text: &str) -> Secret<String> {
    Secret::new(text.to_owned())
}

/// A kubelet comes into the API for the first time.
fn with(bootstrap_token: Option<&Secret<String>>) -> Registration<'_> {
    Registration {
        bootstrap_token,
        is_due: true,
    }
}

async fn joined(provider: &ControlPlaneProvider) -> Observed<Joined> {
    let wanted = BTreeSet::from(["a".to_owned()]);
    let mut all = provider.joined(&Scene::cluster("u1"), &wanted).await;
    all.remove("a").unwrap()
}

/// What someone else has on the host, before it becomes a node.
const FOREIGN: &str = r#"
    mkdir -p /etc/cni/net.d /var/lib/cni/networks/theirs
    echo '{ "type": "bridge", "bridge": "theirs" }' >/etc/cni/net.d/99-theirs.conflist
    ip link add theirs type bridge
    ip route add 192.0.2.0/24 dev eth0 proto 99
    nft add table ip theirs
    nft add table inet keelson_not_yours
    iptables -N THEIRS
    iptables -A INPUT -p tcp --dport 22 -m comment --comment 'their own' -j ACCEPT
    iptables -t nat -N CNI-THEIRS
"#;
/// What kubelet, kube-proxy, plugins and pods leave on a host.
const LEFT: &str = r#"
    mkdir -p /var/lib/kubelet/pods/1/volumes/token /var/lib/kubelet/pki /var/log/pods/x /var/log/containers
    mount -t tmpfs tmpfs /var/lib/kubelet/pods/1/volumes/token
    echo secret >/var/lib/kubelet/pods/1/volumes/token/token
    echo secret >/var/lib/kubelet/pki/kubelet-client-current.pem
    echo secret >/etc/kubernetes/kubelet.conf
    mkdir -p /var/lib/cni/networks/keelson /var/lib/cni/results
    echo ours >/etc/cni/net.d/10-keelson.conflist
    echo '{ "plugins": [{ "type": "bridge", "bridge": "other0", "mtu": 1400 }, { "bridge" : "theirs" }] }' >/etc/cni/net.d/05-other.conflist
    ip link add keelson0 type bridge
    ip link add other0 type bridge
    ip link add later type bridge
    ip link set keelson0 up
    ip route add 198.51.100.0/24 dev eth0 proto 76
    for family in ip ip6; do nft add table $family kube-proxy; done
    nft add table inet keelson_masquerade
    iptables -t nat -N KUBE-SERVICES
    iptables -t nat -N KUBE-SVC-1
    iptables -t nat -A KUBE-SERVICES -j KUBE-SVC-1
    iptables -t nat -A PREROUTING -m comment --comment 'kubernetes service portals' -j KUBE-SERVICES
    ip6tables -N KUBE-FORWARD
    ip6tables -A FORWARD -j KUBE-FORWARD
"#;

fn is_clean(host: &Host) {
    let all = host
        .run("ip -o link; ip route; nft list tables; iptables-save; ip6tables-save; find /etc/cni /var/lib/cni /var/lib/kubelet; cat /proc/mounts")
        .unwrap();
    for ours in [
        "keelson0",
        "other0",
        "05-other",
        "198.51.100.0",
        "kube-proxy",
        "keelson_masquerade",
        "KUBE-",
        "10-keelson",
        "/var/lib/cni/networks/keelson",
        "/var/lib/kubelet/pods",
        "/var/lib/kubelet/pki",
    ] {
        assert!(!all.contains(ours), "{ours} is left: {all}");
    }
    for theirs in [
        "99-theirs.conflist",
        "/var/lib/cni/networks/theirs",
        "theirs: <",
        "later: <",
        "192.0.2.0/24 dev eth0",
        "table ip theirs",
        "table inet keelson_not_yours",
        ":THEIRS",
        "--dport 22 -m comment --comment \"their own\" -j ACCEPT",
        ":CNI-THEIRS",
    ] {
        assert!(all.contains(theirs), "{theirs} is gone: {all}");
    }
}

#[tokio::test]
async fn a_node_joins_with_its_token_and_leaves_nothing() {
    let Some(scene) = Scene::of_hosts("a_node_joins_with_its_token_and_leaves_nothing", 1) else {
        return;
    };
    claim_all(&scene).await;
    let (host, provider, context) = (
        scene.host(0),
        control_planes(&scene).await,
        Scene::context("u1", 1),
    );
    host.run(FOREIGN).unwrap();
    assert_eq!(joined(&provider).await, Observed::Absent);
    let first = token("abcdef.0123456789abcdef");
    provider
        .join(&context, &node("workers"), 3, with(Some(&first)))
        .await
        .unwrap();
    let file =
        host.run("stat -c '%a %U' /etc/kubernetes/bootstrap-token; cat /etc/kubernetes/bootstrap-token");
    assert_eq!(file.unwrap(), "600 root\nabcdef.0123456789abcdef\n");
    let Observed::Present(there) = joined(&provider).await else {
        panic!("it has not joined");
    };
    assert_eq!(
        (&there.node, &there.owner, there.generation, &there.kubelet),
        (&node("workers"), &Owner::ThisCluster, 3, &Health::Healthy)
    );
    assert!(!there.has_certificate);

    // A kubelet that waits for a token is begun anew with the next one, and one that has a certificate is left alone.
    let process = || {
        host.run("systemctl show --property MainPID --value kubelet")
            .unwrap()
    };
    let before = process();
    let second = token("abcdef.fedcba9876543210");
    provider
        .join(&context, &node("workers"), 3, with(Some(&second)))
        .await
        .unwrap();
    assert_ne!(process(), before);
    let before = process();
    provider
        .join(&context, &node("workers"), 3, with(None))
        .await
        .unwrap();
    host.run(LEFT).unwrap();
    let Observed::Present(there) = joined(&provider).await else {
        panic!("it has left");
    };
    assert!(there.has_certificate);
    provider
        .join(&context, &node("workers"), 3, with(Some(&first)))
        .await
        .unwrap();
    assert_eq!(process(), before);
    a_kubelet_registers_when_it_starts(host, &provider).await;
    for wrong in ["", "abcdef.0123456789abcdef\nx", "$(reboot)"] {
        let refused = provider
            .join(&context, &node("workers"), 3, with(Some(&token(wrong))))
            .await;
        assert!(matches!(refused, Err(Outcome::Rejected(_))), "{wrong}");
    }

    it_is_rewritten_and_leaves(host, &provider, &there).await;
}

/// One that has registered does it again only when it starts anew.
async fn a_kubelet_registers_when_it_starts(host: &Host, provider: &ControlPlaneProvider) {
    let context = Scene::context("u1", 1);
    let process = || {
        host.run("systemctl show --property MainPID --value kubelet")
            .unwrap()
    };
    host.write_file(
        "/opt/fake/words",
        "I0101 \"Successfully registered node\" node=\"a\"\n",
    )
    .unwrap();
    let restart = "systemctl restart kubelet && for n in $(seq 100); do \
                   journalctl -u kubelet | grep -q 'Successfully registered' && exit 0; sleep 0.1; done; exit 1";
    host.run(restart).unwrap();
    for is_due in [false, true] {
        let before = process();
        let registration = Registration { is_due, ..with(None) };
        let joined = provider.join(&context, &node("workers"), 3, registration).await;
        joined.unwrap();
        assert_eq!(process() != before, is_due);
    }
}

async fn it_is_rewritten_and_leaves(host: &Host, provider: &ControlPlaneProvider, there: &Joined) {
    let context = Scene::context("u1", 1);
    provider.rewrite(&context, &node("others")).await.unwrap();
    let Observed::Present(later) = joined(provider).await else {
        panic!("it has left");
    };
    assert_eq!((later.node, later.joined_at), (node("others"), there.joined_at));
    host.run("systemctl stop kubelet").unwrap();
    let words = provider.last_words("a").await.unwrap();
    assert!(words.contains("kubelet.service is inactive"), "{words}");

    for _ in 0..2 {
        provider.leave(&context, "a").await.unwrap();
        is_clean(host);
        assert_eq!(joined(provider).await, Observed::Absent);
    }
    let rest = host.run_as(
        "root",
        "cat /etc/kubernetes/bootstrap-token /etc/kubernetes/kubelet.conf",
    );
    assert_eq!(rest.unwrap().stdout, "");
    assert_eq!(
        host.run("systemctl is-enabled kubelet || :").unwrap(),
        "disabled\n"
    );
}

#[tokio::test]
async fn a_released_node_keeps_what_is_someone_elses() {
    let Some(scene) = Scene::of_hosts("a_released_node_keeps_what_is_someone_elses", 1) else {
        return;
    };
    claim_all(&scene).await;
    let (host, provider, context) = (
        scene.host(0),
        control_planes(&scene).await,
        Scene::context("u1", 1),
    );
    host.run(FOREIGN).unwrap();
    provider
        .join(&context, &node("workers"), 0, with(None))
        .await
        .unwrap();
    host.run(LEFT).unwrap();
    // Its runtime was there before: it is no part of a bundle.
    host.write_file("/var/lib/containerd/theirs", "theirs").unwrap();
    let ssh = scene.provider(scene.targets("root")).await;
    for _ in 0..2 {
        let released = ssh
            .carry_out(&context, &delete("a", machine(&[MachineRole::Worker])))
            .await;
        assert_eq!(released, Outcome::Done);
        is_clean(host);
    }
    let left =
        "ls -A /var/lib/keelson /var/lib/kubelet /var/log/pods /var/log/containers 2>/dev/null | grep -v :";
    assert_eq!(host.run_as("root", left).unwrap().stdout.trim(), "");
    assert_eq!(host.read_file("/var/lib/containerd/theirs").unwrap(), b"theirs");
    let asked = host.run("cat /var/log/fake-crictl").unwrap();
    assert!(asked.contains("rmi --all"), "{asked}");
}

#[tokio::test]
async fn a_host_that_never_was_a_node_keeps_its_kubelet() {
    let Some(scene) = Scene::of_hosts("a_host_that_never_was_a_node_keeps_its_kubelet", 1) else {
        return;
    };
    claim_all(&scene).await;
    let (host, context) = (scene.host(0), Scene::context("u1", 1));
    host.run("systemctl enable --now kubelet").unwrap();
    host.run(FOREIGN).unwrap();
    host.run(LEFT).unwrap();
    let ssh = scene.provider(scene.targets("root")).await;
    let etcd = machine(&[MachineRole::Etcd]);
    assert_eq!(
        ssh.carry_out(&context, &delete("a", etcd.clone())).await,
        Outcome::Done
    );
    let all = host
        .run("systemctl is-active kubelet; cat /var/lib/kubelet/pki/kubelet-client-current.pem; nft list tables; iptables-save; ip -o link")
        .unwrap();
    for theirs in ["active", "secret", "kube-proxy", "KUBE-SVC-1", "keelson0"] {
        assert!(all.contains(theirs), "{theirs} is gone: {all}");
    }
    assert_eq!(ssh.carry_out(&context, &create("a", etcd)).await, Outcome::Done);
}

#[tokio::test]
async fn what_keeps_a_host_from_being_a_node_is_found_first() {
    let Some(scene) = Scene::of_hosts("what_keeps_a_host_from_being_a_node_is_found_first", 2) else {
        return;
    };
    // One has a runtime that runs, the other has none at all.
    scene
        .host(0)
        .run(
            "printf '[Service]\\nExecStart=/bin/sleep infinity\\n' >/etc/systemd/system/containerd.service
            systemctl daemon-reload; systemctl start containerd",
        )
        .unwrap();
    scene
        .host(1)
        .run("rm -f /lib/systemd/system/containerd.service; systemctl daemon-reload")
        .unwrap();
    let find = async |brings_containerd: bool, role: MachineRole| -> Vec<String> {
        let provider = scene
            .provider(scene.targets("root"))
            .await
            .with_host_needs(HostNeeds {
                node_programs: vec!["nft".to_owned(), "nonsense".to_owned()],
                brings_containerd,
                ..HostNeeds::default()
            });
        let changes = ["a", "b"].map(|name| create(name, machine(&[role])));
        let changes: Vec<_> = changes.iter().collect();
        let findings = provider.preflight(&Scene::cluster("u1"), &changes).await;
        let ours = findings.into_iter().filter(|finding| {
            ["kernel-modules", "node-programs", "container-runtime"].contains(&finding.name.as_str())
        });
        ours.map(|finding| format!("{} {}: {}", finding.machine, finding.name, finding.problem))
            .collect()
    };
    assert_eq!(
        find(true, MachineRole::Worker).await,
        [
            "a node-programs: it lacks nonsense",
            "a container-runtime: containerd.service runs already",
            "b node-programs: it lacks nonsense",
        ]
    );
    assert_eq!(
        find(false, MachineRole::ControlPlane).await,
        [
            "a node-programs: it lacks nonsense",
            "b node-programs: it lacks nonsense",
            "b container-runtime: it has no containerd.service, and spec.containerd.source is host",
        ]
    );
    assert!(find(true, MachineRole::Etcd).await.is_empty());
}
