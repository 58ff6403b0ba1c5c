//! For each kind, the actions that it takes: the calls that [`places`](crate::places), [`kept`](crate::kept) and
//! [`machine`](crate::machine) make. A create has to take away, too, what an earlier call has made whose answer was lost.

use keelson_provider_api::{Kind, Resource};

use super::row::{ALL, BRING, CREATE, DELETE, LOOK, On, PREFLIGHT, Row, UPDATE, UPDATE_OR_DELETE, row};
use super::{edge_table, groups_table, leftover_table};

/// The rows of `kind`; none where AWS is not asked about it.
pub(super) const fn rows(kind: Kind) -> &'static [Row] {
    match kind {
        Kind::Network => NETWORK,
        Kind::Subnet => SUBNET,
        Kind::NatGateway => NAT_GATEWAY,
        Kind::WayOut => WAY_OUT,
        Kind::Firewall => FIREWALL,
        Kind::LoadBalancer => edge_table::LOAD_BALANCER,
        Kind::DnsRecord => edge_table::DNS_RECORD,
        Kind::Role => ROLE,
        Kind::Volume => VOLUME,
        Kind::NetworkInterface => NETWORK_INTERFACE,
        Kind::Machine => MACHINE,
        Kind::LoadBalancerTarget => edge_table::LOAD_BALANCER_TARGET,
        Kind::NodeGroup => groups_table::NODE_GROUP,
        Kind::GroupMachine => groups_table::GROUP_MACHINE,
        Kind::Leftover => leftover_table::LEFTOVER,
        Kind::NodeBundle
        | Kind::EtcdMember
        | Kind::EtcdSnapshot
        | Kind::ControlPlane
        | Kind::VirtualAddress
        | Kind::Node
        | Kind::Addon => &[],
    }
}

/// One look serves all places.
const PLACES: &[&str] = &[
    "ec2:DescribeAddresses",
    "ec2:DescribeInternetGateways",
    "ec2:DescribeNatGateways",
    "ec2:DescribeRouteTables",
    "ec2:DescribeSecurityGroups",
    "ec2:DescribeSubnets",
    "ec2:DescribeVpcs",
];

/// What keeps a place from being deleted is looked for.
const IN_THE_WAY: &[&str] = &["ec2:DescribeNetworkInterfaces"];

const NETWORK: &[Row] = &[
    row(LOOK, On::Everything, PLACES),
    row(
        ALL,
        On::Everything,
        &["ec2:DescribeInternetGateways", "ec2:DescribeVpcs"],
    ),
    row(CREATE, On::Made(&["vpc"]), &["ec2:CreateVpc"]),
    row(
        BRING,
        On::Made(&["internet-gateway"]),
        &["ec2:CreateInternetGateway"],
    ),
    row(BRING, On::Own(&["vpc"]), &["ec2:ModifyVpcAttribute"]),
    row(
        BRING,
        On::Own(&["internet-gateway", "vpc"]),
        &["ec2:AttachInternetGateway"],
    ),
    row(
        DELETE,
        On::Own(&["internet-gateway", "vpc"]),
        &["ec2:DetachInternetGateway"],
    ),
    row(ALL, On::Own(&["vpc"]), &["ec2:DeleteVpc"]),
    row(DELETE, On::Everything, IN_THE_WAY),
    row(
        ALL,
        On::Own(&["internet-gateway"]),
        &["ec2:DeleteInternetGateway"],
    ),
];

const SUBNET: &[Row] = &[
    row(LOOK, On::Everything, PLACES),
    row(ALL, On::Everything, &["ec2:DescribeSubnets"]),
    row(BRING, On::Everything, &["ec2:DescribeVpcs"]),
    row(BRING, On::Made(&["subnet"]), &["ec2:CreateSubnet"]),
    row(BRING, On::Network, &["ec2:CreateSubnet"]),
    row(DELETE, On::Own(&["subnet"]), &["ec2:DeleteSubnet"]),
    row(DELETE, On::Everything, IN_THE_WAY),
];

const NAT_GATEWAY: &[Row] = &[
    row(LOOK, On::Everything, PLACES),
    row(
        ALL,
        On::Everything,
        &["ec2:DescribeAddresses", "ec2:DescribeNatGateways"],
    ),
    row(BRING, On::Everything, &["ec2:DescribeSubnets"]),
    row(BRING, On::Made(&["elastic-ip"]), &["ec2:AllocateAddress"]),
    row(BRING, On::Made(&["natgateway"]), &["ec2:CreateNatGateway"]),
    row(BRING, On::Own(&["elastic-ip"]), &["ec2:CreateNatGateway"]),
    row(BRING, On::Subnets, &["ec2:CreateNatGateway"]),
    row(ALL, On::Own(&["elastic-ip"]), &["ec2:ReleaseAddress"]),
    row(DELETE, On::Own(&["natgateway"]), &["ec2:DeleteNatGateway"]),
];

const WAY_OUT: &[Row] = &[
    row(LOOK, On::Everything, PLACES),
    row(ALL, On::Everything, &["ec2:DescribeRouteTables"]),
    row(
        BRING,
        On::Everything,
        &[
            "ec2:DescribeInternetGateways",
            "ec2:DescribeNatGateways",
            "ec2:DescribeSubnets",
            "ec2:DescribeVpcs",
        ],
    ),
    row(CREATE, On::Made(&["route-table"]), &["ec2:CreateRouteTable"]),
    row(CREATE, On::Network, &["ec2:CreateRouteTable"]),
    row(BRING, On::Own(&["route-table"]), &["ec2:CreateRoute"]),
    row(UPDATE, On::Own(&["route-table"]), &["ec2:ReplaceRoute"]),
    row(BRING, On::Own(&["route-table"]), &["ec2:AssociateRouteTable"]),
    row(BRING, On::Subnets, &["ec2:AssociateRouteTable"]),
    row(
        UPDATE_OR_DELETE,
        On::Own(&["route-table", "subnet"]),
        &["ec2:DisassociateRouteTable"],
    ),
    row(UPDATE_OR_DELETE, On::Subnets, &["ec2:DisassociateRouteTable"]),
    row(ALL, On::Own(&["route-table"]), &["ec2:DeleteRouteTable"]),
];

const FIREWALL: &[Row] = &[
    row(LOOK, On::Everything, PLACES),
    row(ALL, On::Everything, &["ec2:DescribeSecurityGroups"]),
    row(CREATE, On::Everything, &["ec2:DescribeVpcs"]),
    row(
        CREATE,
        On::Made(&["security-group"]),
        &["ec2:CreateSecurityGroup"],
    ),
    row(CREATE, On::Network, &["ec2:CreateSecurityGroup"]),
    row(
        BRING,
        On::Own(&["security-group"]),
        &["ec2:AuthorizeSecurityGroupIngress"],
    ),
    row(
        UPDATE,
        On::Own(&["security-group"]),
        &["ec2:UpdateSecurityGroupRuleDescriptionsIngress"],
    ),
    row(
        UPDATE_OR_DELETE,
        On::Own(&["security-group"]),
        &["ec2:RevokeSecurityGroupIngress"],
    ),
    row(DELETE, On::Own(&["security-group"]), &["ec2:DeleteSecurityGroup"]),
];

/// Of a role that is not there IAM knows no path, so that whoever asks for one by its name asks for any.
const ROLE: &[Row] = &[
    row(
        LOOK,
        On::Everything,
        &[
            "iam:GetInstanceProfile",
            "iam:GetRole",
            "iam:ListInstanceProfiles",
            "iam:ListRoles",
        ],
    ),
    row(LOOK, On::Roles, ROLE_PARTS),
    row(ALL, On::Everything, &["iam:GetInstanceProfile", "iam:GetRole"]),
    row(ALL, On::Roles, ROLE_PARTS),
    row(
        DELETE,
        On::Everything,
        &["iam:ListInstanceProfiles", "iam:ListRoles"],
    ),
    row(BRING, On::Role, &["iam:CreateRole"]).only_if(is_unbound),
    row(BRING, On::BoundRole, &["iam:CreateRole"]).only_if(is_bound),
    row(BRING, On::MadeRole, &["iam:TagRole"]),
    row(
        BRING,
        On::MadeProfile,
        &["iam:CreateInstanceProfile", "iam:TagInstanceProfile"],
    ),
    row(UPDATE, On::BoundRole, &["iam:PutRolePermissionsBoundary"]).only_if(is_bound),
    row(UPDATE, On::Roles, &["iam:DeleteRolePermissionsBoundary"]).only_if(is_unbound),
    row(UPDATE, On::Roles, &["iam:UpdateAssumeRolePolicy"]),
    row(BRING, On::Roles, &["iam:PutRolePolicy"]).only_if(may_something),
    row(BRING, On::GivenPolicies, &["iam:AttachRolePolicy"]).only_if(is_given_policies),
    row(
        UPDATE_OR_DELETE,
        On::Roles,
        &["iam:DeleteRolePolicy", "iam:DetachRolePolicy"],
    ),
    row(BRING, On::Profiles, &["iam:AddRoleToInstanceProfile"]),
    row(BRING, On::PassedRole, &["iam:PassRole"]),
    row(
        UPDATE_OR_DELETE,
        On::Profiles,
        &["iam:RemoveRoleFromInstanceProfile"],
    ),
    row(DELETE, On::Profiles, &["iam:DeleteInstanceProfile"]),
    row(DELETE, On::Roles, &["iam:DeleteRole"]),
];

const ROLE_PARTS: &[&str] = &[
    "iam:GetRolePolicy",
    "iam:ListAttachedRolePolicies",
    "iam:ListRolePolicies",
];

/// What EBS asks of a key in the name of whoever makes or attaches a volume
/// (<https://docs.aws.amazon.com/ebs/latest/userguide/ebs-encryption-requirements.html>).
const KEY: &[&str] = &[
    "kms:Decrypt",
    "kms:DescribeKey",
    "kms:GenerateDataKeyWithoutPlaintext",
    "kms:ReEncryptFrom",
    "kms:ReEncryptTo",
];
const KEY_GRANT: &[&str] = &["kms:CreateGrant"];

const VOLUME: &[Row] = &[
    row(LOOK, On::Everything, &["ec2:DescribeVolumes"]),
    row(ALL, On::Everything, &["ec2:DescribeVolumes"]),
    row(CREATE, On::Made(&["volume"]), &["ec2:CreateVolume"]),
    row(CREATE, On::VolumeKey, KEY),
    row(CREATE, On::VolumeKeyGrant, KEY_GRANT),
    row(UPDATE, On::Own(&["volume"]), &["ec2:ModifyVolume"]),
    row(CREATE, On::Own(&["volume"]), &["ec2:DeleteVolume"]),
    row(DELETE, On::Own(&["volume"]), &["ec2:DeleteVolume"]),
];

const INTERFACES: &[&str] = &[
    "ec2:DescribeAddresses",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSecurityGroups",
    "ec2:DescribeSubnets",
];

const NETWORK_INTERFACE: &[Row] = &[
    row(LOOK, On::Everything, INTERFACES),
    row(BRING, On::Everything, INTERFACES),
    row(
        DELETE,
        On::Everything,
        &["ec2:DescribeAddresses", "ec2:DescribeNetworkInterfaces"],
    ),
    row(
        CREATE,
        On::Made(&["network-interface"]),
        &["ec2:CreateNetworkInterface"],
    ),
    row(CREATE, On::Subnets, &["ec2:CreateNetworkInterface"]),
    row(
        CREATE,
        On::Own(&["security-group"]),
        &["ec2:CreateNetworkInterface"],
    ),
    row(
        UPDATE,
        On::Own(&["network-interface", "security-group"]),
        &["ec2:ModifyNetworkInterfaceAttribute"],
    ),
    row(BRING, On::Made(&["elastic-ip"]), &["ec2:AllocateAddress"]).only_if(is_public),
    row(
        BRING,
        On::Own(&["elastic-ip", "network-interface"]),
        &["ec2:AssociateAddress"],
    )
    .only_if(is_public),
    row(BRING, On::Own(&["elastic-ip"]), &["ec2:ReleaseAddress"]).only_if(is_public),
    row(
        UPDATE,
        On::Own(&["elastic-ip", "network-interface"]),
        &["ec2:DisassociateAddress"],
    )
    .only_if(is_private),
    row(UPDATE, On::Own(&["elastic-ip"]), &["ec2:ReleaseAddress"]).only_if(is_private),
    row(
        DELETE,
        On::Own(&["elastic-ip", "network-interface"]),
        &["ec2:DisassociateAddress"],
    )
    .only_if(is_public),
    row(DELETE, On::Own(&["elastic-ip"]), &["ec2:ReleaseAddress"]).only_if(is_public),
    row(
        DELETE,
        On::Own(&["network-interface"]),
        &["ec2:DeleteNetworkInterface"],
    ),
];

const MACHINE: &[Row] = &[
    row(
        LOOK,
        On::Everything,
        &[
            "ec2:DescribeInstances",
            "ec2:DescribeSecurityGroups",
            "ec2:DescribeSubnets",
            "ec2:DescribeVolumes",
        ],
    ),
    row(
        PREFLIGHT,
        On::Everything,
        &[
            "ec2:DescribeImages",
            "ec2:DescribeInstanceTypeOfferings",
            "ec2:DescribeInstanceTypes",
        ],
    ),
    row(ALL, On::Everything, &["ec2:DescribeInstances"]),
    row(
        CREATE,
        On::Everything,
        &["ec2:DescribeImages", "ec2:DescribeInstanceTypes"],
    ),
    row(CREATE, On::Everything, &["ec2:DescribeNetworkInterfaces"]).only_if(has_interface),
    row(CREATE, On::Everything, &["ec2:DescribeSubnets"]).only_if(has_place),
    row(BRING, On::Everything, &["ec2:DescribeSecurityGroups"]).only_if(has_place),
    row(BRING, On::Everything, &["ec2:DescribeVolumes"]).only_if(has_volume),
    row(CREATE, On::Everything, &["iam:GetInstanceProfile"]).only_if(has_role),
    row(CREATE, On::Made(&["instance", "volume"]), &["ec2:RunInstances"]),
    row(CREATE, On::Own(&["security-group"]), &["ec2:RunInstances"]),
    row(CREATE, On::Subnets, &["ec2:RunInstances"]),
    row(CREATE, On::Image, &["ec2:RunInstances"]),
    row(CREATE, On::Interface, &["ec2:RunInstances"]).only_if(has_interface),
    row(CREATE, On::Made(&["network-interface"]), &["ec2:RunInstances"]).only_if(has_place),
    row(
        CREATE,
        On::ServiceRole("spot.amazonaws.com"),
        &["iam:CreateServiceLinkedRole"],
    )
    .only_if(is_spot),
    row(BRING, On::PassedRole, &["iam:PassRole"]).only_if(has_role),
    row(
        UPDATE,
        On::Everything,
        &["ec2:DescribeIamInstanceProfileAssociations"],
    )
    .only_if(has_role),
    row(
        UPDATE,
        On::Own(&["instance"]),
        &[
            "ec2:AssociateIamInstanceProfile",
            "ec2:ReplaceIamInstanceProfileAssociation",
        ],
    )
    .only_if(has_role),
    row(
        UPDATE,
        On::Own(&["instance", "security-group"]),
        &["ec2:ModifyInstanceAttribute"],
    )
    .only_if(has_place),
    row(BRING, On::Own(&["instance", "volume"]), &["ec2:AttachVolume"]).only_if(has_volume),
    row(BRING, On::VolumeKey, KEY).only_if(has_volume),
    row(BRING, On::VolumeKeyGrant, KEY_GRANT).only_if(has_volume),
    row(UPDATE, On::MachineTags, &["ec2:CreateTags"]),
    row(ALL, On::Own(&["instance"]), &["ec2:TerminateInstances"]),
    row(
        DELETE,
        On::Everything,
        &["ec2:DescribeNetworkInterfaces", "ec2:DescribeVolumes"],
    ),
    row(DELETE, On::Own(&["volume"]), &["ec2:DeleteVolume"]),
    row(
        DELETE,
        On::Own(&["network-interface"]),
        &["ec2:DeleteNetworkInterface"],
    ),
];

fn is_bound(resource: &Resource) -> bool {
    matches!(resource, Resource::Role(role) if role.boundary.is_some())
}

fn is_unbound(resource: &Resource) -> bool {
    !is_bound(resource)
}

fn may_something(resource: &Resource) -> bool {
    let is_empty = |statements: &serde_json::Value| statements.as_array().is_some_and(Vec::is_empty);
    matches!(resource, Resource::Role(role) if !is_empty(&role.statements))
}

fn is_given_policies(resource: &Resource) -> bool {
    matches!(resource, Resource::Role(role) if !role.policies.is_empty())
}

fn is_public(resource: &Resource) -> bool {
    matches!(resource, Resource::NetworkInterface(interface) if interface.public)
}

fn is_private(resource: &Resource) -> bool {
    !is_public(resource)
}

fn has_interface(resource: &Resource) -> bool {
    matches!(resource, Resource::Machine(machine) if machine.network_interface.is_some())
}

/// True for a machine that is where it is said to be, and not where its interface is.
fn has_place(resource: &Resource) -> bool {
    !has_interface(resource)
}

fn has_volume(resource: &Resource) -> bool {
    matches!(resource, Resource::Machine(machine) if machine.volume.is_some())
}

fn has_role(resource: &Resource) -> bool {
    matches!(resource, Resource::Machine(machine) if machine.role.is_some())
}

fn is_spot(resource: &Resource) -> bool {
    matches!(resource, Resource::Machine(machine) if machine.spot)
}
