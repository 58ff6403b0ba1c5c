//! The address that moves between control planes, with keepalived itself.

use std::time::{Duration, Instant};

use keelson_provider_api::kinds::{Kind, VirtualAddress};
use keelson_provider_api::{Existing, Health, Observed, Outcome, Provider, Resource};
use keelson_provider_ssh::ControlPlaneProvider;

use crate::support::{Scene, claim_all, control_plane, control_planes, create, delete, look, update};

/// Gives a host what its bundle brings: a unit, and keepalived's configuration among its fellows.
fn prepare(scene: &Scene, index: usize) {
    let host = scene.host(index);
    let address = scene.lab.free_address(0).unwrap();
    let peers: Vec<String> = scene
        .lab
        .hosts()
        .iter()
        .filter(|other| other.name() != host.name())
        .map(|other| other.address().to_string())
        .collect();
    let configuration = format!(
        "global_defs {{\n script_user root\n enable_script_security\n}}\n\
         vrrp_script api {{\n script \"/usr/bin/curl -skf -o /dev/null --max-time 1 https://127.0.0.1:6443/readyz\"\n interval 1\n \
         fall 2\n rise 1\n}}\n\
         vrrp_instance api {{\n state BACKUP\n interface eth0\n virtual_router_id 51\n priority {}\n advert_int 0.3\n \
         unicast_src_ip {}\n unicast_peer {{\n {}\n }}\n virtual_ipaddress {{\n {address}/32\n }}\n track_script {{\n api\n }}\n}}\n",
        100 - index,
        host.address(),
        peers.join("\n ")
    );
    host.write_file("/etc/keelson/keepalived.conf", configuration)
        .unwrap();
    host.write_file(
        "/etc/systemd/system/keelson-keepalived.service",
        "[Service]\nExecStart=/usr/sbin/keepalived --dont-fork --log-console -f /etc/keelson/keepalived.conf\n[Install]\n\
         WantedBy=multi-user.target\n",
    )
    .unwrap();
    host.run("chmod 644 /etc/keelson/keepalived.conf; systemctl daemon-reload")
        .unwrap();
}

async fn seen(provider: &ControlPlaneProvider) -> Existing {
    match look(provider, "u1", Kind::VirtualAddress, "api").await {
        Observed::Present(existing) => existing,
        other => panic!("{other:?}"),
    }
}

/// Waits until one holds it, and says which.
async fn holder(provider: &ControlPlaneProvider) -> String {
    for _ in 0..100 {
        let existing = seen(provider).await;
        if existing.health == Health::Healthy {
            return existing.facts["holder"].clone();
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    panic!("{:?}", seen(provider).await);
}

#[tokio::test]
async fn the_address_is_held_moves_and_goes() {
    let Some(scene) = Scene::of_hosts("the_address_is_held_moves_and_goes", 2) else {
        return;
    };
    claim_all(&scene).await;
    prepare(&scene, 0);
    let (provider, context) = (control_planes(&scene).await, Scene::context("u1", 1));
    let wanted = VirtualAddress {
        address: scene.lab.free_address(0).unwrap().to_string(),
        machines: ["a", "b"].map(str::to_owned).to_vec(),
    };
    assert_eq!(
        look(&provider, "u1", Kind::VirtualAddress, "api").await,
        Observed::Absent
    );
    let create_it = create("api", wanted.clone());
    assert_eq!(
        provider.preflight(&Scene::cluster("u1"), &[&create_it]).await,
        [],
        "nothing stands in the way"
    );
    for name in ["a", "b"] {
        let change = create(name, control_plane(name, "10.0.0.100:6443"));
        assert_eq!(provider.carry_out(&context, &change).await, Outcome::Done);
    }
    // The bundle of b has not come yet: a is enough, and b is seen to lack it.
    let begun = Instant::now();
    assert_eq!(provider.carry_out(&context, &create_it).await, Outcome::Done);
    println!("virtual address: {} ms", begun.elapsed().as_millis());
    assert_eq!(holder(&provider).await, "a");
    let Resource::VirtualAddress(there) = seen(&provider).await.resource else {
        panic!("it is something else");
    };
    assert_eq!(there.machines, ["a"]);
    prepare(&scene, 1);
    assert_eq!(
        provider.carry_out(&context, &update("api", wanted.clone())).await,
        Outcome::Done
    );
    assert_eq!(
        seen(&provider).await.resource,
        Resource::VirtualAddress(wanted.clone())
    );

    scene.host(0).power_cut().unwrap();
    assert_eq!(holder(&provider).await, "b");
    assert_eq!(
        seen(&provider).await.resource,
        Resource::VirtualAddress(wanted.clone()),
        "who is off keeps its place"
    );
    scene.host(0).start().unwrap();
    scene.host(0).wait_for_ssh().unwrap();
    assert_eq!(
        provider.carry_out(&context, &delete("api", wanted.clone())).await,
        Outcome::Done
    );
    for host in scene.lab.hosts() {
        let addresses = host.run("ip -o address").unwrap();
        assert!(!addresses.contains(&wanted.address), "{addresses}");
        let state = host.run_as(
            "root",
            "systemctl is-enabled keelson-keepalived; ls /var/lib/keelson/virtual-address.json",
        );
        assert_eq!(state.unwrap().stdout, "disabled\n");
    }
    assert_eq!(
        look(&provider, "u1", Kind::VirtualAddress, "api").await,
        Observed::Absent
    );
}

#[tokio::test]
async fn an_address_with_a_network_is_the_hosts_own_and_stays() {
    let Some(scene) = Scene::of_hosts("an_address_with_a_network_is_the_hosts_own_and_stays", 1) else {
        return;
    };
    claim_all(&scene).await;
    prepare(&scene, 0);
    let (provider, context) = (control_planes(&scene).await, Scene::context("u1", 1));
    let host = scene.host(0);
    let address = scene.lab.free_address(0).unwrap();
    let wanted = VirtualAddress {
        address: address.to_string(),
        machines: vec!["a".to_owned()],
    };
    let change = create("a", control_plane("a", "10.0.0.100:6443"));
    assert_eq!(provider.carry_out(&context, &change).await, Outcome::Done);
    assert_eq!(
        provider.carry_out(&context, &create("api", wanted.clone())).await,
        Outcome::Done
    );
    // keepalived is killed, so that what it gave is there still; and the host has the address of its own besides.
    host.run(
        "systemctl kill --signal=KILL keelson-keepalived.service; systemctl stop keelson-keepalived.service",
    )
    .unwrap();
    host.run(&format!(
        "ip address replace {address}/32 dev eth0; ip address add {address}/24 dev eth0"
    ))
    .unwrap();
    assert_eq!(
        provider.carry_out(&context, &delete("api", wanted)).await,
        Outcome::Done
    );
    let addresses = host.run("ip -o address").unwrap();
    assert!(!addresses.contains(&format!("{address}/32")), "{addresses}");
    assert!(addresses.contains(&format!("{address}/24")), "{addresses}");
}

#[tokio::test]
async fn what_stands_in_the_way_of_an_address_is_found_first() {
    let Some(scene) = Scene::of_hosts("what_stands_in_the_way_of_an_address_is_found_first", 2) else {
        return;
    };
    let provider = control_planes(&scene).await;
    scene
        .host(0)
        .run("mv /usr/sbin/keepalived /usr/sbin/keepalived-not")
        .unwrap();
    let find = async |address: String| -> Vec<String> {
        let wanted = VirtualAddress {
            address,
            machines: vec!["a".to_owned()],
        };
        let findings = provider
            .preflight(&Scene::cluster("u1"), &[&create("api", wanted)])
            .await;
        assert!(
            findings
                .iter()
                .all(|finding| finding.machine == "a" && finding.help.is_some())
        );
        findings.into_iter().map(|finding| finding.name).collect()
    };
    assert_eq!(
        find(scene.host(1).address().to_string()).await,
        ["keepalived", "api-address-taken"]
    );
    assert_eq!(
        find("192.0.2.1".to_owned()).await,
        ["keepalived", "api-address-network"]
    );
    let own = find(scene.host(0).address().to_string()).await;
    assert_eq!(own, ["keepalived", "api-address-own"]);
    let free = scene.lab.free_address(1).unwrap().to_string();
    assert_eq!(find(free.clone()).await, ["keepalived"]);
    // Somebody had it a while ago.
    let remember = format!("ip neigh replace {free} lladdr 02:00:00:00:00:99 dev eth0 nud stale");
    scene.host(0).run(&remember).unwrap();
    assert_eq!(find(free).await, ["keepalived"]);
}
