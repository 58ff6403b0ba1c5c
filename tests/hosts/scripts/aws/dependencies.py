"""What must be gone before something else can be deleted, and what goes with it."""

from .instances import is_alive
from .patches import around, error


def _violation(kind, what):
    return error("DependencyViolation", f"The {kind} '{what}' has dependencies and cannot be deleted.")


def _names_group(rule, group):
    pairs = [rule.source_group or {}] if hasattr(rule, "source_group") else []
    return any(pair.get("GroupId") == group.id for pair in pairs)


@around("group-dependencies", "ec2:DeleteSecurityGroup")
def delete_group(request, proceed):
    """AWS deletes no security group that another group's rule names, or that an instance, an interface or a load balancer
    has (EC2 API reference, DeleteSecurityGroup: DependencyViolation), and never the default one (CannotDelete); moto does."""
    backend = request.ec2_backend
    name = request.params.get("GroupId") or request.params.get("GroupName")
    group = backend.get_security_group_by_name_or_id(name)
    if group is None:
        return proceed()
    if group.is_default:
        raise error(
            "CannotDelete",
            f'the specified group: "{group.id}" name: "{group.name}" cannot be deleted by a user',
        )
    others = [other for groups in backend.groups.values() for other in groups.values() if other is not group]
    named = any(
        _names_group(rule, group) for other in others for rule in [*other.ingress_rules, *other.egress_rules]
    )
    alive = (one for one in backend.all_instances() if is_alive(one))
    used = any(group in eni.group_set for eni in backend.enis.values())
    if named or used or any(group in instance.security_groups for instance in alive):
        raise error("DependencyViolation", f"resource {group.id} has a dependent object")
    return proceed()


@around("subnet-dependencies", "ec2:DeleteSubnet")
def delete_subnet(request, proceed):
    """AWS deletes no subnet in which anything has an interface: instances, NAT gateways, load balancers (EC2 API reference,
    DeleteSubnet: DependencyViolation); moto does."""
    backend = request.ec2_backend
    subnet = backend.get_subnet(request.params["SubnetId"])
    if any(eni.subnet.id == subnet.id for eni in backend.enis.values()):
        raise _violation("subnet", subnet.id)
    return proceed()


@around("subnet-associations", "ec2:DeleteSubnet")
def forget_subnet(request, proceed):
    """With a subnet AWS ends its association with a route table (VPC user guide, "Delete a subnet"), so that the table can
    be deleted; moto keeps the association, and the table never can."""
    answer = proceed()
    subnet_id = request.params["SubnetId"]
    for table in request.ec2_backend.route_tables.values():
        for association, other in list(table._associations.items()):
            if other == subnet_id:
                del table._associations[association]
    return answer


@around("main-table", "ec2:DeleteRouteTable")
def delete_table(request, proceed):
    """AWS never deletes the main route table of a VPC by itself (VPC user guide, "Delete a route table"); moto does."""
    table = request.ec2_backend.get_route_table(request.params["RouteTableId"])
    if table.main_association_id is not None:
        raise _violation("routeTable", table.id)
    return proceed()


@around("vpc-dependencies", "ec2:DeleteVpc")
def delete_vpc(request, proceed):
    """AWS deletes no VPC in which there is a subnet, a gateway, a group or a table of somebody's own (EC2 API reference,
    DeleteVpc: DependencyViolation); moto deletes it from under its internet gateway and its security groups."""
    backend = request.ec2_backend
    vpc = backend.get_vpc(request.params["VpcId"])
    groups = [group for group in backend.groups.get(vpc.id, {}).values() if not group.is_default]
    gateways = [one for one in backend.internet_gateways.values() if one.vpc and one.vpc.id == vpc.id]
    endpoints = [
        one for one in backend.vpc_end_points.values() if one.vpc_id == vpc.id and one.state != "deleted"
    ]
    if groups or gateways or endpoints:
        raise _violation("vpc", vpc.id)
    return proceed()


@around("gateway-dependencies", "ec2:DetachInternetGateway")
def detach_gateway(request, proceed):
    """AWS detaches no internet gateway while something in the VPC has a public address: instances, NAT gateways, load
    balancers (VPC user guide, "Delete an internet gateway": DependencyViolation); moto does."""
    vpc_id = request.params["VpcId"]
    if any(eni.vpc_id == vpc_id and eni.public_ip for eni in request.ec2_backend.enis.values()):
        raise error(
            "DependencyViolation",
            f"Network {vpc_id} has some mapped public address(es). "
            "Please unmap those public address(es) before detaching the gateway.",
        )
    return proceed()


@around("address-in-use", "ec2:ReleaseAddress")
def release_address(request, proceed):
    """AWS releases no elastic address that is associated (EC2 API reference, ReleaseAddress: InvalidIPAddress.InUse); moto
    takes it from under a NAT gateway."""
    for address in request.ec2_backend.addresses:
        if address.allocation_id == request.params.get("AllocationId") and address.association_id:
            raise error("InvalidIPAddress.InUse", f"Address {address.public_ip} is in use.")
    return proceed()
