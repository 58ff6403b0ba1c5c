//! The routes to the pods of other nodes, by the program that bundles bring.

use std::time::Duration;

use keelson_test_hosts::Host;

use crate::support::Scene;

const PROGRAM: &str = include_str!("../../../../templates/network/routes.sh");
/// Asked in vain until a file is there; then it says of a node, and stays.
const KUBECTL: &str = "#!/bin/sh
echo >>/run/asked
if [ ! -e /run/answers ]; then
    echo 'a word before' >&2
    echo 'the server was refused' >&2
    exit 1
fi
case \"$*\" in
*--watch*)
    printf 'ADDED|b|10.244.1.0/24|GATEWAY |\\n'
    exec sleep 1000
    ;;
*) echo node/b ;;
esac
";

async fn wait_for(host: &Host, what: &str) {
    for _ in 0..100 {
        if host.run_as("root", what).unwrap().success() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    panic!("{what}: {}", host.journal("keelson-routes.service").unwrap());
}

#[tokio::test]
async fn routes_come_when_an_api_server_does_and_it_is_waited_for_in_peace() {
    let test = "routes_come_when_an_api_server_does_and_it_is_waited_for_in_peace";
    let Some(scene) = Scene::of_hosts(test, 1) else {
        return;
    };
    let host = scene.host(0);
    host.write_file("/opt/routes", PROGRAM).unwrap();
    let kubectl = KUBECTL.replace("GATEWAY", &scene.lab.gateway().to_string());
    host.write_file("/opt/kubectl", kubectl).unwrap();
    host.write_file(
        "/etc/systemd/system/keelson-routes.service",
        "[Service]\nEnvironment=KEELSON_HOST_NAME=a KEELSON_POD_RANGE=10.244.0.0/16 KEELSON_KUBECTL=/opt/kubectl \
         KEELSON_ROUTES_KUBECONFIG=/none KEELSON_OVERLAY=no\nStateDirectory=keelson-routes\nExecStart=/bin/sh /opt/routes\nRestart=always\n\
         RestartSec=1s\n",
    )
    .unwrap();
    // In one session: a login may take as long as the time between two asks.
    let start = "chmod 755 /opt/kubectl; systemctl daemon-reload; systemctl start keelson-routes; sleep 8; wc -l </run/asked";
    let asked: u32 = host.run(start).unwrap().trim().parse().unwrap();
    // At 0, 1, 3 and 7 s.
    assert!((2..=4).contains(&asked), "{asked}");
    let journal = host.journal("keelson-routes.service").unwrap();
    let told = journal.matches("wait for an API server: the server was refused");
    assert_eq!(told.count(), 1, "{journal}");
    host.run("nft list table ip keelson_pods").unwrap();

    host.run("touch /run/answers").unwrap();
    wait_for(host, "ip route | grep -q '^10.244.1.0/24 via .* proto 76'").await;
    // The connection ends, and it listens again.
    host.run("rm /run/asked; ip route del 10.244.1.0/24; pkill -f '^sleep 1000'")
        .unwrap();
    wait_for(host, "test -s /run/asked && ip route | grep -q '^10.244.1.0/24'").await;
    let restarts = host.run("systemctl show -P NRestarts keelson-routes");
    assert_eq!(restarts.unwrap().trim(), "0");
}

/// Refused until a file is there; then every line of it is an event, those that are added later too.
const KUBECTL_OF_EVENTS: &str = "#!/bin/sh
if [ ! -e /run/events ]; then
    echo 'the server was refused' >&2
    exit 1
fi
case \"$*\" in
*--watch*) exec tail -n +1 -f /run/events ;;
*) awk -F '|' '{ there[$2] = $1 != \"DELETED\" } END { for (name in there) if (there[name]) print \"node/\" name }' /run/events ;;
esac
";

/// A pod on the bridge of this host, which has the addresses of 10.244.NUMBER.0/24.
const POD: &str = "#!/bin/sh
set -e
ip link add keelson0 type bridge
ip address add 10.244.NUMBER.1/24 dev keelson0
ip netns add pod
ip link add eth0 netns pod type veth peer name veth-pod
ip link set veth-pod master keelson0 up
ip link set keelson0 up
ip -n pod link set eth0 up
ip -n pod address add 10.244.NUMBER.5/24 dev eth0
ip -n pod route add default via 10.244.NUMBER.1
";

fn overlay_unit(name: &str, host: &Host) -> String {
    format!(
        "[Service]\nEnvironment=KEELSON_HOST_NAME={name} KEELSON_HOST_ADDRESS={} KEELSON_POD_RANGE=10.244.0.0/16 \
         KEELSON_KUBECTL=/opt/kubectl KEELSON_ROUTES_KUBECONFIG=/none KEELSON_OVERLAY=yes\n\
         StateDirectory=keelson-routes\nExecStart=/bin/sh /opt/routes\nRestart=always\nRestartSec=1s\n\
         [Unit]\nWants=network-online.target\nAfter=network-online.target\n[Install]\nWantedBy=multi-user.target\n",
        host.address()
    )
}

/// The packets of pods go in packets of the hosts' own, so they pass a network that knows nothing of pods.
#[tokio::test]
async fn pods_reach_each_other_where_only_hosts_addresses_pass() {
    let test = "pods_reach_each_other_where_only_hosts_addresses_pass";
    let Some(scene) = Scene::of_hosts(test, 2) else {
        return;
    };
    let (a, b) = (scene.host(0), scene.host(1));
    let event = |name: &str, number: u8, host: &Host| {
        format!("ADDED|{name}|10.244.{number}.0/24|{} \n", host.address())
    };
    for (name, number, host) in [("a", 1, a), ("b", 2, b)] {
        host.write_file("/opt/routes", PROGRAM).unwrap();
        host.write_file("/opt/kubectl", KUBECTL_OF_EVENTS).unwrap();
        host.write_file("/opt/pod", POD.replace("NUMBER", &number.to_string()))
            .unwrap();
        host.write_file("/run/events", event("a", 1, a) + &event("b", 2, b))
            .unwrap();
        let unit = "/etc/systemd/system/keelson-routes.service";
        host.write_file(unit, overlay_unit(name, host)).unwrap();
        let start = "chmod 755 /opt/kubectl; sysctl -qw net.ipv4.ip_forward=1; sh /opt/pod && systemctl daemon-reload && \
                     systemctl enable --now keelson-routes";
        host.run(start).unwrap();
    }
    for (host, number) in [(a, 2), (b, 1)] {
        let there = format!(
            "ip route | grep -q '^10.244.{number}.0/24 via 10.244.{number}.0 dev keelson1 proto 76 onlink'"
        );
        wait_for(host, &there).await;
    }
    // What bears a pod's address itself is lost between hosts, as in a cloud.
    for host in [a, b] {
        let drop = "nft add table ip cloud && nft add chain ip cloud in '{ type filter hook prerouting priority -400; }' && \
                    nft add rule ip cloud in iifname != '{ keelson0, keelson1, lo }' ip saddr 10.244.0.0/16 drop";
        host.run(drop).unwrap();
    }
    wait_for(a, "ip netns exec pod ping -c 1 -W 1 10.244.2.5").await;
    a.run("ping -c 1 -W 1 10.244.2.5").unwrap();
    b.run("ip netns exec pod ping -c 1 -W 1 10.244.1.5").unwrap();
    // Pods reach other hosts under the address of their own.
    a.run(&format!("ip netns exec pod ping -c 1 -W 1 {}", b.address()))
        .unwrap();
    // What the bridge of pods is told to let through goes over in one piece: 28 bytes are of IP and ICMP.
    let largest = "size=$(cat /sys/class/net/keelson1/mtu) && grep -q \"\\\"mtu\\\": $size,\" /etc/cni/net.d/10-keelson.conflist && \
                   ip netns exec pod ping -c 1 -W 1 -M do -s $((size - 28)) 10.244.2.5";
    a.run(largest).unwrap();

    // What a reboot takes away is there again before any API server is.
    b.reboot().unwrap();
    b.run("sysctl -qw net.ipv4.ip_forward=1; sh /opt/pod").unwrap();
    wait_for(b, "ip netns exec pod ping -c 1 -W 1 10.244.1.5").await;
    a.run("ip netns exec pod ping -c 1 -W 1 10.244.2.5").unwrap();

    // A node goes, and another comes on its machine with another range.
    let nothing = "test -z \"$(ip route show proto 76; ip neigh show dev keelson1 nud permanent; bridge fdb show dev keelson1)\"";
    a.run("echo 'DELETED|b||' >>/run/events").unwrap();
    wait_for(a, nothing).await;
    let later = event("c", 3, b);
    a.run(&format!("printf '{}' >>/run/events", later.replace('\n', "\\n")))
        .unwrap();
    let one = "test \"$(bridge fdb show dev keelson1 | wc -l)\" = 1 && ip route | grep -q '^10.244.3.0/24 via 10.244.3.0 dev keelson1'";
    wait_for(a, one).await;
}
