//! User data as text, and what its script does where it is run here.

mod members;
mod runs;
mod scene;
mod volumes;

use std::collections::BTreeSet;
use std::io::Write as _;
use std::process::{Command, Stdio};

use keelson_provider_api::Mark;
use keelson_provider_api::etcd::{EVENTS, MAIN};
use keelson_provider_api::kinds::MachineRole;

use super::*;
use crate::node::tests::check_with;

/// Settings for the machine `control-plane-1`, whose state is in `bucket` at `endpoint`.
fn settings(endpoint: &str, bucket: &str) -> FirstBootSettings {
    FirstBootSettings {
        endpoint: endpoint.to_owned(),
        has_path_style: true,
        bucket: bucket.to_owned(),
        region: "eu-west-1".to_owned(),
        archive: Some(FirstBootArchive {
            key: "some/where/prod/bundles/control-plane/control-plane-1/0123".to_owned(),
            digest: Digest::of_bytes(b"archive"),
            bundle: Digest::of_bytes(b"bundle"),
        }),
        host_keys_folder: "some/where/prod/host-keys/".to_owned(),
        uid: ClusterUid::new("0a1b2c3d"),
        cluster: "prod".parse().unwrap(),
        name: Some("control-plane-1".to_owned()),
        generation: 2,
        machine: Machine {
            group: "control-plane".to_owned(),
            roles: BTreeSet::from([MachineRole::ControlPlane, MachineRole::Etcd]),
            machine_type: Some("m6i.large".to_owned()),
            image: Some("ubuntu-24.04".to_owned()),
            root_volume: None,
            spot: false,
            zone: Some("eu-west-1a".to_owned()),
            subnet: None,
            firewall: None,
            address: None,
            volume: Some("control-plane-1".to_owned()),
            network_interface: Some("control-plane-1".to_owned()),
            role: Some("control-plane".to_owned()),
        },
        login_user: "root".to_owned(),
        login_key: "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKeelsonsOwnKeyOfTheClusterProd keelson of prod"
            .to_owned(),
        public_keys: vec!["ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAA it's mine".to_owned()],
        volume_devices: vec![
            "/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_vol0123456789abcdef0".to_owned(),
            "/dev/xvdf".to_owned(),
        ],
        etcds: vec![&MAIN, &EVENTS],
        registration: None,
    }
}

/// The mark that a machine with these settings is to bear, but for its moment.
fn mark(settings: &FirstBootSettings, name: &str) -> Mark {
    Mark {
        uid: settings.uid.clone(),
        cluster: settings.cluster.clone(),
        name: name.to_owned(),
        claimed_at: jiff::Timestamp::UNIX_EPOCH,
        generation: settings.generation,
        machine: settings.machine.clone(),
    }
}

fn sample() -> FirstBootSettings {
    settings("https://s3.eu-west-1.amazonaws.com", "example-clusters")
}

/// What stands in user data in clear; the program is the templates themselves.
#[test]
fn the_settings_stand_in_clear() {
    let text = sample().render().unwrap();
    let (clear, packed) = text.split_once("program=$(").unwrap();
    let (packed, end) = packed.split_once("END\n").unwrap();
    assert!(packed.lines().all(|line| line.len() <= LINE_BYTES), "{packed}");
    insta::assert_snapshot!("user_data", format!("{clear}program=$(…END\n{end}"));
}

#[test]
fn there_is_room_for_the_longest_values() {
    let mut longest = sample();
    longest.login_key = format!("ssh-rsa {} {}", "A".repeat(716), "k".repeat(64));
    longest.bucket = "b".repeat(63);
    let archive = |bytes: usize| FirstBootArchive {
        key: "k".repeat(bytes),
        digest: Digest::of_bytes(b"archive"),
        bundle: Digest::of_bytes(b"bundle"),
    };
    longest.archive = Some(archive(400));
    longest.public_keys = vec![longest.login_key.clone(); 3];
    longest.host_keys_folder = format!("{}/", "f".repeat(250));
    longest.machine.group = "g".repeat(63);
    let bytes = longest.render().unwrap().len();
    assert!(bytes < USER_DATA_LIMIT_BYTES, "{bytes}");
    let mut many = longest.clone();
    many.public_keys = vec![longest.login_key.clone(); 20];
    longest.archive = Some(archive(USER_DATA_LIMIT_BYTES));
    for too_much in [longest, many] {
        let refused = too_much.render().unwrap_err();
        assert!(
            matches!(
                refused,
                RenderError::TooLarge {
                    limit: USER_DATA_LIMIT_BYTES,
                    ..
                }
            ),
            "{refused}"
        );
    }
}

#[test]
fn nothing_hostile_becomes_a_line_of_the_script() {
    for hostile in ["ssh-ed25519 AAAA\nroot ALL", "a\0b", "a\rb"] {
        let mut settings = sample();
        hostile.clone_into(&mut settings.login_key);
        assert!(settings.render().is_err(), "{hostile:?}");
        settings = sample();
        settings.public_keys = vec![hostile.to_owned()];
        assert!(settings.render().is_err(), "{hostile:?}");
    }
    for hostile in ["$(id)", "a b", "", "a'b", "/dev/x;reboot"] {
        let mut settings = sample();
        settings.volume_devices = vec![hostile.to_owned()];
        assert!(settings.render().is_err(), "{hostile:?}");
        settings = sample();
        hostile.clone_into(&mut settings.login_user);
        assert!(settings.render().is_err(), "{hostile:?}");
    }
}

/// The script knows the unit that needs a folder by the folder's name.
#[test]
fn folders_of_etcds_are_named_as_their_units() {
    for etcd in [&MAIN, &EVENTS] {
        let name = etcd.data_folder.rsplit('/').next().unwrap();
        assert_eq!(etcd.unit, format!("{name}.service"));
    }
}

/// The mark is what SSH would have left, but for its moment.
#[test]
fn the_mark_is_one() {
    let settings = sample();
    let (begin, end) = settings.mark();
    let text = format!("{begin}\"name\":\"control-plane-1\",\"claimedAt\":\"1970-01-01T00:00:00Z\"{end}");
    let mark = mark(&settings, "control-plane-1");
    assert_eq!(text, serde_json::to_string(&mark).unwrap());
}

#[test]
fn what_is_packed_comes_out_again() {
    let text = sample().render().unwrap();
    let asked = text.replace("eval \"$program\"\n", "printf '%s\\n' \"$program\"\n");
    assert_ne!(asked, text);
    let mut shell = Command::new("sh")
        .arg("-s")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    shell.stdin.take().unwrap().write_all(asked.as_bytes()).unwrap();
    let output = shell.wait_with_output().unwrap();
    assert!(output.status.success());
    assert_eq!(
        String::from_utf8(output.stdout).unwrap(),
        without_comments(PROGRAM)
    );
}

#[test]
fn shellcheck_finds_nothing_in_user_data() {
    let mut bastion = sample();
    (bastion.archive, bastion.volume_devices, bastion.etcds) = (None, Vec::new(), Vec::new());
    let bastion = bastion.script().unwrap();
    let (script, packed) = (sample().script().unwrap(), sample().render().unwrap());
    // What the settings set is used by the program, which nobody sees in there.
    let packed = packed.replacen('\n', "\n# shellcheck disable=SC2034\n:\n", 1);
    let packed = packed.replacen(":\n", "", 1);
    let scripts = [
        ("script", script.as_bytes()),
        ("bastion", bastion.as_bytes()),
        ("user-data", packed.as_bytes()),
    ];
    let test = "node::first_boot::tests::shellcheck_finds_nothing_in_user_data";
    check_with(test, "shellcheck", &[], &scripts);
}
