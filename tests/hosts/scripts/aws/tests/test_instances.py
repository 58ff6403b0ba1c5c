"""Instances: what they are started with, their states, and that each is started once."""

import json

from .case import DEBIAN, UBUNTU, UBUNTU_ARM, Case, of

TRUST = json.dumps({
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}],
})


class States(Case):
    @of("instance-states")
    def test_each_takes_its_time(self):
        self.vpc()
        self.slowly()
        one = self.run_one()["InstanceId"]
        self.assertEqual(self.state(one), "pending")
        self.wait(59)
        self.assertEqual(self.state(one), "pending")
        self.wait(2)
        self.assertEqual(self.state(one), "running")
        self.ec2.stop_instances(InstanceIds=[one])
        self.assertEqual(self.state(one), "stopping")
        self.wait()
        self.assertEqual(self.state(one), "stopped")
        self.ec2.start_instances(InstanceIds=[one])
        self.assertEqual(self.state(one), "pending")
        self.wait()
        self.end(one)
        self.assertEqual(self.state(one), "shutting-down")
        self.end(one)
        self.refused("IncorrectInstanceState", self.ec2.stop_instances, InstanceIds=[one])
        self.assertEqual(len(self.ec2.describe_network_interfaces()["NetworkInterfaces"]), 1)
        self.wait()
        self.assertEqual(self.state(one), "terminated")

    def test_what_is_asked_for_comes_at_once_without_a_delay(self):
        self.vpc()
        one = self.run_one()
        self.assertEqual(one["State"]["Name"], "pending")
        self.assertEqual(self.state(one["InstanceId"]), "running")
        answer = self.ec2.terminate_instances(InstanceIds=[one["InstanceId"]])["TerminatingInstances"][0]
        self.assertEqual((answer["PreviousState"]["Name"], answer["CurrentState"]["Name"]), ("running", "shutting-down"))
        self.assertEqual(self.ec2.describe_network_interfaces()["NetworkInterfaces"], [])

    @of("terminate-state")
    def test_what_has_ended_stays_so(self):
        self.vpc()
        one = self.run_one()["InstanceId"]
        self.end(one)
        self.state(one)
        answer = self.ec2.terminate_instances(InstanceIds=[one])["TerminatingInstances"][0]
        self.assertEqual(answer["CurrentState"]["Name"], "terminated")


class Options(Case):
    @of("metadata-options")
    def test_what_is_not_said_stays(self):
        self.vpc()
        one = self.run_one(MetadataOptions={"HttpTokens": "required", "HttpPutResponseHopLimit": 3})["InstanceId"]
        self.ec2.modify_instance_metadata_options(InstanceId=one, InstanceMetadataTags="enabled")
        options = self.instance(one)["MetadataOptions"]
        self.assertEqual((options["HttpTokens"], options["HttpPutResponseHopLimit"]), ("required", 3))
        self.assertEqual((options["HttpEndpoint"], options["InstanceMetadataTags"]), ("enabled", "enabled"))
        self.ec2.modify_instance_metadata_options(InstanceId=one, HttpPutResponseHopLimit=1)
        options = self.instance(one)["MetadataOptions"]
        self.assertEqual((options["HttpPutResponseHopLimit"], options["InstanceMetadataTags"]), (1, "enabled"))


class Checks(Case):
    @of("launch-checks")
    def test_what_is_not_there_is_not_started(self):
        self.vpc()
        self.refused("InvalidAMIID.NotFound", self.run_one, ImageId="ami-00000000000000000")
        self.refused("InvalidParameterValue", self.run_one, InstanceType="t3.enormous")
        words = self.refused("InvalidParameterValue", self.run_one, ImageId=UBUNTU_ARM)
        self.assertIn("architecture", words)
        self.refused("InvalidKeyPair.NotFound", self.run_one, KeyName="nobodys")
        self.refused("InvalidParameterValue", self.run_one, UserData="x" * 16385)
        self.run_one(UserData="x" * 16384)
        self.run_one(ImageId=UBUNTU_ARM, InstanceType="t4g.medium")

    def test_nothing_is_left_of_what_was_refused(self):
        self.vpc()
        self.refused("InvalidGroup.NotFound", self.run_one, SecurityGroupIds=["sg-00000000000000000"])
        self.interface(PrivateIpAddress="10.0.0.10")
        self.refused("InvalidIPAddress.InUse", self.run_one, PrivateIpAddress="10.0.0.10")
        self.assertEqual(self.ec2.describe_instances()["Reservations"], [])

    @of("instance-profiles")
    def test_a_profile_must_be_known(self):
        self.vpc()
        self.refused("InvalidParameterValue", self.run_one, IamInstanceProfile={"Name": "node"})
        self.slowly()
        arn = self.iam.create_instance_profile(InstanceProfileName="node")["InstanceProfile"]["Arn"]
        data = {"ImageId": UBUNTU, "InstanceType": "t3.medium", "IamInstanceProfile": {"Arn": arn}}
        self.ec2.create_launch_template(LaunchTemplateName="nodes", LaunchTemplateData=data)
        by_template = {"LaunchTemplate": {"LaunchTemplateName": "nodes"}}
        self.refused("InvalidParameterValue", self.run_one, IamInstanceProfile={"Arn": arn})
        self.refused("InvalidParameterValue", self.run_one, **by_template)
        self.wait()
        self.run_one(IamInstanceProfile={"Name": "node"})
        self.assertIn("IamInstanceProfile", self.instance(self.run_one(**by_template)["InstanceId"]))

    @of("profile-replace")
    def test_a_profile_can_be_replaced(self):
        self.vpc()
        for name in ("node", "other"):
            self.iam.create_instance_profile(InstanceProfileName=name)
        one = self.run_one(IamInstanceProfile={"Name": "node"})["InstanceId"]
        there = self.ec2.describe_iam_instance_profile_associations()["IamInstanceProfileAssociations"]
        self.ec2.replace_iam_instance_profile_association(
            AssociationId=there[0]["AssociationId"], IamInstanceProfile={"Name": "other"}
        )
        self.assertTrue(self.instance(one)["IamInstanceProfile"]["Arn"].endswith("/other"))

    @of("interface-tags")
    def test_interfaces_that_are_made_with_it_have_their_tags(self):
        self.vpc()
        tags = [{"Key": "made", "Value": "with it"}]
        one = self.run_one(TagSpecifications=[{"ResourceType": "network-interface", "Tags": tags}])
        interface = one["NetworkInterfaces"][0]["NetworkInterfaceId"]
        found = self.ec2.describe_network_interfaces(Filters=[{"Name": "tag:made", "Values": ["with it"]}])
        self.assertEqual([one["NetworkInterfaceId"] for one in found["NetworkInterfaces"]], [interface])

    @of("launch-count")
    def test_as_many_as_can_be(self):
        self.vpc()
        self.iam.create_role(RoleName="node", AssumeRolePolicyDocument=TRUST)
        self.iam.create_instance_profile(InstanceProfileName="node")
        found = self.ec2.run_instances(
            ImageId=UBUNTU,
            InstanceType="t3.medium",
            MinCount=1,
            MaxCount=3,
            SubnetId=self.subnets[0],
            IamInstanceProfile={"Name": "node"},
        )["Instances"]
        self.assertEqual(len(found), 3)
        for one in found:
            self.assertIn("IamInstanceProfile", self.instance(one["InstanceId"]))

    @of("root-volume")
    def test_the_root_volume_goes_and_others_stay(self):
        self.vpc()
        data = {"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": 20, "DeleteOnTermination": False}}
        one = self.run_one(ImageId=DEBIAN, BlockDeviceMappings=[data])["InstanceId"]
        found = {x["DeviceName"]: x["Ebs"] for x in self.instance(one)["BlockDeviceMappings"]}
        self.assertEqual(sorted(found), ["/dev/sdf", "/dev/xvda"])
        self.end(one)
        left = self.ec2.describe_volumes()["Volumes"]
        self.assertEqual([(volume["Size"], volume["State"]) for volume in left], [(20, "available")])
        root = {"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 30, "Encrypted": True}}
        self.end(self.run_one(ImageId=DEBIAN, BlockDeviceMappings=[root])["InstanceId"])
        self.assertEqual(len(self.ec2.describe_volumes()["Volumes"]), 1)


class Tokens(Case):
    @of("client-tokens")
    def test_an_instance_is_started_once(self):
        self.vpc()
        first = self.run_one(ClientToken="a")["InstanceId"]
        self.assertEqual(self.run_one(ClientToken="a")["InstanceId"], first)
        self.assertNotEqual(self.run_one(ClientToken="b")["InstanceId"], first)
        self.refused("IdempotentParameterMismatch", self.run_one, ClientToken="a", InstanceType="t3.large")
        self.end(first)
        self.refused("IdempotentInstanceTerminated", self.run_one, ClientToken="a")

    @of("client-tokens")
    def test_so_is_everything_else_that_has_one(self):
        self.vpc()
        self.slowly()
        address, zone = self.address(), "eu-central-1a"
        template = {"LaunchTemplateName": "nodes", "LaunchTemplateData": {"ImageId": UBUNTU}}
        first, second = self.subnets
        for action, asked, other in [
            ("create_volume", {"AvailabilityZone": zone, "Size": 8}, {"Size": 9}),
            ("create_nat_gateway", {"SubnetId": first, "AllocationId": address}, {"SubnetId": second}),
            ("create_network_interface", {"SubnetId": first}, {"Description": "other"}),
            ("create_route_table", {"VpcId": self.vpc_id}, {"VpcId": "vpc-0"}),
            ("create_launch_template", template, {"VersionDescription": "x"}),
            ("create_launch_template_version", template, {"VersionDescription": "x"}),
        ]:
            with self.subTest(action):
                ask = getattr(self.ec2, action)
                answers = [ask(**asked, ClientToken="one"), ask(**asked, ClientToken="one")]
                for answer in answers:
                    del answer["ResponseMetadata"]
                self.assertEqual(answers[0], answers[1])
                self.refused("IdempotentParameterMismatch", ask, **{**asked, **other}, ClientToken="one")

    @of("token-filter")
    def test_an_instance_is_found_by_its_token(self):
        self.vpc()
        one = self.run_one(ClientToken="a")["InstanceId"]
        self.run_one(ClientToken="b")
        asked = [{"Name": "client-token", "Values": ["a"]}, {"Name": "instance-state-name", "Values": ["running"]}]
        found = self.ec2.describe_instances(Filters=asked)["Reservations"]
        self.assertEqual([x["InstanceId"] for group in found for x in group["Instances"]], [one])


class Templates(Case):
    def template(self, **data):
        self.ec2.create_launch_template(LaunchTemplateName="nodes", LaunchTemplateData={"ImageId": UBUNTU, **data})
        return {"LaunchTemplateName": "nodes"}

    @of("template-fields")
    def test_an_instance_gets_all_of_it(self):
        self.vpc()
        group = self.group()
        self.iam.create_instance_profile(InstanceProfileName="node")
        template = self.template(
            InstanceType="t3.large",
            IamInstanceProfile={"Name": "node"},
            MetadataOptions={"HttpTokens": "required", "HttpPutResponseHopLimit": 1},
            NetworkInterfaces=[{"DeviceIndex": 0, "SubnetId": self.subnets[1], "Groups": [group]}],
            BlockDeviceMappings=[{"DeviceName": "/dev/sda1", "Ebs": {"VolumeSize": 20}}],
            TagSpecifications=[
                {"ResourceType": kind, "Tags": [{"Key": "cluster", "Value": "a"}]}
                for kind in ("instance", "volume", "network-interface")
            ],
        )
        asked = {"LaunchTemplate": template, "MinCount": 1, "MaxCount": 1}
        one = self.instance(self.ec2.run_instances(**asked)["Instances"][0]["InstanceId"])
        self.assertEqual((one["InstanceType"], one["SubnetId"]), ("t3.large", self.subnets[1]))
        self.assertEqual(one["MetadataOptions"]["HttpTokens"], "required")
        self.assertEqual([x["GroupId"] for x in one["SecurityGroups"]], [group])
        self.assertIn("IamInstanceProfile", one)
        self.assertIn({"Key": "cluster", "Value": "a"}, one["Tags"])
        volumes = self.ec2.describe_volumes()["Volumes"]
        self.assertEqual([(x["Size"], x["Tags"]) for x in volumes], [(20, [{"Key": "cluster", "Value": "a"}])])
        interfaces = self.ec2.describe_network_interfaces()["NetworkInterfaces"]
        self.assertEqual([x["TagSet"] for x in interfaces], [[{"Key": "cluster", "Value": "a"}]])

    @of("template-versions")
    def test_a_second_version_has_user_data(self):
        self.vpc()
        self.template()
        version = {"UserData": "aGVsbG8=", "ImageId": UBUNTU, "InstanceType": "t3.medium"}
        self.ec2.create_launch_template_version(LaunchTemplateName="nodes", LaunchTemplateData=version)
        self.asg.create_auto_scaling_group(
            AutoScalingGroupName="a",
            LaunchTemplate={"LaunchTemplateName": "nodes", "Version": "2"},
            MinSize=1,
            MaxSize=1,
            VPCZoneIdentifier=self.subnets[0],
        )
        one = self.ec2.describe_instances()["Reservations"][0]["Instances"][0]["InstanceId"]
        told = self.ec2.describe_instance_attribute(InstanceId=one, Attribute="userData")
        self.assertEqual(told["UserData"]["Value"], "aGVsbG8=")

    @of("template-source")
    def test_a_version_begins_with_another_one(self):
        self.template(InstanceType="t3.large", UserData="aGVsbG8=")
        version = {"InstanceType": "t3.small"}
        self.ec2.create_launch_template_version(LaunchTemplateName="nodes", SourceVersion="1", LaunchTemplateData=version)
        found = self.ec2.describe_launch_template_versions(LaunchTemplateName="nodes", Versions=["2"])
        data = found["LaunchTemplateVersions"][0]["LaunchTemplateData"]
        self.assertEqual((data["ImageId"], data["InstanceType"], data["UserData"]), (UBUNTU, "t3.small", "aGVsbG8="))

    @of("template-version-deletion")
    def test_versions_are_deleted_but_the_default_one(self):
        self.template()
        for _ in range(2):
            self.ec2.create_launch_template_version(LaunchTemplateName="nodes", LaunchTemplateData={"ImageId": UBUNTU})
        self.ec2.modify_launch_template(LaunchTemplateName="nodes", DefaultVersion="2")
        ask = self.ec2.delete_launch_template_versions
        told = ask(LaunchTemplateName="nodes", Versions=["1", "2", "3", "9"])
        done = [one["VersionNumber"] for one in told["SuccessfullyDeletedLaunchTemplateVersions"]]
        failed = [one["VersionNumber"] for one in told["UnsuccessfullyDeletedLaunchTemplateVersions"]]
        self.assertEqual((done, failed), ([1, 3], [2, 9]))
        found = self.ec2.describe_launch_template_versions(LaunchTemplateName="nodes")["LaunchTemplateVersions"]
        self.assertEqual([one["VersionNumber"] for one in found], [2])
        self.assertEqual(self.ec2.describe_launch_templates()["LaunchTemplates"][0]["LatestVersionNumber"], 2)
        made = self.ec2.create_launch_template_version(LaunchTemplateName="nodes", LaunchTemplateData={"ImageId": UBUNTU})
        self.assertEqual(made["LaunchTemplateVersion"]["VersionNumber"], 4)

    @of("template-unknown")
    def test_one_that_is_not_there(self):
        ask = self.ec2.describe_launch_templates
        self.refused("InvalidLaunchTemplateId.NotFound", ask, LaunchTemplateIds=["lt-00000000000000000"])
        delete = self.ec2.delete_launch_template
        self.refused("InvalidLaunchTemplateId.NotFound", delete, LaunchTemplateId="lt-00000000000000000")
