"""Load balancers, and the health of what is behind them."""

import socket

from .case import Case, of, tell


class Balancers(Case):
    def code(self):
        return self.elb.describe_load_balancers()["LoadBalancers"][0]["State"]["Code"]

    @of("balancer-states")
    def test_it_is_provisioning_and_then_active(self):
        self.vpc()
        self.slowly()
        self.assertEqual(self.balancer()["State"]["Code"], "provisioning")
        self.assertEqual(self.code(), "provisioning")
        self.wait()
        self.assertEqual(self.code(), "active")

    @of("balancer-arns")
    def test_its_names(self):
        self.vpc()
        one = self.balancer(Tags=[{"Key": "cluster", "Value": "a"}])
        path = one["LoadBalancerArn"].split(":loadbalancer/")[1]
        self.assertRegex(path, "^net/api/[0-9a-f]{16}$")
        self.assertEqual(one["DNSName"], f"api-{path[8:]}.elb.eu-central-1.amazonaws.com")
        tags = self.elb.describe_tags(ResourceArns=[one["LoadBalancerArn"]])["TagDescriptions"]
        self.assertEqual(tags[0]["Tags"], [{"Key": "cluster", "Value": "a"}])
        self.assertEqual(self.elb.describe_load_balancers(LoadBalancerArns=[one["LoadBalancerArn"]])["LoadBalancers"][0], {
            **one, "State": {"Code": "active"}
        })

    @of("same-balancer")
    def test_there_is_one_of_a_name(self):
        self.vpc()
        first = self.balancer()
        self.assertEqual(self.balancer()["LoadBalancerArn"], first["LoadBalancerArn"])
        self.refused("DuplicateLoadBalancerName", self.balancer, scheme="internet-facing")
        self.refused("ValidationError", self.balancer, name="not_valid")
        self.assertEqual(len(self.elb.describe_load_balancers()["LoadBalancers"]), 1)

    @of("same-target-group")
    def test_there_is_one_target_group_of_a_name(self):
        self.vpc()
        self.assertEqual(self.target_group(), self.target_group())
        self.refused("DuplicateTargetGroupName", self.target_group, Port=443)

    @of("same-listener")
    def test_there_is_one_listener_at_a_port(self):
        self.vpc()
        balancer, first, second = self.balancer(), self.target_group(), self.target_group("other")
        self.assertEqual(self.listener(balancer, first), self.listener(balancer, first))
        with self.assertRaises(self.elb.exceptions.DuplicateListenerException):
            self.listener(balancer, second)

    @of("balancer-of-group")
    def test_a_group_forgets_a_balancer_that_is_gone(self):
        self.vpc()
        balancer, group = self.balancer(), self.target_group()
        listener = self.listener(balancer, group)

        def shown():
            return self.elb.describe_target_groups()["TargetGroups"][0]["LoadBalancerArns"]

        self.assertEqual(shown(), [balancer["LoadBalancerArn"]])
        self.elb.delete_listener(ListenerArn=listener)
        self.assertEqual(shown(), [])
        self.listener(balancer, group)
        self.elb.delete_load_balancer(LoadBalancerArn=balancer["LoadBalancerArn"])
        self.assertEqual(shown(), [])

    @of("balancer-protection")
    def test_one_that_is_protected_stays(self):
        self.vpc()
        balancer = self.balancer()["LoadBalancerArn"]

        def protect(value):
            attributes = [{"Key": "deletion_protection.enabled", "Value": value}]
            self.elb.modify_load_balancer_attributes(LoadBalancerArn=balancer, Attributes=attributes)

        protect("true")
        self.refused("OperationNotPermitted", self.elb.delete_load_balancer, LoadBalancerArn=balancer)
        self.assertEqual(len(self.elb.describe_load_balancers()["LoadBalancers"]), 1)
        protect("false")
        self.elb.delete_load_balancer(LoadBalancerArn=balancer)
        self.assertEqual(self.elb.describe_load_balancers()["LoadBalancers"], [])

    @of("balancer-interfaces")
    def test_it_has_interfaces(self):
        self.vpc()
        balancer = self.balancer()["LoadBalancerArn"]
        found = self.ec2.describe_network_interfaces()["NetworkInterfaces"]
        path = balancer.split(":loadbalancer/")[1]
        self.assertEqual([(one["Status"], one["Description"]) for one in found], [("in-use", f"ELB {path}")] * 2)
        group = self.group()
        self.elb.set_security_groups(LoadBalancerArn=balancer, SecurityGroups=[group])
        self.refused("DependencyViolation", self.ec2.delete_security_group, GroupId=group)


    @of("balancer-interfaces")
    def test_its_addresses_are_in_use(self):
        self.vpc()
        address = self.address()
        asked = {"Name": "public", "Type": "network", "Scheme": "internet-facing"}
        where = [{"SubnetId": self.subnets[0], "AllocationId": address}]
        balancer = self.elb.create_load_balancer(**asked, SubnetMappings=where)["LoadBalancers"][0]
        self.refused("InvalidIPAddress.InUse", self.ec2.release_address, AllocationId=address)
        self.elb.delete_load_balancer(LoadBalancerArn=balancer["LoadBalancerArn"])
        self.ec2.release_address(AllocationId=address)


class Targets(Case):
    def health(self, group):
        found = self.elb.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
        return [one["TargetHealth"]["State"] for one in found]

    @of("target-health")
    def test_it_is_initial_and_then_as_is_wished(self):
        self.vpc()
        group, one = self.target_group(), self.run_one()["InstanceId"]
        self.state(one)
        self.slowly()
        self.elb.register_targets(TargetGroupArn=group, Targets=[{"Id": one}])
        self.assertEqual(self.health(group), ["unused"])
        self.listener(self.balancer(), group)
        self.assertEqual(self.health(group), ["initial"])
        self.wait()
        self.assertEqual(self.health(group), ["healthy"])
        tell("POST", "settings", {"health": "unhealthy"})
        self.assertEqual(self.health(group), ["unhealthy"])

    @of("target-health")
    def test_what_listens_is_healthy(self):
        self.vpc()
        tell("POST", "settings", {"health": "listening"})
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
            group = self.target_group(TargetType="ip", Port=port)
            self.listener(self.balancer(), group)
            self.elb.register_targets(TargetGroupArn=group, Targets=[{"Id": "127.0.0.1", "Port": port}])
            self.assertEqual(self.health(group), ["healthy"])
        self.assertEqual(self.health(group), ["unhealthy"])

    @of("target-draining")
    def test_it_drains(self):
        self.vpc()
        group, one = self.target_group(), self.run_one()["InstanceId"]
        self.state(one)
        self.elb.register_targets(TargetGroupArn=group, Targets=[{"Id": one}])
        self.slowly()
        self.elb.deregister_targets(TargetGroupArn=group, Targets=[{"Id": one}])
        self.assertEqual(self.health(group), ["draining"])
        self.wait()
        self.assertEqual(self.health(group), [])

    @of("targets-that-are")
    def test_one_that_is_not_there(self):
        self.vpc()
        nobody = [{"Id": "i-00000000000000000"}]
        self.refused("InvalidTarget", self.elb.register_targets, TargetGroupArn=self.target_group(), Targets=nobody)
