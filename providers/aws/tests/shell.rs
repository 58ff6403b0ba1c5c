//! `templates/etcd/object-store.sh`: the same buckets for hosts that have curl and the usual tools.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use aws_lc_rs::{digest, hmac};
use keelson_provider_api::{BulkStore, Precondition, Store};

use crate::emulator::{ACCESS_KEY, BUCKET, Emulator, SECRET};
use crate::proxy::Trouble;

const SCRIPT: &str = include_str!("../../../templates/etcd/object-store.sh");
const TOKEN: &str = "IQoJb3JpZ2luX2VjEHgaCXVz+/=";
/// Programs that the script calls.
const TOOLS: &[&str] = &[
    "awk",
    "cat",
    "curl",
    "date",
    "grep",
    "head",
    "mktemp",
    "od",
    "rm",
    "sed",
    "sha256sum",
    "sleep",
    "tail",
    "tr",
    "wc",
];
/// S3 takes no smaller ones, but for the last.
const PART_BYTES: usize = 5 << 20;

/// A host that has the script, and nothing in its environment.
pub(crate) struct Desk {
    folder: tempfile::TempDir,
    endpoint: String,
    pub(crate) settings: String,
}

/// How a deed has ended: its code, and what it said.
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Desk {
    pub(crate) fn new(endpoint: &str) -> Self {
        let desk = Self {
            folder: tempfile::tempdir().unwrap(),
            endpoint: endpoint.to_owned(),
            settings: String::new(),
        };
        desk.credentials(SECRET, None);
        desk
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn credentials(&self, secret: &str, token: Option<&str>) {
        let token = token.map(|token| format!("{token}\n")).unwrap_or_default();
        fs::write(
            self.path("credentials"),
            format!("{ACCESS_KEY}\n{secret}\n{token}"),
        )
        .unwrap();
    }

    /// Runs deeds of the script, with `$@` as its arguments.
    pub(crate) fn run(&self, deeds: &str, arguments: &[&str]) -> Ended {
        let credentials = self.path("credentials");
        let script = format!(
            "set -eu\n{SCRIPT}\ns3_endpoint={} s3_bucket={BUCKET} s3_region=us-east-1 s3_ca='' s3_pause=0\n\
             s3_credentials={} s3_part_bytes={PART_BYTES}\n{}\ntrap s3_end EXIT\ns3_begin\n{deeds}\n",
            self.endpoint,
            credentials.display(),
            self.settings
        );
        fs::write(self.path("script"), script).unwrap();
        let path = std::env::join_paths([self.path("bin"), "/usr/bin".into(), "/bin".into()]).unwrap();
        let output = Command::new("sh")
            .arg(self.path("script"))
            .args(arguments)
            .env_clear()
            .env("PATH", path)
            .env("TMPDIR", self.folder.path())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let left: Vec<_> = fs::read_dir(self.folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        assert!(
            left.iter()
                .all(|name| !name.to_string_lossy().starts_with("tmp.")),
            "{left:?}"
        );
        Ended {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Runs it, and expects it to end well.
    pub(crate) fn done(&self, deeds: &str, arguments: &[&str]) -> String {
        let ended = self.run(deeds, arguments);
        assert_eq!(
            (ended.code, ended.stderr.as_str()),
            (0, ""),
            "{deeds} {arguments:?}"
        );
        ended.stdout
    }

    fn put(&self, key: &str, content: &[u8]) -> Ended {
        fs::write(self.path("content"), content).unwrap();
        self.run(
            r#"s3_put "$1" "$2""#,
            &[self.path("content").to_str().unwrap(), key],
        )
    }

    /// Puts a program before each that the script calls, which writes down how it is called.
    fn watch(&self) {
        let bin = self.path("bin");
        fs::create_dir(&bin).unwrap();
        for tool in TOOLS {
            let log = self.path("calls");
            let real = ["/usr/bin", "/bin"].map(|folder| Path::new(folder).join(tool));
            let real = real.iter().find(|real| real.exists()).unwrap();
            let (log, real) = (log.display(), real.display());
            let watcher = format!(
                "#!/bin/sh\n{{ echo \"{tool} $*\"; /usr/bin/tr '\\0' ' ' </proc/$$/environ; }} >>{log}\nexec {real} \"$@\"\n"
            );
            fs::write(bin.join(tool), watcher).unwrap();
            fs::set_permissions(bin.join(tool), fs::Permissions::from_mode(0o755)).unwrap();
        }
    }
}

fn content(size: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    std::iter::repeat_with(next).take(size).collect()
}

#[tokio::test]
async fn files_go_into_the_bucket_as_they_are_and_nobody_sees_the_secret() {
    let test = "aws::shell::files_go_into_the_bucket_as_they_are_and_nobody_sees_the_secret";
    let Some(emulator) = Emulator::start_or_skip(test) else {
        return;
    };
    let mut desk = Desk::new(&emulator.proxy.url());
    desk.watch();
    let store = emulator.store("");
    let sizes = [0, 1, PART_BYTES, PART_BYTES + 1, 2 * PART_BYTES + 77];
    for (number, size) in sizes.into_iter().enumerate() {
        // With a token, and without one.
        desk.credentials(SECRET, (number % 2 == 1).then_some(TOKEN));
        let key = format!("backups/of clusters/{number} ü &<+%='\"~.db");
        let content = content(size);
        let put = desk.put(&key, &content);
        assert_eq!((put.code, put.stderr.as_str()), (0, ""), "{size}");
        let mut reader = store.open(&key).await.unwrap().unwrap();
        let mut read = Vec::new();
        while let Some(piece) = reader.read().await.unwrap() {
            read.extend(piece);
        }
        assert!(read == content, "{size}");
        let again = desk.put(&key, b"another one");
        assert_eq!((again.code, again.stderr.as_str()), (3, ""), "{size}");
        assert_eq!(store.size(&key).await.unwrap(), Some(size as u64));
    }
    assert_eq!(emulator.uploads(), 0);
    let listed = desk.done(r#"s3_list "$1""#, &["backups/of clusters/"]);
    assert_eq!(
        listed.lines().collect::<Vec<_>>(),
        store.list("backups/").await.unwrap()
    );
    "s3_pause=1".clone_into(&mut desk.settings);
    let key = listed.lines().nth(1).unwrap();
    desk.done(r#"s3_delete "$1"; s3_delete "$1""#, &[key]);
    assert_eq!(store.size(key).await.unwrap(), None);
    let calls = fs::read_to_string(desk.path("calls")).unwrap();
    assert!(calls.contains("curl -q --config"), "{calls}");
    for part in [SECRET, "s3cr3t", TOKEN, "IQoJb3J"] {
        assert!(!calls.contains(part), "{part}");
    }
}

#[tokio::test]
async fn small_objects_are_read_and_large_ones_refused() {
    let test = "aws::shell::small_objects_are_read_and_large_ones_refused";
    let Some(emulator) = Emulator::start_or_skip(test) else {
        return;
    };
    let desk = Desk::new(&emulator.proxy.url());
    let store = emulator.store("");
    for (key, size) in [
        ("none", None),
        ("empty", Some(0)),
        ("all", Some(1 << 20)),
        ("more", Some((1 << 20) + 1)),
    ] {
        if let Some(size) = size {
            store
                .write(key, &vec![b'x'; size], Precondition::None)
                .await
                .unwrap();
        }
        let read = desk.run(r#"s3_read "$1""#, &[key]);
        let expected = match size {
            None => (4, 0),
            Some(size) if size > 1 << 20 => (1, 0),
            Some(size) => (0, size),
        };
        assert_eq!((read.code, read.stdout.len()), expected, "{key}: {}", read.stderr);
    }
}

#[tokio::test]
async fn a_list_goes_on_after_the_first_page() {
    let test = "aws::shell::a_list_goes_on_after_the_first_page";
    let Some(emulator) = Emulator::start_or_skip(test) else {
        return;
    };
    let desk = Desk::new(&emulator.proxy.url());
    let store = emulator.store("");
    for number in 0..3 {
        store
            .write(&format!("a/{number}"), b"1", Precondition::None)
            .await
            .unwrap();
    }
    // What a page of its own looks like, with a token that has to be quoted.
    let page = "<ListBucketResult><IsTruncated>true</IsTruncated><Contents><Key>a/&lt;first&gt;&amp;</Key></Contents>\
                <Contents><Key>a/&#10;</Key></Contents>\
                <NextContinuationToken>1/x+y==</NextContinuationToken></ListBucketResult>";
    emulator
        .proxy
        .trouble("GET", "list-type=2", 1, Trouble::Answer(200, "", page.to_owned()));
    let rest = "<ListBucketResult><IsTruncated>false</IsTruncated><Contents><Key>a/2</Key></Contents></ListBucketResult>";
    emulator.proxy.trouble(
        "GET",
        "continuation-token=1%2Fx%2By%3D%3D&",
        1,
        Trouble::Answer(200, "", rest.to_owned()),
    );
    assert_eq!(desk.done("s3_list a/", &[]), "a/<first>&\na/2\n");
    assert_eq!(desk.done("s3_list a/", &[]), "a/0\na/1\na/2\n");
    assert_eq!(desk.done("s3_list b/", &[]), "");
    // Half an answer is no list.
    let half = "<ListBucketResult><IsTruncated>false</IsTruncated><Contents><Key>a/2</Key></Contents>";
    emulator
        .proxy
        .trouble("GET", "list-type=2", 1, Trouble::Answer(200, "", half.to_owned()));
    assert_eq!(desk.run("s3_list a/", &[]).code, 1);
}

#[tokio::test]
async fn what_passes_is_tried_again_and_a_lost_answer_is_no_conflict() {
    let test = "aws::shell::what_passes_is_tried_again_and_a_lost_answer_is_no_conflict";
    let Some(emulator) = Emulator::start_or_skip(test) else {
        return;
    };
    let desk = Desk::new(&emulator.proxy.url());
    let store = emulator.store("");
    let slow_down = || Trouble::Answer(503, "", "<Error><Code>SlowDown</Code></Error>".to_owned());
    let race = || {
        Trouble::Answer(
            409,
            "",
            "<Error><Code>ConditionalRequestConflict</Code></Error>".to_owned(),
        )
    };
    let late = || Trouble::Answer(200, "", "<Error><Code>InternalError</Code></Error>".to_owned());
    let large = content(PART_BYTES + 9);
    let troubles = [slow_down(), Trouble::LoseAnswer, race()];
    for (number, trouble) in troubles.into_iter().enumerate() {
        let make_trouble = || {
            for method in ["PUT", "POST", "HEAD", "GET", "DELETE"] {
                emulator.proxy.trouble(method, "", 2, trouble.clone());
            }
        };
        for (key, content) in [("small", &b"1"[..]), ("large", &large)] {
            make_trouble();
            let put = desk.put(key, content);
            emulator.proxy.forgive();
            assert_eq!((put.code, put.stderr.as_str()), (0, ""), "{number} {key}");
            assert_eq!(
                store.size(key).await.unwrap(),
                Some(content.len() as u64),
                "{number} {key}"
            );
        }
        make_trouble();
        let deeds = "s3_list ''; s3_read small; s3_delete small; s3_delete large";
        assert_eq!(desk.done(deeds, &[]), "large\nsmall\n1");
        emulator.proxy.forgive();
    }
    emulator.proxy.trouble("POST", "uploadId", 2, late());
    assert_eq!(desk.put("large", &large).code, 0);
    emulator.proxy.trouble("GET", "large", 2, Trouble::CutAfter(100));
    assert_eq!(
        desk.run("s3_read large", &[]).code,
        1,
        "it is too large, and that does not pass"
    );
    emulator.proxy.forgive();
    store
        .write("small", &[b'x'; 1000], Precondition::None)
        .await
        .unwrap();
    emulator.proxy.trouble("GET", "small", 2, Trouble::CutAfter(100));
    assert_eq!(desk.done("s3_read small", &[]).len(), 1000);
}

#[tokio::test]
async fn what_stays_wrong_is_told_with_what_to_do() {
    let test = "aws::shell::what_stays_wrong_is_told_with_what_to_do";
    let Some(emulator) = Emulator::start_or_skip(test) else {
        return;
    };
    let expect = |desk: &Desk, deeds: &str, words: &str| {
        let ended = desk.run(deeds, &[]);
        assert_eq!(ended.code, 1, "{deeds}: {}", ended.stderr);
        assert!(ended.stderr.contains(words), "{deeds}: {}", ended.stderr);
        assert!(!ended.stderr.contains(SECRET), "{}", ended.stderr);
    };
    let mut desk = Desk::new(&emulator.proxy.url());
    desk.credentials("wrong", None);
    for deed in ["s3_list a", "s3_read a", "s3_delete a", "s3_put /etc/hostname a"] {
        expect(
            &desk,
            deed,
            "the secret is not that of the access key AKIAKEELSON",
        );
    }
    desk.credentials(SECRET, None);
    "s3_bucket=no-such-bucket".clone_into(&mut desk.settings);
    for deed in ["s3_list a", "s3_read a", "s3_put /etc/hostname a"] {
        expect(&desk, deed, "there is no bucket no-such-bucket: make it");
    }
    desk.settings.clear();
    let moved = "<Error><Code>PermanentRedirect</Code></Error>".to_owned();
    emulator.proxy.trouble(
        "GET",
        "",
        1,
        Trouble::Answer(301, "x-amz-bucket-region: eu-west-1\r\n", moved),
    );
    expect(
        &desk,
        "s3_list a",
        "the bucket is in the region eu-west-1 and not in us-east-1",
    );
    let refused = "<Error><Code>AccessDenied</Code></Error>".to_owned();
    emulator
        .proxy
        .trouble("PUT", "partNumber=2", 1, Trouble::Answer(403, "", refused));
    let put = desk.put("large", &content(PART_BYTES + 9));
    assert_eq!(put.code, 1);
    assert!(put.stderr.contains("may not do this: allow it"), "{}", put.stderr);
    assert_eq!(emulator.uploads(), 0);
    // A port that nobody is given.
    expect(
        &Desk::new("http://127.0.0.1:1"),
        "s3_list a",
        "see whether it can be reached from here",
    );
    desk.credentials("", None);
    expect(&desk, "s3_list a", "has no access key in it");
}

#[test]
fn the_shell_computes_what_is_computed_here() {
    let desk = Desk::new("http://127.0.0.1:1");
    let keys = [
        vec![0; 3],
        b"Jefe".to_vec(),
        vec![255; 64],
        content(65),
        content(200),
    ];
    for key in keys {
        for text in ["", "what do ya want for nothing?", "%s \\0 $(id)\n\nü"] {
            let digits: String = key
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect::<Vec<_>>()
                .concat();
            let computed = desk.done(r#"s3_hmac "$1" "$2""#, &[&digits, text]);
            let expected = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), text.as_bytes());
            assert_eq!(
                computed,
                crate::signature::hex(expected.as_ref()),
                "{digits} {text}"
            );
        }
    }
    let nothing = digest::digest(&digest::SHA256, b"");
    assert_eq!(
        desk.done("echo $s3_nothing", &[]).trim(),
        crate::signature::hex(nothing.as_ref())
    );
    for (text, encoded) in [
        ("az-09._~/", "az-09._~%2F"),
        ("a b+c", "a%20b%2Bc"),
        ("ü%", "%C3%BC%25"),
    ] {
        assert_eq!(desk.done(r#"s3_encode "$1" """#, &[text]), encoded);
    }
    assert_eq!(desk.done(r#"s3_encode "$1" /"#, &["a/b=c"]), "a/b%3Dc");
}

#[test]
fn shellcheck_finds_nothing() {
    let desk = Desk::new("http://127.0.0.1:1");
    fs::write(desk.path("script"), SCRIPT).unwrap();
    let checked = Command::new("shellcheck")
        .arg("--shell=sh")
        .arg(desk.path("script"))
        .output();
    let Ok(checked) = checked else {
        keelson_test_hosts::skip("aws::shell::shellcheck_finds_nothing", "there is no shellcheck");
        return;
    };
    assert!(
        checked.status.success(),
        "{}",
        String::from_utf8_lossy(&checked.stdout)
    );
}
