"""Private addresses: which are free, and who has them."""

import ipaddress

from moto.ec2.models.elastic_network_interfaces import NetworkInterfaceBackend
from moto.ec2.models.subnets import Subnet

from .patches import error, instead


def taken(subnet):
    """The private addresses that interfaces in this subnet have."""
    interfaces = [eni for eni in subnet.ec2_backend.enis.values() if eni.subnet.id == subnet.id]
    return {one["PrivateIpAddress"] for eni in interfaces for one in eni.private_ip_addresses}


def free(subnet):
    """The first address that nobody has; AWS keeps the first four and the last one (VPC user guide, "Subnet CIDR blocks")."""
    used = taken(subnet)
    hosts = (str(host) for host in list(subnet.cidr)[4:-1])
    address = next((host for host in hosts if host not in used), None)
    if address is None:
        raise error(
            "InsufficientFreeAddressesInSubnet",
            f"There are not enough free addresses in subnet '{subnet.id}' to satisfy the requested number of instances.",
        )
    return address


def check(subnet, address):
    """Refuses an address that is not in the subnet, that AWS keeps, or that somebody has."""
    try:
        place = ipaddress.ip_address(address)
    except ValueError:
        raise error("InvalidParameterValue", f"Invalid IPv4 address '{address}'") from None
    if place not in subnet.cidr:
        raise error("InvalidParameterValue", "Address does not fall within the subnet's address range")
    if place in list(subnet.cidr)[:4] or place == subnet.cidr.broadcast_address:
        raise error("InvalidParameterValue", "Address is in subnet's reserved address range")
    if address in taken(subnet):
        raise error("InvalidIPAddress.InUse", f"Address {address} is in use.")


@instead("addresses", Subnet, "get_available_subnet_ip")
def choose(_, subnet, instance):
    """AWS gives an address that is free in the subnet (VPC user guide, "IP addressing"); moto counts those of instances,
    and gives one again that an interface has."""
    return free(subnet)


@instead("addresses", Subnet, "request_ip")
def ask(_, subnet, ip, instance):
    """AWS answers InvalidIPAddress.InUse when an address is asked for twice (EC2 API reference, "Error codes"); moto
    answers 500, or gives it a second time."""
    check(subnet, ip)


@instead("addresses", NetworkInterfaceBackend, "create_network_interface")
def create(original, backend, subnet, private_ip_address, private_ip_addresses=None, *rest, **named):
    """The same for interfaces that are made by themselves; moto gives them random addresses, and any that is asked for."""
    subnet = backend.get_subnet(subnet) if isinstance(subnet, str) else subnet
    given = [one.get("PrivateIpAddress") for one in private_ip_addresses or []]
    for address in {private_ip_address, *given} - {None, ""}:
        check(subnet, address)
    if not private_ip_address and not given:
        private_ip_address = free(subnet)
    return original(backend, subnet, private_ip_address, private_ip_addresses, *rest, **named)
