"""What names resolve to for whoever plays the machines."""

from .case import REGION, Case, tell


class Names(Case):
    def zone(self, name="example.org", **more):
        made = self.dns.create_hosted_zone(Name=name, CallerReference=f"{name} {more}", **more)
        return made["HostedZone"]["Id"]

    def put(self, zone, name, kind, *values, alias=None):
        rest = {"TTL": 60, "ResourceRecords": [{"Value": value} for value in values]}
        if alias:
            rest = {"AliasTarget": {"HostedZoneId": "Z1", "DNSName": alias, "EvaluateTargetHealth": False}}
        change = {"Action": "UPSERT", "ResourceRecordSet": {"Name": name, "Type": kind, **rest}}
        self.dns.change_resource_record_sets(HostedZoneId=zone, ChangeBatch={"Changes": [change]})

    def served(self, *targets, **asked):
        """A load balancer before these targets, and its target group."""
        balancer, group = self.balancer(), self.target_group(**asked)
        self.listener(balancer, group)
        self.elb.register_targets(TargetGroupArn=group, Targets=[{"Id": one} for one in targets])
        return balancer, group

    def test_there_are_none_at_the_start(self):
        self.assertEqual(tell("GET", "names"), {})

    def test_instances_until_they_end(self):
        self.vpc()
        one = self.run_one(PrivateIpAddress="10.0.0.10")
        name = f"ip-10-0-0-10.{REGION}.compute.internal"
        self.assertEqual(one["PrivateDnsName"], name)
        self.assertEqual(tell("GET", "names"), {name: ["10.0.0.10"]})
        self.end(one["InstanceId"])
        self.assertEqual(tell("GET", "names"), {})

    def test_records(self):
        zone = self.zone()
        self.put(zone, "A.example.org", "A", "10.0.0.20", "10.0.0.3")
        self.put(zone, "b.example.org", "CNAME", "a.example.org")
        self.put(zone, "c.example.org", "A", alias="b.example.org.")
        self.put(zone, "away.example.org", "CNAME", "example.com")
        self.put(zone, "text.example.org", "TXT", '"a"')
        self.put(zone, "six.example.org", "AAAA", "fd00::1")
        self.put(zone, "round.example.org", "CNAME", "about.example.org")
        self.put(zone, "about.example.org", "CNAME", "round.example.org")
        both = ["10.0.0.3", "10.0.0.20"]
        self.assertEqual(tell("GET", "names"), {
            "example.org": [],
            "a.example.org": both,
            "b.example.org": both,
            "c.example.org": both,
            "away.example.org": [],
            "text.example.org": [],
            "six.example.org": [],
            "round.example.org": [],
            "about.example.org": [],
        })

    def test_private_zones_hide_public_ones_and_smaller_ones_larger_ones(self):
        self.vpc()
        public, public_below = self.zone(), self.zone("b.example.org")
        private = self.zone("a.example.org", VPC={"VPCRegion": REGION, "VPCId": self.vpc_id})
        self.put(public, "www.example.org", "A", "192.0.2.1")
        self.put(public, "xa.example.org", "A", "192.0.2.2")
        self.put(public, "a.example.org", "A", "192.0.2.3")
        self.put(public, "hidden.a.example.org", "A", "192.0.2.4")
        self.put(public, "hidden.b.example.org", "A", "192.0.2.5")
        self.put(public_below, "www.b.example.org", "A", "192.0.2.6")
        self.put(private, "a.example.org", "A", "10.0.0.3")
        told = {name: addresses for name, addresses in tell("GET", "names").items() if addresses}
        self.assertEqual(told, {
            "www.example.org": ["192.0.2.1"],
            "xa.example.org": ["192.0.2.2"],
            "www.b.example.org": ["192.0.2.6"],
            "a.example.org": ["10.0.0.3"],
        })

    def test_a_balancer_is_its_healthy_targets_or_all(self):
        self.vpc()
        self.addCleanup(tell, "POST", "settings", {"health": "healthy"})
        zone = self.zone()
        first, second = (self.run_one(PrivateIpAddress=f"10.0.0.{last}")["InstanceId"] for last in (10, 20))
        self.state(first)
        balancer, group = self.served(first, second)
        self.put(zone, "api.example.org", "A", alias=balancer["DNSName"])

        def told():
            names = tell("GET", "names")
            self.assertEqual(names["api.example.org"], names[balancer["DNSName"].lower()])
            return names["api.example.org"]

        self.assertEqual(told(), ["10.0.0.10", "10.0.0.20"])
        tell("POST", "settings", {"health": "unhealthy"})
        self.assertEqual(told(), ["10.0.0.10", "10.0.0.20"])
        tell("POST", "settings", {"health": "healthy"})
        self.slowly()
        self.elb.deregister_targets(TargetGroupArn=group, Targets=[{"Id": first}])
        self.assertEqual(told(), ["10.0.0.20"], "what drains gets nothing new")
        self.elb.register_targets(TargetGroupArn=group, Targets=[{"Id": first}])
        self.assertEqual(told(), ["10.0.0.20"], "the other one is not healthy yet")
        self.wait()
        self.assertEqual(told(), ["10.0.0.10", "10.0.0.20"])
        tell("POST", "settings", {"delay": 0})
        self.elb.delete_load_balancer(LoadBalancerArn=balancer["LoadBalancerArn"])
        names = tell("GET", "names")
        self.assertEqual(names["api.example.org"], [])
        self.assertNotIn(balancer["DNSName"].lower(), names)

    def test_targets_by_their_addresses_and_what_listens(self):
        self.vpc()
        self.addCleanup(tell, "POST", "settings", {"health": "healthy"})
        balancer, group = self.served("127.0.0.3", "127.0.0.4", TargetType="ip", Port=1)
        name = balancer["DNSName"].lower()
        self.assertEqual(tell("GET", "names")[name], ["127.0.0.3", "127.0.0.4"])
        tell("POST", "settings", {"health": "listening"})
        self.assertEqual(tell("GET", "names")[name], ["127.0.0.3", "127.0.0.4"], "nothing listens")
        other = self.target_group("other", TargetType="ip")
        listener = self.elb.describe_listeners(LoadBalancerArn=balancer["LoadBalancerArn"])["Listeners"][0]
        forward = {"Type": "forward", "TargetGroupArn": other}
        self.elb.modify_listener(ListenerArn=listener["ListenerArn"], DefaultActions=[forward])
        self.assertEqual(tell("GET", "names")[name], [])
