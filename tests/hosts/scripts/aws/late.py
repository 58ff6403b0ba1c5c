"""What was just made shows late, if that is wished."""

import re

from . import clock
from .patches import around, error

#: How long what was made is not seen, in seconds.
seconds = 0.0
_born: dict[str, float] = {}
_ID = re.compile(rb"\b[a-z]+-[0-9a-f]{17}\b")
#: What a list in an answer holds: the name of the list, and the code of the error about one that was asked for by its id.
_LISTS = {
    "DescribeVpcs": ("Vpcs", "InvalidVpcID.NotFound"),
    "DescribeSubnets": ("Subnets", "InvalidSubnetID.NotFound"),
    "DescribeSecurityGroups": ("SecurityGroups", "InvalidGroup.NotFound"),
    "DescribeRouteTables": ("RouteTables", "InvalidRouteTableID.NotFound"),
    "DescribeInternetGateways": ("InternetGateways", "InvalidInternetGatewayID.NotFound"),
    "DescribeNatGateways": ("NatGateways", "NatGatewayNotFound"),
    "DescribeAddresses": ("Addresses", "InvalidAllocationID.NotFound"),
    "DescribeNetworkInterfaces": ("NetworkInterfaces", "InvalidNetworkInterfaceID.NotFound"),
    "DescribeVolumes": ("Volumes", "InvalidVolume.NotFound"),
    "DescribeInstances": ("Reservations", "InvalidInstanceID.NotFound"),
}


def reset():
    """Nothing was just made."""
    _born.clear()


def note(action, body):
    """Remembers from the answer to an action what it has made."""
    if action.startswith(("Create", "Run", "Allocate")):
        for one in _ID.findall(body):
            _born.setdefault(one.decode(), clock.now())


def _is_hidden(one):
    return clock.now() < _born.get(getattr(one, "id", None), float("-inf")) + seconds


@around("late-reading", *(f"ec2:{action}" for action in _LISTS))
def describe(request, proceed):
    """AWS may not show for a while what it has made, and answer as if it was not there (EC2 API reference, "Eventual
    consistency"); moto shows it at once. So does this, until `late` is set."""
    answer = proceed()
    if seconds <= 0:
        return answer
    name, code = _LISTS[request._get_action()]
    asked = [one for one in request.querystring if re.search(r"Ids?\.\d+$", one)]
    for one in asked:
        value = request.querystring[one][0]
        if clock.now() < _born.get(value, float("-inf")) + seconds:
            raise error(code, f"The ID '{value}' does not exist")
    found = list(answer.result[name])
    for reservation in found if name == "Reservations" else ():
        reservation.instances = [one for one in reservation.instances if not _is_hidden(one)]
    answer.result[name] = [one for one in found if not _is_hidden(one) and getattr(one, "instances", True)]
    return answer
