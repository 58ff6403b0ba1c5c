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
         KEELSON_ROUTES_KUBECONFIG=/none\nStateDirectory=keelson-routes\nExecStart=/bin/sh /opt/routes\nRestart=always\n\
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
