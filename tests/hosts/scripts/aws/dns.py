"""Zones and records of Route 53."""

import ipaddress
import re

from moto.moto_api._internal import mock_random

from . import clock
from .patches import around, error

#: The changes that are on their way to the name servers.
_pending: set[str] = set()


def reset():
    """Nothing is on its way."""
    _pending.clear()


def _seen(backend, name, vpc):
    """The private zones of this name that a VPC sees."""
    zones = (zone for zone in backend.zones.values() if zone.private_zone and absolute(zone.name) == absolute(name))
    return [zone for zone in zones if any(one["vpc_id"] == vpc["VPCId"] for one in zone.vpcs)]


@around("zone-vpcs", "route53:CreateHostedZone", "route53:AssociateVPCWithHostedZone")
def show_zone(request, proceed):
    """AWS lets a VPC see one private zone of a name, and refuses another one, or the same once more (Route 53 API reference,
    AssociateVPCWithHostedZone: ConflictingDomainExists); moto lets it see several, or one twice."""
    backend, vpc = request.backend, request.params.get("VPC")
    zone_id = request.params.get("HostedZoneId")
    name = backend.get_hosted_zone(zone_id).name if zone_id else request.params["Name"]
    if vpc and _seen(backend, name, vpc):
        words = f"The VPC {vpc['VPCId']} in region {vpc['VPCRegion']} has already been associated with a hosted zone of the name {name}"
        raise error("ConflictingDomainExists", words)
    return proceed()


@around("zone-vpcs", "route53:DisassociateVPCFromHostedZone")
def hide_zone(request, proceed):
    """AWS says so where a VPC does not see the zone (DisassociateVPCFromHostedZone: VPCAssociationNotFound); moto does nothing,
    or takes it for the last one."""
    zone = request.backend.get_hosted_zone(request.params["HostedZoneId"])
    vpc = request.params["VPC"]
    if zone not in _seen(request.backend, zone.name, vpc):
        raise error("VPCAssociationNotFound", f"The VPC {vpc['VPCId']} is not associated with the hosted zone {zone.id}")
    return proceed()


@around("caller-references", "route53:CreateHostedZone")
def create_zone(request, proceed):
    """AWS makes one zone for a caller reference (Route 53 API reference, CreateHostedZone: HostedZoneAlreadyExists), also
    when it is long gone; moto makes another one."""
    backend = request.backend
    used = backend.__dict__.setdefault("caller_references", set())
    reference = request.params["CallerReference"]
    if reference in used:
        raise error(
            "HostedZoneAlreadyExists",
            f"A hosted zone has already been created with the specified caller reference. {reference}",
        )
    answer = proceed()
    used.add(reference)
    return answer


def absolute(name):
    """A name as Route 53 writes it, but for a star."""
    return name.lower().rstrip(".").replace("\\052", "*") + "."


def _key(record):
    return absolute(record["Name"]), record["Type"], record.get("SetIdentifier")


def _values(record):
    target = record.get("AliasTarget")
    if target:
        return ("alias", target["HostedZoneId"], absolute(target["DNSName"]))
    return (str(record.get("TTL")), frozenset(one["Value"] for one in record.get("ResourceRecords") or []))


def written(record):
    """The values of a record that moto has."""
    return [one if isinstance(one, str) else one["Value"] for one in record.records or []]


def _existing(zone):
    found = {}
    for record in zone.rrsets:
        shown = {
            "Name": record.name,
            "Type": record.type,
            "SetIdentifier": record.set_identifier,
            "TTL": record.ttl,
            "AliasTarget": record.alias_target,
            "ResourceRecords": [{"Value": value} for value in written(record)],
        }
        found[_key(shown)] = _values(shown)
    return found


def _address(kind):
    def check(value):
        try:
            kind(value)
        except ValueError:
            return False
        return True

    return check


_QUOTED = re.compile(r'("([^"\\]|\\.){0,255}"\s*)+')
#: How a value of a type must look, and what AWS says of one that does not.
_LOOKS = {
    "A": (_address(ipaddress.IPv4Address), "ARRDATAIllegalIPv4Address (Value is not a valid IPv4 address)"),
    "AAAA": (_address(ipaddress.IPv6Address), "AAAARRDATAIllegalIPv6Address (Value is not a valid IPv6 address)"),
    "TXT": (_QUOTED.fullmatch, "InvalidCharacterString (Value should be enclosed in quotation marks)"),
}


def _problem(zone, change, there):
    record, action = change["ResourceRecordSet"], change["Action"]
    words = f"[name='{absolute(record['Name'])}', type='{record['Type']}']"
    key = _key(record)
    if action == "DELETE":
        if key not in there:
            return f"Tried to delete resource record set {words} but it was not found"
        if there[key] != _values(record):
            return f"Tried to delete resource record set {words} but the values provided do not match the current values"
        return None
    if action == "CREATE" and key in there:
        return f"Tried to create resource record set {words} but it already exists"
    if record["Type"] == "CNAME" and key[0] == absolute(zone.name):
        return f"RRSet of type CNAME with DNS name {key[0]} is not permitted at apex in zone {zone.name}"
    if bool(record.get("AliasTarget")) == bool(record.get("ResourceRecords")):
        return f"Expected exactly one of [AliasTarget, all of [TTL, and ResourceRecords]] in {words}"
    looks_right, complaint = _LOOKS.get(record["Type"], (lambda _: True, ""))
    for one in record.get("ResourceRecords") or []:
        if not looks_right(one["Value"]):
            return f"Invalid Resource Record: FATAL problem: {complaint} encountered with '{one['Value']}'"
    return None


@around("record-checks", "route53:ChangeResourceRecordSets")
def change_records(request, proceed):
    """AWS makes all changes of a batch or none, refuses values that do not fit their type, records that are there already,
    and deletions of what is not there or is otherwise (Route 53 API reference, ChangeResourceRecordSets:
    InvalidChangeBatch); moto takes bad values, and looks for the others in what was once asked for."""
    zone = request.backend.get_hosted_zone(request.params["HostedZoneId"])
    there = _existing(zone)
    for change in request.params["ChangeBatch"]["Changes"]:
        problem = _problem(zone, change, there)
        if problem:
            raise error("InvalidChangeBatch", f"[{problem}]")
        record = change["ResourceRecordSet"]
        record["Name"] = absolute(record["Name"])
        if change["Action"] == "DELETE":
            del there[_key(record)]
        else:
            there[_key(record)] = _values(record)
    # moto compares with a journal of its own, in which not all is that is there.
    zone.rr_changes = _Agreeable(zone.rr_changes)
    return proceed()


class _Agreeable(list):
    """What moto has instead of what there is: it is content with all that was looked at here."""

    def __contains__(self, _):
        return False

    def has_insert_or_update(self, _):
        return True


@around(
    "change-states",
    "route53:AssociateVPCWithHostedZone",
    "route53:ChangeResourceRecordSets",
    "route53:CreateHostedZone",
    "route53:DeleteHostedZone",
    "route53:DisassociateVPCFromHostedZone",
)
def on_its_way(request, proceed):
    """AWS has a change pending until all its name servers have it (Route 53 API reference, ChangeInfo), each with an id of
    its own; moto has them all done, with one id."""
    answer = proceed()
    change = "C" + mock_random.get_random_hex(20).upper()
    _pending.add(change)
    clock.later(lambda: _pending.discard(change))
    answer.result["ChangeInfo"].update(Id=f"/change/{change}", Status="PENDING")
    return answer


@around("change-states", "route53:GetChange")
def get_change(request, proceed):
    """Likewise."""
    answer = proceed()
    if request.params["Id"].rsplit("/", 1)[-1] in _pending:
        answer.result["ChangeInfo"]["Status"] = "PENDING"
    return answer
