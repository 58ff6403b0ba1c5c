"""What instances are started with, and what AWS refuses to start."""

import base64

from moto.ec2.models.instance_types import INSTANCE_TYPE_OFFERINGS, INSTANCE_TYPES
from moto.ec2.models.instances import InstanceBackend

from .patches import around, error, instead

#: EC2 user guide, "Run commands when you launch an EC2 instance with user data input": before it is encoded.
USER_DATA_BYTES = 16 * 1024
ROOT_GIGABYTES = 8


def check_user_data(user_data):
    """Refuses what is longer than AWS takes."""
    if user_data and len(base64.b64decode(str(user_data))) > USER_DATA_BYTES:
        raise error("InvalidParameterValue", "User data is limited to 16384 bytes")


def check_type(backend, name):
    """Refuses a type of instance that the region has not, and gives what is known of the others."""
    offered = INSTANCE_TYPE_OFFERINGS["region"].get(backend.region_name, [])
    if not any(one["InstanceType"] == name for one in offered):
        raise error("InvalidParameterValue", f"Invalid value '{name}' for InstanceType.")
    return INSTANCE_TYPES.get(name, {})


@instead("launch-checks", InstanceBackend, "run_instances")
def run(original, backend, image_id, count, user_data, groups, **named):
    """AWS starts nothing with an image, a type or a key that is not there, of two architectures, or with more than 16 KiB of
    user data (EC2 API reference, RunInstances and "Error codes"); moto starts all of it."""
    image = backend.amis.get(image_id)
    if image is None:
        raise error("InvalidAMIID.NotFound", f"The image id '[{image_id}]' does not exist")
    kind = check_type(backend, named["instance_type"])
    able = kind.get("ProcessorInfo", {}).get("SupportedArchitectures", [image.architecture])
    if image.architecture not in able:
        raise error(
            "InvalidParameterValue",
            f"The architecture '{','.join(able)}' of the specified instance type does not match the architecture "
            f"'{image.architecture}' of the specified AMI.",
        )
    key = named.get("key_name")
    if key and key not in backend.key_pairs:
        raise error("InvalidKeyPair.NotFound", f"The key pair '{key}' does not exist")
    check_user_data(user_data)
    return original(backend, image_id, count, user_data, groups, **named)


@instead("root-volume", InstanceBackend, "run_instances")
def with_root(original, backend, image_id, count, user_data, groups, **named):
    """AWS gives every instance the root volume of its image, and deletes it with the instance unless it is told not to (EC2
    user guide, "Preserve data when an instance is terminated"); moto names it /dev/sda1 whatever the image says, gives
    none to whom asks for another volume, and keeps it when its size was asked for."""
    image = backend.amis.get(image_id)
    root = image.root_device_name if image else "/dev/sda1"
    mappings = [dict(one, Ebs=dict(one.get("Ebs") or {})) for one in named.get("block_device_mappings") or []]
    if not any(one["DeviceName"] == root for one in mappings):
        mappings.insert(0, {"DeviceName": root, "Ebs": {}})
    for one in mappings:
        if one["DeviceName"] == root:
            one["Ebs"]["VolumeSize"] = one["Ebs"].get("VolumeSize") or ROOT_GIGABYTES
            if one["Ebs"].get("DeleteOnTermination") is None:
                one["Ebs"]["DeleteOnTermination"] = True
    named["block_device_mappings"] = mappings
    return original(backend, image_id, count, user_data, groups, **named)


@around("root-volume", "ec2:RunInstances")
def keep_unsaid(request, proceed):
    """What is not said about a root volume stays unsaid until then."""
    for one in request.params.get("BlockDeviceMappings") or []:
        image = request.ec2_backend.amis.get(request.params.get("ImageId"))
        if image and one.get("DeviceName") == image.root_device_name and one.get("Ebs"):
            one["Ebs"].setdefault("DeleteOnTermination", True)
            one["Ebs"].setdefault("VolumeSize", ROOT_GIGABYTES)
    return proceed()


@around("launch-count", "ec2:RunInstances")
def count(request, proceed):
    """AWS starts as many instances as MaxCount says when it can (EC2 API reference, RunInstances); moto starts MinCount,
    and gives the instance profile to the first one."""
    request.params["MinCount"] = request.params.get("MaxCount") or request.params.get("MinCount") or 1
    answer = proceed()
    profile = request.params.get("IamInstanceProfile") or {}
    backend = request.ec2_backend
    for instance in answer.result.instances:
        if profile and instance.id not in backend.iam_instance_profile_associations:
            give_profile(backend, instance, profile)
    return answer


def give_profile(backend, instance, profile):
    """Gives an instance a profile, by its name or ARN."""
    backend.associate_iam_instance_profile(
        instance.id,
        iam_instance_profile_name=profile.get("Name"),
        iam_instance_profile_arn=profile.get("Arn"),
    )


@around("interface-tags", "ec2:RunInstances")
def tag_interfaces(request, proceed):
    """AWS gives the tags for network interfaces to those that are made with an instance (EC2 API reference, RunInstances:
    TagSpecification); moto gives them to nothing."""
    answer = proceed()
    asked = request.params.get("TagSpecifications") or []
    tags = {
        tag["Key"]: tag["Value"]
        for one in asked
        if one.get("ResourceType") == "network-interface"
        for tag in one.get("Tags") or []
    }
    there = {one.get("NetworkInterfaceId") for one in request.params.get("NetworkInterfaces") or []}
    for instance in answer.result.instances:
        for interface in instance.nics.values():
            if tags and interface.id not in there and not getattr(interface, "tagged", False):
                interface.tagged = True
                interface.add_tags(tags)
    return answer
