//! A machine that is played in a folder of its own: its metadata, the programs that would change this machine, and a bucket.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use flate2::write::GzEncoder;
use keelson_provider_api::archive::archive;
use keelson_test_hosts::Moto;

use super::*;
use crate::node::templates::APPLY_SCRIPT;

const BUCKET: &str = "clusters";
/// What the role lends.
pub(super) const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
const SESSION: &str = "IQoJb3JpZ2luX2VjEHgaCXVz+/=";
/// What the token is for whom asks metadata.
const TOKEN: &str = "AQAEAToken==";

/// How a test asks for objects itself: the emulator looks for a signature, and not at it.
const AUTHORIZATION: &str = "Authorization: AWS4-HMAC-SHA256 Credential=AKIAEXAMPLE/20260101/us-east-1/s3/aws4_request, \
                             SignedHeaders=host, Signature=0";

/// Instance metadata as AWS has it.
pub(super) struct Metadata {
    url: String,
    /// How often more it says that there is no role.
    pub(super) without_role: Arc<AtomicUsize>,
    /// How often more it fails.
    pub(super) failing: Arc<AtomicUsize>,
    /// What it was asked for.
    pub(super) asked: Arc<Mutex<Vec<String>>>,
}

/// Counts `left` down; true while it was not at its end.
fn takes_one(left: &AtomicUsize) -> bool {
    left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1))
        .is_ok()
}

impl Metadata {
    fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let metadata = Self {
            url: format!("http://{}", listener.local_addr().unwrap()),
            without_role: Arc::default(),
            failing: Arc::default(),
            asked: Arc::default(),
        };
        let (without_role, failing) = (metadata.without_role.clone(), metadata.failing.clone());
        let asked = metadata.asked.clone();
        // It ends with the process.
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(stream) = stream else { return };
                let Some(request) = Request::read(&stream) else {
                    continue;
                };
                asked.lock().unwrap().push(request.line.clone());
                let (status, body) = if takes_one(&failing) {
                    (500, String::new())
                } else if request.line.contains("security-credentials/") && takes_one(&without_role) {
                    (404, String::new())
                } else {
                    request.answer()
                };
                let length = body.len();
                let answer = format!(
                    "HTTP/1.1 {status} x\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
                );
                (&stream).write_all(answer.as_bytes()).ok();
            }
        });
        metadata
    }
}

struct Request {
    line: String,
    fields: BTreeMap<String, String>,
}

impl Request {
    fn read(stream: &TcpStream) -> Option<Self> {
        let mut lines = BufReader::new(stream).lines();
        let line = lines.next()?.ok()?;
        let mut fields = BTreeMap::new();
        for line in lines {
            let line = line.ok()?;
            let Some((name, value)) = line.split_once(": ") else {
                break;
            };
            fields.insert(name.to_ascii_lowercase(), value.to_owned());
        }
        Some(Self { line, fields })
    }

    fn answer(&self) -> (u16, String) {
        let path = self.line.trim_end_matches(" HTTP/1.1");
        if path == "PUT /latest/api/token" {
            let is_right = self.fields.contains_key("x-aws-ec2-metadata-token-ttl-seconds");
            return if is_right {
                (200, TOKEN.to_owned())
            } else {
                (400, String::new())
            };
        }
        if self.fields.get("x-aws-ec2-metadata-token").map(String::as_str) != Some(TOKEN) {
            return (401, String::new());
        }
        let body = match path {
            "GET /latest/meta-data/iam/security-credentials/" => "prod-control-plane".to_owned(),
            "GET /latest/meta-data/iam/security-credentials/prod-control-plane" => format!(
                "{{\n  \"Code\" : \"Success\",\n  \"LastUpdated\" : \"2026-01-01T00:00:00Z\",\n  \"Type\" : \"AWS-HMAC\",\n  \
                 \"AccessKeyId\" : \"ASIAEXAMPLE\",\n  \"SecretAccessKey\" : \"{SECRET}\",\n  \"Token\" : \"{SESSION}\",\n  \
                 \"Expiration\" : \"2036-01-01T00:00:00Z\"\n}}"
            ),
            "GET /latest/meta-data/services/partition" => "aws".to_owned(),
            "GET /latest/dynamic/instance-identity/document" => "{\n  \"accountId\" : \"123456789012\",\n  \
                 \"architecture\" : \"x86_64\",\n  \"instanceId\" : \"i-0123456789abcdef0\",\n  \"privateIp\" : \"10.0.0.4\",\n  \"region\" : \"eu-west-1\"\n}"
                .to_owned(),
            _ => return (404, String::new()),
        };
        (200, body)
    }
}

/// Where the machine of the scene publishes its host keys.
pub(super) const HOST_KEYS: &str =
    "some/where/prod/host-keys/arn:aws:ec2:eu-west-1:123456789012:instance/i-0123456789abcdef0";

const INSTANCE: &str = "i-0123456789abcdef0";

pub(super) struct Scene {
    folder: tempfile::TempDir,
    pub(super) moto: Moto,
    pub(super) metadata: Metadata,
    pub(super) settings: FirstBootSettings,
    /// The bundle that was put into the bucket.
    files: BTreeMap<String, Vec<u8>>,
}

impl Scene {
    pub(super) fn new_or_skip(test: &str) -> Option<Self> {
        let test = format!("node::first_boot::tests::{test}");
        let moto = Moto::start_or_skip(&test, Ipv4Addr::LOCALHOST.into(), BUCKET, &[]).unwrap()?;
        let mut settings = settings(&format!("http://{}", moto.address), BUCKET);
        settings.region = "us-east-1".to_owned();
        settings.volume_devices = Vec::new();
        let mut scene = Self {
            folder: tempfile::tempdir().unwrap(),
            moto,
            metadata: Metadata::start(),
            settings,
            files: BTreeMap::new(),
        };
        for folder in [
            "bin",
            "etc/systemd/system",
            "etc/ssh",
            "run",
            "home",
            "var/lib",
            "dev",
        ] {
            fs::create_dir_all(scene.path(folder)).unwrap();
        }
        for (name, text) in [
            ("rsa", "ssh-rsa AAAAB root@a\n"),
            ("ed25519", "ssh-ed25519 AAAAC root@a\n"),
        ] {
            fs::write(scene.path(&format!("etc/ssh/ssh_host_{name}_key.pub")), text).unwrap();
            fs::write(scene.path(&format!("etc/ssh/ssh_host_{name}_key")), "PRIVATE\n").unwrap();
        }
        scene.play_programs();
        scene.keep_bundle();
        Some(scene)
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Puts a program before that of this machine.
    pub(super) fn play(&self, name: &str, text: &str) {
        let path = self.path("bin").join(name);
        fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn play_programs(&self) {
        let root = self.folder.path().display();
        let noted = format!("echo \"${{0##*/}} $*\" >>{root}/calls");
        for name in ["systemctl", "sleep", "udevadm", "chown", "find"] {
            self.play(name, &noted);
        }
        self.play("curl", &format!("{noted}\nexec /usr/bin/curl \"$@\""));
        self.play("getent", &format!("echo root:x:0:0:root:{root}/home:/bin/sh"));
        self.play("mountpoint", &format!("grep -Fqsx -- \"$2\" {root}/mounts"));
        self.play(
            "systemd-escape",
            r"for path; do :; done; echo $path.mount | sed -e 's|^/||' -e 's|-|\\x2d|g' -e 's|/|-|g'",
        );
    }

    /// Text of the machine's scripts as it runs here.
    fn here(&self, text: &str) -> String {
        let root = self.folder.path().display().to_string();
        let mut text = text
            .replace("http://169.254.169.254", &self.metadata.url)
            .replace("PATH=/usr/local/sbin:", &format!("PATH={root}/bin:/usr/local/sbin:"))
            // A plain file stands for a volume.
            .replace("[ ! -b ", "[ ! -e ");
        for folder in [
            "/var/lib/keelson",
            "/var/lib/etcd",
            "/run/keelson",
            "/etc/systemd/system",
            "/etc/ssh/",
            "/etc/etcd",
            "/etc/keelson/",
        ] {
            text = text.replace(folder, &format!("{root}{folder}"));
        }
        text
    }

    /// Puts a bundle with the real apply script into the bucket, and says so in the settings.
    pub(super) fn keep_bundle(&mut self) {
        let root = self.folder.path().display().to_string();
        let actions = format!(
            "directory\t{root}/etc/keelson\t755\troot\troot\n\
             file\t{root}/etc/keelson/host.env\t644\troot\troot\tfiles/etc/keelson/host.env\t-\n\
             secret\t{root}/etc/keelson/a.key\t600\troot\troot\ta.key\t-\n\
             secret\t{root}/etc/keelson/a.crt\t644\troot\troot\ta.crt\t-\n"
        );
        let bundle = [
            ("actions", actions),
            ("apply", self.here(APPLY_SCRIPT)),
            ("record.json", "{\"bundle\":{},\"certificates\":[]}".to_owned()),
        ];
        self.files = bundle
            .map(|(path, text)| (path.to_owned(), text.into_bytes()))
            .into();
        // Machines of a group are told the same, so each writes its own.
        if self.settings.registration.is_none() {
            let host = "KEELSON_HOST_NAME=control-plane-1\nKEELSON_HOST_URL_ADDRESS=10.0.0.4\n";
            self.files
                .insert("files/etc/keelson/host.env".to_owned(), host.into());
        }
        let secrets = [
            ("secrets/a.crt", b"CERTIFICATE".to_vec()),
            ("secrets/a.key", b"KEY".to_vec()),
        ];
        let bundle = self.files.iter();
        let bundle = bundle.map(|(path, content)| (format!("bundle/{path}"), content.clone()));
        let all = bundle.chain(secrets.map(|(path, content)| (path.to_owned(), content)));
        let all: BTreeMap<String, Vec<u8>> = all.collect();
        let plain = archive(
            all.iter()
                .map(|(path, content)| (path.as_str(), content.as_slice())),
            0o600,
        );
        let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
        gzip.write_all(plain.unwrap().expose()).unwrap();
        let packed = gzip.finish().unwrap();
        let archive = self.settings.archive.as_mut().unwrap();
        archive.digest = Digest::of_bytes(&packed);
        self.put(&self.settings.archive.as_ref().unwrap().key, &packed);
    }

    fn url(&self, key: &str) -> String {
        format!(
            "http://{}/{BUCKET}/{}",
            self.moto.address,
            key.replace(':', "%3A")
        )
    }

    pub(super) fn put(&self, key: &str, content: &[u8]) {
        let mut curl = Command::new("curl")
            .args([
                "-q",
                "--fail",
                "--silent",
                "--show-error",
                "--header",
                AUTHORIZATION,
                "--header",
                "Content-Type: application/octet-stream",
                "--request",
                "PUT",
                "--data-binary",
                "@-",
            ])
            .arg(self.url(key))
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        curl.stdin.take().unwrap().write_all(content).unwrap();
        assert!(curl.wait().unwrap().success());
    }

    /// The object at `key`; nothing where there is none.
    pub(super) fn object(&self, key: &str) -> Option<String> {
        let output = Command::new("curl")
            .args(["-q", "--fail", "--silent", "--header", AUTHORIZATION])
            .arg(self.url(key))
            .output()
            .unwrap();
        output
            .status
            .success()
            .then(|| String::from_utf8(output.stdout).unwrap())
    }

    /// Runs the user data, or with `run` what its service runs.
    pub(super) fn run(&self, arguments: &[&str]) -> Output {
        let script = self.path("user-data");
        fs::write(&script, self.here(&self.settings.script().unwrap())).unwrap();
        Self::run_file(&script, arguments)
    }

    pub(super) fn run_file(script: &Path, arguments: &[&str]) -> Output {
        Command::new("/bin/sh")
            .arg(script)
            .args(arguments)
            .env_clear()
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    /// Waits until what a run has begun has ended too: systemd ends all of a service, and the kill signal one process alone.
    pub(super) fn is_left_by_all(&self) {
        let lock = self.path("run/keelson-first-boot/lock");
        if lock.exists() {
            let waited = Command::new("flock")
                .args(["--wait", "30"])
                .arg(lock)
                .arg("true")
                .status();
            assert!(
                waited.unwrap().success(),
                "something of a run that was killed does not end"
            );
        }
    }

    /// Runs what the service runs, and expects it to come to its end.
    pub(super) fn done(&self) -> String {
        let output = self.run(&["run"]);
        let said = said(&output);
        assert!(output.status.success(), "{said}");
        said
    }

    /// Runs what the service runs, and expects it to fail with these words.
    pub(super) fn fails(&self, words: &str) {
        let output = self.run(&["run"]);
        let said = said(&output);
        assert!(!output.status.success() && said.contains(words), "{said}");
        self.holds_no_secret();
    }

    /// Nothing that came on the way is left anywhere.
    pub(super) fn holds_no_secret(&self) {
        let memory = fs::read_dir(self.path("run")).unwrap();
        let left: Vec<String> = memory
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        assert!(left.iter().all(|name| name == "keelson-first-boot"), "{left:?}");
        if let Ok(memory) = fs::read_dir(self.path("run/keelson-first-boot")) {
            for entry in memory {
                assert!(entry.unwrap().file_type().unwrap().is_file());
            }
        }
    }

    /// What was called of the played programs.
    pub(super) fn calls(&self) -> String {
        fs::read_to_string(self.path("calls")).unwrap_or_default()
    }

    pub(super) fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// Whoever may log in can, and each stands there once.
    pub(super) fn lets_in_all(&self) {
        let authorized = self.text("home/.ssh/authorized_keys");
        let keys = std::iter::once(&self.settings.login_key).chain(&self.settings.public_keys);
        for key in keys {
            let found = authorized.lines().filter(|line| line == key);
            assert_eq!(found.count(), 1, "{authorized}");
        }
    }

    /// Everything is as keelson leaves it over SSH.
    pub(super) fn is_in_force(&self) {
        let archive = self.settings.archive.as_ref().unwrap();
        let bundle = format!("bundles/{}", archive.bundle.hexadecimal());
        let current = fs::read_link(self.path("var/lib/keelson/current")).unwrap();
        assert_eq!(current, Path::new(&bundle));
        for (path, content) in &self.files {
            let there = fs::read(self.path("var/lib/keelson").join(&bundle).join(path)).unwrap();
            assert!(there == *content, "{path}");
        }
        assert_eq!(
            self.text("var/lib/keelson/bundle.json").as_bytes(),
            self.files["record.json"]
        );
        assert_eq!(self.text("etc/keelson/a.key"), "KEY");
        assert_eq!(self.text("etc/keelson/a.crt"), "CERTIFICATE");
        let host = self.text("etc/keelson/host.env");
        let name = self.settings.name.as_deref().unwrap_or(INSTANCE);
        let of_bundle = self.settings.registration.is_none();
        let named = if of_bundle { "control-plane-1" } else { name };
        assert!(host.contains(&format!("KEELSON_HOST_NAME={named}\n")), "{host}");
        let mark: Mark = serde_json::from_str(&self.text("var/lib/keelson/host.json")).unwrap();
        let wanted = Mark {
            claimed_at: mark.claimed_at,
            ..super::mark(&self.settings, name)
        };
        assert_eq!(mark, wanted);
        assert!(mark.claimed_at > jiff::Timestamp::UNIX_EPOCH);
        self.lets_in_all();
        let published = self.object(HOST_KEYS).unwrap();
        assert_eq!(published, "ssh-ed25519 AAAAC root@a\nssh-rsa AAAAB root@a\n");
        assert!(self.path("var/lib/keelson/first-boot.done").exists());
        self.holds_no_secret();
    }
}

pub(super) fn said(output: &Output) -> String {
    [&output.stdout, &output.stderr]
        .map(|bytes| String::from_utf8_lossy(bytes))
        .concat()
}
