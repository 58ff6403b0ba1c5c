//! Hosts that have no way out get everything from a mirror by its URL.

use keelson_test_hosts::{Disturbance, Fault, serve_directory};

use super::desk::{Desk, Spec};

const HOSTS: [&str; 3] = ["a", "b", "c"];

#[test]
fn everything_comes_from_a_mirror_and_nothing_else_is_taken() {
    let test = "on_hosts::mirror::everything_comes_from_a_mirror_and_nothing_else_is_taken";
    let Some(desk) = Desk::before(test, &HOSTS) else {
        return;
    };
    let assets = keelson_test_hosts::assets().unwrap();
    let mirror = serve_directory(&assets.folder, desk.lab.gateway()).unwrap();
    let spec = Spec {
        assets: mirror.url(),
        ..desk.spec_of(&HOSTS)
    };
    desk.write(&spec);
    desk.expect(2, "plan --accept-new-host-keys");
    assert!(mirror.hits("SHA256SUMS") > 0, "digests are fixed when planning");
    assert_eq!(mirror.hits(".tar.gz"), 0);

    // What comes is not what was planned: nobody gets it, and each host says so.
    let garbled = |fault| Disturbance {
        path_end: ".tar.gz".to_owned(),
        times: None,
        fault,
    };
    mirror.disturb(garbled(Fault::Garbled));
    let failed = desk.expect(1, "apply --yes");
    for name in HOSTS {
        let words = format!("node-bundle/{name}: {name}: failed to apply the bundle");
        assert!(
            failed.stderr.contains(&words) && failed.stderr.contains("that was planned: its SHA-256 is not"),
            "{failed:#?}"
        );
        let host = desk.host(name);
        host.run("! test -e /opt/keelson/bin/etcd && ! test -e /etc/systemd/system/etcd.service")
            .unwrap();
    }
    mirror.disturb(garbled(Fault::Status(404)));
    let failed = desk.expect(1, "apply --yes");
    assert!(
        failed.stderr.contains("404") && failed.stderr.contains(&mirror.url()),
        "{failed:#?}"
    );

    mirror.heal();
    let before = mirror.hits(".tar.gz");
    desk.expect(0, "apply --yes");
    assert_eq!(
        mirror.hits(".tar.gz") - before,
        HOSTS.len(),
        "once a host, for its own architecture alone"
    );
    let status = desk.status();
    assert_eq!(status["condition"], "healthy", "{status:#}");
    let before = mirror.hits(".tar.gz");
    desk.expect(0, "apply --yes");
    assert_eq!(mirror.hits(".tar.gz"), before, "nothing is fetched twice");
}

#[test]
fn a_host_is_brought_the_programs_of_its_own_architecture_alone() {
    let test = "on_hosts::mirror::a_host_is_brought_the_programs_of_its_own_architecture_alone";
    let Some(desk) = Desk::before(test, &["a"]) else {
        return;
    };
    // A mirror with a release for the other architecture too, as upstream has it.
    let assets = keelson_test_hosts::assets().unwrap();
    let folder = desk.folder().join("mirror");
    let spec = desk.spec_of(&["a"]);
    let release = format!("github.com/etcd-io/etcd/releases/download/v{}", spec.etcd_version);
    let (from, to) = (assets.folder.join(&release), folder.join(&release));
    std::fs::create_dir_all(&to).unwrap();
    let [own, other] =
        ["amd64", "arm64"].map(|name| format!("etcd-v{}-linux-{name}.tar.gz", spec.etcd_version));
    let (own, other) = if from.join(&own).exists() {
        (own, other)
    } else {
        (other, own)
    };
    std::fs::copy(from.join(&own), to.join(&own)).unwrap();
    std::fs::write(to.join(&other), "of another architecture").unwrap();
    let sums = std::fs::read_to_string(from.join("SHA256SUMS")).unwrap();
    let digest = keelson_provider_api::values::Digest::of_bytes(b"of another architecture");
    let sums = format!("{sums}{}  {other}\n", digest.hexadecimal());
    std::fs::write(to.join("SHA256SUMS"), sums).unwrap();
    desk.write(&Spec {
        assets: "./mirror".to_owned(),
        ..spec
    });
    let said = desk.expect(0, "apply --yes --accept-new-host-keys --progress json");
    assert_eq!(said.stderr.matches("\"upload etcd").count(), 1, "{said:#?}");
    let kept = desk.host("a").run("ls /var/lib/keelson/assets").unwrap();
    assert_eq!(kept.lines().count(), 1, "{kept}");
}
