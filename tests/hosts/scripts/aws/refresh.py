"""Instance refreshes of Auto Scaling groups, in their simplest form, and warm pools, which nobody has."""

from moto.core.responses import ActionResult
from moto.core.utils import utcnow
from moto.moto_api._internal import mock_random

from . import clock
from .groups import found
from .patches import around, error
from .scaling import active, retire, version

_OVER = ("Successful", "Failed", "Cancelled")


def _refreshes(group):
    return group.__dict__.setdefault("refreshes", [])


@around("instance-refresh", "autoscaling:StartInstanceRefresh")
def start(request, _):
    """AWS replaces the instances of a group by ones of its launch template, one refresh at a time (EC2 Auto Scaling API
    reference, StartInstanceRefresh: InstanceRefreshInProgress); with moto it is a 500. Here one instance ends after the other,
    with no heed of preferences but SkipMatching; another template than the group's is refused."""
    group = found(request)
    if request.params.get("DesiredConfiguration"):
        raise NotImplementedError("StartInstanceRefresh with DesiredConfiguration")
    if any(one["Status"] not in _OVER for one in _refreshes(group)):
        words = "An Instance Refresh is already in progress and blocks the execution of this Instance Refresh."
        raise error("InstanceRefreshInProgress", words)
    skips = str((request.params.get("Preferences") or {}).get("SkipMatching", "")).lower() == "true"
    left = [one for one in active(group) if not (skips and getattr(one, "version", None) == version(group))]
    refresh = {
        "InstanceRefreshId": str(mock_random.uuid4()),
        "AutoScalingGroupName": group.name,
        "Status": "Pending",
        "StartTime": utcnow(),
        "PercentageComplete": 0,
        "InstancesToUpdate": len(left),
    }
    _refreshes(group).insert(0, refresh)
    clock.later(lambda: _step(group, refresh, left, len(left)))
    return ActionResult({"InstanceRefreshId": refresh["InstanceRefreshId"]})


def _step(group, refresh, left, total):
    if refresh["Status"] == "Cancelling":
        refresh.update(Status="Cancelled", EndTime=utcnow())
    elif refresh["Status"] not in _OVER:
        serving = [one for one in active(group) if one.lifecycle_state == "InService"]
        left[:] = [one for one in left if one in active(group)]
        if len(serving) >= (group.desired_capacity or 0) and left:
            retire(group, left.pop(0))
        is_over = not left and len(serving) >= (group.desired_capacity or 0)
        refresh.update(Status="Successful" if is_over else "InProgress", InstancesToUpdate=len(left))
        refresh["PercentageComplete"] = 100 if is_over else 100 * (total - len(left)) // (total + 1)
        if is_over:
            refresh["EndTime"] = utcnow()
        else:
            # With no delay this step would never let anything else happen.
            clock.later(lambda: _step(group, refresh, left, total), max(clock.delay, 0.001))


@around("instance-refresh", "autoscaling:DescribeInstanceRefreshes")
def describe(request, _):
    """Likewise."""
    ids = request.params.get("InstanceRefreshIds")
    return ActionResult({
        "InstanceRefreshes": [one for one in _refreshes(found(request)) if not ids or one["InstanceRefreshId"] in ids]
    })


@around("instance-refresh", "autoscaling:CancelInstanceRefresh")
def cancel(request, _):
    """Likewise (CancelInstanceRefresh: ActiveInstanceRefreshNotFound)."""
    for refresh in _refreshes(found(request)):
        if refresh["Status"] not in _OVER:
            refresh["Status"] = "Cancelling"
            return ActionResult({"InstanceRefreshId": refresh["InstanceRefreshId"]})
    raise error("ActiveInstanceRefreshNotFound", "No in progress or pending Instance Refresh found for Auto Scaling group")


@around("warm-pools", "autoscaling:PutWarmPool")
def put_warm_pool(request, _):
    """AWS keeps instances at hand (EC2 Auto Scaling user guide, "Warm pools"); moto says that it does, and has none. Here it is
    said that there are none."""
    raise NotImplementedError("PutWarmPool")
