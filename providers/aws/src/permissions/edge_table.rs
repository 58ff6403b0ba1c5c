//! The same for the edge: the calls that [`edge`](crate::edge) makes.

use super::row::{ALL, BRING, DELETE, LOOK, On, Row, UPDATE, row};

/// One look serves the whole edge.
const EDGE: &[&str] = &[
    "ec2:DescribeInstances",
    "ec2:DescribeSecurityGroups",
    "ec2:DescribeSubnets",
    "ec2:DescribeVpcs",
    "elasticloadbalancing:DescribeListeners",
    "elasticloadbalancing:DescribeLoadBalancerAttributes",
    "elasticloadbalancing:DescribeLoadBalancers",
    "elasticloadbalancing:DescribeTags",
    "elasticloadbalancing:DescribeTargetGroupAttributes",
    "elasticloadbalancing:DescribeTargetGroups",
    "elasticloadbalancing:DescribeTargetHealth",
];

/// What finds load balancers and target groups by their marks.
const OWNED: &[&str] = &[
    "elasticloadbalancing:DescribeLoadBalancers",
    "elasticloadbalancing:DescribeTags",
    "elasticloadbalancing:DescribeTargetGroups",
];

/// What a load balancer forwards by.
const FORWARDING: &[&str] = &[
    "ec2:DescribeSecurityGroups",
    "ec2:DescribeSubnets",
    "elasticloadbalancing:DescribeListeners",
    "elasticloadbalancing:DescribeLoadBalancerAttributes",
    "elasticloadbalancing:DescribeTargetGroupAttributes",
];

const NETWORK: &str = "loadbalancer/net";
const GROUP: &str = "targetgroup";
const LISTENER: &str = "listener/net";

pub(super) const LOAD_BALANCER: &[Row] = &[
    row(LOOK, On::Everything, EDGE),
    row(ALL, On::Everything, OWNED),
    row(BRING, On::Everything, FORWARDING),
    row(
        BRING,
        On::MadeBalancing(&[NETWORK]),
        &["elasticloadbalancing:CreateLoadBalancer"],
    ),
    row(
        BRING,
        On::MadeBalancing(&[GROUP]),
        &["elasticloadbalancing:CreateTargetGroup"],
    ),
    row(BRING, On::Listened, &["elasticloadbalancing:CreateListener"]),
    row(
        BRING,
        On::ServiceRole("elasticloadbalancing.amazonaws.com"),
        &["iam:CreateServiceLinkedRole"],
    ),
    row(
        BRING,
        On::OwnBalancing(&[NETWORK]),
        &["elasticloadbalancing:ModifyLoadBalancerAttributes"],
    ),
    row(
        BRING,
        On::OwnBalancing(&[GROUP]),
        &["elasticloadbalancing:ModifyTargetGroupAttributes"],
    ),
    row(
        UPDATE,
        On::OwnBalancing(&[NETWORK]),
        &[
            "elasticloadbalancing:SetSecurityGroups",
            "elasticloadbalancing:SetSubnets",
        ],
    ),
    row(
        UPDATE,
        On::OwnBalancing(&[LISTENER]),
        &[
            "elasticloadbalancing:DeleteListener",
            "elasticloadbalancing:ModifyListener",
        ],
    ),
    row(
        ALL,
        On::OwnBalancing(&[NETWORK]),
        &["elasticloadbalancing:DeleteLoadBalancer"],
    ),
    row(
        ALL,
        On::OwnBalancing(&[GROUP]),
        &["elasticloadbalancing:DeleteTargetGroup"],
    ),
];

pub(super) const DNS_RECORD: &[Row] = &[
    row(LOOK, On::Everything, EDGE),
    row(LOOK, On::ZoneSearch, &["route53:ListHostedZonesByName"]),
    row(LOOK, On::Zone, &["route53:ListResourceRecordSets"]),
    row(LOOK, On::PrivateZone, &["route53:GetHostedZone"]),
    row(ALL, On::Everything, OWNED),
    row(ALL, On::ZoneSearch, &["route53:ListHostedZonesByName"]),
    row(ALL, On::Zone, &["route53:ListResourceRecordSets"]),
    row(ALL, On::PrivateZone, &["route53:GetHostedZone"]),
    row(BRING, On::Name, &["route53:ChangeResourceRecordSets"]),
    row(DELETE, On::Name, &["route53:ChangeResourceRecordSets"]),
    row(BRING, On::NameChange, &["route53:GetChange"]),
    // Whoever does that has to be allowed to look at VPCs too, as every run is.
    row(BRING, On::JoinedZone, &["route53:AssociateVPCWithHostedZone"]),
    row(DELETE, On::JoinedZone, &["route53:DisassociateVPCFromHostedZone"]),
];

pub(super) const LOAD_BALANCER_TARGET: &[Row] = &[
    row(LOOK, On::Everything, EDGE),
    row(ALL, On::Everything, OWNED),
    row(
        ALL,
        On::Everything,
        &[
            "ec2:DescribeInstances",
            "elasticloadbalancing:DescribeTargetHealth",
        ],
    ),
    row(
        BRING,
        On::OwnBalancing(&[GROUP]),
        &["elasticloadbalancing:RegisterTargets"],
    ),
    row(
        DELETE,
        On::OwnBalancing(&[GROUP]),
        &["elasticloadbalancing:DeregisterTargets"],
    ),
];
