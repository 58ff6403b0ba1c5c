//! Load balancers, their listeners and targets.

use keelson_aws_calls::elb::{
    BalancerAttributes, GroupAttributes, HealthCheck, NewListener, NewLoadBalancer, NewTargetGroup, Scheme,
    Target, TargetType,
};

use super::{Ground, lost, tags};
use crate::emulator::Emulator;

pub(super) fn new_balancer(ground: &Ground, name: &str, group: &str) -> NewLoadBalancer {
    NewLoadBalancer {
        name: name.to_owned(),
        scheme: Scheme::InternetFacing,
        subnets: vec![ground.subnets[0].clone()],
        security_groups: vec![group.to_owned()],
        tags: tags("u1", "load-balancer/api"),
    }
}

fn new_target_group(ground: &Ground, name: &str, health_check: HealthCheck) -> NewTargetGroup {
    NewTargetGroup {
        name: name.to_owned(),
        vpc: ground.vpc.clone(),
        port: 6443,
        target_type: TargetType::Ip,
        health_check,
        tags: tags("u1", "load-balancer/api"),
    }
}

#[tokio::test]
async fn load_balancers_are_made_found_changed_and_deleted() {
    let Some(emulator) = Emulator::start_or_skip("load_balancers_are_made_found_changed_and_deleted") else {
        return;
    };
    let (elb, ground) = (&emulator.calls.elb, Ground::lay(&emulator).await);
    let (first, second) = (ground.security_group("a").await, ground.security_group("b").await);
    let new = new_balancer(&ground, "keelson-api", &first);
    let made = elb.create_load_balancer(&new).await.unwrap();
    assert_eq!(made.tags, new.tags);
    assert_eq!(
        elb.create_load_balancer(&new).await.unwrap().arn,
        made.arn,
        "the same twice is one"
    );
    let other = NewLoadBalancer {
        scheme: Scheme::Internal,
        ..new.clone()
    };
    let refused = elb.create_load_balancer(&other).await.unwrap_err();
    assert!(refused.is(&["DuplicateLoadBalancerName"]), "{refused}");

    let found = elb.load_balancer("keelson-api").await.unwrap().unwrap();
    assert!(found.is_active());
    assert_eq!(
        (&found.arn, &found.tags, found.scheme),
        (&made.arn, &new.tags, Scheme::InternetFacing)
    );
    assert_eq!(found.security_groups, [first]);
    assert_eq!(
        elb.load_balancer("keelson-ap").await.unwrap(),
        None,
        "no part of a name"
    );

    elb.set_subnets(&made.arn, &ground.subnets).await.unwrap();
    elb.set_security_groups(&made.arn, std::slice::from_ref(&second))
        .await
        .unwrap();
    let attributes = BalancerAttributes {
        cross_zone: true,
        deletion_protection: false,
    };
    elb.set_balancer_attributes(&made.arn, attributes).await.unwrap();
    assert_eq!(elb.balancer_attributes(&made.arn).await.unwrap(), attributes);
    let gone = made.arn.replace("keelson-api", "keelson-gone");
    let found = elb.load_balancers(&[gone, made.arn.clone()]).await.unwrap();
    assert_eq!(found.len(), 1, "what is not there is left out");
    assert_eq!(found[0].security_groups, [second]);
    let mut subnets = found[0].subnets.clone();
    subnets.sort();
    let mut wanted = ground.subnets.clone();
    wanted.sort();
    assert_eq!(subnets, wanted);

    for _ in 0..2 {
        elb.delete_load_balancer(&made.arn).await.unwrap();
    }
    assert_eq!(elb.load_balancer("keelson-api").await.unwrap(), None);
    assert_eq!(elb.listeners(&made.arn).await.unwrap(), []);
}

#[tokio::test]
#[expect(
    clippy::too_many_lines,
    reason = "one life of a listener, from its first call to its last"
)]
async fn listeners_forward_to_targets_whose_health_is_told() {
    let Some(emulator) = Emulator::start_or_skip("listeners_forward_to_targets_whose_health_is_told") else {
        return;
    };
    let (elb, ground) = (&emulator.calls.elb, Ground::lay(&emulator).await);
    let group = ground.security_group("a").await;
    let balancer = elb
        .create_load_balancer(&new_balancer(&ground, "keelson-api", &group))
        .await
        .unwrap();
    let https = HealthCheck::Https {
        path: "/readyz".to_owned(),
    };
    let mut groups = Vec::new();
    for (name, check) in [("keelson-tcp", HealthCheck::Tcp), ("keelson-https", https)] {
        let new = new_target_group(&ground, name, check.clone());
        let made = elb.create_target_group(&new).await.unwrap();
        assert_eq!(elb.create_target_group(&new).await.unwrap().arn, made.arn);
        let found = elb.target_group(name).await.unwrap().unwrap();
        assert_eq!(
            (&found.arn, &found.tags, found.port),
            (&made.arn, &new.tags, 6443)
        );
        assert_eq!(
            (found.health_check, found.target_type),
            (Some(check), Some(TargetType::Ip))
        );
        for keeps_client_addresses in [true, false] {
            let attributes = GroupAttributes {
                keeps_client_addresses,
                ..GroupAttributes::default()
            };
            elb.set_group_attributes(&made.arn, attributes).await.unwrap();
            assert_eq!(elb.group_attributes(&made.arn).await.unwrap(), attributes);
        }
        groups.push(made.arn);
    }
    let new = NewListener {
        load_balancer: balancer.arn.clone(),
        port: 443,
        target_group: groups[0].clone(),
        tags: tags("u1", "load-balancer/api"),
    };
    let made = elb.create_listener(&new).await.unwrap();
    assert_eq!(elb.create_listener(&new).await.unwrap().arn, made.arn);
    assert_eq!(
        elb.listeners(&balancer.arn).await.unwrap(),
        std::slice::from_ref(&made)
    );
    assert_eq!((&made.tags, &made.target_groups[..]), (&new.tags, &groups[..1]));

    let targets: Vec<Target> = (10..40)
        .map(|last| Target {
            id: format!("10.0.0.{last}"),
            port: None,
        })
        .collect();
    for _ in 0..2 {
        elb.register(&groups[0], &targets).await.unwrap();
    }
    let health = elb.target_health(&groups[0]).await.unwrap();
    assert_eq!(health.len(), targets.len());
    assert!(
        health
            .iter()
            .all(|one| one.is_healthy() && one.target.port == Some(6443)),
        "{health:?}"
    );
    for _ in 0..2 {
        elb.deregister(&groups[0], &targets[1..]).await.unwrap();
    }
    let health = elb.target_health(&groups[0]).await.unwrap();
    assert_eq!(
        health.iter().filter(|one| one.is_healthy()).count(),
        1,
        "{health:?}"
    );

    let refused = elb.delete_target_group(&groups[0]).await.unwrap_err();
    assert!(refused.is(&["ResourceInUse"]), "{refused}");
    elb.forward_listener(&made.arn, &groups[1]).await.unwrap();
    assert_eq!(
        elb.listeners(&balancer.arn).await.unwrap()[0].target_groups,
        [groups[1].clone()]
    );
    for _ in 0..2 {
        elb.delete_listener(&made.arn).await.unwrap();
        for group in &groups {
            elb.delete_target_group(group).await.unwrap();
        }
    }
}

#[tokio::test]
async fn what_a_cluster_owns_is_found_among_many_and_after_lost_answers() {
    let Some(emulator) = Emulator::start_or_skip("what_a_cluster_owns_is_found_among_many") else {
        return;
    };
    let (elb, ground) = (&emulator.calls.elb, Ground::lay(&emulator).await);
    let group = ground.security_group("a").await;
    // More than a batch of tags, of another cluster whose uid begins like this one's.
    for index in 0..22 {
        let mut new = new_target_group(&ground, &format!("other-{index}"), HealthCheck::Tcp);
        new.tags = tags("u11", "load-balancer/api");
        elb.create_target_group(&new).await.unwrap();
    }
    emulator.trouble(r#"{"kind": "lose", "action": "Create*", "times": 2, "reset": true}"#);
    let balancer = elb
        .create_load_balancer(&new_balancer(&ground, "keelson-api", &group))
        .await
        .unwrap();
    let new = new_target_group(&ground, "keelson-api", HealthCheck::Tcp);
    let target_group = elb.create_target_group(&new).await.unwrap();
    let owned = elb.owned("u1").await.unwrap();
    assert_eq!(owned.load_balancers.len(), 1);
    assert_eq!(owned.load_balancers[0].arn, balancer.arn);
    assert_eq!(owned.target_groups.len(), 1);
    assert_eq!(owned.target_groups[0].arn, target_group.arn);

    emulator.trouble(r#"{"kind": "lose", "action": "CreateTargetGroup"}"#);
    let new = new_target_group(&ground, "keelson-lost", HealthCheck::Tcp);
    lost(elb.create_target_group(&new).await);
    let owned = elb.owned("u1").await.unwrap();
    assert_eq!(owned.target_groups.len(), 2, "it is there, and has its mark");
    assert_eq!(elb.owned("u").await.unwrap().target_groups, []);
}
