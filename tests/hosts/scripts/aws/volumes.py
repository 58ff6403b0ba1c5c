"""The states of volumes, and who may attach them."""

from moto.core.responses import ActionResult
from moto.ec2.models.elastic_block_store import EBSBackend, Volume

from . import clock
from .patches import around, error, instead, instead_of_property


@around("volume-states", "ec2:CreateVolume")
def create(request, proceed):
    """AWS has a volume creating before it is available (EBS user guide, "Volume lifecycle"); moto says so once, and has it
    available at once."""
    answer = proceed()
    volume = answer.result
    if not getattr(volume, "known", False):
        volume.known = volume.creating = True
        clock.later(lambda: setattr(volume, "creating", False))
    return answer


@around("volume-zone", "ec2:CreateVolume")
def create_somewhere(request, proceed):
    """AWS has volumes in zones that there are (EC2 API reference, "Error codes": InvalidZone.NotFound); moto makes one that is
    nowhere."""
    zone = request.params.get("AvailabilityZone")
    if zone and request.ec2_backend.get_zone_by_name(zone) is None:
        raise error("InvalidZone.NotFound", f"The zone '{zone}' does not exist.")
    return proceed()


@instead_of_property("volume-states", Volume, "status")
def status(original, volume):
    """Likewise."""
    return "creating" if getattr(volume, "creating", False) else original(volume)


@around("volume-attach", "ec2:AttachVolume")
def attach(request, proceed):
    """AWS attaches a volume that is available, in the zone of the instance, to one that runs or is stopped (EC2 API
    reference, AttachVolume and "Error codes": IncorrectState, VolumeInUse, InvalidVolume.ZoneMismatch), at a device that
    is free; moto attaches it in every case, also a second time."""
    backend = request.ec2_backend
    volume = backend.get_volume(request.params["VolumeId"])
    instance = backend.get_instance(request.params["InstanceId"])
    device = request.params["Device"]
    if volume.attachment:
        raise error("VolumeInUse", f"{volume.id} is already attached to an instance")
    if volume.status != "available":
        raise error("IncorrectState", f"{volume.id} is not 'available'.")
    if instance.state not in ("running", "stopped"):
        raise error("IncorrectState", f"Instance '{instance.id}' is not 'running'.")
    if volume.availability_zone != instance.placement.zone:
        raise error(
            "InvalidVolume.ZoneMismatch",
            f"The volume '{volume.id}' is not in the same availability zone as instance '{instance.id}'",
        )
    if device in instance.block_device_mapping:
        words = f"Invalid value '{device}' for unixDevice. Attachment point {device} is already in use"
        raise error("InvalidParameterValue", words)
    return proceed()


@instead("volume-end", EBSBackend, "attach_volume")
def attach_shown(original, backend, volume_id, instance_id, device_path, delete_on_termination=False):
    """AWS says with a volume whether it goes with its instance (EC2 API reference, VolumeAttachment); moto says so with the
    instance alone."""
    attachment = original(backend, volume_id, instance_id, device_path, delete_on_termination)
    if attachment:
        attachment.delete_on_termination = delete_on_termination
    return attachment


@around("volume-states", "ec2:AttachVolume")
def attaching(request, proceed):
    """Likewise attaching before it is attached."""
    answer = proceed()
    attachment = request.ec2_backend.get_volume(request.params["VolumeId"]).attachment
    attachment.status = "attaching"

    def done():
        if attachment.status == "attaching":
            attachment.status = "attached"

    clock.later(done)
    return answer


@around("volume-states", "ec2:DetachVolume")
def detach(request, proceed):
    """Likewise detaching, and in use, before it is available: what is detached is so after a while."""
    backend = request.ec2_backend
    volume = backend.get_volume(request.params["VolumeId"])
    attachment = volume.attachment
    if attachment is None:
        raise error("IncorrectState", f"Volume '{volume.id}' is in the 'available' state.")
    if request.params.get("InstanceId") not in (None, attachment.instance.id):
        return proceed()
    attachment.status = "detaching"

    def done():
        if volume.attachment is attachment:
            EBSBackend.detach_volume(backend, volume.id, attachment.instance.id, attachment.device)

    clock.later(done)
    return ActionResult({
        "VolumeId": volume.id,
        "InstanceId": attachment.instance.id,
        "Device": attachment.device,
        "State": "detaching",
        "AttachTime": attachment.attach_time,
    })
