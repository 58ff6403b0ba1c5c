"""Addresses, interfaces, gateways, and what must be gone before a network can be."""

from .case import Case, of


class Addresses(Case):
    @of("addresses")
    def test_an_address_is_given_once(self):
        self.vpc()
        self.interface(PrivateIpAddress="10.0.0.4")
        self.refused("InvalidIPAddress.InUse", self.interface, PrivateIpAddress="10.0.0.4")
        self.refused("InvalidIPAddress.InUse", self.run_one, PrivateIpAddress="10.0.0.4")
        self.refused("InvalidParameterValue", self.interface, PrivateIpAddress="10.0.0.3")
        self.refused("InvalidParameterValue", self.interface, PrivateIpAddress="10.0.1.9")
        found = [self.interface()["PrivateIpAddress"], self.run_one()["PrivateIpAddress"]]
        self.assertEqual(found, ["10.0.0.5", "10.0.0.6"])

    @of("addresses")
    def test_an_address_is_free_again(self):
        self.vpc()
        one = self.run_one(PrivateIpAddress="10.0.0.10")
        self.end(one["InstanceId"])
        self.assertEqual(self.state(one["InstanceId"]), "terminated")
        self.assertEqual(self.interface(PrivateIpAddress="10.0.0.10")["PrivateIpAddress"], "10.0.0.10")
        self.refused("InvalidIPAddress.InUse", self.interface, PrivateIpAddress="10.0.0.10")

    @of("addresses")
    def test_a_nat_gateway_is_in_its_subnet(self):
        self.vpc()
        gateway = self.ec2.create_nat_gateway(SubnetId=self.subnets[1], AllocationId=self.address())["NatGateway"]
        self.assertEqual(gateway["NatGatewayAddresses"][0]["PrivateIp"], "10.0.1.4")


class Interfaces(Case):
    @of("interface-groups")
    def test_groups_must_be_there_and_in_the_vpc(self):
        self.vpc()
        other = self.group()
        self.refused("InvalidGroup.NotFound", self.interface, Groups=["sg-00000000000000000"])
        self.vpc()
        self.refused("InvalidParameter", self.interface, Groups=[other])

    @of("interface-in-use")
    def test_what_is_in_use_stays(self):
        self.vpc()
        one = self.interface()["NetworkInterfaceId"]
        self.run_one(NetworkInterfaces=[{"DeviceIndex": 0, "NetworkInterfaceId": one}])
        self.refused("InvalidParameterValue", self.ec2.delete_network_interface, NetworkInterfaceId=one)

    @of("interface-attach")
    def test_only_what_is_free_is_attached(self):
        self.vpc()
        first, second = self.run_one()["InstanceId"], self.run_one()["InstanceId"]
        one, far = self.interface()["NetworkInterfaceId"], self.interface(SubnetId=self.subnets[1])["NetworkInterfaceId"]
        ask = self.ec2.attach_network_interface
        self.refused("InvalidParameterValue", ask, NetworkInterfaceId=one, InstanceId=first, DeviceIndex=0)
        self.refused("InvalidParameterCombination", ask, NetworkInterfaceId=far, InstanceId=first, DeviceIndex=1)
        ask(NetworkInterfaceId=one, InstanceId=first, DeviceIndex=1)
        self.refused("InvalidNetworkInterface.InUse", ask, NetworkInterfaceId=one, InstanceId=second, DeviceIndex=1)

    @of("interface-detach")
    def test_the_primary_one_stays(self):
        self.vpc()
        one = self.run_one()["InstanceId"]
        self.ec2.attach_network_interface(
            NetworkInterfaceId=self.interface()["NetworkInterfaceId"], InstanceId=one, DeviceIndex=1
        )
        primary = next(x for x in self.instance(one)["NetworkInterfaces"] if x["Attachment"]["DeviceIndex"] == 0)
        attachment = primary["Attachment"]["AttachmentId"]
        self.refused("OperationNotPermitted", self.ec2.detach_network_interface, AttachmentId=attachment)

    @of("delete-on-termination")
    def test_the_primary_one_goes_with_its_instance(self):
        self.vpc()
        self.end(self.run_one()["InstanceId"])
        self.end(self.run_one(NetworkInterfaces=[{"DeviceIndex": 0, "SubnetId": self.subnets[0]}])["InstanceId"])
        self.assertEqual(self.ec2.describe_network_interfaces()["NetworkInterfaces"], [])

    @of("interface-attachment")
    def test_it_can_be_kept_after_all(self):
        self.vpc()
        one = self.run_one()
        found = self.instance(one["InstanceId"])["NetworkInterfaces"][0]
        attachment = {"AttachmentId": found["Attachment"]["AttachmentId"], "DeleteOnTermination": False}
        self.ec2.modify_network_interface_attribute(
            NetworkInterfaceId=found["NetworkInterfaceId"], Attachment=attachment
        )
        self.end(one["InstanceId"])
        self.assertEqual(len(self.ec2.describe_network_interfaces()["NetworkInterfaces"]), 1)

    @of("terminated-interfaces")
    def test_a_given_one_is_free_after_its_instance(self):
        self.vpc()
        one = self.interface()["NetworkInterfaceId"]
        self.ec2.associate_address(AllocationId=self.address(), NetworkInterfaceId=one)
        given = [{"DeviceIndex": 0, "NetworkInterfaceId": one}]
        ended = self.run_one(NetworkInterfaces=given)["InstanceId"]
        self.end(ended)
        found = self.ec2.describe_network_interfaces()["NetworkInterfaces"]
        self.assertEqual([(x["NetworkInterfaceId"], x["Status"]) for x in found], [(one, "available")])
        self.assertNotIn("AssociationId", self.ec2.describe_addresses()["Addresses"][0])
        ended = self.instance(ended)
        self.assertNotIn("PrivateIpAddress", ended)
        self.assertEqual((ended["NetworkInterfaces"], ended["SecurityGroups"]), ([], []))
        self.run_one(NetworkInterfaces=given)

    @of("given-interface")
    def test_an_instance_is_where_its_interface_is(self):
        self.vpc()
        one = self.interface(SubnetId=self.subnets[1], PrivateIpAddress="10.0.1.20")["NetworkInterfaceId"]
        given = [{"DeviceIndex": 0, "NetworkInterfaceId": one}]
        made = self.instance(self.run_one(NetworkInterfaces=given)["InstanceId"])
        self.assertEqual(made["Placement"]["AvailabilityZone"], "eu-central-1b")
        self.assertEqual((made["SubnetId"], made["PrivateIpAddress"]), (self.subnets[1], "10.0.1.20"))
        self.refused("InvalidNetworkInterface.InUse", self.run_one, NetworkInterfaces=given)

    @of("instance-groups")
    def test_an_instance_has_the_groups_of_its_interface(self):
        self.vpc()
        group = self.group()
        made = self.run_one(NetworkInterfaces=[{"DeviceIndex": 0, "SubnetId": self.subnets[0], "Groups": [group]}])
        self.assertEqual([one["GroupId"] for one in made["SecurityGroups"]], [group])


class Shapes(Case):
    @of("one-gateway")
    def test_one_gateway(self):
        self.vpc()
        first, second = (
            self.ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"] for _ in range(2)
        )
        attach = self.ec2.attach_internet_gateway
        attach(InternetGatewayId=first, VpcId=self.vpc_id)
        self.refused("InvalidParameterValue", attach, InternetGatewayId=second, VpcId=self.vpc_id)

    @of("one-table")
    def test_one_table(self):
        self.vpc()
        first, second = (
            self.ec2.create_route_table(VpcId=self.vpc_id)["RouteTable"]["RouteTableId"] for _ in range(2)
        )
        associate, subnet = self.ec2.associate_route_table, self.subnets[0]
        made = associate(RouteTableId=first, SubnetId=subnet)["AssociationId"]
        self.assertEqual(associate(RouteTableId=first, SubnetId=subnet)["AssociationId"], made)
        self.refused("Resource.AlreadyAssociated", associate, RouteTableId=second, SubnetId=subnet)

    @of("subnet-size")
    def test_the_size_of_subnets(self):
        self.vpc()
        self.refused("InvalidSubnet.Range", self.ec2.create_subnet, VpcId=self.vpc_id, CidrBlock="10.0.8.0/29")
        self.ec2.create_subnet(VpcId=self.vpc_id, CidrBlock="10.0.8.0/28")


class Dependencies(Case):
    @of("group-dependencies")
    def test_groups(self):
        self.vpc()
        named, other, worn = self.group("named"), self.group("other"), self.group("worn")
        rule = [{"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "UserIdGroupPairs": [{"GroupId": named}]}]
        self.ec2.authorize_security_group_ingress(GroupId=other, IpPermissions=rule)
        self.ec2.authorize_security_group_ingress(GroupId=named, IpPermissions=rule)
        delete = self.ec2.delete_security_group
        self.refused("DependencyViolation", delete, GroupId=named)
        self.ec2.revoke_security_group_ingress(GroupId=other, IpPermissions=rule)
        delete(GroupId=named)
        one = self.run_one(SecurityGroupIds=[worn])["InstanceId"]
        self.refused("DependencyViolation", delete, GroupId=worn)
        self.end(one)
        delete(GroupId=worn)
        balancer = self.balancer(SecurityGroups=[other])
        self.refused("DependencyViolation", delete, GroupId=other)
        self.elb.delete_load_balancer(LoadBalancerArn=balancer["LoadBalancerArn"])
        delete(GroupId=other)
        default = self.ec2.describe_security_groups(Filters=[{"Name": "vpc-id", "Values": [self.vpc_id]}])
        self.refused("CannotDelete", delete, GroupId=default["SecurityGroups"][0]["GroupId"])

    @of("subnet-dependencies")
    def test_subnets(self):
        self.vpc()
        first, second = self.subnets
        one = self.interface()["NetworkInterfaceId"]
        self.refused("DependencyViolation", self.ec2.delete_subnet, SubnetId=first)
        self.ec2.delete_network_interface(NetworkInterfaceId=one)
        gateway = self.ec2.create_nat_gateway(SubnetId=second, AllocationId=self.address())["NatGateway"]["NatGatewayId"]
        self.refused("DependencyViolation", self.ec2.delete_subnet, SubnetId=second)
        self.ec2.delete_nat_gateway(NatGatewayId=gateway)
        for one in (first, second):
            self.ec2.delete_subnet(SubnetId=one)

    @of("balancer-interfaces")
    def test_a_balancer_holds_its_subnets(self):
        self.vpc()
        self.slowly()
        balancer = self.balancer()["LoadBalancerArn"]
        self.refused("DependencyViolation", self.ec2.delete_subnet, SubnetId=self.subnets[0])
        self.elb.delete_load_balancer(LoadBalancerArn=balancer)
        self.refused("DependencyViolation", self.ec2.delete_subnet, SubnetId=self.subnets[0])
        self.wait()
        self.ec2.delete_subnet(SubnetId=self.subnets[0])

    @of("subnet-associations")
    def test_a_table_can_go_after_its_subnet(self):
        self.vpc()
        table = self.ec2.create_route_table(VpcId=self.vpc_id)["RouteTable"]["RouteTableId"]
        self.ec2.associate_route_table(RouteTableId=table, SubnetId=self.subnets[0])
        self.refused("DependencyViolation", self.ec2.delete_route_table, RouteTableId=table)
        self.ec2.delete_subnet(SubnetId=self.subnets[0])
        self.ec2.delete_route_table(RouteTableId=table)

    @of("main-table")
    def test_the_main_table_stays(self):
        self.vpc()
        main = [{"Name": "vpc-id", "Values": [self.vpc_id]}, {"Name": "association.main", "Values": ["true"]}]
        table = self.ec2.describe_route_tables(Filters=main)["RouteTables"][0]["RouteTableId"]
        self.refused("DependencyViolation", self.ec2.delete_route_table, RouteTableId=table)

    @of("vpc-dependencies")
    def test_a_vpc_is_last(self):
        vpc = self.ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
        gateway = self.ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
        self.ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
        self.refused("DependencyViolation", self.ec2.delete_vpc, VpcId=vpc)
        self.ec2.detach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
        group = self.ec2.create_security_group(GroupName="a", Description="a", VpcId=vpc)["GroupId"]
        self.refused("DependencyViolation", self.ec2.delete_vpc, VpcId=vpc)
        self.ec2.delete_security_group(GroupId=group)
        self.ec2.delete_vpc(VpcId=vpc)

    @of("gateway-dependencies")
    def test_public_addresses_hold_the_gateway(self):
        self.vpc()
        gateway = self.ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
        self.ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=self.vpc_id)
        balancer = self.balancer(scheme="internet-facing")["LoadBalancerArn"]
        detach = self.ec2.detach_internet_gateway
        self.refused("DependencyViolation", detach, InternetGatewayId=gateway, VpcId=self.vpc_id)
        self.elb.delete_load_balancer(LoadBalancerArn=balancer)
        detach(InternetGatewayId=gateway, VpcId=self.vpc_id)

    @of("address-in-use")
    def test_an_address_in_use_stays(self):
        self.vpc()
        address = self.address()
        self.ec2.create_nat_gateway(SubnetId=self.subnets[0], AllocationId=address)
        self.refused("InvalidIPAddress.InUse", self.ec2.release_address, AllocationId=address)


class NatGateways(Case):
    def made(self, **asked):
        return self.ec2.create_nat_gateway(SubnetId=self.subnets[0], AllocationId=self.address(), **asked)["NatGateway"]

    def states(self, *filters):
        found = self.ec2.describe_nat_gateways(Filter=list(filters))["NatGateways"]
        return [one["State"] for one in found]

    @of("nat-states")
    def test_it_is_pending_and_then_available(self):
        self.vpc()
        self.slowly()
        self.assertEqual(self.made()["State"], "pending")
        self.assertEqual(self.states(), ["pending"])
        self.wait()
        self.assertEqual(self.states(), ["available"])
        self.refused("MissingParameter", self.ec2.create_nat_gateway, SubnetId=self.subnets[0])

    @of("nat-states")
    def test_it_fails_when_its_address_is_somebody_elses(self):
        self.vpc()
        address, ask = self.address(), self.ec2.create_nat_gateway
        ask(SubnetId=self.subnets[0], AllocationId=address)
        failed = ask(SubnetId=self.subnets[1], AllocationId=address)["NatGateway"]
        self.assertEqual(failed["State"], "pending")
        found = self.ec2.describe_nat_gateways(NatGatewayIds=[failed["NatGatewayId"]])["NatGateways"][0]
        self.assertEqual((found["State"], found["FailureCode"]), ("failed", "Resource.AlreadyAssociated"))
        nobodys = "eipalloc-00000000000000000"
        self.refused("InvalidAllocationID.NotFound", ask, SubnetId=self.subnets[1], AllocationId=nobodys)
        self.ec2.delete_subnet(SubnetId=self.subnets[1])

    @of("nat-deletion")
    def test_it_lets_go_of_its_address_when_it_is_gone(self):
        self.vpc()
        self.refused("NatGatewayNotFound", self.ec2.delete_nat_gateway, NatGatewayId="nat-00000000000000000")
        self.slowly()
        one = self.made()
        self.ec2.delete_nat_gateway(NatGatewayId=one["NatGatewayId"])
        self.assertEqual(self.states(), ["deleting"])
        address = one["NatGatewayAddresses"][0]["AllocationId"]
        self.refused("InvalidIPAddress.InUse", self.ec2.release_address, AllocationId=address)
        self.wait()
        self.assertEqual(self.states(), ["deleted"])
        self.ec2.release_address(AllocationId=address)
        self.assertEqual(self.ec2.describe_network_interfaces()["NetworkInterfaces"], [])

    @of("nat-filters")
    def test_it_is_found_by_tags(self):
        self.vpc()
        tags = [{"ResourceType": "natgateway", "Tags": [{"Key": "cluster", "Value": "a"}]}]
        self.made(TagSpecifications=tags)
        self.made()
        self.assertEqual(len(self.states({"Name": "tag:cluster", "Values": ["a"]})), 1)
        self.assertEqual(self.states({"Name": "tag:cluster", "Values": ["b"]}), [])
        self.refused("NatGatewayNotFound", self.ec2.describe_nat_gateways, NatGatewayIds=["nat-00000000000000000"])
