//! The same for node groups and their machines: the calls that [`groups`](crate::groups) makes.
//!
//! Whoever tells a group to start instances from a launch template is asked whether they might start them themselves
//! (<https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-launch-template-permissions.html>).

use keelson_provider_api::Resource;

use super::row::{ALL, BRING, DELETE, LOOK, On, Row, UPDATE, UPDATE_OR_DELETE, row};

/// One look serves both kinds.
const GROUPS: &[&str] = &[
    "autoscaling:DescribeAutoScalingGroups",
    "autoscaling:DescribeScalingActivities",
    "ec2:DescribeInstances",
    "ec2:DescribeLaunchTemplates",
    "ec2:DescribeSubnets",
];

/// What finds a group with its machines, and says what it lacks.
const OWNED: &[&str] = &[
    "autoscaling:DescribeAutoScalingGroups",
    "autoscaling:DescribeScalingActivities",
    "ec2:DescribeInstances",
];

pub(super) const NODE_GROUP: &[Row] = &[
    row(LOOK, On::Everything, GROUPS),
    row(ALL, On::Everything, OWNED),
    row(ALL, On::Everything, &["ec2:DescribeLaunchTemplates"]),
    row(
        BRING,
        On::Everything,
        &[
            "ec2:DescribeImages",
            "ec2:DescribeInstanceTypes",
            "ec2:DescribeLaunchTemplateVersions",
            "ec2:DescribeSecurityGroups",
            "ec2:DescribeSubnets",
        ],
    ),
    row(BRING, On::Everything, &["iam:GetInstanceProfile"]).only_if(has_role),
    row(
        BRING,
        On::Made(&["launch-template"]),
        &["ec2:CreateLaunchTemplate"],
    ),
    row(
        BRING,
        On::Own(&["launch-template"]),
        &[
            "ec2:CreateLaunchTemplateVersion",
            "ec2:DeleteLaunchTemplateVersions",
            "ec2:ModifyLaunchTemplate",
        ],
    ),
    row(
        BRING,
        On::Made(&["instance", "network-interface", "volume"]),
        &["ec2:RunInstances"],
    ),
    row(
        BRING,
        On::Own(&["launch-template", "security-group"]),
        &["ec2:RunInstances"],
    ),
    row(BRING, On::Subnets, &["ec2:RunInstances"]),
    row(BRING, On::Image, &["ec2:RunInstances"]),
    row(BRING, On::PassedRole, &["iam:PassRole"]).only_if(has_role),
    row(
        BRING,
        On::ServiceRole("autoscaling.amazonaws.com"),
        &["iam:CreateServiceLinkedRole"],
    ),
    row(
        BRING,
        On::ServiceRole("spot.amazonaws.com"),
        &["iam:CreateServiceLinkedRole"],
    )
    .only_if(is_spot),
    row(
        BRING,
        On::MadeGroup,
        &[
            "autoscaling:CreateAutoScalingGroup",
            "autoscaling:CreateOrUpdateTags",
        ],
    ),
    row(BRING, On::OwnGroups, &["autoscaling:UpdateAutoScalingGroup"]),
    row(BRING, On::GroupTags, &["autoscaling:CreateOrUpdateTags"]),
    row(DELETE, On::OwnGroups, &["autoscaling:DeleteAutoScalingGroup"]),
    row(
        DELETE,
        On::Own(&["launch-template"]),
        &["ec2:DeleteLaunchTemplate"],
    ),
];

pub(super) const GROUP_MACHINE: &[Row] = &[
    row(LOOK, On::Everything, GROUPS),
    row(UPDATE_OR_DELETE, On::Everything, OWNED),
    row(UPDATE, On::OwnGroups, &["autoscaling:DetachInstances"]),
    row(
        DELETE,
        On::OwnGroups,
        &["autoscaling:TerminateInstanceInAutoScalingGroup"],
    ),
    row(DELETE, On::Own(&["instance"]), &["ec2:TerminateInstances"]),
];

fn has_role(resource: &Resource) -> bool {
    matches!(resource, Resource::NodeGroup(group) if group.role.is_some())
}

fn is_spot(resource: &Resource) -> bool {
    matches!(resource, Resource::NodeGroup(group) if group.spot_share.is_some_and(|share| share > 0))
}
