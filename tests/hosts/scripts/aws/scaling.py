"""Auto Scaling groups: how many instances there are, where, and what they are launched with.

Weights of mixed types are taken for 1, and lifecycle hooks are kept but nobody waits for them."""

import math

from moto.autoscaling.models import ASG_NAME_TAG, AutoScalingBackend, FakeAutoScalingGroup, InstanceState
from moto.core.exceptions import ServiceException
from moto.core.utils import utcnow
from moto.elbv2.exceptions import TargetGroupNotFoundError
from moto.moto_api._internal import mock_random

from . import clock
from .patches import error, instead, instead_of_property

_ACTIVE = ("Pending", "InService")


def note(group, words, failure=None):
    """Writes down what the group did, for DescribeScalingActivities, and why it could not."""
    activities = group.autoscaling_backend.__dict__.setdefault("activities", [])
    activities.insert(0, {
        "ActivityId": str(mock_random.uuid4()),
        "AutoScalingGroupName": group.name,
        "Description": words,
        "Cause": f"At {utcnow().isoformat()}Z",
        "StartTime": utcnow(),
        "EndTime": utcnow(),
        "StatusCode": "Failed" if failure else "Successful",
        **({"StatusMessage": failure} if failure else {}),
        "Progress": 100,
    })


def active(group):
    """The instances that count."""
    return [state for state in group.instance_states if state.lifecycle_state in _ACTIVE]


@instead("scaling", FakeAutoScalingGroup, "active_instances")
def active_instances(_, group):
    """Pending ones count too."""
    return active(group)


@instead("scaling", FakeAutoScalingGroup, "set_desired_capacity")
def set_desired_capacity(_, group, new_capacity):
    """AWS spreads the instances of a group over its subnets (EC2 Auto Scaling user guide, "Distribute instances across
    Availability Zones"), and has each pending before it is in service, and terminating before it is gone ("instance
    lifecycle"); moto starts all of them in the first subnet, in service at once, and forgets them before they have ended.
    The fields of the version of the launch template that the group names are used; moto takes some of the default one's."""
    group.desired_capacity = group.min_size if new_capacity is None else new_capacity
    reconcile(group)


@instead("scaling", AutoScalingBackend, "create_auto_scaling_group")
def create(original, backend, *arguments, **named):
    """AWS leaves a new instance alone for as long as HealthCheckGracePeriod says, which may be 0 seconds
    (API_CreateAutoScalingGroup); moto makes 300 of that."""
    group = original(backend, *arguments, **named)
    if named.get("health_check_period") == 0:
        group.health_check_grace_period = 0
    return group


def reconcile(group):
    """Starts or ends instances until there are as many as are wanted."""
    surplus = len(active(group)) - (group.desired_capacity or 0)
    for _ in range(-surplus):
        if "Launch" not in group._suspended_processes:
            launch(group)
    for _ in range(surplus):
        candidates = [state for state in active(group) if not state.protected_from_scale_in]
        if candidates and "Terminate" not in group._suspended_processes:
            retire(group, _first_to_go(group, candidates))


def _first_to_go(group, candidates):
    zones = [state.availability_zone for state in candidates]

    def rank(state):
        is_old = getattr(state, "version", None) != version(group)
        return -zones.count(state.availability_zone), not is_old, state.instance.launch_time

    return min(candidates, key=rank)


def version(group):
    """The number of the version of the launch template that an instance would be launched with."""
    template = group.ec2_launch_template
    return str(template.get_version(group.launch_template_version).number) if template else None


def _subnet(group):
    ids = group.vpc_zone_identifier.split(",") if group.vpc_zone_identifier else [None]
    used = [state.instance.subnet_id for state in active(group)]
    return min(ids, key=used.count)


def _kind(group, template):
    """The type of the next instance, and whether it is a spot one."""
    policy = group.mixed_instances_policy or {}
    overrides = (policy.get("LaunchTemplate") or {}).get("Overrides") or [{}]
    kind = overrides[0].get("InstanceType") or template.get("InstanceType")
    distribution = policy.get("InstancesDistribution")
    if not distribution:
        return kind, (template.get("InstanceMarketOptions") or {}).get("MarketType") == "spot"
    base = int(distribution.get("OnDemandBaseCapacity") or 0)
    percent = distribution.get("OnDemandPercentageAboveBaseCapacity")
    wanted = group.desired_capacity or 0
    above = math.ceil(max(wanted - base, 0) * int(100 if percent is None else percent) / 100)
    on_demand = [state for state in active(group) if state.instance.lifecycle != "spot"]
    return kind, len(on_demand) >= min(base, wanted) + above


def launch(group):
    """Starts one instance."""
    backend = group.autoscaling_backend
    template = group.ec2_launch_template
    number = version(group)
    kind, is_spot = _kind(group, template.get_version(number).data) if template else (group.instance_type, False)
    try:
        reservation = backend.ec2_backend.run_instances(
            group.image_id,
            1,
            group.user_data,
            group.security_groups or [],
            instance_type=kind,
            tags={"instance": {**group.instance_tags, **group.get_propagated_tags(), ASG_NAME_TAG: group.name}},
            launch_config=group.launch_config,
            launch_template={"LaunchTemplateId": template.id, "Version": number} if template else None,
            is_instance_type_default=False,
            associate_public_ip=group.launch_config.associate_public_ip_address if group.launch_config else None,
            subnet_id=_subnet(group),
            instance_market_options="spot" if is_spot else None,
        )
    except ServiceException as refused:
        words = f"{refused.message} Launching EC2 instance failed."
        note(group, f"Launching a new EC2 instance.  Status Reason: {words}", words)
        if group.name in backend.autoscaling_groups:
            return
        words = f"You must use a valid fully-formed launch template. {refused.message}"
        raise error("ValidationError", words) from refused
    instance = reservation.instances[0]
    instance.autoscaling_group = group
    state = InstanceState(instance, "Pending", protected_from_scale_in=group.new_instances_protected_from_scale_in)
    state.version = number
    group.instance_states.append(state)
    note(group, f"Launching a new EC2 instance: {instance.id}")
    clock.later(lambda: _in_service(group, state))


def _in_service(group, state):
    if state.lifecycle_state == "Pending" and state.instance.state == "running":
        state.lifecycle_state = "InService"
        register(group)


def retire(group, state, end=True):
    """Ends an instance; it belongs to the group until it has ended."""
    backend = group.autoscaling_backend
    state.lifecycle_state = "Terminating"
    note(group, f"Terminating EC2 instance: {state.instance_id}")
    for target_group in _target_groups(group):
        if state.instance_id in target_group.targets:
            target_group.deregister([{"Id": state.instance_id}])
    if end:
        backend.ec2_backend.terminate_instances([state.instance_id])
    clock.later(lambda: _ended(group, state))


def _ended(group, state):
    if state in group.instance_states:
        group.instance_states.remove(state)
    if getattr(group, "status", None) and not group.instance_states:
        group.autoscaling_backend.autoscaling_groups.pop(group.name, None)
    else:
        reconcile(group)


def _target_groups(group):
    found = group.autoscaling_backend.elbv2_backend.target_groups
    return [found[arn] for arn in group.target_group_arns if arn in found]


def register(group):
    """Registers what is in service with the group's target groups."""
    for target_group in _target_groups(group):
        ids = [state.instance_id for state in group.instance_states if state.lifecycle_state == "InService"]
        target_group.register([{"Id": one} for one in ids if one not in target_group.targets])


@instead("scaling", AutoScalingBackend, "update_attached_target_groups")
def update_attached(_, backend, group_name):
    """AWS registers instances when they are in service."""
    group = backend.autoscaling_groups[group_name]
    for arn in group.target_group_arns:
        if arn not in backend.elbv2_backend.target_groups:
            raise TargetGroupNotFoundError()
    register(group)


@instead("scaling", AutoScalingBackend, "notify_terminate_instances")
def notify(_, backend, instance_ids):
    """AWS replaces an instance that somebody ends after its health check has found out."""
    for group in list(backend.autoscaling_groups.values()):
        for state in list(group.instance_states):
            if state.instance_id in instance_ids and state.lifecycle_state != "Terminating":
                retire(group, state, end=False)


@instead_of_property("scaling", InstanceState, "launch_template")
def launched_with(original, state):
    """AWS shows the version that an instance was launched with; moto shows the default one."""
    shown = original(state)
    return {**shown, "Version": getattr(state, "version", shown["Version"])} if shown else shown
