"""The health of targets."""

import socket

from moto.elbv2.exceptions import InvalidTargetError
from moto.elbv2.models import ELBv2Backend, FakeHealthStatus, FakeTargetGroup

from . import clock
from .patches import instead

#: What becomes of targets that are no longer initial: "healthy", "unhealthy", or "listening": what listens at the address and
#: port of its health check is healthy, and the rest is not.
health = "healthy"
#: How long a target is asked, in seconds.
_PATIENCE = 0.3


@instead("target-health", FakeTargetGroup, "register")
def register(original, group, targets):
    """AWS has a target initial before its first health checks have ended, and unhealthy when nothing answers (Network Load
    Balancer user guide, "Target health status"); moto has it healthy at once."""
    original(group, targets)
    initial = group.__dict__.setdefault("initial", set())
    for target in targets:
        initial.add(target["Id"])
        clock.later(lambda one=target["Id"]: initial.discard(one))


@instead("target-health", FakeTargetGroup, "health_for")
def health_for(original, group, target, ec2_backend):
    """One of a group that no load balancer uses is unused."""
    status = original(group, target, ec2_backend)
    if status.status != "healthy":
        return status

    def as_(state, reason, words):
        return FakeHealthStatus(target["Id"], status.port, status.health_check_port, state, reason, words)

    if not group.load_balancer_arns:
        return as_("unused", "Target.NotInUse", "Target group is not configured to receive traffic from the load balancer")
    if target["Id"] in group.__dict__.get("initial", ()):
        return as_("initial", "Elb.RegistrationInProgress", "Target registration is in progress")
    if health == "unhealthy" or (health == "listening" and not _listens(group, target, ec2_backend, status.port)):
        return as_("unhealthy", "Target.FailedHealthChecks", "Health checks failed")
    return status


def _listens(group, target, ec2_backend, port):
    instance = ec2_backend.get_instance_by_id(target["Id"])
    address = instance.private_ip_address if instance else target["Id"]
    checked = group.health_check_port
    try:
        with socket.create_connection((address, int(port if checked == "traffic-port" else checked)), _PATIENCE):
            return True
    except (OSError, TypeError):
        return False


@instead("target-draining", FakeTargetGroup, "deregister")
def deregister(original, group, targets):
    """AWS drains a target before it is no longer there (Network Load Balancer user guide, "Deregistration delay"); with moto
    it is gone at once."""
    original(group, targets)
    for target in targets:
        group.terminated_targets[target["Id"]] = group.deregistered_targets.pop(target["Id"])
        clock.later(lambda one=target["Id"]: group.terminated_targets.pop(one, None))


@instead("target-draining", ELBv2Backend, "describe_target_health")
def describe(original, backend, target_group_arn, targets):
    """Likewise, and it is listed until then."""
    listed = original(backend, target_group_arn, targets)
    if targets:
        return listed
    group = backend.target_groups[target_group_arn]
    draining = [one for one in group.terminated_targets.values() if one["Id"] not in group.targets]
    return listed + [group.health_for(one, backend.ec2_backend) for one in draining]


@instead("target-draining", FakeTargetGroup, "deregister_terminated_instances")
def ended(original, group, instance_ids):
    """The same of instances that end."""
    original(group, instance_ids)
    for one in set(instance_ids) & set(group.terminated_targets):
        clock.later(lambda one=one: group.terminated_targets.pop(one, None))


@instead("targets-that-are", FakeTargetGroup, "register")
def register_existing(original, group, targets):
    """AWS registers no instance that is not there (Elastic Load Balancing API reference, RegisterTargets: InvalidTarget); moto
    takes any id."""
    for target in targets:
        if target["Id"].startswith("i-") and not group.ec2_backend.get_instance_by_id(target["Id"]):
            raise InvalidTargetError()
    original(group, targets)
