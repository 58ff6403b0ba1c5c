//! What instances are started with: by hand, and by a launch template.
//!
//! Some of it is the same for all: the service that tells an instance about itself wants a session and answers no container
//! (a hop limit of 1), since it gives out the instance's credentials; root volumes are gp3, encrypted and go with their
//! instance, and so do interfaces that are made with it.

use std::net::Ipv4Addr;

use aws_sdk_ec2::operation::run_instances::builders::RunInstancesFluentBuilder;
use aws_sdk_ec2::types::{
    BlockDeviceMapping, EbsBlockDevice, HttpTokensState, IamInstanceProfileSpecification,
    InstanceMarketOptionsRequest, InstanceMetadataEndpointState, InstanceMetadataOptionsRequest,
    InstanceMetadataTagsState, InstanceNetworkInterfaceSpecification, MarketType, ResourceType,
    SpotInstanceType, SpotMarketOptions, VolumeType,
};
use aws_smithy_types::base64;

use crate::failure::CallError;
use crate::mark::Tags;

use super::tags;
use super::volumes::size;

/// EC2 user guide, "Run commands when you launch an EC2 instance with user data input": before it is encoded.
pub const USER_DATA_BYTES: usize = 16 * 1024;
/// How far an answer about the instance goes: to the instance, not into a container.
pub(super) const HOP_LIMIT: i32 = 1;

/// What an instance is started with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Launch {
    /// The id of its image.
    pub image: String,
    /// Its type, for example `m6i.large`.
    pub instance_type: String,
    /// Its first interface.
    pub interface: LaunchInterface,
    /// The volume that it starts from.
    pub root: RootVolume,
    /// What its system does at its first start; at most [`USER_DATA_BYTES`]. Anybody on the instance can read it.
    pub user_data: Vec<u8>,
    /// The name of the instance profile that it has the rights of.
    pub instance_profile: Option<String>,
    /// The name of a key pair of this region, for logins.
    pub key_pair: Option<String>,
    /// Whether it is of what nobody else pays for just now: cheaper, and ended when somebody does.
    pub spot: bool,
    /// Whether the API refuses to end it until [`Ec2::protect_instance`](super::Ec2::protect_instance) says otherwise.
    pub protected: bool,
    /// What the instance, its root volume and an interface that is made with it are marked with.
    pub tags: Tags,
}

/// The first interface of an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LaunchInterface {
    /// One that is made with the instance, and goes with it.
    New {
        /// The subnet; none in a launch template for an Auto Scaling group, which has subnets of its own.
        subnet: Option<String>,
        /// Its private address; without one, EC2 takes one that is free.
        private_address: Option<Ipv4Addr>,
        /// The ids of its security groups.
        groups: Vec<String>,
        /// Whether it has a public address too.
        public_address: bool,
    },
    /// One that is there, with the groups and addresses that it has, and stays when the instance ends.
    Existing {
        /// Its id.
        id: String,
    },
}

/// The volume that an instance starts from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RootVolume {
    /// What the image calls it ([`Image::root_device`](super::Image::root_device)); by another name it would be a second one.
    pub device: String,
    /// How much it holds; no less than the image.
    pub size_gibibytes: u32,
    /// The key of KMS that encrypts it; without one, the account's key for EBS.
    pub encryption_key: Option<String>,
}

impl Launch {
    /// The call that starts one instance.
    pub(super) fn written(
        &self,
        action: &'static str,
        call: RunInstancesFluentBuilder,
    ) -> Result<RunInstancesFluentBuilder, CallError> {
        let profile = self.instance_profile.as_ref();
        let tags = self.tagged().map(|kind| tags::specification(kind, &self.tags));
        Ok(call
            .min_count(1)
            .max_count(1)
            .image_id(&self.image)
            .instance_type(self.instance_type.as_str().into())
            .network_interfaces(self.interface.written())
            .block_device_mappings(self.root.written(action)?)
            .set_user_data(self.encoded_user_data(action)?)
            .metadata_options(metadata_options())
            .set_iam_instance_profile(
                profile.map(|name| IamInstanceProfileSpecification::builder().name(name).build()),
            )
            .set_key_name(self.key_pair.clone())
            .set_instance_market_options(self.spot.then(one_time_spot))
            .set_disable_api_termination(self.protected.then_some(true))
            .set_tag_specifications(Some(tags.collect())))
    }

    /// What is made with the instance, and tagged with it: EC2 refuses tags for what a call does not make.
    pub(super) fn tagged(&self) -> impl Iterator<Item = ResourceType> {
        let makes_interface = matches!(self.interface, LaunchInterface::New { .. });
        [ResourceType::Instance, ResourceType::Volume]
            .into_iter()
            .chain(makes_interface.then_some(ResourceType::NetworkInterface))
    }

    /// User data as EC2 takes it.
    pub(super) fn encoded_user_data(&self, action: &'static str) -> Result<Option<String>, CallError> {
        let bytes = self.user_data.len();
        if bytes > USER_DATA_BYTES {
            let problem =
                format!("the user data has {bytes} bytes, and EC2 takes {USER_DATA_BYTES} at the most");
            return Err(CallError::unsent(action, problem));
        }
        Ok((bytes > 0).then(|| base64::encode(&self.user_data)))
    }
}

impl LaunchInterface {
    fn written(&self) -> InstanceNetworkInterfaceSpecification {
        let first = InstanceNetworkInterfaceSpecification::builder().device_index(0);
        match self {
            Self::New {
                subnet,
                private_address,
                groups,
                public_address,
            } => first
                .set_subnet_id(subnet.clone())
                .set_private_ip_address(private_address.map(|address| address.to_string()))
                .set_groups(Some(groups.clone()))
                .associate_public_ip_address(*public_address)
                .delete_on_termination(true)
                .build(),
            Self::Existing { id } => first.network_interface_id(id).build(),
        }
    }
}

impl RootVolume {
    fn written(&self, action: &'static str) -> Result<BlockDeviceMapping, CallError> {
        let volume = EbsBlockDevice::builder()
            .volume_size(size(action, self.size_gibibytes)?)
            .volume_type(VolumeType::Gp3)
            .encrypted(true)
            .set_kms_key_id(self.encryption_key.clone())
            .delete_on_termination(true)
            .build();
        let mapping = BlockDeviceMapping::builder().device_name(&self.device);
        Ok(mapping.ebs(volume).build())
    }
}

fn metadata_options() -> InstanceMetadataOptionsRequest {
    InstanceMetadataOptionsRequest::builder()
        .http_endpoint(InstanceMetadataEndpointState::Enabled)
        .http_tokens(HttpTokensState::Required)
        .http_put_response_hop_limit(HOP_LIMIT)
        .instance_metadata_tags(InstanceMetadataTagsState::Disabled)
        .build()
}

/// Not asked for again by EC2 when it ends: whoever started it does that.
fn one_time_spot() -> InstanceMarketOptionsRequest {
    let spot = SpotMarketOptions::builder()
        .spot_instance_type(SpotInstanceType::OneTime)
        .build();
    InstanceMarketOptionsRequest::builder()
        .market_type(MarketType::Spot)
        .spot_options(spot)
        .build()
}
