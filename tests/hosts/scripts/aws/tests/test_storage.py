"""Volumes, images, buckets, tags, and trial runs."""

import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from unittest import mock

from botocore.exceptions import ClientError
from moto.s3.models import S3Backend

from .case import UBUNTU, UBUNTU_ARM, Case, of, tell

CANONICAL, DEBIAN_OWNER = "099720109477", "136693071363"


class Volumes(Case):
    def volume(self, zone="eu-central-1a", **asked):
        return self.ec2.create_volume(AvailabilityZone=zone, Size=8, VolumeType="gp3", **asked)["VolumeId"]

    def status(self, volume):
        found = self.ec2.describe_volumes(VolumeIds=[volume])["Volumes"][0]
        return found["State"], [one["State"] for one in found["Attachments"]]

    @of("volume-states")
    def test_each_takes_its_time(self):
        self.vpc()
        one = self.run_one()["InstanceId"]
        self.state(one)
        self.slowly()
        volume = self.volume()
        self.assertEqual(self.status(volume), ("creating", []))
        asked = {"VolumeId": volume, "InstanceId": one, "Device": "/dev/sdf"}
        self.refused("IncorrectState", self.ec2.attach_volume, **asked)
        self.wait()
        self.assertEqual(self.status(volume), ("available", []))
        self.ec2.attach_volume(**asked)
        self.assertEqual(self.status(volume), ("in-use", ["attaching"]))
        self.wait()
        self.assertEqual(self.status(volume), ("in-use", ["attached"]))
        self.assertEqual(self.ec2.detach_volume(VolumeId=volume)["State"], "detaching")
        self.assertEqual(self.status(volume), ("in-use", ["detaching"]))
        self.refused("VolumeInUse", self.ec2.delete_volume, VolumeId=volume)
        self.wait()
        self.assertEqual(self.status(volume), ("available", []))
        self.refused("IncorrectState", self.ec2.detach_volume, VolumeId=volume)

    @of("volume-zone")
    def test_it_is_somewhere(self):
        self.refused("InvalidZone.NotFound", self.volume, zone="eu-central-1x")

    @of("volume-end")
    def test_it_says_whether_it_goes_with_its_instance(self):
        self.vpc()
        one = self.run_one()["InstanceId"]
        self.ec2.attach_volume(VolumeId=self.volume(), InstanceId=one, Device="/dev/sdf")
        attached = [volume["Attachments"][0] for volume in self.ec2.describe_volumes()["Volumes"]]
        goes = {attachment["Device"]: attachment["DeleteOnTermination"] for attachment in attached}
        self.assertEqual(goes, {"/dev/sda1": True, "/dev/sdf": False})

    @of("volume-attach")
    def test_only_what_is_free_and_near_is_attached(self):
        self.vpc()
        first, second = self.run_one()["InstanceId"], self.run_one()["InstanceId"]
        near, far = self.volume(), self.volume("eu-central-1b")
        ask = self.ec2.attach_volume
        self.refused("InvalidVolume.ZoneMismatch", ask, VolumeId=far, InstanceId=first, Device="/dev/sdf")
        ask(VolumeId=near, InstanceId=first, Device="/dev/sdf")
        self.refused("VolumeInUse", ask, VolumeId=near, InstanceId=second, Device="/dev/sdf")
        self.refused("InvalidParameterValue", ask, VolumeId=self.volume(), InstanceId=first, Device="/dev/sdf")
        self.end(second)
        self.refused("IncorrectState", ask, VolumeId=self.volume(), InstanceId=second, Device="/dev/sdf")


class Images(Case):
    def newest(self, owner, pattern, architecture="x86_64"):
        filters = [{"Name": "name", "Values": [pattern]}, {"Name": "architecture", "Values": [architecture]}]
        found = self.ec2.describe_images(Owners=[owner], Filters=filters)["Images"]
        return max(found, key=lambda image: image["CreationDate"])

    @of("image-owners")
    def test_they_are_found_by_owner_and_name(self):
        ubuntu = "ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-*-server-*"
        self.assertEqual(self.newest(CANONICAL, ubuntu)["ImageId"], UBUNTU)
        self.assertEqual(self.newest(CANONICAL, ubuntu, "arm64")["ImageId"], UBUNTU_ARM)
        self.assertEqual(self.newest(DEBIAN_OWNER, "debian-12-amd64-*")["RootDeviceName"], "/dev/xvda")
        self.assertEqual(self.ec2.describe_images(Owners=["amazon"])["Images"], [])

    @of("registered-images")
    def test_one_of_ones_own_keeps_its_architecture(self):
        asked = {"Architecture": "arm64", "RootDeviceName": "/dev/xvda", "VirtualizationType": "hvm"}
        made = self.ec2.register_image(Name="own", **asked)["ImageId"]
        found = self.ec2.describe_images(ImageIds=[made])["Images"][0]
        self.assertEqual({key: found[key] for key in asked}, asked)


class Asking(Case):
    @of("trial-runs")
    def test_a_trial_changes_nothing(self):
        before = len(self.ec2.describe_vpcs()["Vpcs"])
        self.refused("DryRunOperation", self.ec2.create_vpc, CidrBlock="10.0.0.0/16", DryRun=True)
        self.assertEqual(len(self.ec2.describe_vpcs()["Vpcs"]), before)

    @of("late-reading")
    def test_what_was_made_shows_late(self):
        tell("POST", "settings", {"late": 30})
        vpc = self.ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        self.vpc()
        one = self.run_one()["InstanceId"]

        def shown():
            return [x["VpcId"] for x in self.ec2.describe_vpcs()["Vpcs"]], self.ec2.describe_instances()["Reservations"]

        self.assertNotIn(vpc, shown()[0])
        self.assertEqual(shown()[1], [])
        self.refused("InvalidVpcID.NotFound", self.ec2.describe_vpcs, VpcIds=[vpc])
        self.refused("InvalidInstanceID.NotFound", self.state, instance_id=one)
        self.wait(31)
        self.assertIn(vpc, shown()[0])
        self.assertEqual(self.state(one), "running")

    @of("tags-of-nothing")
    def test_nothing_is_not_tagged(self):
        for one, code in [
            ("i-00000000000000000", "InvalidInstanceID.NotFound"),
            ("eni-00000000000000000", "InvalidNetworkInterfaceID.NotFound"),
            ("nat-00000000000000000", "NatGatewayNotFound"),
            ("eipalloc-00000000000000000", "InvalidAllocationID.NotFound"),
        ]:
            self.refused(code, self.ec2.create_tags, Resources=[one], Tags=[{"Key": "a", "Value": "b"}])
        self.vpc()
        self.ec2.create_tags(Resources=[self.vpc_id, self.run_one()["InstanceId"]], Tags=[{"Key": "a", "Value": "b"}])

    @of("honest-gaps")
    def test_what_moto_cannot_is_said(self):
        self.vpc()
        self.run_one()
        words = self.refused("NotImplemented", self.ec2.describe_instances, Filters=[{"Name": "hypervisor", "Values": ["x"]}])
        self.assertIn("ec2:DescribeInstances", words)
        self.refused("NotImplemented", self.ec2.describe_ipam_pools)

    def test_patches_have_words(self):
        for name, words in tell("GET", "settings")["patches"].items():
            self.assertRegex(words, "AWS|moto", name)


class Buckets(Case):
    @of("bucket-names")
    def test_their_names(self):
        where = {"CreateBucketConfiguration": {"LocationConstraint": "eu-central-1"}}
        for name in ("Upper", "under_score", "a..b", "10.0.0.1", "ends-with-"):
            with self.subTest(name):
                self.refused("InvalidBucketName", self.s3.create_bucket, Bucket=name, **where)
        self.s3.create_bucket(Bucket="right.name-1", **where)

    @of("bucket-tags")
    def test_tags_that_they_are_made_with(self):
        tags = [{"Key": "keelson.dev/made-for", "Value": "a & b"}]
        where = {"LocationConstraint": "eu-central-1", "Tags": tags}
        self.s3.create_bucket(Bucket="tagged", CreateBucketConfiguration=where)
        self.assertEqual(tell("GET", "calls")[-1]["permissions"], ["s3:CreateBucket", "s3:TagResource"])
        self.refused("BucketAlreadyOwnedByYou", self.s3.create_bucket, Bucket="tagged", CreateBucketConfiguration=where)
        self.assertEqual(self.s3.get_bucket_tagging(Bucket="tagged")["TagSet"], tags)
        self.s3.create_bucket(Bucket="plain", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
        self.refused("NoSuchTagSet", self.s3.get_bucket_tagging, Bucket="plain")

    @of("versioning-name")
    def test_what_they_say_of_versions(self):
        self.s3.create_bucket(Bucket="state", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
        self.s3.put_bucket_versioning(Bucket="state", VersioningConfiguration={"Status": "Enabled"})
        address = self.s3.generate_presigned_url("get_bucket_versioning", Params={"Bucket": "state"})
        with urllib.request.urlopen(address, timeout=20) as answer:
            said = answer.read().decode()
        self.assertRegex(said, "<VersioningConfiguration [^>]*><Status>Enabled</Status></VersioningConfiguration>")

    @of("conditions-hold")
    def test_of_many_who_write_on_one_condition_one_does(self):
        self.s3.create_bucket(Bucket="state", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
        keep = S3Backend.put_object

        def keep_late(*arguments, **named):
            time.sleep(0.1)
            return keep(*arguments, **named)

        def write(number):
            try:
                self.s3.put_object(Bucket="state", Key="lease", Body=bytes([number]), IfNoneMatch="*")
            except ClientError as error:
                self.assertEqual(error.response["Error"]["Code"], "PreconditionFailed")
                return False
            return True

        with mock.patch.object(S3Backend, "put_object", keep_late), ThreadPoolExecutor(4) as writers:
            self.assertEqual(sum(writers.map(write, range(4))), 1)
