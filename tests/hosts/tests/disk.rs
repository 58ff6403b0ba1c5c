//! Disks that are full, and hosts that share their hostname, have limits, or change their key.

use keelson_test_hosts::LabOptions;

use crate::lab;

#[test]
fn a_full_disk_is_full_until_it_is_freed() {
    let options = LabOptions::with_hosts(2).host(0, |host| host.disk_mib = Some(128));
    let Some(lab) = lab("a_full_disk_is_full_until_it_is_freed", &options) else {
        return;
    };
    let (limited, unlimited) = (&lab.hosts()[0], &lab.hosts()[1]);
    limited.fill_disk().unwrap();
    for file in ["/root/file", "/var/lib/etcd/file"] {
        let written = limited
            .run_as("root", &format!("head -c 8192 /dev/zero >{file}"))
            .unwrap();
        assert!(
            written.stderr.contains("No space left on device"),
            "{file}: {written:?}"
        );
    }
    limited.free_disk().unwrap();
    limited.run("head -c 1M /dev/zero >/var/lib/etcd/file").unwrap();

    let refused = unlimited.fill_disk().unwrap_err().to_string();
    assert!(refused.contains("the machine's own"), "{refused}");
}

#[test]
fn options_of_a_host_hold() {
    let mut options = LabOptions::with_hosts(2)
        .host(0, |host| host.hostname = Some("same".to_owned()))
        .host(1, |host| host.hostname = Some("same".to_owned()))
        .host(1, |host| host.memory_mib = Some(256))
        .host(1, |host| host.extra_addresses = vec![[192, 0, 2, 7].into()]);
    options.name = Some(format!("options-{}", std::process::id()));
    let Some(lab) = lab("options_of_a_host_hold", &options) else {
        return;
    };
    for host in lab.hosts() {
        assert_eq!(host.run("hostname").unwrap(), "same\n");
    }
    let host = lab.host("b").unwrap();
    assert!(host.run("ip -brief address").unwrap().contains("192.0.2.7/23"));
    let hog = "python3 -c 'len(bytearray(400 << 20))'";
    assert!(!host.run_as("root", hog).unwrap().success());
    assert!(lab.host("a").unwrap().run_as("root", hog).unwrap().success());

    let before = host.host_key().unwrap();
    host.renew_host_keys().unwrap();
    assert_ne!(host.host_key().unwrap(), before);
    host.run("true").unwrap();
}
