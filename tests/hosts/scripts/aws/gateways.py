"""NAT gateways: their states, what they hold, and how they are found."""

import moto.ec2.models.nat_gateways as nat_gateways
from moto.ec2.models.nat_gateways import NatGatewayBackend
from moto.ec2.utils import generic_filter

from . import clock
from .interfaces import release_addresses
from .patches import error, instead

_FOUND_BY_MOTO = {"nat-gateway-id", "vpc-id", "subnet-id", "state"}


@instead("addresses", nat_gateways, "random_private_ip")
def no_address(_):
    """A NAT gateway's address is of its subnet; moto's is not."""
    return None


@instead("nat-states", NatGatewayBackend, "create_nat_gateway")
def create(original, backend, subnet_id, allocation_id, tags=None, connectivity_type=None):
    """AWS has a NAT gateway pending before it is available, or failed when somebody else has its address, and its interface
    in use (VPC user guide, "NAT gateway basics", "Troubleshoot NAT gateways"); moto has it available at once, or leaves an
    interface behind."""
    kind = connectivity_type or "public"
    backend.get_subnet(subnet_id)
    if kind == "public" and not allocation_id:
        raise error("MissingParameter", "The request must include the AllocationId parameter.")
    taken = kind == "public" and _taken(backend, allocation_id)
    gateway = original(backend, subnet_id, None if taken else allocation_id, tags, kind)
    gateway.state = "pending"
    interface = gateway._eni
    interface.status, interface.requester_managed = "in-use", True
    interface.interface_type, interface.description = "nat_gateway", f"Interface for NAT Gateway {gateway.id}"
    interface._group_set = []
    clock.later(lambda: _come_up(backend, gateway, taken))
    return gateway


def _taken(backend, allocation_id):
    """Whether somebody has the address, which makes the gateway fail after a while; one that is not there is refused."""
    return backend.address_by_allocation([allocation_id])[0].association_id is not None


def _come_up(backend, gateway, failed):
    if gateway.state != "pending":
        return
    gateway.state = "failed" if failed else "available"
    if failed:
        gateway.failure_code = "Resource.AlreadyAssociated"
        gateway.failure_message = "Elastic IP address is already associated"
        backend.enis.pop(gateway._eni.id, None)


@instead("nat-deletion", NatGatewayBackend, "delete_nat_gateway")
def delete(_, backend, nat_gateway_id):
    """AWS has a NAT gateway deleting for a while, and then deleted, without its interface and its elastic address (VPC user
    guide, "Delete a NAT gateway"); with moto it is deleted at once, and holds both for ever. One that is not there is
    NatGatewayNotFound; with moto a 500."""
    gateway = backend.nat_gateways.get(nat_gateway_id)
    if gateway is None:
        raise error("NatGatewayNotFound", f"The Nat Gateway {nat_gateway_id} was not found")
    if gateway.state not in ("deleting", "deleted"):
        gateway.state = "deleting"
        clock.later(lambda: _gone(backend, gateway))
    return gateway


def _gone(backend, gateway):
    gateway.state = "deleted"
    release_addresses(backend, gateway._eni)
    backend.enis.pop(gateway._eni.id, None)


@instead("nat-filters", NatGatewayBackend, "describe_nat_gateways")
def describe(original, backend, filters, nat_gateway_ids):
    """AWS finds NAT gateways by their tags too, and answers NatGatewayNotFound about one that is not there (EC2 API
    reference, DescribeNatGateways); moto leaves filters out that it does not know, and gives all."""
    for one in nat_gateway_ids or []:
        if one not in backend.nat_gateways:
            raise error("NatGatewayNotFound", f"The Nat Gateway {one} was not found")
    others = {name: values for name, values in (filters or {}).items() if name not in _FOUND_BY_MOTO}
    return generic_filter(others, original(backend, filters, nat_gateway_ids))
