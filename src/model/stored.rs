//! Where in the state store the things are that machines read and write themselves. Their roles allow just that.

use keelson_provider_api::values::{ClusterName, Digest};

use super::blueprint::MachineBlueprint;
use super::roles;
use crate::spec::Bucket;

/// The folder of the bundles that `machine` may read: those of all machines with its role, and no other. A worker is never to see
/// what a control plane is given. It ends with a slash.
pub fn bundles_of_role(cluster: &ClusterName, machine: &MachineBlueprint<'_>) -> String {
    format!("{}{}/", all_bundles(cluster), roles::own_name(machine))
}

/// The folder with the bundles that are kept for first boots of `machine`. It ends with a slash.
pub fn bundles_of_machine(cluster: &ClusterName, machine: &MachineBlueprint<'_>) -> String {
    format!("{}{}/", bundles_of_role(cluster, machine), machine.name)
}

/// The folders with what is kept for machines, and by them, as long as the cluster lives. Each ends with a slash.
pub fn folders_of_machines(cluster: &ClusterName) -> [String; 2] {
    [all_bundles(cluster), host_keys_folder(cluster)]
}

/// The folder with the bundles that are kept for first boots of all machines. It ends with a slash.
pub fn all_bundles(cluster: &ClusterName) -> String {
    format!("{cluster}/bundles/")
}

/// Where the bundle is kept that `name` stands for.
pub fn bundle_path(cluster: &ClusterName, machine: &MachineBlueprint<'_>, name: Digest) -> String {
    format!("{}{}", bundles_of_machine(cluster, machine), name.hexadecimal())
}

/// The folder with the public host keys that machines publish before anybody has connected to them. It ends with a slash.
pub fn host_keys_folder(cluster: &ClusterName) -> String {
    format!("{cluster}/host-keys/")
}

/// Where the machine publishes its host keys that the cloud calls `instance`: in AWS its ARN, such as
/// `arn:aws:ec2:eu-west-1:123456789012:instance/i-0abc`. A role that all machines of a kind share allows each only its own
/// object, because AWS knows whose key asks.
pub fn host_keys_path(cluster: &ClusterName, instance: &str) -> String {
    format!("{}{instance}", host_keys_folder(cluster))
}

/// The instance that asks, in a policy of AWS: the ARN of the one that the key was lent to
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html>, `ec2:SourceInstanceArn`).
pub(super) const INSTANCE_ITSELF: &str = "${ec2:SourceInstanceARN}";

/// The key of the object at `path` of the state store in `bucket`.
pub fn key_in_bucket(bucket: &Bucket, path: &str) -> String {
    let slash = if bucket.prefix.is_empty() { "" } else { "/" };
    format!("{}{slash}{path}", bucket.prefix)
}
