"""What whoever plays the machines asks: the instances that there are, with their volumes and what their metadata service says.

Nothing here changes an answer of the API but `refuse_other_networks`, and that only where the machines' network was said."""

import base64
import ipaddress

from moto.core import DEFAULT_ACCOUNT_ID
from moto.ec2.models import ec2_backends
from moto.iam.models import iam_backends

from . import metadata
from .patches import around, error

#: Where the machines are that play instances, such as 10.90.4.0/23; everything goes where nobody plays them.
network: str | None = None


def choose(wanted):
    """The machines' network from now on; none with nothing."""
    global network
    network = str(ipaddress.IPv4Network(wanted)) if wanted else None


@around("network-of-machines", "ec2:CreateVpc")
def refuse_other_networks(request, proceed):
    """AWS has a VPC of whatever range is asked for. Where machines play the instances, and their network was told, one of
    another range is refused at once: its instances could not have their addresses."""
    asked = request.params.get("CidrBlock")
    if network and asked != network:
        raise error(
            "InvalidVpc.Range",
            f"The CIDR '{asked}' is invalid: machines play the instances of this emulator, and they are in {network}; "
            "make a VPC of that range.",
        )
    return proceed()


def shown():
    """All instances, and the ids of all volumes, in all regions."""
    instances, volumes = [], []
    for region, backend in list(ec2_backends[DEFAULT_ACCOUNT_ID].items()):
        for reservation in backend.reservations.values():
            instances += [_instance(region, backend, instance) for instance in reservation.instances]
        volumes += backend.volumes
    return {"instances": instances, "volumes": sorted(volumes)}


def _instance(region, backend, instance):
    interface = instance.nics.get(0)
    name, profile, role = _profile(backend, instance)
    options = instance.metadata_options
    told = {
        "id": instance.id,
        "region": region,
        "zone": instance.placement.zone,
        "state": instance.state,
        "image": instance.image_id,
        "type": instance.instance_type,
        "launched": instance.launch_time.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "private_address": interface.private_ip_address if interface else None,
        "mac": interface.mac_address if interface else None,
        "subnet": interface.subnet.id if interface else None,
        "vpc": interface.subnet.vpc_id if interface else None,
        "user_data": _bytes(instance.user_data),
        "profile": {"name": name, "arn": profile} if profile else None,
        "role": {"name": role.name, "arn": role.arn} if role else None,
        "tags": {tag["key"]: tag["value"] for tag in instance.get_tags()},
        "metadata_options": {
            "tokens_required": options.http_tokens == "required",
            "hop_limit": options.http_put_response_hop_limit,
            "enabled": options.http_endpoint == "enabled",
            "tags": options.instance_metadata_tags == "enabled",
        },
        "volumes": _volumes(backend, instance),
    }
    return {**told, "credentials": metadata.credentials(told), "metadata": metadata.tree(told)}


def _profile(backend, instance):
    """The name and ARN of its profile, and the role in that."""
    association = backend.iam_instance_profile_associations.get(instance.id)
    if association is None:
        return None, None, None
    # The role may have come into the profile, or gone from it, since.
    name = association.iam_instance_profile.name
    there = iam_backends[backend.account_id][backend.partition].instance_profiles.values()
    profile = next((one for one in there if one.name == name), association.iam_instance_profile)
    return name, profile.arn, next(iter(profile.roles), None)


def _bytes(user_data):
    """User data as text in which each character stands for a byte."""
    return base64.b64decode(str(user_data)).decode("latin-1") if user_data else None


def _volumes(backend, instance):
    """Those that can be used, which a volume that is being attached cannot yet; by their devices, without the root."""
    image = backend.amis.get(instance.image_id)
    root = image.root_device_name if image else None
    attached = [one for one in backend.volumes.values() if one.attachment and one.attachment.instance is instance]
    usable = [one for one in attached if one.attachment.status == "attached" and one.attachment.device != root]
    return sorted(
        ({"id": one.id, "device": one.attachment.device, "gibibytes": int(one.size)} for one in usable),
        key=lambda volume: volume["device"],
    )
