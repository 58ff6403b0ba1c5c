"""All patches at once. Loading them takes half a second, which who needs only buckets does not wait for."""

from moto.autoscaling.responses import AutoScalingResponse
from moto.core import responses
from moto.ec2.responses import EC2Response
from moto.elbv2.responses import ELBV2Response
from moto.iam.responses import IamResponse
from moto.route53.responses import Route53

# Where two patches stand at one place, the later one is outside: instances get states last, and addresses are looked at
# before anything else is made of them.
from . import (  # noqa: F401
    addresses,
    interfaces,
    instances,
    launch,
    templates,
    profiles,
    volumes,
    gateways,
    network,
    dependencies,
    images,
    machines,
    balancers,
    targets,
    scaling,
    groups,
    refresh,
    dns,
    rights,
    buckets,
    asking,
    tokens,
    late,
    patches,
)
from . import clock

_RESPONSES = {
    "ec2": EC2Response,
    "elbv2": ELBV2Response,
    "autoscaling": AutoScalingResponse,
    "iam": IamResponse,
    "route53": Route53,
}
_names = {}


def _method_names(owner):
    """The methods of a class for answers; moto looks for them at every request, which takes longer than the rest of it."""
    if owner not in _names:
        _names[owner] = _slow(owner)
    return _names[owner]


_slow = responses.method_names_from_class
responses.method_names_from_class = _method_names
patches.NAMES["honest-gaps"] = (
    "AWS answers every action; where moto cannot, it answers 500 in HTML, which clients try again. Here it is 501 with the "
    "reason."
)


def apply():
    """Puts the patches around moto's actions, the first time."""
    patches.apply(_RESPONSES)


def reset():
    """Forgets what patches remember."""
    clock.reset()
    tokens.reset()
    dns.reset()
    late.reset()
