"""Instance profiles: those that instances cannot have."""

from moto.ec2.models.instances import InstanceBackend
from moto.iam.models import iam_backends

from . import clock
from .patches import around, error, instead


@around("instance-profiles", "iam:CreateInstanceProfile")
def create(request, proceed):
    """AWS takes a while until instances can be started with a new profile, and then and with one that is not there answers
    InvalidParameterValue (IAM user guide, "Changes that I make are not always immediately visible"); with moto it can be had
    at once, and one that is not there is an error of IAM."""
    answer = proceed()
    profile = answer.result["InstanceProfile"]
    profile.fresh = True
    clock.later(lambda: setattr(profile, "fresh", False))
    return answer


def _check(backend, profile):
    name, arn = profile.get("Name"), profile.get("Arn")
    there = iam_backends[backend.account_id][backend.partition].instance_profiles.values()
    found = [one for one in there if name in (None, one.name) and arn in (None, one.arn)]
    if not found or getattr(found[0], "fresh", False):
        kind, value = ("name", name) if name else ("arn", arn)
        raise error(
            "InvalidParameterValue",
            f"Value ({value}) for parameter iamInstanceProfile.{kind} is invalid. Invalid IAM Instance Profile {kind}",
        )


@around("instance-profiles", "ec2:RunInstances")
def run(request, proceed):
    """Likewise."""
    if request.params.get("IamInstanceProfile"):
        _check(request.ec2_backend, request.params["IamInstanceProfile"])
    return proceed()


@around("profile-replace", "ec2:ReplaceIamInstanceProfileAssociation")
def replace(request, proceed):
    """AWS shows an instance with the profile that it was given last (EC2 API reference, Instance); moto with the first one."""
    answer = proceed()
    association = answer.result["IamInstanceProfileAssociation"]
    shown = {"Arn": association.iam_instance_profile.arn, "Id": association.association_id}
    request.ec2_backend.modify_instance_attribute(association.instance_id, "iam_instance_profile", shown)
    return answer


@instead("instance-profiles", InstanceBackend, "run_instances")
def run_by_template(original, backend, *arguments, **named):
    """Likewise with a launch template that names one."""
    if named.get("launch_template"):
        data = backend._get_template_from_args(named["launch_template"]).data
        if data.get("IamInstanceProfile"):
            _check(backend, data["IamInstanceProfile"])
    return original(backend, *arguments, **named)
