//! `keelson assets`: what it lists, and the folders that it fills.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::lab::{Lab, Session, files_below};
use super::rendered::{lab, sha256};

const RELEASE: &str = "github.com/etcd-io/etcd/releases/download/v3.6.8";

fn archive(folder: &str, architecture: &str) -> String {
    format!("{folder}/{RELEASE}/etcd-v3.6.8-linux-{architecture}.tar.gz")
}

/// The files below a folder of `lab`, by their paths in it.
fn content(lab: &Lab, folder: &str) -> BTreeMap<PathBuf, Vec<u8>> {
    let root = lab.path(folder);
    let files = files_below(&root).into_iter();
    files
        .map(|(path, content)| (path.strip_prefix(&root).unwrap().to_owned(), content))
        .collect()
}

#[test]
fn files_are_listed_with_their_digests_and_where_they_are_from() {
    let lab = lab();
    let ran = lab.expect(0, "assets list -o json");
    assert_eq!(ran.stderr, "");
    let listed = ran.json();
    let listed = listed.as_array().unwrap();
    assert_eq!(listed.len(), 2, "{listed:?}");
    for (file, architecture) in listed.iter().zip(["amd64", "arm64"]) {
        assert_eq!(file["sha256"], sha256(architecture).as_str());
        let from = file["from"].as_str().unwrap();
        assert!(from.ends_with(&archive("mirror", architecture)), "{from}");
        assert!(file["name"].as_str().unwrap().contains("etcd"), "{file}");
    }
    let yaml = lab.expect(0, "assets list -o yaml").stdout;
    let text = lab.expect(0, "assets list").stdout;
    for architecture in ["amd64", "arm64"] {
        assert!(yaml.contains(&sha256(architecture)) && text.contains(&sha256(architecture)));
    }
    assert!(text.trim_start().starts_with("FILE"), "{text}");
}

#[test]
fn a_folder_is_filled_mended_and_used() {
    let mut session = Session::new(lab());
    session.run(0, "assets copy out");
    assert_eq!(content(&session.lab, "out"), content(&session.lab, "mirror"));
    session.run(0, "assets copy out");
    session.lab.write(&archive("out", "amd64"), "damaged");
    session.note("a file in out is damaged");
    session.run(0, "assets copy out");
    assert_eq!(content(&session.lab, "out"), content(&session.lab, "mirror"));
    insta::assert_snapshot!("assets_copy", session.transcript());

    let lab = session.lab;
    lab.expect(0, "render --out with-mirror");
    std::fs::remove_dir_all(lab.path("mirror")).unwrap();
    // What the command says to write.
    lab.edit(
        "cluster.yaml",
        "assets: { files: ./mirror }",
        "assets: { files: out }",
    );
    lab.expect(0, "render --out with-out");
    let rendered = |folder: &str| {
        let mut files = content(&lab, folder);
        files.retain(|path, _| path.file_name().is_some_and(|name| name != "machine.yaml"));
        files
    };
    assert_eq!(rendered("with-out"), rendered("with-mirror"));
}

#[test]
fn a_file_that_is_not_what_its_list_says_is_not_copied() {
    let lab = lab();
    lab.write(&archive("mirror", "arm64"), "damaged");
    lab.expect(1, "assets copy out")
        .says(&["wrote ", "arm64.tar.gz", "help: "]);
    let copied = content(&lab, "out");
    let names: Vec<_> = copied
        .keys()
        .map(|path| path.file_name().unwrap().to_str().unwrap())
        .collect();
    assert_eq!(names, ["SHA256SUMS", "etcd-v3.6.8-linux-amd64.tar.gz"]);
    lab.write("file", "");
    lab.expect(1, "assets copy file").says(&["error: ", "help: "]);
}
