"""What can be put together to a network, and what cannot."""

import ipaddress

from moto.ec2.models.subnets import SubnetBackend

from .patches import around, error, instead

#: VPC user guide, "Subnet CIDR blocks".
_SMALLEST, _LARGEST = 28, 16


@around("one-gateway", "ec2:AttachInternetGateway")
def attach_gateway(request, proceed):
    """AWS attaches one internet gateway to a VPC (VPC user guide, "Amazon VPC quotas"), and answers InvalidParameterValue to a
    second one; moto attaches it."""
    vpc_id = request.params["VpcId"]
    if any(one.vpc and one.vpc.id == vpc_id for one in request.ec2_backend.internet_gateways.values()):
        raise error("InvalidParameterValue", f"Network {vpc_id} already has an internet gateway attached")
    return proceed()


@around("one-table", "ec2:AssociateRouteTable")
def associate_table(request, proceed):
    """AWS has one route table for a subnet (EC2 API reference, AssociateRouteTable), and answers Resource.AlreadyAssociated to
    another one; moto has both."""
    subnet_id, table_id = request.params.get("SubnetId"), request.params["RouteTableId"]
    for table in request.ec2_backend.route_tables.values():
        if subnet_id and table.id != table_id and subnet_id in table._associations.values():
            words = f"the specified association for route table {table_id} conflicts with an existing association"
            raise error("Resource.AlreadyAssociated", words)
    return proceed()


@instead("subnet-size", SubnetBackend, "create_subnet")
def create_subnet(original, backend, vpc_id, cidr_block, *arguments, **named):
    """AWS has subnets of /28 to /16 (VPC user guide, "Subnet CIDR blocks": InvalidSubnet.Range); moto has them of any size."""
    try:
        bits = ipaddress.ip_network(cidr_block, strict=False).prefixlen
    except ValueError:
        bits = _SMALLEST
    if not _LARGEST <= bits <= _SMALLEST:
        raise error("InvalidSubnet.Range", f"The CIDR '{cidr_block}' is invalid.")
    return original(backend, vpc_id, cidr_block, *arguments, **named)
