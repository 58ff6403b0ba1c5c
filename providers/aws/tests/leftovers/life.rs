//! Found, and taken away.

use super::*;

/// In the order in which it can go.
const SEEN: [&str; 6] = [
    "load balancer, made for Service shop/front",
    "target group, made for Service shop/front",
    "security group, made for Service shop/front",
    "security group, made for Service shop/front",
    "volume of 20Gi, made for PersistentVolumeClaim shop/orders",
    "snapshot of 20Gi, made for PersistentVolumeClaim shop/orders",
];

#[tokio::test]
async fn what_controllers_made_is_found_by_its_tags_and_taken_away_whole() {
    let Some(scene) = Scene::start_or_skip("what_controllers_made_is_found").await else {
        return;
    };
    assert_eq!(scene.seen().await, Vec::<String>::new());
    let before = scene.everything().await;
    let (vpc, subnet) = (&scene.vpc, &scene.subnet);
    let [front, _] = make_all_for(&scene.moto, &scene.calls, "foo", "front", vpc, subnet).await;
    // As the controller lets the load balancer in to nodes.
    let rules = ground::lets_in(&front);
    scene
        .calls
        .ec2
        .authorize_ingress(&scene.nodes, &rules)
        .await
        .unwrap();
    assert_eq!(scene.seen().await, SEEN);

    scene.take_away().await;
    assert_eq!(scene.seen().await, Vec::<String>::new());
    assert_eq!(
        scene.everything().await,
        before,
        "the rule of the nodes' firewall is gone, too"
    );
}

#[tokio::test]
async fn what_is_gone_already_is_deleted_without_a_write() {
    let Some(scene) = Scene::start_or_skip("what_is_gone_already").await else {
        return;
    };
    let (vpc, subnet) = (&scene.vpc, &scene.subnet);
    make_all_for(&scene.moto, &scene.calls, "foo", "front", vpc, subnet).await;
    let observation = scene.look().await;
    scene.take_away().await;
    let writes = scene.writes();
    for (_, change) in in_order(&observation) {
        assert_eq!(scene.once(&change).await, Outcome::Done, "{change}");
    }
    assert_eq!(scene.writes(), writes);
}

#[tokio::test]
async fn a_load_balancer_of_the_other_controller_is_found_as_well() {
    let Some(scene) = Scene::start_or_skip("a_load_balancer_of_the_other_controller").await else {
        return;
    };
    let before = scene.everything().await;
    let tags = ground::tags(&[
        ("elbv2.k8s.aws/cluster", "foo"),
        ("ingress.k8s.aws/stack", "shop/front"),
    ]);
    ground::balance(&scene.calls, "k8s-front", &scene.vpc, &scene.subnet, &tags).await;
    let of_ingress = |sort: &str| format!("{sort}, made for Ingress shop/front");
    let expected = [
        "load balancer",
        "target group",
        "security group",
        "security group",
    ]
    .map(of_ingress);
    assert_eq!(scene.seen().await, expected);
    scene.take_away().await;
    assert_eq!(scene.everything().await, before);
}
