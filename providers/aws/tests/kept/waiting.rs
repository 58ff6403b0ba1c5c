//! What is attached to a machine while it is deleted.

use keelson_aws_calls::ec2::{Launch, LaunchInterface, RootVolume};
use keelson_aws_calls::mark::{NAME, Tags};

use super::*;

/// What the emulator has (`images.json`): the newest of Canonical's for amd64.
const IMAGE: &str = "ami-0ab2404a640000020";

impl Scene {
    /// Starts an instance that has the volume and the interface of the machine `a`.
    async fn start_machine(&self) -> String {
        let ec2 = &self.calls.ec2;
        let launch = Launch {
            image: IMAGE.to_owned(),
            instance_type: "m6i.large".to_owned(),
            interface: LaunchInterface::Existing {
                id: self.interface("a").await.id,
            },
            root: RootVolume {
                device: "/dev/sda1".to_owned(),
                size_gibibytes: 50,
                encryption_key: None,
            },
            user_data: Vec::new(),
            instance_profile: Some(self.name("control-plane")),
            key_pair: None,
            spot: false,
            protected: false,
            tags: Tags::from([(NAME.to_owned(), "machine".to_owned())]),
        };
        let instance = ec2.run_instance(&launch, "machine").await.unwrap().id;
        let volume = self.volume("a").await.id;
        ec2.attach_volume(&volume, &instance, "/dev/sdf").await.unwrap();
        instance
    }
}

#[tokio::test]
async fn what_a_machine_has_goes_when_the_machine_has_let_go_of_it() {
    let Some(scene) = Scene::start_or_skip("what_a_machine_has_goes").await else {
        return;
    };
    let before = scene.everything().await;
    scene.make(&wanted()).await;
    let instance = scene.start_machine().await;
    let observation = scene.look().await;
    for kind in [Kind::Volume, Kind::NetworkInterface] {
        let existing = observation.present(&key(kind, "a")).unwrap();
        assert_eq!(existing.facts.get("attachedTo"), Some(&instance), "{kind}");
    }
    // It takes longer than the first looks.
    scene.tell("settings", r#"{"delay": 20}"#);
    let ended = scene
        .calls
        .ec2
        .terminate_instances(std::slice::from_ref(&instance))
        .await;
    ended.unwrap();
    scene.take_away().await;
    scene.tell("settings", r#"{"delay": 0, "advance": 60}"#);
    assert_eq!(scene.everything().await, before);
}

#[tokio::test]
async fn what_a_machine_keeps_is_told_and_stays() {
    let Some(scene) = Scene::start_or_skip("what_a_machine_keeps_is_told").await else {
        return;
    };
    scene.make(&wanted()).await;
    let instance = scene.start_machine().await;
    let observation = scene.look().await;
    for kind in [Kind::Volume, Kind::NetworkInterface] {
        let key = key(kind, "a");
        let ended = scene
            .once(&delete(&key, observation.present(&key).unwrap()))
            .await;
        let Outcome::Indeterminate(error) = ended else {
            unreachable!("{ended:?}")
        };
        assert!(error.class.may_pass(), "{error}");
        let words = format!("{key} is still attached to {instance}");
        assert!(error.message.starts_with(&words), "{error}");
    }
    assert_eq!(scene.look().await.digest(), observation.digest());
}
