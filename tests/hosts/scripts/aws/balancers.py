"""Load balancers: their states, their interfaces, and what the same request twice does."""

import re

from moto.core.responses import ActionResult
from moto.ec2.utils import random_public_ip
from moto.elbv2.models import ELBv2Backend, FakeLoadBalancer

from . import clock
from .addresses import check as check_address
from .interfaces import release_addresses
from .patches import around, error, instead
from .tokens import asked

_NAME = re.compile(r"(?!internal-)(?!-)[A-Za-z0-9-]{1,32}(?<!-)")


@around("balancer-states", "elbv2:CreateLoadBalancer")
def create(request, proceed):
    """AWS has a load balancer provisioning before it is active (Elastic Load Balancing API reference, LoadBalancerState); with
    moto it is active as soon as somebody asks."""
    answer = proceed()
    balancer = answer.result["LoadBalancers"][0]
    if not getattr(balancer, "known", False):
        balancer.known = True
        clock.later(lambda: setattr(balancer, "state", "active"))
    return answer


@instead("balancer-states", FakeLoadBalancer, "activate")
def activate(_, balancer):
    """Likewise."""


@instead("balancer-arns", ELBv2Backend, "create_load_balancer")
def create_named(original, backend, name, *arguments, **named):
    """AWS has net in the ARN of a network load balancer, and its id in its DNS name (service authorization reference,
    "Elastic Load Balancing"); moto has app in all of them, and one DNS name for all of a name."""
    balancer = original(backend, name, *arguments, **named)
    if balancer.type == "network":
        old, balancer.arn = balancer.arn, balancer.arn.replace(":loadbalancer/app/", ":loadbalancer/net/")
        backend.load_balancers[balancer.arn] = backend.load_balancers.pop(old)
        backend.tagging_service.copy_tags(old, balancer.arn)
        backend.tagging_service.delete_all_tags_for_resource(old)
        balancer.dns_name = f"{name}-{balancer.arn.rsplit('/', 1)[-1]}.elb.{backend.region_name}.amazonaws.com"
    return balancer


@instead("balancer-interfaces", ELBv2Backend, "create_load_balancer")
def create_interfaces(original, backend, name, security_groups, subnet_ids, subnet_mappings=None, **named):
    """AWS puts an interface of the load balancer into each of its subnets, in use, and for one that faces the internet with a
    public address (Network Load Balancer user guide, "Availability Zones"), so that subnets, groups and gateways cannot
    be deleted before it; moto has no such interfaces."""
    for group in security_groups or []:
        if backend.ec2_backend.get_security_group_from_id(group) is None:
            raise error("InvalidSecurityGroup", f"Security group '{group}' does not exist")
    for one in subnet_mappings or []:
        if one.get("PrivateIPv4Address"):
            check_address(backend.ec2_backend.get_subnet(one["SubnetId"]), one["PrivateIPv4Address"])
    balancer = original(backend, name, security_groups, subnet_ids, subnet_mappings, **named)
    ids = [*(subnet_ids or []), *(one["SubnetId"] for one in subnet_mappings or [])]
    mapped = {one["SubnetId"]: one for one in subnet_mappings or []}
    balancer.interfaces = [
        _interface(backend.ec2_backend, balancer, subnet_id, mapped.get(subnet_id, {})) for subnet_id in ids
    ]
    return balancer


def _interface(ec2, balancer, subnet_id, mapping):
    path = balancer.arn.split(":loadbalancer/")[1]
    interface = ec2.create_network_interface(
        ec2.get_subnet(subnet_id),
        mapping.get("PrivateIPv4Address"),
        group_ids=balancer.security_groups,
        description=f"ELB {path}",
    )
    if not balancer.security_groups:
        interface._group_set = []
    interface.status, interface.requester_managed = "in-use", True
    interface.interface_type = "network_load_balancer" if balancer.type == "network" else "interface"
    if mapping.get("AllocationId"):
        ec2.associate_address(eni=interface, allocation_id=mapping["AllocationId"])
    elif balancer.scheme != "internal":
        interface.public_ip = random_public_ip()
    return interface


@instead("balancer-interfaces", ELBv2Backend, "set_security_groups")
def set_groups(original, backend, arn, sec_groups):
    """They have the groups of the load balancer."""
    original(backend, arn, sec_groups)
    groups = [backend.ec2_backend.get_security_group_from_id(one) for one in sec_groups]
    for interface in getattr(backend.load_balancers[arn], "interfaces", []):
        interface._group_set = groups


@instead("balancer-interfaces", ELBv2Backend, "delete_load_balancer")
def delete(original, backend, arn):
    """They go a while after it."""
    balancer = backend.load_balancers.get(arn)
    original(backend, arn)
    for interface in getattr(balancer, "interfaces", []):
        clock.later(lambda one=interface: _gone(backend.ec2_backend, one))


def _gone(ec2, interface):
    release_addresses(ec2, interface)
    ec2.enis.pop(interface.id, None)


@instead("balancer-protection", ELBv2Backend, "delete_load_balancer")
def protected(original, backend, arn):
    """AWS deletes no load balancer that is protected from it (Elastic Load Balancing API reference, DeleteLoadBalancer:
    OperationNotPermitted); moto does."""
    balancer = backend.load_balancers.get(arn)
    if balancer and balancer.attrs.get("deletion_protection.enabled") == "true":
        raise error("OperationNotPermitted", f"Load balancer '{arn}' cannot be deleted because deletion protection is enabled")
    original(backend, arn)


@instead("balancer-of-group", ELBv2Backend, "delete_load_balancer")
def forget(original, backend, arn):
    """AWS shows for a target group the load balancers that use it (Elastic Load Balancing API reference, TargetGroup); moto
    still shows one that is gone, or whose listener is."""
    original(backend, arn)
    for group in backend.target_groups.values():
        group.load_balancer_arns = [one for one in group.load_balancer_arns if one != arn]


@instead("balancer-of-group", ELBv2Backend, "delete_listener")
def forget_listener(original, backend, listener_arn):
    """Likewise."""
    listener = original(backend, listener_arn)
    for group in backend.target_groups.values():
        if not backend._any_listener_using(group.arn):
            group.load_balancer_arns = []
    return listener


def _same_or_refused(request, existing, code, words):
    if getattr(existing, "asked", None) != asked(request):
        raise error(code, words)
    return existing


def _remember(request, answer, key):
    answer.result[key][0].asked = asked(request)
    return answer


@around("same-balancer", "elbv2:CreateLoadBalancer")
def create_once(request, proceed):
    """AWS answers the same request for a load balancer as before, and refuses another one of that name (Elastic Load Balancing
    API reference, CreateLoadBalancer: DuplicateLoadBalancerName); moto makes a second one. Names have letters, digits and
    hyphens, 32 at the most."""
    name = request.params["Name"]
    if not _NAME.fullmatch(name):
        raise error("ValidationError", f"The load balancer name '{name}' is not valid")
    for balancer in request.elbv2_backend.load_balancers.values():
        if balancer.name == name:
            words = f"A load balancer with the same name '{name}' exists, but with different settings"
            return _answer("LoadBalancers", _same_or_refused(request, balancer, "DuplicateLoadBalancerName", words))
    return _remember(request, proceed(), "LoadBalancers")


@around("same-target-group", "elbv2:CreateTargetGroup")
def create_group_once(request, proceed):
    """The same of target groups (CreateTargetGroup: DuplicateTargetGroupName); moto refuses the same request as well."""
    name = request.params["Name"]
    for group in request.elbv2_backend.target_groups.values():
        if group.name == name:
            words = f"A target group with the same name '{name}' exists, but with different settings"
            return _answer("TargetGroups", _same_or_refused(request, group, "DuplicateTargetGroupName", words))
    return _remember(request, proceed(), "TargetGroups")


@around("same-listener", "elbv2:CreateListener")
def create_listener_once(request, proceed):
    """The same of listeners at a port (CreateListener: DuplicateListener); moto makes a second one."""
    balancer = request.elbv2_backend.load_balancers.get(request.params["LoadBalancerArn"])
    for listener in balancer.listeners.values() if balancer else []:
        if str(listener.port) == str(request.params.get("Port")):
            words = f"A listener already exists on port {listener.port} for this load balancer"
            return _answer("Listeners", _same_or_refused(request, listener, "DuplicateListener", words))
    return _remember(request, proceed(), "Listeners")


def _answer(key, what):
    return ActionResult({key: [what]})
