//! What a version of a launch template says, from a [`Launch`] and back.

use aws_sdk_ec2::types::{
    LaunchTemplateBlockDeviceMapping, LaunchTemplateBlockDeviceMappingRequest,
    LaunchTemplateEbsBlockDeviceRequest, LaunchTemplateHttpTokensState,
    LaunchTemplateIamInstanceProfileSpecificationRequest, LaunchTemplateInstanceMarketOptionsRequest,
    LaunchTemplateInstanceMetadataEndpointState, LaunchTemplateInstanceMetadataOptionsRequest,
    LaunchTemplateInstanceMetadataTagsState, LaunchTemplateInstanceNetworkInterfaceSpecification,
    LaunchTemplateInstanceNetworkInterfaceSpecificationRequest, LaunchTemplateSpotMarketOptionsRequest,
    LaunchTemplateTagSpecification, LaunchTemplateTagSpecificationRequest, MarketType,
    RequestLaunchTemplateData, ResourceType, ResponseLaunchTemplateData, SpotInstanceType, VolumeType,
};
use aws_smithy_types::base64;

use crate::failure::CallError;
use crate::mark::Tags;

use super::launch::{HOP_LIMIT, Launch, LaunchInterface, RootVolume};
use super::tags;
use super::volumes::size;

/// What a launch template says so that instances are started with `launch`.
pub(super) fn written(action: &'static str, launch: &Launch) -> Result<RequestLaunchTemplateData, CallError> {
    let profile = |name| {
        LaunchTemplateIamInstanceProfileSpecificationRequest::builder()
            .name(name)
            .build()
    };
    let tagged = launch.tagged().map(|kind| {
        LaunchTemplateTagSpecificationRequest::builder()
            .resource_type(kind)
            .set_tags(Some(tags::written(&launch.tags)))
            .build()
    });
    Ok(RequestLaunchTemplateData::builder()
        .image_id(&launch.image)
        .instance_type(launch.instance_type.as_str().into())
        .network_interfaces(written_interface(&launch.interface))
        .block_device_mappings(written_root(action, &launch.root)?)
        .set_user_data(launch.encoded_user_data(action)?)
        .metadata_options(metadata_options())
        .set_iam_instance_profile(launch.instance_profile.as_ref().map(profile))
        .set_key_name(launch.key_pair.clone())
        .set_instance_market_options(launch.spot.then(one_time_spot))
        .set_disable_api_termination(launch.protected.then_some(true))
        .set_tag_specifications(Some(tagged.collect()))
        .build())
}

fn written_interface(
    interface: &LaunchInterface,
) -> LaunchTemplateInstanceNetworkInterfaceSpecificationRequest {
    let first = LaunchTemplateInstanceNetworkInterfaceSpecificationRequest::builder().device_index(0);
    match interface {
        LaunchInterface::New {
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
        LaunchInterface::Existing { id } => first.network_interface_id(id).build(),
    }
}

fn written_root(
    action: &'static str,
    root: &RootVolume,
) -> Result<LaunchTemplateBlockDeviceMappingRequest, CallError> {
    let volume = LaunchTemplateEbsBlockDeviceRequest::builder()
        .volume_size(size(action, root.size_gibibytes)?)
        .volume_type(VolumeType::Gp3)
        .encrypted(true)
        .set_kms_key_id(root.encryption_key.clone())
        .delete_on_termination(true)
        .build();
    let mapping = LaunchTemplateBlockDeviceMappingRequest::builder().device_name(&root.device);
    Ok(mapping.ebs(volume).build())
}

fn metadata_options() -> LaunchTemplateInstanceMetadataOptionsRequest {
    LaunchTemplateInstanceMetadataOptionsRequest::builder()
        .http_endpoint(LaunchTemplateInstanceMetadataEndpointState::Enabled)
        .http_tokens(LaunchTemplateHttpTokensState::Required)
        .http_put_response_hop_limit(HOP_LIMIT)
        .instance_metadata_tags(LaunchTemplateInstanceMetadataTagsState::Disabled)
        .build()
}

fn one_time_spot() -> LaunchTemplateInstanceMarketOptionsRequest {
    let spot = LaunchTemplateSpotMarketOptionsRequest::builder()
        .spot_instance_type(SpotInstanceType::OneTime)
        .build();
    LaunchTemplateInstanceMarketOptionsRequest::builder()
        .market_type(MarketType::Spot)
        .spot_options(spot)
        .build()
}

/// What instances are started with by a launch template that says `data`; none when it says what no [`Launch`] is: what is the
/// same for all of them is otherwise there, or something is missing.
pub(super) fn read(data: ResponseLaunchTemplateData) -> Option<Launch> {
    if !is_metadata_guarded(&data) {
        return None;
    }
    let interface = read_interface(only(data.network_interfaces)?)?;
    let spot = match data.instance_market_options {
        None => false,
        Some(options) => {
            let kind = options.spot_options.and_then(|spot| spot.spot_instance_type);
            let is_usual = options.market_type == Some(MarketType::Spot)
                && kind.is_none_or(|kind| kind == SpotInstanceType::OneTime);
            is_usual.then_some(true)?
        }
    };
    let launch = Launch {
        image: data.image_id?,
        instance_type: data.instance_type?.as_str().to_owned(),
        interface,
        root: read_root(only(data.block_device_mappings)?)?,
        user_data: base64::decode(data.user_data.unwrap_or_default()).ok()?,
        instance_profile: match data.iam_instance_profile {
            Some(profile) => Some(profile.name?),
            None => None,
        },
        key_pair: data.key_name,
        spot,
        protected: data.disable_api_termination.unwrap_or_default(),
        tags: Tags::new(),
    };
    let tags = read_tags(&launch, &data.tag_specifications.unwrap_or_default())?;
    Some(Launch { tags, ..launch })
}

fn only<T>(list: Option<Vec<T>>) -> Option<T> {
    let mut list = list?;
    let found = list.pop();
    found.filter(|_| list.is_empty())
}

fn is_metadata_guarded(data: &ResponseLaunchTemplateData) -> bool {
    data.metadata_options.as_ref().is_some_and(|options| {
        options.http_endpoint == Some(LaunchTemplateInstanceMetadataEndpointState::Enabled)
            && options.http_tokens == Some(LaunchTemplateHttpTokensState::Required)
            && options.http_put_response_hop_limit == Some(HOP_LIMIT)
            && options.instance_metadata_tags == Some(LaunchTemplateInstanceMetadataTagsState::Disabled)
    })
}

fn read_interface(found: LaunchTemplateInstanceNetworkInterfaceSpecification) -> Option<LaunchInterface> {
    if found.device_index != Some(0) {
        return None;
    }
    if let Some(id) = found.network_interface_id {
        return Some(LaunchInterface::Existing { id });
    }
    if found.delete_on_termination == Some(false) {
        return None;
    }
    let private_address = match found.private_ip_address {
        Some(address) => Some(address.parse().ok()?),
        None => None,
    };
    Some(LaunchInterface::New {
        subnet: found.subnet_id,
        private_address,
        groups: found.groups.unwrap_or_default(),
        public_address: found.associate_public_ip_address.unwrap_or_default(),
    })
}

fn read_root(mapping: LaunchTemplateBlockDeviceMapping) -> Option<RootVolume> {
    let volume = mapping.ebs?;
    let is_usual = volume.volume_type == Some(VolumeType::Gp3)
        && volume.encrypted == Some(true)
        && volume.delete_on_termination == Some(true);
    is_usual.then_some(())?;
    Some(RootVolume {
        device: mapping.device_name?,
        size_gibibytes: volume.volume_size?.try_into().ok()?,
        encryption_key: volume.kms_key_id,
    })
}

/// The tags, when they are the same for all that is made with an instance.
fn read_tags(launch: &Launch, found: &[LaunchTemplateTagSpecification]) -> Option<Tags> {
    let of = |kind: &ResourceType| {
        let same = found.iter().find(|one| one.resource_type.as_ref() == Some(kind));
        tags::read(same.and_then(|one| one.tags.clone()))
    };
    let tags = of(&ResourceType::Instance);
    launch.tagged().all(|kind| of(&kind) == tags).then_some(tags)
}

#[cfg(test)]
mod tests {
    use aws_sdk_ec2::types as sdk;

    use super::*;

    fn launch() -> Launch {
        Launch {
            image: "ami-1".to_owned(),
            instance_type: "m6i.large".to_owned(),
            interface: LaunchInterface::Existing {
                id: "eni-1".to_owned(),
            },
            root: RootVolume {
                device: "/dev/sda1".to_owned(),
                size_gibibytes: 50,
                encryption_key: None,
            },
            user_data: b"#!/bin/sh".to_vec(),
            instance_profile: Some("nodes".to_owned()),
            key_pair: None,
            spot: true,
            protected: false,
            tags: Tags::from([("a".to_owned(), "1".to_owned())]),
        }
    }

    /// As EC2 answers it.
    fn answered(launch: &Launch) -> ResponseLaunchTemplateData {
        let asked = written("CreateLaunchTemplate", launch).unwrap();
        let metadata = sdk::LaunchTemplateInstanceMetadataOptions::builder()
            .http_endpoint(LaunchTemplateInstanceMetadataEndpointState::Enabled)
            .http_tokens(LaunchTemplateHttpTokensState::Required)
            .http_put_response_hop_limit(1)
            .instance_metadata_tags(LaunchTemplateInstanceMetadataTagsState::Disabled);
        let volume = sdk::LaunchTemplateEbsBlockDevice::builder()
            .volume_size(50)
            .volume_type(VolumeType::Gp3)
            .encrypted(true)
            .delete_on_termination(true);
        let root = LaunchTemplateBlockDeviceMapping::builder()
            .device_name("/dev/sda1")
            .ebs(volume.build());
        let interface = LaunchTemplateInstanceNetworkInterfaceSpecification::builder()
            .device_index(0)
            .network_interface_id("eni-1");
        let profile = sdk::LaunchTemplateIamInstanceProfileSpecification::builder().name("nodes");
        let market = sdk::LaunchTemplateInstanceMarketOptions::builder().market_type(MarketType::Spot);
        let tags = launch.tagged().map(|kind| {
            LaunchTemplateTagSpecification::builder()
                .resource_type(kind)
                .set_tags(Some(tags::written(&launch.tags)))
                .build()
        });
        ResponseLaunchTemplateData::builder()
            .set_image_id(asked.image_id)
            .set_instance_type(asked.instance_type)
            .set_user_data(asked.user_data)
            .metadata_options(metadata.build())
            .block_device_mappings(root.build())
            .network_interfaces(interface.build())
            .iam_instance_profile(profile.build())
            .instance_market_options(market.build())
            .set_tag_specifications(Some(tags.collect()))
            .build()
    }

    #[test]
    fn a_version_is_read_as_it_was_written() {
        let launch = launch();
        assert_eq!(read(answered(&launch)), Some(launch));
    }

    type Change = fn(&mut ResponseLaunchTemplateData);

    #[test]
    fn a_version_that_says_what_no_launch_does_is_none() {
        let changes: [(&str, Change); 8] = [
            ("no guard", |data| data.metadata_options = None),
            ("tokens", |data| {
                let options = data.metadata_options.as_mut().unwrap();
                options.http_tokens = Some(LaunchTemplateHttpTokensState::Optional);
            }),
            ("hop limit", |data| {
                data.metadata_options
                    .as_mut()
                    .unwrap()
                    .http_put_response_hop_limit = Some(2);
            }),
            ("no image", |data| data.image_id = None),
            ("no encryption", |data| {
                let root = &mut data.block_device_mappings.as_mut().unwrap()[0];
                root.ebs.as_mut().unwrap().encrypted = Some(false);
            }),
            ("two volumes", |data| {
                let volumes = data.block_device_mappings.as_mut().unwrap();
                volumes.push(volumes[0].clone());
            }),
            ("user data that is none", |data| {
                data.user_data = Some("!".to_owned());
            }),
            ("a volume with other tags", |data| {
                data.tag_specifications.as_mut().unwrap()[1].tags = None;
            }),
        ];
        for (name, change) in changes {
            let mut data = answered(&launch());
            change(&mut data);
            assert_eq!(read(data), None, "{name}");
        }
    }
}
