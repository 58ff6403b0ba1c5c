//! Volumes, interfaces, instances, images and launch templates.

use std::net::Ipv4Addr;

use keelson_aws_calls::CallError;
use keelson_aws_calls::ec2::{
    Architecture, AttachmentState, Ec2, Filters, Instance, InstanceState, InterfaceState, Launch,
    LaunchInterface, NewInterface, NewVolume, RootVolume, USER_DATA_BYTES, VolumeState,
};
use keelson_aws_calls::mark::{CLUSTER, Tags};

use crate::emulator::{Emulator, settings};

/// What the emulator has (`images.json`): the newest of Canonical's for amd64.
const IMAGE: &str = "ami-0ab2404a640000020";
const CANONICAL: &str = "099720109477";
const ADDRESS: Ipv4Addr = Ipv4Addr::new(172, 31, 0, 10);

/// An emulator with a subnet and two security groups.
struct Place {
    emulator: Emulator,
    ec2: Ec2,
    subnet: String,
    zone: String,
    groups: [String; 2],
}

impl Place {
    async fn prepare_or_skip(test: &str) -> Option<Self> {
        let emulator = Emulator::start_or_skip(test)?;
        let settings = settings(format!("http://{}", emulator.moto.address));
        let config = aws_sdk_ec2::Config::builder()
            .behavior_version_latest()
            .region(aws_sdk_ec2::config::Region::new(settings.region))
            .endpoint_url(settings.endpoint.unwrap())
            .credentials_provider(settings.credentials)
            .http_client(settings.http_client);
        let raw = aws_sdk_ec2::Client::from_conf(config.build());
        let subnets = raw.describe_subnets().send().await.unwrap().subnets.unwrap();
        let is_first = |one: &aws_sdk_ec2::types::Subnet| one.cidr_block() == Some("172.31.0.0/20");
        let subnet = subnets.into_iter().find(is_first).unwrap();
        let mut groups = Vec::new();
        for name in ["one", "other"] {
            let call = raw.create_security_group().group_name(name).description(name);
            let made = call.set_vpc_id(subnet.vpc_id.clone()).send().await.unwrap();
            groups.push(made.group_id.unwrap());
        }
        groups.sort();
        Some(Self {
            ec2: emulator.calls.ec2.clone(),
            emulator,
            subnet: subnet.subnet_id.unwrap(),
            zone: subnet.availability_zone.unwrap(),
            groups: groups.try_into().unwrap(),
        })
    }

    fn launch(&self) -> Launch {
        Launch {
            image: IMAGE.to_owned(),
            instance_type: "m6i.large".to_owned(),
            interface: LaunchInterface::New {
                subnet: Some(self.subnet.clone()),
                private_address: None,
                groups: vec![self.groups[0].clone()],
                public_address: true,
            },
            root: RootVolume {
                device: "/dev/sda1".to_owned(),
                size_gibibytes: 50,
                encryption_key: None,
            },
            user_data: b"#!/bin/sh\ntrue\n".to_vec(),
            instance_profile: None,
            key_pair: None,
            spot: false,
            protected: false,
            tags: tags(),
        }
    }

    fn interface(&self) -> NewInterface {
        NewInterface {
            subnet: self.subnet.clone(),
            private_address: Some(ADDRESS),
            groups: vec![self.groups[0].clone()],
            tags: tags(),
        }
    }

    fn volume(&self) -> NewVolume {
        NewVolume {
            zone: self.zone.clone(),
            size_gibibytes: 20,
            encryption_key: None,
            tags: tags(),
        }
    }

    async fn instance(&self, id: &str) -> Instance {
        let itself = Filters::default().with("instance-id", [id]);
        let mut found = self.ec2.list_instances(&itself).await.unwrap();
        assert_eq!(found.len(), 1, "{found:?}");
        found.remove(0)
    }

    /// How many calls of `action` the emulator has heard of.
    fn heard(&self, action: &str) -> usize {
        let calls = self.emulator.moto.tell("GET", "calls?since=0", "").unwrap();
        calls.matches(&format!("\"{action}\"")).count()
    }

    fn lose(&self, action: &str) {
        let rule = format!(r#"{{"kind":"lose","action":"{action}","times":1}}"#);
        self.emulator.trouble(&rule);
    }
}

fn tags() -> Tags {
    Tags::from([
        (CLUSTER.to_owned(), "u1".to_owned()),
        ("a".to_owned(), "1".to_owned()),
    ])
}

fn ours() -> Filters {
    Filters::of_cluster("u1")
}

fn code<T>(answer: Result<T, CallError>) -> String {
    let error = answer.err().unwrap();
    let (said, code) = (error.to_string(), error.code);
    assert!(said.contains(&code), "{said} has the code {code}");
    code
}

#[tokio::test]
async fn a_volume_is_made_attached_resized_and_deleted() {
    let Some(place) = Place::prepare_or_skip("machines::volumes").await else {
        return;
    };
    let ec2 = &place.ec2;
    let volume = ec2.create_volume(&place.volume(), "v1").await.unwrap();
    let read = async || {
        ec2.list_volumes(&ours().with("volume-id", [&volume]))
            .await
            .unwrap()
    };
    let found = read().await.remove(0);
    assert_eq!(found.zone, place.zone);
    assert_eq!(found.state, VolumeState::Available);
    let kind = (found.size_gibibytes, found.volume_type.as_str(), found.encrypted);
    assert_eq!(kind, (20, "gp3", true));
    assert_eq!(found.tags, tags());
    assert!(found.created.is_some() && found.attachment.is_none());

    let instance = ec2.run_instance(&place.launch(), "i1").await.unwrap().id;
    let other = ec2.run_instance(&place.launch(), "i2").await.unwrap().id;
    place.lose("AttachVolume");
    for _ in 0..2 {
        ec2.attach_volume(&volume, &instance, "/dev/sdf").await.unwrap();
    }
    let attachment = read().await.remove(0).attachment.unwrap();
    assert_eq!(
        (&attachment.instance, attachment.device.as_str()),
        (&instance, "/dev/sdf")
    );
    assert_eq!(attachment.state, AttachmentState::Attached);
    for (instance, device) in [(&other, "/dev/sdf"), (&instance, "/dev/sdg")] {
        let refused = ec2.attach_volume(&volume, instance, device).await;
        assert_eq!(code(refused), "VolumeInUse");
    }
    assert_eq!(code(ec2.delete_volume(&volume).await), "VolumeInUse");

    ec2.resize_volume(&volume, 40).await.unwrap();
    assert_eq!(read().await[0].size_gibibytes, 40);
    place.lose("DetachVolume");
    for force in [false, true] {
        ec2.detach_volume(&volume, &instance, force).await.unwrap();
    }
    assert_eq!(read().await[0].state, VolumeState::Available);
    for _ in 0..2 {
        ec2.delete_volume(&volume).await.unwrap();
    }
    assert!(read().await.is_empty());
}

#[tokio::test]
async fn a_lost_answer_makes_nothing_twice() {
    let Some(place) = Place::prepare_or_skip("machines::lost").await else {
        return;
    };
    let ec2 = &place.ec2;
    for action in ["CreateVolume", "CreateNetworkInterface", "RunInstances"] {
        place.lose(action);
    }
    let volume = ec2.create_volume(&place.volume(), "v1").await.unwrap();
    let interface = ec2.create_interface(&place.interface(), "n1").await.unwrap();
    let instance = ec2.run_instance(&place.launch(), "i1").await.unwrap().id;
    for action in ["CreateVolume", "CreateNetworkInterface", "RunInstances"] {
        assert!(place.heard(action) >= 2, "{action}");
    }
    let volumes = ec2.list_volumes(&ours().with("size", ["20"])).await.unwrap();
    assert_eq!(volumes.iter().map(|one| &one.id).collect::<Vec<_>>(), [&volume]);
    let interfaces = ours().with("private-ip-address", [ADDRESS.to_string()]);
    let interfaces = ec2.list_interfaces(&interfaces).await.unwrap();
    assert_eq!(
        interfaces.iter().map(|one| &one.id).collect::<Vec<_>>(),
        [&interface]
    );
    let instances = ec2.list_instances(&ours()).await.unwrap();
    assert_eq!(
        instances.iter().map(|one| &one.id).collect::<Vec<_>>(),
        [&instance]
    );
    // The same token for something else is told.
    let mut larger = place.volume();
    larger.size_gibibytes += 1;
    assert_eq!(
        code(ec2.create_volume(&larger, "v1").await),
        "IdempotentParameterMismatch"
    );
}

#[tokio::test]
async fn an_interface_has_its_address_for_life() {
    let Some(place) = Place::prepare_or_skip("machines::interfaces").await else {
        return;
    };
    let ec2 = &place.ec2;
    let interface = ec2.create_interface(&place.interface(), "n1").await.unwrap();
    let read = async || {
        let itself = ours().with("network-interface-id", [&interface]);
        ec2.list_interfaces(&itself).await.unwrap()
    };
    let found = read().await.remove(0);
    assert_eq!((&found.subnet, &found.zone), (&place.subnet, &place.zone));
    assert_eq!(found.private_address, Some(ADDRESS));
    assert_eq!(found.groups, [place.groups[0].clone()]);
    assert_eq!(found.state, InterfaceState::Available);
    assert_eq!((found.attachment, found.tags), (None, tags()));

    let twice = ec2.create_interface(&place.interface(), "n2").await.unwrap_err();
    assert!(twice.had_no_effect());
    assert_eq!(
        twice.to_string(),
        "CreateNetworkInterface was answered with InvalidIPAddress.InUse: Address 172.31.0.10 is in use."
    );

    ec2.change_interface_groups(&interface, &place.groups)
        .await
        .unwrap();
    assert_eq!(read().await[0].groups, place.groups);
    has_a_public_address(ec2, &interface).await;
    let instance = ec2.run_instance(&place.launch(), "i1").await.unwrap().id;
    place.instance(&instance).await;
    place.lose("AttachNetworkInterface");
    let attachment = ec2.attach_interface(&interface, &instance, 1).await.unwrap();
    assert_eq!(
        ec2.attach_interface(&interface, &instance, 1).await.unwrap(),
        attachment
    );
    let taken = ec2.attach_interface(&interface, &instance, 2).await;
    assert_eq!(code(taken), "InvalidNetworkInterface.InUse");
    let found = read().await.remove(0).attachment.unwrap();
    assert_eq!((found.id.as_str(), found.device_index), (attachment.as_str(), 1));
    assert_eq!(found.instance, Some(instance));
    assert_eq!(
        code(ec2.delete_interface(&interface).await),
        "InvalidParameterValue"
    );
    for force in [false, true] {
        ec2.detach_interface(&attachment, force).await.unwrap();
    }
    for _ in 0..2 {
        ec2.delete_interface(&interface).await.unwrap();
    }
    assert!(read().await.is_empty());
}

async fn has_a_public_address(ec2: &Ec2, interface: &str) {
    let address = ec2.allocate_address(&tags()).await.unwrap();
    let itself = Filters::default().with("allocation-id", [&address]);
    for _ in 0..2 {
        ec2.associate_address(&address, interface).await.unwrap();
    }
    let found = ec2.list_addresses(&itself).await.unwrap().remove(0);
    assert_eq!(found.interface.as_deref(), Some(interface));
    let association = found.association.unwrap();
    for _ in 0..2 {
        ec2.disassociate_address(&association).await.unwrap();
    }
    let found = ec2.list_addresses(&itself).await.unwrap().remove(0);
    assert_eq!((found.association, found.interface), (None, None));
    ec2.release_address(&address).await.unwrap();
}

#[tokio::test]
async fn an_instance_is_started_listed_changed_and_ended() {
    let Some(place) = Place::prepare_or_skip("machines::instances").await else {
        return;
    };
    let ec2 = &place.ec2;
    let started = ec2.run_instance(&place.launch(), "i1").await.unwrap();
    assert_eq!(started.state, InstanceState::Pending);
    let id = started.id;
    let found = place.instance(&id).await;
    assert_eq!(found.state, InstanceState::Running);
    assert_eq!(
        (found.instance_type.as_str(), found.image.as_str()),
        ("m6i.large", IMAGE)
    );
    assert_eq!(found.zone, place.zone);
    assert_eq!(found.subnet.as_ref(), Some(&place.subnet));
    assert!(found.private_address.is_some() && found.public_address.is_some());
    assert!(found.launched.is_some() && found.interface.is_some() && !found.spot);
    assert_eq!(found.groups, [place.groups[0].clone()]);
    assert_eq!(found.tags, tags());
    let root = &found.block_devices[0];
    assert_eq!(
        (root.device.as_str(), root.deleted_with_instance),
        ("/dev/sda1", true)
    );
    let volume = ec2
        .list_volumes(&ours().with("volume-id", [&root.volume]))
        .await
        .unwrap();
    let kind = (
        volume[0].size_gibibytes,
        volume[0].volume_type.as_str(),
        volume[0].encrypted,
    );
    assert_eq!(kind, (50, "gp3", true));
    assert_eq!(volume[0].tags, tags());

    ec2.change_instance_groups(&id, &place.groups).await.unwrap();
    assert_eq!(place.instance(&id).await.groups, place.groups);
    ec2.protect_instance(&id, true).await.unwrap();
    let ended = ec2.terminate_instances(std::slice::from_ref(&id)).await;
    assert_eq!(code(ended), "OperationNotPermitted");
    ec2.protect_instance(&id, false).await.unwrap();

    // One with an interface that is there, which stays; one of what is not there keeps no other from its end.
    let interface = ec2.create_interface(&place.interface(), "n1").await.unwrap();
    let mut launch = place.launch();
    launch.interface = LaunchInterface::Existing {
        id: interface.clone(),
    };
    launch.spot = true;
    let other = ec2.run_instance(&launch, "i2").await.unwrap().id;
    let found = place.instance(&other).await;
    assert_eq!(
        (found.private_address, found.interface),
        (Some(ADDRESS), Some(interface.clone()))
    );
    assert!(found.spot);
    let absent = "i-0123456789abcdef0".to_owned();
    let all = [id.clone(), absent.clone(), other.clone()];
    for _ in 0..2 {
        ec2.terminate_instances(&all).await.unwrap();
    }
    ec2.terminate_instances(&[absent]).await.unwrap();
    for id in [&id, &other] {
        assert_eq!(place.instance(id).await.state, InstanceState::Terminated);
    }
    let left = ec2.list_interfaces(&ours()).await.unwrap();
    assert_eq!(left.iter().map(|one| &one.id).collect::<Vec<_>>(), [&interface]);
    assert_eq!(ec2.list_volumes(&ours()).await.unwrap(), []);
    assert_eq!(
        code(ec2.run_instance(&place.launch(), "i1").await),
        "IdempotentInstanceTerminated"
    );
}

type Change = fn(&mut Launch);

#[tokio::test]
async fn what_cannot_be_started_is_told() {
    let Some(place) = Place::prepare_or_skip("machines::refused").await else {
        return;
    };
    let ec2 = &place.ec2;
    let with = |change: &dyn Fn(&mut Launch)| {
        let mut launch = place.launch();
        change(&mut launch);
        launch
    };
    let long = with(&|launch| launch.user_data = vec![b'#'; USER_DATA_BYTES + 1]);
    let told = "had no answer: the user data has 16385 bytes, and EC2 takes 16384 at the most";
    let refused = ec2.run_instance(&long, "i1").await.unwrap_err();
    assert_eq!(refused.to_string(), format!("RunInstances {told}"));
    assert!(refused.had_no_effect());
    let refused = ec2
        .create_launch_template("nodes", &long, &tags(), "t1")
        .await
        .unwrap_err();
    assert_eq!(refused.to_string(), format!("CreateLaunchTemplate {told}"));
    assert_eq!(
        place.heard("RunInstances") + place.heard("CreateLaunchTemplate"),
        0,
        "nothing was sent"
    );

    let longest = with(&|launch| launch.user_data = vec![b'#'; USER_DATA_BYTES]);
    ec2.run_instance(&longest, "i2").await.unwrap();
    let cases: [(Change, &str); 3] = [
        (
            |launch| launch.image = "ami-0123456789abcdef0".to_owned(),
            "InvalidAMIID.NotFound",
        ),
        (
            |launch| launch.instance_type = "m6i.huge".to_owned(),
            "InvalidParameterValue",
        ),
        (
            |launch| launch.key_pair = Some("nobody".to_owned()),
            "InvalidKeyPair.NotFound",
        ),
    ];
    for (change, expected) in cases {
        let refused = ec2.run_instance(&with(&change), expected).await;
        assert_eq!(code(refused), expected);
    }
    assert_eq!(ec2.list_instances(&ours()).await.unwrap().len(), 1);
}

#[tokio::test]
async fn images_and_types_are_found() {
    let Some(place) = Place::prepare_or_skip("machines::images").await else {
        return;
    };
    let ec2 = &place.ec2;
    let image = ec2.image(IMAGE).await.unwrap().unwrap();
    assert_eq!(
        (image.owner.as_str(), image.root_device.as_str()),
        (CANONICAL, "/dev/sda1")
    );
    assert_eq!(ec2.image("ami-0123456789abcdef0").await.unwrap(), None);
    let noble = "ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-*-server-*";
    let cases = [
        (CANONICAL, noble, Architecture::Amd64, true),
        (CANONICAL, noble, Architecture::Arm64, true),
        (CANONICAL, noble, Architecture::Other, false),
        (CANONICAL, "noble", Architecture::Amd64, false),
        ("136693071363", noble, Architecture::Amd64, false),
    ];
    for (owner, pattern, architecture, is_there) in cases {
        let found = ec2.newest_image(owner, pattern, architecture).await.unwrap();
        let case = format!("{owner} {pattern} {architecture:?}: {found:?}");
        assert_eq!(found.is_some(), is_there, "{case}");
        if let Some(found) = found {
            assert_eq!(
                (found.owner.as_str(), found.architecture),
                (owner, architecture),
                "{case}"
            );
            assert!(architecture != Architecture::Amd64 || found == image, "{case}");
        }
    }

    let names = ["m6i.large", "m6g.large", "m6i.huge"].map(str::to_owned);
    let types = ec2.instance_types(&names).await.unwrap();
    let facts = types.iter().map(|one| {
        let architectures = one.architectures.as_slice();
        (
            one.name.as_str(),
            architectures,
            one.memory_mebibytes,
            one.virtual_processors,
        )
    });
    let expected = [
        ("m6g.large", [Architecture::Arm64].as_slice(), 8192, 2),
        ("m6i.large", [Architecture::Amd64].as_slice(), 8192, 2),
    ];
    assert_eq!(facts.collect::<Vec<_>>(), expected);
    assert_eq!(ec2.instance_types(&[]).await.unwrap(), []);
}

#[tokio::test]
async fn one_version_of_a_launch_template_is_kept() {
    let Some(place) = Place::prepare_or_skip("machines::one_version_is_kept").await else {
        return;
    };
    let (ec2, launch) = (&place.ec2, place.launch());
    let made = ec2.create_launch_template("nodes", &launch, &tags(), "t1").await;
    let id = made.unwrap();
    for token in ["t2", "t3", "t4"] {
        let made = ec2.create_launch_template_version(&id, &launch, token).await;
        made.unwrap();
    }
    ec2.set_default_launch_template_version(&id, 3).await.unwrap();
    for _ in 0..2 {
        ec2.keep_launch_template_version(&id, 3).await.unwrap();
        let versions = ec2.launch_template_versions(&id).await.unwrap();
        let numbers: Vec<i64> = versions.into_iter().map(|version| version.number).collect();
        assert_eq!(numbers, [3], "the default one is the latest one too");
    }
}

#[tokio::test]
async fn a_launch_template_says_what_it_was_told() {
    let Some(place) = Place::prepare_or_skip("machines::templates").await else {
        return;
    };
    let ec2 = &place.ec2;
    let first = Launch {
        instance_profile: Some("nodes".to_owned()),
        ..place.launch()
    };
    for action in ["CreateLaunchTemplate", "CreateLaunchTemplateVersion"] {
        place.lose(action);
    }
    let id = ec2
        .create_launch_template("nodes", &first, &tags(), "t1")
        .await
        .unwrap();
    let templates = ec2.list_launch_templates(&ours()).await.unwrap();
    let template = &templates[0];
    assert_eq!(
        (templates.len(), &template.id, template.name.as_str()),
        (1, &id, "nodes")
    );
    assert_eq!((template.default_version, template.latest_version), (1, 1));
    assert_eq!(template.tags, tags());
    let versions = ec2.launch_template_versions(&id).await.unwrap();
    assert_eq!(versions.len(), 1);
    assert_eq!((versions[0].number, versions[0].is_default), (1, true));
    assert_eq!(versions[0].launch.as_ref(), Some(&first));

    let second = Launch {
        interface: LaunchInterface::New {
            subnet: None,
            private_address: None,
            groups: place.groups.to_vec(),
            public_address: false,
        },
        user_data: Vec::new(),
        spot: true,
        ..first.clone()
    };
    assert_eq!(
        ec2.create_launch_template_version(&id, &second, "t2")
            .await
            .unwrap(),
        2
    );
    let said = async || {
        let versions = ec2.launch_template_versions(&id).await.unwrap();
        let said = versions
            .into_iter()
            .map(|one| (one.number, one.is_default, one.launch));
        said.collect::<Vec<_>>()
    };
    assert_eq!(
        said().await,
        [(1, true, Some(first)), (2, false, Some(second.clone()))]
    );
    for _ in 0..2 {
        ec2.set_default_launch_template_version(&id, 2).await.unwrap();
    }
    assert_eq!(said().await, [(2, true, Some(second))]);

    let taken = ec2
        .create_launch_template("nodes", &place.launch(), &tags(), "t3")
        .await;
    assert_eq!(code(taken), "InvalidLaunchTemplateName.AlreadyExistsException");
    for _ in 0..2 {
        ec2.delete_launch_template(&id).await.unwrap();
    }
    assert_eq!(ec2.list_launch_templates(&ours()).await.unwrap(), []);
    assert!(ec2.launch_template_versions(&id).await.unwrap_err().is_absent());
}
