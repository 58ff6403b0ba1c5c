//! `keelson render`: what it writes, what it leaves alone, and what it refuses.

use std::collections::BTreeMap;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::PathBuf;

use super::lab::{Lab, files_below};

pub(super) const SPEC: &str = "\
apiVersion: keelson.dev/v1alpha1
kind: Cluster
metadata: { name: db.example.com }
spec:
  stateStore: ./state
  provider:
    ssh:
      hosts:
        - { name: a, address: 10.0.0.1, roles: [etcd] }
        - { name: b, address: db-b.example.com, privateAddress: 10.0.0.2, roles: [etcd] }
        - { name: c, address: 10.0.0.3, roles: [etcd] }
  etcd: { version: 3.6.8, placement: { dedicated: {} } }
  assets: { files: ./mirror }
";

/// A lab whose mirror has the release: digests are known without a network.
pub(super) fn lab() -> Lab {
    let lab = Lab::with_spec(SPEC);
    let folder = "mirror/github.com/etcd-io/etcd/releases/download/v3.6.8";
    let mut sums = String::new();
    for architecture in ["amd64", "arm64"] {
        let name = format!("etcd-v3.6.8-linux-{architecture}.tar.gz");
        lab.write(&format!("{folder}/{name}"), architecture);
        sums = format!("{sums}{}  {name}\n", sha256(architecture));
    }
    lab.write(&format!("{folder}/SHA256SUMS"), sums);
    lab
}

pub(super) fn sha256(text: &str) -> String {
    let digest = keelson_provider_api::values::Digest::of_bytes(text.as_bytes());
    digest.hexadecimal()
}

/// Every file with its inode and the time of its last change: what is the same was not touched.
fn traces(lab: &Lab) -> BTreeMap<PathBuf, (u64, i64)> {
    let trace = |path: PathBuf| {
        let found = std::fs::metadata(&path).unwrap();
        (path, (found.ino(), found.mtime_nsec()))
    };
    files_below(&lab.path("out")).into_keys().map(trace).collect()
}

fn list(lab: &Lab) -> Vec<String> {
    let root = lab.path("out");
    let files = files_below(&root).into_keys();
    files
        .map(|path| path.strip_prefix(&root).unwrap().display().to_string())
        .collect()
}

#[test]
fn every_machine_has_its_files_and_no_secret() {
    let lab = lab();
    let ran = lab
        .expect(0, "render --out out")
        .says(&["24 files of 3 machines; 24 written, 0 removed"]);
    assert_eq!(ran.stdout, "");
    let listed = list(&lab).join("\n");
    let machine = lab.read("out/b/machine.yaml");
    let certificates = lab.read("out/b/certificates.yaml");
    let actions = lab.read("out/b/actions");
    insta::assert_snapshot!(
        "rendered",
        lab.redact(&format!("{listed}\n\n{machine}\n{certificates}\n{actions}"))
    );
    for (path, content) in files_below(&lab.path("out")) {
        let text = String::from_utf8(content).unwrap();
        assert!(
            !text.contains("PRIVATE KEY") && !text.contains("CERTIFICATE-----\nM"),
            "{}",
            path.display()
        );
        let mode = std::fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        let expected = if path.ends_with("apply") { 0o755 } else { 0o644 };
        assert_eq!(mode, expected, "{}", path.display());
    }
    assert!(
        !lab.path("state").exists(),
        "a render leaves nothing in the state store"
    );
    let host = lab.read("out/b/files/etc/keelson/host.env");
    assert!(host.contains("10.0.0.2"), "{host}");
}

#[test]
fn the_same_spec_gives_the_same_bytes_and_touches_nothing() {
    let lab = lab();
    lab.expect(0, "render --out out");
    let (before, touched) = (files_below(&lab.path("out")), traces(&lab));
    lab.expect(0, "render --out out").says(&["0 written, 0 removed"]);
    assert_eq!(files_below(&lab.path("out")), before);
    assert_eq!(traces(&lab), touched);
    lab.expect(0, "render --out elsewhere");
    let relative = |folder: &str| -> BTreeMap<PathBuf, Vec<u8>> {
        let root = lab.path(folder);
        let files = files_below(&root).into_iter();
        files
            .map(|(path, content)| (path.strip_prefix(&root).unwrap().to_owned(), content))
            .collect()
    };
    assert_eq!(relative("out"), relative("elsewhere"));
}

#[test]
fn files_of_machines_that_are_gone_go_and_others_stay() {
    let lab = lab();
    lab.expect(0, "render --out out");
    lab.write("out/README.md", "mine");
    lab.write("out/c/notes", "mine too");
    lab.edit(
        "cluster.yaml",
        "        - { name: b, address: db-b.example.com, privateAddress: 10.0.0.2, roles: [etcd] }\n        - { name: c, address: 10.0.0.3, roles: [etcd] }\n",
        "",
    );
    lab.expect(0, "render --out out").says(&["0 written, 16 removed"]);
    assert!(!lab.path("out/b").exists());
    let left: Vec<String> = list(&lab)
        .into_iter()
        .filter(|path| !path.starts_with("a/"))
        .collect();
    assert_eq!(left, [".keelson-rendered.json", "README.md", "c/notes"]);
}

#[test]
fn a_run_that_was_cut_short_is_made_good() {
    let lab = lab();
    lab.expect(0, "render --out out");
    let whole = files_below(&lab.path("out"));
    std::fs::remove_file(lab.path("out/a/actions")).unwrap();
    lab.write("out/b/apply", "half");
    lab.expect(0, "render --out out").says(&["2 written, 0 removed"]);
    assert_eq!(files_below(&lab.path("out")), whole);
}

#[test]
fn what_is_not_its_own_is_not_written_over() {
    let lab = lab();
    lab.write("out/precious", "mine");
    lab.expect(1, "render --out out")
        .says(&["holds other things", "left as it is", "--force"]);
    assert_eq!(list(&lab), ["precious"]);
    lab.expect(0, "render --out out --force");
    assert_eq!(lab.read("out/precious"), "mine");

    lab.edit("cluster.yaml", "db.example.com }", "other.example.com }");
    lab.expect(1, "render --out out")
        .says(&["rendered for cluster db.example.com", "--force"]);
    lab.expect(0, "render --out out --force");
    lab.write("out/.keelson-rendered.json", "rubbish");
    lab.expect(1, "render --out out").says(&["is damaged", "--force"]);
    lab.write(
        "out/.keelson-rendered.json",
        r#"{"cluster":"other.example.com","files":["../cluster.yaml"]}"#,
    );
    lab.expect(1, "render --out out --force")
        .says(&["outside of its folder"]);
    assert!(lab.path("cluster.yaml").exists());
    lab.write("file", "");
    lab.expect(1, "render --out file").says(&["cannot", "help:"]);
}

#[test]
fn a_file_of_the_users_in_the_place_of_a_new_one_is_kept() {
    let lab = lab();
    lab.expect(0, "render --out out");
    lab.write("out/d/actions", "mine");
    lab.edit(
        "cluster.yaml",
        "{ name: c, address: 10.0.0.3",
        "{ name: d, address: 10.0.0.3",
    );
    lab.expect(1, "render --out out")
        .says(&["out/d/actions exists", "--force"]);
    assert_eq!(lab.read("out/d/actions"), "mine");
    assert!(lab.path("out/c/actions").exists(), "nothing was begun");
    lab.expect(0, "render --out out --force");
    assert_ne!(lab.read("out/d/actions"), "mine");
}

#[test]
fn nothing_is_written_through_a_link() {
    let lab = lab();
    lab.expect(0, "render --out out");
    std::fs::remove_dir_all(lab.path("out/a")).unwrap();
    std::fs::create_dir(lab.path("elsewhere")).unwrap();
    std::os::unix::fs::symlink(lab.path("elsewhere"), lab.path("out/a")).unwrap();
    lab.expect(1, "render --out out --force")
        .says(&["out/a is a link"]);
    assert!(files_below(&lab.path("elsewhere")).is_empty());
}

#[test]
fn digests_that_nobody_knows_are_said_to_be_unknown() {
    let lab = Lab::with_spec(&SPEC.replace("  assets: { files: ./mirror }\n", ""));
    lab.expect(0, "render --out out").says(&[
        "nobody was asked for the digests of 2 release files",
        "--look-up-digests",
    ]);
    let machine = lab.read("out/a/machine.yaml");
    assert!(
        machine.contains("sha256: null") && machine.contains("bundle: null"),
        "{machine}"
    );
    assert!(
        lab.read("out/a/actions")
            .contains(&format!("asset\t{}\t", "0".repeat(64)))
    );
    let known = format!(
        r#"{{"github.com/etcd-io/etcd/releases/download/v3.6.8/etcd-v3.6.8-linux-amd64.tar.gz":"sha256:{0}","github.com/etcd-io/etcd/releases/download/v3.6.8/etcd-v3.6.8-linux-arm64.tar.gz":"sha256:{0}"}}"#,
        sha256("known")
    );
    lab.write("state/db.example.com/assets.json", known);
    let ran = lab.expect(0, "render --out out");
    assert!(!ran.stderr.contains("nobody was asked"), "{}", ran.stderr);
    assert!(lab.read("out/a/actions").contains(&sha256("known")));
}

#[test]
fn simulated_machines_are_rendered_as_far_as_they_are_known() {
    let lab = Lab::new();
    lab.expect(0, "init small");
    lab.expect(0, "render --out out").says(&[
        "addresses of 1 machine are not known before they are made",
        "nobody was asked for the digests of",
    ]);
    assert!(lab.path("out/control-plane-1/files/etcd.service").exists());
    // The address of a control plane is kept for it; those of workers come with machines, and a group stands for all of its.
    let identity = |machine: &str| lab.path(&format!("out/{machine}/files/etc/keelson/host.env"));
    assert!(identity("control-plane-1").exists());
    assert!(lab.path("out/workers/files/kubelet.service").exists());
    assert!(!identity("workers").exists());
    lab.expect(2, "render").says(&["--out"]);
}

#[test]
fn no_secret_of_kubernetes_is_rendered() {
    let lab = Lab::with_spec(include_str!("../../examples/bare-metal.yaml"));
    lab.expect(0, "render --out out");
    let files = files_below(&lab.path("out"));
    let manifest = "kube-apiserver.yaml";
    assert!(
        files.keys().any(|path| path.ends_with(manifest)),
        "there is no {manifest}"
    );
    for (path, content) in files {
        let text = String::from_utf8(content).unwrap();
        for secret in ["PRIVATE KEY", "client-key-data", "secret: "] {
            assert!(!text.contains(secret), "{}: {secret}", path.display());
        }
    }
}

#[test]
fn without_a_mirror_that_is_named_nothing_is_rendered() {
    let lab = Lab::with_spec(SPEC);
    lab.expect(1, "render --out out").says(&[
        "cannot find what machines are to install",
        "SHA256SUMS",
        "help: ",
        "`keelson assets copy FOLDER`",
    ]);
    assert!(!lab.path("out").exists());
}
