"""What the tests have in common: an emulator of their own, in their own process, that is empty at the start of each."""

import functools
import json
import logging
import os
import pathlib
import threading
import unittest
import urllib.request

os.environ["MOTO_AMIS_PATH"] = str(pathlib.Path(__file__).parent.with_name("images.json"))
os.environ["AWS_EC2_METADATA_DISABLED"] = "true"

import boto3  # noqa: E402
from botocore.config import Config  # noqa: E402
from botocore.exceptions import ClientError  # noqa: E402
from moto.server import DomainDispatcherApplication, create_backend_app  # noqa: E402

from ..emulator import Emulator  # noqa: E402
from ..server import listen  # noqa: E402

# What goes wrong without a patch is expected.
logging.getLogger("werkzeug").setLevel(logging.CRITICAL)

REGION = "eu-central-1"
UBUNTU = "ami-0ab2404a640000020"
UBUNTU_ARM = "ami-0ab2404b640000020"
DEBIAN = "ami-0deb1200a64000001"
KEY = "AKIAKEELSON000000001"


@functools.cache
def url():
    """Where the emulator listens, which is started at the first question."""
    moto = DomainDispatcherApplication(create_backend_app)
    server = listen("127.0.0.1", Emulator(moto))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}"


@functools.cache
def client(service, attempts=1):
    """A client that asks once, if nothing else is said."""
    return boto3.client(
        service,
        endpoint_url=url(),
        region_name=REGION,
        aws_access_key_id=KEY,
        aws_secret_access_key="secret",
        config=Config(retries={"total_max_attempts": attempts, "mode": "standard"}, connect_timeout=5, read_timeout=20),
    )


def tell(method, path, given=None):
    """Tells the emulator something."""
    body = json.dumps(given).encode() if given is not None else None
    asked = urllib.request.Request(f"{url()}/_keelson/{path}", data=body, method=method)
    with urllib.request.urlopen(asked, timeout=20) as answer:
        return json.loads(answer.read())


def of(name):
    """The test is about this patch, and must fail without it."""

    def mark(test):
        test.patch = name
        return test

    return mark


class Case(unittest.TestCase):
    """A test with an empty emulator."""

    without: list[str] = []

    def setUp(self):
        tell("POST", "reset")
        tell("POST", "settings", {"without": self.without})
        self.ec2, self.elb, self.asg = client("ec2"), client("elbv2"), client("autoscaling")
        self.iam, self.dns, self.s3 = client("iam"), client("route53"), client("s3")

    def refused(self, code, ask, **asked):
        """The request is refused with this code."""
        try:
            answer = ask(**asked)
        except ClientError as problem:
            self.assertEqual(problem.response["Error"]["Code"], code, problem)
            return problem.response["Error"]["Message"]
        self.fail(f"not refused with {code}: {answer}")

    def slowly(self, seconds=60):
        """Every change of a state takes so long."""
        tell("POST", "settings", {"delay": seconds})

    def wait(self, seconds=61):
        """It is later."""
        tell("POST", "settings", {"advance": seconds})

    def vpc(self):
        """A VPC with two subnets in two zones."""
        self.vpc_id = self.ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        self.subnets = [
            self.ec2.create_subnet(VpcId=self.vpc_id, CidrBlock=f"10.0.{index}.0/24", AvailabilityZone=REGION + zone)[
                "Subnet"
            ]["SubnetId"]
            for index, zone in enumerate("ab")
        ]
        return self.vpc_id

    def group(self, name="nodes"):
        """A security group."""
        return self.ec2.create_security_group(GroupName=name, Description=name, VpcId=self.vpc_id)["GroupId"]

    def interface(self, **asked):
        """A network interface in the first subnet."""
        return self.ec2.create_network_interface(**{"SubnetId": self.subnets[0], **asked})["NetworkInterface"]

    def run_one(self, **asked):
        """An instance in the first subnet, or as is asked for."""
        where = {} if "NetworkInterfaces" in asked else {"SubnetId": self.subnets[0]}
        asked = {"ImageId": UBUNTU, "InstanceType": "t3.medium", "MinCount": 1, "MaxCount": 1, **where, **asked}
        return self.ec2.run_instances(**asked)["Instances"][0]

    def instance(self, instance_id):
        """How an instance is now."""
        return self.ec2.describe_instances(InstanceIds=[instance_id])["Reservations"][0]["Instances"][0]

    def state(self, instance_id):
        """The name of its state."""
        return self.instance(instance_id)["State"]["Name"]

    def end(self, instance_id):
        """Ends it."""
        self.ec2.terminate_instances(InstanceIds=[instance_id])

    def address(self):
        """An elastic address."""
        return self.ec2.allocate_address(Domain="vpc")["AllocationId"]

    def balancer(self, name="api", scheme="internal", **asked):
        """A network load balancer in both subnets."""
        asked = {"Name": name, "Subnets": self.subnets, "Type": "network", "Scheme": scheme, **asked}
        return self.elb.create_load_balancer(**asked)["LoadBalancers"][0]

    def target_group(self, name="api", **asked):
        """A target group."""
        asked = {"Name": name, "Protocol": "TCP", "Port": 6443, "VpcId": self.vpc_id, **asked}
        return self.elb.create_target_group(**asked)["TargetGroups"][0]["TargetGroupArn"]

    def listener(self, balancer, target_group, port=6443):
        """A listener that hands on to the target group."""
        actions = [{"Type": "forward", "TargetGroupArn": target_group}]
        asked = {"LoadBalancerArn": balancer["LoadBalancerArn"], "Protocol": "TCP", "Port": port}
        return self.elb.create_listener(**asked, DefaultActions=actions)["Listeners"][0]["ListenerArn"]
