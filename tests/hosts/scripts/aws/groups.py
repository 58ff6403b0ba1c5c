"""Auto Scaling groups: what AWS refuses, how they are changed and deleted."""

from moto.autoscaling.models import AutoScalingBackend, FakeAutoScalingGroup, TerminateInstanceActivity
from moto.core.responses import ActionResult, EmptyResult

from .patches import around, error, instead
from .scaling import active, retire


def _check_bounds(smallest, largest, desired):
    if smallest > largest:
        raise error("ValidationError", f"Max bound, {largest}, must be greater than or equal to min bound, {smallest}")
    if desired is not None and not smallest <= desired <= largest:
        raise error(
            "ValidationError",
            f"Desired capacity:{desired} must be between the specified min size:{smallest} and max size:{largest}",
        )


@around("group-bounds", "autoscaling:CreateAutoScalingGroup")
def create_within(request, proceed):
    """AWS refuses a desired capacity outside of the group's bounds (EC2 Auto Scaling API reference, CreateAutoScalingGroup,
    SetDesiredCapacity); moto starts as many instances as are asked for."""
    asked = request.params
    _check_bounds(asked["MinSize"], asked["MaxSize"], asked.get("DesiredCapacity"))
    return proceed()


@around("group-bounds", "autoscaling:SetDesiredCapacity")
def set_within(request, proceed):
    """Likewise."""
    group = found(request)
    wanted = request.params["DesiredCapacity"]
    for is_wrong, side, bound in (
        (wanted > group.max_size, "above max", group.max_size),
        (wanted < group.min_size, "below min", group.min_size),
    ):
        if is_wrong:
            words = f"New SetDesiredCapacity value {wanted} is {side} value {bound} for the AutoScalingGroup."
            raise error("ValidationError", words)
    return proceed()


@around("group-bounds", "autoscaling:UpdateAutoScalingGroup")
def update_within(request, proceed):
    """Likewise, and new bounds move the desired capacity when nothing is said of it; moto goes by how many there are."""
    group, asked = found(request), request.params
    given = [asked.get(one) for one in ("MinSize", "MaxSize", "DesiredCapacity")]
    smallest = group.min_size if given[0] is None else given[0]
    largest = group.max_size if given[1] is None else given[1]
    _check_bounds(smallest, largest, given[2])
    if given[2] is None:
        asked["DesiredCapacity"] = max(smallest, min(largest, group.desired_capacity))
    return proceed()


def found(request):
    """The group that a request is about."""
    name = request.params["AutoScalingGroupName"]
    group = request.autoscaling_backend.autoscaling_groups.get(name)
    if group is None:
        raise error("ValidationError", f"AutoScalingGroup name not found - AutoScalingGroup '{name}' not found")
    return group


@around("group-names", "autoscaling:CreateAutoScalingGroup")
def create_once(request, proceed):
    """AWS has one group of a name (EC2 Auto Scaling API reference, CreateAutoScalingGroup: AlreadyExists); moto puts a second
    one in the place of the first, whose instances are nobody's then."""
    name = request.params["AutoScalingGroupName"]
    if name in request.autoscaling_backend.autoscaling_groups:
        words = f"AutoScalingGroup by this name already exists - A group with the name {name} already exists"
        raise error("AlreadyExists", words)
    return proceed()


@instead("mixed-policy", FakeAutoScalingGroup, "update")
def update(original, group, **named):
    """AWS keeps the policy for mixed instances when a change says nothing of it (EC2 Auto Scaling API reference,
    UpdateAutoScalingGroup); moto drops it."""
    policy = group.mixed_instances_policy
    told = named.get("launch_template") or named.get("launch_config_name") or named.get("mixed_instances_policy")
    desired = named.pop("desired_capacity", None)
    bounds = {one: named.pop(one, None) for one in ("min_size", "max_size")}
    original(group, desired_capacity=None, min_size=None, max_size=None, **named)
    if not told:
        group.mixed_instances_policy = policy
    for one, value in bounds.items():
        if value is not None:
            setattr(group, one, value)
    group.set_desired_capacity(group.desired_capacity if desired is None else desired)


@around("group-deletion", "autoscaling:DeleteAutoScalingGroup")
def delete(request, proceed):
    """AWS deletes no group that has instances, also ones that are about to end, unless it is forced to (EC2 Auto Scaling API
    reference, DeleteAutoScalingGroup: ResourceInUse); then they end, and the group after them. moto ends them unasked."""
    group = found(request)
    if not group.instance_states:
        request.autoscaling_backend.autoscaling_groups.pop(group.name)
        return EmptyResult()
    if not request._get_bool_param("ForceDelete", False):
        words = "You cannot delete an AutoScalingGroup while there are instances or pending Spot instance request(s)"
        raise error("ResourceInUse", f"{words} still in the group.")
    group.status = "Delete in progress"
    group.min_size = group.desired_capacity = 0
    for state in active(group):
        retire(group, state)
    return EmptyResult()


@instead("group-terminate", AutoScalingBackend, "terminate_instance")
def terminate(_, backend, instance_id, should_decrement):
    """AWS ends an instance of a group, and starts another one after it, unless there shall be one less, which the least size
    must allow (EC2 Auto Scaling API reference, TerminateInstanceInAutoScalingGroup); moto takes it out of the group first,
    and goes below the least size."""
    states = [state for group in backend.autoscaling_groups.values() for state in group.instance_states]
    state = next((state for state in states if state.instance_id == instance_id), None)
    if state is None:
        raise error("ValidationError", f"Instance Id not found - No managed instance found for instance ID: {instance_id}")
    group = state.auto_scaling_group
    before = group.desired_capacity
    if should_decrement and state.lifecycle_state != "Terminating":
        if before <= group.min_size:
            raise error(
                "ValidationError",
                f"Currently, desiredSize equals minSize ({group.min_size}). Terminating instance without replacement will "
                "violate group's min size constraint.",
            )
        group.desired_capacity -= 1
    if state.lifecycle_state != "Terminating":
        retire(group, state)
    return TerminateInstanceActivity(state.instance, before)


@instead("group-detach", AutoScalingBackend, "detach_instances")
def detach(original, backend, group_name, instance_ids, should_decrement):
    """AWS takes out of a group only what is in it and in service (EC2 Auto Scaling user guide, "Detach instances from your
    Auto Scaling group"); moto takes out what it finds, and refuses nothing."""
    states = backend.autoscaling_groups[group_name].instance_states
    able = {one.instance_id for one in states if one.lifecycle_state in ("InService", "Standby")}
    for one in instance_ids:
        if one not in able:
            words = f"The instance {one} is not part of Auto Scaling group {group_name} or not InService or Standby."
            raise error("ValidationError", words)
    return original(backend, group_name, instance_ids, should_decrement)


@around("group-activities", "autoscaling:DescribeScalingActivities")
def activities(request, proceed):
    """AWS tells what a group did, and why it could not (EC2 Auto Scaling API reference, DescribeScalingActivities); moto tells
    nothing."""
    name = request.params.get("AutoScalingGroupName")
    noted = request.autoscaling_backend.__dict__.get("activities", [])
    return ActionResult({"Activities": [one for one in noted if name in (None, one["AutoScalingGroupName"])]})
