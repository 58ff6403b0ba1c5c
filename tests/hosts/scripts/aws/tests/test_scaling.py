"""Auto Scaling groups."""

import functools
from collections import Counter

from .case import UBUNTU, Case, of


class Groups(Case):
    def template(self, **data):
        """A launch template with one version."""
        data = {"ImageId": UBUNTU, "InstanceType": "t3.medium", **data}
        self.ec2.create_launch_template(LaunchTemplateName="nodes", LaunchTemplateData=data)

    def create(self, largest=5, smallest=0, **asked):
        """A group in both subnets."""
        by = {} if "MixedInstancesPolicy" in asked else {"LaunchTemplate": {"LaunchTemplateName": "nodes", "Version": "$Latest"}}
        where = ",".join(self.subnets)
        asked = {"AutoScalingGroupName": "nodes", "VPCZoneIdentifier": where, **by, **asked}
        self.asg.create_auto_scaling_group(MinSize=smallest, MaxSize=largest, **asked)

    def made(self, wanted=0, **asked):
        """A VPC, a template, and a group."""
        self.vpc()
        self.template()
        self.create(DesiredCapacity=wanted, **asked)

    def group(self):
        """How the group is."""
        found = self.asg.describe_auto_scaling_groups(AutoScalingGroupNames=["nodes"])["AutoScalingGroups"]
        return found[0] if found else None

    def states(self):
        """The states of its instances."""
        return sorted(one["LifecycleState"] for one in self.group()["Instances"])

    def ids(self):
        """Their ids."""
        return {one["InstanceId"] for one in self.group()["Instances"]}

    def want(self, wanted):
        """It shall have so many instances."""
        self.asg.set_desired_capacity(AutoScalingGroupName="nodes", DesiredCapacity=wanted)


class Sizes(Groups):
    @of("scaling")
    def test_a_new_instance_need_not_be_left_alone(self):
        self.made(HealthCheckGracePeriod=0)
        self.assertEqual(self.group()["HealthCheckGracePeriod"], 0)

    @of("scaling")
    def test_instances_are_spread_and_take_their_time(self):
        self.vpc()
        self.template()
        self.slowly()
        self.create(DesiredCapacity=4)
        self.assertEqual(self.states(), ["Pending"] * 4)
        self.wait()
        self.assertEqual(self.states(), ["InService"] * 4)
        zones = Counter(one["AvailabilityZone"] for one in self.group()["Instances"])
        self.assertEqual(set(zones.values()), {2})
        self.want(2)
        self.assertEqual(self.states(), ["InService", "InService", "Terminating", "Terminating"])
        self.wait()
        self.assertEqual(self.states(), ["InService"] * 2)
        zones = Counter(one["AvailabilityZone"] for one in self.group()["Instances"])
        self.assertEqual(set(zones.values()), {1})

    @of("scaling")
    def test_what_is_ended_is_replaced_and_what_serves_is_a_target(self):
        self.vpc()
        self.template()
        group = self.target_group("nodes")
        self.create(DesiredCapacity=2, TargetGroupARNs=[group])

        def targets():
            found = self.elb.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
            return {one["Target"]["Id"] for one in found}

        before = self.ids()
        self.assertEqual(targets(), before)
        self.slowly()
        gone = sorted(before)[0]
        self.end(gone)
        self.assertEqual(self.states(), ["InService", "Terminating"])
        self.wait()
        self.assertEqual(self.states(), ["InService", "Pending"])
        self.wait()
        self.assertEqual(len(self.ids() - before), 1)
        self.assertEqual(targets(), self.ids())

    @of("scaling")
    def test_an_instance_says_its_version(self):
        self.made(1)
        data = {"ImageId": UBUNTU, "InstanceType": "t3.large"}
        self.ec2.create_launch_template_version(LaunchTemplateName="nodes", LaunchTemplateData=data)
        self.want(2)
        found = {one["LaunchTemplate"]["Version"]: one["InstanceType"] for one in self.group()["Instances"]}
        self.assertEqual(found, {"1": "t3.medium", "2": "t3.large"})
        self.want(1)
        self.assertEqual(self.group()["LaunchTemplate"]["Version"], "$Latest")
        left = [one for one in self.group()["Instances"] if one["LifecycleState"] == "InService"]
        self.assertEqual([one["LaunchTemplate"]["Version"] for one in left], ["2"])

    @of("scaling")
    def test_spot_and_mixed_types(self):
        self.vpc()
        self.template()
        policy = {
            "LaunchTemplate": {
                "LaunchTemplateSpecification": {"LaunchTemplateName": "nodes", "Version": "1"},
                "Overrides": [{"InstanceType": "m5.large"}, {"InstanceType": "m5a.large"}],
            },
            "InstancesDistribution": {"OnDemandBaseCapacity": 1, "OnDemandPercentageAboveBaseCapacity": 50},
        }
        self.create(DesiredCapacity=5, MixedInstancesPolicy=policy)
        self.assertEqual(self.states(), ["InService"] * 5)
        found = self.ec2.describe_instances()["Reservations"]
        found = [(one["InstanceType"], one.get("InstanceLifecycle")) for group in found for one in group["Instances"]]
        self.assertEqual(Counter(found), {("m5.large", None): 3, ("m5.large", "spot"): 2})

    @of("mixed-policy")
    def test_a_change_keeps_the_policy(self):
        self.vpc()
        self.template()
        specification = {"LaunchTemplateName": "nodes", "Version": "1"}
        policy = {
            "LaunchTemplate": {
                "LaunchTemplateSpecification": specification,
                "Overrides": [{"InstanceType": "m5.large"}],
            }
        }
        self.create(MixedInstancesPolicy=policy)
        self.asg.update_auto_scaling_group(AutoScalingGroupName="nodes", DesiredCapacity=1)
        overrides = self.group()["MixedInstancesPolicy"]["LaunchTemplate"]["Overrides"]
        self.assertEqual(overrides, [{"InstanceType": "m5.large"}])
        self.assertEqual([one["InstanceType"] for one in self.group()["Instances"]], ["m5.large"])

    @of("group-bounds")
    def test_bounds(self):
        self.vpc()
        self.template()
        self.refused("ValidationError", self.create, largest=2, DesiredCapacity=3)
        self.refused("ValidationError", self.create, largest=1, smallest=2)
        self.create(largest=3, smallest=1, DesiredCapacity=2)
        for wanted in (0, 4):
            self.refused("ValidationError", self.want, wanted=wanted)
        update = self.asg.update_auto_scaling_group
        self.refused("ValidationError", update, AutoScalingGroupName="nodes", DesiredCapacity=4)
        update(AutoScalingGroupName="nodes", MinSize=3)
        self.assertEqual(self.group()["DesiredCapacity"], 3)
        update(AutoScalingGroupName="nodes", MinSize=0, MaxSize=2)
        self.assertEqual(self.group()["DesiredCapacity"], 2)

    @of("scaling")
    def test_what_cannot_be_launched_is_refused_and_told(self):
        self.vpc()
        self.template(ImageId="ami-00000000000000000")
        self.assertIn("ami-00000000000000000", self.refused("ValidationError", self.create, DesiredCapacity=1))
        self.create(DesiredCapacity=0)
        self.want(1)
        self.assertEqual(self.states(), [])
        told = self.asg.describe_scaling_activities(AutoScalingGroupName="nodes")["Activities"][0]
        self.assertEqual(told["StatusCode"], "Failed")
        self.assertIn("ami-00000000000000000", told["StatusMessage"])

    @of("group-activities")
    def test_activities_are_told(self):
        self.made(1)
        one = self.ids().pop()
        self.want(0)
        told = self.asg.describe_scaling_activities(AutoScalingGroupName="nodes")["Activities"]
        words = [activity["Description"] for activity in told]
        self.assertEqual(words, [f"Terminating EC2 instance: {one}", f"Launching a new EC2 instance: {one}"])


class Endings(Groups):
    @of("group-names")
    def test_there_is_one_of_a_name(self):
        self.made(1)
        before = self.ids()
        self.refused("AlreadyExists", self.create)
        self.assertEqual(self.ids(), before)

    @of("group-deletion")
    def test_a_group_with_instances_stays_unless_it_is_forced(self):
        self.made(2)
        self.states()
        delete = self.asg.delete_auto_scaling_group
        self.refused("ResourceInUse", delete, AutoScalingGroupName="nodes")
        self.slowly()
        self.want(0)
        self.refused("ResourceInUse", delete, AutoScalingGroupName="nodes")
        delete(AutoScalingGroupName="nodes", ForceDelete=True)
        self.assertEqual(self.group()["Status"], "Delete in progress")
        self.wait()
        self.assertIsNone(self.group())
        self.refused("ValidationError", delete, AutoScalingGroupName="nodes")
        found = self.ec2.describe_instances()["Reservations"]
        self.assertEqual({one["State"]["Name"] for group in found for one in group["Instances"]}, {"terminated"})

    @of("group-deletion")
    def test_a_group_without_instances_goes(self):
        self.made(1)
        self.want(0)
        self.assertEqual(self.states(), [])
        self.asg.delete_auto_scaling_group(AutoScalingGroupName="nodes")
        self.assertIsNone(self.group())
        self.create(DesiredCapacity=1)
        self.refused("ResourceInUse", self.asg.delete_auto_scaling_group, AutoScalingGroupName="nodes")

    @of("group-terminate")
    def test_an_instance_is_ended_within_bounds(self):
        self.made(2, smallest=1)
        first, second = sorted(self.ids())
        ask = self.asg.terminate_instance_in_auto_scaling_group
        ask(InstanceId=first, ShouldDecrementDesiredCapacity=True)
        self.assertEqual((self.ids(), self.group()["DesiredCapacity"]), ({second}, 1))
        self.refused("ValidationError", ask, InstanceId=second, ShouldDecrementDesiredCapacity=True)
        ask(InstanceId=second, ShouldDecrementDesiredCapacity=False)
        self.group()
        self.assertEqual((len(self.ids()), self.ids() & {first, second}), (1, set()))
        self.refused("ValidationError", ask, InstanceId="i-00000000000000000", ShouldDecrementDesiredCapacity=False)


    @of("group-detach")
    def test_only_what_is_in_service_leaves_a_group(self):
        self.made(1)
        one = self.ids().pop()
        ask = functools.partial(self.asg.detach_instances, AutoScalingGroupName="nodes", InstanceIds=[one])
        ask(ShouldDecrementDesiredCapacity=False)
        self.assertEqual((len(self.ids()), self.ids() & {one}), (1, set()))
        self.refused("ValidationError", ask, ShouldDecrementDesiredCapacity=False)
        self.assertEqual(len(self.ids()), 1)


class Refreshes(Groups):
    def refresh(self):
        """The last one."""
        return self.asg.describe_instance_refreshes(AutoScalingGroupName="nodes")["InstanceRefreshes"][0]

    @of("instance-refresh")
    def test_all_instances_are_replaced_one_by_one(self):
        self.made(3)
        before = self.ids()
        self.slowly()
        start = self.asg.start_instance_refresh
        start(AutoScalingGroupName="nodes")
        self.refused("InstanceRefreshInProgress", start, AutoScalingGroupName="nodes")
        self.assertEqual(self.refresh()["Status"], "Pending")
        for _ in range(12):
            self.wait()
            self.assertGreaterEqual(self.states().count("InService"), 2)
        self.assertEqual(self.refresh()["Status"], "Successful")
        self.assertEqual((len(self.ids()), self.ids() & before), (3, set()))
        start(AutoScalingGroupName="nodes")
        self.asg.cancel_instance_refresh(AutoScalingGroupName="nodes")
        self.wait()
        self.assertEqual(self.refresh()["Status"], "Cancelled")

    @of("warm-pools")
    def test_there_are_no_warm_pools(self):
        self.made()
        self.refused("NotImplemented", self.asg.put_warm_pool, AutoScalingGroupName="nodes")
