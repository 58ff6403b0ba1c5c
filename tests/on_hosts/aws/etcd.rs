//! An etcd over three instances.

use super::{CloudDesk, IMAGE, base};

/// Writes a spec of an etcd of three members.
fn spec_of_etcd(desk: &CloudDesk) {
    let assets = keelson_test_hosts::assets().unwrap();
    let version = assets.etcd_versions.last().unwrap();
    let mirror = desk.mirror.url();
    let rest = format!(
        "  controlPlane: {{ replicas: 0 }}\n  etcd: {{ version: {version}, placement: {{ dedicated: {{ replicas: 3, machine: {{ type: \
         t3.micro, image: {IMAGE} }} }} }} }}\n  assets: {{ files: \"{mirror}\" }}\n"
    );
    desk.spec("db.example.com", "", &rest);
}

/// The members of etcd by their machines, as etcd itself numbers them.
fn member_ids(desk: &CloudDesk, address: &str) -> String {
    let host = desk.cloud.wait_for_host(&desk.instance_at(address)).unwrap();
    let pki = "/etc/etcd/pki";
    host.run(&format!(
        "ETCDCTL_API=3 /opt/keelson/bin/etcdctl --endpoints https://127.0.0.1:2379 --cacert {pki}/ca.crt \
         --cert {pki}/healthcheck-client.crt --key {pki}/healthcheck-client.key member list | cut -d, -f1,3 | sort"
    ))
    .unwrap()
}

#[test]
fn an_etcd_comes_up_by_itself_finds_its_data_again_and_goes_whole() {
    let test = "on_hosts::aws::etcd::an_etcd_comes_up_by_itself_finds_its_data_again_and_goes_whole";
    let assets = keelson_test_hosts::assets().unwrap();
    let Some(desk) = CloudDesk::before(test, &assets.folder) else {
        return;
    };
    spec_of_etcd(&desk);
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
    let before = member_ids(&desk, &first);
    desk.ask_ec2(&format!("Action=TerminateInstances&InstanceId.1={instance}"));
    let plan = desk.expect(2, "plan");
    assert!(
        plan.stdout.contains("+ machine/etcd-2") && plan.stdout.contains("Plan: 2 to create"),
        "{plan:#?}"
    );
    desk.expect(0, "apply --yes");
    let status = desk.status();
    assert_eq!(status["condition"], "healthy", "{status:#}");
    assert_eq!(member_ids(&desk, &first), before, "it is another member");
    desk.expect(0, "plan");

    desk.destroy();
}
