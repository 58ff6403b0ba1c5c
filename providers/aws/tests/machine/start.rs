//! What machines are started with, and what is found before.

use keelson_provider_api::{ErrorClass, Finding, USER_DATA_LIMIT_BYTES};

use super::*;

#[tokio::test]
async fn what_a_machine_runs_when_it_first_boots_arrives_byte_for_byte_and_no_more_than_fits() {
    let Some(scene) = Scene::prepare_or_skip("what_a_machine_runs_when_it_first_boots").await else {
        return;
    };
    let bytes = |length: usize| -> Vec<u8> { (0..=u8::MAX).cycle().take(length).collect() };
    scene.given.say(&bytes(USER_DATA_LIMIT_BYTES + 1));
    let writes = scene.writes();
    let change = create(&key(Kind::Machine, "w"), &worker().into(), 0);
    let Outcome::Rejected(error) = scene.once(&change).await else {
        panic!("it is too long")
    };
    assert_eq!(
        (error.class, error.message.as_str()),
        (
            ErrorClass::Permanent,
            "what machine/w is to run when it first boots has 16385 bytes, and EC2 takes 16384 at the most"
        )
    );
    assert_eq!(scene.writes(), writes);

    for length in [0, 1, 2, USER_DATA_LIMIT_BYTES] {
        scene.given.say(&bytes(length));
        let name = format!("w{length}");
        scene.make(&name, &worker(), 0).await;
        let id = scene.instance(&name).await.id;
        let query = format!("Action=DescribeInstanceAttribute&Attribute=userData&InstanceId={id}");
        let kept = scene.by_hand(&query);
        let expected = format!("<value>{}</value>", base64(&bytes(length)));
        assert_eq!(kept.contains(&expected), length > 0, "{length}");
    }
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let byte = |at: usize| u32::from(three.get(at).copied().unwrap_or_default());
        let bits = (byte(0) << 16) | (byte(1) << 8) | byte(2);
        for at in 0..4 {
            let digit = (bits >> (18 - 6 * at)) & 63;
            let is_there = at <= three.len();
            text.push(if is_there {
                char::from(DIGITS[digit as usize])
            } else {
                '='
            });
        }
    }
    text
}

#[tokio::test]
async fn machines_are_started_as_all_are() {
    let Some(scene) = Scene::prepare_or_skip("machines_are_started_as_all_are").await else {
        return;
    };
    scene.make("a", &control_plane(), 0).await;
    scene.make("w", &worker(), 0).await;
    let heard = scene.calls_heard();
    for said in [
        "\"MetadataOptions.HttpTokens\": \"required\"",
        "\"MetadataOptions.HttpPutResponseHopLimit\": \"1\"",
        "\"MetadataOptions.HttpEndpoint\": \"enabled\"",
    ] {
        assert_eq!(heard.matches(said).count(), 2, "{said}");
    }
    // Debian's images call it /dev/xvda.
    for (name, size_gibibytes, device) in [("a", 50, "/dev/sda1"), ("w", 20, "/dev/xvda")] {
        let root = scene.marked(&key(Kind::Machine, name));
        let root = scene.ec2.list_volumes(&root).await.unwrap().remove(0);
        assert_eq!(
            (root.size_gibibytes, root.volume_type.as_str(), root.encrypted),
            (size_gibibytes, "gp3", true)
        );
        let attachment = root.attachment.unwrap();
        assert_eq!(attachment.device, device);
        assert!(attachment.deleted_with_instance);
    }
    let interfaces = scene.marked(&key(Kind::Machine, "w"));
    let interfaces = scene.ec2.list_interfaces(&interfaces).await.unwrap();
    let w = scene.instance("w").await;
    assert_eq!(
        interfaces
            .iter()
            .map(|one| Some(one.id.clone()))
            .collect::<Vec<_>>(),
        [w.interface],
        "an interface that is made with an instance is marked as it is"
    );
    assert!(w.spot);
}

type Altered = fn(&mut Machine);

#[tokio::test]
async fn what_would_not_start_is_found_before_anything_is_touched() {
    let Some(scene) = Scene::prepare_or_skip("what_would_not_start_is_found_before").await else {
        return;
    };
    let cases: [(&str, Altered, &[&str], &str); 7] = [
        ("fits", |_| {}, &[], ""),
        (
            "type",
            |machine| machine.machine_type = Some("m6i.huge".to_owned()),
            &["machine-type"],
            "there is no machine type `m6i.huge` in this region",
        ),
        (
            "zone",
            |machine| machine.zone = Some("eu-west-1z".to_owned()),
            &["machine-type-in-zone"],
            "the zone eu-west-1z has no `m6i.large`; it is in eu-west-1a, eu-west-1b, eu-west-1c",
        ),
        (
            "image",
            |machine| machine.image = Some("ami-0123456789abcdef0".to_owned()),
            &["machine-image"],
            "there is no ami-0123456789abcdef0 in this region that this account may see",
        ),
        (
            "name",
            |machine| machine.image = Some("ubuntu".to_owned()),
            &["machine-image"],
            "`ubuntu` is neither the id of an image nor one of ubuntu-24.04, debian-12",
        ),
        (
            "architecture",
            |machine| machine.machine_type = Some("m6g.large".to_owned()),
            &[],
            "",
        ),
        (
            "other architecture",
            |machine| machine.image = Some(DEBIAN.to_owned()),
            &["machine-image"],
            "ami-0deb1200b64000001 is made for arm64, and its machine type runs amd64",
        ),
    ];
    let writes = scene.writes();
    for (name, alter, names, problem) in cases {
        let mut machine = control_plane();
        alter(&mut machine);
        let change = create(&key(Kind::Machine, name), &machine.into(), 0);
        let found = scene.machines.preflight(&scene.cluster, &[&change]).await;
        let found_names: Vec<&str> = found.iter().map(|finding| finding.name.as_str()).collect();
        assert_eq!(found_names, names, "{found:?}");
        let problems: Vec<&str> = found.iter().map(|finding| finding.problem.as_str()).collect();
        assert_eq!(problems.join("; "), problem, "{name}");
        // Who does not look is told the same when it is started.
        if names == ["machine-image"] || names == ["machine-type"] {
            let Outcome::Rejected(error) = scene.once(&change).await else {
                panic!("{name} was started")
            };
            assert_eq!(error.class, ErrorClass::Permanent, "{name}: {error}");
        }
    }
    assert_eq!(scene.writes(), writes);
}

#[tokio::test]
async fn what_is_there_is_not_looked_at_and_what_cannot_be_asked_is_told_once() {
    let Some(scene) = Scene::prepare_or_skip("what_cannot_be_asked_is_told_once").await else {
        return;
    };
    let updated = change(
        &key(Kind::Machine, "a"),
        Action::Update {
            id: String::new(),
            resource: Box::new(control_plane().into()),
            differences: Vec::new(),
        },
    );
    assert_eq!(scene.machines.preflight(&scene.cluster, &[&updated]).await, []);
    // What cannot be asked is told, once.
    scene.tell(
        "faults",
        r#"{"kind": "fail", "action": "DescribeInstanceTypes", "code": "UnauthorizedOperation", "status": 403}"#,
    );
    let changes = ["a", "b"].map(|name| create(&key(Kind::Machine, name), &control_plane().into(), 0));
    let changes: Vec<&Change> = changes.iter().collect();
    let found: Vec<Finding> = scene.machines.preflight(&scene.cluster, &changes).await;
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].name, "machine-checks");
    assert!(found[0].help.as_ref().unwrap().contains("DescribeInstanceTypes"));
}

#[tokio::test]
async fn what_ec2_refuses_to_start_is_told_with_what_to_do() {
    let Some(scene) = Scene::prepare_or_skip("what_ec2_refuses_to_start_is_told").await else {
        return;
    };
    let before = scene.everything().await;
    scene.tell(
        "faults",
        r#"{"kind": "fail", "action": "RunInstances", "code": "VcpuLimitExceeded", "status": 400, "times": 1}"#,
    );
    let change = create(&key(Kind::Machine, "w"), &worker().into(), 0);
    let Outcome::Rejected(error) = scene.once(&change).await else {
        panic!("it was started")
    };
    assert_eq!(error.class, ErrorClass::Permanent);
    assert!(
        error
            .message
            .starts_with("could not start machine/w: RunInstances was answered with VcpuLimitExceeded"),
        "{error}"
    );
    assert!(error.help.unwrap().starts_with("ask AWS for a higher quota"));

    // Of what it stands on nothing is guessed.
    let alone: [(Altered, &str); 5] = [
        (
            |machine| machine.firewall = Some("none".to_owned()),
            "firewall/none is not there yet, or does not show yet",
        ),
        (
            |machine| machine.subnet = Some("none".to_owned()),
            "subnet/none is not there yet, or does not show yet",
        ),
        (
            |machine| machine.role = Some("none".to_owned()),
            "role/none is not there yet, or does not show yet",
        ),
        (
            |machine| machine.network_interface = Some("none".to_owned()),
            "network-interface/none is not there yet, or does not show yet",
        ),
        (
            |machine| machine.volume = Some("none".to_owned()),
            "volume/none is not there yet, or does not show yet",
        ),
    ];
    for (alter, expected) in alone {
        let mut machine = worker();
        alter(&mut machine);
        let change = create(&key(Kind::Machine, "w"), &machine.into(), 0);
        let Outcome::Rejected(error) = scene.once(&change).await else {
            panic!("it was started: {expected}")
        };
        assert_eq!(
            (error.class, error.message.as_str()),
            (ErrorClass::Transient, expected)
        );
    }
    assert_eq!(scene.everything().await, before);
}
