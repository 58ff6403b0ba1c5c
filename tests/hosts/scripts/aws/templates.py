"""Launch templates: what instances get from them, and what a version has from another one."""

from moto.core.responses import ActionResult
from moto.ec2.exceptions import InvalidLaunchTemplateVersionNotFound
from moto.ec2.models.instances import InstanceBackend
from moto.ec2.models.launch_templates import LaunchTemplate, LaunchTemplateBackend
from moto.ec2.utils import convert_tag_spec, parse_user_data

from .launch import check_user_data, give_profile
from .patches import around, error, instead


@instead("template-fields", InstanceBackend, "run_instances")
def run(original, backend, image_id, count, user_data, groups, **named):
    """AWS takes from a launch template all that a request does not say (EC2 user guide, "Launch instances from a launch
    template"); moto takes the image, type, key, user data and groups, and neither interfaces, profile, metadata options,
    market nor tags of volumes and interfaces, and gives a second root volume."""
    if not named.get("launch_template"):
        return original(backend, image_id, count, user_data, groups, **named)
    data = backend._get_template_from_args(named["launch_template"]).data
    if named.get("is_instance_type_default") and data.get("InstanceType"):
        named.update(instance_type=data["InstanceType"], is_instance_type_default=False)
    named["key_name"] = named.get("key_name") or data.get("KeyName")
    if not named.get("nics"):
        named["nics"] = [_as_response(nic) for nic in data.get("NetworkInterfaces") or []]
    if not named.get("block_device_mappings") and data.get("BlockDeviceMappings"):
        named["block_device_mappings"] = data["BlockDeviceMappings"]
    named["metadata_options"] = {**(data.get("MetadataOptions") or {}), **(named.get("metadata_options") or {})}
    if (data.get("Monitoring") or {}).get("Enabled"):
        named["monitoring_state"] = "enabled"
    market = (data.get("InstanceMarketOptions") or {}).get("MarketType")
    named["instance_market_options"] = named.get("instance_market_options") or market
    named["ebs_optimized"] = named.get("ebs_optimized") or data.get("EbsOptimized") or False
    tags = convert_tag_spec(data.get("TagSpecifications") or [])
    given = named.get("tags") or {}
    named["tags"] = {kind: {**tags.get(kind, {}), **given.get(kind, {})} for kind in {*tags, *given}}
    user_data = user_data or data.get("UserData")
    reservation = original(backend, image_id or data.get("ImageId"), count, user_data, groups, **named)
    there = {one.get("NetworkInterfaceId") for one in named["nics"] or []}
    for interface in (one for instance in reservation.instances for one in instance.nics.values()):
        if interface.id not in there and tags.get("network-interface"):
            interface.add_tags(tags["network-interface"])
    asked = named.get("iam_instance_profile_name") or named.get("iam_instance_profile_arn")
    if data.get("IamInstanceProfile") and not asked:
        for instance in reservation.instances:
            give_profile(backend, instance, data["IamInstanceProfile"])
    return reservation


def _as_response(nic):
    nic = {key: nic[key] for key in nic}
    nic["DeviceIndex"] = int(nic.get("DeviceIndex") or 0)
    for flag in ("AssociatePublicIpAddress", "DeleteOnTermination"):
        if nic.get(flag) is not None:
            nic[flag] = str(nic[flag]).lower() == "true"
    return nic


@instead("template-versions", LaunchTemplate, "create_version")
def create_version(original, template, data, description):
    """AWS takes user data of a second version as of a first one, 16 KiB at the most; moto keeps it as text, and fails
    when an Auto Scaling group uses that version."""
    user_data = data.get("UserData")
    if user_data is not None and isinstance(user_data, str):
        data["UserData"] = parse_user_data(user_data)
    check_user_data(data.get("UserData"))
    return original(template, data, description)


@around("template-source", "ec2:CreateLaunchTemplateVersion")
def inherit(request, proceed):
    """AWS begins a version with what its SourceVersion says (EC2 API reference, CreateLaunchTemplateVersion); moto begins
    with nothing."""
    source = request.params.get("SourceVersion")
    if source:
        backend = request.ec2_backend
        name, by_id = request.params.get("LaunchTemplateName"), request.params.get("LaunchTemplateId")
        template = backend.get_launch_template(by_id) if by_id else backend.get_launch_template_by_name(name)
        inherited = template.get_version(source).data
        given = request.params.get("LaunchTemplateData") or {}
        request.params["LaunchTemplateData"] = {
            **{key: inherited[key] for key in inherited},
            **{key: given[key] for key in given if given[key] is not None},
        }
    return proceed()


def _gone(template):
    """The numbers of its versions that were deleted."""
    return template.__dict__.setdefault("gone", set())


@instead("template-version-deletion", LaunchTemplate, "get_version")
def get_version(original, template, num):
    """AWS deletes versions of a launch template but the default one, whose numbers are never given again (EC2 API reference,
    DeleteLaunchTemplateVersions); moto has no code for that."""
    if str(num).lower() == "$latest":
        return template.latest_version()
    version = original(template, num)
    if version.number in _gone(template):
        raise InvalidLaunchTemplateVersionNotFound(template_id=template.id, version=num)
    return version


@instead("template-version-deletion", LaunchTemplate, "latest_version")
def latest_version(_, template):
    """Likewise: the latest one is one that is there."""
    return next(one for one in reversed(template.versions) if one.number not in _gone(template))


@instead("template-version-deletion", LaunchTemplateBackend, "describe_launch_template_versions")
def describe_versions(original, backend, **named):
    """Likewise."""
    found = original(backend, **named)
    return [(template, version) for template, version in found if version.number not in _gone(template)]


@around("template-version-deletion", "ec2:DeleteLaunchTemplateVersions")
def delete_versions(request, _):
    """Likewise."""
    backend, asked = request.ec2_backend, request.params
    by_id, name = asked.get("LaunchTemplateId"), asked.get("LaunchTemplateName")
    template = backend.get_launch_template(by_id) if by_id else backend.get_launch_template_by_name(name)
    done, failed = [], []
    for number in map(int, asked["Versions"]):
        told = {"LaunchTemplateId": template.id, "LaunchTemplateName": template.name, "VersionNumber": number}
        if number == template.default_version_number:
            problem = {"Code": "unexpectedError", "Message": "The default version cannot be deleted."}
            failed.append({**told, "ResponseError": problem})
        elif not 0 < number <= len(template.versions) or number in _gone(template):
            problem = {"Code": "launchTemplateVersionDoesNotExist", "Message": f"There is no version {number}."}
            failed.append({**told, "ResponseError": problem})
        else:
            _gone(template).add(number)
            done.append(told)
    answer = {
        "SuccessfullyDeletedLaunchTemplateVersions": done,
        "UnsuccessfullyDeletedLaunchTemplateVersions": failed,
    }
    return ActionResult(answer)


@instead("template-unknown", LaunchTemplateBackend, "delete_launch_template")
def delete(original, backend, name, tid):
    """Likewise by its id; moto speaks of its name."""
    if tid and not name and tid not in backend.launch_templates:
        words = f"The specified launch template, with template ID {tid}, does not exist."
        raise error("InvalidLaunchTemplateId.NotFound", words)
    return original(backend, name, tid)


@instead("template-unknown", LaunchTemplateBackend, "describe_launch_templates")
def describe(original, backend, template_names=None, template_ids=None, filters=None):
    """AWS answers InvalidLaunchTemplateId.NotFound when it is asked about a template that is not there (EC2 API reference,
    "Error codes"); moto leaves it out."""
    for one in template_ids or []:
        if one not in backend.launch_templates:
            words = f"The specified launch template, with template ID {one}, does not exist."
            raise error("InvalidLaunchTemplateId.NotFound", words)
    return original(backend, template_names, template_ids, filters)
