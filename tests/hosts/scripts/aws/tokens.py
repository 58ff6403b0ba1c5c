"""Client tokens: the same request twice does one thing."""

import json

from .patches import around, error

#: What was made by a token: what was asked, and the answer.
_made: dict[tuple, tuple[str, object]] = {}
#: Those of the actions with a client token that a cluster is made by, and the element of the answer that says what was made.
ACTIONS = [
    "RunInstances",
    "CreateVolume",
    "CreateNatGateway",
    "CreateLaunchTemplate",
    "CreateLaunchTemplateVersion",
    "ModifyLaunchTemplate",
    "CreateNetworkInterface",
    "CreateNetworkAcl",
    "CreateRouteTable",
    "CreateVpcEndpoint",
    "CreateEgressOnlyInternetGateway",
]


def reset():
    """No token is known."""
    _made.clear()


def asked(request, *left_out):
    """What a request asks for, as text that can be compared."""
    ignored = {"Action", "Version", "DryRun", *left_out}
    fields = {key: value for key, value in request.querystring.items() if key not in ignored}
    return json.dumps(fields, sort_keys=True, default=str)


@around("client-tokens", *(f"ec2:{action}" for action in ACTIONS))
def once(request, proceed):
    """AWS answers the same request with the same client token as before, without doing it again; another request with
    that token is IdempotentParameterMismatch, and one for an instance that has ended IdempotentInstanceTerminated (EC2 API
    reference, "Ensuring idempotency" and "Error codes"); moto makes a second one each time."""
    token = request.params.get("ClientToken")
    if not token:
        return proceed()
    key = (request.current_account, request.region, request._get_action(), token)
    now = asked(request, "ClientToken")
    if key not in _made:
        answer = proceed()
        _made[key] = (now, answer)
        return answer
    before, answer = _made[key]
    if before != now:
        raise error(
            "IdempotentParameterMismatch",
            f"Arguments on this idempotent request are inconsistent with arguments used in previous request(s), token {token}.",
        )
    instances = getattr(answer.result, "instances", [])
    if any(instance.state in ("shutting-down", "terminated") for instance in instances):
        raise error(
            "IdempotentInstanceTerminated",
            "The request uses the same client token as a previous request, whose instance has been terminated.",
        )
    return answer
