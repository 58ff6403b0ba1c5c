"""What whoever plays the machines resolves: names of Route 53, of load balancers and of instances, each with its addresses.

A name that is there without an address has an empty list. Where AWS has the addresses of a load balancer's interfaces, here are
those of its targets, since nobody plays the balancer; ports are not translated."""

import ipaddress
from concurrent.futures import ThreadPoolExecutor

from moto.core import DEFAULT_ACCOUNT_ID
from moto.ec2.models import ec2_backends
from moto.elbv2.models import elbv2_backends
from moto.route53.models import route53_backends

from . import dns

#: So many names one after the other lead to an address at most.
_STEPS_LIMIT = 8
#: So many targets are asked for their health at a time.
_ASKED_LIMIT = 16


def shown():
    """All names in all regions, in lower case and without the dot at their end."""
    own = {**_instances(), **_balancers()}
    records = _records()
    names = {name: _resolve(name, own, records) for name in {*own, *records}}
    return {name.rstrip("."): _sorted(addresses) for name, addresses in sorted(names.items())}


def _sorted(addresses):
    return sorted(set(addresses), key=ipaddress.IPv4Address)


def _instances():
    """The private names of instances that have not ended."""
    found = {}
    for backend in list(ec2_backends[DEFAULT_ACCOUNT_ID].values()):
        for instance in backend.all_instances():
            address = _address(instance)
            if address:
                found[dns.absolute(instance.private_dns_name)] = [address]
    return found


def _address(instance):
    interface = instance.nics.get(0) if instance else None
    return interface.private_ip_address if interface else None


def _balancers():
    """The names of load balancers, with the targets of all their listeners."""
    found = {}
    with ThreadPoolExecutor(_ASKED_LIMIT) as pool:
        for backend in list(elbv2_backends[DEFAULT_ACCOUNT_ID].values()):
            for balancer in backend.load_balancers.values():
                groups = _groups(backend, balancer)
                found[dns.absolute(balancer.dns_name)] = [one for group in groups for one in _targets(pool, group)]
    return found


def _groups(backend, balancer):
    actions = [action for listener in balancer.listeners.values() for action in listener.default_actions]
    forwards = [action.data for action in actions if action.type == "forward"]
    arns = {arn for data in forwards for arn in backend._get_target_group_arns_from(action_data=data)}
    return [backend.target_groups[arn] for arn in arns if arn in backend.target_groups]


def _targets(pool, group):
    """The healthy ones of a group, or all where none is (Network Load Balancer user guide, "Health checks for target groups"):
    asked side by side, since each may take a while to say nothing."""
    targets = list(group.targets.values())
    states = pool.map(lambda one: group.health_for(one, group.ec2_backend).status, targets)
    healthy = [target for target, state in zip(targets, states) if state == "healthy"]
    addresses = [_address_of_target(group, target["Id"]) for target in healthy or targets]
    return [address for address in addresses if address]


def _address_of_target(group, target):
    if group.target_type == "ip":
        return target if _is_address(target) else None
    return _address(group.ec2_backend.get_instance_by_id(target))


def _is_address(text):
    try:
        ipaddress.IPv4Address(text)
    except ValueError:
        return False
    return True


def _records():
    """The names in zones: the addresses of each, and the names that it stands for.

    A zone hides what zones above it have of its names, and a private one what public ones have (Route 53 developer guide,
    "Considerations when working with a private hosted zone"). There is one network, which sees all private zones."""
    zones = [zone for backend in route53_backends[DEFAULT_ACCOUNT_ID].values() for zone in backend.zones.values()]
    found = {}
    for zone in zones:
        for record in zone.rrsets:
            name = dns.absolute(record.name)
            if any(_rank(other) > _rank(zone) for other in zones if _is_below(name, other)):
                continue
            addresses, others = found.setdefault(name, ([], []))
            if record.type == "A" and record.alias_target:
                others.append(dns.absolute(record.alias_target["DNSName"]))
            elif record.type == "A":
                addresses += dns.written(record)
            elif record.type == "CNAME":
                others += [dns.absolute(value) for value in dns.written(record)]
    return found


def _rank(zone):
    return zone.private_zone, len(dns.absolute(zone.name))


def _is_below(name, zone):
    return ("." + name).endswith("." + dns.absolute(zone.name))


def _resolve(name, own, records, steps=_STEPS_LIMIT):
    """The addresses of a name, by way of others; names that lead in a circle have none."""
    addresses, others = records.get(name, (own.get(name, []), []))
    if not steps:
        return []
    return addresses + [one for other in others for one in _resolve(other, own, records, steps - 1)]
