//! The same for what the cluster's controllers made: the calls that [`leftovers`](crate::leftovers) makes.

use keelson_provider_api::Resource;
use keelson_provider_api::kinds::LeftoverSort;

use super::row::{DELETE, LOOK, On, Row, row};

const SECURITY_GROUP: &[&str] = &["ec2:DeleteSecurityGroup", "ec2:RevokeSecurityGroupIngress"];

pub(super) const LEFTOVER: &[Row] = &[
    row(
        LOOK,
        On::Everything,
        &[
            "ec2:DescribeInstances",
            "ec2:DescribeSecurityGroups",
            "ec2:DescribeSnapshots",
            "ec2:DescribeVolumes",
            "ec2:DescribeVpcs",
            "elasticloadbalancing:DescribeLoadBalancers",
            "elasticloadbalancing:DescribeTags",
            "elasticloadbalancing:DescribeTargetGroups",
        ],
    ),
    row(
        DELETE,
        On::Everything,
        &[
            "elasticloadbalancing:DescribeLoadBalancers",
            "elasticloadbalancing:DescribeTags",
        ],
    )
    .only_if(is_load_balancer),
    row(
        DELETE,
        On::BalancingOfControllers(&["loadbalancer/app", "loadbalancer/net"]),
        &["elasticloadbalancing:DeleteLoadBalancer"],
    )
    .only_if(is_load_balancer),
    row(
        DELETE,
        On::Everything,
        &[
            "elasticloadbalancing:DescribeTags",
            "elasticloadbalancing:DescribeTargetGroups",
        ],
    )
    .only_if(is_target_group),
    row(
        DELETE,
        On::BalancingOfControllers(&["targetgroup"]),
        &["elasticloadbalancing:DeleteTargetGroup"],
    )
    .only_if(is_target_group),
    row(
        DELETE,
        On::Everything,
        &["ec2:DescribeNetworkInterfaces", "ec2:DescribeSecurityGroups"],
    )
    .only_if(is_security_group),
    row(DELETE, On::GroupsOfControllers, SECURITY_GROUP).only_if(is_security_group),
    row(
        DELETE,
        On::Own(&["security-group"]),
        &["ec2:RevokeSecurityGroupIngress"],
    )
    .only_if(is_security_group),
    row(DELETE, On::Everything, &["ec2:DescribeVolumes"]).only_if(is_volume),
    row(DELETE, On::DataOfControllers("volume"), &["ec2:DeleteVolume"]).only_if(is_volume),
    row(DELETE, On::Everything, &["ec2:DescribeSnapshots"]).only_if(is_snapshot),
    row(DELETE, On::DataOfControllers("snapshot"), &["ec2:DeleteSnapshot"]).only_if(is_snapshot),
];

fn is(resource: &Resource, sort: LeftoverSort) -> bool {
    matches!(resource, Resource::Leftover(leftover) if leftover.sort == sort)
}

fn is_load_balancer(resource: &Resource) -> bool {
    is(resource, LeftoverSort::LoadBalancer)
}

fn is_target_group(resource: &Resource) -> bool {
    is(resource, LeftoverSort::TargetGroup)
}

fn is_security_group(resource: &Resource) -> bool {
    is(resource, LeftoverSort::SecurityGroup)
}

fn is_volume(resource: &Resource) -> bool {
    is(resource, LeftoverSort::Volume)
}

fn is_snapshot(resource: &Resource) -> bool {
    is(resource, LeftoverSort::Snapshot)
}
