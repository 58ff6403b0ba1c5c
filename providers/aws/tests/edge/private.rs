//! Names in a private zone, which the cluster's own VPC is associated with meanwhile.

use std::collections::BTreeMap;

use keelson_aws_calls::dns::{NewPrivateZone, ZoneVpc};
use keelson_aws_calls::ec2::Filters;
use keelson_provider_api::Health;
use keelson_provider_aws::PrivateZone;

use super::trouble::{goes_on_after, goes_on_deleting_after};
use super::*;

const CREATES: [&str; 2] = ["ChangeResourceRecordSets", "AssociateVPCWithHostedZone"];
const DELETES: [&str; 2] = ["DisassociateVPCFromHostedZone", "ChangeResourceRecordSets"];

/// A private zone that somebody else's VPC sees, beside a public one of its name.
struct Private {
    scene: Scene,
    public: String,
    theirs: ZoneVpc,
    ours: ZoneVpc,
}

impl Private {
    async fn start_or_skip(test: &str) -> Option<Self> {
        let scene = Scene::start_or_skip(test).await?;
        let theirs = make_vpc(&scene, "10.30.0.0/16").await;
        let ours = scene.calls.ec2.list_vpcs(&Filters::of_cluster("one")).await;
        let ours = vpc(&ours.unwrap()[0].id);
        let private = Self {
            scene: Scene {
                zone: make_zone(&scene, &theirs, "theirs").await,
                edge: edge_in(&scene, None),
                ..scene
            },
            public: String::new(),
            theirs,
            ours,
        };
        let public = private
            .scene
            .calls
            .dns
            .public_zones(ZONE)
            .await
            .unwrap()
            .remove(0)
            .id;
        Some(Self { public, ..private })
    }

    async fn seen_by(&self) -> Vec<ZoneVpc> {
        self.scene.calls.dns.zone_vpcs(&self.scene.zone).await.unwrap()
    }

    /// Why the name is not made.
    async fn refusal(&self) -> String {
        let (key, resource) = &wanted()[1];
        match self.scene.once(&create(key, resource, 0)).await {
            Outcome::Rejected(error) => error.to_string(),
            other => unreachable!("{other:?}"),
        }
    }
}

fn vpc(id: &str) -> ZoneVpc {
    ZoneVpc {
        id: id.to_owned(),
        region: REGION.to_owned(),
    }
}

async fn make_vpc(scene: &Scene, cidr: &str) -> ZoneVpc {
    vpc(&scene.calls.ec2.create_vpc(cidr, &BTreeMap::new()).await.unwrap())
}

async fn make_zone(scene: &Scene, vpc: &ZoneVpc, reference: &str) -> String {
    let new = NewPrivateZone {
        name: ZONE.to_owned(),
        vpc: vpc.clone(),
        caller_reference: reference.to_owned(),
        comment: String::new(),
    };
    scene.calls.dns.create_private_zone(&new).await.unwrap().zone.id
}

fn edge_in(scene: &Scene, existing_vpc: Option<&ZoneVpc>) -> EdgeProvider {
    let zone = PrivateZone {
        name: ZONE.to_owned(),
        region: REGION.to_owned(),
        existing_vpc: existing_vpc.map(|vpc| vpc.id.clone()),
    };
    EdgeProvider::new(&scene.calls, Some(EdgeZone::Private(zone)), scene.clock.clone())
}

#[tokio::test]
async fn a_name_in_a_private_zone_is_known_to_the_cluster_s_own_network_while_it_is_there() {
    let Some(private) = Private::start_or_skip("a_name_in_a_private_zone_is_known").await else {
        return;
    };
    let scene = &private.scene;
    let before = scene.everything().await;
    let of_public = scene.calls.dns.records(&private.public).await.unwrap();
    let wanted = wanted();
    scene.make(&wanted).await;
    let first = scene.look().await;
    assert_eq!(seen(&first), wanted);
    assert_eq!(first.present(&name_key()).unwrap().health, Health::Healthy);
    assert_eq!(
        private.seen_by().await,
        [private.theirs.clone(), private.ours.clone()]
    );
    let writes = scene.writes();
    scene.make(&wanted).await;
    assert_eq!(scene.writes(), writes);
    assert_eq!(scene.look().await.digest(), first.digest());

    let dns = &scene.calls.dns;
    dns.disassociate_vpc(&scene.zone, &private.ours).await.unwrap();
    let existing = scene.existing(&name_key()).await.unwrap();
    let Health::Unhealthy(why) = &existing.health else {
        panic!("{existing:?}")
    };
    assert!(
        why.contains(&format!("{} is not associated", scene.zone)),
        "{why}"
    );
    assert_eq!(scene.mend(&wanted).await, [format!("update {}", name_key())]);
    assert_eq!(seen(&scene.look().await), wanted);

    scene.take_away().await;
    assert_eq!(scene.everything().await, before);
    assert_eq!(dns.records(&private.public).await.unwrap(), of_public);
}

#[tokio::test]
async fn a_run_that_ends_at_any_call_for_a_private_zone_is_gone_on_with() {
    let Some(private) = Private::start_or_skip("a_run_that_ends_at_any_call_for_a_private_zone").await else {
        return;
    };
    goes_on_after(&private.scene, &CREATES).await;
    goes_on_deleting_after(&private.scene, &DELETES).await;
}

#[tokio::test]
async fn what_an_existing_network_sees_is_not_changed() {
    let Some(private) = Private::start_or_skip("what_an_existing_network_sees").await else {
        return;
    };
    let edge = edge_in(&private.scene, Some(&private.ours));
    let private = Private {
        scene: Scene {
            edge,
            ..private.scene
        },
        ..private
    };
    let (scene, wanted) = (&private.scene, wanted());
    scene.make(&wanted[..1].to_vec()).await;
    let before = scene.everything().await;
    let refusal = private.refusal().await;
    let words = format!(
        "the private DNS zone {} (`{ZONE}`) is not associated with {}",
        scene.zone, private.ours.id
    );
    assert!(refusal.contains(&words), "{refusal}");
    assert_eq!(scene.everything().await, before);

    let dns = &scene.calls.dns;
    dns.associate_vpc(&scene.zone, &private.ours).await.unwrap();
    scene.make(&wanted).await;
    assert_eq!(seen(&scene.look().await), wanted);
    scene.take_away().await;
    assert_eq!(
        private.seen_by().await,
        [private.theirs.clone(), private.ours.clone()]
    );
}

#[tokio::test]
async fn the_private_zone_that_is_meant_is_the_one_that_the_network_sees_or_the_only_one() {
    let Some(private) = Private::start_or_skip("the_private_zone_that_is_meant").await else {
        return;
    };
    let (scene, wanted) = (&private.scene, wanted());
    scene.make(&wanted[..1].to_vec()).await;
    let more = make_vpc(scene, "10.40.0.0/16").await;
    let other = make_zone(scene, &more, "another").await;
    let nothing = BTreeSet::new();
    let told = scene
        .edge
        .observe(&scene.cluster, Kind::DnsRecord, &nothing)
        .await;
    let told = told.unwrap_err().to_string();
    for words in ["several private zones `example.com`", &scene.zone, &other] {
        assert!(told.contains(words), "{told}");
    }
    assert_eq!(private.refusal().await, told);

    // Its own one is known from the others, and stays so.
    let dns = &scene.calls.dns;
    dns.associate_vpc(&scene.zone, &private.ours).await.unwrap();
    scene.make(&wanted).await;
    assert_eq!(seen(&scene.look().await), wanted);
    dns.delete_zone(&other).await.unwrap();

    // A zone that nobody else sees any more keeps the network, since it has to have one.
    dns.disassociate_vpc(&scene.zone, &private.theirs).await.unwrap();
    scene.take_away().await;
    assert_eq!(seen(&scene.look().await), []);
    assert_eq!(private.seen_by().await, std::slice::from_ref(&private.ours));

    dns.delete_zone(&scene.zone).await.unwrap();
    scene.make(&wanted[..1].to_vec()).await;
    let refusal = private.refusal().await;
    assert!(refusal.contains("no private DNS zone `example.com`"), "{refusal}");
}
