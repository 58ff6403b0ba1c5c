//! Places while calls are refused, answers are lost and runs are ended.

use super::*;

/// The creates of all places.
const CREATES: [&str; 7] = [
    "CreateVpc",
    "CreateInternetGateway",
    "CreateSubnet",
    "AllocateAddress",
    "CreateNatGateway",
    "CreateRouteTable",
    "CreateSecurityGroup",
];

async fn comes_to_the_same_end(scene: &Scene) {
    let wanted = wanted();
    scene.make(&wanted, 0).await;
    let observation = scene.look().await;
    let seen: Wanted = observation
        .owned()
        .map(|(key, existing)| (key.clone(), existing.resource.clone()))
        .collect();
    assert_eq!(seen, wanted);
}

#[tokio::test]
async fn answers_that_are_lost_make_nothing_twice() {
    let Some(scene) = Scene::start_or_skip("answers_that_are_lost_make_nothing_twice") else {
        return;
    };
    let before = scene.everything().await;
    for action in CREATES {
        scene.tell(
            "faults",
            &format!(r#"{{"kind": "lose", "action": "{action}", "times": 1, "reset": true}}"#),
        );
    }
    let wanted = wanted();
    scene.make(&wanted, 0).await;
    let ours = &Filters::of_cluster("one");
    let ec2 = &scene.ec2;
    let counts = [
        ec2.list_vpcs(ours).await.unwrap().len(),
        ec2.list_internet_gateways(ours).await.unwrap().len(),
        ec2.list_subnets(ours).await.unwrap().len(),
        ec2.list_addresses(ours).await.unwrap().len(),
        ec2.list_nat_gateways(ours).await.unwrap().len(),
        ec2.list_route_tables(ours).await.unwrap().len(),
        ec2.list_security_groups(ours).await.unwrap().len(),
    ];
    assert_eq!(counts, [1, 1, 2, 1, 1, 2, 2]);
    scene.take_away().await;
    assert_eq!(scene.everything().await, before);
}

#[tokio::test]
async fn a_run_that_ends_at_any_create_is_gone_on_with_and_what_it_left_is_deleted() {
    let Some(scene) = Scene::start_or_skip("a_run_that_ends_at_any_create") else {
        return;
    };
    let before = scene.everything().await;
    for action in CREATES {
        for is_gone_on_with in [true, false] {
            // The call is done, and nobody hears of it: one attempt is made of each step, and the rest is never begun.
            scene.tell(
                "faults",
                &format!(r#"{{"kind": "lose", "action": "{action}", "times": 9, "reset": true}}"#),
            );
            for (key, resource) in &wanted() {
                if key.kind() == Kind::Firewall {
                    continue;
                }
                if scene.once(&create(key, resource, 0)).await != Outcome::Done {
                    break;
                }
            }
            scene.no_more_trouble();
            if is_gone_on_with {
                comes_to_the_same_end(&scene).await;
            }
            scene.take_away().await;
            assert_eq!(scene.everything().await, before, "{action} {is_gone_on_with}");
        }
    }
}

#[tokio::test]
async fn throttling_and_refusals_that_pass_are_got_over() {
    let Some(scene) = Scene::start_or_skip("throttling_and_refusals_that_pass_are_got_over") else {
        return;
    };
    let before = scene.everything().await;
    scene.tell("faults", r#"{"kind": "throttle", "share": 0.3, "seed": 7}"#);
    let wanted = wanted();
    scene.make(&wanted, 0).await;
    scene.take_away().await;
    assert_eq!(scene.everything().await, before);
}
