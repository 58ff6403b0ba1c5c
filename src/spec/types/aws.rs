//! What a cluster on AWS is made of.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::spec::text::HttpUrl;
use crate::spec::text::formats::{BucketName, HostName, Identifier, PolicyArn, ProfileName, SubnetId, VpcId};

/// The names of operating system images that are known on AWS.
pub const AWS_IMAGES: &[&str] = &["ubuntu-24.04", "debian-12"];

/// Amazon Web Services.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AwsProvider {
    /// The region.
    #[schemars(with = "Identifier", example = &"eu-west-1")]
    pub region: String,
    /// The availability zones over which machines are spread, at least one. Three survive the loss of one.
    #[schemars(with = "Vec<Identifier>", length(min = 1), example = serde_json::json!(["eu-west-1a", "eu-west-1b", "eu-west-1c"]))]
    pub zones: Vec<String>,
    /// The Route 53 zone for the API's record. Without it, the load balancer's own name is used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<HostName>")]
    pub hosted_zone: Option<String>,
    /// Which Route 53 zone of the name `hostedZone` the API's record is made in. Without the field, the public one where
    /// `hostedZone` is named, and none where it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dns: Option<AwsDns>,
    /// Whether machines have public addresses.
    #[serde(default)]
    pub topology: AwsTopology,
    /// The network of the machines: one that exists already, or one that keelson makes, and the ways out of it.
    #[serde(default)]
    pub network: AwsNetwork,
    /// How the Kubernetes API is reached. Who may reach it, `spec.api.allowedCIDRs` says.
    #[serde(default)]
    pub api: AwsApi,
    /// What machines may do in the account.
    #[serde(default)]
    pub roles: AwsRoles,
    /// Lets pods take on IAM roles by their service accounts (IRSA): the cluster's public keys are published, and IAM trusts
    /// what they sign. Without it, pods have no roles of their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_account_issuer: Option<AwsServiceAccountIssuer>,
    /// The URL of a server that is asked in the place of AWS, such as an emulator. `http` is for loopback and private
    /// addresses only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(example = &"http://127.0.0.1:5000")]
    pub endpoint: Option<HttpUrl>,
}

/// Which Route 53 zone the API's record is made in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum AwsDns {
    /// The public zone: the name is known everywhere.
    Public,
    /// The private zone: the name is known in the VPCs that the zone belongs to.
    Private,
    /// No record is made: the load balancer's own name is used.
    None,
}

/// Whether machines have public addresses.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum AwsTopology {
    /// Machines have private addresses; `nat` says how they reach what is outside.
    #[default]
    Private,
    /// Machines have public addresses; security groups decide who reaches them.
    Public,
}

/// The network of the machines.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct AwsNetwork {
    /// An existing VPC, which is used and never changed or deleted. `spec.network.machineCIDR` is then a range of it.
    /// Without the field, keelson makes a VPC.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<VpcId>")]
    pub vpc: Option<String>,
    /// Existing subnets of that VPC by zone, which are used and never changed or deleted: all that the cluster needs, in
    /// every zone of the provider. Without the field, keelson makes subnets.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(with = "BTreeMap<Identifier, AwsSubnets>", example = serde_json::json!({
        "eu-west-1a": { "private": "subnet-0a1b2c3d4e5f60718", "public": "subnet-1a1b2c3d4e5f60718" },
    }))]
    pub subnets: BTreeMap<String, AwsSubnets>,
    /// How private machines reach what is outside their network. Without the field, `zone`, and `none` with existing
    /// subnets. Public machines need none of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nat: Option<AwsNat>,
}

/// The existing subnets of one zone.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct AwsSubnets {
    /// The one for machines without public addresses, and for an internal load balancer.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<SubnetId>")]
    pub private: Option<String>,
    /// The one for what has public addresses: a public load balancer, the bastion, machines of the public topology.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<SubnetId>")]
    pub public: Option<String>,
}

/// How private machines reach what is outside their network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum AwsNat {
    /// Through a NAT gateway in each zone: the loss of a zone takes only its own away.
    Zone,
    /// Through one NAT gateway in the first zone: cheaper, and the loss of that zone takes the way out of all.
    Single,
    /// Through what an existing VPC has already. keelson makes no way out.
    None,
}

/// How the Kubernetes API is reached.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct AwsApi {
    /// Whether the load balancer before the API has public addresses.
    pub load_balancer: AwsLoadBalancer,
}

/// Whether the load balancer before the API has public addresses.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum AwsLoadBalancer {
    /// It has, and is reached from the internet.
    #[default]
    Public,
    /// It has private ones only, and is reached from the VPC and what is connected with it.
    Internal,
}

/// What machines may do in the account.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct AwsRoles {
    /// That of control planes, and of machines that run etcd alone.
    pub control_plane: AwsRole,
    /// That of workers.
    pub node: AwsRole,
    /// That of the bastion.
    pub bastion: AwsRole,
}

/// What some machines may do in the account. keelson makes an IAM role with the rights that it needs, or is given an
/// instance profile that has one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct AwsRole {
    /// The policy that bounds what the role may ever do, by its ARN.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<PolicyArn>")]
    pub permissions_boundary: Option<String>,
    /// More policies that the role has, by their ARNs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<PolicyArn>", example = serde_json::json!(["arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore"]))]
    pub policies: Vec<String>,
    /// An existing instance profile by its name, which is used as it is. keelson then makes no role.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<ProfileName>")]
    pub instance_profile: Option<String>,
}

/// Where the cluster's public keys are published, for IAM to trust what they sign.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AwsServiceAccountIssuer {
    /// The bucket that they are in, of which these objects are readable by everyone: not one with secrets in it.
    #[schemars(with = "BucketName")]
    pub bucket: String,
}
