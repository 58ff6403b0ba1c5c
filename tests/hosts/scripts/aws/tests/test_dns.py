"""Zones and records, and what roles may do."""

import json

from .case import REGION, Case, of
from .test_instances import TRUST


class Records(Case):
    def zone(self, name="example.org", reference="one"):
        made = self.dns.create_hosted_zone(Name=name, CallerReference=reference)
        self.zone_id = made["HostedZone"]["Id"].removeprefix("/hostedzone/")
        return made

    def change(self, *changes):
        batch = [
            {"Action": action, "ResourceRecordSet": {"Name": name, "Type": kind, **rest}}
            for action, name, kind, rest in changes
        ]
        return self.dns.change_resource_record_sets(HostedZoneId=self.zone_id, ChangeBatch={"Changes": batch})

    def wrong(self, *changes):
        return self.refused("InvalidChangeBatch", lambda: self.change(*changes))

    def names(self):
        found = self.dns.list_resource_record_sets(HostedZoneId=self.zone_id)["ResourceRecordSets"]
        return [one["Name"] for one in found if one["Type"] not in ("NS", "SOA")]

    def values(self, *values, ttl=60):
        return {"TTL": ttl, "ResourceRecords": [{"Value": value} for value in values]}

    @of("caller-references")
    def test_a_reference_makes_one_zone(self):
        self.zone()
        self.refused("HostedZoneAlreadyExists", self.zone)
        self.zone("example.net", "two")
        self.dns.delete_hosted_zone(Id=self.zone_id)
        self.refused("HostedZoneAlreadyExists", self.zone, name="example.net", reference="two")

    @of("record-checks")
    def test_values_fit_their_type(self):
        self.zone()
        self.assertIn("ARRDATAIllegalIPv4Address", self.wrong(("CREATE", "a.example.org", "A", self.values("10.0.0.300"))))
        self.assertIn("IPv6", self.wrong(("CREATE", "a.example.org", "AAAA", self.values("10.0.0.3"))))
        self.assertIn("quotation", self.wrong(("CREATE", "a.example.org", "TXT", self.values("heritage=keelson"))))
        self.assertIn("apex", self.wrong(("UPSERT", "example.org", "CNAME", self.values("b.example.org"))))
        self.wrong(("CREATE", "a.example.org", "A", {}))
        self.change(
            ("CREATE", "a.example.org", "A", self.values("10.0.0.3", "10.0.0.4")),
            ("CREATE", "a.example.org", "AAAA", self.values("fd00::1")),
            ("CREATE", "a.example.org", "TXT", self.values('"heritage=keelson" "owner=a"')),
        )

    @of("record-checks")
    def test_all_of_a_batch_or_nothing(self):
        self.zone()
        fine = ("CREATE", "a.example.org", "A", self.values("10.0.0.3"))
        self.wrong(fine, ("CREATE", "b.example.org", "A", self.values("nowhere")))
        self.wrong(fine, fine)
        self.assertEqual(self.names(), [])
        self.change(fine)
        self.wrong(fine)
        self.wrong(("DELETE", "a.example.org", "A", self.values("10.0.0.4")))
        self.wrong(("DELETE", "a.example.org", "A", self.values("10.0.0.3", ttl=61)))
        self.wrong(("DELETE", "b.example.org", "A", self.values("10.0.0.3")))
        self.change(("DELETE", "A.example.org.", "A", self.values("10.0.0.3")), fine)
        self.assertEqual(self.names(), ["a.example.org."])
        self.change(("DELETE", "a.example.org", "A", self.values("10.0.0.3")))
        self.dns.delete_hosted_zone(Id=self.zone_id)

    @of("record-checks")
    def test_alias_records(self):
        self.zone()

        def alias(name):
            return {"AliasTarget": {"HostedZoneId": "Z1", "DNSName": name, "EvaluateTargetHealth": False}}

        self.change(("UPSERT", "api.example.org", "A", alias("lb.example.com")))
        self.change(("UPSERT", "api.example.org", "A", alias("other.example.com")))
        self.wrong(("DELETE", "api.example.org", "A", alias("lb.example.com")))
        self.change(("DELETE", "api.example.org", "A", alias("other.example.com.")))
        self.assertEqual(self.names(), [])

    @of("change-states")
    def test_a_change_takes_its_time(self):
        self.slowly()
        first = self.zone()["ChangeInfo"]
        self.assertEqual(first["Status"], "PENDING")
        second = self.change(("CREATE", "a.example.org", "A", self.values("10.0.0.3")))["ChangeInfo"]
        self.assertNotEqual(first["Id"], second["Id"])

        def status():
            return self.dns.get_change(Id=second["Id"])["ChangeInfo"]["Status"]

        self.assertEqual(status(), "PENDING")
        self.wait()
        self.assertEqual(status(), "INSYNC")


class PrivateZones(Case):
    def private(self, reference, vpc, name="example.internal"):
        made = self.dns.create_hosted_zone(
            Name=name,
            CallerReference=reference,
            VPC=vpc,
            HostedZoneConfig={"Comment": "", "PrivateZone": True},
        )
        return made["HostedZone"]["Id"].removeprefix("/hostedzone/")

    def vpcs(self, zone):
        return [one["VPCId"] for one in self.dns.get_hosted_zone(Id=zone)["VPCs"]]

    @of("zone-vpcs")
    def test_a_vpc_sees_one_zone_of_a_name(self):
        first, second = ({"VPCId": self.vpc(), "VPCRegion": REGION} for _ in range(2))
        zone = self.private("one", first)
        self.private("elsewhere", first, name="example.net")
        self.refused("ConflictingDomainExists", lambda: self.private("two", first))
        other = self.private("two", second)
        associate = self.dns.associate_vpc_with_hosted_zone
        self.refused("ConflictingDomainExists", associate, HostedZoneId=zone, VPC=first)
        self.refused("ConflictingDomainExists", associate, HostedZoneId=zone, VPC=second)
        self.dns.delete_hosted_zone(Id=other)
        change = associate(HostedZoneId=zone, VPC=second)["ChangeInfo"]
        self.assertEqual(self.dns.get_change(Id=change["Id"])["ChangeInfo"]["Status"], "INSYNC")
        self.assertEqual(self.vpcs(zone), [first["VPCId"], second["VPCId"]])

    @of("zone-vpcs")
    def test_a_vpc_that_does_not_see_a_zone_is_told(self):
        first, second = ({"VPCId": self.vpc(), "VPCRegion": REGION} for _ in range(2))
        zone = self.private("one", first)
        disassociate = self.dns.disassociate_vpc_from_hosted_zone
        self.refused("VPCAssociationNotFound", disassociate, HostedZoneId=zone, VPC=second)
        self.refused("LastVPCAssociation", disassociate, HostedZoneId=zone, VPC=first)
        self.dns.associate_vpc_with_hosted_zone(HostedZoneId=zone, VPC=second)
        disassociate(HostedZoneId=zone, VPC=first)
        self.assertEqual(self.vpcs(zone), [second["VPCId"]])


class Rights(Case):
    @of("simulated-policies")
    def test_what_a_role_may_do(self):
        arn = self.iam.create_role(RoleName="node", AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
        policy = {
            "Version": "2012-10-17",
            "Statement": [
                {"Effect": "Allow", "Action": ["s3:Get*"], "Resource": "arn:aws:s3:::clusters/a/*"},
                {"Effect": "Deny", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::clusters/a/secret"},
            ],
        }
        self.iam.put_role_policy(RoleName="node", PolicyName="own", PolicyDocument=json.dumps(policy))

        def decision(action, resource):
            asked = {"PolicySourceArn": arn, "ActionNames": [action], "ResourceArns": [f"arn:aws:s3:::{resource}"]}
            return self.iam.simulate_principal_policy(**asked)["EvaluationResults"][0]["EvalDecision"]

        self.assertEqual(decision("s3:GetObject", "clusters/a/node"), "allowed")
        self.assertEqual(decision("s3:GetObject", "clusters/a/secret"), "explicitDeny")
        self.assertEqual(decision("s3:GetObject", "clusters/b/node"), "implicitDeny")
        self.assertEqual(decision("s3:PutObject", "clusters/a/node"), "implicitDeny")
