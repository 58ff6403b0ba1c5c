"""Network interfaces: whose they are, who may take or delete them, and what becomes of them when an instance ends."""

from moto.ec2.models.elastic_network_interfaces import NetworkInterfaceBackend
from moto.ec2.models.instances import Instance

from .patches import around, error, instead


@instead("interface-groups", NetworkInterfaceBackend, "create_network_interface")
def create(original, backend, subnet, *arguments, **named):
    """AWS refuses security groups that are not there, and those of another VPC than the subnet's (EC2 API reference,
    "Error codes": InvalidGroup.NotFound, InvalidParameter); moto makes the missing ones."""
    subnet = backend.get_subnet(subnet) if isinstance(subnet, str) else subnet
    groups = named.get("group_ids") or (arguments[2] if len(arguments) > 2 else None) or []
    for group_id in groups:
        group = backend.get_security_group_from_id(group_id)
        if group is None:
            raise error("InvalidGroup.NotFound", f"The security group '{group_id}' does not exist")
        if group.vpc_id != subnet.vpc_id:
            raise error(
                "InvalidParameter",
                f"Security group {group_id} and subnet {subnet.id} belong to different networks.",
            )
    return original(backend, subnet, *arguments, **named)


@around("interface-in-use", "ec2:DeleteNetworkInterface")
def delete(request, proceed):
    """AWS deletes no interface that is in use (EC2 API reference, DeleteNetworkInterface: "You must detach the network
    interface before you can delete it"), and answers InvalidParameterValue; moto deletes it under its instance."""
    backend = request.ec2_backend
    interface = backend.get_network_interface(request.params["NetworkInterfaceId"])
    if interface.status == "in-use":
        raise error("InvalidParameterValue", f"Network interface '{interface.id}' is currently in use.")
    release_addresses(backend, interface)
    return proceed()


def release_addresses(backend, interface):
    """Elastic addresses lose the interface that goes."""
    for address in list(backend.addresses):
        if address.eni is interface:
            backend.disassociate_address(association_id=address.association_id)


def check_unused(interface):
    """Refuses an interface that somebody has."""
    if interface.status == "in-use":
        raise error("InvalidNetworkInterface.InUse", f"Interface: [{interface.id}] in use.")


@around("interface-attach", "ec2:AttachNetworkInterface")
def attach(request, proceed):
    """AWS attaches no interface that is in use (InvalidNetworkInterface.InUse), none in another zone than the instance's,
    and none at an index that is taken (EC2 user guide, "Elastic network interfaces"); moto takes it from whoever has it."""
    backend = request.ec2_backend
    interface = backend.get_network_interface(request.params["NetworkInterfaceId"])
    instance = backend.get_instance(request.params["InstanceId"])
    check_unused(interface)
    if instance.state not in ("running", "stopped"):
        raise error("IncorrectState", f"Instance '{instance.id}' is not 'running' or 'stopped'.")
    if interface.availability_zone != instance.placement.zone:
        raise error(
            "InvalidParameterCombination",
            "You may not attach a network interface to an instance if they are not in the same availability zone",
        )
    index = int(request.params["DeviceIndex"])
    if index in instance.nics:
        raise error(
            "InvalidParameterValue",
            f"Instance '{instance.id}' already has an interface attached at device index '{index}'.",
        )
    return proceed()


@around("interface-detach", "ec2:DetachNetworkInterface")
def detach(request, proceed):
    """AWS never detaches the primary interface of an instance (EC2 user guide, "Elastic network interfaces"); moto does
    while there is another one."""
    attachment = request.params["AttachmentId"]
    for interface in request.ec2_backend.enis.values():
        if interface.attachment_id == attachment and interface.device_index == 0:
            raise error(
                "OperationNotPermitted", "The network interface at device index 0 cannot be detached."
            )
    return proceed()


@instead("delete-on-termination", Instance, "prep_nics")
def prepare(original, instance, nic_spec, *arguments, **named):
    """AWS deletes the primary interface that it made with an instance when that ends, unless it is told not to, and keeps
    one that was there before (EC2 API reference, InstanceNetworkInterfaceSpecification); moto keeps both, in use."""
    made_here = not nic_spec
    for nic in nic_spec:
        if int(nic.get("DeviceIndex", 0)) == 0 and not nic.get("NetworkInterfaceId"):
            nic.setdefault("DeleteOnTermination", True)
    original(instance, nic_spec, *arguments, **named)
    if made_here:
        instance.nics[0].delete_on_termination = True


@around("interface-attachment", "ec2:ModifyNetworkInterfaceAttribute")
def modify(request, proceed):
    """AWS changes afterwards whether an interface goes with its instance (EC2 API reference,
    ModifyNetworkInterfaceAttribute); moto takes no notice."""
    answer = proceed()
    attachment = request.params.get("Attachment") or {}
    wanted = attachment.get("DeleteOnTermination")
    interface = request.ec2_backend.get_network_interface(request.params["NetworkInterfaceId"])
    if wanted is not None and interface.attachment_id == attachment.get("AttachmentId"):
        interface.delete_on_termination = str(wanted).lower() == "true"
    return answer


@instead("given-interface", Instance, "prep_nics")
def given(original, instance, nic_spec, *arguments, **named):
    """AWS starts an instance with a given interface in the subnet and zone of that, if nobody has it (EC2 API reference,
    RunInstances); moto starts it in the first zone, with an interface of another instance as well."""
    for nic in nic_spec:
        if nic.get("NetworkInterfaceId"):
            check_unused(instance.ec2_backend.get_network_interface(nic["NetworkInterfaceId"]))
    original(instance, nic_spec, *arguments, **named)
    instance._placement.zone = instance.nics[0].availability_zone
    instance._subnet_id = instance.nics[0].subnet.id


@instead("instance-groups", Instance, "prep_nics")
def groups(original, instance, nic_spec, *arguments, **named):
    """AWS shows the security groups of the primary interface as those of the instance (EC2 API reference, Instance); moto
    shows only those that were named beside the interfaces."""
    original(instance, nic_spec, *arguments, **named)
    instance.security_groups = list(instance.nics[0].group_set)
