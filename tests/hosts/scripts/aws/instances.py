"""The states of instances, and what they leave when they end."""

import copy

from moto.ec2.models.instances import Instance, InstanceBackend

from . import clock
from .interfaces import release_addresses
from .patches import around, error, instead, instead_of_property


def _enter(instance, name, code):
    instance._state.name, instance._state.code = name, code


def is_alive(instance):
    """Whether the instance still has what it was given."""
    return instance.state != "terminated"


@instead("instance-states", InstanceBackend, "run_instances")
def run(original, backend, *arguments, **named):
    """AWS has an instance pending before it runs (EC2 user guide, "Instance lifecycle"); moto has it running at once."""
    reservation = original(backend, *arguments, **named)
    for instance in reservation.instances:
        _enter(instance, "pending", 0)
        clock.later(lambda one=instance: one.state == "pending" and _enter(one, "running", 16))
    return reservation


@instead("instance-states", Instance, "stop")
def stop(original, instance):
    """Likewise stopping before it is stopped; only what runs or is stopped can be stopped."""
    before = copy.copy(instance._state)
    if instance.state == "stopped":
        return before
    if instance.state != "running":
        raise error("IncorrectInstanceState", f"This instance '{instance.id}' is not in a state from which it can be stopped.")
    _enter(instance, "stopping", 64)
    clock.later(lambda: instance.state == "stopping" and original(instance))
    return before


@instead("instance-states", Instance, "start")
def start(original, instance):
    """Likewise pending before it runs again; only what is stopped can be started."""
    before = copy.copy(instance._state)
    if instance.state == "running":
        return before
    if instance.state != "stopped":
        raise error("IncorrectInstanceState", f"The instance '{instance.id}' is not in a state from which it can be started.")
    _enter(instance, "pending", 0)
    clock.later(lambda: instance.state == "pending" and original(instance))
    return before


@instead("terminated-interfaces", Instance, "terminate")
def let_go(original, instance):
    """What has ended has no interfaces, addresses or groups (EC2 user guide, "Terminate your instance"): those that are not
    deleted with it are free, and elastic addresses are its no longer. With moto they stay in use for ever."""
    backend = instance.ec2_backend
    interfaces = list(instance.nics.values())
    for interface in interfaces:
        release_addresses(backend, interface)
    before = original(instance)
    for interface in interfaces:
        if interface.id in backend.enis:
            instance.detach_eni(interface)
    instance.nics = {}
    instance._subnet_id = None
    instance.security_groups = []
    return before


@instead("instance-states", Instance, "terminate")
def terminate(original, instance):
    """Likewise shutting-down before it is terminated, with its interfaces and volumes still in use; ending it again
    changes nothing."""
    before = copy.copy(instance._state)
    if instance.state not in ("shutting-down", "terminated"):
        _enter(instance, "shutting-down", 32)
        clock.later(lambda: original(instance))
    return before


def _of_primary(attribute, nothing):
    @instead_of_property("terminated-interfaces", Instance, attribute)
    def read(original, instance):
        return original(instance) if instance.nics else nothing


for _attribute in ("private_ip", "private_ip_address", "public_ip", "public_ip_address"):
    _of_primary(_attribute, None)
_of_primary("private_dns_name", "")
_of_primary("public_dns_name", "")


@around("terminate-state", "ec2:TerminateInstances")
def terminate_again(request, proceed):
    """AWS says the state that an instance is in after the call (EC2 API reference, TerminateInstances); moto says
    shutting-down of what has ended long ago."""
    answer = proceed()
    for change in answer.result["TerminatingInstances"]:
        if change["PreviousState"].name == "terminated":
            change["CurrentState"] = {"Code": 48, "Name": "terminated"}
    return answer


#: What moto calls the options where they are asked for, and where it keeps them.
_OPTIONS = {
    "http_tokens": "http_tokens",
    "hop_limit": "http_put_response_hop_limit",
    "http_endpoint": "http_endpoint",
    "http_protocol": "http_protocol_ipv6",
    "metadata_tags": "instance_metadata_tags",
}


@instead("metadata-options", InstanceBackend, "modify_instance_metadata_options")
def modify_options(original, backend, instance_id, **named):
    """AWS keeps the metadata options that are not said (EC2 API reference, ModifyInstanceMetadataOptions); moto forgets
    them."""
    before = backend.get_instance(instance_id).metadata_options
    options = original(backend, instance_id, **named)
    for argument, option in _OPTIONS.items():
        if named.get(argument) is None:
            setattr(options, option, getattr(before, option))
    return options
