"""Trouble on demand, and the journal of what was asked."""

import threading
import time

from botocore.exceptions import ConnectionClosedError

from .case import KEY, REGION, Case, client, tell


class Faults(Case):
    def trouble(self, kind, **rule):
        tell("POST", "faults", {"kind": kind, **rule})

    def vpcs(self):
        return len(self.ec2.describe_vpcs()["Vpcs"])

    def test_it_fails_so_many_times(self):
        before = self.vpcs()
        self.trouble("fail", service="ec2", action="CreateVpc", times=2, skip=1, code="InternalError", status=503)
        codes = []
        for _ in range(4):
            try:
                self.ec2.create_vpc(CidrBlock="10.0.0.0/16")
                codes.append(None)
            except self.ec2.exceptions.ClientError as problem:
                codes.append(problem.response["Error"]["Code"])
        self.assertEqual(codes, [None, "InternalError", "InternalError", None])
        self.assertEqual(self.vpcs(), before + 2)

    def test_an_answer_is_lost(self):
        before = self.vpcs()
        self.trouble("lose", action="CreateVpc", times=1)
        self.trouble("lose", action="CreateVpc", times=1, reset=True)
        self.refused("InternalError", self.ec2.create_vpc, CidrBlock="10.0.0.0/16")
        with self.assertRaises(ConnectionClosedError):
            self.ec2.create_vpc(CidrBlock="10.0.0.0/16")
        self.assertEqual(self.vpcs(), before + 2)

    def test_a_lost_answer_with_a_token_does_nothing_twice(self):
        self.trouble("lose", action="CreateVolume", times=2, status=500)
        client("ec2", attempts=4).create_volume(AvailabilityZone="eu-central-1a", Size=8, ClientToken="a")
        self.assertEqual(len(self.ec2.describe_volumes()["Volumes"]), 1)

    def test_a_connection_breaks_before_anything_is_done(self):
        before = self.vpcs()
        self.trouble("fail", action="CreateVpc", times=1, reset=True)
        with self.assertRaises(ConnectionClosedError):
            self.ec2.create_vpc(CidrBlock="10.0.0.0/16")
        self.assertEqual(self.vpcs(), before)

    def test_a_share_is_throttled_the_same_each_time(self):
        def refused():
            tell("DELETE", "faults")
            self.trouble("throttle", share=0.3, seed=7)
            codes = []
            for _ in range(40):
                try:
                    self.ec2.describe_vpcs()
                except self.ec2.exceptions.ClientError as problem:
                    codes.append(problem.response["Error"]["Code"])
                else:
                    codes.append(None)
            return codes

        first = refused()
        self.assertEqual(first, refused())
        self.assertEqual(set(first), {None, "RequestLimitExceeded"})
        self.assertTrue(5 < first.count("RequestLimitExceeded") < 20, first)

    def test_each_service_throttles_in_its_own_words(self):
        self.trouble("throttle")
        for code, ask in [
            ("RequestLimitExceeded", self.ec2.describe_vpcs),
            ("Throttling", self.elb.describe_load_balancers),
            ("Throttling", self.asg.describe_auto_scaling_groups),
            ("Throttling", self.iam.list_roles),
            ("Throttling", self.dns.list_hosted_zones),
            ("SlowDown", self.s3.list_buckets),
        ]:
            self.refused(code, ask)

    def test_some_of_what_is_asked(self):
        self.trouble("fail", action="CreateVpc", containing="10.1.")
        self.refused("InternalError", self.ec2.create_vpc, CidrBlock="10.1.0.0/16")
        self.ec2.create_vpc(CidrBlock="10.2.0.0/16")

    def test_slow_answers_hold_nobody_else_up(self):
        self.trouble("slow", service="ec2", seconds=3.0, times=1)
        begun = time.monotonic()
        slow = threading.Thread(target=self.ec2.describe_vpcs)
        slow.start()
        while not tell("GET", "calls"):
            time.sleep(0.01)
        self.elb.describe_load_balancers()
        self.assertTrue(slow.is_alive())
        slow.join()
        self.assertGreaterEqual(time.monotonic() - begun, 3.0)

    def test_what_is_no_rule_is_refused(self):
        for rule in ({"kind": "explode"}, {"kind": "fail", "actoin": "x"}, {}):
            with self.subTest(rule), self.assertRaises(OSError):
                tell("POST", "faults", rule)


class Calls(Case):
    def test_what_was_asked_is_written_down(self):
        tell("POST", "faults", {"kind": "fail", "action": "ListRoles"})
        self.vpc()
        self.refused("InternalError", self.iam.list_roles)
        self.refused("NoSuchHostedZone", self.dns.get_hosted_zone, Id="Z000")
        self.s3.list_buckets()
        found = tell("GET", "calls")
        self.assertEqual([one["order"] for one in found], sorted(one["order"] for one in found))
        self.assertEqual({one["caller"] for one in found}, {KEY})
        short = [(one["service"], one["action"], one["status"], one["code"], one["fault"]) for one in found]
        self.assertEqual(
            short,
            [
                ("ec2", "CreateVpc", 200, None, None),
                ("ec2", "CreateSubnet", 200, None, None),
                ("ec2", "CreateSubnet", 200, None, None),
                ("iam", "ListRoles", 500, "InternalError", "fail"),
                ("route53", "GetHostedZone", 404, "NoSuchHostedZone", None),
                ("s3", "ListBuckets", 200, None, None),
            ],
        )
        self.assertEqual(found[1]["parameters"]["CidrBlock"], "10.0.0.0/24")
        self.assertEqual(found[4]["parameters"]["Id"], "Z000")
        self.assertEqual(tell("GET", f"calls?since={found[3]['order']}"), found[4:])

    def test_what_a_caller_must_be_allowed(self):
        self.vpc()
        self.iam.create_instance_profile(InstanceProfileName="node")
        tags = [{"ResourceType": "instance", "Tags": [{"Key": "a", "Value": "b"}]}]
        tell("DELETE", "calls")
        self.run_one(TagSpecifications=tags, IamInstanceProfile={"Name": "node"}, UserData="x" * 1000)
        found = tell("GET", "calls")[0]
        self.assertEqual(found["permissions"], ["ec2:RunInstances", "ec2:CreateTags", "iam:PassRole"])
        where = {"VPCRegion": REGION, "VPCId": self.vpc_id}
        self.dns.create_hosted_zone(Name="example.org", CallerReference="a", VPC=where)
        self.assertEqual(tell("GET", "calls")[-1]["permissions"], ["route53:CreateHostedZone", "ec2:DescribeVpcs"])
        self.assertLessEqual(len(found["parameters"]["UserData"]), 200)
