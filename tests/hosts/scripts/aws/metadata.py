"""What the metadata service says to an instance: a path and its text each, without the version that the path begins with.

EC2 user guide, "Instance metadata categories", "Retrieve instance identity documents" and "Retrieve security credentials
from instance metadata". Folders are not in it: who serves it makes them of the paths."""

import base64
import hashlib
import json
import time

#: Credentials are new after half of this, and old ones stay good.
CREDENTIALS_SECONDS = 6 * 60 * 60
ACCOUNT = "123456789012"


def credentials(instance):
    """What the instance signs its calls with; made up, and told by its id and role and the time, so that whoever looks at the
    journal knows the caller. None without a role."""
    if not instance["role"]:
        return None
    begun = int(time.time()) // (CREDENTIALS_SECONDS // 2) * (CREDENTIALS_SECONDS // 2)
    digest = hashlib.sha256(f"{instance['id']} {instance['role']['arn']} {begun}".encode()).digest()
    return {
        "Code": "Success",
        "LastUpdated": _time(begun),
        "Type": "AWS-HMAC",
        "AccessKeyId": "ASIA" + base64.b32encode(digest[:10]).decode(),
        "SecretAccessKey": base64.b64encode(digest[:30]).decode(),
        "Token": base64.b64encode(digest * 4).decode(),
        "Expiration": _time(begun + CREDENTIALS_SECONDS),
    }


def _time(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def tree(instance):
    """All paths; none of an instance that has ended, and asks nobody."""
    if not instance["private_address"]:
        return {}
    address, mac = instance["private_address"], instance["mac"]
    name = f"ip-{address.replace('.', '-')}.{instance['region']}.compute.internal"
    told = {
        "ami-id": instance["image"],
        "ami-launch-index": "0",
        "hostname": name,
        "instance-action": "none",
        "instance-id": instance["id"],
        "instance-life-cycle": "on-demand",
        "instance-type": instance["type"],
        "local-hostname": name,
        "local-ipv4": address,
        "mac": mac,
        f"network/interfaces/macs/{mac}/device-number": "0",
        f"network/interfaces/macs/{mac}/local-hostname": name,
        f"network/interfaces/macs/{mac}/local-ipv4s": address,
        f"network/interfaces/macs/{mac}/mac": mac,
        f"network/interfaces/macs/{mac}/owner-id": ACCOUNT,
        f"network/interfaces/macs/{mac}/subnet-id": instance["subnet"],
        f"network/interfaces/macs/{mac}/vpc-id": instance["vpc"],
        "placement/availability-zone": instance["zone"],
        "placement/region": instance["region"],
        "services/domain": "amazonaws.com",
        "services/partition": "aws",
    }
    for index, volume in enumerate(instance["volumes"], 1):
        told[f"block-device-mapping/ebs{index}"] = volume["device"].removeprefix("/dev/")
    if instance["metadata_options"]["tags"]:
        told.update({f"tags/instance/{key}": value for key, value in instance["tags"].items()})
    told.update(_role(instance))
    paths = {f"meta-data/{path}": text for path, text in told.items()}
    paths["dynamic/instance-identity/document"] = json.dumps(_document(instance), indent=2)
    if instance["user_data"] is not None:
        paths["user-data"] = instance["user_data"]
    return paths


def _role(instance):
    """Its role and the credentials of that; nothing without one."""
    if not instance["role"]:
        return {}
    given = credentials(instance)
    info = {"Code": "Success", "LastUpdated": given["LastUpdated"], "InstanceProfileArn": instance["profile"]["arn"]}
    return {
        "iam/info": json.dumps(info, indent=2),
        f"iam/security-credentials/{instance['role']['name']}": json.dumps(given, indent=2),
    }


def _document(instance):
    """The identity document; nobody signs it here."""
    return {
        "accountId": ACCOUNT,
        "architecture": "x86_64",
        "availabilityZone": instance["zone"],
        "imageId": instance["image"],
        "instanceId": instance["id"],
        "instanceType": instance["type"],
        "pendingTime": instance["launched"],
        "privateIp": instance["private_address"],
        "region": instance["region"],
        "version": "2017-09-30",
    }
