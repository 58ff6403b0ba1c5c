"""A cluster's life by hand: the right order of deletion ends with nothing, in spite of throttling and with states that take
their time."""

from .case import UBUNTU, Case, client, tell


class Life(Case):
    def setUp(self):
        super().setUp()
        self.ec2, self.elb, self.asg = (client(one, attempts=8) for one in ("ec2", "elbv2", "autoscaling"))
        self.slowly(5)
        tell("POST", "faults", {"kind": "throttle", "share": 0.1, "seed": 3})

    def build(self):
        """Two subnets, a gateway to the internet, one for what is private, groups, a balancer, a control plane, nodes."""
        self.vpc()
        self.gateway = self.ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
        self.ec2.attach_internet_gateway(InternetGatewayId=self.gateway, VpcId=self.vpc_id)
        self.table = self.ec2.create_route_table(VpcId=self.vpc_id)["RouteTable"]["RouteTableId"]
        self.ec2.associate_route_table(RouteTableId=self.table, SubnetId=self.subnets[0])
        self.elastic = self.address()
        made = self.ec2.create_nat_gateway(SubnetId=self.subnets[0], AllocationId=self.elastic)["NatGateway"]
        self.nat = made["NatGatewayId"]
        self.planes, self.nodes = self.group("planes"), self.group("nodes")
        for one, other in ((self.planes, self.nodes), (self.nodes, self.planes)):
            self.ec2.authorize_security_group_ingress(
                GroupId=one, IpPermissions=[{"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": other}]}]
            )
        self.made = self.balancer(scheme="internet-facing", SecurityGroups=[self.planes])["LoadBalancerArn"]
        self.targets = self.target_group()
        self.listener({"LoadBalancerArn": self.made}, self.targets)
        self.plane_interface = self.interface(PrivateIpAddress="10.0.0.10", Groups=[self.planes])["NetworkInterfaceId"]
        self.data = self.ec2.create_volume(AvailabilityZone="eu-central-1a", Size=20)["VolumeId"]
        given = [{"DeviceIndex": 0, "NetworkInterfaceId": self.plane_interface}]
        self.plane = self.run_one(NetworkInterfaces=given)["InstanceId"]
        template = {"ImageId": UBUNTU, "InstanceType": "t3.medium", "SecurityGroupIds": [self.nodes]}
        self.ec2.create_launch_template(LaunchTemplateName="nodes", LaunchTemplateData=template)
        self.asg.create_auto_scaling_group(
            AutoScalingGroupName="nodes",
            LaunchTemplate={"LaunchTemplateName": "nodes"},
            MinSize=0,
            MaxSize=3,
            DesiredCapacity=3,
            VPCZoneIdentifier=",".join(self.subnets),
            TargetGroupARNs=[self.targets],
        )
        self.wait(6)
        self.ec2.attach_volume(VolumeId=self.data, InstanceId=self.plane, Device="/dev/sdf")
        self.wait(6)

    def holders(self):
        """Whatever can be asked to go, in the wrong order."""
        ec2 = self.ec2
        return [
            (ec2.delete_vpc, {"VpcId": self.vpc_id}),
            (ec2.delete_subnet, {"SubnetId": self.subnets[0]}),
            (ec2.delete_subnet, {"SubnetId": self.subnets[1]}),
            (ec2.delete_security_group, {"GroupId": self.planes}),
            (ec2.delete_security_group, {"GroupId": self.nodes}),
            (ec2.detach_internet_gateway, {"InternetGatewayId": self.gateway, "VpcId": self.vpc_id}),
            (ec2.delete_route_table, {"RouteTableId": self.table}),
        ]

    def test_from_nothing_to_nothing(self):
        self.build()
        self.assertEqual(self.state(self.plane), "running")
        for ask, asked in self.holders():
            self.refused("DependencyViolation", ask, **asked)
        self.refused("VolumeInUse", self.ec2.delete_volume, VolumeId=self.data)
        self.asg.delete_auto_scaling_group(AutoScalingGroupName="nodes", ForceDelete=True)
        self.ec2.delete_launch_template(LaunchTemplateName="nodes")
        self.end(self.plane)
        self.elb.delete_load_balancer(LoadBalancerArn=self.made)
        self.elb.delete_target_group(TargetGroupArn=self.targets)
        self.ec2.delete_nat_gateway(NatGatewayId=self.nat)
        for ask, asked in self.holders():
            self.refused("DependencyViolation", ask, **asked)
        self.wait(6)
        self.ec2.release_address(AllocationId=self.elastic)
        self.ec2.delete_network_interface(NetworkInterfaceId=self.plane_interface)
        self.ec2.delete_volume(VolumeId=self.data)
        self.assertEqual(self.ec2.describe_network_interfaces()["NetworkInterfaces"], [])
        self.assertEqual(self.ec2.describe_volumes()["Volumes"], [])
        rule = {"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": self.planes}]}
        self.ec2.revoke_security_group_ingress(GroupId=self.nodes, IpPermissions=[rule])
        self.ec2.delete_security_group(GroupId=self.planes)
        self.ec2.delete_security_group(GroupId=self.nodes)
        for one in self.subnets:
            self.ec2.delete_subnet(SubnetId=one)
        self.ec2.delete_route_table(RouteTableId=self.table)
        self.ec2.detach_internet_gateway(InternetGatewayId=self.gateway, VpcId=self.vpc_id)
        self.ec2.delete_internet_gateway(InternetGatewayId=self.gateway)
        self.ec2.delete_vpc(VpcId=self.vpc_id)
        self.assertNotIn(self.vpc_id, [one["VpcId"] for one in self.ec2.describe_vpcs()["Vpcs"]])

