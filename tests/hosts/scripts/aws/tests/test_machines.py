"""What is told to whoever plays the machines."""

import base64
import json

from .case import REGION, Case, of, tell
from .test_instances import TRUST

DOCUMENT = "dynamic/instance-identity/document"


class Machines(Case):
    def told(self, instance_id):
        """What is told of an instance."""
        return next(one for one in tell("GET", "instances")["instances"] if one["id"] == instance_id)

    def role(self):
        """A role in a profile."""
        self.iam.create_role(RoleName="nodes", AssumeRolePolicyDocument=TRUST)
        arn = self.iam.create_instance_profile(InstanceProfileName="node")["InstanceProfile"]["Arn"]
        self.iam.add_role_to_instance_profile(InstanceProfileName="node", RoleName="nodes")
        return {"Arn": arn}

    def test_there_are_none_at_the_start(self):
        self.assertEqual(tell("GET", "instances"), {"instances": [], "volumes": []})

    def test_all_of_an_instance_is_told(self):
        self.vpc()
        data = bytes(range(256))
        one = self.run_one(
            PrivateIpAddress="10.0.0.10",
            UserData=data,
            IamInstanceProfile=self.role(),
            MetadataOptions={"HttpTokens": "required", "HttpPutResponseHopLimit": 2},
            TagSpecifications=[{"ResourceType": "instance", "Tags": [{"Key": "cluster", "Value": "a"}]}],
        )["InstanceId"]
        told, known = self.told(one), self.instance(one)
        self.assertEqual((told["state"], told["private_address"]), ("running", "10.0.0.10"))
        self.assertEqual(told["mac"], known["NetworkInterfaces"][0]["MacAddress"])
        self.assertEqual((told["region"], told["zone"], told["type"]), (REGION, REGION + "a", "t3.medium"))
        self.assertEqual((told["image"], told["subnet"], told["vpc"]), (known["ImageId"], self.subnets[0], self.vpc_id))
        self.assertEqual(told["user_data"].encode("latin-1"), data)
        self.assertEqual(told["profile"]["arn"], known["IamInstanceProfile"]["Arn"])
        self.assertEqual(told["role"], {"name": "nodes", "arn": "arn:aws:iam::123456789012:role/nodes"})
        self.assertEqual(told["tags"], {"cluster": "a"})
        options = {"tokens_required": True, "hop_limit": 2, "enabled": True, "tags": False}
        self.assertEqual(told["metadata_options"], options)

    def test_its_volumes_are_told_while_they_are_attached(self):
        self.vpc()
        one = self.run_one()["InstanceId"]
        volume = self.ec2.create_volume(AvailabilityZone=REGION + "a", Size=8)["VolumeId"]
        self.assertEqual(self.told(one)["volumes"], [], "the root volume is the machine's own disk")
        self.slowly()
        self.ec2.attach_volume(VolumeId=volume, InstanceId=one, Device="/dev/sdf")
        self.assertEqual(self.told(one)["volumes"], [], "it is being attached")
        self.wait()
        told = self.told(one)
        self.assertEqual(told["volumes"], [{"id": volume, "device": "/dev/sdf", "gibibytes": 8}])
        self.assertEqual(told["metadata"]["meta-data/block-device-mapping/ebs1"], "sdf")
        self.ec2.detach_volume(VolumeId=volume)
        self.assertEqual(self.told(one)["volumes"], [])
        self.wait()
        self.assertIn(volume, tell("GET", "instances")["volumes"])
        self.ec2.delete_volume(VolumeId=volume)
        self.assertNotIn(volume, tell("GET", "instances")["volumes"])

    def test_states_go_on_while_they_are_asked_for(self):
        self.vpc()
        one = self.run_one()["InstanceId"]
        self.assertEqual(self.told(one)["state"], "running")
        self.end(one)
        told = self.told(one)
        self.assertEqual((told["state"], told["private_address"], told["metadata"]), ("terminated", None, {}))

    def test_credentials_are_of_the_instance_and_its_role(self):
        self.vpc()
        profile = self.role()
        one, other = (self.run_one(IamInstanceProfile=profile)["InstanceId"] for _ in range(2))
        told = self.told(one)
        path = "meta-data/iam/security-credentials/nodes"
        given = json.loads(told["metadata"][path])
        self.assertEqual(given, told["credentials"])
        self.assertRegex(given["AccessKeyId"], "^ASIA[A-Z2-7]{16}$")
        self.assertLess(given["LastUpdated"], given["Expiration"])
        self.assertEqual(given, self.told(one)["credentials"], "they last")
        self.assertNotEqual(given["AccessKeyId"], self.told(other)["credentials"]["AccessKeyId"])
        self.iam.remove_role_from_instance_profile(InstanceProfileName="node", RoleName="nodes")
        self.assertNotIn(path, self.told(one)["metadata"])

    def test_the_metadata_is_that_of_the_instance(self):
        self.vpc()
        data = base64.b64encode(b"#!/bin/sh\n").decode()
        template = {"UserData": data, "MetadataOptions": {"InstanceMetadataTags": "enabled"}}
        self.ec2.create_launch_template(LaunchTemplateName="nodes", LaunchTemplateData=template)
        tags = [{"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": "a"}]}]
        asked = {"LaunchTemplate": {"LaunchTemplateName": "nodes"}, "TagSpecifications": tags}
        one = self.run_one(PrivateIpAddress="10.0.0.10", **asked)["InstanceId"]
        told = self.told(one)["metadata"]
        for path, text in [
            ("instance-id", one),
            ("local-ipv4", "10.0.0.10"),
            ("local-hostname", f"ip-10-0-0-10.{REGION}.compute.internal"),
            ("placement/region", REGION),
            ("placement/availability-zone", REGION + "a"),
            ("instance-type", "t3.medium"),
            ("tags/instance/Name", "a"),
        ]:
            self.assertEqual(told[f"meta-data/{path}"], text, path)
        self.assertEqual(told["user-data"], "#!/bin/sh\n")
        self.assertEqual(json.loads(told[DOCUMENT])["instanceId"], one)
        self.assertFalse([path for path in told if path.startswith("meta-data/iam/")])

    @of("network-of-machines")
    def test_a_vpc_is_where_the_machines_are(self):
        self.addCleanup(tell, "POST", "settings", {"network": None})
        tell("POST", "settings", {"network": "10.90.3.0/24"})
        words = self.refused("InvalidVpc.Range", self.ec2.create_vpc, CidrBlock="10.0.0.0/16")
        self.assertIn("10.90.3.0/24", words)
        self.ec2.create_vpc(CidrBlock="10.90.3.0/24")
