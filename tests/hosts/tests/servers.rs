//! The server of files, the proxy, and the mirror that hosts download etcd from.

use std::net::Ipv4Addr;
use std::process::Command;

use keelson_test_hosts::{
    Disturbance, Fault, LabOptions, assets, serve_directory, serve_proxy, serve_registry,
    skip_without_kubernetes, skip_without_root,
};

use crate::lab;

/// curl's exit code and what it got.
fn curl(arguments: &[&str]) -> (i32, Vec<u8>) {
    let output = Command::new("curl")
        .args(["--silent", "--fail", "--max-time", "20", "--noproxy", ""])
        .args(arguments)
        .output()
        .unwrap();
    (output.status.code().unwrap(), output.stdout)
}

#[test]
fn files_are_served_counted_and_disturbed() {
    let folder = std::env::temp_dir().join(format!("keelson-test-hosts-{}", std::process::id()));
    std::fs::create_dir_all(folder.join("deep")).unwrap();
    let content: Vec<u8> = (0..100_000_u32).flat_map(u32::to_le_bytes).collect();
    std::fs::write(folder.join("deep/file"), &content).unwrap();
    let server = serve_directory(&folder, Ipv4Addr::LOCALHOST).unwrap();
    let url = format!("{}/deep/file", server.url());
    assert!(curl(&[&url]) == (0, content.clone()));
    assert!(curl(&["--range", "1000-", &url]) == (0, content[1000..].to_vec()));
    assert_eq!(curl(&[&format!("{}/deep/none", server.url())]).0, 22);
    let outside = format!("{}/../../etc/passwd", server.url());
    assert_eq!(curl(&["--path-as-is", &outside]).0, 22);
    assert_eq!((server.hits("deep/file"), server.hits("")), (2, 4));

    let disturb = |fault, times| {
        server.disturb(Disturbance {
            path_end: "file".to_owned(),
            times,
            fault,
        });
    };
    disturb(Fault::Status(500), Some(1));
    assert_eq!(curl(&[&url]).0, 22);
    assert_eq!(curl(&[&url]).0, 0);
    disturb(Fault::CutAfter { bytes: 5000 }, None);
    assert_eq!(curl(&[&url]), (18, content[..5000].to_vec()));
    disturb(Fault::Garbled, None);
    assert_ne!(curl(&[&url]).1, content);
    disturb(
        Fault::Slow {
            bytes_per_second: 1000,
        },
        None,
    );
    assert_eq!(curl(&["--max-time", "1", &url]).0, 28);
    server.heal();
    assert!(curl(&[&url]) == (0, content));
    std::fs::remove_dir_all(&folder).unwrap();
}

/// A tar archive as `tar` writes it, of an image layout with one layer.
fn make_archive(folder: &std::path::Path, reference: &str) -> (String, Vec<u8>) {
    let layer: Vec<u8> = (0..50_000_u32).flat_map(u32::to_le_bytes).collect();
    let layout = folder.join("layout");
    let blobs = layout.join("blobs/sha256");
    std::fs::create_dir_all(&blobs).unwrap();
    let put = |bytes: &[u8]| {
        let new = folder.join("new");
        std::fs::write(&new, bytes).unwrap();
        let told = Command::new("sha256sum").arg(&new).output().unwrap().stdout;
        let digest = String::from_utf8(told[..64].to_vec()).unwrap();
        std::fs::rename(&new, blobs.join(&digest)).unwrap();
        format!("sha256:{digest}")
    };
    let layer_digest = put(&layer);
    let manifest =
        put(format!("{{\"schemaVersion\":2,\"layers\":[{{\"digest\":\"{layer_digest}\"}}]}}").as_bytes());
    let index = format!(
        "{{\"manifests\":[{{\"digest\":\"{manifest}\",\"annotations\":{{\"org.opencontainers.image.ref.name\":\"{reference}\"}}}}]}}"
    );
    std::fs::write(layout.join("index.json"), index).unwrap();
    let archive = folder.join("images/one.tar");
    std::fs::create_dir_all(archive.parent().unwrap()).unwrap();
    let tar = Command::new("tar")
        .arg("cf")
        .arg(&archive)
        .arg("-C")
        .arg(&layout)
        .arg(".")
        .status();
    assert!(tar.unwrap().success());
    (layer_digest, layer)
}

#[test]
fn images_are_served_out_of_their_archives() {
    let folder = std::env::temp_dir().join(format!("keelson-test-hosts-registry-{}", std::process::id()));
    let (layer, content) = make_archive(&folder, "registry.example.com/deep/one:1.0");
    let registry = serve_registry(folder.join("images"), Ipv4Addr::LOCALHOST).unwrap();
    assert_eq!(registry.references(), ["registry.example.com/deep/one:1.0"]);
    let url = |path: &str| format!("http://{}/v2/{path}", registry.address());
    assert_eq!(curl(&[&url("")]), (0, b"{}".to_vec()));
    let (status, head) = curl(&["--head", &url("deep/one/manifests/1.0")]);
    let head = String::from_utf8(head).unwrap().to_lowercase();
    assert!(
        status == 0 && head.contains("content-type: application/vnd.oci.image.manifest.v1+json"),
        "{head}"
    );
    let digest = head
        .lines()
        .find_map(|line| line.strip_prefix("docker-content-digest: "));
    let by_tag = curl(&[&url("deep/one/manifests/1.0")]);
    assert_eq!(
        curl(&[&url(&format!("deep/one/manifests/{}", digest.unwrap()))]),
        by_tag
    );
    let blob = url(&format!("deep/one/blobs/{layer}"));
    assert!(curl(&[&blob]) == (0, content.clone()));
    assert!(curl(&["--range", "1000-", &blob]) == (0, content[1000..].to_vec()));
    for unknown in [
        "deep/one/manifests/2.0",
        "one/manifests/1.0",
        "deep/one/blobs/sha256:00",
        "x",
        "../../etc/passwd",
    ] {
        assert_eq!(curl(&["--path-as-is", &url(unknown)]).0, 22, "{unknown}");
    }
    registry.disturb(Disturbance {
        path_end: String::new(),
        times: Some(1),
        fault: Fault::HungUp,
    });
    assert_eq!(curl(&[&blob]).0, 52, "nothing is answered");
    assert_eq!(curl(&[&blob]).0, 0);
    // Its head, itself, and the one that is not there under another name.
    assert_eq!(registry.hits("manifests/1.0"), 3);
    std::fs::write(folder.join("images/two.tar"), vec![b'x'; 2048]).unwrap();
    assert!(serve_registry(folder.join("images"), Ipv4Addr::LOCALHOST).is_err());
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn the_registry_serves_every_image_of_real_kubernetes() {
    let test = "the_registry_serves_every_image_of_real_kubernetes";
    let Some(assets) = skip_without_kubernetes(test).unwrap() else {
        return;
    };
    let registry = serve_registry(&assets.images, Ipv4Addr::LOCALHOST).unwrap();
    for version in &assets.versions {
        for component in [
            "kube-apiserver",
            "kube-controller-manager",
            "kube-scheduler",
            "kube-proxy",
        ] {
            let url = format!(
                "http://{}/v2/{component}/manifests/v{version}",
                registry.address()
            );
            assert_eq!(
                curl(&["--output", "/dev/null", &url]).0,
                0,
                "{component} {version}"
            );
        }
    }
}

#[test]
fn a_proxy_carries_requests_and_tunnels() {
    let folder = std::env::temp_dir().join(format!("keelson-test-hosts-proxy-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("file"), "content").unwrap();
    let server = serve_directory(&folder, Ipv4Addr::LOCALHOST).unwrap();
    let proxy = serve_proxy(Ipv4Addr::LOCALHOST).unwrap();
    proxy.route("files.example.com", server.address());
    let url = "http://files.example.com/file";
    assert_eq!(curl(&["--proxy", &proxy.url(), url]), (0, b"content".to_vec()));
    assert_eq!(
        curl(&["--proxy", &proxy.url(), "--proxytunnel", url]),
        (0, b"content".to_vec())
    );
    assert_eq!((proxy.hits("files.example.com"), server.hits("file")), (2, 2));
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn a_host_downloads_an_etcd_that_runs_from_the_mirror() {
    let test = "a_host_downloads_an_etcd_that_runs_from_the_mirror";
    if skip_without_root(test) {
        return;
    }
    let assets = assets().unwrap();
    assert!(assets.etcd_versions.len() > 1, "{assets:?}");
    let Some(lab) = lab(test, &LabOptions::with_hosts(1)) else {
        return;
    };
    let server = serve_directory(&assets.folder, lab.gateway()).unwrap();
    for version in &assets.etcd_versions {
        let release = format!(
            "{}/github.com/etcd-io/etcd/releases/download/v{version}",
            server.url()
        );
        let name = format!("etcd-v{version}-linux-amd64");
        let script = format!(
            "set -eu; cd /root; curl -fsSO {release}/{name}.tar.gz -O {release}/SHA256SUMS; \
             sha256sum --check --quiet SHA256SUMS; tar xf {name}.tar.gz; \
             {name}/etcdctl version >/dev/null; {name}/etcdutl version >/dev/null; {name}/etcd --version"
        );
        let said = lab.hosts()[0].run(&script).unwrap();
        assert!(said.contains(&format!("etcd Version: {version}")), "{said}");
    }
    assert_eq!(server.hits("SHA256SUMS"), assets.etcd_versions.len());
}
