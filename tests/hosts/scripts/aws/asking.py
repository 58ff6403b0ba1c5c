"""What is asked and marked without a change of anything: trial runs, filters, tags."""

import moto.ec2.utils as utils
from moto.ec2.exceptions import DryRunClientError

from .patches import around, error, instead

#: Actions that have a trial run in AWS and not in moto.
_UNTRIED = [
    "CreateVpc",
    "CreateNatGateway",
    "DeleteNatGateway",
    "CreateSecurityGroup",
    "CreateRoute",
    "CreateRouteTable",
    "CreateInternetGateway",
    "CreateSubnet",
    "RunInstances",
    "DescribeImages",
    "DescribeInstances",
    "DescribeVpcs",
]


@around("trial-runs", *(f"ec2:{action}" for action in _UNTRIED))
def try_out(request, proceed):
    """AWS does nothing when DryRun is asked for, and answers DryRunOperation (EC2 API reference, "Common query parameters");
    with moto some actions are done."""
    if str(request.params.get("DryRun", "")).lower() == "true":
        raise DryRunClientError()
    return proceed()


@instead("token-filter", utils, "passes_filter_dict")
def passes(original, instance, filters):
    """AWS finds instances by the client token that they were started with, and by some other things (EC2 API reference,
    DescribeInstances); with moto these filters are a 500."""
    own = {
        "client-token": lambda: instance.client_token,
        "instance-lifecycle": lambda: instance.lifecycle,
        "iam-instance-profile.arn": lambda: (instance.iam_instance_profile or {}).get("Arn"),
        "network-interface.network-interface-id": lambda: [eni.id for eni in instance.nics.values()],
        "network-interface.subnet-id": lambda: [eni.subnet.id for eni in instance.nics.values()],
    }
    rest = {name: values for name, values in filters.items() if name not in own}
    for name in set(filters) - set(rest):
        value = own[name]()
        found = value if isinstance(value, list) else [value]
        if not set(found) & set(filters[name]):
            return False
    return original(instance, rest)


#: What an id begins with: where the backend has such things, and the code of the error about one that is not there.
_KINDS = {
    "i": (lambda backend: {one.id for one in backend.all_instances()}, "InvalidInstanceID.NotFound"),
    "eni": (lambda backend: backend.enis, "InvalidNetworkInterfaceID.NotFound"),
    "nat": (lambda backend: backend.nat_gateways, "NatGatewayNotFound"),
    "eipalloc": (
        lambda backend: {one.allocation_id for one in backend.addresses},
        "InvalidAllocationID.NotFound",
    ),
    "key": (lambda backend: {one.id for one in backend.key_pairs.values()}, "InvalidKeyPair.NotFound"),
    "vpce": (lambda backend: backend.vpc_end_points, "InvalidVpcEndpointId.NotFound"),
    "lt": (lambda backend: backend.launch_templates, "InvalidLaunchTemplateId.NotFound"),
    "ami": (lambda backend: backend.amis, "InvalidAMIID.NotFound"),
    "eigw": (lambda backend: backend.egress_only_internet_gateways, "InvalidGatewayID.NotFound"),
}


@around("tags-of-nothing", "ec2:CreateTags")
def tag(request, proceed):
    """AWS tags nothing that is not there (EC2 API reference, CreateTags and "Error codes"); moto tags instances, interfaces,
    gateways and addresses of any id."""
    for one in request.params.get("Resources") or []:
        there, code = _KINDS.get(one.rsplit("-", 1)[0], (None, None))
        if there and one not in there(request.ec2_backend):
            raise error(code, f"The ID '{one}' does not exist")
    return proceed()

