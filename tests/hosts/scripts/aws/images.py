"""Images. `images.json` has those that there are: of Ubuntu 24.04 and Debian 12 for both architectures, by the accounts of
Canonical and Debian, and a newer one of the same name by a stranger. The ids are made up."""

from moto.ec2.models.amis import AmiBackend

from .patches import around, instead


@instead("image-owners", AmiBackend, "_load_amis")
def load(original, backend):
    """AWS has the alias amazon only for its own images (EC2 API reference, Image: ImageOwnerAlias); moto has it for all that
    are loaded, so that anybody's are found by it."""
    original(backend)
    for image in backend.amis.values():
        image.owner_alias = None


@around("registered-images", "ec2:RegisterImage")
def register(request, proceed):
    """AWS keeps what an image is registered with, and takes it for i386 when nothing is said (EC2 API reference,
    RegisterImage); moto keeps the name alone."""
    answer = proceed()
    image = request.ec2_backend.amis[answer.result["ImageId"]]
    image.architecture = request.params.get("Architecture") or "i386"
    image.root_device_name = request.params.get("RootDeviceName") or image.root_device_name
    image.virtualization_type = request.params.get("VirtualizationType") or "paravirtual"
    image.boot_mode = request.params.get("BootMode") or image.boot_mode
    image.root_device_type = "ebs"
    return answer
