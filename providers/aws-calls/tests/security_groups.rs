//! Security groups and their rules.

use keelson_aws_calls::ec2::{DescribedRules, Ec2, Filters, IngressProtocol, IngressRule, IngressSource};

use crate::emulator::Emulator;
use crate::network::{network, ours, refused, tags};

pub(crate) fn rule(protocol: IngressProtocol, source: IngressSource) -> (IngressRule, String) {
    (IngressRule { protocol, source }, "for tests".to_owned())
}

pub(crate) fn range(cidr: &str) -> IngressSource {
    IngressSource::Cidr(cidr.to_owned())
}

#[tokio::test]
async fn security_groups_let_in_what_they_are_told_to() {
    let test = "aws_calls::security_groups::security_groups_let_in_what_they_are_told_to";
    let Some(emulator) = Emulator::start_or_skip(test) else {
        return;
    };
    let ec2 = &emulator.calls.ec2;
    let (vpc, _) = network(ec2).await;
    let group = ec2
        .create_security_group(&vpc, "nodes", "for nodes", &tags("nodes"))
        .await
        .unwrap();
    let other = ec2
        .create_security_group(&vpc, "api", "for the API", &tags("api"))
        .await
        .unwrap();
    let refused = ec2
        .create_security_group(&vpc, "api", "twice", &tags("api"))
        .await
        .unwrap_err();
    assert!(refused.is(&["InvalidGroup.Duplicate"]), "{refused}");
    assert_eq!(
        ec2.list_security_groups(&Filters::in_vpc(&vpc))
            .await
            .unwrap()
            .len(),
        3
    );
    let filters = ours().with("group-id", [&group]);
    let found = ec2.list_security_groups(&filters).await.unwrap().remove(0);
    assert_eq!(
        (&found.vpc, found.name.as_str(), found.description.as_str()),
        (&vpc, "nodes", "for nodes")
    );
    assert_eq!(
        (found.tags, found.ingress),
        (tags("nodes"), DescribedRules::new())
    );

    rules_come_and_go(ec2, &group, &other).await;
    for _ in 0..2 {
        ec2.delete_security_group(&group).await.unwrap();
        ec2.delete_security_group(&other).await.unwrap();
    }
    let rules = DescribedRules::from([rule(IngressProtocol::All, range("10.0.0.0/8"))]);
    ec2.revoke_ingress(&group, &rules).await.unwrap();
    let absent = ec2.authorize_ingress(&group, &rules).await.unwrap_err();
    assert!(absent.is_absent(), "{absent}");
    assert_eq!(ec2.list_security_groups(&ours()).await.unwrap(), []);
}

/// A rule that is there already, or gone already, keeps no other one from its change.
async fn rules_come_and_go(ec2: &Ec2, group: &str, other: &str) {
    let ingress = async || {
        let filters = Filters::default().with("group-id", [group]);
        ec2.list_security_groups(&filters)
            .await
            .unwrap()
            .remove(0)
            .ingress
    };
    let first = DescribedRules::from([
        rule(IngressProtocol::Tcp(22, 22), range("192.0.2.0/24")),
        rule(IngressProtocol::Tcp(22, 22), range("2001:db8::/32")),
        rule(
            IngressProtocol::Udp(0, 65535),
            IngressSource::Group(other.to_owned()),
        ),
        rule(IngressProtocol::All, IngressSource::Group(group.to_owned())),
        rule(IngressProtocol::Icmp, range("0.0.0.0/0")),
    ]);
    for _ in 0..2 {
        ec2.authorize_ingress(group, &first).await.unwrap();
        assert_eq!(ingress().await, first);
    }
    let new = rule(IngressProtocol::Tcp(30000, 32767), range("10.0.0.0/8"));
    let more: DescribedRules = first.clone().into_iter().chain([new.clone()]).collect();
    ec2.authorize_ingress(group, &more).await.unwrap();
    assert_eq!(ingress().await, more);
    ec2.authorize_ingress(group, &DescribedRules::new())
        .await
        .unwrap();

    assert_eq!(
        refused(ec2.delete_security_group(other).await),
        "DependencyViolation"
    );
    let told = DescribedRules::from([(new.0.clone(), "for others".to_owned())]);
    for _ in 0..2 {
        ec2.describe_ingress(group, &told).await.unwrap();
        assert_eq!(
            ingress().await.get(&new.0).map(String::as_str),
            Some("for others")
        );
    }
    ec2.revoke_ingress(group, &told).await.unwrap();
    assert_eq!(ingress().await, first);
    for _ in 0..2 {
        ec2.revoke_ingress(group, &more).await.unwrap();
        assert_eq!(ingress().await, DescribedRules::new());
    }
}
